WITH source AS (
  SELECT
    *
  FROM lake.source_days
)
SELECT
  source.source,
  source.dataset,
  source.date,
  source.rows
FROM source
