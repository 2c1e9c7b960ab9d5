WITH costs AS (
  SELECT
    *
  FROM marts.cost_daily
  WHERE
    charge_date >= :start
    AND charge_date < :end
    AND cost_driver = 'egress'
    AND COALESCE(charge_category, '') <> 'Tax'
), transfers AS (
  SELECT
    *
  FROM core.transfers
  WHERE
    charge_date >= :start AND charge_date < :end AND is_used
), pairs AS (
  SELECT
    costs.charge_date,
    costs.provider,
    costs.traffic_kind,
    costs.from_zone,
    costs.to_zone,
    CAST(0 AS BIGINT) AS bytes,
    costs.billed_cost_reporting,
    costs.effective_cost_reporting,
    CASE
      WHEN costs.cost_state = 'estimated'
      THEN costs.effective_cost_reporting
      ELSE 0
    END AS estimated_cost,
    CASE
      WHEN NOT costs.residual_reason IS NULL
      THEN costs.effective_cost_reporting
      ELSE 0
    END AS unattributed_cost,
    CAST(NULL AS BIGINT) AS round_trips_count,
    CAST(NULL AS DECIMAL(18, 6)) AS min_round_trip_seconds
  FROM costs
  UNION ALL
  SELECT
    transfers.charge_date,
    CASE WHEN transfers.provider = 'gcp' THEN 'google' ELSE transfers.provider END AS provider,
    transfers.traffic_kind,
    transfers.from_zone,
    transfers.to_zone,
    transfers.bytes,
    CAST(NULL AS DECIMAL(38, 12)) AS billed_cost_reporting,
    CAST(NULL AS DECIMAL(38, 12)) AS effective_cost_reporting,
    CAST(0 AS DECIMAL(38, 12)) AS estimated_cost,
    CAST(0 AS DECIMAL(38, 12)) AS unattributed_cost,
    transfers.round_trips_count,
    transfers.min_round_trip_seconds
  FROM transfers
), summed AS (
  SELECT
    pairs.charge_date,
    pairs.provider,
    pairs.traffic_kind,
    pairs.from_zone,
    pairs.to_zone,
    SUM(pairs.bytes) AS bytes,
    SUM(pairs.billed_cost_reporting) AS billed_cost_reporting,
    SUM(pairs.effective_cost_reporting) AS effective_cost_reporting,
    SUM(pairs.estimated_cost) AS estimated_cost,
    SUM(pairs.unattributed_cost) AS unattributed_cost,
    SUM(pairs.round_trips_count) AS round_trips_count,
    MIN(pairs.min_round_trip_seconds) AS min_round_trip_seconds
  FROM pairs
  GROUP BY
    pairs.charge_date,
    pairs.provider,
    pairs.traffic_kind,
    pairs.from_zone,
    pairs.to_zone
)
SELECT
  summed.charge_date,
  summed.provider,
  summed.traffic_kind,
  summed.from_zone,
  summed.to_zone,
  CAST(summed.bytes AS BIGINT) AS bytes,
  CAST(summed.billed_cost_reporting AS DECIMAL(38, 12)) AS billed_cost_reporting,
  CAST(summed.effective_cost_reporting AS DECIMAL(38, 12)) AS effective_cost_reporting,
  CAST(summed.estimated_cost AS DECIMAL(38, 12)) AS estimated_cost,
  CAST(summed.unattributed_cost AS DECIMAL(38, 12)) AS unattributed_cost,
  CASE
    WHEN summed.bytes > 0
    THEN CAST(CAST(CAST((
      (
        CAST(CAST(summed.effective_cost_reporting AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) * CAST(1000000000 AS DECIMAL(10, 0))
      ) - (
        (
          CAST(CAST(summed.effective_cost_reporting AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) * CAST(1000000000 AS DECIMAL(10, 0))
        ) % (
          summed.bytes
        )
      )
    ) / (
      summed.bytes
    ) AS DECIMAL(38, 0)) AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12))
  END AS cost_per_gb,
  CAST(summed.round_trips_count AS BIGINT) AS round_trips_count,
  summed.min_round_trip_seconds,
  CAST(:reporting_currency AS STRING) AS reporting_currency
FROM summed
