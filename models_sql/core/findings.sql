/*
description: >
    Findings about sources, passed through for the marts.
materialized: view
columns:
    source: null
    dataset: null
    kind: null
    severity: null
    message: null
    file: null
    finding_date: null
    finding_count: null
*/
with

source as (select * from staging.findings)

select
    source.source,
    source.dataset,
    source.kind,
    source.severity,
    source.message,
    source.file,
    source.finding_date,
    source.finding_count
from source
