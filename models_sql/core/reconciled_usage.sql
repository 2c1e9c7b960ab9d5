/*
description: >
    Billed against logged, per day, provider, model and token class: what the bill counts, what the provider counts,
    what the logs hold, what list price would make of it, and the difference by cause. Aborted, sampled and lost calls
    leave the same trace, so they are one cause: unlogged. What a provider counted and nobody billed or logged is a row too.
materialized: table
partition_by: {column: charge_date, unit: day}
order_by: [charge_date, provider, billing_account_id, model, token_class, currency, cause]
columns:
    charge_date: null
    provider: null
    billing_account_id: null
    model: null
    token_class: null
    billed_quantity: null
    provider_quantity: null
    logged_quantity: null
    billed_cost: null
    priced_cost: null
    cause: null
    difference_cost: null
    difference_quantity: null
    coverage_share: null
    currency: null
*/
with

cells as (
    select *
    from core.cells
    where charge_date >= $start and charge_date < $end
        and cost_driver = 'inference'
        and charge_category = 'Usage'
),

usage as (
    select *
    from core.usage_costs
    where charge_date >= $start and charge_date < $end
),

facts as (
    select *
    from core.attributed_costs
    where charge_date >= $start and charge_date < $end
),

counts as (
    select *
    from core.provider_counts
    where charge_date >= $start and charge_date < $end
        and usage_kind = 'tokens'
),

counted as (
    select
        counts.charge_date,
        counts.provider,
        counts.model,
        counts.token_class,
        cast(sum(counts.quantity) as decimal(22, 0)) as provider_quantity
    from counts
    where counts.model is not null
    group by counts.charge_date, counts.provider, counts.model, counts.token_class
),

unlogged as (
    select
        facts.charge_date,
        facts.cell_id,
        sum(facts.effective_cost) as unlogged_cost,
        sum(facts.effective_cost_reporting) as unlogged_cost_reporting
    from facts
    where facts.residual_reason = 'unlogged_usage'
    group by facts.charge_date, facts.cell_id
),

billed as (
    select
        cells.charge_date,
        cells.provider,
        cells.billing_account_id,
        cells.model,
        cells.token_class,
        cells.billing_currency as currency,
        sum(cells.billed_quantity) as billed_quantity,
        sum(cells.logged_quantity) as logged_quantity,
        sum(cells.billed_cost) as billed_cost,
        sum(cells.effective_cost) as effective_cost,
        sum(cells.list_cost) as list_cost,
        sum(unlogged.unlogged_cost) as unlogged_cost,
        sum(cells.billed_cost_reporting) as billed_cost_reporting,
        sum(cells.effective_cost_reporting) as effective_cost_reporting,
        sum(cells.list_cost_reporting) as list_cost_reporting,
        sum(unlogged.unlogged_cost_reporting) as unlogged_cost_reporting,
        min(cells.coverage_share) as coverage_share,
        max(case when cells.is_over_logged then 1 else 0 end) as over_logged_cells
    from cells
    left join unlogged
        on cells.charge_date = unlogged.charge_date
        and cells.cell_id = unlogged.cell_id
    where cells.cost_state <> 'estimated'
    group by
        cells.charge_date,
        cells.provider,
        cells.billing_account_id,
        cells.model,
        cells.token_class,
        cells.billing_currency
),

priced as (
    select
        usage.charge_date,
        usage.provider,
        usage.model,
        usage.token_class,
        usage.list_cost_currency,
        sum(usage.quantity_tokens) as logged_quantity,
        sum(usage.list_cost) as priced_cost,
        max(usage.unpriced_reason) as unpriced_reason
    from usage
    group by usage.charge_date, usage.provider, usage.model, usage.token_class, usage.list_cost_currency
),

billed_pools as (
    select
        billed.charge_date,
        billed.provider,
        billed.model,
        billed.token_class
    from billed
    group by billed.charge_date, billed.provider, billed.model, billed.token_class
),

