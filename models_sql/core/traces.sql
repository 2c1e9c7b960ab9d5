/*
description: >
    One root action: everything that happened because of it, across providers and zones. A trace belongs to the day
    its root started (its earliest span where no root ever arrived); each call's cost stays on the call's own day.
grain: [root_date, trace_id]
materialized: table
partition_by: {column: root_date, unit: day}
reads:
    core.trace_usage: {days_before: 2, days_after: 2}
    core.trace_costs: {days_before: 2, days_after: 2}
    core.span_steps: {days_before: 2, days_after: 2}
    staging.spans: {days_before: 2, days_after: 2}
columns:
    root_date: null
    trace_id: null
    root_started_at: null
    user_id: null
    tenant: null
    customer: null
    team: null
    feature: null
    endpoint: null
    workflow: null
    agent: null
    environment: null
    calls: null
    attempts: null
    error_requests: null
    calls_per_action: null
    depth: null
    agents: null
    models: null
    providers: null
    zones: null
    input_tokens: null
    output_tokens: null
    saved_input_tokens: null
    saved_output_tokens: null
    duration_seconds: null
    inference_cost: null
    egress_cost: null
    monitoring_cost: null
    other_cost: null
    total_cost: null
    retry_cost: within total_cost
    loop_cost: within total_cost
    failed_cost: within total_cost; all of it where the status is error
    reporting_currency: null
    repeated_calls: null
    is_loop: null
    status: null
*/
with

usage as (
    select * from core.trace_usage
    where trace_id is not null
),

costs as (
    select * from core.trace_costs
    where trace_id is not null
),

settings as (select * from reference.settings),

/* One parent a span, whatever was delivered: with two, the ways down a trace could multiply without end. */
spans as (
    select
        spans.trace_id,
        spans.span_id,
        min(spans.parent_span_id) as parent_span_id,
        min(spans.started_at) as started_at,
        max(spans.ended_at) as ended_at,
        max(spans.status) as status,
        max(spans.agent) as agent
    from staging.spans as spans
    group by spans.trace_id, spans.span_id
),

depths as (
    select
        span_steps.trace_id,
        max(span_steps.depth) as depth
    from core.span_steps as span_steps
    group by span_steps.trace_id
),

span_roots as (
    select
        spans.trace_id,
        min(case when spans.parent_span_id is null then spans.started_at end) as root_started_at,
        min(spans.started_at) as first_started_at,
        max(spans.ended_at) as last_ended_at,
        max(case when spans.parent_span_id is null then spans.status end) as root_status,
        count(case when spans.parent_span_id is null then 1 end) as roots,
        count(distinct spans.agent) as agents
    from spans
    group by spans.trace_id
),

step_models as (
    select
        usage.trace_id,
        usage.step_id,
        usage.model,
        sum(usage.requests) as requests
    from usage
    group by usage.trace_id, usage.step_id, usage.model
),

loops as (
    select
        step_models.trace_id,
        step_models.step_id,
        max(step_models.requests) as repeated_calls,
        sum(step_models.requests) as requests,
        sum(greatest(step_models.requests - settings.loop_min_calls, 0)) as excess_requests
    from step_models
    cross join settings
    group by step_models.trace_id, step_models.step_id
),

repeats as (
    select
        loops.trace_id,
        max(loops.repeated_calls) as repeated_calls
    from loops
    group by loops.trace_id
),

step_costs as (
    select
        costs.trace_id,
        costs.step_id,
        sum(costs.effective_cost_reporting) as step_cost
    from costs
    group by costs.trace_id, costs.step_id
),

