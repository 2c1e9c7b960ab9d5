WITH transfers AS (
  SELECT
    moved.*,
    CASE WHEN moved.provider = 'gcp' THEN 'google' ELSE moved.provider END AS biller
  FROM core.transfers AS moved
  WHERE
    moved.charge_date >= :start
    AND moved.charge_date < :end
    AND moved.is_used
    AND NOT moved.provider IS NULL
), telemetry AS (
  SELECT
    written.*,
    CASE WHEN written.provider = 'gcp' THEN 'google' ELSE written.provider END AS biller
  FROM core.telemetry AS written
  WHERE
    written.charge_date >= :start AND written.charge_date < :end AND written.is_used
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
), zone_regions AS (
  SELECT
    zones.provider,
    zones.zone_id,
    MIN(zones.region_id) AS region_id
  FROM staging.zones AS zones
  WHERE
    NOT zones.zone_id IS NULL AND NOT zones.region_id IS NULL
  GROUP BY
    zones.provider,
    zones.zone_id
), sent AS (
  SELECT
    transfers.*,
    LOWER(transfers.account_id) AS origin_account_id,
    LOWER(zone_regions.region_id) AS origin_region_id,
    MIN(CASE WHEN transfers.account_id IS NULL THEN 0 ELSE 1 END) OVER (PARTITION BY transfers.charge_date, transfers.provider, transfers.traffic_kind) AS has_accounts,
    MIN(CASE WHEN zone_regions.region_id IS NULL THEN 0 ELSE 1 END) OVER (PARTITION BY transfers.charge_date, transfers.provider, transfers.traffic_kind) AS has_regions
  FROM transfers
  LEFT JOIN zone_regions
    ON transfers.provider = zone_regions.provider
    AND transfers.from_zone = zone_regions.zone_id
  WHERE
    transfers.traffic_kind IN ('internet', 'inter_region', 'nat', 'cdn', 'private_link')
), emitted AS (
  SELECT
    telemetry.charge_date,
    telemetry.biller,
    telemetry.workload_ref,
    telemetry.signal,
    telemetry.weight,
    workloads.feature,
    workloads.endpoint,
    workloads.team,
    workloads.environment
  FROM telemetry
  LEFT JOIN workloads
    ON telemetry.workload_ref = workloads.workload_ref
    AND NOT COALESCE(workloads.ref_kind, '') IN ('address', 'pod')
    AND (
      workloads.valid_from IS NULL
      OR CAST(workloads.valid_from AS DATE) <= telemetry.charge_date
    )
    AND (
      workloads.valid_to IS NULL
      OR workloads.valid_to > CAST(telemetry.charge_date AS TIMESTAMP_NTZ)
    )
    AND (
      workloads.next_valid_from IS NULL
      OR CAST(workloads.next_valid_from AS DATE) > telemetry.charge_date
    )
), measured AS (
  SELECT
    transfers.charge_date,
    'egress' || CHR(  31) || transfers.biller || CHR(  31) || transfers.traffic_kind || CHR(  31) || 'all' AS pool_key,
    transfers.owner_id,
    transfers.feature,
    transfers.endpoint,
    transfers.team,
    transfers.environment,
    transfers.from_zone,
    transfers.to_zone,
    transfers.bytes AS weight,
    transfers.bytes
  FROM transfers
  UNION ALL
  SELECT
    transfers.charge_date,
    'egress' || CHR(  31) || transfers.biller || CHR(  31) || transfers.traffic_kind || CHR(  31) || transfers.from_zone AS pool_key,
    transfers.owner_id,
    transfers.feature,
    transfers.endpoint,
    transfers.team,
    transfers.environment,
    transfers.from_zone,
    transfers.to_zone,
    transfers.bytes AS weight,
    transfers.bytes
  FROM transfers
  WHERE
    NOT transfers.from_zone IS NULL
  UNION ALL
  SELECT
    transfers.charge_date,
    'egress' || CHR(  31) || transfers.biller || CHR(  31) || transfers.traffic_kind || CHR(  31) || transfers.to_zone AS pool_key,
    transfers.owner_id,
    transfers.feature,
    transfers.endpoint,
    transfers.team,
    transfers.environment,
    transfers.from_zone,
    transfers.to_zone,
    transfers.bytes AS weight,
    CAST(0 AS BIGINT) AS bytes
  FROM transfers
  WHERE
    NOT transfers.to_zone IS NULL
    AND transfers.to_zone <> COALESCE(transfers.from_zone, '')
  UNION ALL
  SELECT
    sent.charge_date,
    'egress' || CHR(  31) || sent.biller || CHR(  31) || sent.traffic_kind || CHR(  31) || 'from ' || CASE WHEN sent.has_accounts = 1 THEN sent.origin_account_id ELSE '' END || '/' || CASE WHEN sent.has_regions = 1 THEN sent.origin_region_id ELSE '' END AS pool_key,
    sent.owner_id,
    sent.feature,
    sent.endpoint,
    sent.team,
    sent.environment,
    sent.from_zone,
    sent.to_zone,
    sent.bytes AS weight,
    sent.bytes
  FROM sent
  WHERE
    sent.has_accounts = 1 OR sent.has_regions = 1
  UNION ALL
  SELECT
    emitted.charge_date,
    'monitoring' || CHR(  31) || emitted.biller || CHR(  31) || emitted.workload_ref AS pool_key,
    CAST(NULL AS STRING) AS owner_id,
    emitted.feature,
    emitted.endpoint,
    emitted.team,
    emitted.environment,
    CAST(NULL AS STRING) AS from_zone,
    CAST(NULL AS STRING) AS to_zone,
    emitted.weight,
    CAST(0 AS BIGINT) AS bytes
  FROM emitted
  WHERE
    NOT emitted.workload_ref IS NULL
  UNION ALL
  SELECT
    emitted.charge_date,
    'monitoring' || CHR(  31) || emitted.biller || CHR(  31) || 'all' AS pool_key,
    CAST(NULL AS STRING) AS owner_id,
    emitted.feature,
    emitted.endpoint,
    emitted.team,
    emitted.environment,
    CAST(NULL AS STRING) AS from_zone,
    CAST(NULL AS STRING) AS to_zone,
    emitted.weight,
    CAST(0 AS BIGINT) AS bytes
  FROM emitted
  UNION ALL
  SELECT
    emitted.charge_date,
    'monitoring' || CHR(  31) || emitted.biller || CHR(  31) || emitted.workload_ref || CHR(  31) || emitted.signal AS pool_key,
    CAST(NULL AS STRING) AS owner_id,
    emitted.feature,
    emitted.endpoint,
    emitted.team,
    emitted.environment,
    CAST(NULL AS STRING) AS from_zone,
    CAST(NULL AS STRING) AS to_zone,
    emitted.weight,
    CAST(0 AS BIGINT) AS bytes
  FROM emitted
  WHERE
    NOT emitted.workload_ref IS NULL
  UNION ALL
  SELECT
    emitted.charge_date,
    'monitoring' || CHR(  31) || emitted.biller || CHR(  31) || 'all' || CHR(  31) || emitted.signal AS pool_key,
    CAST(NULL AS STRING) AS owner_id,
    emitted.feature,
    emitted.endpoint,
    emitted.team,
    emitted.environment,
    CAST(NULL AS STRING) AS from_zone,
    CAST(NULL AS STRING) AS to_zone,
    emitted.weight,
    CAST(0 AS BIGINT) AS bytes
  FROM emitted
), owned AS (
  SELECT
    measured.charge_date,
    measured.pool_key,
    measured.from_zone,
    measured.to_zone,
    measured.owner_id AS traced_owner_id,
    CASE WHEN measured.owner_id IS NULL THEN measured.feature END AS feature,
    CASE WHEN measured.owner_id IS NULL THEN measured.endpoint END AS endpoint,
    CASE WHEN measured.owner_id IS NULL THEN measured.team END AS team,
    CASE WHEN measured.owner_id IS NULL THEN measured.environment END AS environment,
    CAST(SUM(CAST(measured.weight AS DECIMAL(38, 0))) AS DECIMAL(38, 0)) AS weight,
    CAST(SUM(CAST(measured.bytes AS DECIMAL(38, 0))) AS DECIMAL(38, 0)) AS bytes
  FROM measured
  GROUP BY
    measured.charge_date,
    measured.pool_key,
    measured.from_zone,
    measured.to_zone,
    measured.owner_id,
    CASE WHEN measured.owner_id IS NULL THEN measured.feature END,
    CASE WHEN measured.owner_id IS NULL THEN measured.endpoint END,
    CASE WHEN measured.owner_id IS NULL THEN measured.team END,
    CASE WHEN measured.owner_id IS NULL THEN measured.environment END
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
    COALESCE(owned.traced_owner_id, cumulative_use.owner_id) AS usage_owner_id,
    CASE WHEN cumulative_use.owner_id IS NULL THEN owned.feature END AS feature,
    CASE WHEN cumulative_use.owner_id IS NULL THEN owned.endpoint END AS endpoint,
    CASE WHEN cumulative_use.owner_id IS NULL THEN owned.team END AS team,
    CASE WHEN cumulative_use.owner_id IS NULL THEN owned.environment END AS environment,
    CASE
      WHEN owned.feature IS NULL AND owned.traced_owner_id IS NULL
      THEN 'unknown_workload'
    END AS residual_reason,
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
