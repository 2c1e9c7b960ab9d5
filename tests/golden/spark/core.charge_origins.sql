WITH charges AS (
  SELECT
    *
  FROM core.charges
  WHERE
    billing_period_start >= CAST(:start AS TIMESTAMP_NTZ)
    AND billing_period_start < CAST(:end AS TIMESTAMP_NTZ)
    AND cost_driver = 'inference'
    AND charge_category = 'Usage'
), lines AS (
  SELECT
    *
  FROM staging.charges
  WHERE
    billing_period_start >= CAST(:start AS TIMESTAMP_NTZ)
    AND billing_period_start < CAST(:end AS TIMESTAMP_NTZ)
    AND (
      NOT x_principal_id IS NULL OR pricing_currency <> billing_currency
    )
)
SELECT
  charges.billing_period_start,
  charges.charge_id,
  lines.x_principal_id,
  lines.pricing_currency,
  CAST(lines.pricing_currency_effective_cost AS DECIMAL(38, 12)) AS pricing_currency_effective_cost,
  charges.spread_start_date,
  charges.spread_end_date
FROM lines
INNER JOIN charges
  ON lines.billing_period_start = charges.billing_period_start
  AND lines.charge_id = charges.charge_id
