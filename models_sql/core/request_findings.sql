/*
description: >
    What is odd about a day's reports of calls, by source: reports that contradict each other, that may be one of several
    calls, or whose id tells no calls apart, spans whose chain of parents is not followed to its end, and sources of
    different kinds that report the same model without any kind of id in common and whose calls no third source brought
    together, so that the same calls may stand twice.
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

/* What a logged name means, whichever provider it is said to be of: a gateway may name another one than its client. */
named_models as (
    select
        names.charge_date,
        names.logged_model,
        min(names.provider) as provider,
        min(names.model) as model
    from core.model_names as names
    where names.model is not null and names.logged_model is not null
        and names.charge_date >= $start and names.charge_date < $end
    group by names.charge_date, names.logged_model
),

sources as (
    select
        sources.report_date,
        sources.x_source,
        coalesce(sources.emitter_kind, 'file') as emitter_kind,
        coalesce(names.model, sources.model) as model,
        min(coalesce(names.provider, sources.provider)) as provider,
        sum(sources.named_reports) as named_reports,
        sum(sources.span_reports) as span_reports,
        sum(sources.call_reports) as call_reports
    from staging.request_sources as sources
    left join named_models as names
        on sources.report_date = names.charge_date
        and sources.model = names.logged_model
    where sources.report_date >= $start and sources.report_date < $end
    group by
        sources.report_date,
        sources.x_source,
        coalesce(sources.emitter_kind, 'file'),
        coalesce(names.model, sources.model)
),

strangers as (
    select
        sources.report_date,
        sources.model,
        sources.x_source as first_source,
        others.x_source as second_source,
        min(coalesce(sources.provider, others.provider)) as provider
    from sources
    inner join sources as others
        on sources.report_date = others.report_date
        and sources.model = others.model
        and sources.x_source < others.x_source
        and sources.emitter_kind <> others.emitter_kind
    where least(sources.named_reports, others.named_reports) = 0
        and least(sources.span_reports, others.span_reports) = 0
        and least(sources.call_reports, others.call_reports) = 0
    group by sources.report_date, sources.model, sources.x_source, others.x_source
),

/* A third source may have led reports of two strangers to one attempt, or have given them ids that could meet. */
kinds_of_attempts as (
    select
        cast(requests.started_at as date) as report_date,
        coalesce(names.model, requests.model) as model,
        ',' || requests.x_sources || ',' as x_sources,
        case when requests.provider_request_id is not null then 1 else 0 end as has_response,
        case when requests.span_id is not null then 1 else 0 end as has_span,
        case when requests.call_id is not null then 1 else 0 end as has_call,
        count(*) as requests
    from staging.requests as requests
    left join named_models as names
        on cast(requests.started_at as date) = names.charge_date
        and requests.model = names.logged_model
    where requests.started_at >= cast($start as timestamp) and requests.started_at < cast($end as timestamp)
    group by
        cast(requests.started_at as date),
        coalesce(names.model, requests.model),
        requests.x_sources,
        case when requests.provider_request_id is not null then 1 else 0 end,
        case when requests.span_id is not null then 1 else 0 end,
        case when requests.call_id is not null then 1 else 0 end
),

left_alone as (
    select
        strangers.report_date,
        strangers.model,
        strangers.first_source,
        strangers.second_source,
        strangers.provider,
        kinds.has_response,
        kinds.has_span,
        kinds.has_call,
        replace(kinds.x_sources, ',' || strangers.first_source || ',', ',') <> kinds.x_sources as is_of_first,
        sum(kinds.requests) as requests
    from strangers
    inner join kinds_of_attempts as kinds
        on strangers.report_date = kinds.report_date
        and strangers.model = kinds.model
    where (replace(kinds.x_sources, ',' || strangers.first_source || ',', ',') = kinds.x_sources)
        <> (replace(kinds.x_sources, ',' || strangers.second_source || ',', ',') = kinds.x_sources)
    group by
        strangers.report_date,
        strangers.model,
        strangers.first_source,
        strangers.second_source,
        strangers.provider,
        kinds.has_response,
        kinds.has_span,
        kinds.has_call,
        replace(kinds.x_sources, ',' || strangers.first_source || ',', ',') <> kinds.x_sources
),

doubtful as (
    select
        firsts.report_date,
        firsts.first_source || ',' || firsts.second_source as x_sources,
        firsts.provider,
        firsts.model,
        max(least(firsts.requests, seconds.requests)) as requests
    from left_alone as firsts
    inner join left_alone as seconds
        on firsts.report_date = seconds.report_date
        and firsts.model = seconds.model
        and firsts.first_source = seconds.first_source
        and firsts.second_source = seconds.second_source
    where firsts.is_of_first and not seconds.is_of_first
        and firsts.has_response + seconds.has_response < 2
        and firsts.has_span + seconds.has_span < 2
        and firsts.has_call + seconds.has_call < 2
    group by
        firsts.report_date,
        firsts.first_source,
        firsts.second_source,
        firsts.provider,
        firsts.model
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
        doubtful.requests
    from doubtful
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
