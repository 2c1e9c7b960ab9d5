/*
description: One root action with what it cost, across providers and zones; effective cost in the reporting currency.
grain: [root_date, trace_id]
materialized: view
partition_by: {column: root_date, unit: day}
columns:
    trace_id: null
    root_started_at: null
    feature: null
    endpoint: null
    user_id: null
    calls: null
    attempts: null
    depth: null
    agents: null
    providers: null
    zones: null
    input_tokens: null
    output_tokens: null
    duration_seconds: null
    inference_cost: null
    egress_cost: null
    monitoring_cost: null
    total_cost: null
    reporting_currency: null
    is_loop: null
    status: null
    root_date: null
    tenant: null
    team: null
    workflow: null
    environment: null
    models: null
    error_requests: null
    repeated_calls: null
    saved_input_tokens: null
    saved_output_tokens: null
    other_cost: null
    retry_cost: null
    failed_cost: null
    loop_cost: null
    calls_per_action: null
*/
with

traces as (select * from core.traces)

select
    traces.trace_id,
    traces.root_started_at,
    traces.feature,
    traces.endpoint,
    traces.user_id,
    traces.calls,
    traces.attempts,
    traces.depth,
    traces.agents,
    traces.providers,
    traces.zones,
    traces.input_tokens,
    traces.output_tokens,
    traces.duration_seconds,
    traces.inference_cost,
    traces.egress_cost,
    traces.monitoring_cost,
    traces.total_cost,
    traces.reporting_currency,
    traces.is_loop,
    traces.status,
    traces.root_date,
    traces.tenant,
    traces.team,
    traces.workflow,
    traces.environment,
    traces.models,
    traces.error_requests,
    traces.repeated_calls,
    traces.saved_input_tokens,
    traces.saved_output_tokens,
    traces.other_cost,
    traces.retry_cost,
    traces.failed_cost,
    traces.loop_cost,
    traces.calls_per_action
from traces
