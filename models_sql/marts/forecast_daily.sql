/*
description: The newest forecast of every scope and day, with the band it was made with.
materialized: table
order_by: [scope, feature, cost_driver, zone, measure, currency, target_date]
columns:
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

forecasts as (select * from core.ledger_forecasts),

newest as (select max(forecast_made_at) as forecast_made_at from forecasts)

select
    forecasts.forecast_made_at,
    forecasts.target_date,
    forecasts.scope,
    forecasts.feature,
    forecasts.cost_driver,
    forecasts.zone,
    forecasts.measure,
    forecasts.currency,
    forecasts.p05,
    forecasts.p10,
    forecasts.p25,
    forecasts.p50,
    forecasts.p75,
    forecasts.p90,
    forecasts.p95,
    forecasts.model_name,
    forecasts.model_version,
    forecasts.is_low_history
from forecasts
inner join newest on forecasts.forecast_made_at = newest.forecast_made_at
