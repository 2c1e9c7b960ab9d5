/*
description: >
    Who used provisioned capacity, per day and resource, in millionths of a second of measured time. Busy time goes to the
    calls that the resource served: by the prefill and decode seconds of each, and where a call states none by its tokens,
    an output token counting as many as settings say, at the seconds per token of those that do. What the server counted and
    no log holds is unlogged_usage, the rest is idle_capacity. A call finds its resource by its replica; without one, every
    resource that serves its provider's model shares it.
grain: [charge_date, pool_key, weight_id]
materialized: table
partition_by: {column: charge_date, unit: day}
reads:
    core.identified_requests: {days_before: 0, days_after: 0}
    core.model_names: {days_before: 0, days_after: 0}
columns:
    charge_date: null
    pool_key: null
    weight_id: null
    owner_id: null where nobody used it
    from_zone: null
    to_zone: null
    logged_provider: null
    logged_model: null
    provider: null
    model: null
    residual_reason: null
    weight: null
    requests: counted on one resource of those that share a call
    input_tokens: null
    output_tokens: null
    measured_seconds: of the resource on that day
    measured_unit_seconds: of the resource on that day; null where an hour of it does not say how many units it had
    coverage_share: logged tokens over those that the servers of this model counted
checks:
    - name: capacity_weights_keep_the_measured_time
      severity: fail
      by: partition
      description: Busy, unlogged and idle time of a resource sum to the time that was measured.
      sql: >
        select charge_date, pool_key from core.capacity_weights
        group by charge_date, pool_key
        having sum(weight) <> max(measured_seconds) * 1000000
*/
with

capacity as (
    select *
    from core.capacity_usage
    where hour_start >= cast($start as timestamp) and hour_start < cast($end as timestamp)
),

requests as (
    select *
    from core.identified_requests
    where started_at >= cast($start as timestamp) and started_at < cast($end as timestamp)
),

names as (
    select *
    from core.model_names
    where charge_date >= $start and charge_date < $end
),

settings as (select * from reference.settings),

hours as (
    select
        capacity.hour_start,
        capacity.resource_id,
        max(capacity.model) as model,
        max(capacity.provisioned_seconds) as measured_seconds,
        case
            when count(capacity.provisioned_units) = count(*)
                then max(capacity.provisioned_seconds) * sum(capacity.provisioned_units)
        end as unit_seconds,
        sum(capacity.provisioned_seconds) as provisioned_seconds,
        sum(capacity.busy_seconds) as busy_seconds,
        sum(capacity.input_tokens + capacity.output_tokens) as counted_tokens
    from capacity
    group by capacity.hour_start, capacity.resource_id
),

resources as (
    select
        cast(hours.hour_start as date) as charge_date,
        hours.resource_id,
        lower(coalesce(max(hours.model), hours.resource_id)) as model_group,
        cast(sum(hours.measured_seconds) as decimal(15, 0)) as measured_seconds,
        case when count(hours.unit_seconds) = count(*) then sum(hours.unit_seconds) end as unit_seconds,
        cast(sum(hours.provisioned_seconds) as decimal(15, 0)) as provisioned_seconds,
        cast(sum(hours.busy_seconds) as decimal(15, 0)) as busy_seconds,
        cast(sum(hours.counted_tokens) as decimal(15, 0)) as counted_tokens
    from hours
    group by cast(hours.hour_start as date), hours.resource_id
),

replica_links as (
    select
        cast(capacity.hour_start as date) as charge_date,
        lower(capacity.replica_key) as replica_name,
        capacity.resource_id
    from capacity
    where capacity.replica_key <> ''
    group by cast(capacity.hour_start as date), lower(capacity.replica_key), capacity.resource_id
    union
    select
        resources.charge_date,
        resources.resource_id as replica_name,
        resources.resource_id
    from resources
),

model_links as (
    select
        cast(capacity.hour_start as date) as charge_date,
        lower(capacity.provider) as provider_name,
        lower(capacity.model) as served_model,
        capacity.resource_id
    from capacity
    where capacity.model is not null
    group by
        cast(capacity.hour_start as date),
        lower(capacity.provider),
        lower(capacity.model),
        capacity.resource_id
),

