WITH direct AS (
  SELECT
    *
  FROM core.direct_owners
), shared AS (
  SELECT
    *
  FROM core.shared_owners
)
SELECT
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
FROM direct
UNION ALL
SELECT
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
FROM shared
