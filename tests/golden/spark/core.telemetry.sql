WITH telemetry AS (
  SELECT
    *
  FROM staging.telemetry
  WHERE
    window_start >= CAST(:start AS TIMESTAMP_NTZ)
    AND window_start < CAST(:end AS TIMESTAMP_NTZ)
), source_ranks AS (
  SELECT
    *
  FROM reference.source_ranks
), daily AS (
  SELECT
    CAST(telemetry.window_start AS DATE) AS charge_date,
    telemetry.provider,
    telemetry.signal,
    telemetry.workload_ref,
    COALESCE(telemetry.x_source, '') AS x_source,
    COALESCE(telemetry.account_id, '') AS account_key,
    CAST(SUM(telemetry.volume_bytes) AS DECIMAL(18, 0)) AS volume_bytes,
    CAST(SUM(telemetry.volume_count) AS DECIMAL(18, 0)) AS volume_count
  FROM telemetry
  GROUP BY
    CAST(telemetry.window_start AS DATE),
    telemetry.provider,
    telemetry.signal,
    telemetry.workload_ref,
    COALESCE(telemetry.x_source, ''),
    COALESCE(telemetry.account_id, '')
), sources AS (
  SELECT
    daily.charge_date,
    daily.provider,
    daily.signal,
    daily.workload_ref,
    daily.x_source,
    ROW_NUMBER() OVER (
      PARTITION BY daily.charge_date, daily.provider, daily.signal, daily.workload_ref
      ORDER BY COALESCE(source_ranks.source_rank, 1000000) NULLS LAST, daily.x_source NULLS LAST
    ) AS source_position
  FROM (
    SELECT
      charge_date,
      provider,
      signal,
      workload_ref,
      x_source
    FROM daily
    GROUP BY
      charge_date,
      provider,
      signal,
      workload_ref,
      x_source
  ) AS daily
  LEFT JOIN source_ranks
    ON daily.x_source = source_ranks.source
), sizes AS (
  SELECT
    daily.charge_date,
    daily.provider,
    daily.signal,
    SUM(daily.volume_bytes) AS known_bytes,
    SUM(daily.volume_count) AS known_count
  FROM daily
  WHERE
    daily.volume_bytes > 0 AND daily.volume_count > 0
  GROUP BY
    daily.charge_date,
    daily.provider,
    daily.signal
)
SELECT
  daily.charge_date,
  daily.provider,
  daily.signal,
  daily.workload_ref,
  daily.x_source,
  daily.account_key,
  CAST(daily.volume_bytes AS BIGINT) AS volume_bytes,
  CAST(daily.volume_count AS BIGINT) AS volume_count,
  CAST(COALESCE(
    daily.volume_bytes,
    CAST((
      (
        CAST(daily.volume_count AS DECIMAL(19, 0)) * CAST(sizes.known_bytes AS DECIMAL(18, 0))
      ) - (
        (
          CAST(daily.volume_count AS DECIMAL(19, 0)) * CAST(sizes.known_bytes AS DECIMAL(18, 0))
        ) % (
          CAST(sizes.known_count AS DECIMAL(18, 0))
        )
      )
    ) / (
      CAST(sizes.known_count AS DECIMAL(18, 0))
    ) AS DECIMAL(38, 0)),
    daily.volume_count,
    0
  ) AS BIGINT) AS weight,
  sources.source_position = 1 AS is_used
FROM daily
INNER JOIN sources
  ON daily.charge_date = sources.charge_date
  AND daily.provider = sources.provider
  AND daily.signal = sources.signal
  AND daily.workload_ref = sources.workload_ref
  AND daily.x_source = sources.x_source
LEFT JOIN sizes
  ON daily.charge_date = sizes.charge_date
  AND daily.provider = sizes.provider
  AND daily.signal = sizes.signal
