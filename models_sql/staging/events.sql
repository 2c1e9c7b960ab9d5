/*
description: >
    A deploy, scale-up or restart of a replica, as each delivery states it: a list that is written hourly states most
    events more than once.
materialized: view
partition_by: {column: event_at, unit: day}
columns:
    x_source: null
    x_snapshot_id: null
    event_at: null
    event_kind: null
    service: null
    feature: null
    replica_id: null
    workload_ref: null
    detail: null
*/
with

source as (select * from lake.events)

select
    source.x_source,
    source.x_snapshot_id,
    source.event_at,
    source.event_kind,
    source.service,
    source.feature,
    source.replica_id,
    source.workload_ref,
    source.detail
from source
