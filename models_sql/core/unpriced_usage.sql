/*
description: >
    The day's tokens without a list price, with the price that they likely have: the median of what the same provider
    (where it has none: any provider) asks for tokens of that class on that day. An estimate to see what is at stake,
    never a cost.
grain: [charge_date, usage_id, token_class]
materialized: table
partition_by: {column: charge_date, unit: day}
columns:
    charge_date: null
    usage_id: null
    token_class: null
    provider: null
    model: null
    unpriced_reason: null
    requests: null
    quantity_tokens: null
    likely_price_per_mtok: null
    likely_price_basis: null
    likely_cost: null
    likely_cost_currency: null
*/
with

usage as (
    select
        costs.charge_date,
        costs.usage_id,
        costs.token_class,
        costs.provider,
        coalesce(costs.model, logged.model) as model,
        costs.unpriced_reason,
        costs.requests,
        costs.quantity_tokens
    from core.usage_costs as costs
    left join core.request_usage as logged
        on costs.charge_date = logged.charge_date and costs.usage_id = logged.usage_id
    where costs.charge_date >= $start and costs.charge_date < $end and costs.unpriced_reason is not null
),

asked as (
    select
        usage.charge_date,
        usage.provider,
        usage.token_class
    from usage
    where usage.quantity_tokens > 0
    group by usage.charge_date, usage.provider, usage.token_class
),

days as (
    select
        asked.charge_date,
        asked.token_class
    from asked
    group by asked.charge_date, asked.token_class
),

prices as (
    select *
    from core.dated_prices
    where
        price_rank > 2 and service_tier = 'standard' and context_min_tokens = 0 and region_id is null
        and currency = 'USD' and price_per_mtok > 0 and coalesce(time_of_day_start, '00:00') = '00:00'
),

listed as (
    select
        days.charge_date,
        days.token_class,
        prices.provider,
        prices.model,
        max(prices.price_per_mtok) as price_per_mtok
    from days
    inner join prices
        on days.token_class = prices.token_class
        and (prices.applies_from is null or cast(days.charge_date as timestamp) >= prices.applies_from)
        and (prices.applies_to is null or cast(days.charge_date as timestamp) < prices.applies_to)
        and (prices.valid_from is null or cast(days.charge_date as timestamp) >= prices.valid_from)
        and (prices.valid_to is null or cast(days.charge_date as timestamp) < prices.valid_to)
    group by days.charge_date, days.token_class, prices.provider, prices.model
),

ordered as (
    select
        listed.charge_date,
        listed.token_class,
        listed.provider,
        listed.price_per_mtok,
        row_number() over (
            partition by listed.charge_date, listed.token_class, listed.provider
            order by listed.price_per_mtok, listed.model
        ) as provider_rank,
        count(*) over (
            partition by listed.charge_date, listed.token_class, listed.provider
        ) as provider_models,
        row_number() over (
            partition by listed.charge_date, listed.token_class
            order by listed.price_per_mtok, listed.provider, listed.model
        ) as any_rank,
        count(*) over (partition by listed.charge_date, listed.token_class) as any_models
    from listed
),

provider_medians as (
    select
        ordered.charge_date,
        ordered.token_class,
        ordered.provider,
        ordered.price_per_mtok
    from ordered
    where ordered.provider_rank = idiv(ordered.provider_models + 1, 2)
),

any_medians as (
    select
        ordered.charge_date,
        ordered.token_class,
        ordered.price_per_mtok
    from ordered
    where ordered.any_rank = idiv(ordered.any_models + 1, 2)
),

likely as (
    select
        usage.*,
        coalesce(provider_medians.price_per_mtok, any_medians.price_per_mtok) as likely_price_per_mtok,
        case
            when provider_medians.price_per_mtok is not null then 'median_of_provider'
            when any_medians.price_per_mtok is not null then 'median_of_all'
        end as likely_price_basis
    from usage
    left join provider_medians
        on usage.charge_date = provider_medians.charge_date
        and usage.token_class = provider_medians.token_class
        and usage.provider = provider_medians.provider
    left join any_medians
        on usage.charge_date = any_medians.charge_date
        and usage.token_class = any_medians.token_class
)

select
    likely.charge_date,
    likely.usage_id,
    likely.token_class,
    likely.provider,
    likely.model,
    likely.unpriced_reason,
    likely.requests,
    likely.quantity_tokens,
    likely.likely_price_per_mtok,
    likely.likely_price_basis,
    cast(
        cast(
            idiv(
                2 * cast(likely.quantity_tokens as decimal(19, 0)) * cast(
                    cast(likely.likely_price_per_mtok as decimal(24, 12))
                    * cast(1000000000000 as decimal(13, 0)) as decimal(18, 0)
                ) + 1000000,
                2000000
            ) as decimal(24, 0)
        ) * cast(0.000000000001 as decimal(13, 12)) as decimal(38, 12)
    ) as likely_cost,
    case when likely.likely_price_per_mtok is not null then 'USD' end as likely_cost_currency
from likely
