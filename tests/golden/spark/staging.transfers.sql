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
  source.round_trips_count,
  COALESCE(source.emitter_kind, 'file') AS emitter_kind,
  source.emitter_id,
  source.seen_from,
  source.seen_at,
  source.through_ref,
  source.from_ref_kind,
  source.to_ref_kind,
  source.min_round_trip_seconds
FROM source
