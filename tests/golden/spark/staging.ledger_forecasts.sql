WITH source AS (
  SELECT
    *
  FROM lake.ledger_forecasts
)
SELECT
  source.run_id,
  source.forecast_made_at,
  source.target_date,
  source.scope,
  source.feature,
  source.cost_driver,
  source.zone,
  source.measure,
  source.currency,
  source.p05,
  source.p10,
  source.p25,
  source.p50,
  source.p75,
  source.p90,
  source.p95,
  source.model_name,
  source.model_version,
  source.is_low_history
FROM source
