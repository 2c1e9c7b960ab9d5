/*
description: >
    What idle capacity costs, laid on those who used the capacity that day, by what they paid of it: for the view of cost
    that is fully loaded. Only cells with idle time and a user of it are here; the parts sum to the cell's idle_capacity.
grain: [charge_date, cell_id, row_id]
materialized: table
partition_by: {column: charge_date, unit: day}
columns:
    charge_date: null
    cell_id: null
    row_id: of the row of core.attributed_costs that takes the part
    billed_cost: null
    effective_cost: null
    list_cost: null
    billed_cost_reporting: null
    effective_cost_reporting: null
    list_cost_reporting: null
checks:
    - name: idle_is_shared_whole
      severity: fail
      by: partition
      description: The parts of a cell sum to its idle_capacity, in every measure, to the last digit.
      sql: >
        select s.charge_date, s.cell_id, s.effective_cost, f.effective_cost as idle_cost
        from (select charge_date, cell_id, sum(billed_cost) as billed_cost, sum(effective_cost) as effective_cost,
                sum(list_cost) as list_cost, sum(billed_cost_reporting) as billed_cost_reporting,
                sum(effective_cost_reporting) as effective_cost_reporting, sum(list_cost_reporting) as list_cost_reporting
              from core.idle_shares group by charge_date, cell_id) as s
        left join (select charge_date, cell_id, sum(billed_cost) as billed_cost, sum(effective_cost) as effective_cost,
                sum(list_cost) as list_cost, sum(billed_cost_reporting) as billed_cost_reporting,
                sum(effective_cost_reporting) as effective_cost_reporting, sum(list_cost_reporting) as list_cost_reporting
              from core.direct_costs where residual_reason = 'idle_capacity' group by charge_date, cell_id) as f
          on s.charge_date = f.charge_date and s.cell_id = f.cell_id
        where s.billed_cost is distinct from f.billed_cost
            or s.effective_cost is distinct from f.effective_cost
            or s.list_cost is distinct from f.list_cost
            or s.billed_cost_reporting is distinct from f.billed_cost_reporting
            or s.effective_cost_reporting is distinct from f.effective_cost_reporting
            or s.list_cost_reporting is distinct from f.list_cost_reporting
*/
with

facts as (
    select *
    from core.direct_costs
    where charge_date >= $start and charge_date < $end
),

idle as (
    select
        facts.charge_date,
        facts.cell_id,
        cast(
            cast(sum(facts.billed_cost) as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as billed_cost_units,
        cast(
            cast(sum(facts.effective_cost) as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as effective_cost_units,
        cast(
            cast(sum(facts.list_cost) as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as list_cost_units,
        cast(
            cast(sum(facts.billed_cost_reporting) as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as billed_cost_reporting_units,
        cast(
            cast(sum(facts.effective_cost_reporting) as decimal(24, 12))
            * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as effective_cost_reporting_units,
        cast(
            cast(sum(facts.list_cost_reporting) as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as list_cost_reporting_units
    from facts
    where facts.residual_reason = 'idle_capacity'
    group by facts.charge_date, facts.cell_id
),

/* Time that nobody measured is no use; what the server counted and no log holds is. */
takers as (
    select
        facts.charge_date,
        facts.cell_id,
        facts.row_id,
        abs(
            cast(
                cast(facts.effective_cost as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
                as decimal(22, 0)
            )
        ) as weight
    from facts
    inner join idle
        on facts.charge_date = idle.charge_date
        and facts.cell_id = idle.cell_id
    where coalesce(facts.residual_reason, '') not in ('idle_capacity', 'unmeasured_capacity')
),

totals as (
    select
        takers.charge_date,
        takers.cell_id,
        cast(sum(takers.weight) as decimal(38, 0)) as cell_weight,
        cast(count(*) as decimal(15, 0)) as cell_rows
    from takers
    group by takers.charge_date, takers.cell_id
),

scaled as (
    select
        takers.charge_date,
        takers.cell_id,
        takers.row_id,
        cast(
            case
                when totals.cell_weight = 0 then 1
                when totals.cell_weight < 1000000000000000 then takers.weight
                when takers.weight = 0 then 0
                else
                    greatest(
                        1,
                        idiv(
                            cast(takers.weight as decimal(22, 0))
                            * cast(999999999999999 - totals.cell_rows as decimal(15, 0)),
                            totals.cell_weight
                        )
                    )
            end as decimal(15, 0)
        ) as weight
    from takers
    inner join totals
        on takers.charge_date = totals.charge_date
        and takers.cell_id = totals.cell_id
),

cumulated as (
    select
        scaled.charge_date,
        scaled.cell_id,
        scaled.row_id,
        scaled.weight,
        cast(
            sum(scaled.weight) over (
                partition by scaled.charge_date, scaled.cell_id
                order by scaled.row_id
                rows between unbounded preceding and current row
            ) as decimal(15, 0)
        ) as until_weight,
        cast(
            sum(scaled.weight) over (partition by scaled.charge_date, scaled.cell_id) as decimal(15, 0)
        ) as total_weight
    from scaled
),

units as (
    select
        cumulated.*,
        cast(cumulated.until_weight - cumulated.weight as decimal(15, 0)) as before_weight,
        idle.billed_cost_units,
        idle.effective_cost_units,
        idle.list_cost_units,
        idle.billed_cost_reporting_units,
        idle.effective_cost_reporting_units,
        idle.list_cost_reporting_units
    from cumulated
    inner join idle
        on cumulated.charge_date = idle.charge_date
        and cumulated.cell_id = idle.cell_id
),

split as (
    select
        units.charge_date,
        units.cell_id,
        units.row_id,
        idiv(units.billed_cost_units * units.until_weight, units.total_weight)
        - idiv(units.billed_cost_units * units.before_weight, units.total_weight) as billed_cost_part,
        idiv(units.effective_cost_units * units.until_weight, units.total_weight)
        - idiv(units.effective_cost_units * units.before_weight, units.total_weight) as effective_cost_part,
        idiv(units.list_cost_units * units.until_weight, units.total_weight)
        - idiv(units.list_cost_units * units.before_weight, units.total_weight) as list_cost_part,
        idiv(units.billed_cost_reporting_units * units.until_weight, units.total_weight)
        - idiv(units.billed_cost_reporting_units * units.before_weight, units.total_weight)
            as billed_cost_reporting_part,
        idiv(units.effective_cost_reporting_units * units.until_weight, units.total_weight)
        - idiv(units.effective_cost_reporting_units * units.before_weight, units.total_weight)
            as effective_cost_reporting_part,
        idiv(units.list_cost_reporting_units * units.until_weight, units.total_weight)
        - idiv(units.list_cost_reporting_units * units.before_weight, units.total_weight)
            as list_cost_reporting_part
    from units
)

select
    split.charge_date,
    split.cell_id,
    split.row_id,
    cast(
        cast(split.billed_cost_part as decimal(24, 0)) * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as billed_cost,
    cast(
        cast(split.effective_cost_part as decimal(24, 0)) * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as effective_cost,
    cast(
        cast(split.list_cost_part as decimal(24, 0)) * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as list_cost,
    cast(
        cast(split.billed_cost_reporting_part as decimal(24, 0)) * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as billed_cost_reporting,
    cast(
        cast(split.effective_cost_reporting_part as decimal(24, 0)) * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as effective_cost_reporting,
    cast(
        cast(split.list_cost_reporting_part as decimal(24, 0)) * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as list_cost_reporting
from split
