/*
description: >
    What an address, pod, log group or resource id belongs to, and when. Of a list of all there is, a thing holds until
    the next list of the same series lacks it; a statement holds until the next one of its source about the same thing
    begins. Where several sources know a thing at the same time, one that names a feature counts first, then the order
    of the sources in the config. So nothing belongs to two at once: among addresses, among pods, and among all else.
materialized: table
order_by: [workload_ref, ref_kind, valid_from]
columns:
    x_source: null
    x_snapshot_id: null
    workload_ref: null
    ref_kind: null
    service: null
    feature: null
    endpoint: null
    team: null
    environment: null
    zone: null
    valid_from: null
    valid_to: as stated, or earlier where a newer statement begins or a list lacks the thing
    next_valid_from: when the next statement about the same thing begins
checks:
    - name: workload_is_stated_once
      severity: warn
      description: Of two statements about one thing that begin at the same moment only the last in name order counts.
      sql: >
        select workload_ref, valid_from, count(*) as statements
        from (
          select x_source, workload_ref, valid_from, service, feature, endpoint, team, environment, zone
          from lake.workloads
          where observed_at is null and (valid_to is null or valid_from is null or valid_to > valid_from)
          group by x_source, workload_ref, valid_from, service, feature, endpoint, team, environment, zone
        ) as said
        group by x_source, workload_ref, valid_from
        having count(*) > 1
*/
with

source as (
    select
        workloads.x_source,
        workloads.x_snapshot_id,
        workloads.workload_ref,
        workloads.ref_kind,
        workloads.service,
        workloads.feature,
        workloads.endpoint,
        workloads.team,
        workloads.environment,
        workloads.zone,
        coalesce(workloads.valid_from, cast('1970-01-01' as timestamp)) as valid_from,
        coalesce(workloads.valid_to, cast('9999-01-01' as timestamp)) as valid_to,
        workloads.observed_at,
        coalesce(workloads.inventory_series, '') as inventory_series,
        case
            when workloads.ref_kind in ('address', 'pod') then workloads.ref_kind
            else 'other'
        end as ref_space,
        coalesce(workloads.x_source, chr(30)) as source_key
    from lake.workloads as workloads
),

source_ranks as (select * from reference.source_ranks),

looks as (
    select
        listed.source_key,
        listed.inventory_series,
        listed.observed_at,
        lag(listed.observed_at) over (
            partition by listed.source_key, listed.inventory_series order by listed.observed_at
        ) as observed_before,
        lead(listed.observed_at) over (
            partition by listed.source_key, listed.inventory_series order by listed.observed_at
        ) as observed_next
    from (
        select
            source.source_key,
            source.inventory_series,
            source.observed_at
        from source
        where source.observed_at is not null
        group by source.source_key, source.inventory_series, source.observed_at
    ) as listed
),

listed as (
    select
        source.x_source,
        min(source.x_snapshot_id) as x_snapshot_id,
        source.workload_ref,
        source.ref_kind,
        source.service,
        source.feature,
        source.endpoint,
        source.team,
        source.environment,
        source.zone,
        source.valid_from,
        source.valid_to,
        source.observed_at,
        source.inventory_series,
        source.ref_space,
        source.source_key
    from source
    where source.observed_at is not null
    group by
        source.x_source,
        source.workload_ref,
        source.ref_kind,
        source.service,
        source.feature,
        source.endpoint,
        source.team,
        source.environment,
        source.zone,
        source.valid_from,
        source.valid_to,
        source.observed_at,
        source.inventory_series,
        source.ref_space,
        source.source_key
),

followed as (
    select
        listed.*,
        looks.observed_before,
        looks.observed_next,
        lag(listed.observed_at) over (
            partition by
                listed.source_key,
                listed.inventory_series,
                listed.workload_ref,
                listed.ref_kind,
                listed.service,
                listed.feature,
                listed.endpoint,
                listed.team,
                listed.environment,
                listed.zone,
                listed.valid_from,
                listed.valid_to
            order by listed.observed_at
        ) as listed_before
    from listed
    inner join looks
        on listed.source_key = looks.source_key
        and listed.inventory_series = looks.inventory_series
        and listed.observed_at = looks.observed_at
),

numbered as (
    select
        followed.*,
        case when followed.listed_before = followed.observed_before then 0 else 1 end as is_first,
        sum(case when followed.listed_before = followed.observed_before then 0 else 1 end) over (
            partition by
                followed.source_key,
                followed.inventory_series,
                followed.workload_ref,
                followed.ref_kind,
                followed.service,
                followed.feature,
                followed.endpoint,
                followed.team,
                followed.environment,
                followed.zone,
                followed.valid_from,
                followed.valid_to
            order by followed.observed_at
            rows between unbounded preceding and current row
        ) as stretch
    from followed
),

stretches as (
    select
        numbered.x_source,
        min(numbered.x_snapshot_id) as x_snapshot_id,
        numbered.workload_ref,
        numbered.ref_kind,
        numbered.service,
        numbered.feature,
        numbered.endpoint,
        numbered.team,
        numbered.environment,
        numbered.zone,
        numbered.valid_from,
        numbered.valid_to,
        numbered.ref_space,
        numbered.source_key,
        min(numbered.observed_at) as first_observed_at,
        min(case when numbered.is_first = 1 then numbered.observed_before end) as observed_before,
        max(coalesce(numbered.observed_next, cast('9999-01-01' as timestamp))) as observed_next
    from numbered
    group by
        numbered.x_source,
        numbered.inventory_series,
        numbered.stretch,
        numbered.workload_ref,
        numbered.ref_kind,
        numbered.service,
        numbered.feature,
        numbered.endpoint,
        numbered.team,
        numbered.environment,
        numbered.zone,
        numbered.valid_from,
        numbered.valid_to,
        numbered.ref_space,
        numbered.source_key
),

