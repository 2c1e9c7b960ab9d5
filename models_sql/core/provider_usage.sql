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
    model: null
    token_class: null
    service_tier: null
    quantity: null
    unit: null
    requests: null
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
    source.model,
    source.token_class,
    source.service_tier,
    source.quantity,
    source.unit,
    source.requests,
    source.is_final
from source
