/*
description: >
    Forecasts as published runs made them.
materialized: view
columns:
    run_id: null
    forecast_made_at: null
    target_date: null
    scope: null
    feature: null
    cost_driver: null
    zone: null
    measure: null
    currency: null
    p05: null
    p10: null
    p25: null
    p50: null
    p75: null
    p90: null
    p95: null
    model_name: null
    model_version: null
    is_low_history: null
*/
with

source as (select * from staging.ledger_forecasts)

select
    source.run_id,
    source.forecast_made_at,
    source.target_date,
    source.scope,
    source.feature,
    source.cost_driver,
    source.zone,
    source.measure,
    source.currency,
    source.p05,
    source.p10,
    source.p25,
    source.p50,
    source.p75,
    source.p90,
    source.p95,
    source.model_name,
    source.model_version,
    source.is_low_history
from source
