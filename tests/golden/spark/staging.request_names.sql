WITH source AS (
  SELECT
    *
  FROM lake.requests
)
SELECT
  source.started_at,
  source.provider,
  source.model
FROM source
