WITH source AS (
  SELECT
    *
  FROM lake.prices
)
SELECT
  source.price_id,
  source.snapshot_id,
  source.published_at,
  source.valid_from,
  source.valid_to,
  source.provider,
  source.model,
  source.token_class,
  source.service_tier,
  source.context_min_tokens,
  source.region_id,
  source.time_of_day_start,
  source.time_of_day_end,
  source.price_per_mtok,
  source.currency,
  source.price_rank,
  source.is_override,
  source.is_wrong_from_start,
  source.price_source
FROM source
