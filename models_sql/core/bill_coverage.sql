/*
description: >
    Until when the days of a billing period are complete, per bill of record and provider: a day before its
    watermark shows what was billed, a later one is estimated.
grain: [billing_period_start, bill_of_record, provider]
materialized: table
partition_by: {column: billing_period_start, unit: month}
columns:
    billing_period_start: null
    bill_of_record: null
    provider: null
    delivered_at: null
    watermark_at: 24 hours before it was delivered or read last
    last_date: the newest day with cost up to the watermark
*/
with

charges as (
    select *
    from core.charges
    where billing_period_start >= cast($start as timestamp)
        and billing_period_start < cast($end as timestamp)
),

deliveries as (select * from staging.bill_deliveries),

bills as (
    select
        charges.billing_period_start,
        charges.bill_of_record,
        charges.provider,
        charges.x_snapshot_id,
        charges.billing_account_id,
        case when charges.billed_cost <> 0 or charges.effective_cost <> 0 then charges.charge_period_start end
            as cost_at
    from charges
    group by
        charges.billing_period_start,
        charges.bill_of_record,
        charges.provider,
        charges.x_snapshot_id,
        charges.billing_account_id,
        case when charges.billed_cost <> 0 or charges.effective_cost <> 0 then charges.charge_period_start end
)

select
    bills.billing_period_start,
    bills.bill_of_record,
    bills.provider,
    max(deliveries.delivered_at) as delivered_at,
    max(deliveries.watermark_at) as watermark_at,
    cast(max(case when bills.cost_at < deliveries.watermark_at then bills.cost_at end) as date) as last_date
from bills
left join deliveries
    on bills.bill_of_record = deliveries.source
    and bills.x_snapshot_id = deliveries.snapshot_id
    and bills.billing_account_id = deliveries.billing_account_id
    and cast(date_trunc('month', bills.billing_period_start) as timestamp) = deliveries.billing_period_start
group by
    bills.billing_period_start,
    bills.bill_of_record,
    bills.provider
