WITH usage AS (
  SELECT
    *
  FROM core.request_usage
  WHERE
    charge_date >= :start AND charge_date < :end
), names AS (
  SELECT
    *
  FROM core.model_names
), prices AS (
  SELECT
    *
  FROM staging.prices
), named AS (
  SELECT
    usage.*,
    names.provider AS priced_provider,
    names.model AS priced_model,
    CASE
      WHEN usage.model IS NULL
      THEN 'no_model'
      WHEN names.matched_by = 'unmatched'
      THEN 'unknown_model'
    END AS name_problem,
    CASE
      WHEN usage.output_tokens > 0
      THEN 'output_tokens'
      WHEN usage.uncached_input_tokens > 0
      THEN 'uncached_input_tokens'
      WHEN usage.cache_read_tokens > 0
      THEN 'cache_read_tokens'
      WHEN usage.cache_write_5m_tokens > 0
      THEN 'cache_write_5m_tokens'
      WHEN usage.cache_write_1h_tokens > 0
      THEN 'cache_write_1h_tokens'
      ELSE 'output_tokens'
    END AS requests_class
  FROM usage
  LEFT JOIN names
    ON usage.charge_date = names.charge_date
    AND COALESCE(usage.provider, CHR(  30)) = COALESCE(names.logged_provider, CHR(  30))
    AND COALESCE(usage.model, CHR(  30)) = COALESCE(names.logged_model, CHR(  30))
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
    named.usage_id,
    named.charge_date,
    named.owner_id,
    named.priced_provider AS provider,
    named.priced_model AS model,
    token_classes.token_class,
    named.service_tier,
    named.context_min_tokens,
    named.region_id,
    named.from_zone,
    named.to_zone,
    named.name_problem AS unpriced_reason,
    CASE token_classes.token_class
      WHEN 'uncached_input_tokens'
      THEN named.uncached_input_tokens
      WHEN 'cache_read_tokens'
      THEN named.cache_read_tokens
      WHEN 'cache_write_5m_tokens'
      THEN named.cache_write_5m_tokens
      WHEN 'cache_write_1h_tokens'
      THEN named.cache_write_1h_tokens
      ELSE named.output_tokens
    END AS quantity_tokens,
    CASE
      WHEN token_classes.token_class = named.requests_class
      THEN named.requests
      ELSE 0
    END AS requests,
    token_classes.token_class = named.requests_class AS is_requests_class
  FROM named
  CROSS JOIN token_classes
), by_class AS (
  SELECT
    *
  FROM crossed
  WHERE
    crossed.quantity_tokens > 0 OR crossed.is_requests_class
), segments AS (
  SELECT
    named.charge_date,
    named.priced_provider AS provider,
    named.priced_model AS model,
    named.service_tier,
    named.context_min_tokens,
    named.region_id
  FROM named
  WHERE
    NOT named.priced_model IS NULL
  GROUP BY
    named.charge_date,
    named.priced_provider,
    named.priced_model,
    named.service_tier,
    named.context_min_tokens,
    named.region_id
), price_candidates AS (
  SELECT
    segments.*,
    prices.token_class,
    prices.price_id,
    prices.price_per_mtok,
    prices.currency,
    ROW_NUMBER() OVER (
      PARTITION BY segments.charge_date, segments.provider, segments.model, prices.token_class, segments.service_tier, segments.context_min_tokens, segments.region_id
      ORDER BY CASE WHEN prices.is_override THEN 0 ELSE 1 END NULLS LAST, CASE
        WHEN prices.is_wrong_from_start
        THEN 0
        WHEN CAST(prices.published_at AS DATE) <= segments.charge_date
        THEN 1
        ELSE 2
      END NULLS LAST, CASE
        WHEN CAST(prices.published_at AS DATE) <= segments.charge_date
        THEN DATEDIFF(DAY, CAST(prices.published_at AS DATE), segments.charge_date)
        ELSE DATEDIFF(DAY, segments.charge_date, CAST(prices.published_at AS DATE))
      END NULLS LAST, prices.context_min_tokens DESC, CASE WHEN prices.region_id IS NULL THEN 1 ELSE 0 END NULLS LAST, COALESCE(DATEDIFF(DAY, CAST(prices.valid_from AS DATE), segments.charge_date), 100000) NULLS LAST, prices.price_id ASC NULLS LAST
    ) AS candidate_rank
  FROM segments
  INNER JOIN prices
    ON segments.provider = prices.provider
    AND segments.model = prices.model
    AND segments.service_tier = prices.service_tier
    AND segments.context_min_tokens >= prices.context_min_tokens
    AND (
      prices.region_id IS NULL OR segments.region_id = prices.region_id
    )
    AND prices.time_of_day_start IS NULL
    AND (
      NOT prices.is_override
      OR prices.is_wrong_from_start
      OR CAST(prices.published_at AS DATE) <= segments.charge_date
    )
    AND (
      prices.valid_from IS NULL
      OR CAST(prices.valid_from AS DATE) <= segments.charge_date
    )
    AND (
      prices.valid_to IS NULL OR CAST(prices.valid_to AS DATE) > segments.charge_date
    )
), chosen AS (
  SELECT
    price_candidates.*,
    CAST(CAST(price_candidates.price_per_mtok AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(18, 0)) AS price_units
  FROM price_candidates
  WHERE
    price_candidates.candidate_rank = 1
)
SELECT
  by_class.charge_date,
  by_class.usage_id,
  by_class.token_class,
  by_class.owner_id,
  by_class.provider,
  by_class.model,
  by_class.service_tier,
  by_class.context_min_tokens,
  by_class.region_id,
  by_class.from_zone,
  by_class.to_zone,
  'usage' || CHR(  31) || COALESCE(by_class.provider, CHR(  30)) || CHR(  31) || COALESCE(by_class.model, CHR(  30)) || CHR(  31) || by_class.token_class || CHR(  31) || by_class.service_tier AS pool_key,
  CAST(by_class.quantity_tokens AS BIGINT) AS quantity_tokens,
  CAST(by_class.requests AS BIGINT) AS requests,
  chosen.price_id,
  CAST(CAST(CAST((
    (
      2 * CAST(by_class.quantity_tokens AS DECIMAL(19, 0)) * chosen.price_units + 1000000
    ) - (
      (
        2 * CAST(by_class.quantity_tokens AS DECIMAL(19, 0)) * chosen.price_units + 1000000
      ) % (
        2000000
      )
    )
  ) / (
    2000000
  ) AS DECIMAL(38, 0)) AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS list_cost,
  chosen.currency AS list_cost_currency,
  CASE
    WHEN NOT by_class.unpriced_reason IS NULL
    THEN by_class.unpriced_reason
    WHEN chosen.price_id IS NULL
    THEN 'no_price'
  END AS unpriced_reason
FROM by_class
LEFT JOIN chosen
  ON by_class.charge_date = chosen.charge_date
  AND by_class.provider = chosen.provider
  AND by_class.model = chosen.model
  AND by_class.token_class = chosen.token_class
  AND by_class.service_tier = chosen.service_tier
  AND by_class.context_min_tokens = chosen.context_min_tokens
  AND COALESCE(by_class.region_id, CHR(  30)) = COALESCE(chosen.region_id, CHR(  30))
