/*
description: >
    Tax, split exactly over who has the taxed cost of its invoice (core.tax_weights), in integers of 1e-12 by cumulative
    rounding in key order. Tax of an invoice without such cost stands whole under its reason.
grain: [charge_date, cell_id, row_id]
materialized: table
partition_by: {column: charge_date, unit: day}
reads:
    core.cells: {days_before: 0, days_after: 0}
    core.tax_weights: {days_before: 0, days_after: 0}
columns:
    charge_date: null
    cell_id: null
    row_id: owner, zones and residual reason in one digest
    owner_id: null
    from_zone: null
    to_zone: null
    residual_reason: null
    billed_cost: null
    effective_cost: null
    list_cost: null
    billing_currency: null
    billed_cost_reporting: null
    effective_cost_reporting: null
    list_cost_reporting: null
    fx_date: null
    requests: null
    input_tokens: null
    output_tokens: null
    bytes: null
    method_id: null
    evidence: null
    cost_state: null
*/
with

following as (
    select *
    from core.following_cells
    where charge_date >= $start and charge_date < $end
        and follows = 'invoice'
),

all_cells as (
    select *
    from core.cells
    where charge_date >= $start and charge_date < $end
        and follows = 'invoice'
),

weights as (
    select *
    from core.tax_weights
    where charge_date >= $start and charge_date < $end
),

cells as (
    select all_cells.*
    from all_cells
    inner join following
        on all_cells.charge_date = following.charge_date
        and all_cells.cell_id = following.cell_id
),

split_cells as (
    select distinct
        weights.charge_date,
        weights.cell_id
    from weights
),

owned as (
    select
        weights.charge_date,
        weights.cell_id,
        weights.owner_id,
        cast(null as varchar) as from_zone,
        cast(null as varchar) as to_zone,
        weights.residual_reason,
        weights.method_id,
        'allocated' as evidence,
        weights.cost_weight as weight
    from weights
    union all
    select
        cells.charge_date,
        cells.cell_id,
        cells.direct_owner_id as owner_id,
        cells.from_zone,
        cells.to_zone,
        cells.residual_reason,
        cells.method_id,
        cells.evidence,
        cast(1 as decimal(38, 0)) as weight
    from cells
    left join split_cells
        on cells.charge_date = split_cells.charge_date
        and cells.cell_id = split_cells.cell_id
    where split_cells.cell_id is null
),

totals as (
    select
        owned.charge_date,
        owned.cell_id,
        cast(sum(owned.weight) as decimal(38, 0)) as cell_weight,
        cast(count(*) as decimal(15, 0)) as cell_rows
    from owned
    group by owned.charge_date, owned.cell_id
),

scaled as (
    select
        owned.charge_date,
        owned.cell_id,
        owned.owner_id,
        owned.from_zone,
        owned.to_zone,
        owned.residual_reason,
        owned.method_id,
        owned.evidence,
        cast(
            case
                when coalesce(totals.cell_weight, 0) = 0 then 1
                when totals.cell_weight < 1000000000000000 then coalesce(owned.weight, 0)
                when coalesce(owned.weight, 0) = 0 then 0
                else
                    greatest(
                        1,
                        idiv(
                            cast(owned.weight as decimal(22, 0))
                            * cast(999999999999999 - totals.cell_rows as decimal(15, 0)),
                            totals.cell_weight
                        )
                    )
            end as decimal(15, 0)
        ) as weight
    from owned
    inner join totals
        on owned.charge_date = totals.charge_date
        and owned.cell_id = totals.cell_id
),

keyed as (
    select
        scaled.*,
        md5(
            scaled.owner_id || chr(31) || coalesce(scaled.from_zone, chr(30))
            || chr(31) || coalesce(scaled.to_zone, chr(30))
            || chr(31) || coalesce(scaled.residual_reason, chr(30))
        ) as row_id
    from scaled
),

cumulated as (
    select
        keyed.*,
        cast(
            sum(keyed.weight) over (
                partition by keyed.charge_date, keyed.cell_id
                order by keyed.row_id
                rows between unbounded preceding and current row
            ) as decimal(15, 0)
        ) as until_weight,
        cast(
            sum(keyed.weight) over (partition by keyed.charge_date, keyed.cell_id) as decimal(15, 0)
        ) as total_weight
    from keyed
),

/* Measures that equal another one, as most do, are left out here and taken from it below: dividing is what costs. */
cell_amounts as (
    select
        cells.charge_date,
        cells.cell_id,
        cells.billing_currency,
        cells.fx_date,
        cells.cost_state,
        (cells.effective_cost is not distinct from cells.billed_cost) as is_effective_as_billed,
        (
            cells.billed_cost_reporting is not distinct from cells.billed_cost
            and cells.effective_cost_reporting is not distinct from cells.effective_cost
            and cells.list_cost_reporting is not distinct from cells.list_cost
        ) as is_reporting_as_billing,
        cells.billed_cost,
        cells.effective_cost,
        cells.list_cost,
        cells.billed_cost_reporting,
        cells.effective_cost_reporting,
        cells.list_cost_reporting
    from cells
),

