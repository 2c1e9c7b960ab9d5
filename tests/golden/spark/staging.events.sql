WITH source AS (
  SELECT
    *
  FROM lake.events
)
SELECT
  source.x_source,
  source.x_snapshot_id,
  source.event_at,
  source.event_kind,
  source.service,
  source.feature,
  source.replica_id,
  source.workload_ref,
  source.detail
FROM source
