/*
description: >
    What a bill says of the origin of a line of inference beyond its price: the principal that called, and what the line
    cost in the currency that its prices are in. Only lines that say one of them.
grain: [billing_period_start, charge_id]
materialized: table
partition_by: {column: billing_period_start, unit: month}
overlap: {start: spread_start_date, end: spread_end_date}
columns:
    billing_period_start: null
    charge_id: null
    x_principal_id: null
    pricing_currency: null
    pricing_currency_effective_cost: null
    spread_start_date: null
    spread_end_date: null
*/
with

charges as (
    select *
    from core.charges
    where billing_period_start >= cast($start as timestamp)
        and billing_period_start < cast($end as timestamp)
        and cost_driver = 'inference'
        and charge_category = 'Usage'
),

lines as (
    select *
    from staging.charges
    where billing_period_start >= cast($start as timestamp)
        and billing_period_start < cast($end as timestamp)
        and (x_principal_id is not null or pricing_currency <> billing_currency)
)

select
    charges.billing_period_start,
    charges.charge_id,
    lines.x_principal_id,
    lines.pricing_currency,
    cast(lines.pricing_currency_effective_cost as decimal(38, 12)) as pricing_currency_effective_cost,
    charges.spread_start_date,
    charges.spread_end_date
from lines
inner join charges
    on lines.billing_period_start = charges.billing_period_start
    and lines.charge_id = charges.charge_id
