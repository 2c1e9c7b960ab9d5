/*
description: One request at list price, at the price its day's rollup was priced with. Unknown is null and has a reason.
grain: [request_id, token_class]
materialized: view
partition_by: {column: charge_date, unit: day}
columns:
    charge_date: null
    request_id: null
    trace_id: null
    token_class: null
    quantity_tokens: null
    provider: null
    model: null
    service_tier: null
    context_min_tokens: null
    time_of_day_start: null
    price_id: null
    audio_price_id: null
    image_price_id: null
    list_cost: null
    list_cost_currency: null
    unpriced_reason: null
*/
with

requests as (select * from core.identified_requests),

names as (select * from core.model_names),

segments as (
    select
        usage_costs.charge_date,
        usage_costs.provider,
        usage_costs.model,
        usage_costs.token_class,
        usage_costs.service_tier,
        usage_costs.context_min_tokens,
        coalesce(usage_costs.time_of_day_start, chr(30)) as time_key,
        coalesce(usage_costs.region_id, chr(30)) as region_key,
        min(usage_costs.price_id) as price_id,
        min(usage_costs.audio_price_id) as audio_price_id,
        min(usage_costs.image_price_id) as image_price_id,
        min(usage_costs.unpriced_reason) as unpriced_reason
    from core.usage_costs as usage_costs
    group by
        usage_costs.charge_date,
        usage_costs.provider,
        usage_costs.model,
        usage_costs.token_class,
        usage_costs.service_tier,
        usage_costs.context_min_tokens,
        coalesce(usage_costs.time_of_day_start, chr(30)),
        coalesce(usage_costs.region_id, chr(30))
),

prices as (
    select
        prices.price_id,
        prices.currency,
        cast(
            cast(prices.price_per_mtok as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(19, 0)
        ) as price_units
    from staging.prices as prices
),

token_classes as (
    select 'uncached_input_tokens' as token_class
    union all
    select 'cache_read_tokens' as token_class
    union all
    select 'cache_write_5m_tokens' as token_class
    union all
    select 'cache_write_1h_tokens' as token_class
    union all
    select 'output_tokens' as token_class
),

crossed as (
    select
        requests.charge_date,
        requests.request_id,
        requests.trace_id,
        requests.provider,
        requests.model,
        requests.service_tier,
        requests.context_min_tokens,
        requests.time_of_day_start,
        requests.region_id,
        token_classes.token_class,
        case token_classes.token_class
            when 'uncached_input_tokens' then requests.uncached_input_tokens
            when 'cache_read_tokens' then requests.cache_read_tokens
            when 'cache_write_5m_tokens' then requests.cache_write_5m_tokens
            when 'cache_write_1h_tokens' then requests.cache_write_1h_tokens
            else requests.output_tokens
        end as quantity_tokens,
        case token_classes.token_class
            when 'uncached_input_tokens' then coalesce(requests.uncached_audio_tokens, 0)
            when 'cache_read_tokens' then coalesce(requests.cache_read_audio_tokens, 0)
            when 'output_tokens' then coalesce(requests.output_audio_tokens, 0)
            else 0
        end as audio_tokens,
        case token_classes.token_class
            when 'uncached_input_tokens' then coalesce(requests.uncached_image_tokens, 0)
            when 'cache_read_tokens' then coalesce(requests.cache_read_image_tokens, 0)
            when 'output_tokens' then coalesce(requests.output_image_tokens, 0)
            else 0
        end as image_tokens
    from requests
    cross join token_classes
),

by_class as (
    select * from crossed
    where crossed.quantity_tokens > 0
),

named as (
    select
        by_class.*,
        names.provider as priced_provider,
        names.model as priced_model
    from by_class
    left join names
        on by_class.charge_date = names.charge_date
        and coalesce(by_class.provider, chr(30)) = coalesce(names.logged_provider, chr(30))
        and coalesce(by_class.model, chr(30)) = coalesce(names.logged_model, chr(30))
)

select
    named.charge_date,
    named.request_id,
    named.trace_id,
    named.token_class,
    named.quantity_tokens,
    named.priced_provider as provider,
    named.priced_model as model,
    named.service_tier,
    named.context_min_tokens,
    named.time_of_day_start,
    prices.price_id,
    audio_prices.price_id as audio_price_id,
    image_prices.price_id as image_price_id,
    cast(
        cast(
            idiv(
                2 * (
                    cast(
                        named.quantity_tokens - named.audio_tokens - named.image_tokens as decimal(18, 0)
                    ) * prices.price_units
                    + cast(named.audio_tokens as decimal(18, 0))
                    * coalesce(audio_prices.price_units, prices.price_units)
                    + cast(named.image_tokens as decimal(18, 0))
                    * coalesce(image_prices.price_units, prices.price_units)
                ) + 1000000,
                2000000
            ) as decimal(24, 0)
        ) * cast(0.000000000001 as decimal(13, 12)) as decimal(38, 12)
    ) as list_cost,
    prices.currency as list_cost_currency,
    segments.unpriced_reason
from named
left join segments
    on named.charge_date = segments.charge_date
    and coalesce(named.priced_provider, chr(30)) = coalesce(segments.provider, chr(30))
    and coalesce(named.priced_model, chr(30)) = coalesce(segments.model, chr(30))
    and named.token_class = segments.token_class
    and named.service_tier = segments.service_tier
    and named.context_min_tokens = segments.context_min_tokens
    and coalesce(named.time_of_day_start, chr(30)) = segments.time_key
    and coalesce(named.region_id, chr(30)) = segments.region_key
left join prices on segments.price_id = prices.price_id
left join prices as audio_prices
    on segments.audio_price_id = audio_prices.price_id and named.audio_tokens > 0
left join prices as image_prices
    on segments.image_price_id = image_prices.price_id and named.image_tokens > 0
