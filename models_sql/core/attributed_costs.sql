/*
description: >
    The fact: every cell's cost split exactly over who caused it, directly (core.direct_costs) or by the other cost that it
    follows (core.shared_costs, core.tax_costs). What nobody caused, or nobody can name, is a row with its reason. Sums to the
    bill to the last digit.
grain: [charge_date, cell_id, row_id]
materialized: view
partition_by: {column: charge_date, unit: day}
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
checks:
    - name: cell_equals_its_fact_rows
      severity: fail
      by: partition
      description: The rows of a cell sum to the cell, in every measure, to the last digit.
      sql: >
        select c.cell_id, c.charge_date, c.effective_cost, f.effective_cost as fact_cost
        from core.cells as c
        left join (
            select charge_date, cell_id, sum(billed_cost) as billed_cost, sum(effective_cost) as effective_cost,
                sum(list_cost) as list_cost, sum(billed_cost_reporting) as billed_cost_reporting,
                sum(effective_cost_reporting) as effective_cost_reporting,
                sum(list_cost_reporting) as list_cost_reporting
            from core.attributed_costs group by charge_date, cell_id
        ) as f on c.charge_date = f.charge_date and c.cell_id = f.cell_id
        where f.cell_id is null
            or c.billed_cost is distinct from f.billed_cost
            or c.effective_cost is distinct from f.effective_cost
            or c.list_cost is distinct from f.list_cost
            or c.billed_cost_reporting is distinct from f.billed_cost_reporting
            or c.effective_cost_reporting is distinct from f.effective_cost_reporting
            or c.list_cost_reporting is distinct from f.list_cost_reporting
*/
with

direct as (select * from core.direct_costs),

shared as (select * from core.shared_costs),

taxes as (select * from core.tax_costs)

select
    direct.charge_date,
    direct.cell_id,
    direct.row_id,
    direct.owner_id,
    direct.from_zone,
    direct.to_zone,
    direct.residual_reason,
    direct.billed_cost,
    direct.effective_cost,
    direct.list_cost,
    direct.billing_currency,
    direct.billed_cost_reporting,
    direct.effective_cost_reporting,
    direct.list_cost_reporting,
    direct.fx_date,
    direct.requests,
    direct.input_tokens,
    direct.output_tokens,
    direct.bytes,
    direct.method_id,
    direct.evidence,
    direct.cost_state
from direct
union all
select
    shared.charge_date,
    shared.cell_id,
    shared.row_id,
    shared.owner_id,
    shared.from_zone,
    shared.to_zone,
    shared.residual_reason,
    shared.billed_cost,
    shared.effective_cost,
    shared.list_cost,
    shared.billing_currency,
    shared.billed_cost_reporting,
    shared.effective_cost_reporting,
    shared.list_cost_reporting,
    shared.fx_date,
    shared.requests,
    shared.input_tokens,
    shared.output_tokens,
    shared.bytes,
    shared.method_id,
    shared.evidence,
    shared.cost_state
from shared
union all
select
    taxes.charge_date,
    taxes.cell_id,
    taxes.row_id,
    taxes.owner_id,
    taxes.from_zone,
    taxes.to_zone,
    taxes.residual_reason,
    taxes.billed_cost,
    taxes.effective_cost,
    taxes.list_cost,
    taxes.billing_currency,
    taxes.billed_cost_reporting,
    taxes.effective_cost_reporting,
    taxes.list_cost_reporting,
    taxes.fx_date,
    taxes.requests,
    taxes.input_tokens,
    taxes.output_tokens,
    taxes.bytes,
    taxes.method_id,
    taxes.evidence,
    taxes.cost_state
from taxes
