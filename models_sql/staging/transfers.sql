/*
description: >
    Bytes from one zone to another in a window, by sending and receiving workload, as each source reports them: a flow
    that was recorded at both of its ends is here twice. `core.transfers` says which of them count.
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
    emitter_kind: null
    emitter_id: null
    seen_from: null
    seen_at: null
    through_ref: null
    from_ref_kind: null
    to_ref_kind: null
    min_round_trip_seconds: null
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
    source.round_trips_count,
    coalesce(source.emitter_kind, 'file') as emitter_kind,
    source.emitter_id,
    source.seen_from,
    source.seen_at,
    source.through_ref,
    source.from_ref_kind,
    source.to_ref_kind,
    source.min_round_trip_seconds
from source
