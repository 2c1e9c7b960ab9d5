/*
description: >
    Attempts that several reports describe, or that the tree of other files says more about, one row each. Reports of one
    provider's id are one attempt; a report without one joins the only provider's id that its span, else its call id,
    leads to; else those of one span are one, else those of one call id. Reports of different provider's ids never merge,
    but an id as gateways make for clients stands for the only other provider's id that its call ids lead to.
    An id that many different reports of one source state is ignored. What counts where reports differ is ranked by who
    saw the call (reference.request_ranks). An attempt belongs to a UTC day; a report of the first hour of a day whose
    attempt was reported in the last hour of the day before belongs there, and names it where it alone states the
    provider's id.
grain: [request_id]
materialized: table
partition_by: {column: started_at, unit: day}
reads:
    lake.requests: {days_before: 1, days_after: 1}
    staging.shared_identities: {days_before: 1, days_after: 1}
    staging.span_links: {days_before: 1, days_after: 1}
columns:
    request_id: of the merged attempt, by the provider's id, else its span, else its call id
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
    is_contradicted: null
    is_ambiguous: null
    reused_id: null
*/
with

settings as (select * from reference.settings),

ranks as (select * from reference.request_ranks),

looked_at as (select * from staging.shared_identities),

links as (select * from staging.span_links),

gathered as (
    select
        requests.request_id,
        requests.x_source,
        requests.x_snapshot_id,
        requests.provider_request_id,
        requests.call_id,
        requests.logical_call_id,
        requests.trace_id,
        requests.span_id,
        requests.parent_span_id,
        requests.enclosing_call_span_id,
        requests.unresolved_parent_span_id,
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
        requests.status,
        requests.error_type,
        requests.uncached_input_tokens,
        requests.cache_read_tokens,
        requests.cache_write_5m_tokens,
        requests.cache_write_1h_tokens,
        requests.output_tokens,
        requests.reasoning_tokens,
        requests.audio_tokens,
        requests.image_tokens,
        requests.uncached_audio_tokens,
        requests.cache_read_audio_tokens,
        requests.output_audio_tokens,
        requests.uncached_image_tokens,
        requests.cache_read_image_tokens,
        requests.output_image_tokens,
        requests.provider_total_tokens,
        requests.usage_source,
        requests.raw_usage,
        requests.web_search_count,
        requests.saved_input_tokens,
        requests.saved_output_tokens,
        requests.reported_cost,
        requests.reported_cost_currency,
        requests.time_to_first_token_seconds,
        requests.prefill_seconds,
        requests.decode_seconds,
        requests.api_key_id,
        requests.principal_id,
        requests.from_zone,
        requests.to_zone,
        requests.request_bytes,
        requests.response_bytes,
        requests.replica_id,
        coalesce(links.user_id, requests.user_id) as user_id,
        coalesce(links.tenant, requests.tenant) as tenant,
        coalesce(links.customer, requests.customer) as customer,
        coalesce(links.team, requests.team) as team,
        coalesce(links.feature, requests.feature) as feature,
        coalesce(links.endpoint, requests.endpoint) as endpoint,
        coalesce(links.workflow, requests.workflow) as workflow,
        coalesce(links.agent, requests.agent) as agent,
        coalesce(links.agent_step, requests.agent_step) as agent_step,
        coalesce(links.environment, requests.environment) as environment,
        coalesce(links.session_id, requests.session_id) as session_id,
        coalesce(links.resource_keys, requests.resource_keys) as resource_keys,
        coalesce(requests.emitter_kind, 'file') as emitter_kind,
        coalesce(links.is_wrapper, false) as is_wrapper,
        requests.saved_input_tokens is not null or requests.saved_output_tokens is not null as is_saved,
        cast(requests.started_at as date) as report_date,
        case extract(hour from requests.started_at)
            when 0 then cast(requests.started_at as date)
            when 23 then cast(cast(requests.started_at as date) + interval 1 day as date)
        end as midnight_date,
        case when requests.trace_id <> requests.request_id then requests.trace_id end as stated_trace_id,
        'response:' || requests.provider_request_id as response_id,
        'span:' || requests.trace_id || ':' || requests.span_id as trace_span_id,
        'call:' || requests.call_id as own_call_id,
        md5(
            coalesce(cast(requests.request_id as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.emitter_kind as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.provider_request_id as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.call_id as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.logical_call_id as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.trace_id as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.span_id as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.parent_span_id as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.enclosing_call_span_id as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.unresolved_parent_span_id as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.resource_keys as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.attempt_number as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.started_at as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.ended_at as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.duration_seconds as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.provider as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.sub_account_id as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.region_id as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.request_model as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.model as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.service_tier as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.status as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.error_type as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.uncached_input_tokens as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.cache_read_tokens as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.cache_write_5m_tokens as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.cache_write_1h_tokens as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.output_tokens as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.reasoning_tokens as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.audio_tokens as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.image_tokens as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.uncached_audio_tokens as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.cache_read_audio_tokens as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.output_audio_tokens as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.uncached_image_tokens as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.cache_read_image_tokens as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.output_image_tokens as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.provider_total_tokens as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.usage_source as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.raw_usage as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.web_search_count as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.saved_input_tokens as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.saved_output_tokens as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.reported_cost as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.reported_cost_currency as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.time_to_first_token_seconds as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.prefill_seconds as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.decode_seconds as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.user_id as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.tenant as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.customer as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.team as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.feature as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.endpoint as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.workflow as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.agent as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.agent_step as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.environment as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.session_id as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.api_key_id as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.principal_id as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.from_zone as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.to_zone as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.request_bytes as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.response_bytes as varchar), chr(30))
            || chr(31) || coalesce(cast(requests.replica_id as varchar), chr(30))
        ) as content_digest
    from lake.requests as requests
    inner join looked_at
        on cast(requests.started_at as date) = looked_at.report_date
        and requests.request_id = looked_at.request_id
    left join links
        on cast(requests.started_at as date) = links.span_date
        and requests.trace_id = links.trace_id
        and requests.span_id = links.span_id
        and requests.emitter_kind = 'span'
    where requests.started_at >= cast($start as timestamp) - interval 1 hour
        and requests.started_at < cast($end as timestamp) + interval 1 hour
),

