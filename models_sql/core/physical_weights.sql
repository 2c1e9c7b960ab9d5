/*
description: >
    Who caused a day's traffic and telemetry: bytes and volumes per pool, first to the workload's feature, then to
    that feature's users by their share of its tokens. A pool is all traffic of a provider and kind, or the part of it
    that touches the zone a bill line names, or the volume of the emitter it names.
grain: [charge_date, pool_key, weight_id]
materialized: table
partition_by: {column: charge_date, unit: day}
columns:
    charge_date: null
    pool_key: null
    weight_id: null
    owner_id: null
    feature: null
    endpoint: null
    team: null
    environment: null
    from_zone: null
    to_zone: null
    residual_reason: null
    weight: null
    bytes: null
checks:
    - name: weights_keep_the_measured_volume
      severity: fail
      description: Splitting a workload's volume over its users must keep every byte.
      sql: >
        select w.charge_date, w.weight, m.weight as measured
        from (select charge_date, sum(bytes) as weight from core.physical_weights
              where pool_key like 'egress%' || chr(31) || 'all' group by charge_date) as w
        inner join (select cast(window_start as date) as charge_date, sum(bytes) as weight
              from staging.transfers group by cast(window_start as date)) as m
          on w.charge_date = m.charge_date
        where w.weight <> m.weight
*/
with

transfers as (
    select *
    from staging.transfers
    where window_start >= cast($start as timestamp) and window_start < cast($end as timestamp)
),

telemetry as (
    select *
    from staging.telemetry
    where window_start >= cast($start as timestamp) and window_start < cast($end as timestamp)
),

usage as (
    select *
    from core.request_usage
    where charge_date >= $start and charge_date < $end
),

workloads as (select * from staging.workloads),

zone_ids as (
    select
        zones.provider,
        zones.account_id,
        zones.zone_name,
        min(zones.zone_id) as zone_id
    from staging.zones as zones
    where zones.zone_name is not null
    group by zones.provider, zones.account_id, zones.zone_name
),

flows as (
    select
        cast(transfers.window_start as date) as charge_date,
        transfers.provider,
        transfers.traffic_kind,
        coalesce(transfers.from_workload_ref, transfers.to_workload_ref) as workload_ref,
        transfers.to_workload_ref as other_workload_ref,
        coalesce(sending.zone_id, transfers.from_zone) as from_zone,
        coalesce(receiving.zone_id, transfers.to_zone) as to_zone,
        transfers.bytes
    from transfers
    left join zone_ids as sending
        on transfers.provider = sending.provider
        and transfers.account_id = sending.account_id
        and transfers.from_zone = sending.zone_name
    left join zone_ids as receiving
        on transfers.provider = receiving.provider
        and transfers.account_id = receiving.account_id
        and transfers.to_zone = receiving.zone_name
),

measured as (
    select
        flows.charge_date,
        'egress' || chr(31) || flows.provider || chr(31) || flows.traffic_kind || chr(31) || 'all'
            as pool_key,
        flows.workload_ref,
        flows.other_workload_ref,
        flows.from_zone,
        flows.to_zone,
        flows.bytes as weight,
        flows.bytes
    from flows
    union all
    select
        flows.charge_date,
        'egress' || chr(31) || flows.provider || chr(31) || flows.traffic_kind || chr(31) || flows.from_zone
            as pool_key,
        flows.workload_ref,
        flows.other_workload_ref,
        flows.from_zone,
        flows.to_zone,
        flows.bytes as weight,
        flows.bytes
    from flows
    where flows.from_zone is not null
    union all
    select
        flows.charge_date,
        'egress' || chr(31) || flows.provider || chr(31) || flows.traffic_kind || chr(31) || flows.to_zone
            as pool_key,
        flows.workload_ref,
        flows.other_workload_ref,
        flows.from_zone,
        flows.to_zone,
        flows.bytes as weight,
        cast(0 as bigint) as bytes
    from flows
    where flows.to_zone is not null and flows.to_zone <> coalesce(flows.from_zone, '')
    union all
    select
        cast(telemetry.window_start as date) as charge_date,
        'monitoring' || chr(31) || telemetry.provider || chr(31) || telemetry.workload_ref as pool_key,
        telemetry.workload_ref,
        cast(null as varchar) as other_workload_ref,
        cast(null as varchar) as from_zone,
        cast(null as varchar) as to_zone,
        telemetry.volume_bytes as weight,
        cast(0 as bigint) as bytes
    from telemetry
    where telemetry.workload_ref is not null
    union all
    select
        cast(telemetry.window_start as date) as charge_date,
        'monitoring' || chr(31) || telemetry.provider || chr(31) || 'all' as pool_key,
        telemetry.workload_ref,
        cast(null as varchar) as other_workload_ref,
        cast(null as varchar) as from_zone,
        cast(null as varchar) as to_zone,
        telemetry.volume_bytes as weight,
        cast(0 as bigint) as bytes
    from telemetry
),

