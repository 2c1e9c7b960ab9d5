WITH source AS (
  SELECT
    *
  FROM staging.restatements
)
SELECT
  source.source,
  source.dataset,
  source.billing_account_id,
  source.billing_period_start,
  source.snapshot_id,
  source.delivered_at,
  source.previous_snapshot_id,
  source.previous_delivered_at,
  source.service_name,
  source.cost_driver,
  source.billing_currency,
  source.cause,
  source.previous_lines,
  source.lines,
  source.previous_billed_cost,
  source.billed_cost,
  source.previous_effective_cost,
  source.effective_cost,
  source.increase_billed_cost
FROM source
