/*
description: >
    The day's usage by token class with the pools whose weights it is part of: its finest one, and any wider one that a
    bill line has which states less. Only rows whose pool is the leaf pool add up.
grain: [charge_date, usage_id, token_class, pool_key]
materialized: view
partition_by: {column: charge_date, unit: day}
columns:
    charge_date: null
    usage_id: null
    token_class: null
    pool_key: null
    leaf_pool_key: null
    owner_id: null
    provider: null
    model: null
    service_tier: null
    context_min_tokens: null
    sub_account_id: null
    region_id: null
    from_zone: null
    to_zone: null
    quantity_tokens: null
    requests: counted on one token class of a request only, so that they add up
    web_searches: as requests are
    price_id: null
    list_cost: null
    list_cost_currency: null
    unpriced_reason: null
*/
with

usage as (select * from core.usage_costs),

pools as (
    select *
    from core.usage_pools
    where pool_side = 'logged'
)

select
    usage.charge_date,
    usage.usage_id,
    usage.token_class,
    pools.pool_key,
    pools.leaf_pool_key,
    usage.owner_id,
    usage.provider,
    usage.model,
    usage.service_tier,
    usage.context_min_tokens,
    usage.sub_account_id,
    usage.region_id,
    usage.from_zone,
    usage.to_zone,
    usage.quantity_tokens,
    usage.requests,
    usage.web_searches,
    usage.price_id,
    usage.list_cost,
    usage.list_cost_currency,
    usage.unpriced_reason
from usage
inner join pools
    on usage.charge_date = pools.charge_date
    and usage.segment_key = pools.member_key
