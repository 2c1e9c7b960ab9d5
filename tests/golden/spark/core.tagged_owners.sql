WITH cells AS (
  SELECT
    *
  FROM core.cells
  WHERE
    charge_date >= :start
    AND charge_date < :end
    AND method_id IN (
      'tokens',
      'list_cost',
      'tool_uses',
      'requests',
      'cached_tokens',
      'capacity_seconds',
      'bytes',
      'telemetry_bytes'
    )
    AND NOT COALESCE(user_id, tenant, customer, team, feature, endpoint, workflow, environment) IS NULL
), pooled_usage AS (
  SELECT
    *
  FROM core.pooled_usage
  WHERE
    charge_date >= :start AND charge_date < :end
), usage AS (
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
), capacity AS (
  SELECT
    *
  FROM core.capacity_weights
  WHERE
    charge_date >= :start AND charge_date < :end
), log_owners AS (
  SELECT
    usage.charge_date,
    usage.owner_id,
    MAX(usage.user_id) AS user_id,
    MAX(usage.tenant) AS tenant,
    MAX(usage.customer) AS customer,
    MAX(usage.team) AS team,
    MAX(usage.feature) AS feature,
    MAX(usage.endpoint) AS endpoint,
    MAX(usage.workflow) AS workflow,
    MAX(usage.agent) AS agent,
    MAX(usage.agent_step) AS agent_step,
    MAX(usage.environment) AS environment
  FROM usage
  GROUP BY
    usage.charge_date,
    usage.owner_id
), workload_owners AS (
  SELECT
    physical.charge_date,
    physical.owner_id,
    CAST(NULL AS STRING) AS user_id,
    CAST(NULL AS STRING) AS tenant,
    CAST(NULL AS STRING) AS customer,
    MAX(physical.team) AS team,
    MAX(physical.feature) AS feature,
    MAX(physical.endpoint) AS endpoint,
    CAST(NULL AS STRING) AS workflow,
    CAST(NULL AS STRING) AS agent,
    CAST(NULL AS STRING) AS agent_step,
    MAX(physical.environment) AS environment
  FROM physical
  LEFT JOIN log_owners
    ON physical.charge_date = log_owners.charge_date
    AND physical.owner_id = log_owners.owner_id
  WHERE
    log_owners.owner_id IS NULL
  GROUP BY
    physical.charge_date,
    physical.owner_id
), named_owners AS (
  SELECT
    *
  FROM log_owners
  UNION ALL
  SELECT
    *
  FROM workload_owners
), pairs AS (
  SELECT
    cells.charge_date,
    cells.cell_id,
    pooled_usage.owner_id AS log_owner_id
  FROM cells
  INNER JOIN pooled_usage
    ON cells.charge_date = pooled_usage.charge_date
    AND cells.pool_key = pooled_usage.pool_key
  WHERE
    cells.method_id IN ('tokens', 'list_cost', 'tool_uses', 'requests', 'cached_tokens')
  GROUP BY
    cells.charge_date,
    cells.cell_id,
    pooled_usage.owner_id
  UNION ALL
  SELECT
    cells.charge_date,
    cells.cell_id,
    physical.owner_id AS log_owner_id
  FROM cells
  INNER JOIN physical
    ON cells.charge_date = physical.charge_date AND cells.pool_key = physical.pool_key
  WHERE
    cells.method_id IN ('bytes', 'telemetry_bytes')
  GROUP BY
    cells.charge_date,
    cells.cell_id,
    physical.owner_id
  UNION ALL
  SELECT
    cells.charge_date,
    cells.cell_id,
    capacity.owner_id AS log_owner_id
  FROM cells
  INNER JOIN capacity
    ON cells.charge_date = capacity.charge_date AND cells.pool_key = capacity.pool_key
  WHERE
    cells.method_id = 'capacity_seconds' AND NOT capacity.owner_id IS NULL
  GROUP BY
    cells.charge_date,
    cells.cell_id,
    capacity.owner_id
), logged AS (
  SELECT
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
  FROM pairs
  INNER JOIN named_owners
    ON pairs.charge_date = named_owners.charge_date
    AND pairs.log_owner_id = named_owners.owner_id
), shown AS (
  SELECT
    logged.charge_date,
    logged.cell_id,
    COALESCE(MIN(logged.user_id) <> MAX(logged.user_id), FALSE) AS has_many_user_id,
    COALESCE(MIN(logged.tenant) <> MAX(logged.tenant), FALSE) AS has_many_tenant,
    COALESCE(MIN(logged.customer) <> MAX(logged.customer), FALSE) AS has_many_customer,
    COALESCE(MIN(logged.team) <> MAX(logged.team), FALSE) AS has_many_team,
    COALESCE(MIN(logged.feature) <> MAX(logged.feature), FALSE) AS has_many_feature,
    COALESCE(MIN(logged.endpoint) <> MAX(logged.endpoint), FALSE) AS has_many_endpoint,
    COALESCE(MIN(logged.workflow) <> MAX(logged.workflow), FALSE) AS has_many_workflow,
    COALESCE(MIN(logged.environment) <> MAX(logged.environment), FALSE) AS has_many_environment
  FROM logged
  GROUP BY
    logged.charge_date,
    logged.cell_id
), fixed AS (
  SELECT
    logged.charge_date,
    logged.cell_id,
    cells.pool_key,
    logged.log_owner_id,
    CASE
      WHEN cells.user_id IS NULL OR shown.has_many_user_id
      THEN logged.user_id
      ELSE cells.user_id
    END AS user_id,
    CASE
      WHEN cells.tenant IS NULL OR shown.has_many_tenant
      THEN logged.tenant
      ELSE cells.tenant
    END AS tenant,
    CASE
      WHEN cells.customer IS NULL OR shown.has_many_customer
      THEN logged.customer
      ELSE cells.customer
    END AS customer,
    CASE
      WHEN cells.team IS NULL OR shown.has_many_team
      THEN logged.team
      ELSE cells.team
    END AS team,
    CASE
      WHEN cells.feature IS NULL OR shown.has_many_feature
      THEN logged.feature
      ELSE cells.feature
    END AS feature,
    CASE
      WHEN cells.endpoint IS NULL OR shown.has_many_endpoint
      THEN logged.endpoint
      ELSE cells.endpoint
    END AS endpoint,
    CASE
      WHEN cells.workflow IS NULL OR shown.has_many_workflow
      THEN logged.workflow
      ELSE cells.workflow
    END AS workflow,
    logged.agent,
    logged.agent_step,
    CASE
      WHEN cells.environment IS NULL OR shown.has_many_environment
      THEN logged.environment
      ELSE cells.environment
    END AS environment,
    (
      NOT cells.user_id IS NULL AND shown.has_many_user_id
    )
    OR (
      NOT cells.tenant IS NULL AND shown.has_many_tenant
    )
    OR (
      NOT cells.customer IS NULL AND shown.has_many_customer
    )
    OR (
      NOT cells.team IS NULL AND shown.has_many_team
    )
    OR (
      NOT cells.feature IS NULL AND shown.has_many_feature
    )
    OR (
      NOT cells.endpoint IS NULL AND shown.has_many_endpoint
    )
    OR (
      NOT cells.workflow IS NULL AND shown.has_many_workflow
    )
    OR (
      NOT cells.environment IS NULL AND shown.has_many_environment
    ) AS is_tag_overruled
  FROM logged
  INNER JOIN cells
    ON logged.charge_date = cells.charge_date AND logged.cell_id = cells.cell_id
  INNER JOIN shown
    ON logged.charge_date = shown.charge_date AND logged.cell_id = shown.cell_id
)
SELECT
  fixed.charge_date,
  fixed.cell_id,
  fixed.pool_key,
  fixed.log_owner_id,
  MD5(
    COALESCE(fixed.user_id, CHR(  30)) || CHR(  31) || COALESCE(fixed.tenant, CHR(  30)) || CHR(  31) || COALESCE(fixed.customer, CHR(  30)) || CHR(  31) || COALESCE(fixed.team, CHR(  30)) || CHR(  31) || COALESCE(fixed.feature, CHR(  30)) || CHR(  31) || COALESCE(fixed.endpoint, CHR(  30)) || CHR(  31) || COALESCE(fixed.workflow, CHR(  30)) || CHR(  31) || COALESCE(fixed.agent, CHR(  30)) || CHR(  31) || COALESCE(fixed.agent_step, CHR(  30)) || CHR(  31) || COALESCE(fixed.environment, CHR(  30))
  ) AS owner_id,
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
FROM fixed
