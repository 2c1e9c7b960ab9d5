/*
description: >
    One hour of a GPU host, endpoint or provisioned throughput, or of a replica in it: provisioned and busy seconds, as
    far as they were measured, and what was served.
materialized: view
partition_by: {column: hour_start, unit: day}
columns:
    x_source: null
    x_snapshot_id: null
    hour_start: null
    provider: null
    account_id: null
    resource_id: null
    replica_id: null
    capacity_kind: null
    model: null
    zone: null
    provisioned_seconds: null
    provisioned_units: null
    busy_seconds: null where the source cannot tell
    busy_basis: null
    requests: null
    input_tokens: null
    cache_read_tokens: null
    output_tokens: null
    prefill_seconds: null
    decode_seconds: null
    utilisation_share: null
    kv_cache_share: null
*/
with

source as (select * from lake.capacity)

select
    source.x_source,
    source.x_snapshot_id,
    source.hour_start,
    source.provider,
    source.account_id,
    source.resource_id,
    source.replica_id,
    source.capacity_kind,
    source.model,
    source.zone,
    source.provisioned_seconds,
    source.provisioned_units,
    source.busy_seconds,
    source.busy_basis,
    source.requests,
    source.input_tokens,
    source.cache_read_tokens,
    source.output_tokens,
    source.prefill_seconds,
    source.decode_seconds,
    source.utilisation_share,
    source.kv_cache_share
from source
