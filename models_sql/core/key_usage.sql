/*
description: >
    Tokens by API key as the provider counts them and as the logs hold them, of the days and providers of which the
    provider counts by key; and logged tokens by the principal that called. They tell calls that bypass the logs from
    calls that the logs lost. No other call of the log is read for it. A call of such a day that states no key stands
    without one.
order_by: [charge_date, key_kind, provider, billing_account_id, model, token_class, service_tier, key_id]
materialized: table
partition_by: {column: charge_date, unit: day}
columns:
    charge_date: null
    key_kind: null
    key_id: null
    provider: null
    billing_account_id: of what is counted; logs do not know it
    model: null
    token_class: null
    service_tier: null
    provider_quantity: null
    logged_quantity: null
*/
with

requests as (
    select *
    from staging.requests
    where started_at >= cast($start as timestamp) and started_at < cast($end as timestamp)
),

/* The same rows once more: one import read by two steps would be kept in memory whole. */
calls_of_principals as (
    select *
    from staging.requests
    where started_at >= cast($start as timestamp) and started_at < cast($end as timestamp)
        and principal_id is not null
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
        and model is not null
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
),

logged as (
    select
        'api_key' as key_kind,
        requests.api_key_id as key_id,
        keyed_names.charge_date,
        keyed_names.provider,
        keyed_names.model,
        coalesce(requests.service_tier, 'standard') as service_tier,
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
        requests.api_key_id,
        keyed_names.charge_date,
        keyed_names.provider,
        keyed_names.model,
        coalesce(requests.service_tier, 'standard')
    union all
    select
        'principal' as key_kind,
        calls.principal_id as key_id,
        names.charge_date,
        names.provider,
        names.model,
        coalesce(calls.service_tier, 'standard') as service_tier,
        sum(coalesce(calls.uncached_input_tokens, 0)) as uncached_input_tokens,
        sum(coalesce(calls.cache_read_tokens, 0)) as cache_read_tokens,
        sum(coalesce(calls.cache_write_5m_tokens, 0)) as cache_write_5m_tokens,
        sum(coalesce(calls.cache_write_1h_tokens, 0)) as cache_write_1h_tokens,
        sum(coalesce(calls.output_tokens, 0)) as output_tokens
    from calls_of_principals as calls
    inner join names
        on cast(calls.started_at as date) = names.charge_date
        and calls.provider = names.logged_provider
        and calls.model = names.logged_model
    group by
        calls.principal_id,
        names.charge_date,
        names.provider,
        names.model,
        coalesce(calls.service_tier, 'standard')
),

by_class as (
    select
        logged.charge_date,
        logged.key_kind,
        logged.key_id,
        logged.provider,
        logged.model,
        token_classes.token_class,
        logged.service_tier,
        case token_classes.token_class
            when 'uncached_input_tokens' then logged.uncached_input_tokens
            when 'cache_read_tokens' then logged.cache_read_tokens
            when 'cache_write_5m_tokens' then logged.cache_write_5m_tokens
            when 'cache_write_1h_tokens' then logged.cache_write_1h_tokens
            else logged.output_tokens
        end as logged_quantity
    from logged
    cross join token_classes
)

select
    counted.charge_date,
    'api_key' as key_kind,
    counted.api_key_id as key_id,
    counted.provider,
    counted.billing_account_id,
    counted.model,
    counted.token_class,
    counted.service_tier,
    cast(counted.provider_quantity as decimal(38, 12)) as provider_quantity,
    cast(null as decimal(38, 12)) as logged_quantity
from counted
union all
select
    by_class.charge_date,
    by_class.key_kind,
    by_class.key_id,
    by_class.provider,
    cast(null as varchar) as billing_account_id,
    by_class.model,
    by_class.token_class,
    by_class.service_tier,
    cast(null as decimal(38, 12)) as provider_quantity,
    cast(by_class.logged_quantity as decimal(38, 12)) as logged_quantity
from by_class
where by_class.logged_quantity > 0
