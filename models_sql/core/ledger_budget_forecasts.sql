/*
description: >
    Landing of budget periods as published runs saw them.
materialized: view
columns:
    run_id: null
    forecast_made_at: null
    budget_id: null
    period_start: null
    currency: null
    forecast_p10: null
    forecast_p50: null
    forecast_p90: null
    overrun_probability: null
    overrun_date: null
*/
with

source as (select * from staging.ledger_budget_forecasts)

select
    source.run_id,
    source.forecast_made_at,
    source.budget_id,
    source.period_start,
    source.currency,
    source.forecast_p10,
    source.forecast_p50,
    source.forecast_p90,
    source.overrun_probability,
    source.overrun_date
from source
