WITH source AS (
  SELECT
    *
  FROM lake.owners
)
SELECT
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
FROM source
