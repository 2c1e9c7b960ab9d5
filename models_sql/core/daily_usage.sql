/*
description: >
    Logged tokens of a day and their list price, by model and token class: what bill lines that are longer than a day
    are spread by. A few rows a day.
grain: [charge_date, provider, model, token_class]
materialized: table
partition_by: {column: charge_date, unit: day}
columns:
    charge_date: null
    provider: null
    model: null
    token_class: null
    quantity_tokens: null
    list_cost: null where some of it has no price, or prices are in several currencies
*/
with

usage as (
    select *
    from core.usage_costs
    where charge_date >= $start and charge_date < $end
        and provider is not null and model is not null
)

select
    usage.charge_date,
    usage.provider,
    usage.model,
    usage.token_class,
    cast(sum(usage.quantity_tokens) as bigint) as quantity_tokens,
    cast(
        case
            when count(usage.list_cost) = count(*)
                and min(usage.list_cost_currency) = max(usage.list_cost_currency)
                then sum(usage.list_cost)
        end as decimal(38, 12)
    ) as list_cost
from usage
group by usage.charge_date, usage.provider, usage.model, usage.token_class
