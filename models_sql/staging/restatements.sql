/*
description: >
    What every delivery of a bill said and what it changed against the delivery before it, by cause, as the ledger tells
    it. What is delivered of a bill at one time is one snapshot; of two rows about one the later run's holds: a delivery
    that came late but was made early changes what the next one is compared with.
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

source as (select * from lake.restatements),

ranked as (
    select
        source.*,
        max(source.run_id) over (
            partition by
                source.source,
                source.dataset,
                source.billing_account_id,
                source.billing_period_start,
                source.delivered_at
        ) as newest_run_id
    from source
)

select
    ranked.source,
    ranked.dataset,
    ranked.billing_account_id,
    ranked.billing_period_start,
    ranked.snapshot_id,
    ranked.delivered_at,
    ranked.previous_snapshot_id,
    ranked.previous_delivered_at,
    ranked.service_name,
    ranked.cost_driver,
    ranked.billing_currency,
    ranked.cause,
    ranked.previous_lines,
    ranked.lines,
    ranked.previous_billed_cost,
    ranked.billed_cost,
    ranked.previous_effective_cost,
    ranked.effective_cost,
    ranked.increase_billed_cost
from ranked
where ranked.run_id = ranked.newest_run_id
