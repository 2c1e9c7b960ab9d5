WITH capacity AS (
  SELECT
    *
  FROM staging.capacity
  WHERE
    hour_start >= CAST(:start AS TIMESTAMP_NTZ)
    AND hour_start < CAST(:end AS TIMESTAMP_NTZ)
)
SELECT
  capacity.hour_start,
  capacity.x_source,
  capacity.provider,
  capacity.resource_id,
  MAX(capacity.capacity_kind) AS capacity_kind,
  MAX(capacity.model) AS model,
  MAX(capacity.zone) AS zone,
  CAST(SUM(capacity.provisioned_seconds) AS BIGINT) AS provisioned_seconds,
  CAST(SUM(capacity.busy_seconds) AS BIGINT) AS busy_seconds,
  CAST(SUM(capacity.provisioned_seconds) - SUM(capacity.busy_seconds) AS BIGINT) AS idle_seconds
FROM capacity
GROUP BY
  capacity.hour_start,
  capacity.x_source,
  capacity.provider,
  capacity.resource_id
