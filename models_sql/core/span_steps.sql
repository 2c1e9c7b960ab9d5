/*
description: >
    Where a span stands in its trace's cascade: the agent and step that it works for, and the step of another agent that
    called that agent. A span of no agent works for the one above it. A span whose parent is in no log of its day or the
    two days before begins a cascade of its own. Followed over 64 spans and two midnights; parents that loop lead nowhere.
grain: [span_date, trace_id, span_id]
materialized: table
partition_by: {column: span_date, unit: day}
reads:
    staging.spans: {days_before: 4, days_after: 0}
columns:
    span_date: null
    trace_id: null
    span_id: null
    step_id: null
    parent_step_id: null
    parent_agent: null
    agent: null
    agent_step: null
    depth: null
*/
with recursive

delivered as (select * from staging.spans),

built_traces as (
    select distinct delivered.trace_id
    from delivered
    where delivered.started_at >= cast($start as timestamp) and delivered.started_at < cast($end as timestamp)
),

/* One parent a span and day, whatever was delivered: with two, the ways down a trace could multiply without end. */
spans as (
    select
        delivered.trace_id,
        delivered.span_id,
        cast(delivered.started_at as date) as span_date,
        min(delivered.parent_span_id) as parent_span_id,
        max(delivered.agent) as agent,
        max(delivered.agent_step) as agent_step
    from delivered
    inner join built_traces on delivered.trace_id = built_traces.trace_id
    group by delivered.trace_id, delivered.span_id, cast(delivered.started_at as date)
),

known_parents as (
    select distinct
        children.trace_id,
        children.span_id,
        children.span_date
    from spans as children
    inner join spans as parents
        on children.trace_id = parents.trace_id
        and children.parent_span_id = parents.span_id
        and children.span_date >= parents.span_date
        and parents.span_date >= cast(children.span_date - interval 2 day as date)
),

tree as (
    select
        spans.trace_id,
        spans.span_id,
        spans.span_date,
        spans.span_date as first_date,
        cast(null as varchar) as parent_step_id,
        cast(null as varchar) as parent_agent,
        spans.agent,
        spans.agent_step,
        spans.parent_span_id is null as is_rooted,
        1 as depth
    from spans
    left join known_parents
        on spans.trace_id = known_parents.trace_id
        and spans.span_id = known_parents.span_id
        and spans.span_date = known_parents.span_date
    where known_parents.span_id is null
    union all
    select
        spans.trace_id,
        spans.span_id,
        spans.span_date,
        tree.first_date,
        case
            when spans.agent <> tree.agent
                then md5(
                    coalesce(tree.parent_step_id, chr(30))
                    || chr(31) || coalesce(tree.agent, chr(30))
                    || chr(31) || coalesce(tree.agent_step, chr(30))
                )
            else tree.parent_step_id
        end as parent_step_id,
        case when spans.agent <> tree.agent then tree.agent else tree.parent_agent end as parent_agent,
        coalesce(spans.agent, tree.agent) as agent,
        case
            when spans.agent <> tree.agent then spans.agent_step
            else coalesce(spans.agent_step, tree.agent_step)
        end as agent_step,
        tree.is_rooted,
        tree.depth + 1 as depth
    from spans
    inner join tree
        on spans.trace_id = tree.trace_id
        and spans.parent_span_id = tree.span_id
        and spans.span_date >= tree.span_date
        and spans.span_date <= cast(tree.span_date + interval 2 day as date)
        and spans.span_date <= cast(tree.first_date + interval 2 day as date)
    where tree.depth < 64
),

stepped as (
    select
        tree.*,
        md5(
            coalesce(tree.parent_step_id, chr(30))
            || chr(31) || coalesce(tree.agent, chr(30))
            || chr(31) || coalesce(tree.agent_step, chr(30))
        ) as step_id
    from tree
    where tree.span_date >= $start and tree.span_date < $end
),

/* A span that was told of twice a day apart has the way down that is longest, then the first by name. */
ranked as (
    select
        stepped.*,
        row_number() over (
            partition by stepped.span_date, stepped.trace_id, stepped.span_id
            order by stepped.depth desc, stepped.is_rooted desc, stepped.first_date asc, stepped.step_id asc
        ) as way_rank
    from stepped
)

select
    ranked.span_date,
    ranked.trace_id,
    ranked.span_id,
    ranked.step_id,
    ranked.parent_step_id,
    ranked.parent_agent,
    ranked.agent,
    ranked.agent_step,
    cast(case when ranked.is_rooted then ranked.depth end as bigint) as depth
from ranked
where ranked.way_rank = 1
