/*
description: >
    Bytes from one zone to another in a window, by sending and receiving workload.
materialized: view
partition_by: {column: window_start, unit: day}
columns:
    x_source: null
    x_snapshot_id: null
    window_start: null
    window_end: null
    provider: null
    account_id: null
    traffic_kind: null
    from_zone: null
    to_zone: null
    from_workload_ref: null
    to_workload_ref: null
    bytes: null
    round_trips_count: null
*/
with

source as (select * from lake.transfers)

select
    source.x_source,
    source.x_snapshot_id,
    source.window_start,
    source.window_end,
    source.provider,
    source.account_id,
    source.traffic_kind,
    source.from_zone,
    source.to_zone,
    source.from_workload_ref,
    source.to_workload_ref,
    source.bytes,
    source.round_trips_count
from source
