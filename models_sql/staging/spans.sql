/*
description: >
    One agent, chain, tool or server span: the tree around the model calls, without money.
grain: [x_source, x_snapshot_id, trace_id, span_id]
materialized: view
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

source as (select * from lake.spans)

select
    source.x_source,
    source.x_snapshot_id,
    source.trace_id,
    source.span_id,
    source.parent_span_id,
    source.span_kind,
    source.started_at,
    source.ended_at,
    source.status,
    source.tool_name,
    source.user_id,
    source.tenant,
    source.customer,
    source.team,
    source.feature,
    source.endpoint,
    source.workflow,
    source.agent,
    source.agent_step,
    source.environment,
    source.session_id
from source