reports as (
    select
        gathered.*,
        row_number() over (
            order by
                gathered.report_date,
                gathered.request_id,
                gathered.content_digest,
                gathered.x_source,
                gathered.x_snapshot_id
        ) as report_number
    from gathered
),

/* The two hours around a midnight are a scope of their own, so that both days see the same of them. */
scoped as (
    select
        cast(reports.report_date as timestamp) + interval 12 hour as scope_at,
        reports.report_number,
        reports.x_source,
        reports.emitter_kind,
        reports.is_saved,
        reports.content_digest,
        reports.response_id,
        reports.trace_span_id,
        reports.own_call_id
    from reports
    union all
    select
        cast(reports.midnight_date as timestamp) as scope_at,
        reports.report_number,
        reports.x_source,
        reports.emitter_kind,
        reports.is_saved,
        reports.content_digest,
        reports.response_id,
        reports.trace_span_id,
        reports.own_call_id
    from reports
    where reports.midnight_date is not null
),

stated_ids as (
    select
        scoped.scope_at,
        scoped.x_source,
        scoped.response_id as id,
        scoped.content_digest
    from scoped
    where scoped.response_id is not null
    union all
    select
        scoped.scope_at,
        scoped.x_source,
        scoped.trace_span_id as id,
        scoped.content_digest
    from scoped
    where scoped.trace_span_id is not null
    union all
    select
        scoped.scope_at,
        scoped.x_source,
        scoped.own_call_id as id,
        scoped.content_digest
    from scoped
    where scoped.own_call_id is not null
),

overused as (
    select
        stated_ids.scope_at,
        stated_ids.x_source,
        stated_ids.id
    from stated_ids
    cross join settings
    group by stated_ids.scope_at, stated_ids.x_source, stated_ids.id, settings.reused_id_reports
    having count(distinct stated_ids.content_digest) > settings.reused_id_reports
),

reused as (
    select
        overused.scope_at,
        overused.id
    from overused
    group by overused.scope_at, overused.id
),

/*
Spans and call ids of calls that a gateway answered from its cache, and that reached nobody else: who saw such an answer
states the provider's id of the call that filled the cache, which is another one.
*/
saved_spans as (
    select
        scoped.scope_at,
        scoped.trace_span_id as id
    from scoped
    where scoped.is_saved and scoped.trace_span_id is not null
    group by scoped.scope_at, scoped.trace_span_id
),

saved_calls as (
    select
        scoped.scope_at,
        scoped.own_call_id as id
    from scoped
    where scoped.is_saved and scoped.own_call_id is not null
    group by scoped.scope_at, scoped.own_call_id
),

answered_spans as (
    select
        saved_spans.scope_at,
        saved_spans.id
    from saved_spans
    inner join scoped
        on saved_spans.scope_at = scoped.scope_at
        and saved_spans.id = scoped.trace_span_id
    group by saved_spans.scope_at, saved_spans.id
    having min(case when scoped.is_saved or scoped.emitter_kind in ('span', 'file') then 1 else 0 end) = 1
),

answered_calls as (
    select
        saved_calls.scope_at,
        saved_calls.id
    from saved_calls
    inner join scoped
        on saved_calls.scope_at = scoped.scope_at
        and saved_calls.id = scoped.own_call_id
    group by saved_calls.scope_at, saved_calls.id
    having min(case when scoped.is_saved or scoped.emitter_kind in ('span', 'file') then 1 else 0 end) = 1
),

