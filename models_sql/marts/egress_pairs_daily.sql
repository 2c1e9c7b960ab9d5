/*
description: >
    Traffic from zone to zone per day: bytes, round trips, the shortest round trip seen, and what it cost. Bytes are those
    of the one source that counts for a pair, also where no bill charges for them; cost is that of all bill lines of the
    pair, the In and the Out line both. Traffic whose zones nobody states stands with null zones. The provider is named as
    bills name it: what flow logs call gcp is google.
materialized: table
partition_by: {column: charge_date, unit: day}
order_by: [charge_date, provider, traffic_kind, from_zone, to_zone]
columns:
    charge_date: null
    provider: null
    traffic_kind: null
    from_zone: null
    to_zone: null
    bytes: null
    billed_cost_reporting: null
    effective_cost_reporting: null
    estimated_cost: in the reporting currency; within effective_cost_reporting
    unattributed_cost: in the reporting currency; the part of effective_cost_reporting that has a residual_reason
    cost_per_gb: effective cost of 10^9 bytes, in the reporting currency
    round_trips_count: null
    min_round_trip_seconds: null
    reporting_currency: null
checks:
    - name: pairs_keep_the_mart
      severity: fail
      by: partition
      description: The pairs sum to the egress of cost_daily, per day, tax left out.
      sql: >
        select coalesce(d.charge_date, m.charge_date) as charge_date, d.total, m.total as pair_total
        from (select charge_date, sum(effective_cost_reporting) as total from marts.cost_daily
              where cost_driver = 'egress' and coalesce(charge_category, '') <> 'Tax' group by charge_date) as d
        full join (select charge_date, sum(effective_cost_reporting) as total
              from marts.egress_pairs_daily group by charge_date) as m
          on d.charge_date = m.charge_date
        where coalesce(d.total, 0) <> coalesce(m.total, 0)
*/
with

costs as (
    select *
    from marts.cost_daily
    where charge_date >= $start and charge_date < $end
        and cost_driver = 'egress'
        and coalesce(charge_category, '') <> 'Tax'
),

transfers as (
    select *
    from core.transfers
    where charge_date >= $start and charge_date < $end
        and is_used
),

pairs as (
    select
        costs.charge_date,
        costs.provider,
        costs.traffic_kind,
        costs.from_zone,
        costs.to_zone,
        cast(0 as bigint) as bytes,
        costs.billed_cost_reporting,
        costs.effective_cost_reporting,
        case when costs.cost_state = 'estimated' then costs.effective_cost_reporting else 0 end
            as estimated_cost,
        case when costs.residual_reason is not null then costs.effective_cost_reporting else 0 end
            as unattributed_cost,
        cast(null as bigint) as round_trips_count,
        cast(null as decimal(18, 6)) as min_round_trip_seconds
    from costs
    union all
    select
        transfers.charge_date,
        case when transfers.provider = 'gcp' then 'google' else transfers.provider end as provider,
        transfers.traffic_kind,
        transfers.from_zone,
        transfers.to_zone,
        transfers.bytes,
        cast(null as decimal(38, 12)) as billed_cost_reporting,
        cast(null as decimal(38, 12)) as effective_cost_reporting,
        cast(0 as decimal(38, 12)) as estimated_cost,
        cast(0 as decimal(38, 12)) as unattributed_cost,
        transfers.round_trips_count,
        transfers.min_round_trip_seconds
    from transfers
),

summed as (
    select
        pairs.charge_date,
        pairs.provider,
        pairs.traffic_kind,
        pairs.from_zone,
        pairs.to_zone,
        sum(pairs.bytes) as bytes,
        sum(pairs.billed_cost_reporting) as billed_cost_reporting,
        sum(pairs.effective_cost_reporting) as effective_cost_reporting,
        sum(pairs.estimated_cost) as estimated_cost,
        sum(pairs.unattributed_cost) as unattributed_cost,
        sum(pairs.round_trips_count) as round_trips_count,
        min(pairs.min_round_trip_seconds) as min_round_trip_seconds
    from pairs
    group by pairs.charge_date, pairs.provider, pairs.traffic_kind, pairs.from_zone, pairs.to_zone
)

select
    summed.charge_date,
    summed.provider,
    summed.traffic_kind,
    summed.from_zone,
    summed.to_zone,
    cast(summed.bytes as bigint) as bytes,
    cast(summed.billed_cost_reporting as decimal(38, 12)) as billed_cost_reporting,
    cast(summed.effective_cost_reporting as decimal(38, 12)) as effective_cost_reporting,
    cast(summed.estimated_cost as decimal(38, 12)) as estimated_cost,
    cast(summed.unattributed_cost as decimal(38, 12)) as unattributed_cost,
    case
        when summed.bytes > 0
            then cast(
                cast(
                    idiv(
                        cast(
                            cast(summed.effective_cost_reporting as decimal(24, 12))
                            * cast(1000000000000 as decimal(13, 0)) as decimal(22, 0)
                        ) * cast(1000000000 as decimal(10, 0)),
                        summed.bytes
                    ) as decimal(24, 0)
                ) * cast(0.000000000001 as decimal(13, 12)) as decimal(38, 12)
            )
    end as cost_per_gb,
    cast(summed.round_trips_count as bigint) as round_trips_count,
    summed.min_round_trip_seconds,
    cast($reporting_currency as varchar) as reporting_currency
from summed
