/*
description: >
    How many rows each source and dataset holds per UTC day, as its current files say.
grain: [source, dataset, date]
materialized: view
columns:
    source: null
    dataset: null
    date: null
    rows: null
*/
with

source as (select * from lake.source_days)

select
    source.source,
    source.dataset,
    source.date,
    source.rows
from source