distinguished as (
    select
        scoped.scope_at,
        scoped.report_number,
        scoped.x_source,
        scoped.is_saved,
        scoped.content_digest,
        case
            when reused_responses.id is null and answered_spans.id is null and answered_calls.id is null
                then scoped.response_id
        end as response_id,
        case when reused_spans.id is null then scoped.trace_span_id end as span_id,
        case when reused_calls.id is null then scoped.own_call_id end as call_id,
        coalesce(reused_responses.id, reused_spans.id, reused_calls.id) as reused_id
    from scoped
    left join reused as reused_responses
        on scoped.scope_at = reused_responses.scope_at
        and scoped.response_id = reused_responses.id
    left join reused as reused_spans
        on scoped.scope_at = reused_spans.scope_at
        and scoped.trace_span_id = reused_spans.id
    left join reused as reused_calls
        on scoped.scope_at = reused_calls.scope_at
        and scoped.own_call_id = reused_calls.id
    left join answered_spans
        on scoped.scope_at = answered_spans.scope_at
        and scoped.trace_span_id = answered_spans.id
    left join answered_calls
        on scoped.scope_at = answered_calls.scope_at
        and scoped.own_call_id = answered_calls.id
),

/* A gateway in front of another provider answers with an id of its own: what it hides is the provider's id of its call. */
call_names as (
    select
        distinguished.scope_at,
        distinguished.call_id,
        min(distinguished.response_id) as first_id,
        max(distinguished.response_id) as last_id
    from distinguished
    where distinguished.call_id is not null
        and distinguished.response_id not like 'response:chatcmpl-________-____-____-____-____________'
    group by distinguished.scope_at, distinguished.call_id
),

hidden_names as (
    select
        distinguished.scope_at,
        distinguished.response_id,
        min(call_names.first_id) as hidden_id
    from distinguished
    inner join call_names
        on distinguished.scope_at = call_names.scope_at
        and distinguished.call_id = call_names.call_id
    where distinguished.response_id like 'response:chatcmpl-________-____-____-____-____________'
    group by distinguished.scope_at, distinguished.response_id
    having min(call_names.first_id) = max(call_names.last_id)
),

identified as (
    select
        distinguished.scope_at,
        distinguished.report_number,
        distinguished.x_source,
        distinguished.is_saved,
        distinguished.content_digest,
        distinguished.span_id,
        distinguished.call_id,
        distinguished.reused_id,
        coalesce(hidden_names.hidden_id, distinguished.response_id) as response_id
    from distinguished
    left join hidden_names
        on distinguished.scope_at = hidden_names.scope_at
        and distinguished.response_id = hidden_names.response_id
),

span_responses as (
    select
        identified.scope_at,
        identified.span_id,
        min(identified.response_id) as response_id,
        min(identified.response_id) = max(identified.response_id) as is_single
    from identified
    where identified.span_id is not null and identified.response_id is not null
    group by identified.scope_at, identified.span_id
),

/* A span and a call id that meet in a report without a provider's id, with what the span alone leads to. */
meetings as (
    select
        identified.scope_at,
        identified.span_id,
        identified.call_id,
        span_responses.response_id,
        span_responses.is_single
    from identified
    left join span_responses
        on identified.scope_at = span_responses.scope_at
        and identified.span_id = span_responses.span_id
    where identified.response_id is null
        and identified.span_id is not null
        and identified.call_id is not null
    group by
        identified.scope_at,
        identified.span_id,
        identified.call_id,
        span_responses.response_id,
        span_responses.is_single
),

led_calls as (
    select
        identified.scope_at,
        identified.call_id,
        identified.response_id
    from identified
    where identified.call_id is not null and identified.response_id is not null
    union
    select
        meetings.scope_at,
        meetings.call_id,
        meetings.response_id
    from meetings
    where meetings.is_single
),

call_responses as (
    select
        led_calls.scope_at,
        led_calls.call_id,
        min(led_calls.response_id) as response_id,
        min(led_calls.response_id) = max(led_calls.response_id) as is_single
    from led_calls
    group by led_calls.scope_at, led_calls.call_id
),

led_spans as (
    select
        meetings.scope_at,
        meetings.span_id,
        min(call_responses.response_id) as response_id,
        min(call_responses.response_id) = max(call_responses.response_id)
        and min(case when call_responses.is_single then 1 else 0 end) = 1 as is_single
    from meetings
    inner join call_responses
        on meetings.scope_at = call_responses.scope_at
        and meetings.call_id = call_responses.call_id
    where meetings.response_id is null
    group by meetings.scope_at, meetings.span_id
),

/* What a call id without any provider's id leads to: the only span that states it. */
call_spans as (
    select
        meetings.scope_at,
        meetings.call_id,
        min(meetings.span_id) as span_id,
        min(meetings.span_id) = max(meetings.span_id) as is_single
    from meetings
    group by meetings.scope_at, meetings.call_id
),

