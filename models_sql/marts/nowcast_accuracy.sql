/*
description: >
    How far days were off while their bill was not there yet, once it was: what published runs showed of a day (billed so
    far plus estimated), against what is billed now that the watermark has passed it. By provider, cost driver and model,
    and by how long ago the day had ended. Usage only, effective cost, in the billing currency.
grain: [scope, provider_key, cost_driver_key, model_key, billing_currency, age_days]
materialized: table
columns:
    scope: null
    provider: null
    cost_driver: null
    model: of inference
    provider_key: null
    cost_driver_key: null
    model_key: null
    billing_currency: null
    age_days: null
    scored_days_count: a day counts once for every run that estimated it
    first_date: null
    last_date: null
    nowcast_cost: null
    estimated_effective_cost: null
    actual_effective_cost: null
    wape_share: null
    bias_share: null
    worst_error_cost: null
    worst_date: null
*/
with

estimates as (select * from core.ledger_estimates),

coverage as (select * from core.bill_coverage),

cells as (
    select *
    from core.cells
    where cost_state <> 'estimated'
        and charge_category = 'Usage'
),

told_days as (
    select
        estimates.run_id,
        estimates.nowcast_made_at,
        estimates.age_days,
        estimates.charge_date,
        estimates.bill_of_record,
        estimates.provider
    from estimates
    group by
        estimates.run_id,
        estimates.nowcast_made_at,
        estimates.age_days,
        estimates.charge_date,
        estimates.bill_of_record,
        estimates.provider
),

watermarks as (
    select
        cast(date_trunc('month', coverage.billing_period_start) as date) as month_date,
        coverage.bill_of_record,
        coverage.provider,
        max(coverage.watermark_at) as watermark_at
    from coverage
    group by
        cast(date_trunc('month', coverage.billing_period_start) as date),
        coverage.bill_of_record,
        coverage.provider
),

settled_days as (
    select told_days.*
    from told_days
    inner join watermarks
        on told_days.bill_of_record = watermarks.bill_of_record
        and told_days.provider = watermarks.provider
        and cast(date_trunc('month', told_days.charge_date) as date) = watermarks.month_date
        and watermarks.watermark_at >= cast(told_days.charge_date as timestamp) + interval 1 day
),

billed as (
    select
        cells.charge_date,
        cells.bill_of_record,
        cells.provider,
        cells.cost_driver,
        case when cells.cost_driver = 'inference' then cells.model end as model,
        cells.billing_currency,
        sum(cells.effective_cost) as effective_cost
    from cells
    group by
        cells.charge_date,
        cells.bill_of_record,
        cells.provider,
        cells.cost_driver,
        case when cells.cost_driver = 'inference' then cells.model end,
        cells.billing_currency
),

sides as (
    select
        settled_days.run_id,
        settled_days.age_days,
        settled_days.charge_date,
        estimates.provider,
        estimates.cost_driver,
        estimates.model,
        estimates.billing_currency,
        estimates.estimated_effective_cost + estimates.billed_effective_cost as nowcast_cost,
        estimates.estimated_effective_cost,
        cast(0 as decimal(38, 12)) as actual_cost
    from settled_days
    inner join estimates
        on settled_days.run_id = estimates.run_id
        and settled_days.nowcast_made_at = estimates.nowcast_made_at
        and settled_days.charge_date = estimates.charge_date
        and settled_days.bill_of_record = estimates.bill_of_record
        and settled_days.provider = estimates.provider
    union all
    select
        settled_days.run_id,
        settled_days.age_days,
        settled_days.charge_date,
        billed.provider,
        billed.cost_driver,
        billed.model,
        billed.billing_currency,
        cast(0 as decimal(38, 12)) as nowcast_cost,
        cast(0 as decimal(38, 12)) as estimated_effective_cost,
        coalesce(billed.effective_cost, cast(0 as decimal(38, 12))) as actual_cost
    from settled_days
    inner join billed
        on settled_days.charge_date = billed.charge_date
        and settled_days.bill_of_record = billed.bill_of_record
        and settled_days.provider = billed.provider
),

scopes as (
    select 'model' as scope
    union all
    select 'cost_driver' as scope
    union all
    select 'total' as scope
),

