WITH requests AS (
  SELECT
    reports.started_at,
    reports.provider,
    reports.model
  FROM staging.request_names AS reports
  WHERE
    reports.started_at >= CAST(:start AS TIMESTAMP_NTZ)
    AND reports.started_at < CAST(:end AS TIMESTAMP_NTZ)
  UNION ALL
  SELECT
    attempts.started_at,
    attempts.provider,
    attempts.model
  FROM staging.shared_attempts AS attempts
  WHERE
    attempts.started_at >= CAST(:start AS TIMESTAMP_NTZ)
    AND attempts.started_at < CAST(:end AS TIMESTAMP_NTZ)
), prices AS (
  SELECT
    *
  FROM core.dated_prices
), provider_names AS (
  SELECT
    otel_name,
    MIN(price_provider) AS price_provider
  FROM reference.provider_names
  GROUP BY
    otel_name
), stated_minutes AS (
  SELECT
    prices.provider,
    prices.model,
    CAST(60 * CAST(SUBSTRING(prices.time_of_day_start, 1, 2) AS INT) + CAST(SUBSTRING(prices.time_of_day_start, 4, 2) AS INT) AS BIGINT) AS first_minute
  FROM prices
  WHERE
    NOT prices.time_of_day_start IS NULL
  UNION ALL
  SELECT
    prices.provider,
    prices.model,
    CAST(60 * CAST(SUBSTRING(prices.time_of_day_end, 1, 2) AS INT) + CAST(SUBSTRING(prices.time_of_day_end, 4, 2) AS INT) AS BIGINT) AS first_minute
  FROM prices
  WHERE
    NOT prices.time_of_day_end IS NULL
  UNION ALL
  SELECT
    prices.provider,
    prices.model,
    CAST(60 * EXTRACT(HOUR FROM prices.applies_from) + EXTRACT(MINUTE FROM prices.applies_from) AS BIGINT) AS first_minute
  FROM prices
  WHERE
    NOT prices.applies_from IS NULL
  UNION ALL
  SELECT
    prices.provider,
    prices.model,
    CAST(60 * EXTRACT(HOUR FROM prices.valid_from) + EXTRACT(MINUTE FROM prices.valid_from) AS BIGINT) AS first_minute
  FROM prices
  WHERE
    NOT prices.valid_from IS NULL
  UNION ALL
  SELECT
    prices.provider,
    prices.model,
    CAST(60 * EXTRACT(HOUR FROM prices.valid_to) + EXTRACT(MINUTE FROM prices.valid_to) AS BIGINT) AS first_minute
  FROM prices
  WHERE
    NOT prices.valid_to IS NULL
), cuts AS (
  SELECT
    stated_minutes.provider,
    stated_minutes.model,
    stated_minutes.first_minute
  FROM stated_minutes
  WHERE
    stated_minutes.first_minute > 0 AND stated_minutes.first_minute < 1440
  GROUP BY
    stated_minutes.provider,
    stated_minutes.model,
    stated_minutes.first_minute
), timed_models AS (
  SELECT
    cuts.provider,
    cuts.model
  FROM cuts
  GROUP BY
    cuts.provider,
    cuts.model
), names AS (
  SELECT
    CAST(requests.started_at AS DATE) AS charge_date,
    requests.provider,
    requests.model
  FROM requests
  WHERE
    NOT requests.model IS NULL
  GROUP BY
    CAST(requests.started_at AS DATE),
    requests.provider,
    requests.model
), texts AS (
  SELECT
    names.charge_date,
    names.provider,
    names.model,
    COALESCE(provider_names.price_provider, names.provider) AS price_provider,
    LOWER(TRIM(names.model)) AS model_text,
    REGEXP_REPLACE(LOWER(TRIM(names.model)), '[-_ .]+', '-') AS model_alias
  FROM names
  LEFT JOIN provider_names
    ON names.provider = provider_names.otel_name
), met AS (
  SELECT
    texts.charge_date,
    texts.provider,
    texts.model,
    timed_models.provider AS price_provider,
    timed_models.model AS price_model
  FROM texts
  INNER JOIN timed_models
    ON texts.price_provider = timed_models.provider
  INNER JOIN reference.model_patterns AS patterns
    ON timed_models.provider = patterns.provider
    AND timed_models.model = patterns.model
    AND texts.model_text RLIKE patterns.pattern_1
    AND (
      patterns.pattern_2 IS NULL OR texts.model_text RLIKE patterns.pattern_2
    )
    AND (
      patterns.pattern_3 IS NULL OR texts.model_text RLIKE patterns.pattern_3
    )
  UNION ALL
  SELECT
    texts.charge_date,
    texts.provider,
    texts.model,
    timed_models.provider AS price_provider,
    timed_models.model AS price_model
  FROM texts
  INNER JOIN staging.model_aliases AS aliases
    ON texts.model_alias = aliases.alias
    AND (
      aliases.provider IS NULL OR texts.price_provider = aliases.provider
    )
  INNER JOIN timed_models
    ON aliases.model = timed_models.provider || '/' || timed_models.model
    OR (
      texts.price_provider = timed_models.provider
      AND aliases.model = timed_models.model
    )
  UNION ALL
  SELECT
    texts.charge_date,
    texts.provider,
    texts.model,
    timed_models.provider AS price_provider,
    timed_models.model AS price_model
  FROM texts
  INNER JOIN timed_models
    ON texts.price_provider = timed_models.provider
    AND texts.model_text = LOWER(TRIM(timed_models.model))
), band_starts AS (
  SELECT
    met.charge_date,
    met.provider,
    met.model,
    cuts.first_minute
  FROM met
  INNER JOIN cuts
    ON met.price_provider = cuts.provider AND met.price_model = cuts.model
  UNION ALL
  SELECT
    met.charge_date,
    met.provider,
    met.model,
    CAST(0 AS BIGINT) AS first_minute
  FROM met
), bands AS (
  SELECT
    band_starts.charge_date,
    band_starts.provider,
    band_starts.model,
    band_starts.first_minute
  FROM band_starts
  GROUP BY
    band_starts.charge_date,
    band_starts.provider,
    band_starts.model,
    band_starts.first_minute
), named AS (
  SELECT
    bands.charge_date,
    bands.provider,
    bands.model,
    bands.first_minute,
    LPAD(
      CAST(CAST((
        (
          bands.first_minute
        ) - (
          (
            bands.first_minute
          ) % (
            60
          )
        )
      ) / (
        60
      ) AS DECIMAL(38, 0)) AS STRING),
      2,
      '0'
    ) || ':' || LPAD(
      CAST(bands.first_minute - 60 * CAST((
        (
          bands.first_minute
        ) - (
          (
            bands.first_minute
          ) % (
            60
          )
        )
      ) / (
        60
      ) AS DECIMAL(38, 0)) AS STRING),
      2,
      '0'
    ) AS time_of_day_start
  FROM bands
), begun AS (
  SELECT
    named.*,
    CAST(CAST(named.charge_date AS STRING) || ' ' || named.time_of_day_start || ':00' AS TIMESTAMP_NTZ) AS band_start_at
  FROM named
)
SELECT
  begun.charge_date,
  begun.provider,
  begun.model,
  begun.time_of_day_start,
  begun.band_start_at,
  COALESCE(
    LEAD(begun.band_start_at) OVER (
      PARTITION BY begun.charge_date, begun.provider, begun.model
      ORDER BY begun.first_minute NULLS LAST
    ),
    CAST(begun.charge_date + INTERVAL '1' DAY AS TIMESTAMP_NTZ)
  ) AS band_end_at
FROM begun