replica_names as (
    select
        replica_links.charge_date,
        replica_links.replica_name
    from replica_links
    group by replica_links.charge_date, replica_links.replica_name
),

model_keys as (
    select
        model_links.charge_date,
        model_links.provider_name,
        model_links.served_model
    from model_links
    group by model_links.charge_date, model_links.provider_name, model_links.served_model
),

linked as (
    select
        requests.*,
        replica_names.replica_name,
        case when replica_names.replica_name is null then model_keys.provider_name end as provider_name,
        case when replica_names.replica_name is null then model_keys.served_model end as served_model,
        coalesce(requests.uncached_input_tokens, 0) + coalesce(requests.cache_write_5m_tokens, 0)
        + coalesce(requests.cache_write_1h_tokens, 0) as computed_input_tokens,
        coalesce(requests.output_tokens, 0) * settings.output_token_weight as weighted_output_tokens,
        requests.prefill_seconds + requests.decode_seconds as work_seconds
    from requests
    cross join settings
    left join replica_names
        on requests.charge_date = replica_names.charge_date
        and lower(requests.replica_id) = replica_names.replica_name
    left join model_keys
        on requests.charge_date = model_keys.charge_date
        and lower(requests.provider) = model_keys.provider_name
        and lower(requests.model) = model_keys.served_model
    where replica_names.replica_name is not null or model_keys.served_model is not null
),

grouped as (
    select
        linked.charge_date,
        linked.replica_name,
        linked.provider_name,
        linked.served_model,
        linked.provider,
        linked.model,
        linked.user_id,
        linked.tenant,
        linked.customer,
        linked.team,
        linked.feature,
        linked.endpoint,
        linked.workflow,
        linked.agent,
        linked.agent_step,
        linked.environment,
        linked.from_zone,
        linked.to_zone,
        count(*) as requests,
        sum(linked.computed_input_tokens + coalesce(linked.cache_read_tokens, 0)) as input_tokens,
        coalesce(sum(linked.output_tokens), 0) as output_tokens,
        cast(
            coalesce(sum(cast(linked.work_seconds as decimal(28, 6))), 0) * cast(1000000 as decimal(7, 0))
            as decimal(18, 0)
        ) as stated_micros,
        cast(
            sum(
                case
                    when linked.work_seconds is not null
                        then linked.computed_input_tokens + linked.weighted_output_tokens
                    else 0
                end
            ) as decimal(15, 0)
        ) as timed_tokens,
        cast(
            sum(
                case
                    when linked.work_seconds is null
                        then linked.computed_input_tokens + linked.weighted_output_tokens
                    else 0
                end
            ) as decimal(15, 0)
        ) as untimed_tokens
    from linked
    group by
        linked.charge_date,
        linked.replica_name,
        linked.provider_name,
        linked.served_model,
        linked.provider,
        linked.model,
        linked.user_id,
        linked.tenant,
        linked.customer,
        linked.team,
        linked.feature,
        linked.endpoint,
        linked.workflow,
        linked.agent,
        linked.agent_step,
        linked.environment,
        linked.from_zone,
        linked.to_zone
),

owned as (
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
        ) as owner_id
    from grouped
),

/* One row a call group and resource that served it; groups of one resource add up, those of a model stand with each. */
placed as (
    select
        owned.*,
        replica_links.resource_id,
        min(replica_links.resource_id) over (
            partition by replica_links.charge_date, replica_links.replica_name
        ) = replica_links.resource_id as is_counted
    from owned
    inner join replica_links
        on owned.charge_date = replica_links.charge_date
        and owned.replica_name = replica_links.replica_name
    union all
    select
        owned.*,
        model_links.resource_id,
        min(model_links.resource_id) over (
            partition by model_links.charge_date, model_links.provider_name, model_links.served_model
        ) = model_links.resource_id as is_counted
    from owned
    inner join model_links
        on owned.charge_date = model_links.charge_date
        and owned.provider_name = model_links.provider_name
        and owned.served_model = model_links.served_model
    where owned.replica_name is null
),