/* Logs, and many counts, do not know the billing account: of several, each has the share of them that it has of the bill. */
cumulated as (
    select
        billed.*,
        sum(billed.logged_quantity) over (
            partition by billed.charge_date, billed.provider, billed.model, billed.token_class
        ) as pool_logged_quantity,
        cast(
            sum(greatest(coalesce(billed.billed_quantity, 0), 0)) over (
                partition by billed.charge_date, billed.provider, billed.model, billed.token_class
                order by coalesce(billed.billing_account_id, chr(30)), billed.currency
                rows between unbounded preceding and current row
            ) as decimal(26, 0)
        ) as until_quantity,
        cast(
            sum(greatest(coalesce(billed.billed_quantity, 0), 0)) over (
                partition by billed.charge_date, billed.provider, billed.model, billed.token_class
            ) as decimal(26, 0)
        ) as total_quantity,
        row_number() over (
            partition by billed.charge_date, billed.provider, billed.model, billed.token_class
            order by coalesce(billed.billing_account_id, chr(30)), billed.currency
        ) as account_position,
        count(*) over (
            partition by billed.charge_date, billed.provider, billed.model, billed.token_class
        ) as accounts
    from billed
),

sized as (
    select
        cumulated.*,
        cast(
            case
                when cumulated.total_quantity > 0
                    then idiv(
                        cumulated.until_quantity * cast(1000000000 as decimal(10, 0)),
                        cumulated.total_quantity
                    )
                else idiv(cumulated.account_position * 1000000000, cumulated.accounts)
            end as decimal(15, 0)
        ) as until_share
    from cumulated
),

shares as (
    select
        sized.*,
        coalesce(
            lag(sized.until_share) over (
                partition by sized.charge_date, sized.provider, sized.model, sized.token_class
                order by coalesce(sized.billing_account_id, chr(30)), sized.currency
            ),
            cast(0 as decimal(15, 0))
        ) as before_share
    from sized
),

