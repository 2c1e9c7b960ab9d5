/*
description: >
    Which ids of a day's reports need a closer look: those that more than one report states, those of reports without a
    provider's id whose span or call id another report states too, those of spans that the tree of another file says
    more about, and further parts of such a response. The hour on either side of a midnight is looked at together. All other reports are attempts as they are,
    so a company with one source pays for little more than finding nothing here.
grain: [report_date, request_id]
materialized: table
partition_by: {column: report_date, unit: day}
reads:
    lake.requests: {days_before: 1, days_after: 1}
    staging.span_links: {days_before: 0, days_after: 0}
columns:
    report_date: null
    request_id: null
*/
with

/* Ids stated twice anywhere in the window: hardly any where one source delivers, and all that the next steps look at. */
known_ids as (
    select requests.request_id
    from lake.requests as requests
    where requests.started_at >= cast($start as timestamp) - interval 1 hour
        and requests.started_at < cast($end as timestamp) + interval 1 hour
        and not starts_with(requests.request_id, 'row:')
    group by requests.request_id
    having count(*) > 1
),

known as (
    select
        cast(requests.started_at as date) as report_date,
        case extract(hour from requests.started_at)
            when 0 then cast(requests.started_at as date)
            when 23 then cast(cast(requests.started_at as date) + interval 1 day as date)
        end as midnight_date,
        requests.request_id
    from lake.requests as requests
    inner join known_ids on requests.request_id = known_ids.request_id
    where requests.started_at >= cast($start as timestamp) - interval 1 hour
        and requests.started_at < cast($end as timestamp) + interval 1 hour
),

/* The last hour of a day and the first of the next are a scope of their own, named by their midnight. */
stated as (
    select
        known.report_date,
        cast(known.report_date as timestamp) + interval 12 hour as scope_at,
        known.request_id
    from known
    union all
    select
        known.report_date,
        cast(known.midnight_date as timestamp) as scope_at,
        known.request_id
    from known
    where known.midnight_date is not null
),

repeated as (
    select
        stated.scope_at,
        stated.request_id,
        min(stated.report_date) as first_date,
        max(stated.report_date) as last_date
    from stated
    group by stated.scope_at, stated.request_id
    having count(*) > 1
),

/* An id of some day that the first hour of the next states again: what is reported around midnight may lead to it. */
adjoining as (
    select
        earlier.report_date,
        earlier.request_id
    from known as earlier
    inner join known as later
        on earlier.request_id = later.request_id
        and later.report_date = later.midnight_date
        and later.report_date = cast(earlier.report_date + interval 1 day as date)
),

/*
Reports whose span alone, or whose call id alone, can lead to their provider's id; a gateway's own id may stand for one.
Two questions, as hardly a company has both: each then reads few columns of few reports.
*/
nameless as (
    select
        cast(requests.started_at as date) as report_date,
        case extract(hour from requests.started_at)
            when 0 then cast(requests.started_at as date)
            when 23 then cast(cast(requests.started_at as date) + interval 1 day as date)
        end as midnight_date,
        requests.request_id,
        requests.trace_id,
        requests.span_id
    from lake.requests as requests
    where requests.provider_request_id is null
        and requests.started_at >= cast($start as timestamp) - interval 1 hour
        and requests.started_at < cast($end as timestamp) + interval 1 hour
),

called_reports as (
    select
        cast(requests.started_at as date) as report_date,
        case extract(hour from requests.started_at)
            when 0 then cast(requests.started_at as date)
            when 23 then cast(cast(requests.started_at as date) + interval 1 day as date)
        end as midnight_date,
        requests.call_id,
        requests.provider_request_id
    from lake.requests as requests
    where requests.call_id is not null
        and requests.started_at >= cast($start as timestamp) - interval 1 hour
        and requests.started_at < cast($end as timestamp) + interval 1 hour
),

unnamed_calls as (
    select
        called_reports.report_date,
        called_reports.midnight_date,
        called_reports.call_id
    from called_reports
    group by called_reports.report_date, called_reports.midnight_date, called_reports.call_id
    having
        max(
            case
                when called_reports.provider_request_id is null
                    or called_reports.provider_request_id
                    like 'chatcmpl-________-____-____-____-____________'
                    then 1
                else 0
            end
        ) = 1
),

unnamed_spans as (
    select
        nameless.trace_id,
        nameless.span_id,
        nameless.report_date,
        nameless.midnight_date
    from nameless
    group by nameless.trace_id, nameless.span_id, nameless.report_date, nameless.midnight_date
    having max(nameless.span_id) is not null
),

