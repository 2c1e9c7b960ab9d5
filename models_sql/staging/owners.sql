/*
description: >
    Who answers for an attribution key, dated.
materialized: view
columns:
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
    owner_name: null
    cost_center: null
    valid_from: null
    valid_to: null
*/
with

source as (select * from lake.owners)

select
    source.user_id,
    source.tenant,
    source.customer,
    source.team,
    source.feature,
    source.endpoint,
    source.workflow,
    source.agent,
    source.agent_step,
    source.environment,
    source.owner_name,
    source.cost_center,
    source.valid_from,
    source.valid_to
from source