used as (
    select
        placed.charge_date,
        placed.resource_id,
        placed.owner_id,
        placed.from_zone,
        placed.to_zone,
        placed.provider as logged_provider,
        placed.model as logged_model,
        sum(placed.requests) as all_requests,
        sum(placed.stated_micros) as stated_micros,
        sum(placed.timed_tokens) as timed_tokens,
        sum(placed.untimed_tokens) as untimed_tokens,
        sum(case when placed.is_counted then placed.requests else 0 end) as requests,
        sum(case when placed.is_counted then placed.input_tokens else 0 end) as input_tokens,
        sum(case when placed.is_counted then placed.output_tokens else 0 end) as output_tokens
    from placed
    group by
        placed.charge_date,
        placed.resource_id,
        placed.owner_id,
        placed.from_zone,
        placed.to_zone,
        placed.provider,
        placed.model
),

pace as (
    select
        used.charge_date,
        used.resource_id,
        cast(sum(used.stated_micros) as decimal(18, 0)) as stated_micros,
        cast(sum(used.timed_tokens) as decimal(15, 0)) as timed_tokens,
        sum(used.stated_micros) + sum(used.untimed_tokens) = 0 as is_without_work
    from used
    group by used.charge_date, used.resource_id
),

worked as (
    select
        used.*,
        md5(
            used.owner_id || chr(31) || coalesce(used.from_zone, chr(30))
            || chr(31) || coalesce(used.to_zone, chr(30))
            || chr(31) || coalesce(used.logged_provider, chr(30))
            || chr(31) || coalesce(used.logged_model, chr(30))
        ) as weight_id,
        cast(
            case
                when pace.is_without_work then used.all_requests
                when pace.stated_micros > 0 and pace.timed_tokens > 0
                    then used.stated_micros
                    + idiv(
                        cast(used.untimed_tokens as decimal(19, 0)) * pace.stated_micros, pace.timed_tokens
                    )
                else used.stated_micros + used.untimed_tokens
            end as decimal(18, 0)
        ) as work
    from used
    inner join pace
        on used.charge_date = pace.charge_date
        and used.resource_id = pace.resource_id
),

cumulated as (
    select
        worked.*,
        cast(
            sum(worked.work) over (
                partition by worked.charge_date, worked.resource_id
                order by worked.weight_id
                rows between unbounded preceding and current row
            ) as decimal(18, 0)
        ) as until_work,
        cast(
            sum(worked.work) over (partition by worked.charge_date, worked.resource_id) as decimal(18, 0)
        ) as total_work
    from worked
),

logged_tokens as (
    select
        resources.charge_date,
        resources.model_group,
        sum(used.input_tokens + used.output_tokens) as tokens
    from used
    inner join resources
        on used.charge_date = resources.charge_date
        and used.resource_id = resources.resource_id
    group by resources.charge_date, resources.model_group
),

counted_tokens as (
    select
        resources.charge_date,
        resources.model_group,
        sum(resources.counted_tokens) as tokens
    from resources
    group by resources.charge_date, resources.model_group
),

covered as (
    select
        resources.*,
        cast(resources.measured_seconds * 1000000 as decimal(18, 0)) as measured_micros,
        cast(
            idiv(
                resources.busy_seconds * resources.measured_seconds * cast(1000000 as decimal(7, 0)),
                resources.provisioned_seconds
            ) as decimal(18, 0)
        ) as busy_micros,
        pace.resource_id is not null as is_logged,
        coalesce(
            counted_tokens.tokens > 0
            and coalesce(logged_tokens.tokens, 0) * 1000000
            < counted_tokens.tokens * (1000000 - settings.coverage_epsilon_ppm),
            false
        ) as is_partly_logged,
        cast(coalesce(logged_tokens.tokens, 0) as decimal(15, 0)) as model_logged_tokens,
        cast(counted_tokens.tokens as decimal(15, 0)) as model_counted_tokens
    from resources
    cross join settings
    left join pace
        on resources.charge_date = pace.charge_date
        and resources.resource_id = pace.resource_id
    left join logged_tokens
        on resources.charge_date = logged_tokens.charge_date
        and resources.model_group = logged_tokens.model_group
    left join counted_tokens
        on resources.charge_date = counted_tokens.charge_date
        and resources.model_group = counted_tokens.model_group
),

