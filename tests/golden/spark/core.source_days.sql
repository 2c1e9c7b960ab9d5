WITH source AS (
  SELECT
    *
  FROM staging.source_days
)
SELECT
  source.source,
  source.dataset,
  source.date,
  source.rows
FROM source