/* At the average cost of the step's calls: only sums per step are known. */
loop_costs as (
    select
        loops.trace_id,
        sum(
            idiv(
                cast(
                    cast(step_costs.step_cost as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
                    as decimal(22, 0)
                ) * cast(loops.excess_requests as decimal(15, 0)),
                cast(loops.requests as decimal(15, 0))
            )
        ) as loop_units
    from loops
    inner join step_costs
        on loops.trace_id = step_costs.trace_id
        and loops.step_id = step_costs.step_id
    where loops.excess_requests > 0
    group by loops.trace_id
),

zones as (
    select
        zone_names.trace_id,
        count(distinct zone_names.zone) as zones
    from (
        select
            usage.trace_id,
            usage.from_zone as zone
        from usage
        where usage.from_zone is not null
        union all
        select
            usage.trace_id,
            usage.to_zone as zone
        from usage
        where usage.to_zone is not null
    ) as zone_names
    group by zone_names.trace_id
),

summed as (
    select
        usage.trace_id,
        min(usage.first_started_at) as first_started_at,
        max(usage.last_ended_at) as last_ended_at,
        max(usage.user_id) as user_id,
        max(usage.tenant) as tenant,
        max(usage.customer) as customer,
        max(usage.team) as team,
        max(usage.feature) as feature,
        max(usage.endpoint) as endpoint,
        max(usage.workflow) as workflow,
        max(usage.agent) as agent,
        max(usage.environment) as environment,
        sum(usage.requests) as attempts,
        sum(usage.calls) as calls,
        sum(usage.error_requests) as error_requests,
        count(distinct usage.agent) as agents,
        count(distinct usage.model) as models,
        count(distinct usage.provider) as providers,
        sum(
            usage.uncached_input_tokens + usage.cache_read_tokens
            + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
        ) as input_tokens,
        sum(usage.output_tokens) as output_tokens,
        sum(usage.saved_input_tokens) as saved_input_tokens,
        sum(usage.saved_output_tokens) as saved_output_tokens
    from usage
    group by usage.trace_id
),

paid as (
    select
        costs.trace_id,
        sum(case when costs.cost_driver = 'inference' then costs.effective_cost_reporting end)
            as inference_cost,
        sum(case when costs.cost_driver = 'egress' then costs.effective_cost_reporting end) as egress_cost,
        sum(case when costs.cost_driver = 'monitoring' then costs.effective_cost_reporting end)
            as monitoring_cost,
        sum(
            case
                when costs.cost_driver not in ('inference', 'egress', 'monitoring')
                    then costs.effective_cost_reporting
            end
        ) as other_cost,
        sum(case when costs.is_retry then costs.effective_cost_reporting end) as retry_cost,
        sum(costs.effective_cost_reporting) as total_cost
    from costs
    group by costs.trace_id
),

timed as (
    select
        summed.*,
        coalesce(
            span_roots.root_started_at,
            least(span_roots.first_started_at, summed.first_started_at),
            summed.first_started_at
        ) as root_started_at,
        greatest(coalesce(span_roots.last_ended_at, summed.last_ended_at), summed.last_ended_at) as ended_at,
        greatest(coalesce(span_roots.agents, 0), summed.agents) as agent_count,
        greatest(coalesce(span_roots.roots, 0), 1) as roots,
        case
            when span_roots.trace_id is not null and span_roots.root_started_at is null then 'no_root'
            when span_roots.root_status = 'error' then 'error'
            when summed.calls = 0 then 'error'
            else 'ok'
        end as status
    from summed
    left join span_roots on summed.trace_id = span_roots.trace_id
)

select
    cast(timed.root_started_at as date) as root_date,
    timed.trace_id,
    timed.root_started_at,
    timed.user_id,
    timed.tenant,
    timed.customer,
    timed.team,
    timed.feature,
    timed.endpoint,
    timed.workflow,
    timed.agent,
    timed.environment,
    cast(timed.calls as bigint) as calls,
    cast(timed.attempts as bigint) as attempts,
    cast(timed.error_requests as bigint) as error_requests,
    cast(
        cast(
            idiv(cast(timed.calls as decimal(18, 0)) * cast(1000000 as decimal(7, 0)), timed.roots)
            as decimal(18, 0)
        ) * cast(0.000001 as decimal(7, 6)) as decimal(18, 6)
    ) as calls_per_action,
    cast(coalesce(depths.depth, 0) + 1 as bigint) as depth,
    cast(timed.agent_count as bigint) as agents,
    cast(timed.models as bigint) as models,
    cast(timed.providers as bigint) as providers,
    cast(coalesce(zones.zones, 0) as bigint) as zones,
    cast(timed.input_tokens as bigint) as input_tokens,
    cast(timed.output_tokens as bigint) as output_tokens,
    cast(timed.saved_input_tokens as bigint) as saved_input_tokens,
    cast(timed.saved_output_tokens as bigint) as saved_output_tokens,
    cast(
        cast(
            date_diff('day', cast(timed.root_started_at as date), cast(timed.ended_at as date)) * 86400
            + (extract(hour from timed.ended_at) - extract(hour from timed.root_started_at)) * 3600
            + (extract(minute from timed.ended_at) - extract(minute from timed.root_started_at)) * 60
            as decimal(12, 0)
        )
        -- extract(second) drops the fraction in one engine and keeps it in another
        + cast(substr(cast(timed.ended_at as varchar), 18) as decimal(8, 6))
        - cast(substr(cast(timed.root_started_at as varchar), 18) as decimal(8, 6)) as decimal(18, 6)
    ) as duration_seconds,
    cast(paid.inference_cost as decimal(38, 12)) as inference_cost,
    cast(paid.egress_cost as decimal(38, 12)) as egress_cost,
    cast(paid.monitoring_cost as decimal(38, 12)) as monitoring_cost,
    cast(paid.other_cost as decimal(38, 12)) as other_cost,
    cast(paid.total_cost as decimal(38, 12)) as total_cost,
    cast(coalesce(paid.retry_cost, 0) as decimal(38, 12)) as retry_cost,
    cast(
        cast(coalesce(loop_costs.loop_units, 0) as decimal(24, 0)) * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as loop_cost,
    cast(case when timed.status = 'error' then coalesce(paid.total_cost, 0) else 0 end as decimal(38, 12))
        as failed_cost,
    cast($reporting_currency as varchar) as reporting_currency,
    cast(repeats.repeated_calls as bigint) as repeated_calls,
    repeats.repeated_calls >= settings.loop_min_calls as is_loop,
    timed.status
from timed
cross join settings
left join depths on timed.trace_id = depths.trace_id
left join repeats on timed.trace_id = repeats.trace_id
left join zones on timed.trace_id = zones.trace_id
left join paid on timed.trace_id = paid.trace_id
left join loop_costs on timed.trace_id = loop_costs.trace_id
where timed.root_started_at >= cast($start as timestamp)
    and timed.root_started_at < cast($end as timestamp)
