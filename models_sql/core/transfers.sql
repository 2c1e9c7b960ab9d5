/*
description: >
    Bytes between zones per UTC day, each flow once, with what it belongs to. A flow that both of its ends recorded
    counts as the sender saw it; what leaves a NAT gateway was sent by those behind it. Zones that a record does not
    state are those that the other end, else the inventory, states. Of each pair of zones and day one source counts:
    flow logs, else files in the order of the config, else the bytes of traced calls.
grain: [charge_date, transfer_id]
materialized: table
partition_by: {column: charge_date, unit: day}
columns:
    charge_date: null
    transfer_id: null
    provider: null
    account_id: null
    traffic_kind: null
    from_zone: null
    to_zone: null
    from_workload_ref: null
    to_workload_ref: null
    emitter_kind: null
    x_source: null
    is_used: null
    owner_id: of traced calls, whose owner is known without an inventory
    feature: of the sender, else of the receiver, at the time of the flow
    endpoint: null
    team: null
    environment: null
    bytes: null
    round_trips_count: null
    min_round_trip_seconds: null
checks:
    - name: one_source_per_pair_of_zones
      severity: fail
      by: partition
      description: Weights of a pair of zones come from one kind of source, never from the sum of two.
      sql: >
        select charge_date, provider, traffic_kind, from_zone, to_zone, account_id
        from core.transfers
        where is_used and from_zone is not null and to_zone is not null and traffic_kind <> 'nat'
        group by charge_date, provider, traffic_kind, from_zone, to_zone, account_id
        having count(distinct emitter_kind) > 1
*/
with

transfers as (
    select *
    from staging.transfers
    where window_start >= cast($start as timestamp) and window_start < cast($end as timestamp)
),

usage as (
    select *
    from core.request_usage
    where charge_date >= $start and charge_date < $end
),

workloads as (select * from staging.workloads),

source_ranks as (select * from reference.source_ranks),

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

zone_places as (
    select
        places.zone,
        min(places.provider) as provider,
        min(places.region_id) as region_id
    from (
        select
            zones.provider,
            zones.zone_id as zone,
            zones.region_id
        from staging.zones as zones
        union all
        select
            zones.provider,
            zones.zone_name as zone,
            zones.region_id
        from staging.zones as zones
    ) as places
    where places.zone is not null
    group by places.zone
),

recorders as (
    select
        seen.provider,
        seen.recorder,
        seen.window_start,
        seen.x_source,
        seen.emitter_id,
        row_number() over (
            partition by seen.provider, seen.recorder, seen.window_start
            order by
                coalesce(source_ranks.source_rank, 1000000),
                coalesce(seen.x_source, chr(30)),
                coalesce(seen.emitter_id, chr(30))
        ) as turn
    from (
        select
            transfers.provider,
            transfers.seen_at as recorder,
            transfers.window_start,
            transfers.x_source,
            transfers.emitter_id
        from transfers
        where transfers.emitter_kind = 'flow_log' and transfers.seen_at is not null
        group by
            transfers.provider,
            transfers.seen_at,
            transfers.window_start,
            transfers.x_source,
            transfers.emitter_id
    ) as seen
    left join source_ranks on seen.x_source = source_ranks.source
),

