/*
description: >
    A deploy, scale-up or restart, once however often it was delivered, with the feature it belongs to: as stated, else as
    the inventory knows the replica, else its service where that has one feature. Requests name the same replica_id.
grain: [event_id]
materialized: table
partition_by: {column: event_at, unit: day}
columns:
    event_id: null
    event_at: null
    event_kind: null
    service: null
    feature: null
    replica_id: null
    detail: null
*/
with

events as (
    select *
    from staging.events
    where event_at >= cast($start as timestamp) and event_at < cast($end as timestamp)
),

workloads as (select * from staging.workloads),

told as (
    select
        events.event_at,
        events.event_kind,
        events.service,
        events.replica_id,
        events.workload_ref,
        events.detail,
        max(events.feature) as feature
    from events
    group by
        events.event_at,
        events.event_kind,
        events.service,
        events.replica_id,
        events.workload_ref,
        events.detail
),

replicas as (
    select
        told.event_at,
        told.workload_ref,
        max(workloads.feature) as feature,
        max(workloads.service) as service
    from (
        select
            event_at,
            workload_ref
        from told
        where workload_ref is not null
        group by event_at, workload_ref
    ) as told
    inner join workloads
        on told.workload_ref = workloads.workload_ref
        and (workloads.valid_from is null or told.event_at >= workloads.valid_from)
        and (workloads.valid_to is null or told.event_at < workloads.valid_to)
    group by told.event_at, told.workload_ref
),

service_features as (
    select
        workloads.service,
        max(workloads.feature) as feature
    from workloads
    where workloads.service is not null and workloads.feature is not null
    group by workloads.service
    having min(workloads.feature) = max(workloads.feature)
),

located as (
    select
        told.event_at,
        told.event_kind,
        coalesce(told.service, replicas.service) as service,
        told.replica_id,
        told.detail,
        coalesce(told.feature, replicas.feature, service_features.feature) as feature,
        md5(
            cast(told.event_at as varchar)
            || chr(31) || coalesce(told.event_kind, chr(30))
            || chr(31) || coalesce(told.service, chr(30))
            || chr(31) || coalesce(told.replica_id, chr(30))
            || chr(31) || coalesce(told.workload_ref, chr(30))
            || chr(31) || coalesce(told.detail, chr(30))
        ) as event_id
    from told
    left join replicas
        on told.event_at = replicas.event_at
        and told.workload_ref = replicas.workload_ref
    left join service_features
        on coalesce(told.service, replicas.service) = service_features.service
)

select
    located.event_id,
    located.event_at,
    located.event_kind,
    located.service,
    located.feature,
    located.replica_id,
    located.detail
from located
