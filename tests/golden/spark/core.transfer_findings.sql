WITH unknown_workloads AS (
  SELECT
    COALESCE(transfers.from_workload_ref, transfers.to_workload_ref) AS workload_ref,
    MAX(transfers.charge_date) AS last_date,
    SUM(CAST(transfers.bytes AS DECIMAL(38, 0))) AS bytes
  FROM core.transfers AS transfers
  WHERE
    transfers.is_used
    AND transfers.feature IS NULL
    AND transfers.owner_id IS NULL
    AND NOT COALESCE(transfers.from_workload_ref, transfers.to_workload_ref) IS NULL
  GROUP BY
    COALESCE(transfers.from_workload_ref, transfers.to_workload_ref)
), ranked_workloads AS (
  SELECT
    unknown_workloads.*,
    ROW_NUMBER() OVER (
      ORDER BY unknown_workloads.bytes DESC, unknown_workloads.workload_ref ASC NULLS LAST
    ) AS workload_rank
  FROM unknown_workloads
), nameless_workloads AS (
  SELECT
    MAX(ranked_workloads.last_date) AS last_date,
    COUNT(*) AS workloads,
    SUM(ranked_workloads.bytes) AS bytes,
    MAX(
      CASE WHEN ranked_workloads.workload_rank = 1 THEN ranked_workloads.workload_ref END
    ) || COALESCE(
      ', ' || MAX(
        CASE WHEN ranked_workloads.workload_rank = 2 THEN ranked_workloads.workload_ref END
      ),
      ''
    ) || COALESCE(
      ', ' || MAX(
        CASE WHEN ranked_workloads.workload_rank = 3 THEN ranked_workloads.workload_ref END
      ),
      ''
    ) || COALESCE(
      ', ' || MAX(
        CASE WHEN ranked_workloads.workload_rank = 4 THEN ranked_workloads.workload_ref END
      ),
      ''
    ) || COALESCE(
      ', ' || MAX(
        CASE WHEN ranked_workloads.workload_rank = 5 THEN ranked_workloads.workload_ref END
      ),
      ''
    ) AS examples
  FROM ranked_workloads
), unplaced_bytes AS (
  SELECT
    transfers.provider,
    MAX(transfers.charge_date) AS last_date,
    COUNT(*) AS flows,
    SUM(CAST(transfers.bytes AS DECIMAL(38, 0))) AS bytes
  FROM core.transfers AS transfers
  WHERE
    transfers.is_used
    AND transfers.emitter_kind = 'flow_log'
    AND transfers.traffic_kind = 'other'
    AND NOT transfers.from_workload_ref IS NULL
    AND NOT transfers.to_workload_ref IS NULL
    AND (
      transfers.from_zone IS NULL OR transfers.to_zone IS NULL
    )
    AND transfers.from_workload_ref NOT LIKE '%:%'
    AND transfers.to_workload_ref NOT LIKE '%:%'
  GROUP BY
    transfers.provider
), overlapping_transfers AS (
  SELECT
    transfers.x_source,
    MAX(transfers.charge_date) AS last_date,
    COUNT(*) AS flows,
    SUM(CAST(transfers.bytes AS DECIMAL(38, 0))) AS bytes
  FROM core.transfers AS transfers
  WHERE
    NOT transfers.is_used
  GROUP BY
    transfers.x_source
)
SELECT
  'transfers' AS source,
  'unknown_workloads' AS kind,
  'warn' AS severity,
  CASE
    WHEN nameless_workloads.bytes >= 1000000000
    THEN CAST(CAST((
      (
        nameless_workloads.bytes
      ) - (
        (
          nameless_workloads.bytes
        ) % (
          CAST(1000000000 AS DECIMAL(38, 0))
        )
      )
    ) / (
      CAST(1000000000 AS DECIMAL(38, 0))
    ) AS DECIMAL(38, 0)) AS STRING) || ' GB'
    ELSE CAST(CAST(nameless_workloads.bytes AS DECIMAL(38, 0)) AS STRING) || ' bytes'
  END || ' of senders that no inventory knows, the largest: ' || nameless_workloads.examples || '. Their cost stands under unknown_workload; name them in a workload_files source, or list them by ' || 'an inventory.' AS message,
  nameless_workloads.last_date AS finding_date,
  CAST(nameless_workloads.workloads AS BIGINT) AS finding_count
FROM nameless_workloads
WHERE
  nameless_workloads.workloads > 0
UNION ALL
SELECT
  'transfers' AS source,
  'unknown_zone' AS kind,
  'info' AS severity,
  CASE
    WHEN unplaced_bytes.bytes >= 1000000000
    THEN CAST(CAST((
      (
        unplaced_bytes.bytes
      ) - (
        (
          unplaced_bytes.bytes
        ) % (
          CAST(1000000000 AS DECIMAL(38, 0))
        )
      )
    ) / (
      CAST(1000000000 AS DECIMAL(38, 0))
    ) AS DECIMAL(38, 0)) AS STRING) || ' GB'
    ELSE CAST(CAST(unplaced_bytes.bytes AS DECIMAL(38, 0)) AS STRING) || ' bytes'
  END || ' within ' || unplaced_bytes.provider || ' where the zone of an end is not known: they split no line between zones; ' || 'record flows of both ends with their zone, or list the addresses by an inventory.' AS message,
  unplaced_bytes.last_date AS finding_date,
  CAST(unplaced_bytes.flows AS BIGINT) AS finding_count
FROM unplaced_bytes
UNION ALL
SELECT
  COALESCE(overlapping_transfers.x_source, 'transfers') AS source,
  'overlapping_transfers' AS kind,
  'info' AS severity,
  CAST(CAST(overlapping_transfers.bytes AS DECIMAL(38, 0)) AS STRING) || ' bytes between zones that a source ranked higher reports too: these rows do not count; see is_used ' || 'in core.transfers.' AS message,
  overlapping_transfers.last_date AS finding_date,
  CAST(overlapping_transfers.flows AS BIGINT) AS finding_count
FROM overlapping_transfers
