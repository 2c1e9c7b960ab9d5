/*
description: >
    Each configured source and dataset: state, newest delivery and newest day.
grain: [source, dataset]
materialized: view
columns:
    source: null
    connector: null
    dataset: null
    state: null
    last_delivered_at: null
    first_date: null
    last_date: null
    rows: null
    age_hours: null
*/
with

source as (select * from lake.source_status)

select
    source.source,
    source.connector,
    source.dataset,
    source.state,
    source.last_delivered_at,
    source.first_date,
    source.last_date,
    source.rows,
    source.age_hours
from source
