/*
description: Who every owner id is, over all days; first and last day it was seen.
grain: [owner_id]
materialized: table
columns:
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
    first_date: null
    last_date: null
*/
with

owners as (select * from core.owners_daily)

select
    owners.owner_id,
    max(owners.user_id) as user_id,
    max(owners.tenant) as tenant,
    max(owners.customer) as customer,
    max(owners.team) as team,
    max(owners.feature) as feature,
    max(owners.endpoint) as endpoint,
    max(owners.workflow) as workflow,
    max(owners.agent) as agent,
    max(owners.agent_step) as agent_step,
    max(owners.environment) as environment,
    min(owners.charge_date) as first_date,
    max(owners.charge_date) as last_date
from owners
group by owners.owner_id
