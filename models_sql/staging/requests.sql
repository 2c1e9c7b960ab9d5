/*
description: >
    One attempt of one model call with disjoint token classes. Prompts and completions are never here.
grain: [x_source, x_snapshot_id, request_id]
materialized: view
partition_by: {column: started_at, unit: day}
columns:
    request_id: null
    x_source: null
    x_snapshot_id: null
    emitter_kind: null
    provider_request_id: null
    call_id: null
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
    status: null
    error_type: null
    uncached_input_tokens: null
    cache_read_tokens: null
    cache_write_5m_tokens: null
    cache_write_1h_tokens: null
    output_tokens: null
    reasoning_tokens: null
    audio_tokens: null
    image_tokens: null
    provider_total_tokens: null
    usage_source: null
    raw_usage: null
    web_search_count: null
    saved_input_tokens: null
    saved_output_tokens: null
    reported_cost: null
    reported_cost_currency: null
    time_to_first_token_seconds: null
    prefill_seconds: null
    decode_seconds: null
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
    api_key_id: null
    principal_id: null
    from_zone: null
    to_zone: null
    request_bytes: null
    response_bytes: null
    replica_id: null
*/
with

source as (select * from lake.requests)

select
    source.request_id,
    source.x_source,
    source.x_snapshot_id,
    source.emitter_kind,
    source.provider_request_id,
    source.call_id,
    source.logical_call_id,
    source.trace_id,
    source.span_id,
    source.parent_span_id,
    source.attempt_number,
    source.started_at,
    source.ended_at,
    source.duration_seconds,
    source.provider,
    source.sub_account_id,
    source.region_id,
    source.request_model,
    source.model,
    source.service_tier,
    source.status,
    source.error_type,
    source.uncached_input_tokens,
    source.cache_read_tokens,
    source.cache_write_5m_tokens,
    source.cache_write_1h_tokens,
    source.output_tokens,
    source.reasoning_tokens,
    source.audio_tokens,
    source.image_tokens,
    source.provider_total_tokens,
    source.usage_source,
    source.raw_usage,
    source.web_search_count,
    source.saved_input_tokens,
    source.saved_output_tokens,
    source.reported_cost,
    source.reported_cost_currency,
    source.time_to_first_token_seconds,
    source.prefill_seconds,
    source.decode_seconds,
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
    source.session_id,
    source.api_key_id,
    source.principal_id,
    source.from_zone,
    source.to_zone,
    source.request_bytes,
    source.response_bytes,
    source.replica_id
from source
