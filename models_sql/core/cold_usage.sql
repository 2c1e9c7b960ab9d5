/*
description: >
    Calls of a day in the half hour after a deploy, scale-up or restart, beside the other calls of the same
    feature and model: where these read a prompt cache and those do not, the cache went cold. A call is cold by its
    replica where the event names one that calls name, else by its feature. Only days with events have rows, and
    only their requests are read.
grain: [charge_date, usage_key]
materialized: table
partition_by: {column: charge_date, unit: day}
reads:
    core.events: {days_before: 1, days_after: 0}
    core.identified_requests: {days_before: 0, days_after: 0}
    core.model_names: {days_before: 0, days_after: 0}
columns:
    charge_date: null
    usage_key: null
    provider: null
    model: null
    feature: null
    cold_events: null
    cold_requests: null
    cold_input_tokens: null
    cold_cache_read_tokens: null
    cold_cache_write_tokens: null
    warm_input_tokens: null
    warm_cache_read_tokens: null
    warm_cache_write_tokens: null
*/
with

events as (
    select
        told.event_id,
        told.replica_id,
        told.feature,
        told.event_at,
        told.event_at + interval 30 minute as cold_until_at
    from core.events as told
    where told.event_at + interval 30 minute > cast($start as timestamp)
        and told.event_at < cast($end as timestamp)
        and told.event_kind in ('deploy', 'scale_up', 'restart')
),

event_days as (
    select cast(events.event_at as date) as charge_date
    from events
    union
    select cast(events.cold_until_at as date) as charge_date
    from events
),

names as (
    select *
    from core.model_names
    where charge_date >= $start and charge_date < $end
),

requests as (
    select
        logged.charge_date,
        logged.request_id,
        logged.started_at,
        logged.provider as logged_provider,
        logged.model as logged_model,
        logged.feature,
        logged.replica_id,
        coalesce(logged.cache_read_tokens, 0) as cache_read_tokens,
        coalesce(logged.cache_write_5m_tokens, 0) + coalesce(logged.cache_write_1h_tokens, 0)
            as cache_write_tokens,
        coalesce(logged.uncached_input_tokens, 0) + coalesce(logged.cache_read_tokens, 0)
        + coalesce(logged.cache_write_5m_tokens, 0) + coalesce(logged.cache_write_1h_tokens, 0)
            as input_tokens
    from core.identified_requests as logged
    inner join event_days on logged.charge_date = event_days.charge_date
    where logged.started_at >= cast($start as timestamp) and logged.started_at < cast($end as timestamp)
),

/* Replicas that calls name: an event of another one is known by its feature only. */
named_replicas as (
    select distinct
        requests.charge_date,
        requests.replica_id
    from requests
    where requests.replica_id is not null
),

placed_events as (
    select
        events.*,
        event_days.charge_date,
        named_replicas.replica_id is not null as is_by_replica
    from events
    inner join event_days
        on event_days.charge_date >= cast(events.event_at as date)
        and event_days.charge_date <= cast(events.cold_until_at as date)
    left join named_replicas
        on event_days.charge_date = named_replicas.charge_date
        and events.replica_id = named_replicas.replica_id
),

met as (
    select
        requests.charge_date,
        requests.request_id,
        placed_events.event_id
    from requests
    inner join placed_events
        on requests.charge_date = placed_events.charge_date
        and requests.replica_id = placed_events.replica_id
        and requests.started_at >= placed_events.event_at
        and requests.started_at < placed_events.cold_until_at
    where placed_events.is_by_replica
    union all
    select
        requests.charge_date,
        requests.request_id,
        placed_events.event_id
    from requests
    inner join placed_events
        on requests.charge_date = placed_events.charge_date
        and requests.feature = placed_events.feature
        and requests.started_at >= placed_events.event_at
        and requests.started_at < placed_events.cold_until_at
    where not placed_events.is_by_replica
),

cold as (
    select distinct
        met.charge_date,
        met.request_id
    from met
),

keyed as (
    select
        requests.*,
        names.provider,
        names.model,
        cold.request_id is not null as is_cold,
        md5(
            coalesce(names.provider, chr(30))
            || chr(31) || coalesce(names.model, chr(30))
            || chr(31) || coalesce(requests.feature, chr(30))
        ) as usage_key
    from requests
    left join names
        on requests.charge_date = names.charge_date
        and coalesce(requests.logged_provider, chr(30)) = coalesce(names.logged_provider, chr(30))
        and coalesce(requests.logged_model, chr(30)) = coalesce(names.logged_model, chr(30))
    left join cold
        on requests.charge_date = cold.charge_date
        and requests.request_id = cold.request_id
),

event_counts as (
    select
        keyed.charge_date,
        keyed.usage_key,
        count(distinct met.event_id) as cold_events
    from keyed
    inner join met
        on keyed.charge_date = met.charge_date
        and keyed.request_id = met.request_id
    group by keyed.charge_date, keyed.usage_key
),

summed as (
    select
        keyed.charge_date,
        keyed.usage_key,
        keyed.provider,
        keyed.model,
        keyed.feature,
        count(case when keyed.is_cold then 1 end) as cold_requests,
        sum(case when keyed.is_cold then keyed.input_tokens else 0 end) as cold_input_tokens,
        sum(case when keyed.is_cold then keyed.cache_read_tokens else 0 end) as cold_cache_read_tokens,
        sum(case when keyed.is_cold then keyed.cache_write_tokens else 0 end) as cold_cache_write_tokens,
        sum(case when keyed.is_cold then 0 else keyed.input_tokens end) as warm_input_tokens,
        sum(case when keyed.is_cold then 0 else keyed.cache_read_tokens end) as warm_cache_read_tokens,
        sum(case when keyed.is_cold then 0 else keyed.cache_write_tokens end) as warm_cache_write_tokens
    from keyed
    group by keyed.charge_date, keyed.usage_key, keyed.provider, keyed.model, keyed.feature
)

select
    summed.charge_date,
    summed.usage_key,
    summed.provider,
    summed.model,
    summed.feature,
    cast(event_counts.cold_events as bigint) as cold_events,
    cast(summed.cold_requests as bigint) as cold_requests,
    cast(summed.cold_input_tokens as bigint) as cold_input_tokens,
    cast(summed.cold_cache_read_tokens as bigint) as cold_cache_read_tokens,
    cast(summed.cold_cache_write_tokens as bigint) as cold_cache_write_tokens,
    cast(summed.warm_input_tokens as bigint) as warm_input_tokens,
    cast(summed.warm_cache_read_tokens as bigint) as warm_cache_read_tokens,
    cast(summed.warm_cache_write_tokens as bigint) as warm_cache_write_tokens
from summed
inner join event_counts
    on summed.charge_date = event_counts.charge_date
    and summed.usage_key = event_counts.usage_key
