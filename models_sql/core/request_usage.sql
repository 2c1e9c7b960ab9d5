/*
description: >
    Requests of a day rolled up to every attribution and price key. Later steps read this, never the log again.
    The identity that core.identified_requests gives to each request is given here to groups of them: the log is
    grouped by what it says itself and by its root's identity first, a tenth of the work.
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
    request_bytes: null
    response_bytes: null
    request_seconds: null
*/
with

requests as (
    select *
    from staging.requests
    where started_at >= cast($start as timestamp) and started_at < cast($end as timestamp)
),

root_candidates as (
    select
        span_roots.*,
        md5(
            coalesce(span_roots.user_id, chr(30))
            || chr(31) || coalesce(span_roots.tenant, chr(30))
            || chr(31) || coalesce(span_roots.customer, chr(30))
            || chr(31) || coalesce(span_roots.team, chr(30))
            || chr(31) || coalesce(span_roots.feature, chr(30))
            || chr(31) || coalesce(span_roots.endpoint, chr(30))
            || chr(31) || coalesce(span_roots.workflow, chr(30))
            || chr(31) || coalesce(span_roots.agent, chr(30))
            || chr(31) || coalesce(span_roots.agent_step, chr(30))
            || chr(31) || coalesce(span_roots.environment, chr(30))
        ) as root_identity_id,
        row_number() over (
            partition by span_roots.trace_id order by span_roots.root_date
        ) as root_rank
    from core.span_roots as span_roots
),

roots as (select * from root_candidates where root_rank = 1),

root_identities as (
    select
        roots.root_identity_id,
        max(roots.user_id) as user_id,
        max(roots.tenant) as tenant,
        max(roots.customer) as customer,
        max(roots.team) as team,
        max(roots.feature) as feature,
        max(roots.endpoint) as endpoint,
        max(roots.workflow) as workflow,
        max(roots.agent) as agent,
        max(roots.agent_step) as agent_step,
        max(roots.environment) as environment
    from roots
    group by roots.root_identity_id
),

sized as (
    select
        requests.*,
        cast(requests.started_at as date) as charge_date,
        coalesce(requests.uncached_input_tokens, 0) + coalesce(requests.cache_read_tokens, 0)
            + coalesce(requests.cache_write_5m_tokens, 0)
            + coalesce(requests.cache_write_1h_tokens, 0) as total_input_tokens
    from requests
),

measured as (
    select
        sized.*,
        roots.root_identity_id,
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
                else 524289
            end as bigint
        ) as context_min_tokens
    from sized
    left join roots
        on sized.trace_id = roots.trace_id
        and roots.root_date <= sized.charge_date
        and roots.root_date >= cast(sized.charge_date - interval 2 day as date)
),

logged as (
    select
        measured.charge_date,
        measured.root_identity_id,
        measured.provider,
        measured.sub_account_id,
        measured.region_id,
        measured.model,
        measured.service_tier,
        measured.context_min_tokens,
        measured.user_id,
        measured.tenant,
        measured.customer,
        measured.team,
        measured.feature,
        measured.endpoint,
        measured.workflow,
        measured.agent,
        measured.agent_step,
        measured.environment,
        measured.from_zone,
        measured.to_zone,
        count(*) as requests,
        count(case when measured.status <> 'ok' then 1 end) as error_requests,
        sum(measured.uncached_input_tokens) as uncached_input_tokens,
        sum(measured.cache_read_tokens) as cache_read_tokens,
        sum(measured.cache_write_5m_tokens) as cache_write_5m_tokens,
        sum(measured.cache_write_1h_tokens) as cache_write_1h_tokens,
        sum(measured.output_tokens) as output_tokens,
        sum(measured.reasoning_tokens) as reasoning_tokens,
        sum(measured.request_bytes) as request_bytes,
        sum(measured.response_bytes) as response_bytes,
        sum(measured.duration_seconds) as request_seconds
    from measured
    group by
        measured.charge_date,
        measured.root_identity_id,
        measured.provider,
        measured.sub_account_id,
        measured.region_id,
        measured.model,
        measured.service_tier,
        measured.context_min_tokens,
        measured.user_id,
        measured.tenant,
        measured.customer,
        measured.team,
        measured.feature,
        measured.endpoint,
        measured.workflow,
        measured.agent,
        measured.agent_step,
        measured.environment,
        measured.from_zone,
        measured.to_zone
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
        coalesce(logged.user_id, root_identities.user_id) as user_id,
        coalesce(logged.tenant, root_identities.tenant) as tenant,
        coalesce(logged.customer, root_identities.customer) as customer,
        coalesce(logged.team, root_identities.team) as team,
        coalesce(logged.feature, root_identities.feature) as feature,
        coalesce(logged.endpoint, root_identities.endpoint) as endpoint,
        coalesce(logged.workflow, root_identities.workflow) as workflow,
        coalesce(logged.agent, root_identities.agent) as agent,
        coalesce(logged.agent_step, root_identities.agent_step) as agent_step,
        coalesce(logged.environment, root_identities.environment) as environment,
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
        logged.request_bytes,
        logged.response_bytes,
        logged.request_seconds
    from logged
    left join root_identities on logged.root_identity_id = root_identities.root_identity_id
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
    cast(digested.request_bytes as bigint) as request_bytes,
    cast(digested.response_bytes as bigint) as response_bytes,
    cast(digested.request_seconds as decimal(18, 6)) as request_seconds
from digested
