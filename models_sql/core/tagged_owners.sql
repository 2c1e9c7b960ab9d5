/*
description: >
    What the tags of a bill line say about owners that the logs name: a tag fixes the dimension it names, unless the logs
    of that cell show two values for it; then the logs decide. All other dimensions come from the logs.
grain: [charge_date, cell_id, log_owner_id]
materialized: table
partition_by: {column: charge_date, unit: day}
columns:
    charge_date: null
    cell_id: null
    pool_key: null
    log_owner_id: null
    owner_id: null
    user_id: null
    tenant: null
    customer: null
    team: null
    feature: null
    endpoint: null
    workflow: null
    agent: null
    agent_step: null
    environment: null
    is_tag_overruled: null
*/
with

cells as (
    select *
    from core.cells
    where charge_date >= $start and charge_date < $end
        and method_id in (
            'tokens', 'list_cost', 'tool_uses', 'requests', 'cached_tokens', 'capacity_seconds', 'bytes',
            'telemetry_bytes'
        )
        and coalesce(user_id, tenant, customer, team, feature, endpoint, workflow, environment) is not null
),

pooled_usage as (
    select *
    from core.pooled_usage
    where charge_date >= $start and charge_date < $end
),

usage as (
    select *
    from core.request_usage
    where charge_date >= $start and charge_date < $end
),

physical as (
    select *
    from core.physical_weights
    where charge_date >= $start and charge_date < $end
),

capacity as (
    select *
    from core.capacity_weights
    where charge_date >= $start and charge_date < $end
),

log_owners as (
    select
        usage.charge_date,
        usage.owner_id,
        max(usage.user_id) as user_id,
        max(usage.tenant) as tenant,
        max(usage.customer) as customer,
        max(usage.team) as team,
        max(usage.feature) as feature,
        max(usage.endpoint) as endpoint,
        max(usage.workflow) as workflow,
        max(usage.agent) as agent,
        max(usage.agent_step) as agent_step,
        max(usage.environment) as environment
    from usage
    group by usage.charge_date, usage.owner_id
),

workload_owners as (
    select
        physical.charge_date,
        physical.owner_id,
        cast(null as varchar) as user_id,
        cast(null as varchar) as tenant,
        cast(null as varchar) as customer,
        max(physical.team) as team,
        max(physical.feature) as feature,
        max(physical.endpoint) as endpoint,
        cast(null as varchar) as workflow,
        cast(null as varchar) as agent,
        cast(null as varchar) as agent_step,
        max(physical.environment) as environment
    from physical
    left join log_owners
        on physical.charge_date = log_owners.charge_date
        and physical.owner_id = log_owners.owner_id
    where log_owners.owner_id is null
    group by physical.charge_date, physical.owner_id
),

named_owners as (
    select * from log_owners
    union all
    select * from workload_owners
),

pairs as (
    select
        cells.charge_date,
        cells.cell_id,
        pooled_usage.owner_id as log_owner_id
    from cells
    inner join pooled_usage
        on cells.charge_date = pooled_usage.charge_date
        and cells.pool_key = pooled_usage.pool_key
    where cells.method_id in ('tokens', 'list_cost', 'tool_uses', 'requests', 'cached_tokens')
    group by cells.charge_date, cells.cell_id, pooled_usage.owner_id
    union all
    select
        cells.charge_date,
        cells.cell_id,
        physical.owner_id as log_owner_id
    from cells
    inner join physical
        on cells.charge_date = physical.charge_date
        and cells.pool_key = physical.pool_key
    where cells.method_id in ('bytes', 'telemetry_bytes')
    group by cells.charge_date, cells.cell_id, physical.owner_id
    union all
    select
        cells.charge_date,
        cells.cell_id,
        capacity.owner_id as log_owner_id
    from cells
    inner join capacity
        on cells.charge_date = capacity.charge_date
        and cells.pool_key = capacity.pool_key
    where cells.method_id = 'capacity_seconds' and capacity.owner_id is not null
    group by cells.charge_date, cells.cell_id, capacity.owner_id
),

