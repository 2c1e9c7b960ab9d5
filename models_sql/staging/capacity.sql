/*
description: >
    One hour of a GPU host, endpoint or provisioned throughput: provisioned and busy seconds.
materialized: view
partition_by: {column: hour_start, unit: day}
columns:
    x_source: null
    x_snapshot_id: null
    hour_start: null
    provider: null
    resource_id: null
    capacity_kind: null
    model: null
    zone: null
    provisioned_seconds: null
    busy_seconds: null
*/
with

source as (select * from lake.capacity)

select
    source.x_source,
    source.x_snapshot_id,
    source.hour_start,
    source.provider,
    source.resource_id,
    source.capacity_kind,
    source.model,
    source.zone,
    source.provisioned_seconds,
    source.busy_seconds
from source
