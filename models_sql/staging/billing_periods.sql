/*
description: >
    What an issuer says about a billing period: open or closed. Of several statements the one updated last holds.
materialized: view
columns:
    x_source: null
    x_snapshot_id: null
    invoice_issuer_name: null
    billing_account_id: null
    billing_period_start: null
    billing_period_end: null
    period_status: null
    billing_period_last_updated_at: null
*/
with

source as (select * from lake.billing_periods),

ranked as (
    select
        source.*,
        row_number() over (
            partition by
                source.invoice_issuer_name, source.billing_account_id, source.billing_period_start
            order by
                coalesce(source.billing_period_last_updated_at, cast('0001-01-01' as timestamp)) desc,
                source.x_snapshot_id desc,
                lower(source.billing_period_status)
        ) as newest_position
    from source
)

select
    ranked.x_source,
    ranked.x_snapshot_id,
    ranked.invoice_issuer_name,
    ranked.billing_account_id,
    ranked.billing_period_start,
    ranked.billing_period_end,
    lower(ranked.billing_period_status) as period_status,
    ranked.billing_period_last_updated_at
from ranked
where ranked.newest_position = 1
