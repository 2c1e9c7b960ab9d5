/*
description: >
    Bill lines against invoices, per issuer, invoice and currency: what the lines add up to, what the invoice says, and
    whether the difference is within the rounding that FOCUS allows, which is the larger of 100 subunits of the currency
    and half a subunit times the square root of the lines. Lines and invoice meet on the invoice id; where no line of a
    bill names an invoice, on issuer, billing account, month and currency, and its invoices add up. Only issuers of whom
    some invoice is known are here.
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

bills as (
    select
        lines.invoice_issuer_name,
        lines.billing_account_id,
        lines.billing_currency,
        cast(date_trunc('month', lines.billing_period_start) as timestamp) as billing_period_start,
        count(lines.invoice_id) as invoices
    from lines
    group by
        lines.invoice_issuer_name,
        lines.billing_account_id,
        lines.billing_currency,
        cast(date_trunc('month', lines.billing_period_start) as timestamp)
),

named as (
    select
        lines.invoice_issuer_name,
        lines.invoice_id,
        lines.billing_currency
    from lines
    where lines.invoice_id is not null
    group by lines.invoice_issuer_name, lines.invoice_id, lines.billing_currency
),

monthly as (
    select
        invoices.invoice_issuer_name,
        invoices.invoice_id,
        invoices.billing_currency
    from invoices
    inner join bills
        on invoices.invoice_issuer_name = bills.invoice_issuer_name
        and invoices.billing_currency = bills.billing_currency
        and cast(date_trunc('month', invoices.billing_period_start) as timestamp) = bills.billing_period_start
        and coalesce(invoices.billing_account_id, bills.billing_account_id, '')
        = coalesce(bills.billing_account_id, '')
    left join named
        on invoices.invoice_issuer_name = named.invoice_issuer_name
        and invoices.invoice_id = named.invoice_id
        and invoices.billing_currency = named.billing_currency
    where bills.invoices = 0 and named.invoice_id is null
    group by invoices.invoice_issuer_name, invoices.invoice_id, invoices.billing_currency
),

placed as (
    select
        invoices.invoice_issuer_name,
        invoices.invoice_id,
        invoices.billing_currency,
        invoices.billing_account_id,
        cast(date_trunc('month', invoices.billing_period_start) as timestamp) as billing_period_start,
        invoices.invoice_total,
        invoices.is_tax_included,
        case
            when monthly.invoice_id is null then 'invoice ' || invoices.invoice_id
            else 'month ' || cast(date_trunc('month', invoices.billing_period_start) as varchar) || ' '
                || coalesce(invoices.billing_account_id, '')
        end as partner,
        monthly.invoice_id is not null as is_monthly
    from invoices
    left join monthly
        on invoices.invoice_issuer_name = monthly.invoice_issuer_name
        and invoices.invoice_id = monthly.invoice_id
        and invoices.billing_currency = monthly.billing_currency
),

stated as (
    select
        placed.invoice_issuer_name,
        placed.billing_currency,
        placed.partner,
        min(placed.invoice_id)
        || case when count(*) > 1 then ' and ' || cast(count(*) - 1 as varchar) || ' more' else '' end
            as invoice_id,
        min(placed.billing_account_id) as billing_account_id,
        min(placed.billing_period_start) as billing_period_start,
        cast(sum(placed.invoice_total) as decimal(38, 12)) as invoice_total,
        min(case when placed.is_tax_included then 1 else 0 end) = 1 as is_tax_included,
        max(case when placed.is_monthly then 1 else 0 end) = 1 as is_monthly
    from placed
    group by placed.invoice_issuer_name, placed.billing_currency, placed.partner
),

addressed as (
    select
        lines.*,
        bills.invoices = 0 as is_monthly,
        case
            when lines.invoice_id is not null then 'invoice ' || lines.invoice_id
            when bills.invoices = 0 and own.partner is not null then own.partner
            when bills.invoices = 0 and common.partner is not null then common.partner
            else 'lines ' || cast(bills.billing_period_start as varchar) || ' '
                || coalesce(lines.billing_account_id, '')
        end as partner
    from lines
    inner join issuers on lines.invoice_issuer_name = issuers.invoice_issuer_name
    left join bills
        on lines.invoice_issuer_name = bills.invoice_issuer_name
        and coalesce(lines.billing_account_id, '') = coalesce(bills.billing_account_id, '')
        and lines.billing_currency = bills.billing_currency
        and cast(date_trunc('month', lines.billing_period_start) as timestamp) = bills.billing_period_start
    left join stated as own
        on own.is_monthly
        and lines.invoice_issuer_name = own.invoice_issuer_name
        and lines.billing_account_id = own.billing_account_id
        and lines.billing_currency = own.billing_currency
        and bills.billing_period_start = own.billing_period_start
    left join stated as common
        on common.is_monthly
        and common.billing_account_id is null
        and lines.invoice_issuer_name = common.invoice_issuer_name
        and lines.billing_currency = common.billing_currency
        and bills.billing_period_start = common.billing_period_start
),

billed as (
    select
        addressed.invoice_issuer_name,
        addressed.billing_currency,
        addressed.partner,
        min(addressed.invoice_id) as invoice_id,
        min(addressed.provider) as provider,
        min(addressed.billing_account_id) as billing_account_id,
        min(addressed.billing_period_start) as billing_period_start,
        cast(sum(addressed.lines) as bigint) as lines,
        cast(sum(addressed.billed_cost) as decimal(38, 12)) as billed_cost,
        cast(sum(addressed.tax_cost) as decimal(38, 12)) as tax_cost,
        max(case when addressed.is_monthly or addressed.cost_state = 'provisional' then 1 else 0 end) = 1
            as is_early
    from addressed
    group by addressed.invoice_issuer_name, addressed.billing_currency, addressed.partner
),

paired as (
    select
        coalesce(stated.invoice_issuer_name, billed.invoice_issuer_name) as invoice_issuer_name,
        coalesce(stated.invoice_id, billed.invoice_id) as invoice_id,
        coalesce(stated.billing_currency, billed.billing_currency) as billing_currency,
        billed.provider,
        coalesce(billed.billing_account_id, stated.billing_account_id) as billing_account_id,
        coalesce(billed.billing_period_start, stated.billing_period_start) as billing_period_start,
        billed.lines,
        case
            when stated.is_tax_included or stated.invoice_id is null then billed.billed_cost
            else cast(billed.billed_cost - billed.tax_cost as decimal(38, 12))
        end as billed_cost,
        stated.invoice_total,
        billed.is_early
    from stated
    full join billed
        on stated.invoice_issuer_name = billed.invoice_issuer_name
        and stated.partner = billed.partner
        and stated.billing_currency = billed.billing_currency
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
        when measured.invoice_total is null and measured.is_early then 'not_invoiced_yet'
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
