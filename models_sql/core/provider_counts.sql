/*
description: >
    What providers counted of a day, under the names of the price book: tokens by class and tier, and requests by tier.
    A model that nothing matches keeps the provider's name.
materialized: table
partition_by: {column: charge_date, unit: day}
order_by: [charge_date, provider, billing_account_id, sub_account_id, region_id, model, usage_kind, token_class,
    service_tier, context_band]
columns:
    charge_date: null
    provider: null
    billing_account_id: null
    sub_account_id: null where the provider was not asked to tell accounts apart
    region_id: null
    model: null
    usage_kind: tokens, requests or web_searches
    token_class: null
    service_tier: null where the provider was not asked to tell tiers apart
    context_band: null
    quantity: null
    is_final: all of it is final
*/
with

source as (
    select *
    from staging.provider_usage
    where bucket_start >= cast($start as timestamp)
        and bucket_start < cast($end as timestamp)
        and usage_kind in ('tokens', 'requests', 'web_searches')
),

names as (
    select *
    from core.model_names
    where charge_date >= $start and charge_date < $end
),

counted as (
    select
        cast(source.bucket_start as date) as charge_date,
        coalesce(names.provider, source.provider) as provider,
        source.billing_account_id,
        source.sub_account_id,
        source.region_id,
        source.context_band,
        coalesce(names.model, lower(source.model)) as model,
        source.usage_kind,
        source.token_class,
        source.service_tier,
        source.quantity,
        case when coalesce(source.is_final, false) then 1 else 0 end as is_final
    from source
    left join names
        on cast(source.bucket_start as date) = names.charge_date
        and source.provider = names.logged_provider
        and coalesce(source.model, chr(30)) = coalesce(names.logged_model, chr(30))
)

select
    counted.charge_date,
    counted.provider,
    counted.billing_account_id,
    counted.sub_account_id,
    counted.region_id,
    counted.model,
    counted.usage_kind,
    counted.token_class,
    counted.service_tier,
    counted.context_band,
    cast(sum(counted.quantity) as decimal(38, 12)) as quantity,
    min(counted.is_final) = 1 as is_final
from counted
group by
    counted.charge_date,
    counted.provider,
    counted.billing_account_id,
    counted.sub_account_id,
    counted.region_id,
    counted.model,
    counted.usage_kind,
    counted.token_class,
    counted.service_tier,
    counted.context_band