resolved as (
    select
        identified.scope_at,
        identified.report_number,
        identified.reused_id,
        identified.response_id as own_response_id,
        case
            when identified.response_id is not null then identified.response_id
            when identified.is_saved and identified.span_id is not null then identified.span_id
            when identified.is_saved and identified.call_id is not null
                then coalesce(case when call_spans.is_single then call_spans.span_id end, identified.call_id)
            when identified.span_id is not null and span_responses.is_single then span_responses.response_id
            when identified.span_id is not null and span_responses.response_id is not null
                then identified.span_id
            when identified.span_id is not null and led_spans.is_single then led_spans.response_id
            when identified.span_id is not null then identified.span_id
            when identified.call_id is not null and call_responses.is_single then call_responses.response_id
            when identified.call_id is not null and call_responses.response_id is not null
                then identified.call_id
            when identified.call_id is not null and call_spans.is_single
                then coalesce(case when ways_up.is_single then ways_up.response_id end, call_spans.span_id)
            when identified.call_id is not null then identified.call_id
            else 'report:' || md5(identified.x_source || chr(31) || identified.content_digest)
        end as attempt_id,
        identified.response_id is null
        and not identified.is_saved
        and case
            when identified.span_id is null
                then coalesce(
                    not coalesce(call_responses.is_single, call_spans.is_single), false
                )
            when span_responses.response_id is not null then not span_responses.is_single
            else coalesce(not led_spans.is_single, false)
        end as is_ambiguous
    from identified
    left join span_responses
        on identified.scope_at = span_responses.scope_at
        and identified.span_id = span_responses.span_id
    left join led_spans
        on identified.scope_at = led_spans.scope_at
        and identified.span_id = led_spans.span_id
    left join call_responses
        on identified.scope_at = call_responses.scope_at
        and identified.call_id = call_responses.call_id
    left join call_spans
        on identified.scope_at = call_spans.scope_at
        and identified.call_id = call_spans.call_id
    left join led_spans as ways_up
        on call_spans.scope_at = ways_up.scope_at
        and call_spans.span_id = ways_up.span_id
),

of_days as (
    select resolved.*
    from resolved
    where extract(hour from resolved.scope_at) = 12
),

of_midnights as (
    select resolved.*
    from resolved
    where extract(hour from resolved.scope_at) = 0
),

/* Provider's ids that first reports of a day bring to the last ones of the day before, which did not know them. */
brought_names as (
    select
        of_midnights.scope_at,
        of_midnights.attempt_id
    from of_midnights
    inner join reports
        on of_midnights.report_number = reports.report_number
    inner join of_days
        on of_midnights.report_number = of_days.report_number
    where of_midnights.attempt_id like 'response:%'
    group by of_midnights.scope_at, of_midnights.attempt_id
    having
        max(case when reports.report_date = reports.midnight_date then 1 else 0 end) = 1
        and max(
            case
                when reports.report_date < reports.midnight_date
                    and of_days.attempt_id = of_midnights.attempt_id
                    then 1
                else 0
            end
        ) = 0
),

renamed_reports as (
    select
        of_days.report_number,
        of_days.scope_at,
        of_days.attempt_id as day_attempt_id,
        of_midnights.attempt_id
    from brought_names
    inner join of_midnights
        on brought_names.scope_at = of_midnights.scope_at
        and brought_names.attempt_id = of_midnights.attempt_id
    inner join reports
        on of_midnights.report_number = reports.report_number
    inner join of_days
        on of_midnights.report_number = of_days.report_number
    where reports.report_date < reports.midnight_date
        and (
            of_days.own_response_id is null
            or reports.response_id like 'response:chatcmpl-________-____-____-____-____________'
        )
),

/* An attempt whose last reports are brought one name has it whole; an id of the provider is never renamed. */
renamed_attempts as (
    select
        renamed_reports.scope_at,
        renamed_reports.day_attempt_id,
        min(renamed_reports.attempt_id) as attempt_id
    from renamed_reports
    where renamed_reports.day_attempt_id not like 'response:%'
        or renamed_reports.day_attempt_id like 'response:chatcmpl-________-____-____-____-____________'
    group by renamed_reports.scope_at, renamed_reports.day_attempt_id
    having min(renamed_reports.attempt_id) = max(renamed_reports.attempt_id)
),

named_days as (
    select
        of_days.report_number,
        of_days.is_ambiguous,
        of_days.reused_id,
        coalesce(renamed_reports.attempt_id, renamed_attempts.attempt_id, of_days.attempt_id) as attempt_id,
        case
            when of_days.own_response_id is not null
                then coalesce(
                    renamed_reports.attempt_id, renamed_attempts.attempt_id, of_days.own_response_id
                )
        end as own_response_id
    from of_days
    left join renamed_reports
        on of_days.report_number = renamed_reports.report_number
    left join renamed_attempts
        on of_days.scope_at = renamed_attempts.scope_at
        and of_days.attempt_id = renamed_attempts.day_attempt_id
),

/* The attempts of a day's last hour, by what they are called in the scope of the midnight after it. */
hosts as (
    select
        of_midnights.scope_at,
        of_midnights.attempt_id as midnight_attempt_id,
        coalesce(
            max(case when named_days.attempt_id = of_midnights.attempt_id then named_days.attempt_id end),
            min(named_days.attempt_id)
        ) as attempt_id
    from of_midnights
    inner join reports
        on of_midnights.report_number = reports.report_number
    inner join named_days
        on of_midnights.report_number = named_days.report_number
    where reports.report_date < reports.midnight_date
    group by of_midnights.scope_at, of_midnights.attempt_id
),

