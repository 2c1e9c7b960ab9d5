/*
description: >
    Logged usage that ran on capacity which is paid for by the hour: it has its cost there, so it needs no price and no
    estimate. A model that any paid resource served on a day is taken as served whole.
grain: [charge_date, usage_id]
materialized: table
partition_by: {column: charge_date, unit: day}
columns:
    charge_date: null
    usage_id: null
*/
with

usage as (
    select *
    from core.request_usage
    where charge_date >= $start and charge_date < $end
),

capacity as (
    select *
    from core.capacity_weights
    where charge_date >= $start and charge_date < $end
        and owner_id is not null
),

paid as (
    select *
    from core.billed_cells
    where charge_date >= $start and charge_date < $end
        and method_id = 'capacity_seconds'
),

paid_pools as (
    select
        paid.charge_date,
        paid.pool_key
    from paid
    group by paid.charge_date, paid.pool_key
),

served_models as (
    select
        capacity.charge_date,
        capacity.logged_provider,
        capacity.logged_model
    from capacity
    inner join paid_pools
        on capacity.charge_date = paid_pools.charge_date
        and capacity.pool_key = paid_pools.pool_key
    group by capacity.charge_date, capacity.logged_provider, capacity.logged_model
)

select
    usage.charge_date,
    usage.usage_id
from usage
inner join served_models
    on usage.charge_date = served_models.charge_date
    and coalesce(usage.provider, chr(30)) = coalesce(served_models.logged_provider, chr(30))
    and coalesce(usage.model, chr(30)) = coalesce(served_models.logged_model, chr(30))
