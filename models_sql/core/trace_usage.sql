/*
description: >
    Requests of a day rolled up to root action, key and place in the cascade: what a trace used, for splitting the fact over
    traces and their steps. Attempts that are no call of their own, as failed ones and those after a success, stand apart.
grain: [charge_date, trace_id, usage_id, step_id, is_retry]
materialized: table
partition_by: {column: charge_date, unit: day}
reads:
    core.span_steps: {days_before: 2, days_after: 0}
columns:
    charge_date: null
    trace_id: null
    usage_id: as in core.request_usage, whose rows these parts add up to
    step_id: null
    parent_step_id: null
    parent_agent: null
    is_retry: null
    owner_id: null
    provider: null
    sub_account_id: null
    region_id: null
    model: as the request log names it; core.model_names says which priced model it is
    service_tier: null
    context_min_tokens: null
    time_of_day_start: null
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
    from_zone: null
    to_zone: null
    calls: null
    requests: null
    error_requests: null
    uncached_input_tokens: null
    cache_read_tokens: null
    cache_write_5m_tokens: null
    cache_write_1h_tokens: null
    output_tokens: null
    reasoning_tokens: null
    web_searches: null
    saved_input_tokens: null
    saved_output_tokens: null
    request_bytes: null
    response_bytes: null
    request_seconds: null
    first_started_at: null
    last_ended_at: null
*/
with

requests as (
    select *
    from core.identified_requests
    where started_at >= cast($start as timestamp) and started_at < cast($end as timestamp)
),

/* A span told of on two days counts as it first stood. Spans of no agent and no step say nothing of who called whom. */
ranked_spans as (
    select
        span_steps.*,
        row_number() over (
            partition by span_steps.trace_id, span_steps.span_id order by span_steps.span_date
        ) as span_rank
    from core.span_steps as span_steps
    where span_steps.agent is not null or span_steps.agent_step is not null
),

agent_spans as (
    select * from ranked_spans
    where span_rank = 1
),

/* Of the attempts of one logical call that succeeded, one counts as the call. */
told_calls as (
    select
        requests.charge_date,
        requests.trace_id,
        requests.logical_call_id,
        min(requests.request_id) as request_id
    from requests
    where requests.logical_call_id is not null and coalesce(requests.status, 'ok') = 'ok'
    group by requests.charge_date, requests.trace_id, requests.logical_call_id
),

placed as (
    select
        requests.*,
        (
            coalesce(requests.status, 'ok') <> 'ok'
            or coalesce(requests.request_id <> told_calls.request_id, false)
        ) as is_retry,
        case
            when requests.agent <> agent_spans.agent then agent_spans.step_id
            else agent_spans.parent_step_id
        end as parent_step_id,
        case
            when requests.agent <> agent_spans.agent then agent_spans.agent
            else agent_spans.parent_agent
        end as parent_agent,
        coalesce(requests.agent, agent_spans.agent) as step_agent,
        case
            when requests.agent <> agent_spans.agent then requests.agent_step
            else coalesce(requests.agent_step, agent_spans.agent_step)
        end as step_name
    from requests
    left join told_calls
        on requests.charge_date = told_calls.charge_date
        and requests.trace_id = told_calls.trace_id
        and requests.logical_call_id = told_calls.logical_call_id
    left join agent_spans
        on requests.trace_id = agent_spans.trace_id
        and requests.parent_span_id = agent_spans.span_id
        and requests.charge_date >= agent_spans.span_date
        and agent_spans.span_date >= cast(requests.charge_date - interval 2 day as date)
),

