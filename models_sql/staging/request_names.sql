/*
description: >
    When each report of a call began, and the provider and model as its source names them: what a day's names are told from
    without reading a call's ids. A call that several sources report is here as often.
materialized: view
partition_by: {column: started_at, unit: day}
columns:
    started_at: null
    provider: as the source names it
    model: as the source names it
*/
with

source as (select * from lake.requests)

select
    source.started_at,
    source.provider,
    source.model
from source