recorded as (
    select
        cast(transfers.window_start as date) as charge_date,
        transfers.window_start,
        transfers.window_end,
        transfers.x_source,
        transfers.provider,
        transfers.account_id,
        transfers.traffic_kind,
        coalesce(sending.zone_id, transfers.from_zone) as from_zone,
        coalesce(receiving.zone_id, transfers.to_zone) as to_zone,
        transfers.from_workload_ref,
        transfers.to_workload_ref,
        transfers.from_ref_kind,
        transfers.to_ref_kind,
        transfers.emitter_kind,
        transfers.seen_from,
        transfers.seen_at,
        transfers.through_ref,
        transfers.bytes,
        transfers.round_trips_count,
        transfers.min_round_trip_seconds,
        case transfers.seen_from
            when 'sender' then 1
            when 'receiver' then 2
            when 'passing' then 4
            else 3
        end as sight,
        case when transfers.traffic_kind = 'nat' then 'nat' else 'way' end as leg
    from transfers
    left join recorders
        on transfers.provider = recorders.provider
        and transfers.seen_at = recorders.recorder
        and transfers.window_start = recorders.window_start
        and coalesce(transfers.x_source, chr(30)) = coalesce(recorders.x_source, chr(30))
        and coalesce(transfers.emitter_id, chr(30)) = coalesce(recorders.emitter_id, chr(30))
    left join zone_ids as sending
        on transfers.provider = sending.provider
        and transfers.account_id = sending.account_id
        and transfers.from_zone = sending.zone_name
    left join zone_ids as receiving
        on transfers.provider = receiving.provider
        and transfers.account_id = receiving.account_id
        and transfers.to_zone = receiving.zone_name
    where transfers.emitter_kind <> 'flow_log' or coalesce(recorders.turn, 1) = 1
),

gateways as (
    select
        recorded.charge_date,
        recorded.provider,
        coalesce(recorded.account_id, '') as account_id,
        recorded.through_ref
    from recorded
    where recorded.leg = 'nat' and recorded.through_ref is not null
    group by
        recorded.charge_date, recorded.provider, coalesce(recorded.account_id, ''), recorded.through_ref
),

own_flows as (
    select
        recorded.*,
        min(recorded.sight) over (
            partition by
                recorded.provider,
                recorded.window_start,
                recorded.from_workload_ref,
                recorded.to_workload_ref,
                recorded.leg
        ) as best_sight,
        min(coalesce(recorded.seen_at, '')) over (
            partition by
                recorded.provider,
                recorded.window_start,
                recorded.from_workload_ref,
                recorded.to_workload_ref,
                recorded.leg,
                recorded.sight
        ) as first_seen_at,
        max(case when recorded.traffic_kind = 'transit' then 1 else 0 end) over (
            partition by
                recorded.provider,
                recorded.window_start,
                recorded.from_workload_ref,
                recorded.to_workload_ref,
                recorded.leg
        ) as is_transit
    from recorded
    left join gateways as sending_gateways
        on recorded.charge_date = sending_gateways.charge_date
        and recorded.provider = sending_gateways.provider
        and coalesce(recorded.account_id, '') = sending_gateways.account_id
        and recorded.from_workload_ref = sending_gateways.through_ref
    left join gateways as receiving_gateways
        on recorded.charge_date = receiving_gateways.charge_date
        and recorded.provider = receiving_gateways.provider
        and coalesce(recorded.account_id, '') = receiving_gateways.account_id
        and recorded.to_workload_ref = receiving_gateways.through_ref
    where
        recorded.emitter_kind = 'flow_log'
        and (
            recorded.leg = 'nat'
            or (sending_gateways.through_ref is null and receiving_gateways.through_ref is null)
        )
),

counted_flows as (
    select own_flows.*
    from own_flows
    where
        own_flows.sight = own_flows.best_sight
        and (
            own_flows.sight <= 2
            or own_flows.leg = 'nat'
            or coalesce(own_flows.seen_at, '') = own_flows.first_seen_at
        )
),

told_zones as (
    select
        recorded.charge_date,
        recorded.provider,
        recorded.account_id,
        recorded.from_workload_ref as workload_ref,
        recorded.from_zone as zone,
        1 as turn
    from recorded
    where
        recorded.emitter_kind = 'flow_log'
        and recorded.leg = 'way'
        and recorded.from_workload_ref is not null
        and recorded.from_zone is not null
    union all
    select
        recorded.charge_date,
        recorded.provider,
        recorded.account_id,
        recorded.to_workload_ref as workload_ref,
        recorded.to_zone as zone,
        2 as turn
    from recorded
    where
        recorded.emitter_kind = 'flow_log'
        and recorded.leg = 'way'
        and recorded.to_workload_ref is not null
        and recorded.to_zone is not null
),

