/*
description: >
    Tokens by API key as the provider counts them and as the logs hold them, of the days and providers of which the
    provider counts by key: what tells calls that bypass the logs from calls that the logs lost. Nothing else of the
    log is read for it. What states no key stands without one.
order_by: [charge_date, provider, billing_account_id, model, token_class, service_tier, api_key_id]
materialized: table
partition_by: {column: charge_date, unit: day}
columns:
    charge_date: null
    provider: null
    billing_account_id: of what is counted; logs do not know it
    model: null
    token_class: null
    service_tier: null
    api_key_id: null
    provider_quantity: null
    logged_quantity: null
*/
with

requests as (
    select *
    from staging.requests
    where started_at >= cast($start as timestamp) and started_at < cast($end as timestamp)
),

counts as (
    select *
    from staging.provider_usage
    where bucket_start >= cast($start as timestamp)
        and bucket_start < cast($end as timestamp)
        and usage_kind = 'tokens'
        and token_class is not null
        and api_key_id is not null
),

names as (
    select *
    from core.model_names
    where charge_date >= $start and charge_date < $end
),

token_classes as (
    select 'uncached_input_tokens' as token_class
    union all
    select 'cache_read_tokens' as token_class
    union all
    select 'cache_write_5m_tokens' as token_class
    union all
    select 'cache_write_1h_tokens' as token_class
    union all
    select 'output_tokens' as token_class
),

counted as (
    select
        names.charge_date,
        names.provider,
        counts.billing_account_id,
        names.model,
        counts.token_class,
        coalesce(counts.service_tier, 'standard') as service_tier,
        counts.api_key_id,
        sum(counts.quantity) as provider_quantity
    from counts
    inner join names
        on cast(counts.bucket_start as date) = names.charge_date
        and counts.provider = names.logged_provider
        and counts.model = names.logged_model
    where names.model is not null
    group by
        names.charge_date,
        names.provider,
        counts.billing_account_id,
        names.model,
        counts.token_class,
        coalesce(counts.service_tier, 'standard'),
        counts.api_key_id
),

keyed_days as (
    select
        counted.charge_date,
        counted.provider
    from counted
    group by counted.charge_date, counted.provider
),

keyed_names as (
    select
        names.charge_date,
        names.logged_provider,
        names.logged_model,
        names.provider,
        names.model
    from names
    inner join keyed_days
        on names.charge_date = keyed_days.charge_date
        and names.provider = keyed_days.provider
    where names.model is not null
),

keyed as (
    select
        keyed_names.charge_date,
        keyed_names.provider,
        keyed_names.model,
        coalesce(requests.service_tier, 'standard') as service_tier,
        requests.api_key_id,
        sum(coalesce(requests.uncached_input_tokens, 0)) as uncached_input_tokens,
        sum(coalesce(requests.cache_read_tokens, 0)) as cache_read_tokens,
        sum(coalesce(requests.cache_write_5m_tokens, 0)) as cache_write_5m_tokens,
        sum(coalesce(requests.cache_write_1h_tokens, 0)) as cache_write_1h_tokens,
        sum(coalesce(requests.output_tokens, 0)) as output_tokens
    from requests
    inner join keyed_names
        on cast(requests.started_at as date) = keyed_names.charge_date
        and requests.provider = keyed_names.logged_provider
        and requests.model = keyed_names.logged_model
    group by
        keyed_names.charge_date,
        keyed_names.provider,
        keyed_names.model,
        coalesce(requests.service_tier, 'standard'),
        requests.api_key_id
),

by_class as (
    select
        keyed.charge_date,
        keyed.provider,
        keyed.model,
        token_classes.token_class,
        keyed.service_tier,
        keyed.api_key_id,
        case token_classes.token_class
            when 'uncached_input_tokens' then keyed.uncached_input_tokens
            when 'cache_read_tokens' then keyed.cache_read_tokens
            when 'cache_write_5m_tokens' then keyed.cache_write_5m_tokens
            when 'cache_write_1h_tokens' then keyed.cache_write_1h_tokens
            else keyed.output_tokens
        end as logged_quantity
    from keyed
    cross join token_classes
)

select
    counted.charge_date,
    counted.provider,
    counted.billing_account_id,
    counted.model,
    counted.token_class,
    counted.service_tier,
    counted.api_key_id,
    cast(counted.provider_quantity as decimal(38, 12)) as provider_quantity,
    cast(null as decimal(38, 12)) as logged_quantity
from counted
union all
select
    by_class.charge_date,
    by_class.provider,
    cast(null as varchar) as billing_account_id,
    by_class.model,
    by_class.token_class,
    by_class.service_tier,
    by_class.api_key_id,
    cast(null as decimal(38, 12)) as provider_quantity,
    cast(by_class.logged_quantity as decimal(38, 12)) as logged_quantity
from by_class
where by_class.logged_quantity > 0
