/*
description: >
    Each bill line's day split by its cell's fact weights: sums to the charge to the last digit. Estimated rows have no
    charge and are not here.
grain: [charge_id, cell_id, row_id]
materialized: view
partition_by: {column: charge_date, unit: day}
columns:
    charge_date: null
    charge_id: null
    cell_id: null
    row_id: null
    owner_id: null
    from_zone: null
    to_zone: null
    residual_reason: null
    billed_cost: null
    effective_cost: null
    list_cost: null
    billing_currency: null
    method_id: null
    evidence: null
    cost_state: null
    before_parts: null
    until_parts: null
checks:
    - name: day_of_a_line_equals_its_rows
      severity: fail
      description: The rows of a line's day sum to it, in every measure, to the last digit.
      sql: >
        select c.charge_id, c.charge_date, c.billed_cost, x.billed_cost as rows_cost
        from core.charge_cells as c
        left join (
            select charge_date, charge_id, cell_id, sum(billed_cost) as billed_cost,
                sum(effective_cost) as effective_cost, sum(list_cost) as list_cost
            from core.charge_owners
            where charge_date >= $start and charge_date < $end
            group by charge_date, charge_id, cell_id
        ) as x on c.charge_date = x.charge_date and c.charge_id = x.charge_id and c.cell_id = x.cell_id
        where c.charge_date >= $start and c.charge_date < $end
            and (
                x.charge_id is null
                or c.billed_cost is distinct from x.billed_cost
                or c.effective_cost is distinct from x.effective_cost
                or c.list_cost is distinct from x.list_cost
            )
*/
with

facts as (select * from core.attributed_costs),

charge_cells as (select * from core.charge_cells),

sized as (
    select
        facts.*,
        cast(
            cast(
                abs(coalesce(facts.effective_cost, 0)) + abs(coalesce(facts.billed_cost, 0))
                + abs(coalesce(facts.list_cost, 0)) as decimal(24, 12)
            ) * cast(1000000000000 as decimal(13, 0)) as decimal(38, 0)
        ) as size_units
    from facts
    where facts.cost_state <> 'estimated'
),

rows_ranked as (
    select
        sized.*,
        cast(
            sum(sized.size_units) over (
                partition by sized.charge_date, sized.cell_id order by sized.row_id
                rows between unbounded preceding and current row
            ) as decimal(38, 0)
        ) as until_units,
        cast(
            sum(sized.size_units) over (partition by sized.charge_date, sized.cell_id) as decimal(38, 0)
        ) as total_units,
        cast(
            row_number() over (partition by sized.charge_date, sized.cell_id order by sized.row_id)
            as decimal(15, 0)
        ) as row_position,
        cast(count(*) over (partition by sized.charge_date, sized.cell_id) as decimal(15, 0)) as row_total
    from sized
),

weights as (
    select
        rows_ranked.*,
        case
            when rows_ranked.total_units = 0
                then cast(
                    idiv(
                        rows_ranked.row_position * cast(100000000000000 as decimal(15, 0)),
                        rows_ranked.row_total
                    ) as decimal(15, 0)
                )
            else
                cast(
                    idiv(
                        rows_ranked.until_units * cast(100000000000000 as decimal(15, 0)),
                        rows_ranked.total_units
                    ) as decimal(15, 0)
                )
        end as until_weight,
        cast(100000000000000 as decimal(15, 0)) as total_weight
    from rows_ranked
),

steps as (
    select
        weights.*,
        coalesce(
            lag(weights.until_weight) over (
                partition by weights.charge_date, weights.cell_id order by weights.row_id
            ),
            0
        ) as before_weight
    from weights
),

units as (
    select
        steps.charge_date,
        charge_cells.charge_id,
        steps.cell_id,
        steps.row_id,
        steps.owner_id,
        steps.from_zone,
        steps.to_zone,
        steps.residual_reason,
        steps.billing_currency,
        steps.method_id,
        steps.evidence,
        steps.cost_state,
        steps.until_weight,
        cast(steps.before_weight as decimal(15, 0)) as before_weight,
        steps.total_weight,
        cast(
            cast(charge_cells.billed_cost as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as billed_units,
        cast(
            cast(charge_cells.effective_cost as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as effective_units,
        cast(
            cast(charge_cells.list_cost as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as list_units,
        cast(charge_cells.before_day_weight as decimal(20, 0)) as before_day_weight,
        cast(charge_cells.until_day_weight as decimal(20, 0)) as until_day_weight,
        cast(charge_cells.all_days_weight as decimal(15, 0)) as all_days_weight
    from steps
    inner join charge_cells
        on steps.charge_date = charge_cells.charge_date
        and steps.cell_id = charge_cells.cell_id
)

select
    units.charge_date,
    units.charge_id,
    units.cell_id,
    units.row_id,
    units.owner_id,
    units.from_zone,
    units.to_zone,
    units.residual_reason,
    cast(
        cast(
            idiv(units.billed_units * units.until_weight, units.total_weight)
            - idiv(units.billed_units * units.before_weight, units.total_weight) as decimal(24, 0)
        ) * cast(0.000000000001 as decimal(13, 12)) as decimal(38, 12)
    ) as billed_cost,
    cast(
        cast(
            idiv(units.effective_units * units.until_weight, units.total_weight)
            - idiv(units.effective_units * units.before_weight, units.total_weight) as decimal(24, 0)
        ) * cast(0.000000000001 as decimal(13, 12)) as decimal(38, 12)
    ) as effective_cost,
    cast(
        cast(
            idiv(units.list_units * units.until_weight, units.total_weight)
            - idiv(units.list_units * units.before_weight, units.total_weight) as decimal(24, 0)
        ) * cast(0.000000000001 as decimal(13, 12)) as decimal(38, 12)
    ) as list_cost,
    units.billing_currency,
    units.method_id,
    units.evidence,
    units.cost_state,
    cast(
        idiv(
            10 * (
                units.before_day_weight * units.total_weight
                + (units.until_day_weight - units.before_day_weight) * units.before_weight
            ),
            units.all_days_weight
        ) as bigint
    ) as before_parts,
    cast(
        idiv(
            10 * (
                units.before_day_weight * units.total_weight
                + (units.until_day_weight - units.before_day_weight) * units.until_weight
            ),
            units.all_days_weight
        ) as bigint
    ) as until_parts
from units
