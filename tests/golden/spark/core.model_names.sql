WITH usage AS (
  SELECT
    *
  FROM core.request_usage
  WHERE
    charge_date >= :start AND charge_date < :end
), counted AS (
  SELECT
    *
  FROM staging.provider_usage
  WHERE
    bucket_start >= CAST(:start AS TIMESTAMP_NTZ)
    AND bucket_start < CAST(:end AS TIMESTAMP_NTZ)
), said AS (
  SELECT
    usage.charge_date,
    usage.provider,
    usage.model
  FROM usage
  GROUP BY
    usage.charge_date,
    usage.provider,
    usage.model
  UNION
  SELECT
    CAST(counted.bucket_start AS DATE) AS charge_date,
    counted.provider,
    counted.model
  FROM counted
  WHERE
    NOT counted.model IS NULL
), provider_names AS (
  SELECT
    otel_name,
    MIN(price_provider) AS price_provider
  FROM reference.provider_names
  GROUP BY
    otel_name
), aliases AS (
  SELECT
    *
  FROM staging.model_aliases
), patterns AS (
  SELECT
    *
  FROM reference.model_patterns
), names AS (
  SELECT
    said.charge_date,
    said.provider AS logged_provider,
    said.model AS logged_model,
    COALESCE(provider_names.price_provider, said.provider) AS provider,
    LOWER(TRIM(said.model)) AS model_text,
    REGEXP_REPLACE(LOWER(TRIM(said.model)), '[-_ .]+', '-') AS model_alias
  FROM said
  LEFT JOIN provider_names
    ON said.provider = provider_names.otel_name
  GROUP BY
    said.charge_date,
    said.provider,
    said.model,
    provider_names.price_provider
), distinct_names AS (
  SELECT
    names.provider,
    names.model_text
  FROM names
  WHERE
    NOT names.model_text IS NULL
  GROUP BY
    names.provider,
    names.model_text
), pattern_candidates AS (
  SELECT
    distinct_names.provider,
    distinct_names.model_text,
    patterns.model,
    ROW_NUMBER() OVER (
      PARTITION BY distinct_names.provider, distinct_names.model_text
      ORDER BY patterns.priority NULLS LAST, patterns.model NULLS LAST
    ) AS candidate_rank
  FROM distinct_names
  INNER JOIN patterns
    ON distinct_names.provider = patterns.provider
    AND distinct_names.model_text RLIKE patterns.pattern_1
    AND (
      patterns.pattern_2 IS NULL OR distinct_names.model_text RLIKE patterns.pattern_2
    )
    AND (
      patterns.pattern_3 IS NULL OR distinct_names.model_text RLIKE patterns.pattern_3
    )
), matched_patterns AS (
  SELECT
    *
  FROM pattern_candidates
  WHERE
    candidate_rank = 1
), alias_candidates AS (
  SELECT
    names.provider,
    names.model_alias,
    aliases.model,
    ROW_NUMBER() OVER (
      PARTITION BY names.provider, names.model_alias
      ORDER BY CASE WHEN aliases.provider IS NULL THEN 1 ELSE 0 END NULLS LAST, aliases.model NULLS LAST
    ) AS candidate_rank
  FROM (
    SELECT
      provider,
      model_alias
    FROM names
    GROUP BY
      provider,
      model_alias
  ) AS names
  INNER JOIN aliases
    ON names.model_alias = aliases.alias
    AND (
      aliases.provider IS NULL OR names.provider = aliases.provider
    )
), matched_aliases AS (
  SELECT
    *
  FROM alias_candidates
  WHERE
    candidate_rank = 1
), price_models AS (
  SELECT
    *
  FROM core.price_models
), foreign_aliases AS (
  SELECT
    matched_aliases.provider,
    matched_aliases.model_alias,
    MIN(price_models.provider) AS price_provider,
    MIN(price_models.model) AS price_model
  FROM matched_aliases
  INNER JOIN price_models
    ON matched_aliases.model = price_models.provider || '/' || price_models.model
  LEFT JOIN price_models AS own_models
    ON matched_aliases.provider = own_models.provider
    AND matched_aliases.model = own_models.model
  WHERE
    own_models.model IS NULL
  GROUP BY
    matched_aliases.provider,
    matched_aliases.model_alias
  HAVING
    COUNT(*) = 1
), priced_names AS (
  SELECT
    price_models.provider,
    LOWER(TRIM(price_models.model)) AS model_text,
    MIN(price_models.model) AS model
  FROM price_models
  GROUP BY
    price_models.provider,
    LOWER(TRIM(price_models.model))
)
SELECT
  names.charge_date,
  MD5(
    COALESCE(names.logged_provider, CHR(  30)) || CHR(  31) || COALESCE(names.logged_model, CHR(  30))
  ) AS name_id,
  names.logged_provider,
  names.logged_model,
  COALESCE(foreign_aliases.price_provider, names.provider) AS provider,
  COALESCE(
    foreign_aliases.price_model,
    matched_aliases.model,
    matched_patterns.model,
    priced_names.model
  ) AS model,
  CASE
    WHEN NOT matched_aliases.model IS NULL
    THEN 'alias'
    WHEN NOT matched_patterns.model IS NULL
    THEN 'pattern'
    WHEN NOT priced_names.model IS NULL
    THEN 'price'
    ELSE 'unmatched'
  END AS matched_by
FROM names
LEFT JOIN matched_aliases
  ON names.provider = matched_aliases.provider
  AND names.model_alias = matched_aliases.model_alias
LEFT JOIN matched_patterns
  ON names.provider = matched_patterns.provider
  AND names.model_text = matched_patterns.model_text
LEFT JOIN foreign_aliases
  ON names.provider = foreign_aliases.provider
  AND names.model_alias = foreign_aliases.model_alias
LEFT JOIN priced_names
  ON names.provider = priced_names.provider
  AND names.model_text = priced_names.model_text
