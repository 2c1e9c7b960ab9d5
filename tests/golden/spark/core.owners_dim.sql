WITH owners AS (
  SELECT
    *
  FROM core.owners_daily
)
SELECT
  owners.owner_id,
  MAX(owners.user_id) AS user_id,
  MAX(owners.tenant) AS tenant,
  MAX(owners.customer) AS customer,
  MAX(owners.team) AS team,
  MAX(owners.feature) AS feature,
  MAX(owners.endpoint) AS endpoint,
  MAX(owners.workflow) AS workflow,
  MAX(owners.agent) AS agent,
  MAX(owners.agent_step) AS agent_step,
  MAX(owners.environment) AS environment,
  MIN(owners.charge_date) AS first_date,
  MAX(owners.charge_date) AS last_date
FROM owners
GROUP BY
  owners.owner_id
