WITH source AS (
  SELECT
    *
  FROM lake.workloads
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
  source.valid_to
FROM source