named_spans as (
    select
        cast(requests.started_at as date) as report_date,
        case extract(hour from requests.started_at)
            when 0 then cast(requests.started_at as date)
            when 23 then cast(cast(requests.started_at as date) + interval 1 day as date)
        end as midnight_date,
        requests.request_id,
        requests.trace_id,
        requests.span_id
    from lake.requests as requests
    where requests.provider_request_id is not null and requests.span_id is not null
        and requests.started_at >= cast($start as timestamp) - interval 1 hour
        and requests.started_at < cast($end as timestamp) + interval 1 hour
),

met_spans as (
    select
        named_spans.report_date,
        named_spans.request_id,
        named_spans.trace_id,
        named_spans.span_id,
        unnamed_spans.report_date as unnamed_date
    from named_spans
    inner join unnamed_spans
        on named_spans.trace_id = unnamed_spans.trace_id
        and named_spans.span_id = unnamed_spans.span_id
    where named_spans.report_date = unnamed_spans.report_date
        or named_spans.midnight_date = unnamed_spans.midnight_date
),

met_keys as (
    select
        met_spans.trace_id,
        met_spans.span_id,
        met_spans.unnamed_date
    from met_spans
    group by met_spans.trace_id, met_spans.span_id, met_spans.unnamed_date
),

unnamed_call_scopes as (
    select
        unnamed_calls.call_id,
        cast(unnamed_calls.report_date as timestamp) + interval 12 hour as scope_at
    from unnamed_calls
    union
    select
        unnamed_calls.call_id,
        cast(unnamed_calls.midnight_date as timestamp) as scope_at
    from unnamed_calls
    where unnamed_calls.midnight_date is not null
),

called as (
    select
        unnamed_call_scopes.call_id,
        unnamed_call_scopes.scope_at,
        cast(requests.started_at as date) as report_date,
        requests.request_id
    from lake.requests as requests
    inner join unnamed_call_scopes on requests.call_id = unnamed_call_scopes.call_id
    where requests.call_id is not null
        and requests.started_at >= cast($start as timestamp) - interval 1 hour
        and requests.started_at < cast($end as timestamp) + interval 1 hour
        and (
            unnamed_call_scopes.scope_at
            = cast(cast(requests.started_at as date) as timestamp) + interval 12 hour
            or (
                unnamed_call_scopes.scope_at = cast(cast(requests.started_at as date) as timestamp)
                and extract(hour from requests.started_at) = 0
            )
            or (
                unnamed_call_scopes.scope_at
                = cast(cast(requests.started_at as date) + interval 1 day as timestamp)
                and extract(hour from requests.started_at) = 23
            )
        )
),

shared_calls as (
    select
        called.call_id,
        called.scope_at
    from called
    group by called.call_id, called.scope_at
    having min(called.request_id) <> max(called.request_id)
),

touched as (
    select
        repeated.first_date as report_date,
        repeated.request_id
    from repeated
    union
    select
        repeated.last_date as report_date,
        repeated.request_id
    from repeated
    union
    select
        adjoining.report_date,
        adjoining.request_id
    from adjoining
    union
    select
        met_spans.report_date,
        met_spans.request_id
    from met_spans
    union
    select
        nameless.report_date,
        nameless.request_id
    from nameless
    inner join met_keys
        on nameless.trace_id = met_keys.trace_id
        and nameless.span_id = met_keys.span_id
        and nameless.report_date = met_keys.unnamed_date
    union
    select
        called.report_date,
        called.request_id
    from called
    inner join shared_calls
        on called.call_id = shared_calls.call_id
        and called.scope_at = shared_calls.scope_at
    union
    select
        cast(requests.started_at as date) as report_date,
        requests.request_id
    from lake.requests as requests
    inner join staging.span_links as links
        on cast(requests.started_at as date) = links.span_date
        and requests.trace_id = links.trace_id
        and requests.span_id = links.span_id
    where requests.emitter_kind = 'span'
),

/* Further parts of a response (`<id>/iteration/<n>`) follow its first one, whose id is their trace. */
further as (
    select
        cast(requests.started_at as date) as report_date,
        requests.request_id
    from lake.requests as requests
    inner join touched
        on cast(requests.started_at as date) = touched.report_date
        and requests.trace_id = touched.request_id
    where requests.logical_call_id is not null
        and requests.trace_id = 'response:' || requests.logical_call_id
        and requests.request_id <> requests.trace_id
),

found as (
    select
        touched.report_date,
        touched.request_id
    from touched
    union
    select
        further.report_date,
        further.request_id
    from further
)

select
    found.report_date,
    found.request_id
from found
where found.report_date >= cast($start as date) and found.report_date < cast($end as date)
