/*
description: >
    An invoice as its issuer totals it. Parts of an invoice add up; a part that several files state counts once, as the
    one updated last says.
grain: [invoice_issuer_name, invoice_id, billing_currency]
materialized: view
columns:
    invoice_issuer_name: null
    invoice_id: null
    billing_currency: null
    billing_account_id: null
    billing_period_start: null
    invoice_total: null
    is_tax_included: null
    invoice_issued_at: null
*/
with

source as (select * from lake.invoices),

stated as (
    select
        source.*,
        coalesce(
            source.invoice_last_updated_at, source.invoice_issued_at, cast('0001-01-01' as timestamp)
        ) as stated_at
    from source
),

files as (
    select
        stated.invoice_issuer_name,
        stated.invoice_id,
        stated.billing_currency,
        coalesce(stated.invoice_detail_id, '') as invoice_part,
        stated.x_snapshot_id,
        max(stated.stated_at) as stated_at
    from stated
    group by
        stated.invoice_issuer_name,
        stated.invoice_id,
        stated.billing_currency,
        coalesce(stated.invoice_detail_id, ''),
        stated.x_snapshot_id
),

ranked as (
    select
        files.*,
        row_number() over (
            partition by
                files.invoice_issuer_name, files.invoice_id, files.billing_currency, files.invoice_part
            order by files.stated_at desc, files.x_snapshot_id desc
        ) as newest_position
    from files
)

select
    stated.invoice_issuer_name,
    stated.invoice_id,
    stated.billing_currency,
    min(stated.billing_account_id) as billing_account_id,
    min(stated.billing_period_start) as billing_period_start,
    cast(sum(stated.invoice_total) as decimal(38, 12)) as invoice_total,
    coalesce(min(case when stated.is_tax_included then 1 else 0 end), 1) = 1 as is_tax_included,
    max(stated.invoice_issued_at) as invoice_issued_at
from stated
inner join ranked
    on stated.invoice_issuer_name = ranked.invoice_issuer_name
    and stated.invoice_id = ranked.invoice_id
    and stated.billing_currency = ranked.billing_currency
    and coalesce(stated.invoice_detail_id, '') = ranked.invoice_part
    and stated.x_snapshot_id = ranked.x_snapshot_id
where ranked.newest_position = 1
group by stated.invoice_issuer_name, stated.invoice_id, stated.billing_currency