/* Busy time that nobody logged is not given to those who did. */
pools as (
    select
        covered.*,
        'capacity' || chr(31) || covered.resource_id as pool_key,
        cast(
            case
                when not covered.is_logged then 0
                when covered.is_partly_logged
                    then idiv(covered.busy_micros * covered.model_logged_tokens, covered.model_counted_tokens)
                else covered.busy_micros
            end as decimal(18, 0)
        ) as logged_micros,
        case
            when covered.model_counted_tokens > 0
                then cast(
                    cast(
                        least(
                            cast(
                                idiv(
                                    cast(covered.model_logged_tokens as decimal(22, 0))
                                    * cast(1000000000000 as decimal(13, 0)),
                                    covered.model_counted_tokens
                                ) as decimal(38, 0)
                            ),
                            cast(999999999999999999 as decimal(38, 0))
                        ) as decimal(24, 0)
                    ) * cast(0.000000000001 as decimal(13, 12)) as decimal(18, 12)
                )
        end as coverage_share
    from covered
),

weighted as (
    select
        pools.charge_date,
        pools.pool_key,
        cumulated.weight_id,
        cumulated.owner_id,
        cumulated.from_zone,
        cumulated.to_zone,
        cumulated.logged_provider,
        cumulated.logged_model,
        cast(null as varchar) as residual_reason,
        idiv(cast(pools.logged_micros as decimal(19, 0)) * cumulated.until_work, cumulated.total_work)
        - idiv(
            cast(pools.logged_micros as decimal(19, 0))
            * cast(cumulated.until_work - cumulated.work as decimal(18, 0)),
            cumulated.total_work
        ) as weight,
        cumulated.requests,
        cumulated.input_tokens,
        cumulated.output_tokens,
        pools.measured_seconds,
        pools.unit_seconds,
        pools.coverage_share
    from pools
    inner join cumulated
        on pools.charge_date = cumulated.charge_date
        and pools.resource_id = cumulated.resource_id
    union all
    select
        pools.charge_date,
        pools.pool_key,
        md5('unlogged_usage') as weight_id,
        cast(null as varchar) as owner_id,
        cast(null as varchar) as from_zone,
        cast(null as varchar) as to_zone,
        cast(null as varchar) as logged_provider,
        cast(null as varchar) as logged_model,
        'unlogged_usage' as residual_reason,
        pools.busy_micros - pools.logged_micros as weight,
        0 as requests,
        0 as input_tokens,
        0 as output_tokens,
        pools.measured_seconds,
        pools.unit_seconds,
        pools.coverage_share
    from pools
    where pools.busy_micros > pools.logged_micros
    union all
    select
        pools.charge_date,
        pools.pool_key,
        md5('idle_capacity') as weight_id,
        cast(null as varchar) as owner_id,
        cast(null as varchar) as from_zone,
        cast(null as varchar) as to_zone,
        cast(null as varchar) as logged_provider,
        cast(null as varchar) as logged_model,
        'idle_capacity' as residual_reason,
        pools.measured_micros - pools.busy_micros as weight,
        0 as requests,
        0 as input_tokens,
        0 as output_tokens,
        pools.measured_seconds,
        pools.unit_seconds,
        pools.coverage_share
    from pools
    where pools.measured_micros > pools.busy_micros
)

select
    weighted.charge_date,
    weighted.pool_key,
    weighted.weight_id,
    weighted.owner_id,
    weighted.from_zone,
    weighted.to_zone,
    weighted.logged_provider,
    weighted.logged_model,
    names.provider,
    names.model,
    weighted.residual_reason,
    cast(weighted.weight as bigint) as weight,
    cast(weighted.requests as bigint) as requests,
    cast(weighted.input_tokens as bigint) as input_tokens,
    cast(weighted.output_tokens as bigint) as output_tokens,
    cast(weighted.measured_seconds as bigint) as measured_seconds,
    cast(weighted.unit_seconds as bigint) as measured_unit_seconds,
    weighted.coverage_share
from weighted
left join names
    on weighted.charge_date = names.charge_date
    and weighted.residual_reason is null
    and coalesce(weighted.logged_provider, chr(30)) = coalesce(names.logged_provider, chr(30))
    and coalesce(weighted.logged_model, chr(30)) = coalesce(names.logged_model, chr(30))
