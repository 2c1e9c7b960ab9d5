WITH coverage AS (
  SELECT
    *
  FROM core.bill_coverage
), measured AS (
  SELECT
    *
  FROM core.measured_use
  WHERE
    charge_date >= :start AND charge_date < :end AND measured_units > 0
), cells AS (
  SELECT
    *
  FROM core.billed_cells
  WHERE
    charge_date >= :start
    AND charge_date < :end
    AND charge_category = 'Usage'
    AND NOT effective_cost IS NULL
    AND NOT billing_currency IS NULL
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
), settled_cells AS (
  SELECT
    watermarks.month_date,
    cells.*,
    cells.cost_driver = 'inference' AND cells.method_id <> 'capacity_seconds' AS is_tokens,
    CAST(CAST(cells.effective_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS effective_units
  FROM cells
  INNER JOIN watermarks
    ON CAST(DATE_TRUNC('MONTH', cells.charge_date) AS DATE) = watermarks.month_date
    AND cells.bill_of_record = watermarks.bill_of_record
    AND cells.provider = watermarks.provider
    AND watermarks.watermark_at >= CAST(cells.charge_date AS TIMESTAMP_NTZ) + INTERVAL '1' DAY
), token_cells AS (
  SELECT
    settled_cells.month_date,
    settled_cells.bill_of_record,
    settled_cells.provider,
    settled_cells.charge_date,
    settled_cells.billing_currency,
    settled_cells.model,
    settled_cells.token_class,
    settled_cells.service_tier,
    SUM(CAST(settled_cells.effective_units AS DECIMAL(38, 0))) AS effective_units,
    SUM(
      CASE
        WHEN settled_cells.pool_key IS NULL
        THEN 0
        WHEN settled_cells.missing_quantity > 0 AND settled_cells.coverage_share < 1
        THEN CAST(CAST((
          (
            settled_cells.effective_units * CAST(settled_cells.coverage_share * 1000000 AS DECIMAL(7, 0))
          ) - (
            (
              settled_cells.effective_units * CAST(settled_cells.coverage_share * 1000000 AS DECIMAL(7, 0))
            ) % (
              1000000
            )
          )
        ) / (
          1000000
        ) AS DECIMAL(38, 0)) AS DECIMAL(38, 0))
        ELSE CAST(settled_cells.effective_units AS DECIMAL(38, 0))
      END
    ) AS logged_units
  FROM settled_cells
  WHERE
    settled_cells.is_tokens AND NOT settled_cells.model IS NULL
  GROUP BY
    settled_cells.month_date,
    settled_cells.bill_of_record,
    settled_cells.provider,
    settled_cells.charge_date,
    settled_cells.billing_currency,
    settled_cells.model,
    settled_cells.token_class,
    settled_cells.service_tier
), token_use AS (
  SELECT
    watermarks.month_date,
    watermarks.bill_of_record,
    watermarks.provider,
    measured.charge_date,
    measured.model,
    measured.token_class,
    measured.service_tier,
    MIN(measured.list_cost_currency) AS first_currency,
    MAX(measured.list_cost_currency) AS last_currency,
    SUM(measured.measured_units) AS measured_units
  FROM measured
  INNER JOIN watermarks
    ON CAST(DATE_TRUNC('MONTH', measured.charge_date) AS DATE) = watermarks.month_date
    AND measured.provider = watermarks.provider
    AND watermarks.watermark_at >= CAST(measured.charge_date AS TIMESTAMP_NTZ) + INTERVAL '1' DAY
  WHERE
    measured.use_kind = 'tokens'
    AND NOT measured.model IS NULL
    AND measured.logged_model IS NULL
  GROUP BY
    watermarks.month_date,
    watermarks.bill_of_record,
    watermarks.provider,
    measured.charge_date,
    measured.model,
    measured.token_class,
    measured.service_tier
), logged_tiers AS (
  SELECT
    token_use.month_date,
    token_use.bill_of_record,
    token_use.provider,
    token_use.model,
    token_use.token_class,
    token_use.service_tier
  FROM token_use
  GROUP BY
    token_use.month_date,
    token_use.bill_of_record,
    token_use.provider,
    token_use.model,
    token_use.token_class,
    token_use.service_tier
), shapes AS (
  SELECT
    token_cells.month_date,
    token_cells.bill_of_record,
    token_cells.provider,
    token_cells.model,
    token_cells.token_class,
    MAX(CASE WHEN logged_tiers.model IS NULL THEN 1 ELSE 0 END) AS is_tier_unknown,
    MAX(MAX(CASE WHEN token_cells.token_class IS NULL THEN 1 ELSE 0 END)) OVER (
      PARTITION BY token_cells.month_date, token_cells.bill_of_record, token_cells.provider, token_cells.model
    ) AS is_mixed
  FROM token_cells
  LEFT JOIN logged_tiers
    ON token_cells.month_date = logged_tiers.month_date
    AND token_cells.bill_of_record = logged_tiers.bill_of_record
    AND token_cells.provider = logged_tiers.provider
    AND token_cells.model = logged_tiers.model
    AND token_cells.token_class = logged_tiers.token_class
    AND token_cells.service_tier = logged_tiers.service_tier
  GROUP BY
    token_cells.month_date,
    token_cells.bill_of_record,
    token_cells.provider,
    token_cells.model,
    token_cells.token_class
), mixed_models AS (
  SELECT
    shapes.month_date,
    shapes.bill_of_record,
    shapes.provider,
    shapes.model
  FROM shapes
  WHERE
    shapes.is_mixed = 1
  GROUP BY
    shapes.month_date,
    shapes.bill_of_record,
    shapes.provider,
    shapes.model
), shaped_use AS (
  SELECT
    token_use.*,
    NOT mixed_models.model IS NULL AS is_mixed,
    COALESCE(shapes.is_tier_unknown, 0) = 1 AS is_tier_unknown
  FROM token_use
  LEFT JOIN mixed_models
    ON token_use.month_date = mixed_models.month_date
    AND token_use.bill_of_record = mixed_models.bill_of_record
    AND token_use.provider = mixed_models.provider
    AND token_use.model = mixed_models.model
  LEFT JOIN shapes
    ON token_use.month_date = shapes.month_date
    AND token_use.bill_of_record = shapes.bill_of_record
    AND token_use.provider = shapes.provider
    AND token_use.model = shapes.model
    AND token_use.token_class = shapes.token_class
), levels AS (
  SELECT
    'tier' AS rate_level
  UNION ALL
  SELECT
    'class' AS rate_level
  UNION ALL
  SELECT
    'mixed' AS rate_level
  UNION ALL
  SELECT
    'model' AS rate_level
  UNION ALL
  SELECT
    'provider' AS rate_level
), used_keys AS (
  SELECT
    shaped_use.month_date,
    shaped_use.bill_of_record,
    shaped_use.provider,
    shaped_use.charge_date,
    levels.rate_level,
    CASE levels.rate_level
      WHEN 'tier'
      THEN shaped_use.model || CHR(  31) || shaped_use.token_class || CHR(  31) || COALESCE(shaped_use.service_tier, CHR(  30))
      WHEN 'class'
      THEN shaped_use.model || CHR(  31) || shaped_use.token_class
      WHEN 'provider'
      THEN ''
      ELSE shaped_use.model
    END AS rate_key,
    CASE WHEN levels.rate_level <> 'provider' THEN shaped_use.model END AS model,
    CASE WHEN levels.rate_level IN ('tier', 'class') THEN shaped_use.token_class END AS token_class,
    MIN(shaped_use.first_currency) AS first_currency,
    MAX(shaped_use.last_currency) AS last_currency,
    SUM(shaped_use.measured_units) AS measured_units
  FROM shaped_use
  CROSS JOIN levels
  WHERE
    levels.rate_level IN ('model', 'provider')
    OR (
      levels.rate_level = 'mixed' AND shaped_use.is_mixed
    )
    OR (
      levels.rate_level = 'class' AND NOT shaped_use.is_mixed
    )
    OR (
      levels.rate_level = 'tier'
      AND NOT shaped_use.is_mixed
      AND NOT shaped_use.is_tier_unknown
    )
  GROUP BY
    shaped_use.month_date,
    shaped_use.bill_of_record,
    shaped_use.provider,
    shaped_use.charge_date,
    levels.rate_level,
    CASE levels.rate_level
      WHEN 'tier'
      THEN shaped_use.model || CHR(  31) || shaped_use.token_class || CHR(  31) || COALESCE(shaped_use.service_tier, CHR(  30))
      WHEN 'class'
      THEN shaped_use.model || CHR(  31) || shaped_use.token_class
      WHEN 'provider'
      THEN ''
      ELSE shaped_use.model
    END,
    CASE WHEN levels.rate_level <> 'provider' THEN shaped_use.model END,
    CASE WHEN levels.rate_level IN ('tier', 'class') THEN shaped_use.token_class END
), billed_keys AS (
  SELECT
    token_cells.month_date,
    token_cells.bill_of_record,
    token_cells.provider,
    token_cells.charge_date,
    token_cells.billing_currency,
    levels.rate_level,
    CASE levels.rate_level
      WHEN 'tier'
      THEN token_cells.model || CHR(  31) || token_cells.token_class || CHR(  31) || COALESCE(token_cells.service_tier, CHR(  30))
      WHEN 'class'
      THEN token_cells.model || CHR(  31) || token_cells.token_class
      WHEN 'provider'
      THEN ''
      ELSE token_cells.model
    END AS rate_key,
    SUM(token_cells.effective_units) AS effective_units,
    SUM(token_cells.logged_units) AS logged_units
  FROM token_cells
  CROSS JOIN levels
  GROUP BY
    token_cells.month_date,
    token_cells.bill_of_record,
    token_cells.provider,
    token_cells.charge_date,
    token_cells.billing_currency,
    levels.rate_level,
    CASE levels.rate_level
      WHEN 'tier'
      THEN token_cells.model || CHR(  31) || token_cells.token_class || CHR(  31) || COALESCE(token_cells.service_tier, CHR(  30))
      WHEN 'class'
      THEN token_cells.model || CHR(  31) || token_cells.token_class
      WHEN 'provider'
      THEN ''
      ELSE token_cells.model
    END
), currencies AS (
  SELECT
    settled_cells.month_date,
    settled_cells.bill_of_record,
    settled_cells.provider,
    settled_cells.billing_currency
  FROM settled_cells
  GROUP BY
    settled_cells.month_date,
    settled_cells.bill_of_record,
    settled_cells.provider,
    settled_cells.billing_currency
), token_rates AS (
  SELECT
    used_keys.month_date,
    used_keys.bill_of_record,
    used_keys.provider,
    'inference' AS cost_driver,
    currencies.billing_currency,
    used_keys.rate_level,
    used_keys.rate_key,
    MIN(used_keys.first_currency) AS list_cost_currency,
    used_keys.model,
    used_keys.token_class,
    'list_price' AS method_id,
    CAST(NULL AS STRING) AS traffic_kind,
    CAST(NULL AS STRING) AS service_name,
    COUNT(*) AS settled_days_count,
    SUM(used_keys.measured_units) AS measured_units,
    SUM(COALESCE(billed_keys.effective_units, 0)) AS effective_units,
    SUM(COALESCE(billed_keys.logged_units, 0)) AS logged_units
  FROM used_keys
  INNER JOIN currencies
    ON used_keys.month_date = currencies.month_date
    AND used_keys.bill_of_record = currencies.bill_of_record
    AND used_keys.provider = currencies.provider
  LEFT JOIN billed_keys
    ON used_keys.month_date = billed_keys.month_date
    AND used_keys.bill_of_record = billed_keys.bill_of_record
    AND used_keys.provider = billed_keys.provider
    AND used_keys.charge_date = billed_keys.charge_date
    AND used_keys.rate_level = billed_keys.rate_level
    AND used_keys.rate_key = billed_keys.rate_key
    AND currencies.billing_currency = billed_keys.billing_currency
  GROUP BY
    used_keys.month_date,
    used_keys.bill_of_record,
    used_keys.provider,
    currencies.billing_currency,
    used_keys.rate_level,
    used_keys.rate_key,
    used_keys.model,
    used_keys.token_class
  HAVING
    MIN(used_keys.first_currency) = MAX(used_keys.last_currency)
), pool_days AS (
  SELECT
    settled_cells.month_date,
    settled_cells.bill_of_record,
    settled_cells.provider,
    settled_cells.cost_driver,
    settled_cells.billing_currency,
    settled_cells.charge_date,
    settled_cells.pool_key,
    settled_cells.method_id,
    MIN(settled_cells.traffic_kind) AS traffic_kind,
    MIN(settled_cells.service_name) AS service_name,
    SUM(CAST(settled_cells.effective_units AS DECIMAL(38, 0))) AS effective_units
  FROM settled_cells
  WHERE
    settled_cells.method_id IN ('bytes', 'telemetry_bytes', 'capacity_seconds')
  GROUP BY
    settled_cells.month_date,
    settled_cells.bill_of_record,
    settled_cells.provider,
    settled_cells.cost_driver,
    settled_cells.billing_currency,
    settled_cells.charge_date,
    settled_cells.pool_key,
    settled_cells.method_id
), measured_days AS (
  SELECT
    pool_days.*,
    measured.measured_units
  FROM pool_days
  INNER JOIN measured
    ON pool_days.charge_date = measured.charge_date
    AND pool_days.pool_key = measured.pool_key
    AND measured.use_kind <> 'tokens'
), pool_rates AS (
  SELECT
    measured_days.month_date,
    measured_days.bill_of_record,
    measured_days.provider,
    measured_days.cost_driver,
    measured_days.billing_currency,
    'pool' AS rate_level,
    measured_days.pool_key AS rate_key,
    CAST(NULL AS STRING) AS list_cost_currency,
    CAST(NULL AS STRING) AS model,
    CAST(NULL AS STRING) AS token_class,
    MIN(measured_days.method_id) AS method_id,
    MIN(measured_days.traffic_kind) AS traffic_kind,
    MIN(measured_days.service_name) AS service_name,
    COUNT(*) AS settled_days_count,
    SUM(measured_days.measured_units) AS measured_units,
    SUM(measured_days.effective_units) AS effective_units,
    SUM(measured_days.effective_units) AS logged_units
  FROM measured_days
  GROUP BY
    measured_days.month_date,
    measured_days.bill_of_record,
    measured_days.provider,
    measured_days.cost_driver,
    measured_days.billing_currency,
    measured_days.pool_key
), capacity_rates AS (
  SELECT
    measured_days.month_date,
    measured_days.bill_of_record,
    measured_days.provider,
    measured_days.cost_driver,
    measured_days.billing_currency,
    'capacity' AS rate_level,
    '' AS rate_key,
    CAST(NULL AS STRING) AS list_cost_currency,
    CAST(NULL AS STRING) AS model,
    CAST(NULL AS STRING) AS token_class,
    'capacity_seconds' AS method_id,
    CAST(NULL AS STRING) AS traffic_kind,
    MIN(measured_days.service_name) AS service_name,
    COUNT(*) AS settled_days_count,
    SUM(measured_days.measured_units) AS measured_units,
    SUM(measured_days.effective_units) AS effective_units,
    SUM(measured_days.effective_units) AS logged_units
  FROM measured_days
  WHERE
    measured_days.method_id = 'capacity_seconds'
  GROUP BY
    measured_days.month_date,
    measured_days.bill_of_record,
    measured_days.provider,
    measured_days.cost_driver,
    measured_days.billing_currency
), rates AS (
  SELECT
    *
  FROM token_rates
  UNION ALL
  SELECT
    *
  FROM pool_rates
  UNION ALL
  SELECT
    *
  FROM capacity_rates
), bounded AS (
  SELECT
    rates.*
  FROM rates
  WHERE
    rates.effective_units >= 0
    AND rates.logged_units BETWEEN 0 AND rates.effective_units
    AND rates.effective_units < CAST(10000000000000000000000 AS DECIMAL(38, 0))
    AND rates.measured_units < CAST(10000000000000000000000 AS DECIMAL(38, 0))
    AND rates.effective_units <= CASE
      WHEN rates.billing_currency = rates.list_cost_currency
      THEN 10
      WHEN NOT rates.list_cost_currency IS NULL
      THEN 100000
      ELSE 100000000
    END * rates.measured_units
)
SELECT
  CAST(bounded.month_date AS TIMESTAMP_NTZ) AS billing_period_start,
  bounded.bill_of_record,
  bounded.provider,
  bounded.cost_driver,
  bounded.billing_currency,
  bounded.rate_level,
  bounded.rate_key,
  bounded.list_cost_currency,
  bounded.model,
  bounded.token_class,
  bounded.method_id,
  bounded.traffic_kind,
  bounded.service_name,
  CAST(bounded.settled_days_count AS BIGINT) AS settled_days_count,
  CAST(CAST((
    (
      2 * CAST(bounded.logged_units AS DECIMAL(22, 0)) * CAST(1000000000 AS DECIMAL(10, 0)) + bounded.measured_units
    ) - (
      (
        2 * CAST(bounded.logged_units AS DECIMAL(22, 0)) * CAST(1000000000 AS DECIMAL(10, 0)) + bounded.measured_units
      ) % (
        2 * bounded.measured_units
      )
    )
  ) / (
    2 * bounded.measured_units
  ) AS DECIMAL(38, 0)) AS BIGINT) AS logged_rate_ppb,
  CAST(CAST((
    (
      2 * CAST(bounded.effective_units - bounded.logged_units AS DECIMAL(22, 0)) * CAST(1000000000 AS DECIMAL(10, 0)) + bounded.measured_units
    ) - (
      (
        2 * CAST(bounded.effective_units - bounded.logged_units AS DECIMAL(22, 0)) * CAST(1000000000 AS DECIMAL(10, 0)) + bounded.measured_units
      ) % (
        2 * bounded.measured_units
      )
    )
  ) / (
    2 * bounded.measured_units
  ) AS DECIMAL(38, 0)) AS BIGINT) AS unlogged_rate_ppb
FROM bounded