statements as (
    select
        source.x_source,
        source.x_snapshot_id,
        source.workload_ref,
        source.ref_kind,
        source.service,
        source.feature,
        source.endpoint,
        source.team,
        source.environment,
        source.zone,
        source.ref_space,
        source.source_key,
        source.valid_from,
        source.valid_to
    from source
    where source.observed_at is null
    union all
    select
        stretches.x_source,
        stretches.x_snapshot_id,
        stretches.workload_ref,
        stretches.ref_kind,
        stretches.service,
        stretches.feature,
        stretches.endpoint,
        stretches.team,
        stretches.environment,
        stretches.zone,
        stretches.ref_space,
        stretches.source_key,
        case
            when stretches.observed_before is null then stretches.valid_from
            when stretches.valid_from > stretches.observed_before then stretches.valid_from
            else stretches.first_observed_at
        end as valid_from,
        least(stretches.valid_to, stretches.observed_next) as valid_to
    from stretches
),

ordered as (
    select
        statements.*,
        lead(statements.valid_from) over (
            partition by statements.source_key, statements.ref_space, statements.workload_ref
            order by
                statements.valid_from asc,
                statements.valid_to desc,
                coalesce(statements.feature, chr(30)) asc,
                coalesce(statements.endpoint, chr(30)) asc,
                coalesce(statements.team, chr(30)) asc,
                coalesce(statements.environment, chr(30)) asc,
                coalesce(statements.service, chr(30)) asc,
                coalesce(statements.ref_kind, chr(30)) asc,
                coalesce(statements.zone, chr(30)) asc,
                coalesce(statements.x_snapshot_id, chr(30)) asc
        ) as superseded_at
    from statements
),

timelines as (
    select
        ordered.x_source,
        ordered.x_snapshot_id,
        ordered.workload_ref,
        ordered.ref_kind,
        ordered.service,
        ordered.feature,
        ordered.endpoint,
        ordered.team,
        ordered.environment,
        ordered.zone,
        ordered.ref_space,
        ordered.source_key,
        ordered.valid_from,
        least(ordered.valid_to, coalesce(ordered.superseded_at, ordered.valid_to)) as valid_to,
        coalesce(source_ranks.source_rank, 1000000) as source_rank,
        min(ordered.source_key) over (partition by ordered.ref_space, ordered.workload_ref) as first_source,
        max(ordered.source_key) over (partition by ordered.ref_space, ordered.workload_ref) as last_source
    from ordered
    left join source_ranks on ordered.x_source = source_ranks.source
),

holding as (
    select timelines.*
    from timelines
    where timelines.valid_from < timelines.valid_to
),

turns as (
    select
        holding.ref_space,
        holding.workload_ref,
        holding.valid_from as turn_at
    from holding
    where holding.first_source <> holding.last_source
    union
    select
        holding.ref_space,
        holding.workload_ref,
        holding.valid_to as turn_at
    from holding
    where holding.first_source <> holding.last_source
),

slices as (
    select
        turns.ref_space,
        turns.workload_ref,
        turns.turn_at as slice_from,
        lead(turns.turn_at) over (
            partition by turns.ref_space, turns.workload_ref order by turns.turn_at
        ) as slice_to
    from turns
),

told as (
    select
        holding.*,
        slices.slice_from,
        slices.slice_to,
        row_number() over (
            partition by slices.ref_space, slices.workload_ref, slices.slice_from
            order by
                case when holding.feature is null then 1 else 0 end,
                holding.source_rank,
                holding.source_key
        ) as turn
    from slices
    inner join holding
        on slices.ref_space = holding.ref_space
        and slices.workload_ref = holding.workload_ref
        and slices.slice_from >= holding.valid_from
        and slices.slice_to <= holding.valid_to
    where slices.slice_to is not null
),

settled as (
    select
        holding.x_source,
        holding.x_snapshot_id,
        holding.workload_ref,
        holding.ref_kind,
        holding.service,
        holding.feature,
        holding.endpoint,
        holding.team,
        holding.environment,
        holding.zone,
        holding.ref_space,
        holding.valid_from,
        holding.valid_to
    from holding
    where holding.first_source = holding.last_source
    union all
    select
        told.x_source,
        told.x_snapshot_id,
        told.workload_ref,
        told.ref_kind,
        told.service,
        told.feature,
        told.endpoint,
        told.team,
        told.environment,
        told.zone,
        told.ref_space,
        told.slice_from as valid_from,
        told.slice_to as valid_to
    from told
    where told.turn = 1
)

select
    settled.x_source,
    settled.x_snapshot_id,
    settled.workload_ref,
    settled.ref_kind,
    settled.service,
    settled.feature,
    settled.endpoint,
    settled.team,
    settled.environment,
    settled.zone,
    nullif(settled.valid_from, cast('1970-01-01' as timestamp)) as valid_from,
    nullif(settled.valid_to, cast('9999-01-01' as timestamp)) as valid_to,
    lead(settled.valid_from) over (
        partition by settled.ref_space, settled.workload_ref order by settled.valid_from
    ) as next_valid_from
from settled