priced_units as (
    select
        priced.*,
        cast(
            cast(priced.priced_cost as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as cost_units
    from priced
),

totals as (
    select
        billed.charge_date,
        billed.provider,
        billed.billing_account_id,
        billed.model,
        billed.token_class,
        billed.billed_quantity,
        idiv(cast(billed.pool_logged_quantity as decimal(22, 0)) * billed.until_share, 1000000000)
        - idiv(cast(billed.pool_logged_quantity as decimal(22, 0)) * billed.before_share, 1000000000)
            as logged_quantity,
        idiv(counted.provider_quantity * billed.until_share, 1000000000)
        - idiv(counted.provider_quantity * billed.before_share, 1000000000) as provider_quantity,
        billed.coverage_share,
        billed.over_logged_cells,
        cast(
            cast(
                idiv(priced.cost_units * billed.until_share, 1000000000)
                - idiv(priced.cost_units * billed.before_share, 1000000000) as decimal(24, 0)
            ) * cast(0.000000000001 as decimal(13, 12)) as decimal(38, 12)
        ) as priced_cost,
        priced.unpriced_reason,
        case
            when priced.list_cost_currency = $reporting_currency then $reporting_currency
            else billed.currency
        end as currency,
        case
            when priced.list_cost_currency = $reporting_currency then billed.billed_cost_reporting
            else billed.billed_cost
        end as billed_cost,
        case
            when priced.list_cost_currency = $reporting_currency then billed.effective_cost_reporting
            else billed.effective_cost
        end as effective_cost,
        case
            when priced.list_cost_currency = $reporting_currency then billed.list_cost_reporting
            else billed.list_cost
        end as list_cost,
        case
            when priced.list_cost_currency = $reporting_currency then billed.unlogged_cost_reporting
            else billed.unlogged_cost
        end as unlogged_cost
    from shares as billed
    left join priced_units as priced
        on billed.charge_date = priced.charge_date
        and billed.provider = priced.provider
        and billed.model = priced.model
        and billed.token_class = priced.token_class
        and (billed.currency = priced.list_cost_currency or priced.list_cost_currency = $reporting_currency)
    left join counted
        on billed.charge_date = counted.charge_date
        and billed.provider = counted.provider
        and billed.model = counted.model
        and billed.token_class = counted.token_class
),

priced_pools as (
    select
        priced.charge_date,
        priced.provider,
        priced.model,
        priced.token_class
    from priced
    group by priced.charge_date, priced.provider, priced.model, priced.token_class
)

select
    totals.charge_date,
    totals.provider,
    totals.billing_account_id,
    totals.model,
    totals.token_class,
    cast(totals.billed_quantity as decimal(38, 12)) as billed_quantity,
    cast(totals.provider_quantity as decimal(38, 12)) as provider_quantity,
    cast(totals.logged_quantity as decimal(38, 12)) as logged_quantity,
    cast(totals.billed_cost as decimal(38, 12)) as billed_cost,
    cast(totals.priced_cost as decimal(38, 12)) as priced_cost,
    'unlogged' as cause,
    cast(totals.unlogged_cost as decimal(38, 12)) as difference_cost,
    cast(totals.billed_quantity - coalesce(totals.logged_quantity, 0) as decimal(38, 12))
        as difference_quantity,
    totals.coverage_share,
    totals.currency
from totals
where totals.unlogged_cost is not null
union all
select
    totals.charge_date,
    totals.provider,
    totals.billing_account_id,
    totals.model,
    totals.token_class,
    cast(totals.billed_quantity as decimal(38, 12)) as billed_quantity,
    cast(totals.provider_quantity as decimal(38, 12)) as provider_quantity,
    cast(totals.logged_quantity as decimal(38, 12)) as logged_quantity,
    cast(totals.billed_cost as decimal(38, 12)) as billed_cost,
    cast(totals.priced_cost as decimal(38, 12)) as priced_cost,
    'discount' as cause,
    cast(totals.effective_cost - totals.list_cost as decimal(38, 12)) as difference_cost,
    cast(null as decimal(38, 12)) as difference_quantity,
    totals.coverage_share,
    totals.currency
from totals
where totals.effective_cost <> totals.list_cost
union all
select
    totals.charge_date,
    totals.provider,
    totals.billing_account_id,
    totals.model,
    totals.token_class,
    cast(totals.billed_quantity as decimal(38, 12)) as billed_quantity,
    cast(totals.provider_quantity as decimal(38, 12)) as provider_quantity,
    cast(totals.logged_quantity as decimal(38, 12)) as logged_quantity,
    cast(totals.billed_cost as decimal(38, 12)) as billed_cost,
    cast(totals.priced_cost as decimal(38, 12)) as priced_cost,
    case
        when totals.priced_cost is null then 'not_priced'
        when totals.over_logged_cells > 0 then 'over_logged'
        else 'unexplained'
    end as cause,
    cast(
        totals.effective_cost - totals.priced_cost - coalesce(totals.unlogged_cost, 0)
        - (totals.effective_cost - totals.list_cost) as decimal(38, 12)
    ) as difference_cost,
    cast(null as decimal(38, 12)) as difference_quantity,
    totals.coverage_share,
    totals.currency
from totals
union all
select
    priced.charge_date,
    priced.provider,
    cast(null as varchar) as billing_account_id,
    priced.model,
    priced.token_class,
    cast(null as decimal(38, 12)) as billed_quantity,
    cast(counted.provider_quantity as decimal(38, 12)) as provider_quantity,
    cast(priced.logged_quantity as decimal(38, 12)) as logged_quantity,
    cast(null as decimal(38, 12)) as billed_cost,
    cast(priced.priced_cost as decimal(38, 12)) as priced_cost,
    'logged_without_bill' as cause,
    cast(null as decimal(38, 12)) as difference_cost,
    cast(-priced.logged_quantity as decimal(38, 12)) as difference_quantity,
    cast(null as decimal(18, 12)) as coverage_share,
    priced.list_cost_currency as currency
from priced
left join billed_pools
    on priced.charge_date = billed_pools.charge_date
    and priced.provider = billed_pools.provider
    and coalesce(priced.model, chr(30)) = coalesce(billed_pools.model, chr(30))
    and priced.token_class = billed_pools.token_class
left join counted
    on priced.charge_date = counted.charge_date
    and priced.provider = counted.provider
    and priced.model = counted.model
    and priced.token_class = counted.token_class
where billed_pools.provider is null
union all
select
    counted.charge_date,
    counted.provider,
    cast(null as varchar) as billing_account_id,
    counted.model,
    counted.token_class,
    cast(null as decimal(38, 12)) as billed_quantity,
    cast(counted.provider_quantity as decimal(38, 12)) as provider_quantity,
    cast(null as decimal(38, 12)) as logged_quantity,
    cast(null as decimal(38, 12)) as billed_cost,
    cast(null as decimal(38, 12)) as priced_cost,
    'counted_without_bill' as cause,
    cast(null as decimal(38, 12)) as difference_cost,
    cast(-counted.provider_quantity as decimal(38, 12)) as difference_quantity,
    cast(null as decimal(18, 12)) as coverage_share,
    $reporting_currency as currency
from counted
left join billed_pools
    on counted.charge_date = billed_pools.charge_date
    and counted.provider = billed_pools.provider
    and counted.model = billed_pools.model
    and counted.token_class = billed_pools.token_class
left join priced_pools
    on counted.charge_date = priced_pools.charge_date
    and counted.provider = priced_pools.provider
    and counted.model = priced_pools.model
    and counted.token_class = priced_pools.token_class
where billed_pools.provider is null and priced_pools.provider is null
