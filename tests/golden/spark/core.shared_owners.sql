WITH shared AS (
  SELECT
    *
  FROM core.shared_costs
  WHERE
    charge_date >= :start AND charge_date < :end
), taxes AS (
  SELECT
    *
  FROM core.tax_costs
  WHERE
    charge_date >= :start AND charge_date < :end
), owners AS (
  SELECT
    *
  FROM core.direct_owners
), targets AS (
  SELECT
    *
  FROM reference.shared_cost_targets
), wanted AS (
  SELECT
    shared.charge_date,
    shared.owner_id
  FROM shared
  UNION
  SELECT
    taxes.charge_date,
    taxes.owner_id
  FROM taxes
), missing AS (
  SELECT
    wanted.charge_date,
    wanted.owner_id
  FROM wanted
  LEFT JOIN owners
    ON wanted.charge_date = owners.charge_date AND wanted.owner_id = owners.owner_id
  WHERE
    owners.owner_id IS NULL
), features AS (
  SELECT
    owners.feature
  FROM owners
  WHERE
    NOT owners.feature IS NULL
  UNION
  SELECT
    targets.feature
  FROM targets
  WHERE
    NOT targets.feature IS NULL
), teams AS (
  SELECT
    owners.team
  FROM owners
  WHERE
    NOT owners.team IS NULL
  UNION
  SELECT
    targets.team
  FROM targets
  WHERE
    NOT targets.team IS NULL
), known AS (
  SELECT
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
  FROM owners
  UNION ALL
  SELECT
    MD5(
      CHR(  30) || CHR(  31) || CHR(  30) || CHR(  31) || CHR(  30) || CHR(  31) || CHR(  30) || CHR(  31) || features.feature || CHR(  31) || CHR(  30) || CHR(  31) || CHR(  30) || CHR(  31) || CHR(  30) || CHR(  31) || CHR(  30) || CHR(  31) || CHR(  30)
    ) AS owner_id,
    CAST(NULL AS STRING) AS user_id,
    CAST(NULL AS STRING) AS tenant,
    CAST(NULL AS STRING) AS customer,
    CAST(NULL AS STRING) AS team,
    features.feature,
    CAST(NULL AS STRING) AS endpoint,
    CAST(NULL AS STRING) AS workflow,
    CAST(NULL AS STRING) AS agent,
    CAST(NULL AS STRING) AS agent_step,
    CAST(NULL AS STRING) AS environment
  FROM features
  UNION ALL
  SELECT
    MD5(
      CHR(  30) || CHR(  31) || CHR(  30) || CHR(  31) || CHR(  30) || CHR(  31) || teams.team || CHR(  31) || CHR(  30) || CHR(  31) || CHR(  30) || CHR(  31) || CHR(  30) || CHR(  31) || CHR(  30) || CHR(  31) || CHR(  30) || CHR(  31) || CHR(  30)
    ) AS owner_id,
    CAST(NULL AS STRING) AS user_id,
    CAST(NULL AS STRING) AS tenant,
    CAST(NULL AS STRING) AS customer,
    teams.team,
    CAST(NULL AS STRING) AS feature,
    CAST(NULL AS STRING) AS endpoint,
    CAST(NULL AS STRING) AS workflow,
    CAST(NULL AS STRING) AS agent,
    CAST(NULL AS STRING) AS agent_step,
    CAST(NULL AS STRING) AS environment
  FROM teams
), named AS (
  SELECT
    known.owner_id,
    MAX(known.user_id) AS user_id,
    MAX(known.tenant) AS tenant,
    MAX(known.customer) AS customer,
    MAX(known.team) AS team,
    MAX(known.feature) AS feature,
    MAX(known.endpoint) AS endpoint,
    MAX(known.workflow) AS workflow,
    MAX(known.agent) AS agent,
    MAX(known.agent_step) AS agent_step,
    MAX(known.environment) AS environment
  FROM known
  GROUP BY
    known.owner_id
)
SELECT
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
FROM missing
LEFT JOIN named
  ON missing.owner_id = named.owner_id
