WITH source AS (
  SELECT
    *
  FROM staging.ledger_budget_forecasts
)
SELECT
  source.run_id,
  source.forecast_made_at,
  source.budget_id,
  source.period_start,
  source.currency,
  source.forecast_p10,
  source.forecast_p50,
  source.forecast_p90,
  source.overrun_probability,
  source.overrun_date
FROM source
