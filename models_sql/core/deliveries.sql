/*
description: >
    What every source delivered and when, passed through for the marts.
materialized: view
columns:
    source: null
    dataset: null
    scope: null
    period: null
    snapshot_id: null
    delivered_at: null
    fetched_at: null
    rows: null
    is_current: null
*/
with

source as (select * from staging.deliveries)

select
    source.source,
    source.dataset,
    source.scope,
    source.period,
    source.snapshot_id,
    source.delivered_at,
    source.fetched_at,
    source.rows,
    source.is_current
from source
