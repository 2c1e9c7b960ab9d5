/*
description: >
    Owners of a day's shared cost whom no bill line or log of that day names: users of other days of the month, and the
    features and teams that a shared-cost rule names or finds.
grain: [charge_date, owner_id]
materialized: table
partition_by: {column: charge_date, unit: day}
reads:
    core.direct_owners: {days_before: 62, days_after: 62}
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

shared as (
    select *
    from core.shared_costs
    where charge_date >= $start and charge_date < $end
),

taxes as (
    select *
    from core.tax_costs
    where charge_date >= $start and charge_date < $end
),

owners as (select * from core.direct_owners),

targets as (select * from reference.shared_cost_targets),

wanted as (
    select
        shared.charge_date,
        shared.owner_id
    from shared
    union
    select
        taxes.charge_date,
        taxes.owner_id
    from taxes
),

missing as (
    select
        wanted.charge_date,
        wanted.owner_id
    from wanted
    left join owners
        on wanted.charge_date = owners.charge_date
        and wanted.owner_id = owners.owner_id
    where owners.owner_id is null
),

features as (
    select owners.feature
    from owners
    where owners.feature is not null
    union
    select targets.feature
    from targets
    where targets.feature is not null
),

teams as (
    select owners.team
    from owners
    where owners.team is not null
    union
    select targets.team
    from targets
    where targets.team is not null
),

known as (
    select
        owners.owner_id,
        owners.user_id,
        owners.tenant,
        owners.customer,
        owners.team,
        owners.feature,
        owners.endpoint,
        owners.workflow,
        owners.agent,
        owners.agent_step,
        owners.environment
    from owners
    union all
    select
        md5(
            chr(30)
            || chr(31) || chr(30)
            || chr(31) || chr(30)
            || chr(31) || chr(30)
            || chr(31) || features.feature
            || chr(31) || chr(30)
            || chr(31) || chr(30)
            || chr(31) || chr(30)
            || chr(31) || chr(30)
            || chr(31) || chr(30)
        ) as owner_id,
        cast(null as varchar) as user_id,
        cast(null as varchar) as tenant,
        cast(null as varchar) as customer,
        cast(null as varchar) as team,
        features.feature,
        cast(null as varchar) as endpoint,
        cast(null as varchar) as workflow,
        cast(null as varchar) as agent,
        cast(null as varchar) as agent_step,
        cast(null as varchar) as environment
    from features
    union all
    select
        md5(
            chr(30)
            || chr(31) || chr(30)
            || chr(31) || chr(30)
            || chr(31) || teams.team
            || chr(31) || chr(30)
            || chr(31) || chr(30)
            || chr(31) || chr(30)
            || chr(31) || chr(30)
            || chr(31) || chr(30)
            || chr(31) || chr(30)
        ) as owner_id,
        cast(null as varchar) as user_id,
        cast(null as varchar) as tenant,
        cast(null as varchar) as customer,
        teams.team,
        cast(null as varchar) as feature,
        cast(null as varchar) as endpoint,
        cast(null as varchar) as workflow,
        cast(null as varchar) as agent,
        cast(null as varchar) as agent_step,
        cast(null as varchar) as environment
    from teams
),

named as (
    select
        known.owner_id,
        max(known.user_id) as user_id,
        max(known.tenant) as tenant,
        max(known.customer) as customer,
        max(known.team) as team,
        max(known.feature) as feature,
        max(known.endpoint) as endpoint,
        max(known.workflow) as workflow,
        max(known.agent) as agent,
        max(known.agent_step) as agent_step,
        max(known.environment) as environment
    from known
    group by known.owner_id
)

select
    missing.charge_date,
    missing.owner_id,
    named.user_id,
    named.tenant,
    named.customer,
    named.team,
    named.feature,
    named.endpoint,
    named.workflow,
    named.agent,
    named.agent_step,
    named.environment
from missing
left join named on missing.owner_id = named.owner_id
