WITH source AS (
  SELECT
    *
  FROM lake.telemetry
)
SELECT
  source.x_source,
  source.x_snapshot_id,
  source.window_start,
  source.window_end,
  source.provider,
  source.account_id,
  source.signal,
  source.workload_ref,
  source.volume_bytes,
  source.volume_count
FROM source
