/*
description: >
    Requests of a day rolled up to every attribution and price key. Later steps read this, never the log again.
    The log is grouped by what it says itself and by its root's identity first, which is a tenth of the work of naming
    the owner of each request; an API key's owner is asked last.
grain: [charge_date, usage_id]
materialized: table
partition_by: {column: charge_date, unit: day}
reads:
    core.span_roots: {days_before: 2, days_after: 0}
columns:
    charge_date: null
    usage_id: null
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
    uncached_audio_tokens: null
    cache_read_audio_tokens: null
    output_audio_tokens: null
    uncached_image_tokens: null
    cache_read_image_tokens: null
    output_image_tokens: null
    request_bytes: null
    response_bytes: null
    request_seconds: null
*/
with

requests as (
    select *
    from core.rooted_requests
    where started_at >= cast($start as timestamp) and started_at < cast($end as timestamp)
),

api_keys as (select * from reference.api_keys),

root_identities as (
    select
        span_roots.root_identity_id,
        max(span_roots.resource_keys) as resource_keys,
        max(span_roots.user_id) as user_id,
        max(span_roots.tenant) as tenant,
        max(span_roots.customer) as customer,
        max(span_roots.team) as team,
        max(span_roots.feature) as feature,
        max(span_roots.endpoint) as endpoint,
        max(span_roots.workflow) as workflow,
        max(span_roots.agent) as agent,
        max(span_roots.agent_step) as agent_step,
        max(span_roots.environment) as environment
    from core.span_roots as span_roots
    group by span_roots.root_identity_id
),

