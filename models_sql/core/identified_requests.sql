/*
description: >
    Requests with the identity their root span carries where they carry none themselves, and with the context
    band that prices may depend on. A trace that spans more than two midnights is not followed.
grain: [x_source, x_snapshot_id, request_id]
materialized: view
partition_by: {column: charge_date, unit: day}
reads:
    core.span_roots: {days_before: 2, days_after: 0}
columns:
    charge_date: null
    request_id: null
    x_source: null
    x_snapshot_id: null
    provider_request_id: null
    trace_id: null
    span_id: null
    parent_span_id: null
    attempt_number: null
    started_at: null
    ended_at: null
    duration_seconds: null
    provider: null
    sub_account_id: null
    region_id: null
    request_model: null
    model: null
    service_tier: null
    context_min_tokens: null
    status: null
    error_type: null
    uncached_input_tokens: null
    cache_read_tokens: null
    cache_write_5m_tokens: null
    cache_write_1h_tokens: null
    output_tokens: null
    reasoning_tokens: null
    provider_total_tokens: null
    usage_source: null
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
    from_zone: null
    to_zone: null
    request_bytes: null
    response_bytes: null
    replica_id: null
*/
with

requests as (select * from staging.requests),

root_candidates as (
    select
        span_roots.*,
        row_number() over (
            partition by span_roots.trace_id order by span_roots.root_date
        ) as root_rank
    from core.span_roots as span_roots
),

roots as (select * from root_candidates where root_rank = 1),

measured as (
    select
        requests.*,
        cast(requests.started_at as date) as charge_date,
        coalesce(requests.uncached_input_tokens, 0) + coalesce(requests.cache_read_tokens, 0)
            + coalesce(requests.cache_write_5m_tokens, 0)
            + coalesce(requests.cache_write_1h_tokens, 0) as total_input_tokens
    from requests
)

select
    measured.charge_date,
    measured.request_id,
    measured.x_source,
    measured.x_snapshot_id,
    measured.provider_request_id,
    measured.trace_id,
    measured.span_id,
    measured.parent_span_id,
    measured.attempt_number,
    measured.started_at,
    measured.ended_at,
    measured.duration_seconds,
    measured.provider,
    measured.sub_account_id,
    measured.region_id,
    measured.request_model,
    measured.model,
    coalesce(measured.service_tier, 'standard') as service_tier,
    cast(
        case
            when measured.total_input_tokens < 32001 then 0
            when measured.total_input_tokens < 100001 then 32001
            when measured.total_input_tokens < 128001 then 100001
            when measured.total_input_tokens < 200000 then 128001
            when measured.total_input_tokens < 200001 then 200000
            when measured.total_input_tokens < 256001 then 200001
            when measured.total_input_tokens < 272001 then 256001
            when measured.total_input_tokens < 512001 then 272001
            when measured.total_input_tokens < 524289 then 512001
            else 524289
        end as bigint
    ) as context_min_tokens,
    measured.status,
    measured.error_type,
    measured.uncached_input_tokens,
    measured.cache_read_tokens,
    measured.cache_write_5m_tokens,
    measured.cache_write_1h_tokens,
    measured.output_tokens,
    measured.reasoning_tokens,
    measured.provider_total_tokens,
    measured.usage_source,
    coalesce(measured.user_id, roots.user_id) as user_id,
    coalesce(measured.tenant, roots.tenant) as tenant,
    coalesce(measured.customer, roots.customer) as customer,
    coalesce(measured.team, roots.team) as team,
    coalesce(measured.feature, roots.feature) as feature,
    coalesce(measured.endpoint, roots.endpoint) as endpoint,
    coalesce(measured.workflow, roots.workflow) as workflow,
    coalesce(measured.agent, roots.agent) as agent,
    coalesce(measured.agent_step, roots.agent_step) as agent_step,
    coalesce(measured.environment, roots.environment) as environment,
    measured.session_id,
    measured.from_zone,
    measured.to_zone,
    measured.request_bytes,
    measured.response_bytes,
    measured.replica_id
from measured
left join roots
    on measured.trace_id = roots.trace_id
    and roots.root_date <= measured.charge_date
    and roots.root_date >= cast(measured.charge_date - interval 2 day as date)
