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
  source.account_id,
  source.resource_id,
  source.replica_id,
  source.capacity_kind,
  source.model,
  source.zone,
  source.provisioned_seconds,
  source.provisioned_units,
  source.busy_seconds,
  source.busy_basis,
  source.requests,
  source.input_tokens,
  source.cache_read_tokens,
  source.output_tokens,
  source.prefill_seconds,
  source.decode_seconds,
  source.utilisation_share,
  source.kv_cache_share
FROM source