logged as (
    select
        requests.charge_date,
        requests.root_identity_id,
        requests.resource_keys,
        api_keys.api_key_id,
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
        count(*) as requests,
        count(case when requests.status <> 'ok' then 1 end) as error_requests,
        sum(requests.uncached_input_tokens) as uncached_input_tokens,
        sum(requests.cache_read_tokens) as cache_read_tokens,
        sum(requests.cache_write_5m_tokens) as cache_write_5m_tokens,
        sum(requests.cache_write_1h_tokens) as cache_write_1h_tokens,
        sum(requests.output_tokens) as output_tokens,
        sum(requests.reasoning_tokens) as reasoning_tokens,
        sum(requests.web_search_count) as web_searches,
        sum(requests.saved_input_tokens) as saved_input_tokens,
        sum(requests.saved_output_tokens) as saved_output_tokens,
        sum(requests.uncached_audio_tokens) as uncached_audio_tokens,
        sum(requests.cache_read_audio_tokens) as cache_read_audio_tokens,
        sum(requests.output_audio_tokens) as output_audio_tokens,
        sum(requests.uncached_image_tokens) as uncached_image_tokens,
        sum(requests.cache_read_image_tokens) as cache_read_image_tokens,
        sum(requests.output_image_tokens) as output_image_tokens,
        sum(requests.request_bytes) as request_bytes,
        sum(requests.response_bytes) as response_bytes,
        sum(requests.duration_seconds) as request_seconds
    from requests
    left join api_keys on requests.api_key_id = api_keys.api_key_id
    group by
        requests.charge_date,
        requests.root_identity_id,
        requests.resource_keys,
        api_keys.api_key_id,
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

identified as (
    select
        logged.charge_date,
        logged.provider,
        logged.sub_account_id,
        logged.region_id,
        logged.model,
        coalesce(logged.service_tier, 'standard') as service_tier,
        logged.context_min_tokens,
        logged.time_of_day_start,
        coalesce(
            case
                when logged.resource_keys like '%,user_id,%'
                    and root_identities.resource_keys not like '%,user_id,%'
                    then root_identities.user_id
            end,
            logged.user_id, root_identities.user_id, api_keys.user_id
        ) as user_id,
        coalesce(
            case
                when logged.resource_keys like '%,tenant,%'
                    and root_identities.resource_keys not like '%,tenant,%'
                    then root_identities.tenant
            end,
            logged.tenant, root_identities.tenant, api_keys.tenant
        ) as tenant,
        coalesce(
            case
                when logged.resource_keys like '%,customer,%'
                    and root_identities.resource_keys not like '%,customer,%'
                    then root_identities.customer
            end,
            logged.customer, root_identities.customer, api_keys.customer
        ) as customer,
        coalesce(
            case
                when logged.resource_keys like '%,team,%'
                    and root_identities.resource_keys not like '%,team,%'
                    then root_identities.team
            end,
            logged.team, root_identities.team, api_keys.team
        ) as team,
        coalesce(
            case
                when logged.resource_keys like '%,feature,%'
                    and root_identities.resource_keys not like '%,feature,%'
                    then root_identities.feature
            end,
            logged.feature, root_identities.feature, api_keys.feature
        ) as feature,
        coalesce(
            case
                when logged.resource_keys like '%,endpoint,%'
                    and root_identities.resource_keys not like '%,endpoint,%'
                    then root_identities.endpoint
            end,
            logged.endpoint, root_identities.endpoint, api_keys.endpoint
        ) as endpoint,
        coalesce(
            case
                when logged.resource_keys like '%,workflow,%'
                    and root_identities.resource_keys not like '%,workflow,%'
                    then root_identities.workflow
            end,
            logged.workflow, root_identities.workflow, api_keys.workflow
        ) as workflow,
        coalesce(
            case
                when logged.resource_keys like '%,agent,%'
                    and root_identities.resource_keys not like '%,agent,%'
                    then root_identities.agent
            end,
            logged.agent, root_identities.agent, api_keys.agent
        ) as agent,
        coalesce(
            case
                when logged.resource_keys like '%,agent_step,%'
                    and root_identities.resource_keys not like '%,agent_step,%'
                    then root_identities.agent_step
            end,
            logged.agent_step, root_identities.agent_step
        ) as agent_step,
        coalesce(
            case
                when logged.resource_keys like '%,environment,%'
                    and root_identities.resource_keys not like '%,environment,%'
                    then root_identities.environment
            end,
            logged.environment, root_identities.environment, api_keys.environment
        ) as environment,
        logged.from_zone,
        logged.to_zone,
        logged.requests,
        logged.error_requests,
        logged.uncached_input_tokens,
        logged.cache_read_tokens,
        logged.cache_write_5m_tokens,
        logged.cache_write_1h_tokens,
        logged.output_tokens,
        logged.reasoning_tokens,
        logged.web_searches,
        logged.saved_input_tokens,
        logged.saved_output_tokens,
        logged.uncached_audio_tokens,
        logged.cache_read_audio_tokens,
        logged.output_audio_tokens,
        logged.uncached_image_tokens,
        logged.cache_read_image_tokens,
        logged.output_image_tokens,
        logged.request_bytes,
        logged.response_bytes,
        logged.request_seconds
    from logged
    left join root_identities on logged.root_identity_id = root_identities.root_identity_id
    left join api_keys on logged.api_key_id = api_keys.api_key_id
),

grouped as (
    select
        identified.charge_date,
        identified.provider,
        identified.sub_account_id,
        identified.region_id,
        identified.model,
        identified.service_tier,
        identified.context_min_tokens,
        identified.time_of_day_start,
        identified.user_id,
        identified.tenant,
        identified.customer,
        identified.team,
        identified.feature,
        identified.endpoint,
        identified.workflow,
        identified.agent,
        identified.agent_step,
        identified.environment,
        identified.from_zone,
        identified.to_zone,
        sum(identified.requests) as requests,
        sum(identified.error_requests) as error_requests,
        coalesce(sum(identified.uncached_input_tokens), 0) as uncached_input_tokens,
        coalesce(sum(identified.cache_read_tokens), 0) as cache_read_tokens,
        coalesce(sum(identified.cache_write_5m_tokens), 0) as cache_write_5m_tokens,
        coalesce(sum(identified.cache_write_1h_tokens), 0) as cache_write_1h_tokens,
        coalesce(sum(identified.output_tokens), 0) as output_tokens,
        coalesce(sum(identified.reasoning_tokens), 0) as reasoning_tokens,
        coalesce(sum(identified.web_searches), 0) as web_searches,
        coalesce(sum(identified.saved_input_tokens), 0) as saved_input_tokens,
        coalesce(sum(identified.saved_output_tokens), 0) as saved_output_tokens,
        coalesce(sum(identified.uncached_audio_tokens), 0) as uncached_audio_tokens,
        coalesce(sum(identified.cache_read_audio_tokens), 0) as cache_read_audio_tokens,
        coalesce(sum(identified.output_audio_tokens), 0) as output_audio_tokens,
        coalesce(sum(identified.uncached_image_tokens), 0) as uncached_image_tokens,
        coalesce(sum(identified.cache_read_image_tokens), 0) as cache_read_image_tokens,
        coalesce(sum(identified.output_image_tokens), 0) as output_image_tokens,
        coalesce(sum(identified.request_bytes), 0) as request_bytes,
        coalesce(sum(identified.response_bytes), 0) as response_bytes,
        coalesce(sum(identified.request_seconds), 0) as request_seconds
    from identified
    group by
        identified.charge_date,
        identified.provider,
        identified.sub_account_id,
        identified.region_id,
        identified.model,
        identified.service_tier,
        identified.context_min_tokens,
        identified.time_of_day_start,
        identified.user_id,
        identified.tenant,
        identified.customer,
        identified.team,
        identified.feature,
        identified.endpoint,
        identified.workflow,
        identified.agent,
        identified.agent_step,
        identified.environment,
        identified.from_zone,
        identified.to_zone
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
        ) as segment_id
    from grouped
)

select
    digested.charge_date,
    md5(digested.owner_id || digested.segment_id) as usage_id,
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
    cast(digested.uncached_audio_tokens as bigint) as uncached_audio_tokens,
    cast(digested.cache_read_audio_tokens as bigint) as cache_read_audio_tokens,
    cast(digested.output_audio_tokens as bigint) as output_audio_tokens,
    cast(digested.uncached_image_tokens as bigint) as uncached_image_tokens,
    cast(digested.cache_read_image_tokens as bigint) as cache_read_image_tokens,
    cast(digested.output_image_tokens as bigint) as output_image_tokens,
    cast(digested.request_bytes as bigint) as request_bytes,
    cast(digested.response_bytes as bigint) as response_bytes,
    cast(digested.request_seconds as decimal(18, 6)) as request_seconds
from digested
