/*
description: >
    Tokens of attempts that failed, per day, model, class and tier: what retries and failures took of the use that the
    logs hold. An attempt that failed without tokens is not here.
grain: [charge_date, provider, model, token_class, service_tier]
materialized: table
partition_by: {column: charge_date, unit: day}
columns:
    charge_date: null
    provider: null
    model: null
    token_class: null
    service_tier: null
    failed_attempts: null
    failed_quantity: null
*/
with

failed as (
    select *
    from staging.requests
    where started_at >= cast($start as timestamp) and started_at < cast($end as timestamp)
        and status <> 'ok'
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
        cast(failed.started_at as date) as charge_date,
        names.provider,
        names.model,
        coalesce(failed.service_tier, 'standard') as service_tier,
        token_classes.token_class,
        case token_classes.token_class
            when 'uncached_input_tokens' then failed.uncached_input_tokens
            when 'cache_read_tokens' then failed.cache_read_tokens
            when 'cache_write_5m_tokens' then failed.cache_write_5m_tokens
            when 'cache_write_1h_tokens' then failed.cache_write_1h_tokens
            else failed.output_tokens
        end as quantity
    from failed
    inner join names
        on cast(failed.started_at as date) = names.charge_date
        and failed.provider = names.logged_provider
        and failed.model = names.logged_model
    cross join token_classes
    where names.model is not null
)

select
    counted.charge_date,
    counted.provider,
    counted.model,
    counted.token_class,
    counted.service_tier,
    count(*) as failed_attempts,
    cast(sum(counted.quantity) as decimal(38, 12)) as failed_quantity
from counted
where counted.quantity > 0
group by
    counted.charge_date,
    counted.provider,
    counted.model,
    counted.token_class,
    counted.service_tier
