/*
description: >
    Days of a model on which the logs hold fewer, or more, of its billed tokens than the configured band allows, with the
    cost of what is missing or too much and the cause of most of it. Days that their bill does not cover yet are not here.
grain: [charge_date, finding, provider, model, currency]
materialized: table
partition_by: {column: charge_date, unit: day}
columns:
    charge_date: null
    finding: null
    provider: null
    model: null
    currency: null
    cause: null
    coverage_share: null
    difference_cost: above zero for both findings
*/
with

usage as (
    select *
    from core.reconciled_usage
    where charge_date >= $start and charge_date < $end
        and cost_state <> 'estimated'
        and model is not null
        and provider is not null
        and token_class is not null
),

settings as (select * from reference.settings),

/* Every billed key has one row of what is unexplained, so its quantities add up over these. */
quantities as (
    select
        usage.charge_date,
        usage.provider,
        usage.model,
        usage.currency,
        cast(sum(coalesce(usage.billed_quantity, usage.provider_quantity)) as decimal(22, 0))
            as whole_quantity,
        cast(sum(usage.logged_quantity) as decimal(22, 0)) as logged_quantity
    from usage
    where usage.cause = 'unexplained'
    group by usage.charge_date, usage.provider, usage.model, usage.currency
),

costs as (
    select
        usage.charge_date,
        usage.provider,
        usage.model,
        usage.currency,
        sum(case when usage.cause = 'bypass' then usage.difference_cost else 0 end) as bypass_cost,
        sum(case when usage.cause = 'unlogged' then usage.difference_cost else 0 end) as unlogged_cost,
        sum(case when usage.cause = 'over_logged' then -usage.difference_cost else 0 end) as surplus_cost
    from usage
    group by usage.charge_date, usage.provider, usage.model, usage.currency
),

judged as (
    select
        quantities.*,
        costs.bypass_cost,
        costs.unlogged_cost,
        costs.surplus_cost,
        case
            when quantities.logged_quantity * 1000000
                < quantities.whole_quantity * (1000000 - settings.coverage_band_ppm)
                then 'coverage_below_band'
            when quantities.logged_quantity * 1000000
                > quantities.whole_quantity * (1000000 + settings.coverage_band_ppm)
                then 'coverage_above_band'
        end as finding
    from quantities
    cross join settings
    inner join costs
        on quantities.charge_date = costs.charge_date
        and quantities.provider = costs.provider
        and quantities.model = costs.model
        and quantities.currency = costs.currency
    where quantities.whole_quantity > 0
)

select
    judged.charge_date,
    judged.finding,
    judged.provider,
    judged.model,
    judged.currency,
    case
        when judged.finding = 'coverage_above_band' then 'over_logged'
        when judged.bypass_cost > judged.unlogged_cost then 'bypass'
        else 'unlogged'
    end as cause,
    cast(
        cast(
            least(
                cast(
                    idiv(
                        judged.logged_quantity * cast(1000000000000 as decimal(13, 0)), judged.whole_quantity
                    ) as decimal(38, 0)
                ),
                cast(999999999999999999 as decimal(38, 0))
            ) as decimal(24, 0)
        ) * cast(0.000000000001 as decimal(13, 12)) as decimal(18, 12)
    ) as coverage_share,
    cast(
        case
            when judged.finding = 'coverage_above_band' then judged.surplus_cost
            else judged.bypass_cost + judged.unlogged_cost
        end as decimal(38, 12)
    ) as difference_cost
from judged
where judged.finding is not null
