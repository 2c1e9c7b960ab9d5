/*
description: >
    Capacity per hour, resource and replica, of one source where several measure a resource in an hour: the one that knows
    the running requests before one that states busy time, one that knows the device's use and one that knows who reserved
    it. What was provisioned and not busy is idle; what nobody measured is not here.
grain: [hour_start, resource_id, replica_key]
materialized: table
partition_by: {column: hour_start, unit: day}
columns:
    hour_start: null
    resource_id: in lower case, as pools and cells compare it
    replica_key: empty where a resource has no replicas
    x_source: null
    provider: null
    account_id: null
    capacity_kind: null
    model: null
    zone: null
    provisioned_seconds: null
    provisioned_units: null
    busy_seconds: null
    idle_seconds: null
    busy_basis: null
    requests: null
    input_tokens: null
    cache_read_tokens: null
    output_tokens: null
    prefill_seconds: null
    decode_seconds: null
    utilisation_share: null
    kv_cache_share: null
checks:
    - name: capacity_is_busy_within_its_hour
      severity: fail
      by: partition
      description: Busy time lies within provisioned time.
      sql: >
        select resource_id, hour_start from core.capacity_usage
        where busy_seconds > provisioned_seconds or busy_seconds < 0
*/
with

capacity as (
    select
        capacity.*,
        lower(capacity.resource_id) as resource_key,
        coalesce(capacity.replica_id, '') as replica_key,
        case capacity.busy_basis
            when 'requests' then 1
            when 'stated' then 2
            when 'utilisation' then 3
            else 4
        end as basis_rank
    from staging.capacity as capacity
    where capacity.hour_start >= cast($start as timestamp) and capacity.hour_start < cast($end as timestamp)
        and capacity.busy_seconds is not null
        and capacity.provisioned_seconds > 0
),

/* A source, and what it goes by, is taken whole for an hour of a resource: half of it and half of another would count replicas twice. */
sources as (
    select
        capacity.hour_start,
        capacity.resource_key,
        capacity.x_source,
        capacity.basis_rank,
        row_number() over (
            partition by capacity.hour_start, capacity.resource_key
            order by capacity.basis_rank, capacity.x_source
        ) as source_rank
    from capacity
    group by capacity.hour_start, capacity.resource_key, capacity.x_source, capacity.basis_rank
),

merged as (
    select
        capacity.hour_start,
        capacity.resource_key as resource_id,
        capacity.replica_key,
        capacity.x_source,
        max(capacity.provider) as provider,
        max(capacity.account_id) as account_id,
        max(capacity.capacity_kind) as capacity_kind,
        max(capacity.model) as model,
        max(capacity.zone) as zone,
        cast(least(sum(capacity.provisioned_seconds), 3600) as bigint) as provisioned_seconds,
        cast(max(capacity.provisioned_units) as bigint) as provisioned_units,
        cast(
            least(sum(capacity.busy_seconds), sum(capacity.provisioned_seconds), 3600) as bigint
        ) as busy_seconds,
        min(capacity.busy_basis) as busy_basis,
        cast(sum(capacity.requests) as bigint) as requests,
        cast(sum(capacity.input_tokens) as bigint) as input_tokens,
        cast(sum(capacity.cache_read_tokens) as bigint) as cache_read_tokens,
        cast(sum(capacity.output_tokens) as bigint) as output_tokens,
        cast(sum(capacity.prefill_seconds) as decimal(18, 6)) as prefill_seconds,
        cast(sum(capacity.decode_seconds) as decimal(18, 6)) as decode_seconds,
        max(capacity.utilisation_share) as utilisation_share,
        max(capacity.kv_cache_share) as kv_cache_share
    from capacity
    inner join sources
        on capacity.hour_start = sources.hour_start
        and capacity.resource_key = sources.resource_key
        and capacity.x_source = sources.x_source
        and capacity.basis_rank = sources.basis_rank
        and sources.source_rank = 1
    group by capacity.hour_start, capacity.resource_key, capacity.replica_key, capacity.x_source
)

select
    merged.hour_start,
    merged.resource_id,
    merged.replica_key,
    merged.x_source,
    merged.provider,
    merged.account_id,
    merged.capacity_kind,
    merged.model,
    merged.zone,
    merged.provisioned_seconds,
    merged.provisioned_units,
    merged.busy_seconds,
    cast(merged.provisioned_seconds - merged.busy_seconds as bigint) as idle_seconds,
    merged.busy_basis,
    merged.requests,
    merged.input_tokens,
    merged.cache_read_tokens,
    merged.output_tokens,
    merged.prefill_seconds,
    merged.decode_seconds,
    merged.utilisation_share,
    merged.kv_cache_share
from merged
