/*
description: >
    How many reports of calls each source delivered of a day, provider and model, and which kinds of id they state: what
    tells whether two sources that saw the same calls could be found to have.
grain: [report_date, x_source, emitter_kind, provider, model]
materialized: table
partition_by: {column: report_date, unit: day}
columns:
    report_date: null
    x_source: null
    emitter_kind: null
    provider: as the source names it
    model: as the source names it
    reports: of calls, as delivered
    named_reports: null
    span_reports: null
    call_reports: null
*/
with

requests as (
    select *
    from lake.requests
    where started_at >= cast($start as timestamp) and started_at < cast($end as timestamp)
)

select
    cast(requests.started_at as date) as report_date,
    requests.x_source,
    requests.emitter_kind,
    requests.provider,
    requests.model,
    count(*) as reports,
    count(requests.provider_request_id) as named_reports,
    count(requests.span_id) as span_reports,
    count(requests.call_id) as call_reports
from requests
group by
    cast(requests.started_at as date),
    requests.x_source,
    requests.emitter_kind,
    requests.provider,
    requests.model
