/*
description: >
    Who caused a day's traffic and telemetry: bytes and volumes per pool, first to the workload's feature, then to
    that feature's users by their share of its tokens; bytes of traced calls to whoever called. A pool is
    all traffic of a provider and kind, or the part of it that touches the zone a bill line names or that an account and
    region sent; or the volume of the emitter that it names, and of its signal.
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
      by: partition
      description: Splitting a workload's volume over its users must keep every byte.
      sql: >
        select w.charge_date, w.weight, m.weight as measured
        from (select charge_date, sum(bytes) as weight from core.physical_weights
              where pool_key like 'egress%' || chr(31) || 'all' group by charge_date) as w
        inner join (select charge_date, sum(bytes) as weight
              from core.transfers where is_used and provider is not null group by charge_date) as m
          on w.charge_date = m.charge_date
        where w.weight <> m.weight
*/
with

/* Flow logs, inventories and meters of Google Cloud say gcp; its bills say google. */
transfers as (
    select
        moved.*,
        case when moved.provider = 'gcp' then 'google' else moved.provider end as biller
    from core.transfers as moved
    where moved.charge_date >= $start and moved.charge_date < $end
        and moved.is_used and moved.provider is not null
),

telemetry as (
    select
        written.*,
        case when written.provider = 'gcp' then 'google' else written.provider end as biller
    from core.telemetry as written
    where written.charge_date >= $start and written.charge_date < $end and written.is_used
),

usage as (
    select *
    from core.request_usage
    where charge_date >= $start and charge_date < $end
),

workloads as (select * from staging.workloads),

zone_regions as (
    select
        zones.provider,
        zones.zone_id,
        min(zones.region_id) as region_id
    from staging.zones as zones
    where zones.zone_id is not null and zones.region_id is not null
    group by zones.provider, zones.zone_id
),

/* Who pays is who sent, or owns the gateway; between zones both ends pay, so there the zones tell. */
sent as (
    select
        transfers.*,
        lower(transfers.account_id) as origin_account_id,
        lower(zone_regions.region_id) as origin_region_id,
        min(case when transfers.account_id is null then 0 else 1 end) over (
            partition by transfers.charge_date, transfers.provider, transfers.traffic_kind
        ) as has_accounts,
        min(case when zone_regions.region_id is null then 0 else 1 end) over (
            partition by transfers.charge_date, transfers.provider, transfers.traffic_kind
        ) as has_regions
    from transfers
    left join zone_regions
        on transfers.provider = zone_regions.provider
        and transfers.from_zone = zone_regions.zone_id
    where transfers.traffic_kind in ('internet', 'inter_region', 'nat', 'cdn', 'private_link')
),

emitted as (
    select
        telemetry.charge_date,
        telemetry.biller,
        telemetry.workload_ref,
        telemetry.signal,
        telemetry.weight,
        workloads.feature,
        workloads.endpoint,
        workloads.team,
        workloads.environment
    from telemetry
    left join workloads
        on telemetry.workload_ref = workloads.workload_ref
        and coalesce(workloads.ref_kind, '') not in ('address', 'pod')
        and (
            workloads.valid_from is null
            or cast(workloads.valid_from as date) <= telemetry.charge_date
        )
        and (
            workloads.valid_to is null
            or workloads.valid_to > cast(telemetry.charge_date as timestamp)
        )
        and (
            workloads.next_valid_from is null
            or cast(workloads.next_valid_from as date) > telemetry.charge_date
        )
),

