WITH source AS (
  SELECT
    *
  FROM staging.deliveries
)
SELECT
  source.source,
  source.dataset,
  source.scope,
  source.period,
  source.snapshot_id,
  source.delivered_at,
  source.fetched_at,
  source.rows,
  source.is_current
FROM source
