WITH source AS (
  SELECT
    *
  FROM lake.rate_cards
)
SELECT
  source.x_source,
  source.x_snapshot_id,
  source.resource_id,
  source.cost_kind,
  source.cost_per_hour,
  source.currency,
  source.valid_from,
  source.valid_to
FROM source