measured as (
    select
        transfers.charge_date,
        'egress' || chr(31) || transfers.biller || chr(31) || transfers.traffic_kind
        || chr(31) || 'all' as pool_key,
        transfers.owner_id,
        transfers.feature,
        transfers.endpoint,
        transfers.team,
        transfers.environment,
        transfers.from_zone,
        transfers.to_zone,
        transfers.bytes as weight,
        transfers.bytes
    from transfers
    union all
    select
        transfers.charge_date,
        'egress' || chr(31) || transfers.biller || chr(31) || transfers.traffic_kind
        || chr(31) || transfers.from_zone as pool_key,
        transfers.owner_id,
        transfers.feature,
        transfers.endpoint,
        transfers.team,
        transfers.environment,
        transfers.from_zone,
        transfers.to_zone,
        transfers.bytes as weight,
        transfers.bytes
    from transfers
    where transfers.from_zone is not null
    union all
    select
        transfers.charge_date,
        'egress' || chr(31) || transfers.biller || chr(31) || transfers.traffic_kind
        || chr(31) || transfers.to_zone as pool_key,
        transfers.owner_id,
        transfers.feature,
        transfers.endpoint,
        transfers.team,
        transfers.environment,
        transfers.from_zone,
        transfers.to_zone,
        transfers.bytes as weight,
        cast(0 as bigint) as bytes
    from transfers
    where transfers.to_zone is not null and transfers.to_zone <> coalesce(transfers.from_zone, '')
    union all
    select
        sent.charge_date,
        'egress' || chr(31) || sent.biller || chr(31) || sent.traffic_kind || chr(31) || 'from '
        || case when sent.has_accounts = 1 then sent.origin_account_id else '' end || '/'
        || case when sent.has_regions = 1 then sent.origin_region_id else '' end as pool_key,
        sent.owner_id,
        sent.feature,
        sent.endpoint,
        sent.team,
        sent.environment,
        sent.from_zone,
        sent.to_zone,
        sent.bytes as weight,
        sent.bytes
    from sent
    where sent.has_accounts = 1 or sent.has_regions = 1
    union all
    select
        emitted.charge_date,
        'monitoring' || chr(31) || emitted.biller || chr(31) || emitted.workload_ref as pool_key,
        cast(null as varchar) as owner_id,
        emitted.feature,
        emitted.endpoint,
        emitted.team,
        emitted.environment,
        cast(null as varchar) as from_zone,
        cast(null as varchar) as to_zone,
        emitted.weight,
        cast(0 as bigint) as bytes
    from emitted
    where emitted.workload_ref is not null
    union all
    select
        emitted.charge_date,
        'monitoring' || chr(31) || emitted.biller || chr(31) || 'all' as pool_key,
        cast(null as varchar) as owner_id,
        emitted.feature,
        emitted.endpoint,
        emitted.team,
        emitted.environment,
        cast(null as varchar) as from_zone,
        cast(null as varchar) as to_zone,
        emitted.weight,
        cast(0 as bigint) as bytes
    from emitted
    union all
    select
        emitted.charge_date,
        'monitoring' || chr(31) || emitted.biller || chr(31) || emitted.workload_ref
        || chr(31) || emitted.signal as pool_key,
        cast(null as varchar) as owner_id,
        emitted.feature,
        emitted.endpoint,
        emitted.team,
        emitted.environment,
        cast(null as varchar) as from_zone,
        cast(null as varchar) as to_zone,
        emitted.weight,
        cast(0 as bigint) as bytes
    from emitted
    where emitted.workload_ref is not null
    union all
    select
        emitted.charge_date,
        'monitoring' || chr(31) || emitted.biller || chr(31) || 'all'
        || chr(31) || emitted.signal as pool_key,
        cast(null as varchar) as owner_id,
        emitted.feature,
        emitted.endpoint,
        emitted.team,
        emitted.environment,
        cast(null as varchar) as from_zone,
        cast(null as varchar) as to_zone,
        emitted.weight,
        cast(0 as bigint) as bytes
    from emitted
),

owned as (
    select
        measured.charge_date,
        measured.pool_key,
        measured.from_zone,
        measured.to_zone,
        measured.owner_id as traced_owner_id,
        case when measured.owner_id is null then measured.feature end as feature,
        case when measured.owner_id is null then measured.endpoint end as endpoint,
        case when measured.owner_id is null then measured.team end as team,
        case when measured.owner_id is null then measured.environment end as environment,
        cast(sum(cast(measured.weight as decimal(38, 0))) as decimal(38, 0)) as weight,
        cast(sum(cast(measured.bytes as decimal(38, 0))) as decimal(38, 0)) as bytes
    from measured
    group by
        measured.charge_date,
        measured.pool_key,
        measured.from_zone,
        measured.to_zone,
        measured.owner_id,
        case when measured.owner_id is null then measured.feature end,
        case when measured.owner_id is null then measured.endpoint end,
        case when measured.owner_id is null then measured.team end,
        case when measured.owner_id is null then measured.environment end
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
        coalesce(owned.traced_owner_id, cumulative_use.owner_id) as usage_owner_id,
        case when cumulative_use.owner_id is null then owned.feature end as feature,
        case when cumulative_use.owner_id is null then owned.endpoint end as endpoint,
        case when cumulative_use.owner_id is null then owned.team end as team,
        case when cumulative_use.owner_id is null then owned.environment end as environment,
        case
            when owned.feature is null and owned.traced_owner_id is null then 'unknown_workload'
        end as residual_reason,
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
