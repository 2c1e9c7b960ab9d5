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
    follows: a month too where a credit names a day that has no such cost
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
),

direct_cells as (
    select *
    from core.cells
    where charge_date >= $start and charge_date < $end
        and follows is null
        and cost_state <> 'estimated'
),

/* Credits about a day on which there is cost of what they name; others follow their month. */
found_days as (
    select
        cells.charge_date,
        cells.cell_id
    from cells
    inner join direct_cells
        on cells.charge_date = direct_cells.charge_date
        and cells.bill_of_record = direct_cells.bill_of_record
        and cells.service_name = direct_cells.service_name
        and coalesce(cells.billing_account_id, chr(30)) = coalesce(direct_cells.billing_account_id, chr(30))
        and coalesce(cells.billing_currency, chr(30)) = coalesce(direct_cells.billing_currency, chr(30))
        and (
            cells.residual_reason is not null
            or cells.direct_owner_id = direct_cells.direct_owner_id
        )
    where cells.follows = 'day'
    group by cells.charge_date, cells.cell_id
    having sum(direct_cells.billed_cost) > 0 or sum(direct_cells.effective_cost) > 0
)

select
    cells.charge_date,
    cells.cell_id,
    case
        when cells.follows = 'day' and found_days.cell_id is null then 'month'
        else cells.follows
    end as follows,
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
left join found_days
    on cells.charge_date = found_days.charge_date
    and cells.cell_id = found_days.cell_id