grouped as (
    select
        requests.charge_date,
        requests.trace_id,
        requests.parent_step_id,
        requests.parent_agent,
        requests.step_agent,
        requests.step_name,
        requests.is_retry,
        requests.provider,
        requests.sub_account_id,
        requests.region_id,
        requests.model,
        requests.service_tier,
        requests.context_min_tokens,
        requests.time_of_day_start,
        requests.user_id,
        requests.tenant,
        requests.customer,
        requests.team,
        requests.feature,
        requests.endpoint,
        requests.workflow,
        requests.agent,
        requests.agent_step,
        requests.environment,
        requests.from_zone,
        requests.to_zone,
        count(case when not requests.is_retry then 1 end) as calls,
        count(*) as requests,
        count(case when coalesce(requests.status, 'ok') <> 'ok' then 1 end) as error_requests,
        sum(coalesce(requests.uncached_input_tokens, 0)) as uncached_input_tokens,
        sum(coalesce(requests.cache_read_tokens, 0)) as cache_read_tokens,
        sum(coalesce(requests.cache_write_5m_tokens, 0)) as cache_write_5m_tokens,
        sum(coalesce(requests.cache_write_1h_tokens, 0)) as cache_write_1h_tokens,
        sum(coalesce(requests.output_tokens, 0)) as output_tokens,
        sum(coalesce(requests.reasoning_tokens, 0)) as reasoning_tokens,
        sum(coalesce(requests.web_search_count, 0)) as web_searches,
        sum(coalesce(requests.saved_input_tokens, 0)) as saved_input_tokens,
        sum(coalesce(requests.saved_output_tokens, 0)) as saved_output_tokens,
        sum(coalesce(requests.request_bytes, 0)) as request_bytes,
        sum(coalesce(requests.response_bytes, 0)) as response_bytes,
        sum(coalesce(requests.duration_seconds, 0)) as request_seconds,
        min(requests.started_at) as first_started_at,
        max(coalesce(requests.ended_at, requests.started_at)) as last_ended_at
    from placed as requests
    group by
        requests.charge_date,
        requests.trace_id,
        requests.parent_step_id,
        requests.parent_agent,
        requests.step_agent,
        requests.step_name,
        requests.is_retry,
        requests.provider,
        requests.sub_account_id,
        requests.region_id,
        requests.model,
        requests.service_tier,
        requests.context_min_tokens,
        requests.time_of_day_start,
        requests.user_id,
        requests.tenant,
        requests.customer,
        requests.team,
        requests.feature,
        requests.endpoint,
        requests.workflow,
        requests.agent,
        requests.agent_step,
        requests.environment,
        requests.from_zone,
        requests.to_zone
),

digested as (
    select
        grouped.*,
        md5(
            coalesce(grouped.user_id, chr(30))
            || chr(31) || coalesce(grouped.tenant, chr(30))
            || chr(31) || coalesce(grouped.customer, chr(30))
            || chr(31) || coalesce(grouped.team, chr(30))
            || chr(31) || coalesce(grouped.feature, chr(30))
            || chr(31) || coalesce(grouped.endpoint, chr(30))
            || chr(31) || coalesce(grouped.workflow, chr(30))
            || chr(31) || coalesce(grouped.agent, chr(30))
            || chr(31) || coalesce(grouped.agent_step, chr(30))
            || chr(31) || coalesce(grouped.environment, chr(30))
        ) as owner_id,
        md5(
            coalesce(grouped.provider, chr(30))
            || chr(31) || coalesce(grouped.sub_account_id, chr(30))
            || chr(31) || coalesce(grouped.region_id, chr(30))
            || chr(31) || coalesce(grouped.model, chr(30))
            || chr(31) || coalesce(grouped.service_tier, chr(30))
            || chr(31) || coalesce(cast(grouped.context_min_tokens as varchar), chr(30))
            || chr(31) || coalesce(grouped.time_of_day_start, chr(30))
            || chr(31) || coalesce(grouped.from_zone, chr(30))
            || chr(31) || coalesce(grouped.to_zone, chr(30))
        ) as segment_id,
        md5(
            coalesce(grouped.parent_step_id, chr(30))
            || chr(31) || coalesce(grouped.step_agent, chr(30))
            || chr(31) || coalesce(grouped.step_name, chr(30))
        ) as step_id
    from grouped
)

select
    digested.charge_date,
    digested.trace_id,
    md5(digested.owner_id || digested.segment_id) as usage_id,
    digested.step_id,
    digested.parent_step_id,
    digested.parent_agent,
    digested.is_retry,
    digested.owner_id,
    digested.provider,
    digested.sub_account_id,
    digested.region_id,
    digested.model,
    digested.service_tier,
    digested.context_min_tokens,
    digested.time_of_day_start,
    digested.user_id,
    digested.tenant,
    digested.customer,
    digested.team,
    digested.feature,
    digested.endpoint,
    digested.workflow,
    digested.agent,
    digested.agent_step,
    digested.environment,
    digested.from_zone,
    digested.to_zone,
    cast(digested.calls as bigint) as calls,
    cast(digested.requests as bigint) as requests,
    cast(digested.error_requests as bigint) as error_requests,
    cast(digested.uncached_input_tokens as bigint) as uncached_input_tokens,
    cast(digested.cache_read_tokens as bigint) as cache_read_tokens,
    cast(digested.cache_write_5m_tokens as bigint) as cache_write_5m_tokens,
    cast(digested.cache_write_1h_tokens as bigint) as cache_write_1h_tokens,
    cast(digested.output_tokens as bigint) as output_tokens,
    cast(digested.reasoning_tokens as bigint) as reasoning_tokens,
    cast(digested.web_searches as bigint) as web_searches,
    cast(digested.saved_input_tokens as bigint) as saved_input_tokens,
    cast(digested.saved_output_tokens as bigint) as saved_output_tokens,
    cast(digested.request_bytes as bigint) as request_bytes,
    cast(digested.response_bytes as bigint) as response_bytes,
    cast(digested.request_seconds as decimal(18, 6)) as request_seconds,
    digested.first_started_at,
    digested.last_ended_at
from digested
