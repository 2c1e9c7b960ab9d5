/*
description: Who every owner id of a day is, one column a dimension; null where nobody names it.
grain: [charge_date, owner_id]
materialized: view
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

direct as (select * from core.direct_owners),

shared as (select * from core.shared_owners)

select
    direct.charge_date,
    direct.owner_id,
    direct.user_id,
    direct.tenant,
    direct.customer,
    direct.team,
    direct.feature,
    direct.endpoint,
    direct.workflow,
    direct.agent,
    direct.agent_step,
    direct.environment
from direct
union all
select
    shared.charge_date,
    shared.owner_id,
    shared.user_id,
    shared.tenant,
    shared.customer,
    shared.team,
    shared.feature,
    shared.endpoint,
    shared.workflow,
    shared.agent,
    shared.agent_step,
    shared.environment
from shared