best_zones as (
    select
        told_zones.*,
        min(told_zones.turn) over (
            partition by
                told_zones.charge_date, told_zones.provider, told_zones.account_id, told_zones.workload_ref
        ) as best_turn
    from told_zones
),

account_zones as (
    select
        best_zones.charge_date,
        best_zones.provider,
        best_zones.account_id,
        best_zones.workload_ref,
        min(best_zones.zone) as zone
    from best_zones
    where best_zones.turn = best_zones.best_turn
    group by
        best_zones.charge_date, best_zones.provider, best_zones.account_id, best_zones.workload_ref
    having min(best_zones.zone) = max(best_zones.zone)
),

lone_zones as (
    select
        account_zones.charge_date,
        account_zones.provider,
        account_zones.workload_ref,
        min(account_zones.zone) as zone
    from account_zones
    group by account_zones.charge_date, account_zones.provider, account_zones.workload_ref
    having min(account_zones.zone) = max(account_zones.zone)
),

weighed as (
    select
        counted_flows.charge_date,
        counted_flows.window_start,
        counted_flows.window_end,
        counted_flows.x_source,
        counted_flows.provider,
        counted_flows.account_id,
        case
            when counted_flows.traffic_kind is null and counted_flows.is_transit = 1 then 'transit'
            else counted_flows.traffic_kind
        end as traffic_kind,
        counted_flows.from_zone,
        counted_flows.to_zone,
        counted_flows.from_workload_ref,
        counted_flows.to_workload_ref,
        counted_flows.from_ref_kind,
        counted_flows.to_ref_kind,
        counted_flows.emitter_kind,
        case when counted_flows.seen_from = 'sender' then counted_flows.seen_at end as from_seen_at,
        case when counted_flows.seen_from = 'receiver' then counted_flows.seen_at end as to_seen_at,
        counted_flows.leg,
        counted_flows.bytes,
        counted_flows.round_trips_count,
        counted_flows.min_round_trip_seconds
    from counted_flows
    union all
    select
        recorded.charge_date,
        recorded.window_start,
        recorded.window_end,
        recorded.x_source,
        recorded.provider,
        recorded.account_id,
        recorded.traffic_kind,
        recorded.from_zone,
        recorded.to_zone,
        recorded.from_workload_ref,
        recorded.to_workload_ref,
        recorded.from_ref_kind,
        recorded.to_ref_kind,
        recorded.emitter_kind,
        cast(null as varchar) as from_seen_at,
        cast(null as varchar) as to_seen_at,
        recorded.leg,
        recorded.bytes,
        recorded.round_trips_count,
        recorded.min_round_trip_seconds
    from recorded
    where recorded.emitter_kind <> 'flow_log'
),

named as (
    select
        weighed.from_workload_ref as workload_ref,
        weighed.from_ref_kind as ref_kind,
        weighed.window_start,
        weighed.window_end
    from weighed
    where weighed.from_workload_ref is not null
    union
    select
        weighed.to_workload_ref as workload_ref,
        weighed.to_ref_kind as ref_kind,
        weighed.window_start,
        weighed.window_end
    from weighed
    where weighed.to_workload_ref is not null
    union
    select
        weighed.from_seen_at as workload_ref,
        'seen_at' as ref_kind,
        weighed.window_start,
        weighed.window_end
    from weighed
    where weighed.from_seen_at is not null
    union
    select
        weighed.to_seen_at as workload_ref,
        'seen_at' as ref_kind,
        weighed.window_start,
        weighed.window_end
    from weighed
    where weighed.to_seen_at is not null
),

