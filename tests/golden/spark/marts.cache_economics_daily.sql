WITH usage_costs AS (
  SELECT
    *
  FROM core.usage_costs
  WHERE
    charge_date >= :start AND charge_date < :end
), usage AS (
  SELECT
    *
  FROM core.request_usage
  WHERE
    charge_date >= :start AND charge_date < :end
), cold AS (
  SELECT
    *
  FROM core.cold_usage
  WHERE
    charge_date >= :start AND charge_date < :end
), owners AS (
  SELECT
    usage.charge_date,
    usage.owner_id,
    MAX(usage.feature) AS feature
  FROM usage
  GROUP BY
    usage.charge_date,
    usage.owner_id
), prices AS (
  SELECT
    dated_prices.price_id,
    CAST(CAST(dated_prices.price_per_mtok AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(19, 0)) AS price_units
  FROM core.dated_prices AS dated_prices
), input_prices AS (
  SELECT
    usage_costs.charge_date,
    COALESCE(usage_costs.provider, CHR(  30)) AS provider_key,
    COALESCE(usage_costs.model, CHR(  30)) AS model_key,
    usage_costs.service_tier,
    usage_costs.context_min_tokens,
    COALESCE(usage_costs.time_of_day_start, CHR(  30)) AS time_key,
    COALESCE(usage_costs.region_id, CHR(  30)) AS region_key,
    MIN(usage_costs.price_id) AS price_id
  FROM usage_costs
  WHERE
    usage_costs.token_class = 'uncached_input_tokens'
  GROUP BY
    usage_costs.charge_date,
    COALESCE(usage_costs.provider, CHR(  30)),
    COALESCE(usage_costs.model, CHR(  30)),
    usage_costs.service_tier,
    usage_costs.context_min_tokens,
    COALESCE(usage_costs.time_of_day_start, CHR(  30)),
    COALESCE(usage_costs.region_id, CHR(  30))
), compared AS (
  SELECT
    usage_costs.charge_date,
    usage_costs.provider,
    usage_costs.model,
    owners.feature,
    usage_costs.token_class,
    usage_costs.requests,
    usage_costs.quantity_tokens,
    usage_costs.list_cost_currency,
    CAST(CAST(usage_costs.list_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS list_units,
    CAST((
      (
        CAST(usage_costs.quantity_tokens AS DECIMAL(18, 0)) * prices.price_units
      ) - (
        (
          CAST(usage_costs.quantity_tokens AS DECIMAL(18, 0)) * prices.price_units
        ) % (
          CAST(1000000 AS DECIMAL(7, 0))
        )
      )
    ) / (
      CAST(1000000 AS DECIMAL(7, 0))
    ) AS DECIMAL(38, 0)) AS input_units
  FROM usage_costs
  LEFT JOIN owners
    ON usage_costs.charge_date = owners.charge_date
    AND usage_costs.owner_id = owners.owner_id
  LEFT JOIN input_prices
    ON usage_costs.charge_date = input_prices.charge_date
    AND COALESCE(usage_costs.provider, CHR(  30)) = input_prices.provider_key
    AND COALESCE(usage_costs.model, CHR(  30)) = input_prices.model_key
    AND usage_costs.service_tier = input_prices.service_tier
    AND usage_costs.context_min_tokens = input_prices.context_min_tokens
    AND COALESCE(usage_costs.time_of_day_start, CHR(  30)) = input_prices.time_key
    AND COALESCE(usage_costs.region_id, CHR(  30)) = input_prices.region_key
  LEFT JOIN prices
    ON input_prices.price_id = prices.price_id
), differences AS (
  SELECT
    compared.*,
    CASE
      WHEN compared.token_class = 'cache_read_tokens'
      THEN compared.input_units - compared.list_units
    END AS saving_units,
    CASE
      WHEN compared.token_class IN ('cache_write_5m_tokens', 'cache_write_1h_tokens')
      THEN compared.list_units - compared.input_units
    END AS premium_units
  FROM compared
), days AS (
  SELECT
    differences.charge_date,
    differences.provider,
    differences.model,
    differences.feature,
    SUM(differences.requests) AS requests,
    SUM(
      CASE
        WHEN differences.token_class = 'uncached_input_tokens'
        THEN differences.quantity_tokens
        ELSE 0
      END
    ) AS uncached_input_tokens,
    SUM(
      CASE
        WHEN differences.token_class = 'cache_read_tokens'
        THEN differences.quantity_tokens
        ELSE 0
      END
    ) AS cache_read_tokens,
    SUM(
      CASE
        WHEN differences.token_class = 'cache_write_5m_tokens'
        THEN differences.quantity_tokens
        ELSE 0
      END
    ) AS cache_write_5m_tokens,
    SUM(
      CASE
        WHEN differences.token_class = 'cache_write_1h_tokens'
        THEN differences.quantity_tokens
        ELSE 0
      END
    ) AS cache_write_1h_tokens,
    SUM(
      CASE
        WHEN NOT differences.saving_units IS NULL
        THEN differences.quantity_tokens
        ELSE 0
      END
    ) AS priced_read_tokens,
    SUM(
      CASE
        WHEN NOT differences.premium_units IS NULL
        THEN differences.quantity_tokens
        ELSE 0
      END
    ) AS priced_write_tokens,
    SUM(differences.saving_units) AS saving_units,
    SUM(differences.premium_units) AS premium_units,
    CASE
      WHEN MIN(differences.list_cost_currency) = MAX(differences.list_cost_currency)
      THEN MIN(differences.list_cost_currency)
    END AS list_cost_currency
  FROM differences
  GROUP BY
    differences.charge_date,
    differences.provider,
    differences.model,
    differences.feature
), measured AS (
  SELECT
    days.*,
    days.uncached_input_tokens + days.cache_read_tokens + days.cache_write_5m_tokens + days.cache_write_1h_tokens AS input_tokens,
    CAST(CASE
      WHEN NOT days.list_cost_currency IS NULL
      THEN COALESCE(days.saving_units, 0)
    END AS DECIMAL(22, 0)) AS cache_saving_units,
    CAST(CASE
      WHEN NOT days.list_cost_currency IS NULL
      THEN COALESCE(days.premium_units, 0)
    END AS DECIMAL(22, 0)) AS write_premium_units,
    cold.cold_events,
    cold.cold_requests,
    CASE
      WHEN cold.warm_input_tokens > 0
      THEN CAST(CAST((
        (
          CAST(cold.cold_input_tokens AS DECIMAL(18, 0)) * CAST(cold.warm_cache_read_tokens AS DECIMAL(18, 0))
        ) - (
          (
            CAST(cold.cold_input_tokens AS DECIMAL(18, 0)) * CAST(cold.warm_cache_read_tokens AS DECIMAL(18, 0))
          ) % (
            cold.warm_input_tokens
          )
        )
      ) / (
        cold.warm_input_tokens
      ) AS DECIMAL(38, 0)) - cold.cold_cache_read_tokens AS DECIMAL(15, 0))
    END AS unread_tokens,
    CASE
      WHEN cold.warm_input_tokens > 0
      THEN CAST(cold.cold_cache_write_tokens - CAST((
        (
          CAST(cold.cold_input_tokens AS DECIMAL(18, 0)) * CAST(cold.warm_cache_write_tokens AS DECIMAL(18, 0))
        ) - (
          (
            CAST(cold.cold_input_tokens AS DECIMAL(18, 0)) * CAST(cold.warm_cache_write_tokens AS DECIMAL(18, 0))
          ) % (
            cold.warm_input_tokens
          )
        )
      ) / (
        cold.warm_input_tokens
      ) AS DECIMAL(38, 0)) AS DECIMAL(15, 0))
    END AS rewritten_tokens
  FROM days
  LEFT JOIN cold
    ON days.charge_date = cold.charge_date
    AND COALESCE(days.provider, CHR(  30)) = COALESCE(cold.provider, CHR(  30))
    AND COALESCE(days.model, CHR(  30)) = COALESCE(cold.model, CHR(  30))
    AND COALESCE(days.feature, CHR(  30)) = COALESCE(cold.feature, CHR(  30))
), valued AS (
  SELECT
    measured.*,
    CASE
      WHEN measured.cold_events IS NULL
      THEN 0
      WHEN NOT measured.list_cost_currency IS NULL AND NOT measured.unread_tokens IS NULL
      THEN CASE
        WHEN measured.priced_read_tokens > 0
        THEN CAST((
          (
            measured.cache_saving_units * measured.unread_tokens
          ) - (
            (
              measured.cache_saving_units * measured.unread_tokens
            ) % (
              measured.priced_read_tokens
            )
          )
        ) / (
          measured.priced_read_tokens
        ) AS DECIMAL(38, 0))
        ELSE 0
      END + CASE
        WHEN measured.priced_write_tokens > 0
        THEN CAST((
          (
            measured.write_premium_units * measured.rewritten_tokens
          ) - (
            (
              measured.write_premium_units * measured.rewritten_tokens
            ) % (
              measured.priced_write_tokens
            )
          )
        ) / (
          measured.priced_write_tokens
        ) AS DECIMAL(38, 0))
        ELSE 0
      END
    END AS cold_units
  FROM measured
)
SELECT
  valued.charge_date,
  valued.provider,
  valued.model,
  valued.feature,
  CAST(valued.requests AS BIGINT) AS requests,
  CAST(valued.uncached_input_tokens AS BIGINT) AS uncached_input_tokens,
  CAST(valued.cache_read_tokens AS BIGINT) AS cache_read_tokens,
  CAST(valued.cache_write_5m_tokens AS BIGINT) AS cache_write_5m_tokens,
  CAST(valued.cache_write_1h_tokens AS BIGINT) AS cache_write_1h_tokens,
  CASE
    WHEN valued.input_tokens > 0
    THEN CAST(CAST(CAST((
      (
        CAST(valued.cache_read_tokens AS DECIMAL(19, 0)) * CAST(1000000000000 AS DECIMAL(13, 0))
      ) - (
        (
          CAST(valued.cache_read_tokens AS DECIMAL(19, 0)) * CAST(1000000000000 AS DECIMAL(13, 0))
        ) % (
          valued.input_tokens
        )
      )
    ) / (
      valued.input_tokens
    ) AS DECIMAL(38, 0)) AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(18, 12))
  END AS cache_read_share,
  CAST(valued.cache_read_tokens + valued.cache_write_5m_tokens + valued.cache_write_1h_tokens - valued.priced_read_tokens - valued.priced_write_tokens AS BIGINT) AS unpriced_cache_tokens,
  CAST(CAST(valued.cache_saving_units AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS cache_saving_cost,
  CAST(CAST(valued.write_premium_units AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS write_premium_cost,
  CAST(CAST(valued.cache_saving_units - valued.write_premium_units AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS net_saving_cost,
  CAST(COALESCE(valued.cold_events, 0) AS BIGINT) AS cold_events,
  CAST(COALESCE(valued.cold_requests, 0) AS BIGINT) AS cold_requests,
  CAST(CAST(valued.cold_units AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS cold_cost,
  valued.list_cost_currency
FROM valued
