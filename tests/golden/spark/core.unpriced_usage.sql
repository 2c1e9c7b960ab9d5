WITH usage AS (
  SELECT
    costs.charge_date,
    costs.usage_id,
    costs.token_class,
    costs.provider,
    COALESCE(costs.model, logged.model) AS model,
    costs.unpriced_reason,
    costs.requests,
    costs.quantity_tokens
  FROM core.usage_costs AS costs
  LEFT JOIN core.request_usage AS logged
    ON costs.charge_date = logged.charge_date AND costs.usage_id = logged.usage_id
  WHERE
    costs.charge_date >= :start
    AND costs.charge_date < :end
    AND NOT costs.unpriced_reason IS NULL
), asked AS (
  SELECT
    usage.charge_date,
    usage.provider,
    usage.token_class
  FROM usage
  WHERE
    usage.quantity_tokens > 0
  GROUP BY
    usage.charge_date,
    usage.provider,
    usage.token_class
), days AS (
  SELECT
    asked.charge_date,
    asked.token_class
  FROM asked
  GROUP BY
    asked.charge_date,
    asked.token_class
), prices AS (
  SELECT
    *
  FROM core.dated_prices
  WHERE
    price_rank > 2
    AND service_tier = 'standard'
    AND context_min_tokens = 0
    AND region_id IS NULL
    AND currency = 'USD'
    AND price_per_mtok > 0
    AND COALESCE(time_of_day_start, '00:00') = '00:00'
), listed AS (
  SELECT
    days.charge_date,
    days.token_class,
    prices.provider,
    prices.model,
    MAX(prices.price_per_mtok) AS price_per_mtok
  FROM days
  INNER JOIN prices
    ON days.token_class = prices.token_class
    AND (
      prices.applies_from IS NULL
      OR CAST(days.charge_date AS TIMESTAMP_NTZ) >= prices.applies_from
    )
    AND (
      prices.applies_to IS NULL
      OR CAST(days.charge_date AS TIMESTAMP_NTZ) < prices.applies_to
    )
    AND (
      prices.valid_from IS NULL
      OR CAST(days.charge_date AS TIMESTAMP_NTZ) >= prices.valid_from
    )
    AND (
      prices.valid_to IS NULL
      OR CAST(days.charge_date AS TIMESTAMP_NTZ) < prices.valid_to
    )
  GROUP BY
    days.charge_date,
    days.token_class,
    prices.provider,
    prices.model
), ordered AS (
  SELECT
    listed.charge_date,
    listed.token_class,
    listed.provider,
    listed.price_per_mtok,
    ROW_NUMBER() OVER (
      PARTITION BY listed.charge_date, listed.token_class, listed.provider
      ORDER BY listed.price_per_mtok NULLS LAST, listed.model NULLS LAST
    ) AS provider_rank,
    COUNT(*) OVER (PARTITION BY listed.charge_date, listed.token_class, listed.provider) AS provider_models,
    ROW_NUMBER() OVER (
      PARTITION BY listed.charge_date, listed.token_class
      ORDER BY listed.price_per_mtok NULLS LAST, listed.provider NULLS LAST, listed.model NULLS LAST
    ) AS any_rank,
    COUNT(*) OVER (PARTITION BY listed.charge_date, listed.token_class) AS any_models
  FROM listed
), provider_medians AS (
  SELECT
    ordered.charge_date,
    ordered.token_class,
    ordered.provider,
    ordered.price_per_mtok
  FROM ordered
  WHERE
    ordered.provider_rank = CAST((
      (
        ordered.provider_models + 1
      ) - (
        (
          ordered.provider_models + 1
        ) % (
          2
        )
      )
    ) / (
      2
    ) AS DECIMAL(38, 0))
), any_medians AS (
  SELECT
    ordered.charge_date,
    ordered.token_class,
    ordered.price_per_mtok
  FROM ordered
  WHERE
    ordered.any_rank = CAST((
      (
        ordered.any_models + 1
      ) - (
        (
          ordered.any_models + 1
        ) % (
          2
        )
      )
    ) / (
      2
    ) AS DECIMAL(38, 0))
), likely AS (
  SELECT
    usage.*,
    COALESCE(provider_medians.price_per_mtok, any_medians.price_per_mtok) AS likely_price_per_mtok,
    CASE
      WHEN NOT provider_medians.price_per_mtok IS NULL
      THEN 'median_of_provider'
      WHEN NOT any_medians.price_per_mtok IS NULL
      THEN 'median_of_all'
    END AS likely_price_basis
  FROM usage
  LEFT JOIN provider_medians
    ON usage.charge_date = provider_medians.charge_date
    AND usage.token_class = provider_medians.token_class
    AND usage.provider = provider_medians.provider
  LEFT JOIN any_medians
    ON usage.charge_date = any_medians.charge_date
    AND usage.token_class = any_medians.token_class
)
SELECT
  likely.charge_date,
  likely.usage_id,
  likely.token_class,
  likely.provider,
  likely.model,
  likely.unpriced_reason,
  likely.requests,
  likely.quantity_tokens,
  likely.likely_price_per_mtok,
  likely.likely_price_basis,
  CAST(CAST(CAST((
    (
      2 * CAST(likely.quantity_tokens AS DECIMAL(19, 0)) * CAST(CAST(likely.likely_price_per_mtok AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(18, 0)) + 1000000
    ) - (
      (
        2 * CAST(likely.quantity_tokens AS DECIMAL(19, 0)) * CAST(CAST(likely.likely_price_per_mtok AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(18, 0)) + 1000000
      ) % (
        2000000
      )
    )
  ) / (
    2000000
  ) AS DECIMAL(38, 0)) AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS likely_cost,
  CASE WHEN NOT likely.likely_price_per_mtok IS NULL THEN 'USD' END AS likely_cost_currency
FROM likely
