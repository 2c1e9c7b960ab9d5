WITH ranked AS (
  SELECT
    budgets.*,
    ROW_NUMBER() OVER (
      PARTITION BY budgets.budget_id, budgets.period_start
      ORDER BY budgets.amount NULLS LAST, budgets.period_end NULLS LAST, COALESCE(budgets.currency, CHR(  30)) NULLS LAST, COALESCE(budgets.measure, CHR(  30)) NULLS LAST, COALESCE(budgets.feature, CHR(  30)) NULLS LAST, COALESCE(budgets.team, CHR(  30)) NULLS LAST, COALESCE(budgets.environment, CHR(  30)) NULLS LAST, COALESCE(budgets.cost_driver, CHR(  30)) NULLS LAST, COALESCE(budgets.owner, CHR(  30)) NULLS LAST, COALESCE(budgets.x_source, CHR(  30)) NULLS LAST, COALESCE(budgets.x_snapshot_id, CHR(  30)) NULLS LAST
    ) AS statement_rank
  FROM lake.budgets AS budgets
), source AS (
  SELECT
    *
  FROM ranked
  WHERE
    statement_rank = 1
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
