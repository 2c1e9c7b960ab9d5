/*
description: >
    What an address, pod, log group or resource id belongs to, and when. A statement holds until the next one about the
    same thing begins, so that nothing belongs to two at once.
materialized: view
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
    valid_to: as stated, or earlier where a newer statement begins
checks:
    - name: workload_is_stated_once
      severity: warn
      description: Of two statements about one thing that begin at the same moment only the last in name order counts.
      sql: >
        select workload_ref, valid_from, count(*) as statements
        from (
          select workload_ref, valid_from, service, feature, endpoint, team, environment, zone
          from lake.workloads
          group by workload_ref, valid_from, service, feature, endpoint, team, environment, zone
        ) as said
        group by workload_ref, valid_from
        having count(*) > 1
*/
with

source as (
    select
        workloads.*,
        lead(coalesce(workloads.valid_from, cast('1970-01-01' as timestamp))) over (
            partition by workloads.workload_ref
            order by
                coalesce(workloads.valid_from, cast('1970-01-01' as timestamp)),
                coalesce(workloads.feature, chr(30)),
                coalesce(workloads.endpoint, chr(30)),
                coalesce(workloads.team, chr(30)),
                coalesce(workloads.environment, chr(30)),
                coalesce(workloads.service, chr(30)),
                coalesce(workloads.ref_kind, chr(30)),
                coalesce(workloads.zone, chr(30)),
                coalesce(workloads.x_source, chr(30)),
                coalesce(workloads.x_snapshot_id, chr(30))
        ) as next_valid_from
    from lake.workloads as workloads
)

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
    source.valid_from,
    case
        when source.valid_to is null then source.next_valid_from
        when source.next_valid_from is null then source.valid_to
        else least(source.valid_to, source.next_valid_from)
    end as valid_to
from source
