/*
description: >
    A usage bucket as the provider itself counts it.
materialized: view
partition_by: {column: bucket_start, unit: day}
columns:
    x_source: null
    x_snapshot_id: null
    bucket_start: null
    bucket_end: null
    provider: null
    billing_account_id: null
    sub_account_id: null
    model: null
    token_class: null
    service_tier: null
    quantity: null
    unit: null
    requests: null
    is_final: null
*/
with

source as (select * from lake.provider_usage)

select
    source.x_source,
    source.x_snapshot_id,
    source.bucket_start,
    source.bucket_end,
    source.provider,
    source.billing_account_id,
    source.sub_account_id,
    source.model,
    source.token_class,
    source.service_tier,
    source.quantity,
    source.unit,
    source.requests,
    source.is_final
from source
