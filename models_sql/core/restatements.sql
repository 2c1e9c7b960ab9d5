/*
description: >
    What every delivery of a bill said and what it changed, by cause, passed through for the marts.
materialized: view
columns:
    source: null
    dataset: null
    billing_account_id: null
    billing_period_start: null
    snapshot_id: null
    delivered_at: null
    previous_snapshot_id: null
    previous_delivered_at: null
    service_name: null
    cost_driver: null
    billing_currency: null
    cause: null
    previous_lines: null
    lines: null
    previous_billed_cost: null
    billed_cost: null
    previous_effective_cost: null
    effective_cost: null
    increase_billed_cost: null
*/
with

source as (select * from staging.restatements)

select
    source.source,
    source.dataset,
    source.billing_account_id,
    source.billing_period_start,
    source.snapshot_id,
    source.delivered_at,
    source.previous_snapshot_id,
    source.previous_delivered_at,
    source.service_name,
    source.cost_driver,
    source.billing_currency,
    source.cause,
    source.previous_lines,
    source.lines,
    source.previous_billed_cost,
    source.billed_cost,
    source.previous_effective_cost,
    source.effective_cost,
    source.increase_billed_cost
from source
