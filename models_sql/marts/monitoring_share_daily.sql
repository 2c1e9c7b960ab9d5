/*
description: >
    What watching costs beside what it watches, per day, provider and feature: monitoring against inference, effective cost
    in the reporting currency, without tax, and the volume behind it. Above 1 a feature costs more to watch than to run.
materialized: table
partition_by: {column: charge_date, unit: day}
order_by: [charge_date, provider, feature]
columns:
    charge_date: null
    provider: of the bill that has the cost; sum over providers where one watches what another runs
    feature: null
    monitoring_cost: null
    inference_cost: null
    monitoring_share: monitoring over inference; null where there is no inference
    estimated_cost: null
    bytes: of logs, metrics and traces
    requests: null
    reporting_currency: null
checks:
    - name: drivers_keep_the_mart
      severity: fail
      by: partition
      description: Monitoring and inference sum to the same of cost_daily, per day.
      sql: >
        select coalesce(d.charge_date, m.charge_date) as charge_date, d.total, m.total as share_total
        from (select charge_date, sum(effective_cost_reporting) as total from marts.cost_daily
              where cost_driver in ('monitoring', 'inference') and coalesce(charge_category, '') <> 'Tax'
              group by charge_date) as d
        full join (select charge_date, sum(monitoring_cost) + sum(inference_cost) as total
              from marts.monitoring_share_daily group by charge_date) as m
          on d.charge_date = m.charge_date
        where coalesce(d.total, 0) <> coalesce(m.total, 0)
*/
with

costs as (
    select *
    from marts.cost_daily
    where charge_date >= $start and charge_date < $end
        and cost_driver in ('monitoring', 'inference')
        and coalesce(charge_category, '') <> 'Tax'
),

days as (
    select
        costs.charge_date,
        costs.provider,
        costs.feature,
        costs.reporting_currency,
        sum(
            case
                when costs.cost_driver = 'monitoring' then coalesce(costs.effective_cost_reporting, 0)
                else 0
            end
        ) as monitoring_cost,
        sum(
            case
                when costs.cost_driver = 'inference' then coalesce(costs.effective_cost_reporting, 0)
                else 0
            end
        ) as inference_cost,
        sum(
            case
                when costs.cost_state = 'estimated' then coalesce(costs.effective_cost_reporting, 0)
                else 0
            end
        ) as estimated_cost,
        sum(case when costs.cost_driver = 'monitoring' then costs.bytes else 0 end) as bytes,
        sum(case when costs.cost_driver = 'inference' then costs.requests else 0 end) as requests
    from costs
    group by costs.charge_date, costs.provider, costs.feature, costs.reporting_currency
),

measured as (
    select
        days.*,
        cast(
            cast(days.monitoring_cost as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as monitoring_units,
        cast(
            cast(days.inference_cost as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as inference_units
    from days
)

select
    measured.charge_date,
    measured.provider,
    measured.feature,
    cast(measured.monitoring_cost as decimal(38, 12)) as monitoring_cost,
    cast(measured.inference_cost as decimal(38, 12)) as inference_cost,
    case
        when measured.inference_units > 0 and measured.monitoring_units >= 0
            then cast(
                cast(
                    least(
                        cast(
                            idiv(
                                measured.monitoring_units * cast(1000000000000 as decimal(13, 0)),
                                measured.inference_units
                            ) as decimal(38, 0)
                        ),
                        cast(999999999999999999 as decimal(38, 0))
                    ) as decimal(24, 0)
                ) * cast(0.000000000001 as decimal(13, 12)) as decimal(18, 12)
            )
    end as monitoring_share,
    cast(measured.estimated_cost as decimal(38, 12)) as estimated_cost,
    cast(measured.bytes as bigint) as bytes,
    cast(measured.requests as bigint) as requests,
    measured.reporting_currency
from measured
