WITH usage AS (
  SELECT
    *
  FROM core.request_usage
  WHERE
    charge_date >= :start AND charge_date < :end
), names AS (
  SELECT
    *
  FROM core.model_names
), prices AS (
  SELECT
    *
  FROM core.dated_prices
), logged_segments AS (
  SELECT
    usage.charge_date,
    usage.provider,
    usage.model,
    usage.service_tier,
    usage.context_min_tokens,
    usage.time_of_day_start,
    usage.sub_account_id,
    usage.region_id
  FROM usage
  GROUP BY
    usage.charge_date,
    usage.provider,
    usage.model,
    usage.service_tier,
    usage.context_min_tokens,
    usage.time_of_day_start,
    usage.sub_account_id,
    usage.region_id
), named AS (
  SELECT
    logged_segments.*,
    names.provider AS priced_provider,
    names.model AS priced_model,
    CASE
      WHEN logged_segments.model IS NULL
      THEN 'no_model'
      WHEN names.matched_by = 'unmatched'
      THEN 'unknown_model'
    END AS name_problem,
    ROW_NUMBER() OVER (
      ORDER BY logged_segments.charge_date NULLS LAST, logged_segments.provider NULLS LAST, logged_segments.model NULLS LAST, logged_segments.service_tier NULLS LAST, logged_segments.context_min_tokens NULLS LAST, logged_segments.time_of_day_start NULLS LAST, logged_segments.sub_account_id NULLS LAST, logged_segments.region_id NULLS LAST
    ) AS segment_number
  FROM logged_segments
  LEFT JOIN names
    ON logged_segments.charge_date = names.charge_date
    AND COALESCE(logged_segments.provider, CHR(  30)) = COALESCE(names.logged_provider, CHR(  30))
    AND COALESCE(logged_segments.model, CHR(  30)) = COALESCE(names.logged_model, CHR(  30))
), token_classes AS (
  SELECT
    'uncached_input_tokens' AS token_class,
    'uncached_audio_tokens' AS audio_class,
    'uncached_image_tokens' AS image_class
  UNION ALL
  SELECT
    'cache_read_tokens' AS token_class,
    'cache_read_audio_tokens' AS audio_class,
    'cache_read_image_tokens' AS image_class
  UNION ALL
  SELECT
    'cache_write_5m_tokens' AS token_class,
    NULL AS audio_class,
    NULL AS image_class
  UNION ALL
  SELECT
    'cache_write_1h_tokens' AS token_class,
    NULL AS audio_class,
    NULL AS image_class
  UNION ALL
  SELECT
    'output_tokens' AS token_class,
    'output_audio_tokens' AS audio_class,
    'output_image_tokens' AS image_class
), priced_segments AS (
  SELECT
    named.charge_date,
    named.priced_provider AS provider,
    named.priced_model AS model,
    named.service_tier,
    named.context_min_tokens,
    named.time_of_day_start,
    named.region_id,
    CAST(CAST(named.charge_date AS STRING) || ' ' || COALESCE(named.time_of_day_start, '00:00') || ':00' AS TIMESTAMP_NTZ) AS priced_at
  FROM named
  WHERE
    NOT named.priced_model IS NULL
  GROUP BY
    named.charge_date,
    named.priced_provider,
    named.priced_model,
    named.service_tier,
    named.context_min_tokens,
    named.time_of_day_start,
    named.region_id
), price_candidates AS (
  SELECT
    segments.*,
    prices.token_class,
    prices.price_id,
    prices.price_per_mtok,
    prices.currency,
    ROW_NUMBER() OVER (
      PARTITION BY segments.charge_date, segments.provider, segments.model, prices.token_class, segments.service_tier, segments.context_min_tokens, segments.time_of_day_start, segments.region_id
      ORDER BY prices.price_rank ASC NULLS LAST, CASE WHEN prices.region_id IS NULL THEN 1 ELSE 0 END ASC NULLS LAST, prices.published_at DESC, prices.context_min_tokens DESC, prices.price_id ASC NULLS LAST
    ) AS candidate_rank
  FROM priced_segments AS segments
  INNER JOIN prices
    ON segments.provider = prices.provider
    AND segments.model = prices.model
    AND segments.service_tier = prices.service_tier
    AND segments.context_min_tokens >= prices.context_min_tokens
    AND (
      prices.region_id IS NULL OR segments.region_id = prices.region_id
    )
    AND (
      prices.applies_from IS NULL OR segments.priced_at >= prices.applies_from
    )
    AND (
      prices.applies_to IS NULL OR segments.priced_at < prices.applies_to
    )
    AND (
      prices.valid_from IS NULL OR segments.priced_at >= prices.valid_from
    )
    AND (
      prices.valid_to IS NULL OR segments.priced_at < prices.valid_to
    )
    AND (
      prices.time_of_day_start IS NULL
      OR (
        segments.time_of_day_start >= prices.time_of_day_start
        AND segments.time_of_day_start < prices.time_of_day_end
      )
    )
), chosen AS (
  SELECT
    price_candidates.*,
    CAST(CAST(price_candidates.price_per_mtok AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(18, 0)) AS price_units
  FROM price_candidates
  WHERE
    price_candidates.candidate_rank = 1
), segment_classes AS (
  SELECT
    named.*,
    token_classes.token_class,
    token_classes.audio_class,
    token_classes.image_class,
    COALESCE(named.priced_provider, CHR(  30)) || CHR(  31) || COALESCE(named.priced_model, CHR(  30)) || CHR(  31) || token_classes.token_class || CHR(  31) || named.service_tier || CHR(  31) || COALESCE(CAST(named.context_min_tokens AS STRING), CHR(  30)) || CHR(  31) || COALESCE(named.sub_account_id, CHR(  30)) || CHR(  31) || COALESCE(named.region_id, CHR(  30)) AS segment_key
  FROM named
  CROSS JOIN token_classes
), segment_prices AS (
  SELECT
    segment_classes.*,
    chosen.price_id,
    chosen.price_units,
    chosen.currency,
    audio_prices.price_id AS audio_price_id,
    image_prices.price_id AS image_price_id,
    COALESCE(audio_prices.price_units, chosen.price_units) AS audio_price_units,
    COALESCE(image_prices.price_units, chosen.price_units) AS image_price_units
  FROM segment_classes
  LEFT JOIN chosen
    ON segment_classes.charge_date = chosen.charge_date
    AND segment_classes.priced_provider = chosen.provider
    AND segment_classes.priced_model = chosen.model
    AND segment_classes.token_class = chosen.token_class
    AND segment_classes.service_tier = chosen.service_tier
    AND segment_classes.context_min_tokens = chosen.context_min_tokens
    AND COALESCE(segment_classes.time_of_day_start, CHR(  30)) = COALESCE(chosen.time_of_day_start, CHR(  30))
    AND COALESCE(segment_classes.region_id, CHR(  30)) = COALESCE(chosen.region_id, CHR(  30))
  LEFT JOIN chosen AS audio_prices
    ON segment_classes.charge_date = audio_prices.charge_date
    AND segment_classes.priced_provider = audio_prices.provider
    AND segment_classes.priced_model = audio_prices.model
    AND segment_classes.audio_class = audio_prices.token_class
    AND segment_classes.service_tier = audio_prices.service_tier
    AND segment_classes.context_min_tokens = audio_prices.context_min_tokens
    AND COALESCE(segment_classes.time_of_day_start, CHR(  30)) = COALESCE(audio_prices.time_of_day_start, CHR(  30))
    AND COALESCE(segment_classes.region_id, CHR(  30)) = COALESCE(audio_prices.region_id, CHR(  30))
  LEFT JOIN chosen AS image_prices
    ON segment_classes.charge_date = image_prices.charge_date
    AND segment_classes.priced_provider = image_prices.provider
    AND segment_classes.priced_model = image_prices.model
    AND segment_classes.image_class = image_prices.token_class
    AND segment_classes.service_tier = image_prices.service_tier
    AND segment_classes.context_min_tokens = image_prices.context_min_tokens
    AND COALESCE(segment_classes.time_of_day_start, CHR(  30)) = COALESCE(image_prices.time_of_day_start, CHR(  30))
    AND COALESCE(segment_classes.region_id, CHR(  30)) = COALESCE(image_prices.region_id, CHR(  30))
), numbered AS (
  SELECT
    usage.*,
    named.segment_number,
    CASE
      WHEN usage.output_tokens > 0
      THEN 'output_tokens'
      WHEN usage.uncached_input_tokens > 0
      THEN 'uncached_input_tokens'
      WHEN usage.cache_read_tokens > 0
      THEN 'cache_read_tokens'
      WHEN usage.cache_write_5m_tokens > 0
      THEN 'cache_write_5m_tokens'
      WHEN usage.cache_write_1h_tokens > 0
      THEN 'cache_write_1h_tokens'
      ELSE 'output_tokens'
    END AS requests_class
  FROM usage
  INNER JOIN named
    ON usage.charge_date = named.charge_date
    AND COALESCE(usage.provider, CHR(  30)) = COALESCE(named.provider, CHR(  30))
    AND COALESCE(usage.model, CHR(  30)) = COALESCE(named.model, CHR(  30))
    AND COALESCE(usage.service_tier, CHR(  30)) = COALESCE(named.service_tier, CHR(  30))
    AND COALESCE(usage.context_min_tokens, -1) = COALESCE(named.context_min_tokens, -1)
    AND COALESCE(usage.time_of_day_start, CHR(  30)) = COALESCE(named.time_of_day_start, CHR(  30))
    AND COALESCE(usage.sub_account_id, CHR(  30)) = COALESCE(named.sub_account_id, CHR(  30))
    AND COALESCE(usage.region_id, CHR(  30)) = COALESCE(named.region_id, CHR(  30))
), crossed AS (
  SELECT
    numbered.usage_id,
    numbered.charge_date,
    numbered.owner_id,
    numbered.from_zone,
    numbered.to_zone,
    numbered.segment_number,
    token_classes.token_class,
    CASE token_classes.token_class
      WHEN 'uncached_input_tokens'
      THEN numbered.uncached_input_tokens
      WHEN 'cache_read_tokens'
      THEN numbered.cache_read_tokens
      WHEN 'cache_write_5m_tokens'
      THEN numbered.cache_write_5m_tokens
      WHEN 'cache_write_1h_tokens'
      THEN numbered.cache_write_1h_tokens
      ELSE numbered.output_tokens
    END AS quantity_tokens,
    CASE token_classes.token_class
      WHEN 'uncached_input_tokens'
      THEN COALESCE(numbered.uncached_audio_tokens, 0)
      WHEN 'cache_read_tokens'
      THEN COALESCE(numbered.cache_read_audio_tokens, 0)
      WHEN 'output_tokens'
      THEN COALESCE(numbered.output_audio_tokens, 0)
      ELSE 0
    END AS audio_tokens,
    CASE token_classes.token_class
      WHEN 'uncached_input_tokens'
      THEN COALESCE(numbered.uncached_image_tokens, 0)
      WHEN 'cache_read_tokens'
      THEN COALESCE(numbered.cache_read_image_tokens, 0)
      WHEN 'output_tokens'
      THEN COALESCE(numbered.output_image_tokens, 0)
      ELSE 0
    END AS image_tokens,
    CASE
      WHEN token_classes.token_class = numbered.requests_class
      THEN numbered.requests
      ELSE 0
    END AS requests,
    CASE
      WHEN token_classes.token_class = numbered.requests_class
      THEN numbered.web_searches
      ELSE 0
    END AS web_searches,
    token_classes.token_class = numbered.requests_class AS is_requests_class
  FROM numbered
  CROSS JOIN token_classes
), by_class AS (
  SELECT
    *
  FROM crossed
  WHERE
    crossed.quantity_tokens > 0 OR crossed.is_requests_class
)
SELECT
  by_class.charge_date,
  by_class.usage_id,
  by_class.token_class,
  by_class.owner_id,
  segment_prices.priced_provider AS provider,
  segment_prices.priced_model AS model,
  segment_prices.service_tier,
  segment_prices.context_min_tokens,
  segment_prices.time_of_day_start,
  segment_prices.sub_account_id,
  segment_prices.region_id,
  by_class.from_zone,
  by_class.to_zone,
  segment_prices.segment_key,
  CAST(by_class.quantity_tokens AS BIGINT) AS quantity_tokens,
  CAST(by_class.requests AS BIGINT) AS requests,
  CAST(COALESCE(by_class.web_searches, 0) AS BIGINT) AS web_searches,
  segment_prices.price_id,
  CASE WHEN by_class.audio_tokens > 0 THEN segment_prices.audio_price_id END AS audio_price_id,
  CASE WHEN by_class.image_tokens > 0 THEN segment_prices.image_price_id END AS image_price_id,
  CAST(CAST(CAST((
    (
      2 * (
        CAST(by_class.quantity_tokens - by_class.audio_tokens - by_class.image_tokens AS DECIMAL(18, 0)) * CAST(segment_prices.price_units AS DECIMAL(19, 0)) + CAST(by_class.audio_tokens AS DECIMAL(18, 0)) * CAST(segment_prices.audio_price_units AS DECIMAL(19, 0)) + CAST(by_class.image_tokens AS DECIMAL(18, 0)) * CAST(segment_prices.image_price_units AS DECIMAL(19, 0))
      ) + 1000000
    ) - (
      (
        2 * (
          CAST(by_class.quantity_tokens - by_class.audio_tokens - by_class.image_tokens AS DECIMAL(18, 0)) * CAST(segment_prices.price_units AS DECIMAL(19, 0)) + CAST(by_class.audio_tokens AS DECIMAL(18, 0)) * CAST(segment_prices.audio_price_units AS DECIMAL(19, 0)) + CAST(by_class.image_tokens AS DECIMAL(18, 0)) * CAST(segment_prices.image_price_units AS DECIMAL(19, 0))
        ) + 1000000
      ) % (
        2000000
      )
    )
  ) / (
    2000000
  ) AS DECIMAL(38, 0)) AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS list_cost,
  segment_prices.currency AS list_cost_currency,
  CASE
    WHEN NOT segment_prices.name_problem IS NULL
    THEN segment_prices.name_problem
    WHEN segment_prices.price_id IS NULL
    THEN 'no_price'
  END AS unpriced_reason
FROM by_class
INNER JOIN segment_prices
  ON by_class.segment_number = segment_prices.segment_number
  AND by_class.token_class = segment_prices.token_class
