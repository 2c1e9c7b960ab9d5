WITH requests AS (
  SELECT
    *
  FROM core.identified_requests
), names AS (
  SELECT
    *
  FROM core.model_names
), segments AS (
  SELECT
    usage_costs.charge_date,
    usage_costs.provider,
    usage_costs.model,
    usage_costs.token_class,
    usage_costs.service_tier,
    usage_costs.context_min_tokens,
    COALESCE(usage_costs.region_id, CHR(  30)) AS region_key,
    MIN(usage_costs.price_id) AS price_id,
    MIN(usage_costs.unpriced_reason) AS unpriced_reason
  FROM core.usage_costs AS usage_costs
  GROUP BY
    usage_costs.charge_date,
    usage_costs.provider,
    usage_costs.model,
    usage_costs.token_class,
    usage_costs.service_tier,
    usage_costs.context_min_tokens,
    COALESCE(usage_costs.region_id, CHR(  30))
), prices AS (
  SELECT
    *
  FROM staging.prices
), by_class AS (
  SELECT
    requests.charge_date,
    requests.x_source,
    requests.x_snapshot_id,
    requests.request_id,
    requests.trace_id,
    requests.provider,
    requests.model,
    requests.service_tier,
    requests.context_min_tokens,
    requests.region_id,
    'uncached_input_tokens' AS token_class,
    requests.uncached_input_tokens AS quantity_tokens
  FROM requests
  WHERE
    requests.uncached_input_tokens > 0
  UNION ALL
  SELECT
    requests.charge_date,
    requests.x_source,
    requests.x_snapshot_id,
    requests.request_id,
    requests.trace_id,
    requests.provider,
    requests.model,
    requests.service_tier,
    requests.context_min_tokens,
    requests.region_id,
    'cache_read_tokens' AS token_class,
    requests.cache_read_tokens AS quantity_tokens
  FROM requests
  WHERE
    requests.cache_read_tokens > 0
  UNION ALL
  SELECT
    requests.charge_date,
    requests.x_source,
    requests.x_snapshot_id,
    requests.request_id,
    requests.trace_id,
    requests.provider,
    requests.model,
    requests.service_tier,
    requests.context_min_tokens,
    requests.region_id,
    'cache_write_5m_tokens' AS token_class,
    requests.cache_write_5m_tokens AS quantity_tokens
  FROM requests
  WHERE
    requests.cache_write_5m_tokens > 0
  UNION ALL
  SELECT
    requests.charge_date,
    requests.x_source,
    requests.x_snapshot_id,
    requests.request_id,
    requests.trace_id,
    requests.provider,
    requests.model,
    requests.service_tier,
    requests.context_min_tokens,
    requests.region_id,
    'cache_write_1h_tokens' AS token_class,
    requests.cache_write_1h_tokens AS quantity_tokens
  FROM requests
  WHERE
    requests.cache_write_1h_tokens > 0
  UNION ALL
  SELECT
    requests.charge_date,
    requests.x_source,
    requests.x_snapshot_id,
    requests.request_id,
    requests.trace_id,
    requests.provider,
    requests.model,
    requests.service_tier,
    requests.context_min_tokens,
    requests.region_id,
    'output_tokens' AS token_class,
    requests.output_tokens AS quantity_tokens
  FROM requests
  WHERE
    requests.output_tokens > 0
), named AS (
  SELECT
    by_class.*,
    names.provider AS priced_provider,
    names.model AS priced_model
  FROM by_class
  LEFT JOIN names
    ON by_class.charge_date = names.charge_date
    AND COALESCE(by_class.provider, CHR(  30)) = COALESCE(names.logged_provider, CHR(  30))
    AND COALESCE(by_class.model, CHR(  30)) = COALESCE(names.logged_model, CHR(  30))
)
SELECT
  named.charge_date,
  named.x_source,
  named.x_snapshot_id,
  named.request_id,
  named.trace_id,
  named.token_class,
  named.quantity_tokens,
  named.priced_provider AS provider,
  named.priced_model AS model,
  named.service_tier,
  named.context_min_tokens,
  prices.price_id,
  CAST(CAST(CAST((
    (
      2 * CAST(named.quantity_tokens AS DECIMAL(19, 0)) * CAST(CAST(prices.price_per_mtok AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(18, 0)) + 1000000
    ) - (
      (
        2 * CAST(named.quantity_tokens AS DECIMAL(19, 0)) * CAST(CAST(prices.price_per_mtok AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(18, 0)) + 1000000
      ) % (
        2000000
      )
    )
  ) / (
    2000000
  ) AS DECIMAL(38, 0)) AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS list_cost,
  prices.currency AS list_cost_currency,
  segments.unpriced_reason
FROM named
LEFT JOIN segments
  ON named.charge_date = segments.charge_date
  AND COALESCE(named.priced_provider, CHR(  30)) = COALESCE(segments.provider, CHR(  30))
  AND COALESCE(named.priced_model, CHR(  30)) = COALESCE(segments.model, CHR(  30))
  AND named.token_class = segments.token_class
  AND named.service_tier = segments.service_tier
  AND named.context_min_tokens = segments.context_min_tokens
  AND COALESCE(named.region_id, CHR(  30)) = segments.region_key
LEFT JOIN prices
  ON segments.price_id = prices.price_id