scored as (
    select
        scopes.scope,
        sides.run_id,
        sides.age_days,
        sides.charge_date,
        case when scopes.scope <> 'total' then sides.provider end as provider,
        case when scopes.scope <> 'total' then sides.cost_driver end as cost_driver,
        case when scopes.scope = 'model' then sides.model end as model,
        sides.billing_currency,
        sum(sides.nowcast_cost) as nowcast_cost,
        sum(sides.estimated_effective_cost) as estimated_effective_cost,
        sum(sides.actual_cost) as actual_cost
    from sides
    cross join scopes
    group by
        scopes.scope,
        sides.run_id,
        sides.age_days,
        sides.charge_date,
        case when scopes.scope <> 'total' then sides.provider end,
        case when scopes.scope <> 'total' then sides.cost_driver end,
        case when scopes.scope = 'model' then sides.model end,
        sides.billing_currency
),

ranked as (
    select
        scored.*,
        coalesce(scored.provider, chr(30)) as provider_key,
        coalesce(scored.cost_driver, chr(30)) as cost_driver_key,
        coalesce(scored.model, chr(30)) as model_key,
        scored.nowcast_cost - scored.actual_cost as error_cost,
        row_number() over (
            partition by
                scored.scope,
                scored.provider,
                scored.cost_driver,
                scored.model,
                scored.billing_currency,
                scored.age_days
            order by
                abs(scored.nowcast_cost - scored.actual_cost) desc,
                scored.charge_date asc,
                scored.run_id asc
        ) as error_rank
    from scored
),

summed as (
    select
        ranked.scope,
        ranked.provider,
        ranked.cost_driver,
        ranked.model,
        ranked.provider_key,
        ranked.cost_driver_key,
        ranked.model_key,
        ranked.billing_currency,
        ranked.age_days,
        count(*) as scored_days_count,
        min(ranked.charge_date) as first_date,
        max(ranked.charge_date) as last_date,
        cast(sum(ranked.nowcast_cost) as decimal(38, 12)) as nowcast_cost,
        cast(sum(ranked.estimated_effective_cost) as decimal(38, 12)) as estimated_effective_cost,
        cast(sum(ranked.actual_cost) as decimal(38, 12)) as actual_effective_cost,
        cast(max(case when ranked.error_rank = 1 then ranked.error_cost end) as decimal(38, 12))
            as worst_error_cost,
        max(case when ranked.error_rank = 1 then ranked.charge_date end) as worst_date,
        cast(
            cast(sum(ranked.actual_cost) as decimal(24, 6)) * cast(1000000 as decimal(7, 0))
            as decimal(22, 0)
        ) as actual_units,
        cast(
            cast(sum(abs(ranked.error_cost)) as decimal(24, 6)) * cast(1000000 as decimal(7, 0))
            as decimal(22, 0)
        ) as absolute_units,
        cast(
            cast(sum(ranked.error_cost) as decimal(24, 6)) * cast(1000000 as decimal(7, 0))
            as decimal(22, 0)
        ) as signed_units
    from ranked
    group by
        ranked.scope,
        ranked.provider,
        ranked.cost_driver,
        ranked.model,
        ranked.provider_key,
        ranked.cost_driver_key,
        ranked.model_key,
        ranked.billing_currency,
        ranked.age_days
)

select
    summed.scope,
    summed.provider,
    summed.cost_driver,
    summed.model,
    summed.provider_key,
    summed.cost_driver_key,
    summed.model_key,
    summed.billing_currency,
    summed.age_days,
    cast(summed.scored_days_count as bigint) as scored_days_count,
    summed.first_date,
    summed.last_date,
    summed.nowcast_cost,
    summed.estimated_effective_cost,
    summed.actual_effective_cost,
    case
        when summed.actual_units > 0
            then cast(
                cast(
                    least(
                        idiv(summed.absolute_units * cast(1000000 as decimal(7, 0)), summed.actual_units),
                        999999999999
                    ) as decimal(24, 0)
                ) * cast(0.000001 as decimal(7, 6)) as decimal(18, 12)
            )
    end as wape_share,
    case
        when summed.actual_units > 0
            then cast(
                cast(
                    least(
                        idiv(summed.signed_units * cast(1000000 as decimal(7, 0)), summed.actual_units),
                        999999999999
                    ) as decimal(24, 0)
                ) * cast(0.000001 as decimal(7, 6)) as decimal(18, 12)
            )
    end as bias_share,
    summed.worst_error_cost,
    summed.worst_date
from summed
