/*
description: >
    Bill lines against invoices, per issuer, invoice and currency: what the lines add up to, what the invoice says, and
    whether the difference is within the rounding that FOCUS allows, which is the larger of 100 subunits of the currency
    and half a subunit times the square root of the lines. Only issuers of whom some invoice is known are here.
materialized: view
columns:
    invoice_issuer_name: null
    invoice_id: null
    billing_currency: null
    provider: null
    billing_account_id: null
    billing_period_start: null
    lines: null
    billed_cost: null
    invoice_total: null
    difference_cost: null
    cause: null
*/
with

lines as (select * from core.invoice_lines),

invoices as (select * from staging.invoices),

subunits as (select * from reference.currency_subunits),

issuers as (
    select invoices.invoice_issuer_name
    from invoices
    group by invoices.invoice_issuer_name
),

billed as (
    select
        lines.invoice_issuer_name,
        lines.invoice_id,
        lines.billing_currency,
        min(lines.provider) as provider,
        min(lines.billing_account_id) as billing_account_id,
        min(lines.billing_period_start) as billing_period_start,
        cast(sum(lines.lines) as bigint) as lines,
        cast(sum(lines.billed_cost) as decimal(38, 12)) as billed_cost,
        cast(sum(lines.tax_cost) as decimal(38, 12)) as tax_cost
    from lines
    inner join issuers on lines.invoice_issuer_name = issuers.invoice_issuer_name
    group by lines.invoice_issuer_name, lines.invoice_id, lines.billing_currency
),

paired as (
    select
        coalesce(invoices.invoice_issuer_name, billed.invoice_issuer_name) as invoice_issuer_name,
        coalesce(invoices.invoice_id, billed.invoice_id) as invoice_id,
        coalesce(invoices.billing_currency, billed.billing_currency) as billing_currency,
        billed.provider,
        coalesce(billed.billing_account_id, invoices.billing_account_id) as billing_account_id,
        coalesce(billed.billing_period_start, invoices.billing_period_start) as billing_period_start,
        billed.lines,
        case
            when invoices.is_tax_included or invoices.invoice_id is null then billed.billed_cost
            else cast(billed.billed_cost - billed.tax_cost as decimal(38, 12))
        end as billed_cost,
        invoices.invoice_total
    from invoices
    full join billed
        on invoices.invoice_issuer_name = billed.invoice_issuer_name
        and invoices.invoice_id = billed.invoice_id
        and invoices.billing_currency = billed.billing_currency
),

measured as (
    select
        paired.*,
        cast(
            abs(cast(paired.billed_cost as decimal(24, 12)) - cast(paired.invoice_total as decimal(24, 12)))
            * cast(1000000000000 as decimal(13, 0)) as decimal(38, 0)
        ) as difference_units,
        cast(coalesce(own.subunit_units, usual.subunit_units) as decimal(38, 0)) as subunit_units
    from paired
    left join subunits as own on paired.billing_currency = own.currency
    left join subunits as usual on usual.currency = '*'
)

select
    measured.invoice_issuer_name,
    measured.invoice_id,
    measured.billing_currency,
    measured.provider,
    measured.billing_account_id,
    measured.billing_period_start,
    measured.lines,
    measured.billed_cost,
    measured.invoice_total,
    cast(measured.billed_cost - measured.invoice_total as decimal(38, 12)) as difference_cost,
    case
        when measured.lines is null then 'invoice_without_lines'
        when measured.invoice_total is null then 'lines_without_invoice'
        when measured.difference_units <= 100 * measured.subunit_units then 'invoice_matched'
        when measured.difference_units < cast(1000000000000000000 as decimal(38, 0))
            and cast(measured.difference_units as decimal(19, 0))
            * cast(measured.difference_units as decimal(19, 0))
            <= idiv(
                cast(
                    cast(measured.subunit_units as decimal(19, 0))
                    * cast(measured.subunit_units as decimal(13, 0)) as decimal(26, 0)
                ) * cast(measured.lines as decimal(12, 0)),
                4
            )
            then 'invoice_matched'
        else 'invoice_difference'
    end as cause
from measured
