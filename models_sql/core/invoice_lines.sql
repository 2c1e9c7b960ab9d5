/*
description: Bill lines summed per billing account, invoice and currency, within each billing period.
order_by: [billing_period_start, bill_of_record, invoice_issuer_name, billing_account_id, invoice_id, billing_currency]
materialized: table
partition_by: {column: billing_period_start, unit: month}
columns:
    billing_period_start: null
    bill_of_record: null
    invoice_issuer_name: null
    invoice_id: null
    billing_currency: null
    provider: null
    billing_account_id: null
    lines: null
    billed_cost: null
    tax_cost: null
    cost_state: provisional while any of the lines is
*/
with

charges as (
    select *
    from core.charges
    where billing_period_start >= cast($start as timestamp)
        and billing_period_start < cast($end as timestamp)
)

select
    charges.billing_period_start,
    charges.bill_of_record,
    charges.invoice_issuer_name,
    charges.invoice_id,
    charges.billing_currency,
    min(charges.provider) as provider,
    charges.billing_account_id,
    cast(count(*) as bigint) as lines,
    cast(sum(charges.billed_cost) as decimal(38, 12)) as billed_cost,
    cast(
        sum(case when charges.charge_category = 'Tax' then charges.billed_cost else 0 end) as decimal(38, 12)
    ) as tax_cost,
    max(charges.cost_state) as cost_state
from charges
group by
    charges.billing_period_start,
    charges.bill_of_record,
    charges.invoice_issuer_name,
    charges.billing_account_id,
    charges.invoice_id,
    charges.billing_currency