owned as (
    select
        measured.charge_date,
        measured.pool_key,
        measured.from_zone,
        measured.to_zone,
        coalesce(sender.feature, receiver.feature) as feature,
        case when sender.feature is null then receiver.endpoint else sender.endpoint end as endpoint,
        case when sender.feature is null then receiver.team else sender.team end as team,
        case when sender.feature is null then receiver.environment else sender.environment end as environment,
        cast(sum(cast(measured.weight as decimal(38, 0))) as decimal(38, 0)) as weight,
        cast(sum(cast(measured.bytes as decimal(38, 0))) as decimal(38, 0)) as bytes
    from measured
    left join workloads as sender
        on measured.workload_ref = sender.workload_ref
        and (sender.valid_from is null or cast(sender.valid_from as date) <= measured.charge_date)
        and (sender.valid_to is null or cast(sender.valid_to as date) > measured.charge_date)
    left join workloads as receiver
        on measured.other_workload_ref = receiver.workload_ref
        and (receiver.valid_from is null or cast(receiver.valid_from as date) <= measured.charge_date)
        and (receiver.valid_to is null or cast(receiver.valid_to as date) > measured.charge_date)
    group by
        measured.charge_date,
        measured.pool_key,
        measured.from_zone,
        measured.to_zone,
        coalesce(sender.feature, receiver.feature),
        case when sender.feature is null then receiver.endpoint else sender.endpoint end,
        case when sender.feature is null then receiver.team else sender.team end,
        case when sender.feature is null then receiver.environment else sender.environment end
),

feature_use as (
    select
        usage.charge_date,
        usage.feature,
        usage.owner_id,
        cast(
            sum(
                cast(
                    usage.uncached_input_tokens + usage.cache_read_tokens + usage.cache_write_5m_tokens
                    + usage.cache_write_1h_tokens + usage.output_tokens as decimal(38, 0)
                )
            ) as decimal(15, 0)
        ) as used_tokens
    from usage
    where usage.feature is not null
    group by usage.charge_date, usage.feature, usage.owner_id
),

cumulative_use as (
    select
        feature_use.*,
        cast(
            sum(feature_use.used_tokens) over (
                partition by feature_use.charge_date, feature_use.feature
                order by feature_use.owner_id
                rows between unbounded preceding and current row
            ) as decimal(15, 0)
        ) as until_tokens,
        cast(
            sum(feature_use.used_tokens) over (
                partition by feature_use.charge_date, feature_use.feature
            ) as decimal(15, 0)
        ) as total_tokens
    from feature_use
    where feature_use.used_tokens > 0
),

shared as (
    select
        owned.charge_date,
        owned.pool_key,
        owned.from_zone,
        owned.to_zone,
        cumulative_use.owner_id as usage_owner_id,
        case when cumulative_use.owner_id is null then owned.feature end as feature,
        case when cumulative_use.owner_id is null then owned.endpoint end as endpoint,
        case when cumulative_use.owner_id is null then owned.team end as team,
        case when cumulative_use.owner_id is null then owned.environment end as environment,
        case when owned.feature is null then 'unknown_workload' end as residual_reason,
        case
            when cumulative_use.owner_id is null then owned.weight
            else
                idiv(
                    cast(owned.weight as decimal(22, 0)) * cumulative_use.until_tokens,
                    cumulative_use.total_tokens
                ) - idiv(
                    cast(owned.weight as decimal(22, 0))
                    * (cumulative_use.until_tokens - cumulative_use.used_tokens),
                    cumulative_use.total_tokens
                )
        end as weight,
        case
            when cumulative_use.owner_id is null then owned.bytes
            else
                idiv(
                    cast(owned.bytes as decimal(22, 0)) * cumulative_use.until_tokens,
                    cumulative_use.total_tokens
                ) - idiv(
                    cast(owned.bytes as decimal(22, 0))
                    * (cumulative_use.until_tokens - cumulative_use.used_tokens),
                    cumulative_use.total_tokens
                )
        end as bytes
    from owned
    left join cumulative_use
        on owned.charge_date = cumulative_use.charge_date
        and owned.feature = cumulative_use.feature
),

grouped as (
    select
        shared.charge_date,
        shared.pool_key,
        shared.from_zone,
        shared.to_zone,
        shared.usage_owner_id,
        shared.feature,
        shared.endpoint,
        shared.team,
        shared.environment,
        shared.residual_reason,
        sum(shared.weight) as weight,
        sum(shared.bytes) as bytes
    from shared
    group by
        shared.charge_date,
        shared.pool_key,
        shared.from_zone,
        shared.to_zone,
        shared.usage_owner_id,
        shared.feature,
        shared.endpoint,
        shared.team,
        shared.environment,
        shared.residual_reason
),

digested as (
    select
        grouped.*,
        coalesce(
            grouped.usage_owner_id,
            md5(
                chr(30)
                || chr(31) || chr(30)
                || chr(31) || chr(30)
                || chr(31) || coalesce(grouped.team, chr(30))
                || chr(31) || coalesce(grouped.feature, chr(30))
                || chr(31) || coalesce(grouped.endpoint, chr(30))
                || chr(31) || chr(30)
                || chr(31) || chr(30)
                || chr(31) || chr(30)
                || chr(31) || coalesce(grouped.environment, chr(30))
            )
        ) as owner_id
    from grouped
)

select
    digested.charge_date,
    digested.pool_key,
    md5(
        digested.owner_id || chr(31) || coalesce(digested.from_zone, chr(30))
        || chr(31) || coalesce(digested.to_zone, chr(30))
        || chr(31) || coalesce(digested.residual_reason, chr(30))
    ) as weight_id,
    digested.owner_id,
    digested.feature,
    digested.endpoint,
    digested.team,
    digested.environment,
    digested.from_zone,
    digested.to_zone,
    digested.residual_reason,
    cast(digested.weight as bigint) as weight,
    cast(digested.bytes as bigint) as bytes
from digested
