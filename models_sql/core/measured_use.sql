/*
description: >
    What was measured of a day, by the pool that its cost is split by: logged tokens at list price, bytes of traffic and
    telemetry, time of provisioned capacity. A few rows a day; what rates are learned from and estimates are made of.
order_by: [charge_date, use_kind, pool_key, model, token_class, service_tier, list_cost_currency, logged_provider, logged_model]
materialized: table
partition_by: {column: charge_date, unit: day}
columns:
    charge_date: null
    use_kind: null
    pool_key: null
    provider: of tokens, else null
    model: null
    token_class: null
    service_tier: null
    list_cost_currency: null
    logged_provider: of tokens that measured capacity may have served, else null
    logged_model: of tokens that measured capacity may have served, else null
    logged_quantity: null
    measured_units: null
*/
with

usage as (
    select *
    from core.pooled_usage
    where charge_date >= $start and charge_date < $end
        and pool_key = leaf_pool_key
),

requests as (
    select *
    from core.request_usage
    where charge_date >= $start and charge_date < $end
),

capacity as (
    select *
    from core.capacity_weights
    where charge_date >= $start and charge_date < $end
),

physical as (
    select *
    from core.physical_weights
    where charge_date >= $start and charge_date < $end
),

served_models as (
    select
        capacity.charge_date,
        capacity.logged_provider,
        capacity.logged_model
    from capacity
    where capacity.owner_id is not null
    group by capacity.charge_date, capacity.logged_provider, capacity.logged_model
),

served as (
    select
        requests.charge_date,
        requests.usage_id,
        coalesce(requests.provider, chr(30)) as logged_provider,
        coalesce(requests.model, chr(30)) as logged_model
    from requests
    inner join served_models
        on requests.charge_date = served_models.charge_date
        and coalesce(requests.provider, chr(30)) = coalesce(served_models.logged_provider, chr(30))
        and coalesce(requests.model, chr(30)) = coalesce(served_models.logged_model, chr(30))
),

tokens as (
    select
        usage.charge_date,
        usage.pool_key,
        usage.provider,
        usage.model,
        usage.token_class,
        usage.service_tier,
        usage.list_cost_currency,
        served.logged_provider,
        served.logged_model,
        cast(sum(usage.quantity_tokens) as decimal(38, 12)) as logged_quantity,
        sum(usage.list_cost) as list_cost
    from usage
    left join served
        on usage.charge_date = served.charge_date
        and usage.usage_id = served.usage_id
    group by
        usage.charge_date,
        usage.pool_key,
        usage.provider,
        usage.model,
        usage.token_class,
        usage.service_tier,
        usage.list_cost_currency,
        served.logged_provider,
        served.logged_model
),

volumes as (
    select
        physical.charge_date,
        physical.pool_key,
        cast(sum(physical.weight) as decimal(38, 0)) as measured_units
    from physical
    group by physical.charge_date, physical.pool_key
    having sum(physical.weight) > 0
),

times as (
    select
        capacity.charge_date,
        capacity.pool_key,
        cast(max(capacity.measured_seconds) * 1000000 as decimal(38, 0)) as measured_units
    from capacity
    group by capacity.charge_date, capacity.pool_key
    having max(capacity.measured_seconds) > 0
)

select
    tokens.charge_date,
    'tokens' as use_kind,
    tokens.pool_key,
    tokens.provider,
    tokens.model,
    tokens.token_class,
    tokens.service_tier,
    tokens.list_cost_currency,
    tokens.logged_provider,
    tokens.logged_model,
    tokens.logged_quantity,
    cast(
        cast(tokens.list_cost as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0)) as decimal(38, 0)
    ) as measured_units
from tokens
union all
select
    volumes.charge_date,
    'volume' as use_kind,
    volumes.pool_key,
    cast(null as varchar) as provider,
    cast(null as varchar) as model,
    cast(null as varchar) as token_class,
    cast(null as varchar) as service_tier,
    cast(null as varchar) as list_cost_currency,
    cast(null as varchar) as logged_provider,
    cast(null as varchar) as logged_model,
    cast(null as decimal(38, 12)) as logged_quantity,
    volumes.measured_units
from volumes
union all
select
    times.charge_date,
    'capacity' as use_kind,
    times.pool_key,
    cast(null as varchar) as provider,
    cast(null as varchar) as model,
    cast(null as varchar) as token_class,
    cast(null as varchar) as service_tier,
    cast(null as varchar) as list_cost_currency,
    cast(null as varchar) as logged_provider,
    cast(null as varchar) as logged_model,
    cast(null as decimal(38, 12)) as logged_quantity,
    times.measured_units
from times