logged as (
    select
        pairs.charge_date,
        pairs.cell_id,
        pairs.log_owner_id,
        named_owners.user_id,
        named_owners.tenant,
        named_owners.customer,
        named_owners.team,
        named_owners.feature,
        named_owners.endpoint,
        named_owners.workflow,
        named_owners.agent,
        named_owners.agent_step,
        named_owners.environment
    from pairs
    inner join named_owners
        on pairs.charge_date = named_owners.charge_date
        and pairs.log_owner_id = named_owners.owner_id
),

shown as (
    select
        logged.charge_date,
        logged.cell_id,
        coalesce(min(logged.user_id) <> max(logged.user_id), false) as has_many_user_id,
        coalesce(min(logged.tenant) <> max(logged.tenant), false) as has_many_tenant,
        coalesce(min(logged.customer) <> max(logged.customer), false) as has_many_customer,
        coalesce(min(logged.team) <> max(logged.team), false) as has_many_team,
        coalesce(min(logged.feature) <> max(logged.feature), false) as has_many_feature,
        coalesce(min(logged.endpoint) <> max(logged.endpoint), false) as has_many_endpoint,
        coalesce(min(logged.workflow) <> max(logged.workflow), false) as has_many_workflow,
        coalesce(min(logged.environment) <> max(logged.environment), false) as has_many_environment
    from logged
    group by logged.charge_date, logged.cell_id
),

fixed as (
    select
        logged.charge_date,
        logged.cell_id,
        cells.pool_key,
        logged.log_owner_id,
        case
            when cells.user_id is null or shown.has_many_user_id then logged.user_id
            else cells.user_id
        end as user_id,
        case
            when cells.tenant is null or shown.has_many_tenant then logged.tenant
            else cells.tenant
        end as tenant,
        case
            when cells.customer is null or shown.has_many_customer then logged.customer
            else cells.customer
        end as customer,
        case
            when cells.team is null or shown.has_many_team then logged.team
            else cells.team
        end as team,
        case
            when cells.feature is null or shown.has_many_feature then logged.feature
            else cells.feature
        end as feature,
        case
            when cells.endpoint is null or shown.has_many_endpoint then logged.endpoint
            else cells.endpoint
        end as endpoint,
        case
            when cells.workflow is null or shown.has_many_workflow then logged.workflow
            else cells.workflow
        end as workflow,
        logged.agent,
        logged.agent_step,
        case
            when cells.environment is null or shown.has_many_environment then logged.environment
            else cells.environment
        end as environment,
        (cells.user_id is not null and shown.has_many_user_id)
        or (cells.tenant is not null and shown.has_many_tenant)
        or (cells.customer is not null and shown.has_many_customer)
        or (cells.team is not null and shown.has_many_team)
        or (cells.feature is not null and shown.has_many_feature)
        or (cells.endpoint is not null and shown.has_many_endpoint)
        or (cells.workflow is not null and shown.has_many_workflow)
        or (cells.environment is not null and shown.has_many_environment) as is_tag_overruled
    from logged
    inner join cells
        on logged.charge_date = cells.charge_date
        and logged.cell_id = cells.cell_id
    inner join shown
        on logged.charge_date = shown.charge_date
        and logged.cell_id = shown.cell_id
)

select
    fixed.charge_date,
    fixed.cell_id,
    fixed.pool_key,
    fixed.log_owner_id,
    md5(
        coalesce(fixed.user_id, chr(30))
        || chr(31) || coalesce(fixed.tenant, chr(30))
        || chr(31) || coalesce(fixed.customer, chr(30))
        || chr(31) || coalesce(fixed.team, chr(30))
        || chr(31) || coalesce(fixed.feature, chr(30))
        || chr(31) || coalesce(fixed.endpoint, chr(30))
        || chr(31) || coalesce(fixed.workflow, chr(30))
        || chr(31) || coalesce(fixed.agent, chr(30))
        || chr(31) || coalesce(fixed.agent_step, chr(30))
        || chr(31) || coalesce(fixed.environment, chr(30))
    ) as owner_id,
    fixed.user_id,
    fixed.tenant,
    fixed.customer,
    fixed.team,
    fixed.feature,
    fixed.endpoint,
    fixed.workflow,
    fixed.agent,
    fixed.agent_step,
    fixed.environment,
    fixed.is_tag_overruled
from fixed
