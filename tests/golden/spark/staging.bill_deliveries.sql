WITH source AS (
  SELECT
    *
  FROM lake.bill_deliveries
)
SELECT
  source.source,
  source.billing_account_id,
  source.billing_period_start,
  source.snapshot_id,
  source.delivered_at,
  source.watermark_at,
  source.period_status
FROM source