arrivals as (
    select
        of_midnights.scope_at,
        of_midnights.report_number,
        of_midnights.attempt_id,
        of_midnights.is_ambiguous,
        of_midnights.reused_id,
        of_midnights.own_response_id
    from of_midnights
    inner join reports
        on of_midnights.report_number = reports.report_number
    where reports.report_date = reports.midnight_date
),

/* A report that an attempt of the day before holds is judged in the scope of its midnight, others in that of their day. */
placed as (
    select
        named_days.report_number,
        coalesce(hosts.attempt_id, named_days.attempt_id) as attempt_id,
        hosts.attempt_id is not null as is_of_day_before,
        case when hosts.attempt_id is null then named_days.is_ambiguous else arrivals.is_ambiguous end
            as is_ambiguous,
        case when hosts.attempt_id is null then named_days.reused_id else arrivals.reused_id end as reused_id,
        case when hosts.attempt_id is null then named_days.own_response_id else arrivals.own_response_id end
            as own_response_id
    from named_days
    left join arrivals
        on named_days.report_number = arrivals.report_number
    left join hosts
        on arrivals.scope_at = hosts.scope_at
        and arrivals.attempt_id = hosts.midnight_attempt_id
),

/* What decides the order of an attempt's reports, and nothing else: sorting whole reports would cost ten times as much. */
members as (
    select
        placed.report_number,
        placed.attempt_id,
        case
            when placed.is_of_day_before then cast(reports.report_date - interval 1 day as date)
            else reports.report_date
        end as attempt_date,
        placed.is_ambiguous,
        placed.reused_id,
        placed.own_response_id,
        reports.x_source,
        reports.is_wrapper,
        case
            when reports.is_saved then 0
            when reports.usage_source = 'reported' then 1
            when reports.usage_source = 'estimated' then 2
            else 3
        end as usage_order,
        case when reports.ended_at is null then 1 else 0 end as time_order,
        case when reports.span_id is null then 2 else 0 end
        + case when reports.stated_trace_id is null then 1 else 0 end as trace_order,
        coalesce(ranks.usage_rank, 99) as usage_rank,
        coalesce(ranks.identity_rank, 99) as identity_rank,
        coalesce(ranks.time_rank, 99) as time_rank,
        coalesce(ranks.price_rank, 99) as price_rank,
        coalesce(ranks.status_rank, 99) as status_rank,
        coalesce(reports.usage_source, 'none') = 'reported' and not reports.is_wrapper as is_counted
    from placed
    inner join reports
        on placed.report_number = reports.report_number
    left join ranks
        on reports.emitter_kind = ranks.emitter_kind
),

positioned as (
    select
        members.*,
        min(case when members.is_counted then members.usage_rank end) over (
            partition by members.attempt_date, members.attempt_id
        ) as best_rank,
        dense_rank() over (
            partition by members.attempt_date, members.attempt_id order by members.x_source
        ) as source_position,
        row_number() over (
            partition by members.attempt_date, members.attempt_id
            order by
                members.is_wrapper asc,
                members.usage_order asc,
                members.usage_rank asc,
                members.report_number asc
        ) as usage_position,
        row_number() over (
            partition by members.attempt_date, members.attempt_id
            order by
                members.identity_rank asc,
                members.report_number asc
        ) as identity_position,
        row_number() over (
            partition by members.attempt_date, members.attempt_id
            order by
                members.is_wrapper asc,
                members.time_order asc,
                members.time_rank asc,
                members.report_number asc
        ) as time_position,
        row_number() over (
            partition by members.attempt_date, members.attempt_id
            order by
                members.is_wrapper asc,
                members.price_rank asc,
                members.report_number asc
        ) as price_position,
        row_number() over (
            partition by members.attempt_date, members.attempt_id
            order by
                members.is_wrapper asc,
                members.status_rank asc,
                members.report_number asc
        ) as status_position,
        row_number() over (
            partition by members.attempt_date, members.attempt_id
            order by
                members.trace_order asc,
                members.is_wrapper asc,
                members.identity_rank asc,
                members.report_number asc
        ) as trace_position
    from members
    where members.attempt_date >= cast($start as date) and members.attempt_date < cast($end as date)
),

