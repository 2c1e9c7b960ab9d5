/*
description: >
    Cells whose cost follows other cost: tax, credits and adjustments, and what a shared-cost rule takes. Days without any
    have no partition, so that nothing is done for them.
grain: [charge_date, cell_id]
materialized: table
partition_by: {column: charge_date, unit: day}
columns:
    charge_date: null
    cell_id: null
    follows: null
    shared_cost_rule_id: null
    bill_of_record: null
    provider: null
    billing_account_id: null
    sub_account_id: null
    billing_currency: null
    billing_period_start: null
    invoice_issuer_name: null
    invoice_id: null
    service_name: null
    sku_id: null
    resource_id: null
    direct_owner_id: null
    is_owned: null
*/
with

cells as (
    select *
    from core.cells
    where charge_date >= $start and charge_date < $end
        and follows is not null
)

select
    cells.charge_date,
    cells.cell_id,
    cells.follows,
    cells.shared_cost_rule_id,
    cells.bill_of_record,
    cells.provider,
    cells.billing_account_id,
    cells.sub_account_id,
    cells.billing_currency,
    cells.billing_period_start,
    cells.invoice_issuer_name,
    cells.invoice_id,
    cells.service_name,
    coalesce(cells.sku_id, cells.sku_meter) as sku_id,
    cells.resource_id,
    cells.direct_owner_id,
    cells.residual_reason is null as is_owned
from cells
