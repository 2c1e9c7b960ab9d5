WITH charges AS (
  SELECT
    *
  FROM core.charges
  WHERE
    billing_period_start >= CAST(:start AS TIMESTAMP_NTZ)
    AND billing_period_start < CAST(:end AS TIMESTAMP_NTZ)
), deliveries AS (
  SELECT
    *
  FROM staging.bill_deliveries
), bills AS (
  SELECT
    charges.billing_period_start,
    charges.bill_of_record,
    charges.provider,
    charges.x_snapshot_id,
    charges.billing_account_id,
    CASE
      WHEN charges.billed_cost <> 0 OR charges.effective_cost <> 0
      THEN charges.charge_period_start
    END AS cost_at
  FROM charges
  GROUP BY
    charges.billing_period_start,
    charges.bill_of_record,
    charges.provider,
    charges.x_snapshot_id,
    charges.billing_account_id,
    CASE
      WHEN charges.billed_cost <> 0 OR charges.effective_cost <> 0
      THEN charges.charge_period_start
    END
)
SELECT
  bills.billing_period_start,
  bills.bill_of_record,
  bills.provider,
  MAX(deliveries.delivered_at) AS delivered_at,
  MAX(deliveries.watermark_at) AS watermark_at,
  CAST(MAX(CASE WHEN bills.cost_at < deliveries.watermark_at THEN bills.cost_at END) AS DATE) AS last_date
FROM bills
LEFT JOIN deliveries
  ON bills.bill_of_record = deliveries.source
  AND bills.x_snapshot_id = deliveries.snapshot_id
  AND bills.billing_account_id = deliveries.billing_account_id
  AND CAST(DATE_TRUNC('MONTH', bills.billing_period_start) AS TIMESTAMP_NTZ) = deliveries.billing_period_start
GROUP BY
  bills.billing_period_start,
  bills.bill_of_record,
  bills.provider
