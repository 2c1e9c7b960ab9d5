WITH prices AS (
  SELECT
    *
  FROM staging.prices
), ranked AS (
  SELECT
    prices.price_id,
    prices.published_at,
    prices.valid_from,
    prices.valid_to,
    prices.provider,
    prices.model,
    prices.token_class,
    prices.service_tier,
    prices.context_min_tokens,
    prices.region_id,
    prices.time_of_day_start,
    prices.time_of_day_end,
    prices.price_per_mtok,
    prices.currency,
    prices.is_wrong_from_start,
    COALESCE(prices.price_rank, CASE WHEN prices.is_override THEN 1 ELSE 4 END) AS price_rank
  FROM prices
), lists AS (
  SELECT
    ranked.price_rank,
    ranked.provider,
    ranked.model,
    ranked.token_class,
    ranked.service_tier,
    COALESCE(ranked.region_id, CHR(  30)) AS region_key,
    ranked.published_at
  FROM ranked
  WHERE
    ranked.price_rank > 2
  GROUP BY
    ranked.price_rank,
    ranked.provider,
    ranked.model,
    ranked.token_class,
    ranked.service_tier,
    COALESCE(ranked.region_id, CHR(  30)),
    ranked.published_at
), stretches AS (
  SELECT
    lists.*,
    LAG(lists.published_at) OVER (
      PARTITION BY lists.price_rank, lists.provider, lists.model, lists.token_class, lists.service_tier, lists.region_key
      ORDER BY lists.published_at NULLS LAST
    ) AS previous_published_at,
    LEAD(lists.published_at) OVER (
      PARTITION BY lists.price_rank, lists.provider, lists.model, lists.token_class, lists.service_tier, lists.region_key
      ORDER BY lists.published_at NULLS LAST
    ) AS next_published_at
  FROM lists
)
SELECT
  ranked.price_id,
  ranked.published_at,
  CASE
    WHEN ranked.is_wrong_from_start
    THEN NULL
    WHEN ranked.price_rank <= 2
    THEN ranked.published_at
    WHEN stretches.previous_published_at IS NULL
    THEN NULL
    ELSE ranked.published_at
  END AS applies_from,
  stretches.next_published_at AS applies_to,
  ranked.valid_from,
  ranked.valid_to,
  ranked.provider,
  ranked.model,
  ranked.token_class,
  ranked.service_tier,
  ranked.context_min_tokens,
  ranked.region_id,
  ranked.time_of_day_start,
  ranked.time_of_day_end,
  ranked.price_per_mtok,
  ranked.currency,
  CAST(ranked.price_rank AS BIGINT) AS price_rank,
  ranked.is_wrong_from_start
FROM ranked
LEFT JOIN stretches
  ON ranked.price_rank = stretches.price_rank
  AND ranked.provider = stretches.provider
  AND ranked.model = stretches.model
  AND ranked.token_class = stretches.token_class
  AND ranked.service_tier = stretches.service_tier
  AND COALESCE(ranked.region_id, CHR(  30)) = stretches.region_key
  AND ranked.published_at = stretches.published_at
