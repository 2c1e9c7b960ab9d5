WITH restated AS (
  SELECT
    *
  FROM core.restatements
)
SELECT
  restated.source,
  restated.billing_account_id,
  restated.billing_period_start,
  restated.service_name,
  restated.cost_driver,
  restated.snapshot_id,
  restated.delivered_at,
  restated.previous_snapshot_id,
  restated.previous_delivered_at,
  restated.cause,
  restated.previous_billed_cost,
  restated.billed_cost,
  CAST(restated.billed_cost - restated.previous_billed_cost AS DECIMAL(38, 12)) AS change_billed_cost,
  restated.previous_effective_cost,
  restated.effective_cost,
  CAST(restated.effective_cost - restated.previous_effective_cost AS DECIMAL(38, 12)) AS change_effective_cost,
  restated.increase_billed_cost,
  restated.previous_lines,
  restated.lines,
  restated.billing_currency
FROM restated
