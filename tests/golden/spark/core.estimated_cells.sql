WITH all_usage AS (
  SELECT
    *
  FROM core.usage_costs
  WHERE
    charge_date >= :start AND charge_date < :end
), served AS (
  SELECT
    *
  FROM core.served_usage
  WHERE
    charge_date >= :start AND charge_date < :end
), billed AS (
  SELECT
    *
  FROM core.billed_cells
  WHERE
    charge_date >= :start
    AND charge_date < :end
    AND cost_driver = 'inference'
    AND charge_category = 'Usage'
), coverage AS (
  SELECT
    *
  FROM core.bill_coverage
), rates AS (
  SELECT
    *
  FROM core.bill_rates
), fx_rates AS (
  SELECT
    *
  FROM staging.fx_rates
  WHERE
    to_currency = :reporting_currency
), usage AS (
  SELECT
    all_usage.*
  FROM all_usage
  LEFT JOIN served
    ON all_usage.charge_date = served.charge_date
    AND all_usage.usage_id = served.usage_id
  WHERE
    served.usage_id IS NULL
), pools AS (
  SELECT
    usage.charge_date,
    usage.pool_key,
    usage.provider,
    usage.model,
    usage.token_class,
    usage.service_tier,
    usage.list_cost_currency,
    SUM(CAST(usage.quantity_tokens AS DECIMAL(38, 0))) AS logged_quantity,
    CAST(SUM(usage.list_cost) AS DECIMAL(38, 12)) AS list_cost
  FROM usage
  GROUP BY
    usage.charge_date,
    usage.pool_key,
    usage.provider,
    usage.model,
    usage.token_class,
    usage.service_tier,
    usage.list_cost_currency
), covered_days AS (
  SELECT
    coverage.provider,
    coverage.billing_period_start,
    MAX(coverage.watermark_at) AS watermark_at
  FROM coverage
  GROUP BY
    coverage.provider,
    coverage.billing_period_start
), uncovered AS (
  SELECT
    pools.*
  FROM pools
  LEFT JOIN covered_days
    ON pools.provider = covered_days.provider
    AND CAST(DATE_TRUNC('MONTH', pools.charge_date) AS DATE) = CAST(covered_days.billing_period_start AS DATE)
    AND covered_days.watermark_at >= CAST(pools.charge_date AS TIMESTAMP_NTZ) + INTERVAL '1' DAY
  WHERE
    covered_days.provider IS NULL
), fx_candidates AS (
  SELECT
    uncovered.charge_date,
    uncovered.list_cost_currency,
    fx_rates.rate,
    fx_rates.rate_date,
    ROW_NUMBER() OVER (
      PARTITION BY uncovered.charge_date, uncovered.list_cost_currency
      ORDER BY fx_rates.rate_date DESC
    ) AS rate_rank
  FROM (
    SELECT
      charge_date,
      list_cost_currency
    FROM uncovered
    GROUP BY
      charge_date,
      list_cost_currency
  ) AS uncovered
  INNER JOIN fx_rates
    ON uncovered.list_cost_currency = fx_rates.from_currency
    AND uncovered.charge_date >= fx_rates.rate_date
), billed_pools AS (
  SELECT
    billed.charge_date,
    billed.pool_key
  FROM billed
  WHERE
    NOT billed.pool_key IS NULL
  GROUP BY
    billed.charge_date,
    billed.pool_key
), billed_days AS (
  SELECT
    billed.charge_date,
    billed.provider,
    CAST(CAST(CAST(SUM(billed.effective_cost_reporting) AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS DECIMAL(38, 0)) AS billed_units
  FROM billed
  GROUP BY
    billed.charge_date,
    billed.provider
), priced AS (
  SELECT
    uncovered.*,
    NOT billed_pools.pool_key IS NULL AS is_pool_billed,
    MD5(
      'estimated' || CHR(  31) || uncovered.pool_key || CHR(  31) || COALESCE(uncovered.list_cost_currency, CHR(  30))
    ) AS cell_key,
    CASE
      WHEN uncovered.list_cost_currency <> :reporting_currency
      THEN fx_candidates.rate_date
    END AS fx_date,
    CAST(CAST(CASE
      WHEN uncovered.list_cost_currency = :reporting_currency
      THEN 1
      ELSE fx_candidates.rate
    END AS DECIMAL(27, 9)) * CAST(1000000000 AS DECIMAL(10, 0)) AS DECIMAL(15, 0)) AS rate_units,
    COALESCE(rates.effective_per_list_ppm, 1000000) AS effective_ppm,
    CAST(CAST(uncovered.list_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS full_list_units
  FROM uncovered
  LEFT JOIN fx_candidates
    ON uncovered.charge_date = fx_candidates.charge_date
    AND uncovered.list_cost_currency = fx_candidates.list_cost_currency
    AND fx_candidates.rate_rank = 1
  LEFT JOIN billed_pools
    ON uncovered.charge_date = billed_pools.charge_date
    AND uncovered.pool_key = billed_pools.pool_key
  LEFT JOIN rates
    ON CAST(DATE_TRUNC('MONTH', uncovered.charge_date) AS DATE) = CAST(rates.billing_period_start AS DATE)
    AND uncovered.provider = rates.provider
    AND uncovered.model = rates.model
    AND uncovered.token_class = rates.token_class
), expected AS (
  SELECT
    priced.*,
    CAST(CAST((
      (
        priced.full_list_units * CAST(priced.effective_ppm AS DECIMAL(15, 0))
      ) - (
        (
          priced.full_list_units * CAST(priced.effective_ppm AS DECIMAL(15, 0))
        ) % (
          1000000
        )
      )
    ) / (
      1000000
    ) AS DECIMAL(38, 0)) AS DECIMAL(22, 0)) AS full_effective_units,
    CAST(CAST((
      (
        2 * IDIV(priced.full_list_units * CAST(priced.effective_ppm AS DECIMAL(15, 0)), 1000000) * priced.rate_units + 1000000000
      ) - (
        (
          2 * IDIV(priced.full_list_units * CAST(priced.effective_ppm AS DECIMAL(15, 0)), 1000000) * priced.rate_units + 1000000000
        ) % (
          2000000000
        )
      )
    ) / (
      2000000000
    ) AS DECIMAL(38, 0)) AS DECIMAL(22, 0)) AS full_reporting_units
  FROM priced
), days AS (
  SELECT
    expected.charge_date,
    expected.provider,
    CAST(SUM(CAST(expected.full_reporting_units AS DECIMAL(38, 0))) AS DECIMAL(22, 0)) AS expected_units
  FROM expected
  GROUP BY
    expected.charge_date,
    expected.provider
), open_days AS (
  SELECT
    days.charge_date,
    days.provider,
    CASE
      WHEN COALESCE(billed_days.billed_units, 0) <= 0
      THEN 1000000
      WHEN COALESCE(days.expected_units, 0) <= 0
      OR billed_days.billed_units >= days.expected_units
      THEN 0
      ELSE CAST(CAST((
        (
          CAST(days.expected_units - billed_days.billed_units AS DECIMAL(22, 0)) * CAST(1000000 AS DECIMAL(7, 0))
        ) - (
          (
            CAST(days.expected_units - billed_days.billed_units AS DECIMAL(22, 0)) * CAST(1000000 AS DECIMAL(7, 0))
          ) % (
            days.expected_units
          )
        )
      ) / (
        days.expected_units
      ) AS DECIMAL(38, 0)) AS BIGINT)
    END AS open_ppm
  FROM days
  LEFT JOIN billed_days
    ON days.charge_date = billed_days.charge_date
    AND days.provider = billed_days.provider
), shared AS (
  SELECT
    expected.*,
    CAST((
      (
        expected.full_list_units * CAST(open_days.open_ppm AS DECIMAL(15, 0))
      ) - (
        (
          expected.full_list_units * CAST(open_days.open_ppm AS DECIMAL(15, 0))
        ) % (
          1000000
        )
      )
    ) / (
      1000000
    ) AS DECIMAL(38, 0)) AS list_units,
    CAST((
      (
        expected.full_effective_units * CAST(open_days.open_ppm AS DECIMAL(15, 0))
      ) - (
        (
          expected.full_effective_units * CAST(open_days.open_ppm AS DECIMAL(15, 0))
        ) % (
          1000000
        )
      )
    ) / (
      1000000
    ) AS DECIMAL(38, 0)) AS effective_units,
    CAST((
      (
        2 * IDIV(expected.full_list_units * CAST(open_days.open_ppm AS DECIMAL(15, 0)), 1000000) * expected.rate_units + 1000000000
      ) - (
        (
          2 * IDIV(expected.full_list_units * CAST(open_days.open_ppm AS DECIMAL(15, 0)), 1000000) * expected.rate_units + 1000000000
        ) % (
          2000000000
        )
      )
    ) / (
      2000000000
    ) AS DECIMAL(38, 0)) AS list_reporting_units,
    CAST((
      (
        2 * IDIV(
          expected.full_effective_units * CAST(open_days.open_ppm AS DECIMAL(15, 0)),
          1000000
        ) * expected.rate_units + 1000000000
      ) - (
        (
          2 * IDIV(
            expected.full_effective_units * CAST(open_days.open_ppm AS DECIMAL(15, 0)),
            1000000
          ) * expected.rate_units + 1000000000
        ) % (
          2000000000
        )
      )
    ) / (
      2000000000
    ) AS DECIMAL(38, 0)) AS effective_reporting_units
  FROM expected
  INNER JOIN open_days
    ON expected.charge_date = open_days.charge_date
    AND expected.provider = open_days.provider
  WHERE
    NOT expected.is_pool_billed
    OR (
      open_days.open_ppm > 0 AND expected.full_list_units > 0
    )
)
SELECT
  shared.charge_date,
  MD5(shared.cell_key || CHR(  31) || CAST(shared.charge_date AS STRING)) AS cell_id,
  shared.cell_key,
  CAST(NULL AS STRING) AS bill_of_record,
  shared.provider,
  CAST(NULL AS STRING) AS billing_account_id,
  CAST(NULL AS STRING) AS sub_account_id,
  COALESCE(shared.list_cost_currency, :reporting_currency) AS billing_currency,
  'Usage' AS charge_category,
  'inference' AS cost_driver,
  CAST(NULL AS STRING) AS traffic_kind,
  CAST(NULL AS STRING) AS service_name,
  CAST(NULL AS STRING) AS sku_id,
  CAST(NULL AS STRING) AS sku_meter,
  shared.model,
  shared.token_class,
  shared.service_tier,
  CAST(NULL AS STRING) AS region_id,
  CAST(NULL AS STRING) AS resource_id,
  CAST(NULL AS STRING) AS from_zone,
  CAST(NULL AS STRING) AS to_zone,
  CAST(NULL AS STRING) AS commitment_discount_status,
  shared.fx_date,
  CAST(NULL AS DECIMAL(38, 12)) AS billed_quantity,
  CASE
    WHEN shared.is_pool_billed
    THEN CAST(0 AS DECIMAL(38, 12))
    ELSE CAST(shared.logged_quantity AS DECIMAL(38, 12))
  END AS logged_quantity,
  CAST(NULL AS DECIMAL(18, 12)) AS coverage_share,
  FALSE AS is_over_logged,
  NOT shared.is_pool_billed AS is_pool_first,
  CAST(0 AS DECIMAL(38, 12)) AS missing_quantity,
  shared.pool_key,
  'list_price' AS method_id,
  'priced' AS evidence,
  CASE WHEN shared.list_cost IS NULL THEN 'unpriced' END AS residual_reason,
  CAST(NULL AS STRING) AS direct_owner_id,
  CAST(NULL AS STRING) AS user_id,
  CAST(NULL AS STRING) AS tenant,
  CAST(NULL AS STRING) AS customer,
  CAST(NULL AS STRING) AS team,
  CAST(NULL AS STRING) AS feature,
  CAST(NULL AS STRING) AS endpoint,
  CAST(NULL AS STRING) AS workflow,
  CAST(NULL AS STRING) AS environment,
  CAST(NULL AS DECIMAL(38, 12)) AS billed_cost,
  CAST(CAST(shared.effective_units AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS effective_cost,
  CAST(CAST(shared.list_units AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS list_cost,
  CAST(NULL AS DECIMAL(38, 12)) AS billed_cost_reporting,
  CAST(CAST(shared.effective_reporting_units AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS effective_cost_reporting,
  CAST(CAST(shared.list_reporting_units AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS list_cost_reporting,
  'estimated' AS cost_state
FROM shared