candidates as (
    select
        named.workload_ref,
        coalesce(named.ref_kind, '') as ref_kind,
        named.window_start,
        named.window_end,
        workloads.feature,
        workloads.endpoint,
        workloads.team,
        workloads.environment,
        workloads.zone,
        row_number() over (
            partition by named.workload_ref, named.ref_kind, named.window_start, named.window_end
            order by
                case when workloads.feature is null then 1 else 0 end,
                case workloads.ref_kind when 'address' then 3 when 'pod' then 2 else 1 end,
                coalesce(workloads.valid_from, cast('1970-01-01' as timestamp))
        ) as turn
    from named
    inner join workloads
        on named.workload_ref = workloads.workload_ref
        and (
            named.ref_kind is null
            or (named.ref_kind = 'seen_at' and workloads.ref_kind in ('eni', 'instance', 'resource'))
            or (named.ref_kind = 'address' and workloads.ref_kind = 'address')
            or (named.ref_kind = 'pod' and workloads.ref_kind = 'pod')
            or (
                named.ref_kind not in ('seen_at', 'address', 'pod')
                and workloads.ref_kind not in ('address', 'pod')
            )
        )
        and (workloads.valid_from is null or named.window_end > workloads.valid_from)
        and (workloads.valid_to is null or named.window_start < workloads.valid_to)
),

known as (
    select candidates.*
    from candidates
    where candidates.turn = 1
),

located as (
    select
        weighed.charge_date,
        weighed.x_source,
        weighed.provider,
        weighed.account_id,
        weighed.traffic_kind,
        weighed.from_workload_ref,
        weighed.to_workload_ref,
        weighed.emitter_kind,
        weighed.leg,
        weighed.bytes,
        weighed.round_trips_count,
        weighed.min_round_trip_seconds,
        case
            when weighed.emitter_kind <> 'flow_log' then weighed.from_zone
            else
                coalesce(
                    weighed.from_zone,
                    sending.zone,
                    lone_sending.zone,
                    sender_ids.zone_id,
                    sender.zone
                )
        end as from_zone,
        case
            when weighed.emitter_kind <> 'flow_log' then weighed.to_zone
            else
                coalesce(
                    weighed.to_zone,
                    receiving.zone,
                    lone_receiving.zone,
                    receiver_ids.zone_id,
                    receiver.zone
                )
        end as to_zone,
        case
            when sender.feature is not null then 1
            when seen_sender.feature is not null then 2
            when receiver.feature is not null then 3
            when seen_receiver.feature is not null then 4
        end as named_by,
        sender.feature as sender_feature,
        sender.endpoint as sender_endpoint,
        sender.team as sender_team,
        sender.environment as sender_environment,
        seen_sender.feature as seen_sender_feature,
        seen_sender.endpoint as seen_sender_endpoint,
        seen_sender.team as seen_sender_team,
        seen_sender.environment as seen_sender_environment,
        receiver.feature as receiver_feature,
        receiver.endpoint as receiver_endpoint,
        receiver.team as receiver_team,
        receiver.environment as receiver_environment,
        seen_receiver.feature as seen_receiver_feature,
        seen_receiver.endpoint as seen_receiver_endpoint,
        seen_receiver.team as seen_receiver_team,
        seen_receiver.environment as seen_receiver_environment
    from weighed
    left join account_zones as sending
        on weighed.charge_date = sending.charge_date
        and weighed.provider = sending.provider
        and weighed.account_id = sending.account_id
        and weighed.from_workload_ref = sending.workload_ref
    left join account_zones as receiving
        on weighed.charge_date = receiving.charge_date
        and weighed.provider = receiving.provider
        and weighed.account_id = receiving.account_id
        and weighed.to_workload_ref = receiving.workload_ref
    left join lone_zones as lone_sending
        on weighed.charge_date = lone_sending.charge_date
        and weighed.provider = lone_sending.provider
        and weighed.from_workload_ref = lone_sending.workload_ref
    left join lone_zones as lone_receiving
        on weighed.charge_date = lone_receiving.charge_date
        and weighed.provider = lone_receiving.provider
        and weighed.to_workload_ref = lone_receiving.workload_ref
    left join known as sender
        on weighed.from_workload_ref = sender.workload_ref
        and coalesce(weighed.from_ref_kind, '') = sender.ref_kind
        and weighed.window_start = sender.window_start
        and weighed.window_end = sender.window_end
    left join known as seen_sender
        on weighed.from_seen_at = seen_sender.workload_ref
        and seen_sender.ref_kind = 'seen_at'
        and weighed.window_start = seen_sender.window_start
        and weighed.window_end = seen_sender.window_end
    left join known as receiver
        on weighed.to_workload_ref = receiver.workload_ref
        and coalesce(weighed.to_ref_kind, '') = receiver.ref_kind
        and weighed.window_start = receiver.window_start
        and weighed.window_end = receiver.window_end
    left join known as seen_receiver
        on weighed.to_seen_at = seen_receiver.workload_ref
        and seen_receiver.ref_kind = 'seen_at'
        and weighed.window_start = seen_receiver.window_start
        and weighed.window_end = seen_receiver.window_end
    left join zone_ids as sender_ids
        on weighed.provider = sender_ids.provider
        and weighed.account_id = sender_ids.account_id
        and sender.zone = sender_ids.zone_name
    left join zone_ids as receiver_ids
        on weighed.provider = receiver_ids.provider
        and weighed.account_id = receiver_ids.account_id
        and receiver.zone = receiver_ids.zone_name
),

