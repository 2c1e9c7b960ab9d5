/*
description: >
    Requests with the identity of their own span or its parents, else of their root span, else of their emitter, else of
    their API key's owner.
grain: [request_id]
materialized: view
partition_by: {column: charge_date, unit: day}
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
    api_key_id: null
    from_zone: null
    to_zone: null
    request_bytes: null
    response_bytes: null
    replica_id: null
    prefill_seconds: null
    decode_seconds: null
*/
with

requests as (select * from core.rooted_requests),

api_keys as (select * from reference.api_keys)

select
    requests.charge_date,
    requests.request_id,
    requests.x_sources,
    requests.provider_request_id,
    requests.logical_call_id,
    requests.trace_id,
    requests.span_id,
    requests.parent_span_id,
    requests.attempt_number,
    requests.started_at,
    requests.ended_at,
    requests.duration_seconds,
    requests.provider,
    requests.sub_account_id,
    requests.region_id,
    requests.request_model,
    requests.model,
    requests.service_tier,
    requests.context_min_tokens,
    requests.time_of_day_start,
    requests.status,
    requests.error_type,
    requests.uncached_input_tokens,
    requests.cache_read_tokens,
    requests.cache_write_5m_tokens,
    requests.cache_write_1h_tokens,
    requests.output_tokens,
    requests.reasoning_tokens,
    requests.web_search_count,
    requests.uncached_audio_tokens,
    requests.cache_read_audio_tokens,
    requests.output_audio_tokens,
    requests.uncached_image_tokens,
    requests.cache_read_image_tokens,
    requests.output_image_tokens,
    requests.provider_total_tokens,
    requests.usage_source,
    requests.saved_input_tokens,
    requests.saved_output_tokens,
    coalesce(
        case
            when requests.resource_keys like '%,user_id,%'
                and requests.root_resource_keys not like '%,user_id,%'
                then requests.root_user_id
        end,
        requests.user_id, requests.root_user_id, api_keys.user_id
    ) as user_id,
    coalesce(
        case
            when requests.resource_keys like '%,tenant,%'
                and requests.root_resource_keys not like '%,tenant,%'
                then requests.root_tenant
        end,
        requests.tenant, requests.root_tenant, api_keys.tenant
    ) as tenant,
    coalesce(
        case
            when requests.resource_keys like '%,customer,%'
                and requests.root_resource_keys not like '%,customer,%'
                then requests.root_customer
        end,
        requests.customer, requests.root_customer, api_keys.customer
    ) as customer,
    coalesce(
        case
            when requests.resource_keys like '%,team,%'
                and requests.root_resource_keys not like '%,team,%'
                then requests.root_team
        end,
        requests.team, requests.root_team, api_keys.team
    ) as team,
    coalesce(
        case
            when requests.resource_keys like '%,feature,%'
                and requests.root_resource_keys not like '%,feature,%'
                then requests.root_feature
        end,
        requests.feature, requests.root_feature, api_keys.feature
    ) as feature,
    coalesce(
        case
            when requests.resource_keys like '%,endpoint,%'
                and requests.root_resource_keys not like '%,endpoint,%'
                then requests.root_endpoint
        end,
        requests.endpoint, requests.root_endpoint, api_keys.endpoint
    ) as endpoint,
    coalesce(
        case
            when requests.resource_keys like '%,workflow,%'
                and requests.root_resource_keys not like '%,workflow,%'
                then requests.root_workflow
        end,
        requests.workflow, requests.root_workflow, api_keys.workflow
    ) as workflow,
    coalesce(
        case
            when requests.resource_keys like '%,agent,%'
                and requests.root_resource_keys not like '%,agent,%'
                then requests.root_agent
        end,
        requests.agent, requests.root_agent, api_keys.agent
    ) as agent,
    coalesce(
        case
            when requests.resource_keys like '%,agent_step,%'
                and requests.root_resource_keys not like '%,agent_step,%'
                then requests.root_agent_step
        end,
        requests.agent_step, requests.root_agent_step
    ) as agent_step,
    coalesce(
        case
            when requests.resource_keys like '%,environment,%'
                and requests.root_resource_keys not like '%,environment,%'
                then requests.root_environment
        end,
        requests.environment, requests.root_environment, api_keys.environment
    ) as environment,
    requests.session_id,
    requests.api_key_id,
    requests.from_zone,
    requests.to_zone,
    requests.request_bytes,
    requests.response_bytes,
    requests.replica_id,
    requests.prefill_seconds,
    requests.decode_seconds
from requests
left join api_keys on requests.api_key_id = api_keys.api_key_id