keyed as (
    select
        reports.*,
        positioned.attempt_id,
        positioned.attempt_date,
        positioned.is_ambiguous,
        positioned.reused_id,
        positioned.source_position,
        positioned.usage_position,
        positioned.time_position,
        positioned.status_position,
        positioned.trace_position,
        positioned.own_response_id,
        lpad(cast(positioned.usage_position as varchar), 8, '0') as usage_key,
        lpad(cast(positioned.identity_position as varchar), 8, '0') as identity_key,
        lpad(cast(positioned.time_position as varchar), 8, '0') as time_key,
        lpad(cast(positioned.price_position as varchar), 8, '0') as price_key,
        case
            when positioned.is_counted and positioned.usage_rank = positioned.best_rank
                then
                coalesce(cast(reports.uncached_input_tokens as varchar), '0') || ','
                || coalesce(cast(reports.cache_read_tokens as varchar), '0') || ','
                || coalesce(cast(reports.cache_write_5m_tokens as varchar), '0') || ','
                || coalesce(cast(reports.cache_write_1h_tokens as varchar), '0') || ','
                || coalesce(cast(reports.output_tokens as varchar), '0')
        end as best_usage_text
    from positioned
    inner join reports
        on positioned.report_number = reports.report_number
),

merged as (
    select
        keyed.attempt_date,
        keyed.attempt_id as request_id,
        max(case when keyed.usage_position = 1 then keyed.x_source end) as x_source,
        max(case when keyed.usage_position = 1 then keyed.x_snapshot_id end) as x_snapshot_id,
        max(case when keyed.source_position = 1 then keyed.x_source end)
        || coalesce(',' || max(case when keyed.source_position = 2 then keyed.x_source end), '')
        || coalesce(',' || max(case when keyed.source_position = 3 then keyed.x_source end), '')
        || coalesce(',' || max(case when keyed.source_position = 4 then keyed.x_source end), '')
        || coalesce(',' || max(case when keyed.source_position = 5 then keyed.x_source end), '')
        || coalesce(',' || max(case when keyed.source_position = 6 then keyed.x_source end), '')
        || coalesce(',' || max(case when keyed.source_position = 7 then keyed.x_source end), '')
        || coalesce(',' || max(case when keyed.source_position = 8 then keyed.x_source end), '')
        || case when max(keyed.source_position) > 8 then ',...' else '' end as x_sources,
        cast(count(*) as bigint) as reports,
        max(case when keyed.usage_position = 1 then keyed.emitter_kind end) as emitter_kind,
        substring(min(keyed.price_key || keyed.own_response_id), 18) as provider_request_id,
        substring(min(keyed.identity_key || keyed.call_id), 9) as call_id,
        substring(min(keyed.identity_key || keyed.logical_call_id), 9) as logical_call_id,
        coalesce(
            max(case when keyed.trace_position = 1 then keyed.stated_trace_id end), keyed.attempt_id
        ) as trace_id,
        max(case when keyed.trace_position = 1 then keyed.span_id end) as span_id,
        max(case when keyed.trace_position = 1 then keyed.parent_span_id end) as parent_span_id,
        max(keyed.attempt_number) as attempt_number,
        coalesce(
            max(
                case
                    when keyed.time_position = 1 and cast(keyed.started_at as date) = keyed.attempt_date
                        then keyed.started_at
                end
            ),
            min(case when cast(keyed.started_at as date) = keyed.attempt_date then keyed.started_at end)
        ) as started_at,
        max(case when keyed.time_position = 1 then keyed.ended_at end) as ended_at,
        max(case when keyed.time_position = 1 then keyed.duration_seconds end) as duration_seconds,
        substring(min(keyed.price_key || keyed.provider), 9) as provider,
        substring(min(keyed.price_key || keyed.sub_account_id), 9) as sub_account_id,
        substring(min(keyed.price_key || keyed.region_id), 9) as region_id,
        substring(min(keyed.price_key || keyed.request_model), 9) as request_model,
        substring(min(keyed.price_key || keyed.model), 9) as model,
        substring(min(keyed.price_key || keyed.service_tier), 9) as service_tier,
        max(case when keyed.status_position = 1 then keyed.status end) as status,
        max(case when keyed.status_position = 1 then keyed.error_type end) as error_type,
        max(case when keyed.usage_position = 1 then keyed.uncached_input_tokens end)
            as uncached_input_tokens,
        max(case when keyed.usage_position = 1 then keyed.cache_read_tokens end) as cache_read_tokens,
        max(case when keyed.usage_position = 1 then keyed.cache_write_5m_tokens end)
            as cache_write_5m_tokens,
        max(case when keyed.usage_position = 1 then keyed.cache_write_1h_tokens end)
            as cache_write_1h_tokens,
        max(case when keyed.usage_position = 1 then keyed.output_tokens end) as output_tokens,
        max(case when keyed.usage_position = 1 then keyed.reasoning_tokens end) as reasoning_tokens,
        max(case when keyed.usage_position = 1 then keyed.audio_tokens end) as audio_tokens,
        max(case when keyed.usage_position = 1 then keyed.image_tokens end) as image_tokens,
        max(case when keyed.usage_position = 1 then keyed.uncached_audio_tokens end)
            as uncached_audio_tokens,
        max(case when keyed.usage_position = 1 then keyed.cache_read_audio_tokens end)
            as cache_read_audio_tokens,
        max(case when keyed.usage_position = 1 then keyed.output_audio_tokens end) as output_audio_tokens,
        max(case when keyed.usage_position = 1 then keyed.uncached_image_tokens end)
            as uncached_image_tokens,
        max(case when keyed.usage_position = 1 then keyed.cache_read_image_tokens end)
            as cache_read_image_tokens,
        max(case when keyed.usage_position = 1 then keyed.output_image_tokens end) as output_image_tokens,
        max(case when keyed.usage_position = 1 then keyed.provider_total_tokens end)
            as provider_total_tokens,
        max(case when keyed.usage_position = 1 then keyed.usage_source end) as usage_source,
        max(case when keyed.usage_position = 1 then keyed.raw_usage end) as raw_usage,
        cast(
            substring(min(keyed.usage_key || cast(keyed.web_search_count as varchar)), 9) as bigint
        ) as web_search_count,
        max(case when keyed.usage_position = 1 then keyed.saved_input_tokens end) as saved_input_tokens,
        max(case when keyed.usage_position = 1 then keyed.saved_output_tokens end) as saved_output_tokens,
        cast(
            substring(min(keyed.usage_key || cast(keyed.reported_cost as varchar)), 9) as decimal(38, 12)
        ) as reported_cost,
        nullif(
            substring(
                min(
                    case
                        when keyed.reported_cost is not null
                            then keyed.usage_key || coalesce(keyed.reported_cost_currency, '')
                    end
                ), 9
            ), ''
        ) as reported_cost_currency,
        cast(
            substring(
                min(keyed.time_key || cast(keyed.time_to_first_token_seconds as varchar)), 9
            ) as decimal(18, 6)
        ) as time_to_first_token_seconds,
        cast(
            substring(
                min(keyed.time_key || cast(keyed.prefill_seconds as varchar)), 9
            ) as decimal(18, 6)
        ) as prefill_seconds,
        cast(
            substring(
                min(keyed.time_key || cast(keyed.decode_seconds as varchar)), 9
            ) as decimal(18, 6)
        ) as decode_seconds,
        min(
            case when keyed.resource_keys like '%,user_id,%' then '1' else '0' end
            || keyed.identity_key || keyed.user_id
        ) as told_user_id,
        min(
            case when keyed.resource_keys like '%,tenant,%' then '1' else '0' end
            || keyed.identity_key || keyed.tenant
        ) as told_tenant,
        min(
            case when keyed.resource_keys like '%,customer,%' then '1' else '0' end
            || keyed.identity_key || keyed.customer
        ) as told_customer,
        min(
            case when keyed.resource_keys like '%,team,%' then '1' else '0' end
            || keyed.identity_key || keyed.team
        ) as told_team,
        min(
            case when keyed.resource_keys like '%,feature,%' then '1' else '0' end
            || keyed.identity_key || keyed.feature
        ) as told_feature,
        min(
            case when keyed.resource_keys like '%,endpoint,%' then '1' else '0' end
            || keyed.identity_key || keyed.endpoint
        ) as told_endpoint,
        min(
            case when keyed.resource_keys like '%,workflow,%' then '1' else '0' end
            || keyed.identity_key || keyed.workflow
        ) as told_workflow,
        min(
            case when keyed.resource_keys like '%,agent,%' then '1' else '0' end
            || keyed.identity_key || keyed.agent
        ) as told_agent,
        min(
            case when keyed.resource_keys like '%,agent_step,%' then '1' else '0' end
            || keyed.identity_key || keyed.agent_step
        ) as told_agent_step,
        min(
            case when keyed.resource_keys like '%,environment,%' then '1' else '0' end
            || keyed.identity_key || keyed.environment
        ) as told_environment,
        min(
            case when keyed.resource_keys like '%,session_id,%' then '1' else '0' end
            || keyed.identity_key || keyed.session_id
        ) as told_session_id,
        substring(min(keyed.identity_key || keyed.api_key_id), 9) as api_key_id,
        substring(min(keyed.identity_key || keyed.principal_id), 9) as principal_id,
        substring(min(keyed.identity_key || keyed.from_zone), 9) as from_zone,
        substring(min(keyed.identity_key || keyed.to_zone), 9) as to_zone,
        cast(
            substring(
                min(keyed.time_key || cast(keyed.request_bytes as varchar)), 9
            ) as bigint
        ) as request_bytes,
        cast(
            substring(
                min(keyed.time_key || cast(keyed.response_bytes as varchar)), 9
            ) as bigint
        ) as response_bytes,
        substring(min(keyed.identity_key || keyed.replica_id), 9) as replica_id,
        coalesce(min(keyed.best_usage_text) <> max(keyed.best_usage_text), false) as is_contradicted,
        max(case when keyed.is_ambiguous then 1 else 0 end) = 1 as is_ambiguous,
        max(keyed.reused_id) as reused_id
    from keyed
    group by keyed.attempt_date, keyed.attempt_id
    having min(case when keyed.is_wrapper then 1 else 0 end) = 0
),

