WITH source AS (
  SELECT
    *
  FROM lake.transfers
)
SELECT
  source.x_source,
  source.x_snapshot_id,
  source.window_start,
  source.window_end,
  source.provider,
  source.account_id,
  source.traffic_kind,
  source.from_zone,
  source.to_zone,
  source.from_workload_ref,
  source.to_workload_ref,
  source.bytes,
  source.round_trips_count
FROM source
