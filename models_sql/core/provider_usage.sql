/*
description: >
    What providers counted, passed through for the marts.
materialized: view
partition_by: {column: bucket_start, unit: day}
columns:
    bucket_start: null
    bucket_end: null
    provider: null
    billing_account_id: null
    sub_account_id: null
    region_id: null
    api_key_id: null
    user_id: null
    model: null
    usage_kind: null
    token_class: null
    service_tier: null
    context_band: null
    usage_detail: null
    quantity: null
    unit: null
    is_final: null
*/
with

source as (select * from staging.provider_usage)

select
    source.bucket_start,
    source.bucket_end,
    source.provider,
    source.billing_account_id,
    source.sub_account_id,
    source.region_id,
    source.api_key_id,
    source.user_id,
    source.model,
    source.usage_kind,
    source.token_class,
    source.service_tier,
    source.context_band,
    source.usage_detail,
    source.quantity,
    source.unit,
    source.is_final
from source
