WITH source AS (
  SELECT
    *
  FROM lake.capacity
)
SELECT
  source.x_source,
  source.x_snapshot_id,
  source.hour_start,
  source.provider,
  source.resource_id,
  source.capacity_kind,
  source.model,
  source.zone,
  source.provisioned_seconds,
  source.busy_seconds
FROM source