/* Scaled here, a row a cell: rescaling a DECIMAL costs more than all other work on a row of the fact. */
cell_units as (
    select
        cell_amounts.charge_date,
        cell_amounts.cell_id,
        cell_amounts.billing_currency,
        cell_amounts.fx_date,
        cell_amounts.cost_state,
        cell_amounts.is_effective_as_billed,
        cell_amounts.is_reporting_as_billing,
        cast(
            cast(cell_amounts.billed_cost as decimal(24, 12))
            * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as billed_cost_units,
        case
            when not cell_amounts.is_effective_as_billed
                then cast(
                    cast(cell_amounts.effective_cost as decimal(24, 12))
                    * cast(1000000000000 as decimal(13, 0))
                    as decimal(22, 0)
                )
        end as effective_cost_units,
        cast(
            cast(cell_amounts.list_cost as decimal(24, 12))
            * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as list_cost_units,
        case
            when not cell_amounts.is_reporting_as_billing
                then cast(
                    cast(cell_amounts.billed_cost_reporting as decimal(24, 12))
                    * cast(1000000000000 as decimal(13, 0))
                    as decimal(22, 0)
                )
        end as billed_cost_reporting_units,
        case
            when not cell_amounts.is_reporting_as_billing
                then cast(
                    cast(cell_amounts.effective_cost_reporting as decimal(24, 12))
                    * cast(1000000000000 as decimal(13, 0))
                    as decimal(22, 0)
                )
        end as effective_cost_reporting_units,
        case
            when not cell_amounts.is_reporting_as_billing
                then cast(
                    cast(cell_amounts.list_cost_reporting as decimal(24, 12))
                    * cast(1000000000000 as decimal(13, 0))
                    as decimal(22, 0)
                )
        end as list_cost_reporting_units
    from cell_amounts
),

units as (
    select
        cumulated.*,
        cast(cumulated.until_weight - cumulated.weight as decimal(15, 0)) as before_weight,
        cell_units.billing_currency,
        cell_units.fx_date,
        cell_units.cost_state,
        cell_units.is_effective_as_billed,
        cell_units.is_reporting_as_billing,
        cell_units.billed_cost_units,
        cell_units.effective_cost_units,
        cell_units.list_cost_units,
        cell_units.billed_cost_reporting_units,
        cell_units.effective_cost_reporting_units,
        cell_units.list_cost_reporting_units
    from cumulated
    inner join cell_units
        on cumulated.charge_date = cell_units.charge_date
        and cumulated.cell_id = cell_units.cell_id
),

split as (
    select
        units.*,
        idiv(units.billed_cost_units * units.until_weight, units.total_weight)
        - idiv(units.billed_cost_units * units.before_weight, units.total_weight)
            as billed_cost_part,
        idiv(units.effective_cost_units * units.until_weight, units.total_weight)
        - idiv(units.effective_cost_units * units.before_weight, units.total_weight)
            as effective_cost_part,
        idiv(units.list_cost_units * units.until_weight, units.total_weight)
        - idiv(units.list_cost_units * units.before_weight, units.total_weight)
            as list_cost_part,
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
),

measured as (
    select
        split.*,
        case when split.is_effective_as_billed then split.billed_cost_part else split.effective_cost_part end
            as own_effective_cost_part
    from split
),

reported as (
    select
        measured.*,
        case
            when measured.is_reporting_as_billing then measured.billed_cost_part
            else measured.billed_cost_reporting_part
        end as own_billed_cost_reporting_part,
        case
            when measured.is_reporting_as_billing then measured.own_effective_cost_part
            else measured.effective_cost_reporting_part
        end as own_effective_cost_reporting_part,
        case
            when measured.is_reporting_as_billing then measured.list_cost_part
            else measured.list_cost_reporting_part
        end as own_list_cost_reporting_part
    from measured
)

select
    reported.charge_date,
    reported.cell_id,
    reported.row_id,
    reported.owner_id,
    reported.from_zone,
    reported.to_zone,
    reported.residual_reason,
    cast(
        cast(reported.billed_cost_part as decimal(24, 0))
        * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as billed_cost,
    cast(
        cast(reported.own_effective_cost_part as decimal(24, 0))
        * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as effective_cost,
    cast(
        cast(reported.list_cost_part as decimal(24, 0))
        * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as list_cost,
    reported.billing_currency,
    cast(
        cast(reported.own_billed_cost_reporting_part as decimal(24, 0))
        * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as billed_cost_reporting,
    cast(
        cast(reported.own_effective_cost_reporting_part as decimal(24, 0))
        * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as effective_cost_reporting,
    cast(
        cast(reported.own_list_cost_reporting_part as decimal(24, 0))
        * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as list_cost_reporting,
    reported.fx_date,
    cast(0 as bigint) as requests,
    cast(0 as bigint) as input_tokens,
    cast(0 as bigint) as output_tokens,
    cast(0 as bigint) as bytes,
    reported.method_id,
    reported.evidence,
    reported.cost_state
from reported
