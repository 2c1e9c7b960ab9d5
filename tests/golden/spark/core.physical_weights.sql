WITH transfers AS (
  SELECT
    *
  FROM staging.transfers
  WHERE
    window_start >= CAST(:start AS TIMESTAMP_NTZ)
    AND window_start < CAST(:end AS TIMESTAMP_NTZ)
), telemetry AS (
  SELECT
    *
  FROM staging.telemetry
  WHERE
    window_start >= CAST(:start AS TIMESTAMP_NTZ)
    AND window_start < CAST(:end AS TIMESTAMP_NTZ)
), usage AS (
  SELECT
    *
  FROM core.request_usage
  WHERE
    charge_date >= :start AND charge_date < :end
), workloads AS (
  SELECT
    *
  FROM staging.workloads
), zone_ids AS (
  SELECT
    zones.provider,
    zones.account_id,
    zones.zone_name,
    MIN(zones.zone_id) AS zone_id
  FROM staging.zones AS zones
  WHERE
    NOT zones.zone_name IS NULL
  GROUP BY
    zones.provider,
    zones.account_id,
    zones.zone_name
), flows AS (
  SELECT
    CAST(transfers.window_start AS DATE) AS charge_date,
    transfers.provider,
    transfers.traffic_kind,
    COALESCE(transfers.from_workload_ref, transfers.to_workload_ref) AS workload_ref,
    transfers.to_workload_ref AS other_workload_ref,
    COALESCE(sending.zone_id, transfers.from_zone) AS from_zone,
    COALESCE(receiving.zone_id, transfers.to_zone) AS to_zone,
    transfers.bytes
  FROM transfers
  LEFT JOIN zone_ids AS sending
    ON transfers.provider = sending.provider
    AND transfers.account_id = sending.account_id
    AND transfers.from_zone = sending.zone_name
  LEFT JOIN zone_ids AS receiving
    ON transfers.provider = receiving.provider
    AND transfers.account_id = receiving.account_id
    AND transfers.to_zone = receiving.zone_name
), measured AS (
  SELECT
    flows.charge_date,
    'egress' || CHR(  31) || flows.provider || CHR(  31) || flows.traffic_kind || CHR(  31) || 'all' AS pool_key,
    flows.workload_ref,
    flows.other_workload_ref,
    flows.from_zone,
    flows.to_zone,
    flows.bytes AS weight,
    flows.bytes
  FROM flows
  UNION ALL
  SELECT
    flows.charge_date,
    'egress' || CHR(  31) || flows.provider || CHR(  31) || flows.traffic_kind || CHR(  31) || flows.from_zone AS pool_key,
    flows.workload_ref,
    flows.other_workload_ref,
    flows.from_zone,
    flows.to_zone,
    flows.bytes AS weight,
    flows.bytes
  FROM flows
  WHERE
    NOT flows.from_zone IS NULL
  UNION ALL
  SELECT
    flows.charge_date,
    'egress' || CHR(  31) || flows.provider || CHR(  31) || flows.traffic_kind || CHR(  31) || flows.to_zone AS pool_key,
    flows.workload_ref,
    flows.other_workload_ref,
    flows.from_zone,
    flows.to_zone,
    flows.bytes AS weight,
    CAST(0 AS BIGINT) AS bytes
  FROM flows
  WHERE
    NOT flows.to_zone IS NULL AND flows.to_zone <> COALESCE(flows.from_zone, '')
  UNION ALL
  SELECT
    CAST(telemetry.window_start AS DATE) AS charge_date,
    'monitoring' || CHR(  31) || telemetry.provider || CHR(  31) || telemetry.workload_ref AS pool_key,
    telemetry.workload_ref,
    CAST(NULL AS STRING) AS other_workload_ref,
    CAST(NULL AS STRING) AS from_zone,
    CAST(NULL AS STRING) AS to_zone,
    telemetry.volume_bytes AS weight,
    CAST(0 AS BIGINT) AS bytes
  FROM telemetry
  WHERE
    NOT telemetry.workload_ref IS NULL
  UNION ALL
  SELECT
    CAST(telemetry.window_start AS DATE) AS charge_date,
    'monitoring' || CHR(  31) || telemetry.provider || CHR(  31) || 'all' AS pool_key,
    telemetry.workload_ref,
    CAST(NULL AS STRING) AS other_workload_ref,
    CAST(NULL AS STRING) AS from_zone,
    CAST(NULL AS STRING) AS to_zone,
    telemetry.volume_bytes AS weight,
    CAST(0 AS BIGINT) AS bytes
  FROM telemetry
), owned AS (
  SELECT
    measured.charge_date,
    measured.pool_key,
    measured.from_zone,
    measured.to_zone,
    COALESCE(sender.feature, receiver.feature) AS feature,
    CASE WHEN sender.feature IS NULL THEN receiver.endpoint ELSE sender.endpoint END AS endpoint,
    CASE WHEN sender.feature IS NULL THEN receiver.team ELSE sender.team END AS team,
    CASE
      WHEN sender.feature IS NULL
      THEN receiver.environment
      ELSE sender.environment
    END AS environment,
    CAST(SUM(CAST(measured.weight AS DECIMAL(38, 0))) AS DECIMAL(38, 0)) AS weight,
    CAST(SUM(CAST(measured.bytes AS DECIMAL(38, 0))) AS DECIMAL(38, 0)) AS bytes
  FROM measured
  LEFT JOIN workloads AS sender
    ON measured.workload_ref = sender.workload_ref
    AND (
      sender.valid_from IS NULL
      OR CAST(sender.valid_from AS DATE) <= measured.charge_date
    )
    AND (
      sender.valid_to IS NULL OR CAST(sender.valid_to AS DATE) > measured.charge_date
    )
  LEFT JOIN workloads AS receiver
    ON measured.other_workload_ref = receiver.workload_ref
    AND (
      receiver.valid_from IS NULL
      OR CAST(receiver.valid_from AS DATE) <= measured.charge_date
    )
    AND (
      receiver.valid_to IS NULL
      OR CAST(receiver.valid_to AS DATE) > measured.charge_date
    )
  GROUP BY
    measured.charge_date,
    measured.pool_key,
    measured.from_zone,
    measured.to_zone,
    COALESCE(sender.feature, receiver.feature),
    CASE WHEN sender.feature IS NULL THEN receiver.endpoint ELSE sender.endpoint END,
    CASE WHEN sender.feature IS NULL THEN receiver.team ELSE sender.team END,
    CASE
      WHEN sender.feature IS NULL
      THEN receiver.environment
      ELSE sender.environment
    END
), feature_use AS (
  SELECT
    usage.charge_date,
    usage.feature,
    usage.owner_id,
    CAST(SUM(
      CAST(usage.uncached_input_tokens + usage.cache_read_tokens + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens + usage.output_tokens AS DECIMAL(38, 0))
    ) AS DECIMAL(15, 0)) AS used_tokens
  FROM usage
  WHERE
    NOT usage.feature IS NULL
  GROUP BY
    usage.charge_date,
    usage.feature,
    usage.owner_id
), cumulative_use AS (
  SELECT
    feature_use.*,
    CAST(SUM(feature_use.used_tokens) OVER (
      PARTITION BY feature_use.charge_date, feature_use.feature
      ORDER BY feature_use.owner_id NULLS LAST
      rows BETWEEN UNBOUNDED preceding AND CURRENT ROW
    ) AS DECIMAL(15, 0)) AS until_tokens,
    CAST(SUM(feature_use.used_tokens) OVER (PARTITION BY feature_use.charge_date, feature_use.feature) AS DECIMAL(15, 0)) AS total_tokens
  FROM feature_use
  WHERE
    feature_use.used_tokens > 0
), shared AS (
  SELECT
    owned.charge_date,
    owned.pool_key,
    owned.from_zone,
    owned.to_zone,
    cumulative_use.owner_id AS usage_owner_id,
    CASE WHEN cumulative_use.owner_id IS NULL THEN owned.feature END AS feature,
    CASE WHEN cumulative_use.owner_id IS NULL THEN owned.endpoint END AS endpoint,
    CASE WHEN cumulative_use.owner_id IS NULL THEN owned.team END AS team,
    CASE WHEN cumulative_use.owner_id IS NULL THEN owned.environment END AS environment,
    CASE WHEN owned.feature IS NULL THEN 'unknown_workload' END AS residual_reason,
    CASE
      WHEN cumulative_use.owner_id IS NULL
      THEN owned.weight
      ELSE CAST((
        (
          CAST(owned.weight AS DECIMAL(22, 0)) * cumulative_use.until_tokens
        ) - (
          (
            CAST(owned.weight AS DECIMAL(22, 0)) * cumulative_use.until_tokens
          ) % (
            cumulative_use.total_tokens
          )
        )
      ) / (
        cumulative_use.total_tokens
      ) AS DECIMAL(38, 0)) - CAST((
        (
          CAST(owned.weight AS DECIMAL(22, 0)) * (
            cumulative_use.until_tokens - cumulative_use.used_tokens
          )
        ) - (
          (
            CAST(owned.weight AS DECIMAL(22, 0)) * (
              cumulative_use.until_tokens - cumulative_use.used_tokens
            )
          ) % (
            cumulative_use.total_tokens
          )
        )
      ) / (
        cumulative_use.total_tokens
      ) AS DECIMAL(38, 0))
    END AS weight,
    CASE
      WHEN cumulative_use.owner_id IS NULL
      THEN owned.bytes
      ELSE CAST((
        (
          CAST(owned.bytes AS DECIMAL(22, 0)) * cumulative_use.until_tokens
        ) - (
          (
            CAST(owned.bytes AS DECIMAL(22, 0)) * cumulative_use.until_tokens
          ) % (
            cumulative_use.total_tokens
          )
        )
      ) / (
        cumulative_use.total_tokens
      ) AS DECIMAL(38, 0)) - CAST((
        (
          CAST(owned.bytes AS DECIMAL(22, 0)) * (
            cumulative_use.until_tokens - cumulative_use.used_tokens
          )
        ) - (
          (
            CAST(owned.bytes AS DECIMAL(22, 0)) * (
              cumulative_use.until_tokens - cumulative_use.used_tokens
            )
          ) % (
            cumulative_use.total_tokens
          )
        )
      ) / (
        cumulative_use.total_tokens
      ) AS DECIMAL(38, 0))
    END AS bytes
  FROM owned
  LEFT JOIN cumulative_use
    ON owned.charge_date = cumulative_use.charge_date
    AND owned.feature = cumulative_use.feature
), grouped AS (
  SELECT
    shared.charge_date,
    shared.pool_key,
    shared.from_zone,
    shared.to_zone,
    shared.usage_owner_id,
    shared.feature,
    shared.endpoint,
    shared.team,
    shared.environment,
    shared.residual_reason,
    SUM(shared.weight) AS weight,
    SUM(shared.bytes) AS bytes
  FROM shared
  GROUP BY
    shared.charge_date,
    shared.pool_key,
    shared.from_zone,
    shared.to_zone,
    shared.usage_owner_id,
    shared.feature,
    shared.endpoint,
    shared.team,
    shared.environment,
    shared.residual_reason
), digested AS (
  SELECT
    grouped.*,
    COALESCE(
      grouped.usage_owner_id,
      MD5(
        CHR(  30) || CHR(  31) || CHR(  30) || CHR(  31) || CHR(  30) || CHR(  31) || COALESCE(grouped.team, CHR(  30)) || CHR(  31) || COALESCE(grouped.feature, CHR(  30)) || CHR(  31) || COALESCE(grouped.endpoint, CHR(  30)) || CHR(  31) || CHR(  30) || CHR(  31) || CHR(  30) || CHR(  31) || CHR(  30) || CHR(  31) || COALESCE(grouped.environment, CHR(  30))
      )
    ) AS owner_id
  FROM grouped
)
SELECT
  digested.charge_date,
  digested.pool_key,
  MD5(
    digested.owner_id || CHR(  31) || COALESCE(digested.from_zone, CHR(  30)) || CHR(  31) || COALESCE(digested.to_zone, CHR(  30)) || CHR(  31) || COALESCE(digested.residual_reason, CHR(  30))
  ) AS weight_id,
  digested.owner_id,
  digested.feature,
  digested.endpoint,
  digested.team,
  digested.environment,
  digested.from_zone,
  digested.to_zone,
  digested.residual_reason,
  CAST(digested.weight AS BIGINT) AS weight,
  CAST(digested.bytes AS BIGINT) AS bytes
FROM digested
