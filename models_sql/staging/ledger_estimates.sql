/*
description: >
    What every published run showed of days that were not billed whole yet.
materialized: view
columns:
    run_id: null
    nowcast_made_at: null
    charge_date: null
    age_days: null
    bill_of_record: null
    provider: null
    cost_driver: null
    model: null
    billing_currency: null
    estimated_effective_cost: null
    billed_effective_cost: null
    effective_per_list_ppm: null
*/
with

source as (select * from lake.ledger_estimates)

select
    source.run_id,
    source.nowcast_made_at,
    source.charge_date,
    source.age_days,
    source.bill_of_record,
    source.provider,
    source.cost_driver,
    source.model,
    source.billing_currency,
    source.estimated_effective_cost,
    source.billed_effective_cost,
    source.effective_per_list_ppm
from source
