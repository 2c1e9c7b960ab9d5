WITH source AS (
  SELECT
    *
  FROM lake.fx_rates
)
SELECT
  source.from_currency,
  source.to_currency,
  source.rate_date,
  source.rate,
  source.rate_source
FROM source
