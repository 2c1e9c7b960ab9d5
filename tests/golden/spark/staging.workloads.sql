WITH source AS (
  SELECT
    workloads.*,
    LEAD(COALESCE(workloads.valid_from, CAST('1970-01-01' AS TIMESTAMP_NTZ))) OVER (
      PARTITION BY workloads.workload_ref
      ORDER BY COALESCE(workloads.valid_from, CAST('1970-01-01' AS TIMESTAMP_NTZ)) NULLS LAST, COALESCE(workloads.feature, CHR(  30)) NULLS LAST, COALESCE(workloads.endpoint, CHR(  30)) NULLS LAST, COALESCE(workloads.team, CHR(  30)) NULLS LAST, COALESCE(workloads.environment, CHR(  30)) NULLS LAST, COALESCE(workloads.service, CHR(  30)) NULLS LAST, COALESCE(workloads.ref_kind, CHR(  30)) NULLS LAST, COALESCE(workloads.zone, CHR(  30)) NULLS LAST, COALESCE(workloads.x_source, CHR(  30)) NULLS LAST, COALESCE(workloads.x_snapshot_id, CHR(  30)) NULLS LAST
    ) AS next_valid_from
  FROM lake.workloads AS workloads
)
SELECT
  source.x_source,
  source.x_snapshot_id,
  source.workload_ref,
  source.ref_kind,
  source.service,
  source.feature,
  source.endpoint,
  source.team,
  source.environment,
  source.zone,
  source.valid_from,
  CASE
    WHEN source.valid_to IS NULL
    THEN source.next_valid_from
    WHEN source.next_valid_from IS NULL
    THEN source.valid_to
    ELSE LEAST(source.valid_to, source.next_valid_from)
  END AS valid_to
FROM source
