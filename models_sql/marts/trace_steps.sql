/*
description: >
    One root action by who worked in it: each step of each agent under the agent that called it, what its own calls cost and
    what the agents that it called cost; effective cost in the reporting currency. Self adds up to the trace of
    marts.traces; delegated cost is counted once a level.
grain: [root_date, trace_id, trace_step_id]
materialized: view
partition_by: {column: root_date, unit: day}
columns:
    trace_id: null
    parent_agent: null
    agent: null
    agent_step: null
    calls: null
    attempts: null
    error_requests: null
    input_tokens: null
    output_tokens: null
    self_cost: null
    delegated_cost: null
    total_cost: self and delegated
    retry_cost: within self_cost
    reporting_currency: null
    root_date: null
    trace_step_id: null
*/
with

steps as (select * from core.trace_steps)

select
    steps.trace_id,
    steps.parent_agent,
    steps.agent,
    steps.agent_step,
    steps.calls,
    steps.attempts,
    steps.error_requests,
    steps.input_tokens,
    steps.output_tokens,
    steps.self_cost,
    steps.delegated_cost,
    steps.total_cost,
    steps.retry_cost,
    steps.reporting_currency,
    steps.root_date,
    steps.trace_step_id
from steps
