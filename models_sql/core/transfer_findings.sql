/*
description: >
    What is worth knowing about traffic: the largest senders that no inventory knows, bytes whose zones nobody states,
    and bytes that do not count because a source that is ranked higher reports the same pair of zones.
materialized: view
columns:
    source: null
    kind: null
    severity: null
    message: null
    finding_date: null
    finding_count: null
*/
with

unknown_workloads as (
    select
        coalesce(transfers.from_workload_ref, transfers.to_workload_ref) as workload_ref,
        max(transfers.charge_date) as last_date,
        sum(cast(transfers.bytes as decimal(38, 0))) as bytes
    from core.transfers as transfers
    where
        transfers.is_used
        and transfers.feature is null
        and transfers.owner_id is null
        and coalesce(transfers.from_workload_ref, transfers.to_workload_ref) is not null
    group by coalesce(transfers.from_workload_ref, transfers.to_workload_ref)
),

ranked_workloads as (
    select
        unknown_workloads.*,
        row_number() over (
            order by unknown_workloads.bytes desc, unknown_workloads.workload_ref asc
        ) as workload_rank
    from unknown_workloads
),

nameless_workloads as (
    select
        max(ranked_workloads.last_date) as last_date,
        count(*) as workloads,
        sum(ranked_workloads.bytes) as bytes,
        max(case when ranked_workloads.workload_rank = 1 then ranked_workloads.workload_ref end)
        || coalesce(
            ', ' || max(case when ranked_workloads.workload_rank = 2 then ranked_workloads.workload_ref end),
            ''
        )
        || coalesce(
            ', ' || max(case when ranked_workloads.workload_rank = 3 then ranked_workloads.workload_ref end),
            ''
        )
        || coalesce(
            ', ' || max(case when ranked_workloads.workload_rank = 4 then ranked_workloads.workload_ref end),
            ''
        )
        || coalesce(
            ', ' || max(case when ranked_workloads.workload_rank = 5 then ranked_workloads.workload_ref end),
            ''
        ) as examples
    from ranked_workloads
),

unplaced_bytes as (
    select
        transfers.provider,
        max(transfers.charge_date) as last_date,
        count(*) as flows,
        sum(cast(transfers.bytes as decimal(38, 0))) as bytes
    from core.transfers as transfers
    where
        transfers.is_used
        and transfers.emitter_kind = 'flow_log'
        and transfers.traffic_kind = 'other'
        and transfers.from_workload_ref is not null
        and transfers.to_workload_ref is not null
        and (transfers.from_zone is null or transfers.to_zone is null)
        and transfers.from_workload_ref not like '%:%'
        and transfers.to_workload_ref not like '%:%'
    group by transfers.provider
),

overlapping_transfers as (
    select
        transfers.x_source,
        max(transfers.charge_date) as last_date,
        count(*) as flows,
        sum(cast(transfers.bytes as decimal(38, 0))) as bytes
    from core.transfers as transfers
    where not transfers.is_used
    group by transfers.x_source
)

select
    'transfers' as source,
    'unknown_workloads' as kind,
    'warn' as severity,
    case
        when nameless_workloads.bytes >= 1000000000
            then cast(idiv(nameless_workloads.bytes, cast(1000000000 as decimal(38, 0))) as varchar) || ' GB'
        else cast(cast(nameless_workloads.bytes as decimal(38, 0)) as varchar) || ' bytes'
    end
    || ' of senders that no inventory knows, the largest: ' || nameless_workloads.examples
    || '. Their cost stands under unknown_workload; name them in a workload_files source, or list them by '
    || 'an inventory.' as message,
    nameless_workloads.last_date as finding_date,
    cast(nameless_workloads.workloads as bigint) as finding_count
from nameless_workloads
where nameless_workloads.workloads > 0
union all
select
    'transfers' as source,
    'unknown_zone' as kind,
    'info' as severity,
    case
        when unplaced_bytes.bytes >= 1000000000
            then cast(idiv(unplaced_bytes.bytes, cast(1000000000 as decimal(38, 0))) as varchar) || ' GB'
        else cast(cast(unplaced_bytes.bytes as decimal(38, 0)) as varchar) || ' bytes'
    end || ' within '
    || unplaced_bytes.provider || ' where the zone of an end is not known: they split no line between zones; '
    || 'record flows of both ends with their zone, or list the addresses by an inventory.' as message,
    unplaced_bytes.last_date as finding_date,
    cast(unplaced_bytes.flows as bigint) as finding_count
from unplaced_bytes
union all
select
    coalesce(overlapping_transfers.x_source, 'transfers') as source,
    'overlapping_transfers' as kind,
    'info' as severity,
    cast(cast(overlapping_transfers.bytes as decimal(38, 0)) as varchar)
    || ' bytes between zones that a source ranked higher reports too: these rows do not count; see is_used '
    || 'in core.transfers.' as message,
    overlapping_transfers.last_date as finding_date,
    cast(overlapping_transfers.flows as bigint) as finding_count
from overlapping_transfers
