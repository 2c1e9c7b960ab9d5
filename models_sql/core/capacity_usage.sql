/*
description: Capacity per resource and hour; what was provisioned and not busy is idle.
grain: [provider, resource_id, hour_start, x_source]
materialized: table
partition_by: {column: hour_start, unit: day}
columns:
    hour_start: null
    x_source: null
    provider: null
    resource_id: null
    capacity_kind: null
    model: null
    zone: null
    provisioned_seconds: null
    busy_seconds: null
    idle_seconds: null
*/
with

capacity as (
    select *
    from staging.capacity
    where hour_start >= cast($start as timestamp) and hour_start < cast($end as timestamp)
)

select
    capacity.hour_start,
    capacity.x_source,
    capacity.provider,
    capacity.resource_id,
    max(capacity.capacity_kind) as capacity_kind,
    max(capacity.model) as model,
    max(capacity.zone) as zone,
    cast(sum(capacity.provisioned_seconds) as bigint) as provisioned_seconds,
    cast(sum(capacity.busy_seconds) as bigint) as busy_seconds,
    cast(sum(capacity.provisioned_seconds) - sum(capacity.busy_seconds) as bigint) as idle_seconds
from capacity
group by capacity.hour_start, capacity.x_source, capacity.provider, capacity.resource_id
