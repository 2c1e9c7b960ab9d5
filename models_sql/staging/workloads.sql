/*
description: >
    What an address, pod, log group or resource id belongs to, and when.
materialized: view
columns:
    x_source: null
    x_snapshot_id: null
    workload_ref: null
    ref_kind: null
    service: null
    feature: null
    endpoint: null
    team: null
    environment: null
    zone: null
    valid_from: null
    valid_to: null
*/
with

source as (select * from lake.workloads)

select
    source.x_source,
    source.x_snapshot_id,
    source.workload_ref,
    source.ref_kind,
    source.service,
    source.feature,
    source.endpoint,
    source.team,
    source.environment,
    source.zone,
    source.valid_from,
    source.valid_to
from source
