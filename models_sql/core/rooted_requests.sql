/*
description: >
    Requests as logged, with their context band and what their trace's root span says of their identity. Here stands which
    root a request has: the earliest of its trace, up to two midnights before it.
grain: [request_id]
materialized: view
partition_by: {column: charge_date, unit: day}
reads:
    core.span_roots: {days_before: 2, days_after: 0}
columns:
    charge_date: null
    request_id: null
    x_sources: null
    provider_request_id: null
    logical_call_id: null
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
    time_of_day_start: null
    status: null
    error_type: null
    uncached_input_tokens: null
    cache_read_tokens: null
    cache_write_5m_tokens: null
    cache_write_1h_tokens: null
    output_tokens: null
    reasoning_tokens: null
    web_search_count: null
    uncached_audio_tokens: null
    cache_read_audio_tokens: null
    output_audio_tokens: null
    uncached_image_tokens: null
    cache_read_image_tokens: null
    output_image_tokens: null
    provider_total_tokens: null
    usage_source: null
    saved_input_tokens: null
    saved_output_tokens: null
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
    resource_keys: null
    api_key_id: null
    from_zone: null
    to_zone: null
    request_bytes: null
    response_bytes: null
    replica_id: null
    prefill_seconds: null
    decode_seconds: null
    root_identity_id: null
    root_resource_keys: null
    root_user_id: null
    root_tenant: null
    root_customer: null
    root_team: null
    root_feature: null
    root_endpoint: null
    root_workflow: null
    root_agent: null
    root_agent_step: null
    root_environment: null
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

roots as (
    select * from root_candidates
    where root_rank = 1
),

sized as (
    select
        requests.*,
        cast(requests.started_at as date) as charge_date,
        coalesce(requests.uncached_input_tokens, 0) + coalesce(requests.cache_read_tokens, 0)
        + coalesce(requests.cache_write_5m_tokens, 0)
        + coalesce(requests.cache_write_1h_tokens, 0) as total_input_tokens
    from requests
)

select
    sized.charge_date,
    sized.request_id,
    sized.x_sources,
    sized.provider_request_id,
    sized.logical_call_id,
    sized.trace_id,
    sized.span_id,
    sized.parent_span_id,
    sized.attempt_number,
    sized.started_at,
    sized.ended_at,
    sized.duration_seconds,
    sized.provider,
    sized.sub_account_id,
    sized.region_id,
    sized.request_model,
    sized.model,
    coalesce(sized.service_tier, 'standard') as service_tier,
    cast(
        case
            when sized.total_input_tokens < 32001 then 0
            when sized.total_input_tokens < 100001 then 32001
            when sized.total_input_tokens < 128001 then 100001
            when sized.total_input_tokens < 200000 then 128001
            when sized.total_input_tokens < 200001 then 200000
            when sized.total_input_tokens < 256001 then 200001
            when sized.total_input_tokens < 272001 then 256001
            when sized.total_input_tokens < 512001 then 272001
            when sized.total_input_tokens < 524289 then 512001
            when sized.total_input_tokens < 1000001 then 524289
            else 1000001
        end as bigint
    ) as context_min_tokens,
    timed_names.time_of_day_start,
    sized.status,
    sized.error_type,
    sized.uncached_input_tokens,
    sized.cache_read_tokens,
    sized.cache_write_5m_tokens,
    sized.cache_write_1h_tokens,
    sized.output_tokens,
    sized.reasoning_tokens,
    sized.web_search_count,
    sized.uncached_audio_tokens,
    sized.cache_read_audio_tokens,
    sized.output_audio_tokens,
    sized.uncached_image_tokens,
    sized.cache_read_image_tokens,
    sized.output_image_tokens,
    sized.provider_total_tokens,
    sized.usage_source,
    sized.saved_input_tokens,
    sized.saved_output_tokens,
    sized.user_id,
    sized.tenant,
    sized.customer,
    sized.team,
    sized.feature,
    sized.endpoint,
    sized.workflow,
    sized.agent,
    sized.agent_step,
    sized.environment,
    sized.session_id,
    sized.resource_keys,
    sized.api_key_id,
    sized.from_zone,
    sized.to_zone,
    sized.request_bytes,
    sized.response_bytes,
    sized.replica_id,
    sized.prefill_seconds,
    sized.decode_seconds,
    roots.root_identity_id,
    roots.resource_keys as root_resource_keys,
    roots.user_id as root_user_id,
    roots.tenant as root_tenant,
    roots.customer as root_customer,
    roots.team as root_team,
    roots.feature as root_feature,
    roots.endpoint as root_endpoint,
    roots.workflow as root_workflow,
    roots.agent as root_agent,
    roots.agent_step as root_agent_step,
    roots.environment as root_environment
from sized
left join core.timed_names as timed_names
    on sized.charge_date = timed_names.charge_date
    and sized.model = timed_names.model
    and coalesce(sized.provider, chr(30)) = coalesce(timed_names.provider, chr(30))
    and sized.started_at >= timed_names.band_start_at
    and sized.started_at < timed_names.band_end_at
left join roots
    on sized.trace_id = roots.trace_id
    and sized.charge_date >= roots.root_date
    and roots.root_date >= cast(sized.charge_date - interval 2 day as date)
