WITH coverage AS (
  SELECT
    *
  FROM core.bill_coverage
  WHERE
    billing_period_start >= CAST(:start AS TIMESTAMP_NTZ)
    AND billing_period_start < CAST(:end AS TIMESTAMP_NTZ)
), cells AS (
  SELECT
    *
  FROM core.billed_cells
  WHERE
    charge_date >= :start - INTERVAL '7' DAY AND charge_date < :end
), rates AS (
  SELECT
    *
  FROM core.bill_rates
), watermarks AS (
  SELECT
    CAST(DATE_TRUNC('MONTH', coverage.billing_period_start) AS DATE) AS month_date,
    coverage.bill_of_record,
    coverage.provider,
    MAX(coverage.watermark_at) AS watermark_at
  FROM coverage
  GROUP BY
    CAST(DATE_TRUNC('MONTH', coverage.billing_period_start) AS DATE),
    coverage.bill_of_record,
    coverage.provider
), settled AS (
  SELECT
    watermarks.month_date,
    cells.*
  FROM cells
  INNER JOIN watermarks
    ON cells.bill_of_record = watermarks.bill_of_record
    AND cells.provider = watermarks.provider
    AND cells.charge_date >= watermarks.month_date - INTERVAL '7' DAY
    AND cells.charge_date < watermarks.month_date + INTERVAL '1' MONTH
    AND watermarks.watermark_at >= CAST(cells.charge_date AS TIMESTAMP_NTZ) + INTERVAL '1' DAY
), known_days AS (
  SELECT
    settled.month_date,
    settled.bill_of_record,
    settled.provider,
    settled.charge_date,
    ROW_NUMBER() OVER (
      PARTITION BY settled.month_date, settled.bill_of_record, settled.provider
      ORDER BY settled.charge_date DESC
    ) AS day_rank,
    MAX(MAX(settled.charge_date)) OVER (PARTITION BY settled.month_date, settled.bill_of_record, settled.provider) AS last_date
  FROM settled
  GROUP BY
    settled.month_date,
    settled.bill_of_record,
    settled.provider,
    settled.charge_date
), last_days AS (
  SELECT
    known_days.*,
    COUNT(*) OVER (
      PARTITION BY known_days.month_date, known_days.bill_of_record, known_days.provider
    ) AS days_count
  FROM known_days
  WHERE
    known_days.day_rank <= 7
    AND known_days.last_date >= known_days.month_date
    AND known_days.charge_date > known_days.last_date - INTERVAL '7' DAY
), measured_pools AS (
  SELECT
    watermarks.month_date,
    rates.bill_of_record,
    rates.provider,
    rates.cost_driver,
    rates.rate_key AS pool_key
  FROM rates
  INNER JOIN watermarks
    ON rates.bill_of_record = watermarks.bill_of_record
    AND rates.provider = watermarks.provider
    AND rates.billing_period_start <= CAST(watermarks.month_date AS TIMESTAMP_NTZ)
    AND rates.billing_period_start >= CAST(watermarks.month_date AS TIMESTAMP_NTZ) - INTERVAL '2' MONTH
  WHERE
    rates.rate_level = 'pool'
  GROUP BY
    watermarks.month_date,
    rates.bill_of_record,
    rates.provider,
    rates.cost_driver,
    rates.rate_key
), measured_models AS (
  SELECT
    watermarks.month_date,
    rates.bill_of_record,
    rates.provider,
    rates.model,
    rates.token_class
  FROM rates
  INNER JOIN watermarks
    ON rates.bill_of_record = watermarks.bill_of_record
    AND rates.provider = watermarks.provider
    AND rates.billing_period_start <= CAST(watermarks.month_date AS TIMESTAMP_NTZ)
    AND rates.billing_period_start >= CAST(watermarks.month_date AS TIMESTAMP_NTZ) - INTERVAL '2' MONTH
  WHERE
    rates.rate_level IN ('class', 'mixed')
  GROUP BY
    watermarks.month_date,
    rates.bill_of_record,
    rates.provider,
    rates.model,
    rates.token_class
), unmeasured AS (
  SELECT
    settled.*,
    last_days.days_count
  FROM settled
  INNER JOIN last_days
    ON settled.month_date = last_days.month_date
    AND settled.bill_of_record = last_days.bill_of_record
    AND settled.provider = last_days.provider
    AND settled.charge_date = last_days.charge_date
  LEFT JOIN measured_pools
    ON settled.month_date = measured_pools.month_date
    AND settled.bill_of_record = measured_pools.bill_of_record
    AND settled.provider = measured_pools.provider
    AND settled.cost_driver = measured_pools.cost_driver
    AND settled.pool_key = measured_pools.pool_key
  LEFT JOIN measured_models AS named_classes
    ON settled.month_date = named_classes.month_date
    AND settled.bill_of_record = named_classes.bill_of_record
    AND settled.provider = named_classes.provider
    AND settled.cost_driver = 'inference'
    AND settled.method_id <> 'capacity_seconds'
    AND settled.model = named_classes.model
    AND settled.token_class = named_classes.token_class
  LEFT JOIN measured_models AS mixed_models
    ON settled.month_date = mixed_models.month_date
    AND settled.bill_of_record = mixed_models.bill_of_record
    AND settled.provider = mixed_models.provider
    AND settled.cost_driver = 'inference'
    AND settled.method_id <> 'capacity_seconds'
    AND settled.model = mixed_models.model
    AND mixed_models.token_class IS NULL
  WHERE
    settled.charge_category = 'Usage'
    AND NOT settled.effective_cost IS NULL
    AND NOT settled.billing_currency IS NULL
    AND measured_pools.pool_key IS NULL
    AND named_classes.model IS NULL
    AND mixed_models.model IS NULL
), owned AS (
  SELECT
    unmeasured.month_date,
    unmeasured.bill_of_record,
    unmeasured.provider,
    unmeasured.cost_driver,
    unmeasured.billing_currency,
    unmeasured.service_name,
    CASE WHEN unmeasured.cost_driver = 'inference' THEN unmeasured.model END AS model,
    unmeasured.traffic_kind,
    CASE
      WHEN NOT unmeasured.residual_reason IS NULL
      THEN unmeasured.residual_reason
      WHEN unmeasured.method_id IN ('bill_tag', 'workload_resource')
      THEN NULL
      WHEN unmeasured.method_id = 'capacity_seconds'
      THEN 'unmeasured_capacity'
      WHEN unmeasured.cost_driver = 'inference'
      THEN 'unlogged_usage'
      ELSE 'unknown_workload'
    END AS residual_reason,
    unmeasured.direct_owner_id,
    MAX(unmeasured.user_id) AS user_id,
    MAX(unmeasured.tenant) AS tenant,
    MAX(unmeasured.customer) AS customer,
    MAX(unmeasured.team) AS team,
    MAX(unmeasured.feature) AS feature,
    MAX(unmeasured.endpoint) AS endpoint,
    MAX(unmeasured.workflow) AS workflow,
    MAX(unmeasured.environment) AS environment,
    MAX(unmeasured.days_count) AS days_count,
    CAST(CAST(SUM(unmeasured.effective_cost) AS DECIMAL(24, 6)) * CAST(1000000 AS DECIMAL(7, 0)) AS DECIMAL(22, 0)) AS owned_units
  FROM unmeasured
  GROUP BY
    unmeasured.month_date,
    unmeasured.bill_of_record,
    unmeasured.provider,
    unmeasured.cost_driver,
    unmeasured.billing_currency,
    unmeasured.service_name,
    CASE WHEN unmeasured.cost_driver = 'inference' THEN unmeasured.model END,
    unmeasured.traffic_kind,
    CASE
      WHEN NOT unmeasured.residual_reason IS NULL
      THEN unmeasured.residual_reason
      WHEN unmeasured.method_id IN ('bill_tag', 'workload_resource')
      THEN NULL
      WHEN unmeasured.method_id = 'capacity_seconds'
      THEN 'unmeasured_capacity'
      WHEN unmeasured.cost_driver = 'inference'
      THEN 'unlogged_usage'
      ELSE 'unknown_workload'
    END,
    unmeasured.direct_owner_id
), drivers AS (
  SELECT
    owned.month_date,
    owned.bill_of_record,
    owned.provider,
    owned.cost_driver,
    owned.billing_currency,
    SUM(owned.owned_units) AS driver_units
  FROM owned
  WHERE
    owned.owned_units > 0
  GROUP BY
    owned.month_date,
    owned.bill_of_record,
    owned.provider,
    owned.cost_driver,
    owned.billing_currency
), driver_days AS (
  SELECT
    drivers.month_date,
    drivers.bill_of_record,
    drivers.provider,
    drivers.cost_driver,
    drivers.billing_currency,
    last_days.charge_date,
    last_days.days_count,
    COALESCE(SUM(unmeasured.effective_cost), CAST(0 AS DECIMAL(38, 12))) AS effective_cost
  FROM drivers
  INNER JOIN last_days
    ON drivers.month_date = last_days.month_date
    AND drivers.bill_of_record = last_days.bill_of_record
    AND drivers.provider = last_days.provider
  LEFT JOIN unmeasured
    ON drivers.month_date = unmeasured.month_date
    AND drivers.bill_of_record = unmeasured.bill_of_record
    AND drivers.provider = unmeasured.provider
    AND drivers.cost_driver = unmeasured.cost_driver
    AND drivers.billing_currency = unmeasured.billing_currency
    AND last_days.charge_date = unmeasured.charge_date
  GROUP BY
    drivers.month_date,
    drivers.bill_of_record,
    drivers.provider,
    drivers.cost_driver,
    drivers.billing_currency,
    last_days.charge_date,
    last_days.days_count
), ranked_days AS (
  SELECT
    driver_days.*,
    ROW_NUMBER() OVER (
      PARTITION BY driver_days.month_date, driver_days.bill_of_record, driver_days.provider, driver_days.cost_driver, driver_days.billing_currency
      ORDER BY driver_days.effective_cost NULLS LAST, driver_days.charge_date NULLS LAST
    ) AS cost_rank
  FROM driver_days
), medians AS (
  SELECT
    ranked_days.month_date,
    ranked_days.bill_of_record,
    ranked_days.provider,
    ranked_days.cost_driver,
    ranked_days.billing_currency,
    CAST(CAST(ranked_days.effective_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS median_units
  FROM ranked_days
  WHERE
    ranked_days.cost_rank = CAST((
      (
        ranked_days.days_count + 1
      ) - (
        (
          ranked_days.days_count + 1
        ) % (
          2
        )
      )
    ) / (
      2
    ) AS DECIMAL(38, 0))
    AND ranked_days.effective_cost > 0
)
SELECT
  CAST(owned.month_date AS TIMESTAMP_NTZ) AS billing_period_start,
  owned.bill_of_record,
  owned.provider,
  owned.cost_driver,
  owned.billing_currency,
  owned.service_name,
  owned.model,
  owned.traffic_kind,
  owned.residual_reason,
  owned.direct_owner_id,
  owned.user_id,
  owned.tenant,
  owned.customer,
  owned.team,
  owned.feature,
  owned.endpoint,
  owned.workflow,
  owned.environment,
  CAST(owned.days_count AS BIGINT) AS settled_days_count,
  CAST(CAST(CAST((
    (
      medians.median_units * CAST(IDIV(owned.owned_units * 1000000000, drivers.driver_units) AS DECIMAL(10, 0))
    ) - (
      (
        medians.median_units * CAST(IDIV(owned.owned_units * 1000000000, drivers.driver_units) AS DECIMAL(10, 0))
      ) % (
        1000000000
      )
    )
  ) / (
    1000000000
  ) AS DECIMAL(38, 0)) AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS effective_cost
FROM owned
INNER JOIN drivers
  ON owned.month_date = drivers.month_date
  AND owned.bill_of_record = drivers.bill_of_record
  AND owned.provider = drivers.provider
  AND owned.cost_driver = drivers.cost_driver
  AND owned.billing_currency = drivers.billing_currency
INNER JOIN medians
  ON owned.month_date = medians.month_date
  AND owned.bill_of_record = medians.bill_of_record
  AND owned.provider = medians.provider
  AND owned.cost_driver = medians.cost_driver
  AND owned.billing_currency = medians.billing_currency
WHERE
  owned.owned_units > 0
