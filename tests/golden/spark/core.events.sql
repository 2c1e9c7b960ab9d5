WITH events AS (
  SELECT
    *
  FROM staging.events
  WHERE
    event_at >= CAST(:start AS TIMESTAMP_NTZ)
    AND event_at < CAST(:end AS TIMESTAMP_NTZ)
), workloads AS (
  SELECT
    *
  FROM staging.workloads
), told AS (
  SELECT
    events.event_at,
    events.event_kind,
    events.service,
    events.replica_id,
    events.workload_ref,
    events.detail,
    MAX(events.feature) AS feature
  FROM events
  GROUP BY
    events.event_at,
    events.event_kind,
    events.service,
    events.replica_id,
    events.workload_ref,
    events.detail
), replicas AS (
  SELECT
    told.event_at,
    told.workload_ref,
    MAX(workloads.feature) AS feature,
    MAX(workloads.service) AS service
  FROM (
    SELECT
      event_at,
      workload_ref
    FROM told
    WHERE
      NOT workload_ref IS NULL
    GROUP BY
      event_at,
      workload_ref
  ) AS told
  INNER JOIN workloads
    ON told.workload_ref = workloads.workload_ref
    AND (
      workloads.valid_from IS NULL OR told.event_at >= workloads.valid_from
    )
    AND (
      workloads.valid_to IS NULL OR told.event_at < workloads.valid_to
    )
  GROUP BY
    told.event_at,
    told.workload_ref
), service_features AS (
  SELECT
    workloads.service,
    MAX(workloads.feature) AS feature
  FROM workloads
  WHERE
    NOT workloads.service IS NULL AND NOT workloads.feature IS NULL
  GROUP BY
    workloads.service
  HAVING
    MIN(workloads.feature) = MAX(workloads.feature)
), located AS (
  SELECT
    told.event_at,
    told.event_kind,
    COALESCE(told.service, replicas.service) AS service,
    told.replica_id,
    told.detail,
    COALESCE(told.feature, replicas.feature, service_features.feature) AS feature,
    MD5(
      CAST(told.event_at AS STRING) || CHR(  31) || COALESCE(told.event_kind, CHR(  30)) || CHR(  31) || COALESCE(told.service, CHR(  30)) || CHR(  31) || COALESCE(told.replica_id, CHR(  30)) || CHR(  31) || COALESCE(told.workload_ref, CHR(  30)) || CHR(  31) || COALESCE(told.detail, CHR(  30))
    ) AS event_id
  FROM told
  LEFT JOIN replicas
    ON told.event_at = replicas.event_at AND told.workload_ref = replicas.workload_ref
  LEFT JOIN service_features
    ON COALESCE(told.service, replicas.service) = service_features.service
)
SELECT
  located.event_id,
  located.event_at,
  located.event_kind,
  located.service,
  located.feature,
  located.replica_id,
  located.detail
FROM located
