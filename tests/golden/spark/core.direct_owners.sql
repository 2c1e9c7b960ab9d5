WITH usage AS (
  SELECT
    *
  FROM core.request_usage
  WHERE
    charge_date >= :start AND charge_date < :end
), physical AS (
  SELECT
    *
  FROM core.physical_weights
  WHERE
    charge_date >= :start AND charge_date < :end
), cells AS (
  SELECT
    *
  FROM core.cells
  WHERE
    charge_date >= :start AND charge_date < :end
), tagged AS (
  SELECT
    *
  FROM core.tagged_owners
  WHERE
    charge_date >= :start AND charge_date < :end
), named AS (
  SELECT
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
  FROM usage
  UNION ALL
  SELECT
    physical.charge_date,
    physical.owner_id,
    CAST(NULL AS STRING) AS user_id,
    CAST(NULL AS STRING) AS tenant,
    CAST(NULL AS STRING) AS customer,
    physical.team,
    physical.feature,
    physical.endpoint,
    CAST(NULL AS STRING) AS workflow,
    CAST(NULL AS STRING) AS agent,
    CAST(NULL AS STRING) AS agent_step,
    physical.environment
  FROM physical
  UNION ALL
  SELECT
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
  FROM tagged
  UNION ALL
  SELECT
    cells.charge_date,
    cells.direct_owner_id AS owner_id,
    cells.user_id,
    cells.tenant,
    cells.customer,
    cells.team,
    cells.feature,
    cells.endpoint,
    cells.workflow,
    CAST(NULL AS STRING) AS agent,
    CAST(NULL AS STRING) AS agent_step,
    cells.environment
  FROM cells
  WHERE
    NOT cells.direct_owner_id IS NULL
)
SELECT
  named.charge_date,
  named.owner_id,
  MAX(named.user_id) AS user_id,
  MAX(named.tenant) AS tenant,
  MAX(named.customer) AS customer,
  MAX(named.team) AS team,
  MAX(named.feature) AS feature,
  MAX(named.endpoint) AS endpoint,
  MAX(named.workflow) AS workflow,
  MAX(named.agent) AS agent,
  MAX(named.agent_step) AS agent_step,
  MAX(named.environment) AS environment
FROM named
GROUP BY
  named.charge_date,
  named.owner_id
