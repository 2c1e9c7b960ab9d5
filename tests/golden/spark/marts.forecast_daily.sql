WITH forecasts AS (
  SELECT
    *
  FROM core.ledger_forecasts
), newest AS (
  SELECT
    MAX(forecast_made_at) AS forecast_made_at
  FROM forecasts
)
SELECT
  forecasts.forecast_made_at,
  forecasts.target_date,
  forecasts.scope,
  forecasts.feature,
  forecasts.cost_driver,
  forecasts.zone,
  forecasts.measure,
  forecasts.currency,
  forecasts.p05,
  forecasts.p10,
  forecasts.p25,
  forecasts.p50,
  forecasts.p75,
  forecasts.p90,
  forecasts.p95,
  forecasts.model_name,
  forecasts.model_version,
  forecasts.is_low_history
FROM forecasts
INNER JOIN newest
  ON forecasts.forecast_made_at = newest.forecast_made_at
