/*
description: >
    Why a bill differs from what the logs are worth, per day, provider, billing account, model and token class, by cause
    (see core.reconciled_usage and docs/reconciliation.md); and bill lines against invoices, one row an invoice (see
    core.reconciled_invoices). An invoice is of a period, so its row has no charge_date.
materialized: view
columns:
    charge_date: null
    provider: null
    billing_account_id: null
    model: null
    token_class: null
    billed_quantity: null
    provider_quantity: null
    logged_quantity: null
    billed_cost: null
    priced_cost: null
    cause: null
    observable: null
    difference_cost: null
    difference_cost_absolute: null
    difference_quantity: null
    included_cost: null
    coverage_share: null
    currency: null
    cost_state: null
    invoice_issuer_name: null
    invoice_id: null
    billing_period_start: null
    invoice_total: null
    lines: null
*/
with

usage as (select * from core.reconciled_usage),

invoices as (select * from core.reconciled_invoices)

select
    usage.charge_date,
    usage.provider,
    usage.billing_account_id,
    usage.model,
    usage.token_class,
    usage.billed_quantity,
    usage.provider_quantity,
    usage.logged_quantity,
    usage.billed_cost,
    usage.priced_cost,
    usage.cause,
    usage.observable,
    usage.difference_cost,
    usage.difference_cost_absolute,
    usage.difference_quantity,
    usage.included_cost,
    usage.coverage_share,
    usage.currency,
    usage.cost_state,
    cast(null as varchar) as invoice_issuer_name,
    cast(null as varchar) as invoice_id,
    cast(null as timestamp) as billing_period_start,
    cast(null as decimal(38, 12)) as invoice_total,
    cast(null as bigint) as lines
from usage
union all
select
    cast(null as date) as charge_date,
    invoices.provider,
    invoices.billing_account_id,
    cast(null as varchar) as model,
    cast(null as varchar) as token_class,
    cast(null as decimal(38, 12)) as billed_quantity,
    cast(null as decimal(38, 12)) as provider_quantity,
    cast(null as decimal(38, 12)) as logged_quantity,
    invoices.billed_cost,
    cast(null as decimal(38, 12)) as priced_cost,
    invoices.cause,
    'invoice' as observable,
    invoices.difference_cost,
    cast(abs(invoices.difference_cost) as decimal(38, 12)) as difference_cost_absolute,
    cast(null as decimal(38, 12)) as difference_quantity,
    cast(null as decimal(38, 12)) as included_cost,
    cast(null as decimal(18, 12)) as coverage_share,
    invoices.billing_currency as currency,
    cast(null as varchar) as cost_state,
    invoices.invoice_issuer_name,
    invoices.invoice_id,
    invoices.billing_period_start,
    invoices.invoice_total,
    invoices.lines
from invoices
