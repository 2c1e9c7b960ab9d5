WITH charges AS (
  SELECT
    *
  FROM core.charges
  WHERE
    billing_period_start >= CAST(:start AS TIMESTAMP_NTZ)
    AND billing_period_start < CAST(:end AS TIMESTAMP_NTZ)
)
SELECT
  charges.billing_period_start,
  charges.bill_of_record,
  charges.invoice_issuer_name,
  charges.invoice_id,
  charges.billing_currency,
  MIN(charges.provider) AS provider,
  charges.billing_account_id,
  CAST(COUNT(*) AS BIGINT) AS lines,
  CAST(SUM(charges.billed_cost) AS DECIMAL(38, 12)) AS billed_cost,
  CAST(SUM(CASE WHEN charges.charge_category = 'Tax' THEN charges.billed_cost ELSE 0 END) AS DECIMAL(38, 12)) AS tax_cost,
  MAX(charges.cost_state) AS cost_state
FROM charges
GROUP BY
  charges.billing_period_start,
  charges.bill_of_record,
  charges.invoice_issuer_name,
  charges.billing_account_id,
  charges.invoice_id,
  charges.billing_currency
