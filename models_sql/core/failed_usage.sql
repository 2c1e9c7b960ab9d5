/*
description: >
    Tokens of attempts that failed, and of those that came after the first of their call, per day, model, class and tier:
    what failures and retries took of the use that the logs hold. An attempt without tokens is not here.
grain: [charge_date, provider, model, token_class, service_tier]
materialized: table
partition_by: {column: charge_date, unit: day}
columns:
    charge_date: null
    provider: null
    model: null
    token_class: null
    service_tier: null
    failed_quantity: null
    retried_quantity: of second and later attempts, those that failed again included
*/
with

attempts as (
    select *
    from staging.requests
    where started_at >= cast($start as timestamp) and started_at < cast($end as timestamp)
        and (status <> 'ok' or attempt_number > 1)
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
        cast(attempts.started_at as date) as charge_date,
        names.provider,
        names.model,
        coalesce(attempts.service_tier, 'standard') as service_tier,
        token_classes.token_class,
        attempts.status,
        attempts.attempt_number,
        case token_classes.token_class
            when 'uncached_input_tokens' then attempts.uncached_input_tokens
            when 'cache_read_tokens' then attempts.cache_read_tokens
            when 'cache_write_5m_tokens' then attempts.cache_write_5m_tokens
            when 'cache_write_1h_tokens' then attempts.cache_write_1h_tokens
            else attempts.output_tokens
        end as quantity
    from attempts
    inner join names
        on cast(attempts.started_at as date) = names.charge_date
        and attempts.provider = names.logged_provider
        and attempts.model = names.logged_model
    cross join token_classes
    where names.model is not null
)

select
    counted.charge_date,
    counted.provider,
    counted.model,
    counted.token_class,
    counted.service_tier,
    cast(sum(case when counted.status <> 'ok' then counted.quantity else 0 end) as decimal(38, 12))
        as failed_quantity,
    cast(sum(case when counted.attempt_number > 1 then counted.quantity else 0 end) as decimal(38, 12))
        as retried_quantity
from counted
where counted.quantity > 0
group by
    counted.charge_date,
    counted.provider,
    counted.model,
    counted.token_class,
    counted.service_tier
