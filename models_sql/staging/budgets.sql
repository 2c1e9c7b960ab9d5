/*
description: >
    One budget of one period for one scope, with the measure it is stated in. Where a budget and period are stated
    twice the smaller amount counts.
grain: [budget_id, period_start]
materialized: view
columns:
    x_source: null
    x_snapshot_id: null
    budget_id: null
    parent_id: null
    owner: null
    feature: null
    team: null
    environment: null
    cost_driver: null
    period_start: null
    period_end: null
    amount: null
    currency: null
    measure: null
checks:
    - name: budget_is_stated_once
      severity: warn
      description: A budget and period stated twice is somebody's mistake; the smaller amount counts.
      sql: >
        select budget_id, period_start, count(*) as statements
        from lake.budgets
        group by budget_id, period_start
        having count(*) > 1
*/
with

ranked as (
    select
        budgets.*,
        row_number() over (
            partition by budgets.budget_id, budgets.period_start
            order by
                budgets.amount,
                budgets.period_end,
                coalesce(budgets.currency, chr(30)),
                coalesce(budgets.measure, chr(30)),
                coalesce(budgets.feature, chr(30)),
                coalesce(budgets.team, chr(30)),
                coalesce(budgets.environment, chr(30)),
                coalesce(budgets.cost_driver, chr(30)),
                coalesce(budgets.owner, chr(30)),
                coalesce(budgets.x_source, chr(30)),
                coalesce(budgets.x_snapshot_id, chr(30))
        ) as statement_rank
    from lake.budgets as budgets
),

source as (
    select * from ranked
    where statement_rank = 1
)

select
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
from source
