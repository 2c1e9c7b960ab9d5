WITH source AS (
  SELECT
    *
  FROM lake.budgets
)
SELECT
  source.x_source,
  source.x_snapshot_id,
  source.budget_id,
  source.parent_id,
  source.owner,
  source.feature,
  source.team,
  source.environment,
  source.cost_driver,
  source.period_start,
  source.period_end,
  source.amount,
  source.currency,
  source.measure
FROM source
