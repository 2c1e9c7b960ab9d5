/*
description: >
    Who the owners are that a day's own bill lines and logs name, one column a dimension; those that shared cost brings are
    in core.shared_owners.
grain: [charge_date, owner_id]
materialized: table
partition_by: {column: charge_date, unit: day}
columns:
    charge_date: null
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
*/
with

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

cells as (
    select *
    from core.cells
    where charge_date >= $start and charge_date < $end
),

tagged as (
    select *
    from core.tagged_owners
    where charge_date >= $start and charge_date < $end
),

named as (
    select
        usage.charge_date,
        usage.owner_id,
        usage.user_id,
        usage.tenant,
        usage.customer,
        usage.team,
        usage.feature,
        usage.endpoint,
        usage.workflow,
        usage.agent,
        usage.agent_step,
        usage.environment
    from usage
    union all
    select
        physical.charge_date,
        physical.owner_id,
        cast(null as varchar) as user_id,
        cast(null as varchar) as tenant,
        cast(null as varchar) as customer,
        physical.team,
        physical.feature,
        physical.endpoint,
        cast(null as varchar) as workflow,
        cast(null as varchar) as agent,
        cast(null as varchar) as agent_step,
        physical.environment
    from physical
    union all
    select
        tagged.charge_date,
        tagged.owner_id,
        tagged.user_id,
        tagged.tenant,
        tagged.customer,
        tagged.team,
        tagged.feature,
        tagged.endpoint,
        tagged.workflow,
        tagged.agent,
        tagged.agent_step,
        tagged.environment
    from tagged
    union all
    select
        cells.charge_date,
        cells.direct_owner_id as owner_id,
        cells.user_id,
        cells.tenant,
        cells.customer,
        cells.team,
        cells.feature,
        cells.endpoint,
        cells.workflow,
        cast(null as varchar) as agent,
        cast(null as varchar) as agent_step,
        cells.environment
    from cells
    where cells.direct_owner_id is not null
)

select
    named.charge_date,
    named.owner_id,
    max(named.user_id) as user_id,
    max(named.tenant) as tenant,
    max(named.customer) as customer,
    max(named.team) as team,
    max(named.feature) as feature,
    max(named.endpoint) as endpoint,
    max(named.workflow) as workflow,
    max(named.agent) as agent,
    max(named.agent_step) as agent_step,
    max(named.environment) as environment
from named
group by named.charge_date, named.owner_id
