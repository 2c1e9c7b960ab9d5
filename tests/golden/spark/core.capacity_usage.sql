WITH capacity AS (
  SELECT
    capacity.*,
    LOWER(capacity.resource_id) AS resource_key,
    COALESCE(capacity.replica_id, '') AS replica_key,
    CASE capacity.busy_basis
      WHEN 'requests'
      THEN 1
      WHEN 'stated'
      THEN 2
      WHEN 'utilisation'
      THEN 3
      ELSE 4
    END AS basis_rank
  FROM staging.capacity AS capacity
  WHERE
    capacity.hour_start >= CAST(:start AS TIMESTAMP_NTZ)
    AND capacity.hour_start < CAST(:end AS TIMESTAMP_NTZ)
    AND NOT capacity.busy_seconds IS NULL
    AND capacity.provisioned_seconds > 0
), sources AS (
  SELECT
    capacity.hour_start,
    capacity.resource_key,
    capacity.x_source,
    capacity.basis_rank,
    ROW_NUMBER() OVER (
      PARTITION BY capacity.hour_start, capacity.resource_key
      ORDER BY capacity.basis_rank NULLS LAST, capacity.x_source NULLS LAST
    ) AS source_rank
  FROM capacity
  GROUP BY
    capacity.hour_start,
    capacity.resource_key,
    capacity.x_source,
    capacity.basis_rank
), merged AS (
  SELECT
    capacity.hour_start,
    capacity.resource_key AS resource_id,
    capacity.replica_key,
    capacity.x_source,
    MAX(capacity.provider) AS provider,
    MAX(capacity.account_id) AS account_id,
    MAX(capacity.capacity_kind) AS capacity_kind,
    MAX(capacity.model) AS model,
    MAX(capacity.zone) AS zone,
    CAST(LEAST(SUM(capacity.provisioned_seconds), 3600) AS BIGINT) AS provisioned_seconds,
    CAST(MAX(capacity.provisioned_units) AS BIGINT) AS provisioned_units,
    CAST(LEAST(SUM(capacity.busy_seconds), SUM(capacity.provisioned_seconds), 3600) AS BIGINT) AS busy_seconds,
    MIN(capacity.busy_basis) AS busy_basis,
    CAST(SUM(capacity.requests) AS BIGINT) AS requests,
    CAST(SUM(capacity.input_tokens) AS BIGINT) AS input_tokens,
    CAST(SUM(capacity.cache_read_tokens) AS BIGINT) AS cache_read_tokens,
    CAST(SUM(capacity.output_tokens) AS BIGINT) AS output_tokens,
    CAST(SUM(capacity.prefill_seconds) AS DECIMAL(18, 6)) AS prefill_seconds,
    CAST(SUM(capacity.decode_seconds) AS DECIMAL(18, 6)) AS decode_seconds,
    MAX(capacity.utilisation_share) AS utilisation_share,
    MAX(capacity.kv_cache_share) AS kv_cache_share
  FROM capacity
  INNER JOIN sources
    ON capacity.hour_start = sources.hour_start
    AND capacity.resource_key = sources.resource_key
    AND capacity.x_source = sources.x_source
    AND capacity.basis_rank = sources.basis_rank
    AND sources.source_rank = 1
  GROUP BY
    capacity.hour_start,
    capacity.resource_key,
    capacity.replica_key,
    capacity.x_source
)
SELECT
  merged.hour_start,
  merged.resource_id,
  merged.replica_key,
  merged.x_source,
  merged.provider,
  merged.account_id,
  merged.capacity_kind,
  merged.model,
  merged.zone,
  merged.provisioned_seconds,
  merged.provisioned_units,
  merged.busy_seconds,
  CAST(merged.provisioned_seconds - merged.busy_seconds AS BIGINT) AS idle_seconds,
  merged.busy_basis,
  merged.requests,
  merged.input_tokens,
  merged.cache_read_tokens,
  merged.output_tokens,
  merged.prefill_seconds,
  merged.decode_seconds,
  merged.utilisation_share,
  merged.kv_cache_share
FROM merged
