/*
description: >
    Budgets, passed through for the marts.
grain: [budget_id, period_start]
materialized: view
columns:
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

source as (select * from staging.budgets)

select
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