owned as (
    select
        located.charge_date,
        located.x_source,
        located.provider,
        located.account_id,
        located.traffic_kind,
        located.from_zone,
        located.to_zone,
        located.from_workload_ref,
        located.to_workload_ref,
        located.emitter_kind,
        located.leg,
        cast(null as varchar) as owner_id,
        case located.named_by
            when 1 then located.sender_feature
            when 2 then located.seen_sender_feature
            when 3 then located.receiver_feature
            when 4 then located.seen_receiver_feature
        end as feature,
        case coalesce(located.named_by, 3)
            when 1 then located.sender_endpoint
            when 2 then located.seen_sender_endpoint
            when 3 then located.receiver_endpoint
            else located.seen_receiver_endpoint
        end as endpoint,
        case coalesce(located.named_by, 3)
            when 1 then located.sender_team
            when 2 then located.seen_sender_team
            when 3 then located.receiver_team
            else located.seen_receiver_team
        end as team,
        case coalesce(located.named_by, 3)
            when 1 then located.sender_environment
            when 2 then located.seen_sender_environment
            when 3 then located.receiver_environment
            else located.seen_receiver_environment
        end as environment,
        located.bytes,
        located.round_trips_count,
        located.min_round_trip_seconds
    from located
),

traced as (
    select
        usage.charge_date,
        usage.owner_id,
        usage.feature,
        usage.endpoint,
        usage.team,
        usage.environment,
        usage.from_zone,
        usage.to_zone,
        usage.request_bytes as bytes
    from usage
    where usage.request_bytes > 0 and usage.from_zone is not null and usage.to_zone is not null
    union all
    select
        usage.charge_date,
        usage.owner_id,
        usage.feature,
        usage.endpoint,
        usage.team,
        usage.environment,
        usage.to_zone as from_zone,
        usage.from_zone as to_zone,
        usage.response_bytes as bytes
    from usage
    where usage.response_bytes > 0 and usage.from_zone is not null and usage.to_zone is not null
),

