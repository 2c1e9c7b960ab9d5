/*
description: >
    One agent, chain, tool or server span, however often and in whichever files it was delivered: the tree around the
    model calls, without money. A model call span that only repeats another one is here too, as a chain. Values that
    ancestors in other files carry are filled in from staging.span_links.
grain: [trace_id, span_id]
order_by: [started_at, trace_id, span_id]
materialized: table
partition_by: {column: started_at, unit: day}
columns:
    x_source: null
    x_snapshot_id: null
    trace_id: null
    span_id: null
    parent_span_id: null
    span_kind: null
    started_at: null
    ended_at: null
    status: null
    tool_name: null
    resource_keys: null
    user_id: null
    tenant: null
    customer: null
    team: null
    feature: null
    endpoint: null
    workflow: null
    agent: null
    agent_step: null
    environment: null
    session_id: null
*/
with

other_spans as (
    select * from lake.spans
    where trace_id is not null and span_id is not null
),

calls as (
    select * from lake.requests
    where emitter_kind = 'span' and span_id is not null
),

links as (select * from staging.span_links),

delivered as (
    select
        other_spans.x_source,
        other_spans.x_snapshot_id,
        other_spans.trace_id,
        other_spans.span_id,
        other_spans.parent_span_id,
        other_spans.span_kind,
        other_spans.started_at,
        other_spans.ended_at,
        other_spans.status,
        other_spans.tool_name,
        other_spans.resource_keys,
        other_spans.user_id,
        other_spans.tenant,
        other_spans.customer,
        other_spans.team,
        other_spans.feature,
        other_spans.endpoint,
        other_spans.workflow,
        other_spans.agent,
        other_spans.agent_step,
        other_spans.environment,
        other_spans.session_id
    from other_spans
    union all
    select
        calls.x_source,
        calls.x_snapshot_id,
        calls.trace_id,
        calls.span_id,
        calls.parent_span_id,
        'chain' as span_kind,
        calls.started_at,
        calls.ended_at,
        calls.status,
        cast(null as varchar) as tool_name,
        calls.resource_keys,
        calls.user_id,
        calls.tenant,
        calls.customer,
        calls.team,
        calls.feature,
        calls.endpoint,
        calls.workflow,
        calls.agent,
        calls.agent_step,
        calls.environment,
        calls.session_id
    from calls
    inner join links
        on calls.trace_id = links.trace_id
        and calls.span_id = links.span_id
        and cast(calls.started_at as date) = links.span_date
    where links.is_wrapper
),

/* Only what came more than once is ranked: that is little, and ranking all of it is not. */
repeated as (
    select
        delivered.trace_id,
        delivered.span_id
    from delivered
    group by delivered.trace_id, delivered.span_id
    having count(*) > 1
),

ranked as (
    select
        delivered.*,
        row_number() over (
            partition by delivered.trace_id, delivered.span_id
            order by
                coalesce(delivered.ended_at, delivered.started_at) desc,
                delivered.started_at asc,
                coalesce(delivered.parent_span_id, '') asc,
                delivered.span_kind asc,
                delivered.status asc,
                coalesce(delivered.tool_name, '') asc,
                delivered.x_source asc,
                delivered.x_snapshot_id asc
        ) as version_rank
    from delivered
    inner join repeated
        on delivered.trace_id = repeated.trace_id
        and delivered.span_id = repeated.span_id
),

single as (
    select
        delivered.*,
        1 as version_rank
    from delivered
    left join repeated
        on delivered.trace_id = repeated.trace_id
        and delivered.span_id = repeated.span_id
    where repeated.span_id is null
),

spans as (
    select single.* from single
    union all
    select ranked.* from ranked
    where ranked.version_rank = 1
)

select
    spans.x_source,
    spans.x_snapshot_id,
    spans.trace_id,
    spans.span_id,
    spans.parent_span_id,
    spans.span_kind,
    spans.started_at,
    spans.ended_at,
    spans.status,
    spans.tool_name,
    coalesce(links.resource_keys, spans.resource_keys, ',') as resource_keys,
    coalesce(links.user_id, spans.user_id) as user_id,
    coalesce(links.tenant, spans.tenant) as tenant,
    coalesce(links.customer, spans.customer) as customer,
    coalesce(links.team, spans.team) as team,
    coalesce(links.feature, spans.feature) as feature,
    coalesce(links.endpoint, spans.endpoint) as endpoint,
    coalesce(links.workflow, spans.workflow) as workflow,
    coalesce(links.agent, spans.agent) as agent,
    coalesce(links.agent_step, spans.agent_step) as agent_step,
    coalesce(links.environment, spans.environment) as environment,
    coalesce(links.session_id, spans.session_id) as session_id
from spans
left join links
    on spans.trace_id = links.trace_id
    and spans.span_id = links.span_id
    and cast(spans.started_at as date) = links.span_date
