WITH source AS (
  SELECT
    *
  FROM lake.zones
)
SELECT
  source.x_source,
  source.x_snapshot_id,
  source.provider,
  source.account_id,
  source.zone_name,
  source.zone_id,
  source.region_id
FROM source
