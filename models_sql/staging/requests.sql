/*
description: >
    One row an attempt of a model call, whoever reported it, with disjoint token classes: what one report states as it
    stands, what several state merged by rank. A span that only repeats another call is none. Prompts and completions are
    never here.
grain: [request_id]
materialized: view
partition_by: {column: started_at, unit: day}
columns:
    request_id: by the provider's id, else its span, else its call id
    x_source: the source whose token counts count
    x_snapshot_id: of the report whose token counts count
    x_sources: null
    reports: null
    emitter_kind: of the report whose token counts count
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
    uncached_audio_tokens: null
    cache_read_audio_tokens: null
    output_audio_tokens: null
    uncached_image_tokens: null
    cache_read_image_tokens: null
    output_image_tokens: null
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
    resource_keys: null
    api_key_id: null
    principal_id: null
    from_zone: null
    to_zone: null
    request_bytes: null
    response_bytes: null
    replica_id: null
*/
with

shared as (select * from staging.shared_attempts),

/* By `not exists`, a day without such reports is read without their ids, which are the widest column. */
alone as (
    select requests.*
    from lake.requests as requests
    where not exists (
            select 1
            from staging.shared_identities as looked_at
            where looked_at.report_date = cast(requests.started_at as date)
                and looked_at.request_id = requests.request_id
        )
)

select
    alone.request_id,
    alone.x_source,
    alone.x_snapshot_id,
    alone.x_source as x_sources,
    cast(1 as bigint) as reports,
    alone.emitter_kind,
    alone.provider_request_id,
    alone.call_id,
    alone.logical_call_id,
    alone.trace_id,
    alone.span_id,
    alone.parent_span_id,
    alone.attempt_number,
    alone.started_at,
    alone.ended_at,
    alone.duration_seconds,
    alone.provider,
    alone.sub_account_id,
    alone.region_id,
    alone.request_model,
    alone.model,
    alone.service_tier,
    alone.status,
    alone.error_type,
    alone.uncached_input_tokens,
    alone.cache_read_tokens,
    alone.cache_write_5m_tokens,
    alone.cache_write_1h_tokens,
    alone.output_tokens,
    alone.reasoning_tokens,
    alone.audio_tokens,
    alone.image_tokens,
    alone.uncached_audio_tokens,
    alone.cache_read_audio_tokens,
    alone.output_audio_tokens,
    alone.uncached_image_tokens,
    alone.cache_read_image_tokens,
    alone.output_image_tokens,
    alone.provider_total_tokens,
    alone.usage_source,
    alone.raw_usage,
    alone.web_search_count,
    alone.saved_input_tokens,
    alone.saved_output_tokens,
    alone.reported_cost,
    alone.reported_cost_currency,
    alone.time_to_first_token_seconds,
    alone.prefill_seconds,
    alone.decode_seconds,
    alone.user_id,
    alone.tenant,
    alone.customer,
    alone.team,
    alone.feature,
    alone.endpoint,
    alone.workflow,
    alone.agent,
    alone.agent_step,
    alone.environment,
    alone.session_id,
    alone.resource_keys,
    alone.api_key_id,
    alone.principal_id,
    alone.from_zone,
    alone.to_zone,
    alone.request_bytes,
    alone.response_bytes,
    alone.replica_id
from alone
union all
select
    shared.request_id,
    shared.x_source,
    shared.x_snapshot_id,
    shared.x_sources,
    shared.reports,
    shared.emitter_kind,
    shared.provider_request_id,
    shared.call_id,
    shared.logical_call_id,
    shared.trace_id,
    shared.span_id,
    shared.parent_span_id,
    shared.attempt_number,
    shared.started_at,
    shared.ended_at,
    shared.duration_seconds,
    shared.provider,
    shared.sub_account_id,
    shared.region_id,
    shared.request_model,
    shared.model,
    shared.service_tier,
    shared.status,
    shared.error_type,
    shared.uncached_input_tokens,
    shared.cache_read_tokens,
    shared.cache_write_5m_tokens,
    shared.cache_write_1h_tokens,
    shared.output_tokens,
    shared.reasoning_tokens,
    shared.audio_tokens,
    shared.image_tokens,
    shared.uncached_audio_tokens,
    shared.cache_read_audio_tokens,
    shared.output_audio_tokens,
    shared.uncached_image_tokens,
    shared.cache_read_image_tokens,
    shared.output_image_tokens,
    shared.provider_total_tokens,
    shared.usage_source,
    shared.raw_usage,
    shared.web_search_count,
    shared.saved_input_tokens,
    shared.saved_output_tokens,
    shared.reported_cost,
    shared.reported_cost_currency,
    shared.time_to_first_token_seconds,
    shared.prefill_seconds,
    shared.decode_seconds,
    shared.user_id,
    shared.tenant,
    shared.customer,
    shared.team,
    shared.feature,
    shared.endpoint,
    shared.workflow,
    shared.agent,
    shared.agent_step,
    shared.environment,
    shared.session_id,
    shared.resource_keys,
    shared.api_key_id,
    shared.principal_id,
    shared.from_zone,
    shared.to_zone,
    shared.request_bytes,
    shared.response_bytes,
    shared.replica_id
from shared
