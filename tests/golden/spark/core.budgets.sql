WITH source AS (
  SELECT
    *
  FROM staging.budgets
)
SELECT
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
