/*
description: >
    The cells that follow other cost, whole or split exactly over who caused that cost: none so far.
grain: [charge_date, cell_id, row_id]
materialized: table
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
*/
with

cells as (
    select *
    from core.cells
    where charge_date >= $start and charge_date < $end
        and method_id = 'shared_cost'
)

select
    cells.charge_date,
    cells.cell_id,
    md5(
        cells.direct_owner_id || chr(31) || coalesce(cells.from_zone, chr(30))
        || chr(31) || coalesce(cells.to_zone, chr(30))
        || chr(31) || coalesce(cells.residual_reason, chr(30))
    ) as row_id,
    cells.direct_owner_id as owner_id,
    cells.from_zone,
    cells.to_zone,
    cells.residual_reason,
    cells.billed_cost,
    cells.effective_cost,
    cells.list_cost,
    cells.billing_currency,
    cells.billed_cost_reporting,
    cells.effective_cost_reporting,
    cells.list_cost_reporting,
    cells.fx_date,
    cast(0 as bigint) as requests,
    cast(0 as bigint) as input_tokens,
    cast(0 as bigint) as output_tokens,
    cast(0 as bigint) as bytes,
    cells.method_id,
    cells.evidence,
    cells.cost_state
from cells
