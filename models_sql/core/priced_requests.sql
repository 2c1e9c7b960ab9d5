/*
description: One request at list price, at the price its day's rollup was priced with. Unknown is null and has a reason.
grain: [x_source, x_snapshot_id, request_id, token_class]
materialized: view
partition_by: {column: charge_date, unit: day}
columns:
    charge_date: null
    x_source: null
    x_snapshot_id: null
    request_id: null
    trace_id: null
    token_class: null
    quantity_tokens: null
    provider: null
    model: null
    service_tier: null
    context_min_tokens: null
    price_id: null
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
        coalesce(usage_costs.region_id, chr(30)) as region_key,
        min(usage_costs.price_id) as price_id,
        min(usage_costs.unpriced_reason) as unpriced_reason
    from core.usage_costs as usage_costs
    group by
        usage_costs.charge_date,
        usage_costs.provider,
        usage_costs.model,
        usage_costs.token_class,
        usage_costs.service_tier,
        usage_costs.context_min_tokens,
        coalesce(usage_costs.region_id, chr(30))
),

prices as (select * from staging.prices),

by_class as (
    select
        requests.charge_date,
        requests.x_source,
        requests.x_snapshot_id,
        requests.request_id,
        requests.trace_id,
        requests.provider,
        requests.model,
        requests.service_tier,
        requests.context_min_tokens,
        requests.region_id,
        'uncached_input_tokens' as token_class,
        requests.uncached_input_tokens as quantity_tokens
    from requests
    where requests.uncached_input_tokens > 0
    union all
    select
        requests.charge_date,
        requests.x_source,
        requests.x_snapshot_id,
        requests.request_id,
        requests.trace_id,
        requests.provider,
        requests.model,
        requests.service_tier,
        requests.context_min_tokens,
        requests.region_id,
        'cache_read_tokens' as token_class,
        requests.cache_read_tokens as quantity_tokens
    from requests
    where requests.cache_read_tokens > 0
    union all
    select
        requests.charge_date,
        requests.x_source,
        requests.x_snapshot_id,
        requests.request_id,
        requests.trace_id,
        requests.provider,
        requests.model,
        requests.service_tier,
        requests.context_min_tokens,
        requests.region_id,
        'cache_write_5m_tokens' as token_class,
        requests.cache_write_5m_tokens as quantity_tokens
    from requests
    where requests.cache_write_5m_tokens > 0
    union all
    select
        requests.charge_date,
        requests.x_source,
        requests.x_snapshot_id,
        requests.request_id,
        requests.trace_id,
        requests.provider,
        requests.model,
        requests.service_tier,
        requests.context_min_tokens,
        requests.region_id,
        'cache_write_1h_tokens' as token_class,
        requests.cache_write_1h_tokens as quantity_tokens
    from requests
    where requests.cache_write_1h_tokens > 0
    union all
    select
        requests.charge_date,
        requests.x_source,
        requests.x_snapshot_id,
        requests.request_id,
        requests.trace_id,
        requests.provider,
        requests.model,
        requests.service_tier,
        requests.context_min_tokens,
        requests.region_id,
        'output_tokens' as token_class,
        requests.output_tokens as quantity_tokens
    from requests
    where requests.output_tokens > 0
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
    named.x_source,
    named.x_snapshot_id,
    named.request_id,
    named.trace_id,
    named.token_class,
    named.quantity_tokens,
    named.priced_provider as provider,
    named.priced_model as model,
    named.service_tier,
    named.context_min_tokens,
    prices.price_id,
    cast(
        cast(
            idiv(
                2 * cast(named.quantity_tokens as decimal(19, 0)) * cast(
                    cast(prices.price_per_mtok as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
                    as decimal(18, 0)
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
    and coalesce(named.region_id, chr(30)) = segments.region_key
left join prices on segments.price_id = prices.price_id
