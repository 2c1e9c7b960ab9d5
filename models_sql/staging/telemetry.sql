/*
description: >
    Log, metric, trace or drift-detection volume of one emitter in a window.
materialized: view
partition_by: {column: window_start, unit: day}
columns:
    x_source: null
    x_snapshot_id: null
    window_start: null
    window_end: null
    provider: null
    account_id: null
    signal: null
    workload_ref: null
    volume_bytes: null
    volume_count: null
*/
with

source as (select * from lake.telemetry)

select
    source.x_source,
    source.x_snapshot_id,
    source.window_start,
    source.window_end,
    source.provider,
    source.account_id,
    source.signal,
    source.workload_ref,
    source.volume_bytes,
    source.volume_count
from source