/*
Further parts of a response (`<id>/iteration/<n>`) have the id of the first as their trace: of what others told of that
they take the trace, and the owner where they have none.
*/
further as (
    select
        merged.attempt_date,
        merged.request_id,
        merged.trace_id as first_request_id
    from merged
    where merged.trace_id = 'response:' || merged.logical_call_id
        and merged.request_id <> merged.trace_id
),

led as (
    select
        further.attempt_date,
        further.request_id,
        firsts.trace_id,
        firsts.told_user_id,
        firsts.told_tenant,
        firsts.told_customer,
        firsts.told_team,
        firsts.told_feature,
        firsts.told_endpoint,
        firsts.told_workflow,
        firsts.told_agent,
        firsts.told_agent_step,
        firsts.told_environment,
        firsts.told_session_id
    from further
    inner join merged as firsts
        on further.attempt_date = firsts.attempt_date
        and further.first_request_id = firsts.request_id
)

select
    merged.request_id,
    merged.x_source,
    merged.x_snapshot_id,
    merged.x_sources,
    merged.reports,
    merged.emitter_kind,
    merged.provider_request_id,
    merged.call_id,
    merged.logical_call_id,
    coalesce(led.trace_id, merged.trace_id) as trace_id,
    merged.span_id,
    merged.parent_span_id,
    merged.attempt_number,
    merged.started_at,
    merged.ended_at,
    merged.duration_seconds,
    merged.provider,
    merged.sub_account_id,
    merged.region_id,
    merged.request_model,
    merged.model,
    merged.service_tier,
    merged.status,
    merged.error_type,
    merged.uncached_input_tokens,
    merged.cache_read_tokens,
    merged.cache_write_5m_tokens,
    merged.cache_write_1h_tokens,
    merged.output_tokens,
    merged.reasoning_tokens,
    merged.audio_tokens,
    merged.image_tokens,
    merged.uncached_audio_tokens,
    merged.cache_read_audio_tokens,
    merged.output_audio_tokens,
    merged.uncached_image_tokens,
    merged.cache_read_image_tokens,
    merged.output_image_tokens,
    merged.provider_total_tokens,
    merged.usage_source,
    merged.raw_usage,
    merged.web_search_count,
    merged.saved_input_tokens,
    merged.saved_output_tokens,
    merged.reported_cost,
    merged.reported_cost_currency,
    merged.time_to_first_token_seconds,
    merged.prefill_seconds,
    merged.decode_seconds,
    substring(coalesce(merged.told_user_id, led.told_user_id), 10) as user_id,
    substring(coalesce(merged.told_tenant, led.told_tenant), 10) as tenant,
    substring(coalesce(merged.told_customer, led.told_customer), 10) as customer,
    substring(coalesce(merged.told_team, led.told_team), 10) as team,
    substring(coalesce(merged.told_feature, led.told_feature), 10) as feature,
    substring(coalesce(merged.told_endpoint, led.told_endpoint), 10) as endpoint,
    substring(coalesce(merged.told_workflow, led.told_workflow), 10) as workflow,
    substring(coalesce(merged.told_agent, led.told_agent), 10) as agent,
    substring(coalesce(merged.told_agent_step, led.told_agent_step), 10) as agent_step,
    substring(coalesce(merged.told_environment, led.told_environment), 10) as environment,
    substring(coalesce(merged.told_session_id, led.told_session_id), 10) as session_id,
    nullif(
        ','
        || case when coalesce(merged.told_user_id, led.told_user_id) like '1%' then 'user_id,' else '' end
        || case when coalesce(merged.told_tenant, led.told_tenant) like '1%' then 'tenant,' else '' end
        || case when coalesce(merged.told_customer, led.told_customer) like '1%' then 'customer,' else '' end
        || case when coalesce(merged.told_team, led.told_team) like '1%' then 'team,' else '' end
        || case when coalesce(merged.told_feature, led.told_feature) like '1%' then 'feature,' else '' end
        || case when coalesce(merged.told_endpoint, led.told_endpoint) like '1%' then 'endpoint,' else '' end
        || case when coalesce(merged.told_workflow, led.told_workflow) like '1%' then 'workflow,' else '' end
        || case when coalesce(merged.told_agent, led.told_agent) like '1%' then 'agent,' else '' end
        || case
            when coalesce(merged.told_agent_step, led.told_agent_step) like '1%' then 'agent_step,' else ''
        end
        || case
            when coalesce(merged.told_environment, led.told_environment) like '1%' then 'environment,' else ''
        end
        || case
            when coalesce(merged.told_session_id, led.told_session_id) like '1%' then 'session_id,' else ''
        end, ','
    ) as resource_keys,
    merged.api_key_id,
    merged.principal_id,
    merged.from_zone,
    merged.to_zone,
    merged.request_bytes,
    merged.response_bytes,
    merged.replica_id,
    merged.is_contradicted,
    merged.is_ambiguous,
    merged.reused_id
from merged
left join led
    on merged.attempt_date = led.attempt_date
    and merged.request_id = led.request_id
