/*
description: >
    What is odd about a day's reports of calls, by source: reports that contradict each other, that may be one of several
    calls, or whose id tells no calls apart, spans whose chain of parents is not followed to its end, and sources of
    different kinds that report the same provider and model without any kind of id in common, so that the same calls may
    stand twice.
grain: [charge_date, finding, x_sources, finding_key]
materialized: table
partition_by: {column: charge_date, unit: day}
columns:
    charge_date: null
    finding: null
    x_sources: null
    provider: of sources that may overlap
    model: of sources that may overlap
    reused_id: null
    finding_key: null
    requests: null
*/
with

attempts as (
    select
        cast(shared.started_at as date) as charge_date,
        shared.x_sources,
        shared.is_contradicted,
        shared.is_ambiguous,
        shared.reused_id
    from staging.shared_attempts as shared
    where shared.started_at >= cast($start as timestamp) and shared.started_at < cast($end as timestamp)
),

sources as (
    select
        sources.report_date,
        sources.x_source,
        coalesce(sources.emitter_kind, 'file') as emitter_kind,
        coalesce(names.provider, sources.provider) as provider,
        coalesce(names.model, sources.model) as model,
        sum(sources.reports) as reports,
        sum(sources.named_reports) as named_reports,
        sum(sources.span_reports) as span_reports,
        sum(sources.call_reports) as call_reports
    from staging.request_sources as sources
    left join core.model_names as names
        on sources.report_date = names.charge_date
        and coalesce(sources.provider, chr(30)) = coalesce(names.logged_provider, chr(30))
        and coalesce(sources.model, chr(30)) = coalesce(names.logged_model, chr(30))
    where sources.report_date >= $start and sources.report_date < $end
    group by
        sources.report_date,
        sources.x_source,
        coalesce(sources.emitter_kind, 'file'),
        coalesce(names.provider, sources.provider),
        coalesce(names.model, sources.model)
),

doubtful as (
    select
        sources.report_date,
        sources.x_source || ',' || others.x_source as x_sources,
        sources.provider,
        sources.model,
        least(sources.reports, others.reports) as requests
    from sources
    inner join sources as others
        on sources.report_date = others.report_date
        and sources.model = others.model
        and coalesce(sources.provider, chr(30)) = coalesce(others.provider, chr(30))
        and sources.x_source < others.x_source
        and sources.emitter_kind <> others.emitter_kind
    where least(sources.named_reports, others.named_reports) = 0
        and least(sources.span_reports, others.span_reports) = 0
        and least(sources.call_reports, others.call_reports) = 0
),

found as (
    select
        attempts.charge_date,
        'contradicting_reports' as finding,
        attempts.x_sources,
        cast(null as varchar) as provider,
        cast(null as varchar) as model,
        cast(null as varchar) as reused_id,
        count(*) as requests
    from attempts
    where attempts.is_contradicted
    group by attempts.charge_date, attempts.x_sources
    union all
    select
        attempts.charge_date,
        'ambiguous_reports' as finding,
        attempts.x_sources,
        cast(null as varchar) as provider,
        cast(null as varchar) as model,
        cast(null as varchar) as reused_id,
        count(*) as requests
    from attempts
    where attempts.is_ambiguous
    group by attempts.charge_date, attempts.x_sources
    union all
    select
        attempts.charge_date,
        'reused_id' as finding,
        attempts.x_sources,
        cast(null as varchar) as provider,
        cast(null as varchar) as model,
        attempts.reused_id,
        count(*) as requests
    from attempts
    where attempts.reused_id is not null
    group by attempts.charge_date, attempts.x_sources, attempts.reused_id
    union all
    select
        doubtful.report_date as charge_date,
        'unmergeable_overlap' as finding,
        doubtful.x_sources,
        doubtful.provider,
        doubtful.model,
        cast(null as varchar) as reused_id,
        sum(doubtful.requests) as requests
    from doubtful
    group by doubtful.report_date, doubtful.x_sources, doubtful.provider, doubtful.model
    union all
    select
        links.span_date as charge_date,
        'cut_span_chain' as finding,
        links.x_source as x_sources,
        cast(null as varchar) as provider,
        cast(null as varchar) as model,
        cast(null as varchar) as reused_id,
        count(*) as requests
    from staging.span_links as links
    where links.is_cut and links.span_date >= $start and links.span_date < $end
    group by links.span_date, links.x_source
)

select
    found.charge_date,
    found.finding,
    found.x_sources,
    found.provider,
    found.model,
    found.reused_id,
    coalesce(found.provider, '')
    || chr(31) || coalesce(found.model, '')
    || chr(31) || coalesce(found.reused_id, '') as finding_key,
    cast(found.requests as bigint) as requests
from found
