/*
description: >
    What each snapshot of a bill said, per source, billing account, period, service and cost driver, and what changed
    against the snapshot before it, by cause. Every line counts under exactly one cause, so the rows of a snapshot add
    up to what the bill said, and their changes to the difference of two snapshots.
materialized: view
columns:
    source: null
    billing_account_id: null
    billing_period_start: null
    service_name: null
    cost_driver: null
    snapshot_id: null
    delivered_at: null
    previous_snapshot_id: null
    previous_delivered_at: null
    cause: null
    previous_billed_cost: null
    billed_cost: null
    change_billed_cost: null
    previous_effective_cost: null
    effective_cost: null
    change_effective_cost: null
    increase_billed_cost: null
    previous_lines: null
    lines: null
    billing_currency: null
checks:
    - name: causes_add_up_to_the_difference
      severity: fail
      description: >
          What a delivery changed, over all causes, is what the bill says now less what the delivery before it said.
      sql: >
        with totals as (
            select source, billing_account_id, billing_period_start, snapshot_id, delivered_at,
                previous_snapshot_id, previous_delivered_at, coalesce(billing_currency, '') as billing_currency,
                coalesce(sum(billed_cost), 0) as billed, coalesce(sum(effective_cost), 0) as effective,
                coalesce(sum(change_billed_cost), 0) as billed_change,
                coalesce(sum(change_effective_cost), 0) as effective_change
            from marts.restatements
            group by source, billing_account_id, billing_period_start, snapshot_id, delivered_at,
                previous_snapshot_id, previous_delivered_at, coalesce(billing_currency, '')
        ),
        told as (
            select source, billing_account_id, billing_period_start, snapshot_id, delivered_at
            from totals
            group by source, billing_account_id, billing_period_start, snapshot_id, delivered_at
        )
        select t.source, t.billing_account_id, t.billing_period_start, t.delivered_at, t.billing_currency,
            t.billed, b.billed as billed_before, t.billed_change
        from totals as t
        inner join told
            on t.source = told.source
            and t.billing_account_id is not distinct from told.billing_account_id
            and t.billing_period_start = told.billing_period_start
            and t.previous_snapshot_id = told.snapshot_id
            and t.previous_delivered_at = told.delivered_at
        left join totals as b
            on t.source = b.source
            and t.billing_account_id is not distinct from b.billing_account_id
            and t.billing_period_start = b.billing_period_start
            and t.previous_snapshot_id = b.snapshot_id
            and t.previous_delivered_at = b.delivered_at
            and t.billing_currency = b.billing_currency
        where t.billed_change <> t.billed - coalesce(b.billed, 0)
            or t.effective_change <> t.effective - coalesce(b.effective, 0)
*/
with

restated as (select * from core.restatements)

select
    restated.source,
    restated.billing_account_id,
    restated.billing_period_start,
    restated.service_name,
    restated.cost_driver,
    restated.snapshot_id,
    restated.delivered_at,
    restated.previous_snapshot_id,
    restated.previous_delivered_at,
    restated.cause,
    restated.previous_billed_cost,
    restated.billed_cost,
    cast(restated.billed_cost - restated.previous_billed_cost as decimal(38, 12)) as change_billed_cost,
    restated.previous_effective_cost,
    restated.effective_cost,
    cast(
        restated.effective_cost - restated.previous_effective_cost as decimal(38, 12)
    ) as change_effective_cost,
    restated.increase_billed_cost,
    restated.previous_lines,
    restated.lines,
    restated.billing_currency
from restated
