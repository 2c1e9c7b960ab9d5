WITH source AS (
  SELECT
    *
  FROM lake.source_status
)
SELECT
  source.source,
  source.connector,
  source.dataset,
  source.state,
  source.last_delivered_at,
  source.first_date,
  source.last_date,
  source.rows,
  source.age_hours
FROM source