reported as (
    select
        owned.charge_date,
        owned.x_source,
        owned.provider,
        owned.account_id,
        owned.traffic_kind,
        owned.from_zone,
        owned.to_zone,
        owned.from_workload_ref,
        owned.to_workload_ref,
        owned.emitter_kind,
        owned.owner_id,
        owned.feature,
        owned.endpoint,
        owned.team,
        owned.environment,
        owned.bytes,
        owned.round_trips_count,
        owned.min_round_trip_seconds
    from owned
    union all
    select
        owned.charge_date,
        owned.x_source,
        owned.provider,
        owned.account_id,
        'inter_az' as traffic_kind,
        owned.from_zone,
        owned.to_zone,
        owned.from_workload_ref,
        owned.to_workload_ref,
        owned.emitter_kind,
        owned.owner_id,
        owned.feature,
        owned.endpoint,
        owned.team,
        owned.environment,
        owned.bytes,
        cast(null as bigint) as round_trips_count,
        cast(null as decimal(18, 6)) as min_round_trip_seconds
    from owned
    where owned.leg = 'nat' and owned.emitter_kind = 'flow_log' and owned.from_zone <> owned.to_zone
    union all
    select
        traced.charge_date,
        'requests' as x_source,
        coalesce(
            zone_places.provider,
            case
                when regexp_replace(traced.from_zone, '^[a-z]+[0-9]+-az[0-9]+$', '', 'g') = '' then 'aws'
                when regexp_replace(traced.from_zone, '^[a-z]+(-[a-z]+)+-[0-9]+[a-z]$', '', 'g') = ''
                    then 'aws'
                when regexp_replace(traced.from_zone, '^[a-z]+-[a-z]+[0-9]+-[a-z]$', '', 'g') = '' then 'gcp'
                when regexp_replace(traced.from_zone, '^[a-z0-9]+-[0-9]$', '', 'g') = '' then 'azure'
            end
        ) as provider,
        cast(null as varchar) as account_id,
        cast(null as varchar) as traffic_kind,
        traced.from_zone,
        traced.to_zone,
        cast(null as varchar) as from_workload_ref,
        cast(null as varchar) as to_workload_ref,
        'trace' as emitter_kind,
        traced.owner_id,
        traced.feature,
        traced.endpoint,
        traced.team,
        traced.environment,
        traced.bytes,
        cast(null as bigint) as round_trips_count,
        cast(null as decimal(18, 6)) as min_round_trip_seconds
    from traced
    left join zone_places on traced.from_zone = zone_places.zone
),

placed as (
    select
        reported.*,
        case
            when sending.region_id is not null and receiving.region_id is not null then sending.region_id
            else regexp_replace(reported.from_zone, '(-az[0-9]+|-[a-z0-9]|[a-z])$', '', 'g')
        end as from_region,
        case
            when sending.region_id is not null and receiving.region_id is not null then receiving.region_id
            else regexp_replace(reported.to_zone, '(-az[0-9]+|-[a-z0-9]|[a-z])$', '', 'g')
        end as to_region
    from reported
    left join zone_places as sending on reported.from_zone = sending.zone
    left join zone_places as receiving on reported.to_zone = receiving.zone
),

kinds as (
    select
        placed.charge_date,
        placed.x_source,
        placed.provider,
        placed.account_id,
        placed.from_zone,
        placed.to_zone,
        placed.from_workload_ref,
        placed.to_workload_ref,
        placed.emitter_kind,
        placed.owner_id,
        placed.feature,
        placed.endpoint,
        placed.team,
        placed.environment,
        placed.bytes,
        placed.round_trips_count,
        placed.min_round_trip_seconds,
        coalesce(
            placed.traffic_kind,
            case
                when placed.from_zone = placed.to_zone then 'same_zone'
                when placed.from_region = placed.to_region then 'inter_az'
                when placed.from_region <> placed.to_region then 'inter_region'
                else 'other'
            end
        ) as traffic_kind
    from placed
),

sums as (
    select
        kinds.charge_date,
        kinds.x_source,
        kinds.provider,
        kinds.account_id,
        kinds.traffic_kind,
        kinds.from_zone,
        kinds.to_zone,
        kinds.from_workload_ref,
        kinds.to_workload_ref,
        kinds.emitter_kind,
        kinds.owner_id,
        kinds.feature,
        kinds.endpoint,
        kinds.team,
        kinds.environment,
        cast(sum(cast(kinds.bytes as decimal(38, 0))) as bigint) as bytes,
        cast(sum(kinds.round_trips_count) as bigint) as round_trips_count,
        min(kinds.min_round_trip_seconds) as min_round_trip_seconds
    from kinds
    group by
        kinds.charge_date,
        kinds.x_source,
        kinds.provider,
        kinds.account_id,
        kinds.traffic_kind,
        kinds.from_zone,
        kinds.to_zone,
        kinds.from_workload_ref,
        kinds.to_workload_ref,
        kinds.emitter_kind,
        kinds.owner_id,
        kinds.feature,
        kinds.endpoint,
        kinds.team,
        kinds.environment
),

