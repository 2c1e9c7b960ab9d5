/*
description: >
    Training against inference, month by month, per provider, team and feature: effective cost in the reporting currency,
    net of credits and without tax, and what share of both inference has. Sum the costs before you divide them anew.
materialized: table
partition_by: {column: charge_month, unit: month}
order_by: [charge_month, provider, team, feature]
columns:
    charge_month: null
    provider: null
    team: null
    feature: null
    inference_cost: null
    training_cost: null
    total_cost: null
    estimated_cost: null
    inference_share: null
    reporting_currency: null
checks:
    - name: months_keep_the_days
      severity: fail
      by: partition
      description: The months sum to the days, per month, tax left out.
      sql: >
        select coalesce(d.charge_month, m.charge_month) as charge_month, d.total, m.total as month_total
        from (select cast(date_trunc('month', charge_date) as date) as charge_month,
                sum(effective_cost_reporting) as total
              from marts.cost_daily where coalesce(charge_category, '') <> 'Tax' group by 1) as d
        full join (select charge_month, sum(total_cost) as total
              from marts.inference_share_monthly group by charge_month) as m
          on d.charge_month = m.charge_month
        where d.total is distinct from m.total
*/
with

costs as (
    select *
    from marts.cost_daily
    where charge_date >= $start and charge_date < $end
        and coalesce(charge_category, '') <> 'Tax'
),

months as (
    select
        cast(date_trunc('month', costs.charge_date) as date) as charge_month,
        costs.provider,
        costs.team,
        costs.feature,
        costs.reporting_currency,
        sum(case when costs.cost_driver = 'inference' then costs.effective_cost_reporting else 0 end)
            as inference_cost,
        sum(case when costs.cost_driver = 'training' then costs.effective_cost_reporting else 0 end)
            as training_cost,
        sum(costs.effective_cost_reporting) as total_cost,
        sum(case when costs.cost_state = 'estimated' then costs.effective_cost_reporting else 0 end)
            as estimated_cost
    from costs
    group by
        cast(date_trunc('month', costs.charge_date) as date),
        costs.provider,
        costs.team,
        costs.feature,
        costs.reporting_currency
),

measured as (
    select
        months.*,
        cast(
            cast(months.inference_cost as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as inference_units,
        cast(
            cast(months.inference_cost + months.training_cost as decimal(24, 12))
            * cast(1000000000000 as decimal(13, 0)) as decimal(22, 0)
        ) as both_units
    from months
)

select
    measured.charge_month,
    measured.provider,
    measured.team,
    measured.feature,
    cast(measured.inference_cost as decimal(38, 12)) as inference_cost,
    cast(measured.training_cost as decimal(38, 12)) as training_cost,
    cast(measured.total_cost as decimal(38, 12)) as total_cost,
    cast(measured.estimated_cost as decimal(38, 12)) as estimated_cost,
    case
        when measured.inference_units >= 0 and measured.both_units > 0
            and measured.inference_units <= measured.both_units
            then cast(
                cast(
                    idiv(
                        measured.inference_units * cast(1000000000000 as decimal(13, 0)), measured.both_units
                    ) as decimal(24, 0)
                ) * cast(0.000000000001 as decimal(13, 12)) as decimal(18, 12)
            )
    end as inference_share,
    measured.reporting_currency
from measured
