/*
description: >
    A dated list price of one token class, as the price book or an override states it.
grain: [price_id]
materialized: view
columns:
    price_id: null
    snapshot_id: null
    published_at: null
    valid_from: null
    valid_to: null
    provider: null
    model: null
    token_class: null
    service_tier: null
    context_min_tokens: null
    region_id: null
    time_of_day_start: null
    time_of_day_end: null
    price_per_mtok: null
    currency: null
    price_rank: null
    is_override: null
    is_wrong_from_start: null
    price_source: null
*/
with

source as (select * from lake.prices)

select
    source.price_id,
    source.snapshot_id,
    source.published_at,
    source.valid_from,
    source.valid_to,
    source.provider,
    source.model,
    source.token_class,
    source.service_tier,
    source.context_min_tokens,
    source.region_id,
    source.time_of_day_start,
    source.time_of_day_end,
    source.price_per_mtok,
    source.currency,
    source.price_rank,
    source.is_override,
    source.is_wrong_from_start,
    source.price_source
from source
