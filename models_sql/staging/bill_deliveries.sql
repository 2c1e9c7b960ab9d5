/*
description: >
    The current delivery of each bill scope: which content stands for a billing period and until when its days are complete.
grain: [source, billing_account_id, billing_period_start, snapshot_id]
materialized: view
partition_by: {column: billing_period_start, unit: month}
columns:
    source: null
    billing_account_id: null
    billing_period_start: null
    snapshot_id: null
    delivered_at: null
    watermark_at: null
    period_status: null
*/
with

source as (select * from lake.bill_deliveries)

select
    source.source,
    source.billing_account_id,
    source.billing_period_start,
    source.snapshot_id,
    source.delivered_at,
    source.watermark_at,
    source.period_status
from source
