/*
description: >
    A root action by who worked in it: each step of each agent, under the agent that called it, with its own calls and cost
    (self), and the cost of the agents that it called in turn, however deep (delegated). A call counts once for a step
    that calls itself through others. Self adds up to the trace; delegated does not, for it is counted once a level.
order_by: [root_date, trace_id, parent_agent, agent, agent_step]
materialized: table
partition_by: {column: root_date, unit: day}
reads:
    core.traces: {days_before: 0, days_after: 0}
    core.trace_usage: {days_before: 2, days_after: 2}
    core.trace_costs: {days_before: 2, days_after: 2}
    core.span_steps: {days_before: 2, days_after: 2}
columns:
    root_date: null
    trace_id: null
    trace_step_id: null
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
checks:
    - name: steps_keep_the_trace
      severity: fail
      by: partition
      description: What the steps of a root action cost by themselves sums to the root action.
      sql: >
        select t.root_date, t.trace_id, t.total_cost, s.total as step_total
        from core.traces as t
        left join (select root_date, trace_id, sum(self_cost) as total
              from core.trace_steps group by root_date, trace_id) as s
          on t.root_date = s.root_date and t.trace_id = s.trace_id
        where coalesce(t.total_cost, 0) <> coalesce(s.total, 0)
*/
with recursive

traces as (
    select
        root_date,
        trace_id
    from core.traces
    where root_date >= $start and root_date < $end
),

usage as (
    select
        traces.root_date,
        trace_usage.*
    from core.trace_usage as trace_usage
    inner join traces on trace_usage.trace_id = traces.trace_id
),

costs as (
    select
        traces.root_date,
        trace_costs.trace_id,
        trace_costs.step_id,
        trace_costs.is_retry,
        trace_costs.effective_cost_reporting
    from core.trace_costs as trace_costs
    inner join traces on trace_costs.trace_id = traces.trace_id
),

told_steps as (
    select
        span_steps.step_id,
        span_steps.parent_step_id,
        span_steps.parent_agent,
        span_steps.agent,
        span_steps.agent_step
    from core.span_steps as span_steps
    union all
    select
        usage.step_id,
        usage.parent_step_id,
        usage.parent_agent,
        usage.agent,
        usage.agent_step
    from usage
),

/* A step's id is a digest of where it stands, the same in every trace: few rows, whatever the traffic. */
steps as (
    select
        told_steps.step_id,
        max(told_steps.parent_step_id) as parent_step_id,
        max(told_steps.parent_agent) as parent_agent,
        max(told_steps.agent) as agent,
        max(told_steps.agent_step) as agent_step
    from told_steps
    group by told_steps.step_id
),

named as (
    select
        steps.step_id,
        steps.parent_step_id,
        steps.parent_agent,
        steps.agent,
        steps.agent_step,
        md5(
            coalesce(steps.parent_agent, chr(30))
            || chr(31) || coalesce(steps.agent, chr(30))
            || chr(31) || coalesce(steps.agent_step, chr(30))
        ) as trace_step_id
    from steps
),

climb as (
    select
        named.step_id,
        named.trace_step_id as own_trace_step_id,
        named.trace_step_id,
        named.parent_step_id,
        1 as levels
    from named
    union all
    select
        climb.step_id,
        climb.own_trace_step_id,
        named.trace_step_id,
        named.parent_step_id,
        climb.levels + 1 as levels
    from climb
    inner join named on climb.parent_step_id = named.step_id
    where climb.levels < 66
),

delegations as (
    select distinct
        climb.step_id,
        climb.trace_step_id
    from climb
    where climb.trace_step_id <> climb.own_trace_step_id
),

places as (
    select
        named.trace_step_id,
        max(named.parent_agent) as parent_agent,
        max(named.agent) as agent,
        max(named.agent_step) as agent_step
    from named
    group by named.trace_step_id
),

used as (
    select
        usage.root_date,
        usage.trace_id,
        usage.step_id,
        sum(usage.calls) as calls,
        sum(usage.requests) as attempts,
        sum(usage.error_requests) as error_requests,
        sum(
            usage.uncached_input_tokens + usage.cache_read_tokens
            + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
        ) as input_tokens,
        sum(usage.output_tokens) as output_tokens
    from usage
    group by usage.root_date, usage.trace_id, usage.step_id
),

paid as (
    select
        costs.root_date,
        costs.trace_id,
        costs.step_id,
        sum(costs.effective_cost_reporting) as self_cost,
        sum(case when costs.is_retry then costs.effective_cost_reporting else 0 end) as retry_cost
    from costs
    group by costs.root_date, costs.trace_id, costs.step_id
),

parts as (
    select
        used.root_date,
        used.trace_id,
        named.trace_step_id,
        used.calls,
        used.attempts,
        used.error_requests,
        used.input_tokens,
        used.output_tokens,
        coalesce(paid.self_cost, 0) as self_cost,
        cast(0 as decimal(38, 12)) as delegated_cost,
        coalesce(paid.retry_cost, 0) as retry_cost
    from used
    inner join named on used.step_id = named.step_id
    left join paid
        on used.root_date = paid.root_date
        and used.trace_id = paid.trace_id
        and used.step_id = paid.step_id
    union all
    select
        used.root_date,
        used.trace_id,
        delegations.trace_step_id,
        0 as calls,
        0 as attempts,
        0 as error_requests,
        0 as input_tokens,
        0 as output_tokens,
        cast(0 as decimal(38, 12)) as self_cost,
        coalesce(paid.self_cost, 0) as delegated_cost,
        cast(0 as decimal(38, 12)) as retry_cost
    from used
    inner join delegations on used.step_id = delegations.step_id
    left join paid
        on used.root_date = paid.root_date
        and used.trace_id = paid.trace_id
        and used.step_id = paid.step_id
),

summed as (
    select
        parts.root_date,
        parts.trace_id,
        parts.trace_step_id,
        sum(parts.calls) as calls,
        sum(parts.attempts) as attempts,
        sum(parts.error_requests) as error_requests,
        sum(parts.input_tokens) as input_tokens,
        sum(parts.output_tokens) as output_tokens,
        sum(parts.self_cost) as self_cost,
        sum(parts.delegated_cost) as delegated_cost,
        sum(parts.retry_cost) as retry_cost
    from parts
    group by parts.root_date, parts.trace_id, parts.trace_step_id
)

select
    summed.root_date,
    summed.trace_id,
    summed.trace_step_id,
    places.parent_agent,
    places.agent,
    places.agent_step,
    cast(summed.calls as bigint) as calls,
    cast(summed.attempts as bigint) as attempts,
    cast(summed.error_requests as bigint) as error_requests,
    cast(summed.input_tokens as bigint) as input_tokens,
    cast(summed.output_tokens as bigint) as output_tokens,
    cast(summed.self_cost as decimal(38, 12)) as self_cost,
    cast(summed.delegated_cost as decimal(38, 12)) as delegated_cost,
    cast(summed.self_cost + summed.delegated_cost as decimal(38, 12)) as total_cost,
    cast(summed.retry_cost as decimal(38, 12)) as retry_cost,
    cast($reporting_currency as varchar) as reporting_currency
from summed
inner join places on summed.trace_step_id = places.trace_step_id
