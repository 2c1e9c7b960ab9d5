/*
description: >
    What a billing period's bill shows of list price so far, per provider, model and token class: the ratio that estimates
    of days not billed yet are made with. Discounts are in it, credits are not.
grain: [billing_period_start, provider, model, token_class]
materialized: table
partition_by: {column: billing_period_start, unit: month}
columns:
    billing_period_start: null
    provider: null
    model: null
    token_class: null
    effective_per_list_ppm: null
*/
with

charges as (
    select *
    from core.charges
    where billing_period_start >= cast($start as timestamp)
        and billing_period_start < cast($end as timestamp)
        and cost_driver = 'inference'
        and charge_category = 'Usage'
        and model is not null
        and token_class is not null
),

summed as (
    select
        charges.billing_period_start,
        charges.provider,
        charges.model,
        charges.token_class,
        cast(
            cast(sum(charges.effective_cost) as decimal(24, 6)) * cast(1000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as effective_units,
        cast(
            cast(sum(charges.list_cost) as decimal(24, 6)) * cast(1000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as list_units
    from charges
    group by charges.billing_period_start, charges.provider, charges.model, charges.token_class
)

select
    summed.billing_period_start,
    summed.provider,
    summed.model,
    summed.token_class,
    cast(idiv(summed.effective_units * cast(1000000 as decimal(7, 0)), summed.list_units) as bigint)
        as effective_per_list_ppm
from summed
where summed.list_units > 0 and summed.effective_units > 0 and summed.effective_units <= 2 * summed.list_units
