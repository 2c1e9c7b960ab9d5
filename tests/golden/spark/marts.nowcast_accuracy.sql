WITH estimates AS (
  SELECT
    *
  FROM core.ledger_estimates
), coverage AS (
  SELECT
    *
  FROM core.bill_coverage
), cells AS (
  SELECT
    *
  FROM core.cells
  WHERE
    cost_state <> 'estimated' AND charge_category = 'Usage'
), told_days AS (
  SELECT
    estimates.run_id,
    estimates.nowcast_made_at,
    estimates.age_days,
    estimates.charge_date,
    estimates.bill_of_record,
    estimates.provider
  FROM estimates
  GROUP BY
    estimates.run_id,
    estimates.nowcast_made_at,
    estimates.age_days,
    estimates.charge_date,
    estimates.bill_of_record,
    estimates.provider
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
), settled_days AS (
  SELECT
    told_days.*
  FROM told_days
  INNER JOIN watermarks
    ON told_days.bill_of_record = watermarks.bill_of_record
    AND told_days.provider = watermarks.provider
    AND CAST(DATE_TRUNC('MONTH', told_days.charge_date) AS DATE) = watermarks.month_date
    AND watermarks.watermark_at >= CAST(told_days.charge_date AS TIMESTAMP_NTZ) + INTERVAL '1' DAY
), billed AS (
  SELECT
    cells.charge_date,
    cells.bill_of_record,
    cells.provider,
    cells.cost_driver,
    CASE WHEN cells.cost_driver = 'inference' THEN cells.model END AS model,
    cells.billing_currency,
    SUM(cells.effective_cost) AS effective_cost
  FROM cells
  GROUP BY
    cells.charge_date,
    cells.bill_of_record,
    cells.provider,
    cells.cost_driver,
    CASE WHEN cells.cost_driver = 'inference' THEN cells.model END,
    cells.billing_currency
), sides AS (
  SELECT
    settled_days.run_id,
    settled_days.age_days,
    settled_days.charge_date,
    estimates.provider,
    estimates.cost_driver,
    estimates.model,
    estimates.billing_currency,
    estimates.estimated_effective_cost + estimates.billed_effective_cost AS nowcast_cost,
    estimates.estimated_effective_cost,
    CAST(0 AS DECIMAL(38, 12)) AS actual_cost
  FROM settled_days
  INNER JOIN estimates
    ON settled_days.run_id = estimates.run_id
    AND settled_days.nowcast_made_at = estimates.nowcast_made_at
    AND settled_days.charge_date = estimates.charge_date
    AND settled_days.bill_of_record = estimates.bill_of_record
    AND settled_days.provider = estimates.provider
  UNION ALL
  SELECT
    settled_days.run_id,
    settled_days.age_days,
    settled_days.charge_date,
    billed.provider,
    billed.cost_driver,
    billed.model,
    billed.billing_currency,
    CAST(0 AS DECIMAL(38, 12)) AS nowcast_cost,
    CAST(0 AS DECIMAL(38, 12)) AS estimated_effective_cost,
    COALESCE(billed.effective_cost, CAST(0 AS DECIMAL(38, 12))) AS actual_cost
  FROM settled_days
  INNER JOIN billed
    ON settled_days.charge_date = billed.charge_date
    AND settled_days.bill_of_record = billed.bill_of_record
    AND settled_days.provider = billed.provider
), scopes AS (
  SELECT
    'model' AS scope
  UNION ALL
  SELECT
    'cost_driver' AS scope
  UNION ALL
  SELECT
    'total' AS scope
), scored AS (
  SELECT
    scopes.scope,
    sides.run_id,
    sides.age_days,
    sides.charge_date,
    CASE WHEN scopes.scope <> 'total' THEN sides.provider END AS provider,
    CASE WHEN scopes.scope <> 'total' THEN sides.cost_driver END AS cost_driver,
    CASE WHEN scopes.scope = 'model' THEN sides.model END AS model,
    sides.billing_currency,
    SUM(sides.nowcast_cost) AS nowcast_cost,
    SUM(sides.estimated_effective_cost) AS estimated_effective_cost,
    SUM(sides.actual_cost) AS actual_cost
  FROM sides
  CROSS JOIN scopes
  GROUP BY
    scopes.scope,
    sides.run_id,
    sides.age_days,
    sides.charge_date,
    CASE WHEN scopes.scope <> 'total' THEN sides.provider END,
    CASE WHEN scopes.scope <> 'total' THEN sides.cost_driver END,
    CASE WHEN scopes.scope = 'model' THEN sides.model END,
    sides.billing_currency
), ranked AS (
  SELECT
    scored.*,
    COALESCE(scored.provider, CHR(  30)) AS provider_key,
    COALESCE(scored.cost_driver, CHR(  30)) AS cost_driver_key,
    COALESCE(scored.model, CHR(  30)) AS model_key,
    scored.nowcast_cost - scored.actual_cost AS error_cost,
    ROW_NUMBER() OVER (
      PARTITION BY scored.scope, scored.provider, scored.cost_driver, scored.model, scored.billing_currency, scored.age_days
      ORDER BY ABS(scored.nowcast_cost - scored.actual_cost) DESC, scored.charge_date ASC NULLS LAST, scored.run_id ASC NULLS LAST
    ) AS error_rank
  FROM scored
), summed AS (
  SELECT
    ranked.scope,
    ranked.provider,
    ranked.cost_driver,
    ranked.model,
    ranked.provider_key,
    ranked.cost_driver_key,
    ranked.model_key,
    ranked.billing_currency,
    ranked.age_days,
    COUNT(*) AS scored_days_count,
    MIN(ranked.charge_date) AS first_date,
    MAX(ranked.charge_date) AS last_date,
    CAST(SUM(ranked.nowcast_cost) AS DECIMAL(38, 12)) AS nowcast_cost,
    CAST(SUM(ranked.estimated_effective_cost) AS DECIMAL(38, 12)) AS estimated_effective_cost,
    CAST(SUM(ranked.actual_cost) AS DECIMAL(38, 12)) AS actual_effective_cost,
    CAST(MAX(CASE WHEN ranked.error_rank = 1 THEN ranked.error_cost END) AS DECIMAL(38, 12)) AS worst_error_cost,
    MAX(CASE WHEN ranked.error_rank = 1 THEN ranked.charge_date END) AS worst_date,
    CAST(CAST(SUM(ranked.actual_cost) AS DECIMAL(24, 6)) * CAST(1000000 AS DECIMAL(7, 0)) AS DECIMAL(22, 0)) AS actual_units,
    CAST(CAST(SUM(ABS(ranked.error_cost)) AS DECIMAL(24, 6)) * CAST(1000000 AS DECIMAL(7, 0)) AS DECIMAL(22, 0)) AS absolute_units,
    CAST(CAST(SUM(ranked.error_cost) AS DECIMAL(24, 6)) * CAST(1000000 AS DECIMAL(7, 0)) AS DECIMAL(22, 0)) AS signed_units
  FROM ranked
  GROUP BY
    ranked.scope,
    ranked.provider,
    ranked.cost_driver,
    ranked.model,
    ranked.provider_key,
    ranked.cost_driver_key,
    ranked.model_key,
    ranked.billing_currency,
    ranked.age_days
)
SELECT
  summed.scope,
  summed.provider,
  summed.cost_driver,
  summed.model,
  summed.provider_key,
  summed.cost_driver_key,
  summed.model_key,
  summed.billing_currency,
  summed.age_days,
  CAST(summed.scored_days_count AS BIGINT) AS scored_days_count,
  summed.first_date,
  summed.last_date,
  summed.nowcast_cost,
  summed.estimated_effective_cost,
  summed.actual_effective_cost,
  CASE
    WHEN summed.actual_units > 0
    THEN CAST(CAST(LEAST(
      CAST((
        (
          summed.absolute_units * CAST(1000000 AS DECIMAL(7, 0))
        ) - (
          (
            summed.absolute_units * CAST(1000000 AS DECIMAL(7, 0))
          ) % (
            summed.actual_units
          )
        )
      ) / (
        summed.actual_units
      ) AS DECIMAL(38, 0)),
      999999999999
    ) AS DECIMAL(24, 0)) * CAST(0.000001 AS DECIMAL(7, 6)) AS DECIMAL(18, 12))
  END AS wape_share,
  CASE
    WHEN summed.actual_units > 0
    THEN CAST(CAST(LEAST(
      CAST((
        (
          summed.signed_units * CAST(1000000 AS DECIMAL(7, 0))
        ) - (
          (
            summed.signed_units * CAST(1000000 AS DECIMAL(7, 0))
          ) % (
            summed.actual_units
          )
        )
      ) / (
        summed.actual_units
      ) AS DECIMAL(38, 0)),
      999999999999
    ) AS DECIMAL(24, 0)) * CAST(0.000001 AS DECIMAL(7, 6)) AS DECIMAL(18, 12))
  END AS bias_share,
  summed.worst_error_cost,
  summed.worst_date
FROM summed
