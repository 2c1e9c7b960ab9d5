WITH source AS (
  SELECT
    *
  FROM lake.ledger_anomalies
)
SELECT
  source.run_id,
  source.anomaly_id,
  source.detected_at,
  source.started_date,
  source.ended_date,
  source.scope,
  source.feature,
  source.cost_driver,
  source.metric,
  source.expected,
  source.actual,
  source.impact_cost,
  source.currency,
  source.state,
  source.cause,
  source.proof
FROM source
