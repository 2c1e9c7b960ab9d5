/*
description: >
    How far every forecast that was ever published was off, once its days were billed (what no bill ever names counts as
    estimated): by scope and by how far ahead it looked. Bands are honest where coverage_80_share is near 0.8.
grain: [scope, feature_key, cost_driver_key, currency, horizon]
materialized: table
columns:
    scope: null
    feature: null
    cost_driver: null
    feature_key: null
    cost_driver_key: null
    currency: null
    horizon: null
    scored_days_count: null
    first_date: null
    last_date: null
    actual: null
    wape_share: null
    bias_share: null
    coverage_80_share: null
*/
with

forecasts as (
    select * from core.ledger_forecasts
    where measure = 'effective_cost'
),

costs as (
    select *
    from marts.cost_daily
    where charge_date < $today and charge_category <> 'Tax'
),

daily as (
    select
        costs.charge_date,
        costs.feature,
        costs.cost_driver,
        sum(costs.effective_cost_reporting) as cost,
        max(case when costs.cost_state = 'estimated' and costs.bill_of_record is not null then 1 else 0 end)
            as is_estimated
    from costs
    group by costs.charge_date, costs.feature, costs.cost_driver
),

open_days as (
    select daily.charge_date
    from daily
    group by daily.charge_date
    having max(daily.is_estimated) = 1
),

scopes as (
    select
        'feature_driver' as scope,
        daily.charge_date,
        coalesce(daily.feature, chr(30)) as feature_key,
        coalesce(daily.cost_driver, chr(30)) as cost_driver_key,
        sum(daily.cost) as cost
    from daily
    group by daily.charge_date, coalesce(daily.feature, chr(30)), coalesce(daily.cost_driver, chr(30))
    union all
    select
        'feature' as scope,
        daily.charge_date,
        coalesce(daily.feature, chr(30)) as feature_key,
        chr(30) as cost_driver_key,
        sum(daily.cost) as cost
    from daily
    group by daily.charge_date, coalesce(daily.feature, chr(30))
    union all
    select
        'total' as scope,
        daily.charge_date,
        chr(30) as feature_key,
        chr(30) as cost_driver_key,
        sum(daily.cost) as cost
    from daily
    group by daily.charge_date
),

last_day as (select max(daily.charge_date) as charge_date from daily),

scored as (
    select
        forecasts.scope,
        forecasts.feature,
        forecasts.cost_driver,
        coalesce(forecasts.feature, chr(30)) as feature_key,
        coalesce(forecasts.cost_driver, chr(30)) as cost_driver_key,
        forecasts.currency,
        forecasts.target_date,
        case
            when date_diff('day', cast(forecasts.forecast_made_at as date), forecasts.target_date) < 7
                then '1 week'
            when date_diff('day', cast(forecasts.forecast_made_at as date), forecasts.target_date) < 28
                then '4 weeks'
            else 'longer'
        end as horizon,
        coalesce(scopes.cost, cast(0 as decimal(38, 12))) as actual,
        forecasts.p50,
        case
            when coalesce(scopes.cost, cast(0 as decimal(38, 12))) between forecasts.p10 and forecasts.p90
                then 1
            else 0
        end as is_covered
    from forecasts
    inner join last_day on forecasts.target_date <= last_day.charge_date
    left join scopes
        on forecasts.scope = scopes.scope
        and forecasts.target_date = scopes.charge_date
        and coalesce(forecasts.feature, chr(30)) = scopes.feature_key
        and coalesce(forecasts.cost_driver, chr(30)) = scopes.cost_driver_key
    left join open_days on forecasts.target_date = open_days.charge_date
    where open_days.charge_date is null
        and forecasts.target_date > cast(forecasts.forecast_made_at as date)
        and forecasts.zone is null
),

summed as (
    select
        scored.scope,
        scored.feature,
        scored.cost_driver,
        scored.feature_key,
        scored.cost_driver_key,
        scored.currency,
        scored.horizon,
        count(*) as scored_days_count,
        min(scored.target_date) as first_date,
        max(scored.target_date) as last_date,
        sum(scored.actual) as actual,
        sum(abs(scored.p50 - scored.actual)) as absolute_error,
        sum(scored.p50 - scored.actual) as signed_error,
        sum(scored.is_covered) as covered_days
    from scored
    group by
        scored.scope,
        scored.feature,
        scored.cost_driver,
        scored.feature_key,
        scored.cost_driver_key,
        scored.currency,
        scored.horizon
),

units as (
    select
        summed.*,
        cast(cast(summed.actual as decimal(24, 6)) * cast(1000000 as decimal(7, 0)) as decimal(22, 0))
            as actual_units,
        cast(cast(summed.absolute_error as decimal(24, 6)) * cast(1000000 as decimal(7, 0)) as decimal(22, 0))
            as absolute_units,
        cast(cast(summed.signed_error as decimal(24, 6)) * cast(1000000 as decimal(7, 0)) as decimal(22, 0))
            as signed_units
    from summed
)

select
    units.scope,
    units.feature,
    units.cost_driver,
    units.feature_key,
    units.cost_driver_key,
    units.currency,
    units.horizon,
    cast(units.scored_days_count as bigint) as scored_days_count,
    units.first_date,
    units.last_date,
    cast(units.actual as decimal(38, 12)) as actual,
    case
        when units.actual_units > 0
            then cast(
                cast(idiv(units.absolute_units * 1000000, units.actual_units) as decimal(24, 0))
                * cast(0.000001 as decimal(7, 6)) as decimal(18, 12)
            )
    end as wape_share,
    case
        when units.actual_units > 0
            then cast(
                cast(idiv(units.signed_units * 1000000, units.actual_units) as decimal(24, 0))
                * cast(0.000001 as decimal(7, 6)) as decimal(18, 12)
            )
    end as bias_share,
    cast(
        cast(idiv(units.covered_days * 1000000, units.scored_days_count) as decimal(24, 0))
        * cast(0.000001 as decimal(7, 6)) as decimal(18, 12)
    ) as coverage_80_share
from units
