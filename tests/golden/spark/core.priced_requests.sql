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
    COALESCE(usage_costs.time_of_day_start, CHR(  30)) AS time_key,
    COALESCE(usage_costs.region_id, CHR(  30)) AS region_key,
    MIN(usage_costs.price_id) AS price_id,
    MIN(usage_costs.audio_price_id) AS audio_price_id,
    MIN(usage_costs.image_price_id) AS image_price_id,
    MIN(usage_costs.unpriced_reason) AS unpriced_reason
  FROM core.usage_costs AS usage_costs
  GROUP BY
    usage_costs.charge_date,
    usage_costs.provider,
    usage_costs.model,
    usage_costs.token_class,
    usage_costs.service_tier,
    usage_costs.context_min_tokens,
    COALESCE(usage_costs.time_of_day_start, CHR(  30)),
    COALESCE(usage_costs.region_id, CHR(  30))
), prices AS (
  SELECT
    prices.price_id,
    prices.currency,
    CAST(CAST(prices.price_per_mtok AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(19, 0)) AS price_units
  FROM staging.prices AS prices
), token_classes AS (
  SELECT
    'uncached_input_tokens' AS token_class
  UNION ALL
  SELECT
    'cache_read_tokens' AS token_class
  UNION ALL
  SELECT
    'cache_write_5m_tokens' AS token_class
  UNION ALL
  SELECT
    'cache_write_1h_tokens' AS token_class
  UNION ALL
  SELECT
    'output_tokens' AS token_class
), crossed AS (
  SELECT
    requests.charge_date,
    requests.request_id,
    requests.trace_id,
    requests.provider,
    requests.model,
    requests.service_tier,
    requests.context_min_tokens,
    requests.time_of_day_start,
    requests.region_id,
    token_classes.token_class,
    CASE token_classes.token_class
      WHEN 'uncached_input_tokens'
      THEN requests.uncached_input_tokens
      WHEN 'cache_read_tokens'
      THEN requests.cache_read_tokens
      WHEN 'cache_write_5m_tokens'
      THEN requests.cache_write_5m_tokens
      WHEN 'cache_write_1h_tokens'
      THEN requests.cache_write_1h_tokens
      ELSE requests.output_tokens
    END AS quantity_tokens,
    CASE token_classes.token_class
      WHEN 'uncached_input_tokens'
      THEN COALESCE(requests.uncached_audio_tokens, 0)
      WHEN 'cache_read_tokens'
      THEN COALESCE(requests.cache_read_audio_tokens, 0)
      WHEN 'output_tokens'
      THEN COALESCE(requests.output_audio_tokens, 0)
      ELSE 0
    END AS audio_tokens,
    CASE token_classes.token_class
      WHEN 'uncached_input_tokens'
      THEN COALESCE(requests.uncached_image_tokens, 0)
      WHEN 'cache_read_tokens'
      THEN COALESCE(requests.cache_read_image_tokens, 0)
      WHEN 'output_tokens'
      THEN COALESCE(requests.output_image_tokens, 0)
      ELSE 0
    END AS image_tokens
  FROM requests
  CROSS JOIN token_classes
), by_class AS (
  SELECT
    *
  FROM crossed
  WHERE
    crossed.quantity_tokens > 0
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
  named.request_id,
  named.trace_id,
  named.token_class,
  named.quantity_tokens,
  named.priced_provider AS provider,
  named.priced_model AS model,
  named.service_tier,
  named.context_min_tokens,
  named.time_of_day_start,
  prices.price_id,
  audio_prices.price_id AS audio_price_id,
  image_prices.price_id AS image_price_id,
  CAST(CAST(CAST((
    (
      2 * (
        CAST(named.quantity_tokens - named.audio_tokens - named.image_tokens AS DECIMAL(18, 0)) * prices.price_units + CAST(named.audio_tokens AS DECIMAL(18, 0)) * COALESCE(audio_prices.price_units, prices.price_units) + CAST(named.image_tokens AS DECIMAL(18, 0)) * COALESCE(image_prices.price_units, prices.price_units)
      ) + 1000000
    ) - (
      (
        2 * (
          CAST(named.quantity_tokens - named.audio_tokens - named.image_tokens AS DECIMAL(18, 0)) * prices.price_units + CAST(named.audio_tokens AS DECIMAL(18, 0)) * COALESCE(audio_prices.price_units, prices.price_units) + CAST(named.image_tokens AS DECIMAL(18, 0)) * COALESCE(image_prices.price_units, prices.price_units)
        ) + 1000000
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
  AND COALESCE(named.time_of_day_start, CHR(  30)) = segments.time_key
  AND COALESCE(named.region_id, CHR(  30)) = segments.region_key
LEFT JOIN prices
  ON segments.price_id = prices.price_id
LEFT JOIN prices AS audio_prices
  ON segments.audio_price_id = audio_prices.price_id AND named.audio_tokens > 0
LEFT JOIN prices AS image_prices
  ON segments.image_price_id = image_prices.price_id AND named.image_tokens > 0
