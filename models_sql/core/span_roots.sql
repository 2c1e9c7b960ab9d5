/*
description: >
    The identity that a trace's root span carries, for calls whose own span carries none; a trace with several roots
    has its earliest. Of a key in resource_keys only the root's emitter told: a value of the call's own emitter comes
    first. A root that arrives late heals its trace on the night it lands. A trace that spans more than two midnights is
    not followed.
grain: [root_date, trace_id]
materialized: table
partition_by: {column: root_date, unit: day}
columns:
    root_date: null
    trace_id: null
    root_identity_id: null
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
*/
with

spans as (
    select *
    from staging.spans
    where started_at >= cast($start as timestamp) and started_at < cast($end as timestamp)
),

ranked as (
    select
        spans.*,
        row_number() over (
            partition by spans.trace_id order by spans.started_at, spans.span_id
        ) as root_rank
    from spans
    where spans.parent_span_id is null
)

select
    cast(ranked.started_at as date) as root_date,
    ranked.trace_id,
    md5(
        coalesce(ranked.user_id, chr(30))
        || chr(31) || coalesce(ranked.tenant, chr(30))
        || chr(31) || coalesce(ranked.customer, chr(30))
        || chr(31) || coalesce(ranked.team, chr(30))
        || chr(31) || coalesce(ranked.feature, chr(30))
        || chr(31) || coalesce(ranked.endpoint, chr(30))
        || chr(31) || coalesce(ranked.workflow, chr(30))
        || chr(31) || coalesce(ranked.agent, chr(30))
        || chr(31) || coalesce(ranked.agent_step, chr(30))
        || chr(31) || coalesce(ranked.environment, chr(30))
        || chr(31) || ranked.resource_keys
    ) as root_identity_id,
    ranked.resource_keys,
    ranked.user_id,
    ranked.tenant,
    ranked.customer,
    ranked.team,
    ranked.feature,
    ranked.endpoint,
    ranked.workflow,
    ranked.agent,
    ranked.agent_step,
    ranked.environment
from ranked
where ranked.root_rank = 1
