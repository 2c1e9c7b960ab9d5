/*
description: >
    One budget of one period for one scope, with the measure it is stated in.
grain: [budget_id]
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
*/
with

source as (select * from lake.budgets)

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