file_ranks as (
    select
        files.x_source,
        row_number() over (
            order by coalesce(source_ranks.source_rank, 1000000), coalesce(files.x_source, chr(30))
        ) as file_rank
    from (
        select sums.x_source
        from sums
        where sums.emitter_kind = 'file'
        group by sums.x_source
    ) as files
    left join source_ranks on files.x_source = source_ranks.source
),

ranked as (
    select
        sums.*,
        case sums.emitter_kind
            when 'flow_log' then 0
            when 'trace' then 1000000000
            else file_ranks.file_rank
        end as report_rank,
        coalesce(sums.provider, '') || chr(31) || coalesce(sums.from_zone, chr(30))
        || chr(31) || coalesce(sums.to_zone, chr(30)) || chr(31)
        || case
            when
                sums.from_zone is null or sums.to_zone is null or sums.traffic_kind = 'nat'
                then sums.traffic_kind
            else ''
        end as pair_key
    from sums
    left join file_ranks
        on coalesce(sums.x_source, chr(30)) = coalesce(file_ranks.x_source, chr(30))
        and sums.emitter_kind = 'file'
),

pair_accounts as (
    select
        ranked.charge_date,
        ranked.pair_key,
        ranked.account_id,
        min(ranked.report_rank) as account_rank
    from ranked
    group by ranked.charge_date, ranked.pair_key, ranked.account_id
),

pairs as (
    select
        pair_accounts.charge_date,
        pair_accounts.pair_key,
        min(pair_accounts.account_rank) as pair_rank,
        min(case when pair_accounts.account_id is null then pair_accounts.account_rank end) as nameless_rank
    from pair_accounts
    group by pair_accounts.charge_date, pair_accounts.pair_key
),

/* A pair of zones has few accounts and a day few pairs: ranked once each, not once a transfer. */
compared as (
    select
        ranked.*,
        pairs.pair_rank,
        pairs.nameless_rank,
        pair_accounts.account_rank
    from ranked
    inner join pairs
        on ranked.charge_date = pairs.charge_date
        and ranked.pair_key = pairs.pair_key
    inner join pair_accounts
        on ranked.charge_date = pair_accounts.charge_date
        and ranked.pair_key = pair_accounts.pair_key
        and coalesce(ranked.account_id, chr(30)) = coalesce(pair_accounts.account_id, chr(30))
)

select
    compared.charge_date,
    md5(
        coalesce(compared.x_source, chr(30))
        || chr(31) || coalesce(compared.provider, chr(30))
        || chr(31) || coalesce(compared.account_id, chr(30))
        || chr(31) || compared.traffic_kind
        || chr(31) || coalesce(compared.from_zone, chr(30))
        || chr(31) || coalesce(compared.to_zone, chr(30))
        || chr(31) || coalesce(compared.from_workload_ref, chr(30))
        || chr(31) || coalesce(compared.to_workload_ref, chr(30))
        || chr(31) || compared.emitter_kind
        || chr(31) || coalesce(compared.owner_id, chr(30))
        || chr(31) || coalesce(compared.feature, chr(30))
        || chr(31) || coalesce(compared.endpoint, chr(30))
        || chr(31) || coalesce(compared.team, chr(30))
        || chr(31) || coalesce(compared.environment, chr(30))
    ) as transfer_id,
    compared.provider,
    compared.account_id,
    compared.traffic_kind,
    compared.from_zone,
    compared.to_zone,
    compared.from_workload_ref,
    compared.to_workload_ref,
    compared.emitter_kind,
    compared.x_source,
    case
        when compared.account_id is null then compared.report_rank = compared.pair_rank
        else
            compared.report_rank
            = least(compared.account_rank, coalesce(compared.nameless_rank, compared.account_rank))
    end as is_used,
    compared.owner_id,
    compared.feature,
    compared.endpoint,
    compared.team,
    compared.environment,
    compared.bytes,
    compared.round_trips_count,
    compared.min_round_trip_seconds
from compared
