/*
description: >
    How many rows each source and dataset holds per UTC day, passed through for the marts.
grain: [source, dataset, date]
materialized: view
columns:
    source: null
    dataset: null
    date: null
    rows: null
*/
with

source as (select * from staging.source_days)

select
    source.source,
    source.dataset,
    source.date,
    source.rows
from source
