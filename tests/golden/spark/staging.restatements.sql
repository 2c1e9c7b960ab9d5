WITH source AS (
  SELECT
    *
  FROM lake.restatements
), ranked AS (
  SELECT
    source.*,
    MAX(source.run_id) OVER (
      PARTITION BY source.source, source.dataset, source.billing_account_id, source.billing_period_start, source.delivered_at
    ) AS newest_run_id
  FROM source
)
SELECT
  ranked.source,
  ranked.dataset,
  ranked.billing_account_id,
  ranked.billing_period_start,
  ranked.snapshot_id,
  ranked.delivered_at,
  ranked.previous_snapshot_id,
  ranked.previous_delivered_at,
  ranked.service_name,
  ranked.cost_driver,
  ranked.billing_currency,
  ranked.cause,
  ranked.previous_lines,
  ranked.lines,
  ranked.previous_billed_cost,
  ranked.billed_cost,
  ranked.previous_effective_cost,
  ranked.effective_cost,
  ranked.increase_billed_cost
FROM ranked
WHERE
  ranked.run_id = ranked.newest_run_id
