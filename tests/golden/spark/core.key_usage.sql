WITH requests AS (
  SELECT
    *
  FROM staging.requests
  WHERE
    started_at >= CAST(:start AS TIMESTAMP_NTZ)
    AND started_at < CAST(:end AS TIMESTAMP_NTZ)
), calls_of_principals AS (
  SELECT
    *
  FROM staging.requests
  WHERE
    started_at >= CAST(:start AS TIMESTAMP_NTZ)
    AND started_at < CAST(:end AS TIMESTAMP_NTZ)
    AND NOT principal_id IS NULL
), counts AS (
  SELECT
    *
  FROM staging.provider_usage
  WHERE
    bucket_start >= CAST(:start AS TIMESTAMP_NTZ)
    AND bucket_start < CAST(:end AS TIMESTAMP_NTZ)
    AND usage_kind = 'tokens'
    AND NOT token_class IS NULL
    AND NOT api_key_id IS NULL
), names AS (
  SELECT
    *
  FROM core.model_names
  WHERE
    charge_date >= :start AND charge_date < :end AND NOT model IS NULL
), token_classes AS (
  SELECT
    'uncached_input_tokens' AS token_class
  UNION ALL
  SELECT
    'cache_read_tokens' AS token_class
  UNION ALL
  SELECT
    'cache_write_5m_tokens' AS token_class
  UNION ALL
  SELECT
    'cache_write_1h_tokens' AS token_class
  UNION ALL
  SELECT
    'output_tokens' AS token_class
), counted AS (
  SELECT
    names.charge_date,
    names.provider,
    counts.billing_account_id,
    names.model,
    counts.token_class,
    COALESCE(counts.service_tier, 'standard') AS service_tier,
    counts.api_key_id,
    SUM(counts.quantity) AS provider_quantity
  FROM counts
  INNER JOIN names
    ON CAST(counts.bucket_start AS DATE) = names.charge_date
    AND counts.provider = names.logged_provider
    AND counts.model = names.logged_model
  GROUP BY
    names.charge_date,
    names.provider,
    counts.billing_account_id,
    names.model,
    counts.token_class,
    COALESCE(counts.service_tier, 'standard'),
    counts.api_key_id
), keyed_days AS (
  SELECT
    counted.charge_date,
    counted.provider
  FROM counted
  GROUP BY
    counted.charge_date,
    counted.provider
), keyed_names AS (
  SELECT
    names.charge_date,
    names.logged_provider,
    names.logged_model,
    names.provider,
    names.model
  FROM names
  INNER JOIN keyed_days
    ON names.charge_date = keyed_days.charge_date
    AND names.provider = keyed_days.provider
), logged AS (
  SELECT
    'api_key' AS key_kind,
    requests.api_key_id AS key_id,
    keyed_names.charge_date,
    keyed_names.provider,
    keyed_names.model,
    COALESCE(requests.service_tier, 'standard') AS service_tier,
    SUM(COALESCE(requests.uncached_input_tokens, 0)) AS uncached_input_tokens,
    SUM(COALESCE(requests.cache_read_tokens, 0)) AS cache_read_tokens,
    SUM(COALESCE(requests.cache_write_5m_tokens, 0)) AS cache_write_5m_tokens,
    SUM(COALESCE(requests.cache_write_1h_tokens, 0)) AS cache_write_1h_tokens,
    SUM(COALESCE(requests.output_tokens, 0)) AS output_tokens
  FROM requests
  INNER JOIN keyed_names
    ON CAST(requests.started_at AS DATE) = keyed_names.charge_date
    AND requests.provider = keyed_names.logged_provider
    AND requests.model = keyed_names.logged_model
  GROUP BY
    requests.api_key_id,
    keyed_names.charge_date,
    keyed_names.provider,
    keyed_names.model,
    COALESCE(requests.service_tier, 'standard')
  UNION ALL
  SELECT
    'principal' AS key_kind,
    calls.principal_id AS key_id,
    names.charge_date,
    names.provider,
    names.model,
    COALESCE(calls.service_tier, 'standard') AS service_tier,
    SUM(COALESCE(calls.uncached_input_tokens, 0)) AS uncached_input_tokens,
    SUM(COALESCE(calls.cache_read_tokens, 0)) AS cache_read_tokens,
    SUM(COALESCE(calls.cache_write_5m_tokens, 0)) AS cache_write_5m_tokens,
    SUM(COALESCE(calls.cache_write_1h_tokens, 0)) AS cache_write_1h_tokens,
    SUM(COALESCE(calls.output_tokens, 0)) AS output_tokens
  FROM calls_of_principals AS calls
  INNER JOIN names
    ON CAST(calls.started_at AS DATE) = names.charge_date
    AND calls.provider = names.logged_provider
    AND calls.model = names.logged_model
  GROUP BY
    calls.principal_id,
    names.charge_date,
    names.provider,
    names.model,
    COALESCE(calls.service_tier, 'standard')
), by_class AS (
  SELECT
    logged.charge_date,
    logged.key_kind,
    logged.key_id,
    logged.provider,
    logged.model,
    token_classes.token_class,
    logged.service_tier,
    CASE token_classes.token_class
      WHEN 'uncached_input_tokens'
      THEN logged.uncached_input_tokens
      WHEN 'cache_read_tokens'
      THEN logged.cache_read_tokens
      WHEN 'cache_write_5m_tokens'
      THEN logged.cache_write_5m_tokens
      WHEN 'cache_write_1h_tokens'
      THEN logged.cache_write_1h_tokens
      ELSE logged.output_tokens
    END AS logged_quantity
  FROM logged
  CROSS JOIN token_classes
)
SELECT
  counted.charge_date,
  'api_key' AS key_kind,
  counted.api_key_id AS key_id,
  counted.provider,
  counted.billing_account_id,
  counted.model,
  counted.token_class,
  counted.service_tier,
  CAST(counted.provider_quantity AS DECIMAL(38, 12)) AS provider_quantity,
  CAST(NULL AS DECIMAL(38, 12)) AS logged_quantity
FROM counted
UNION ALL
SELECT
  by_class.charge_date,
  by_class.key_kind,
  by_class.key_id,
  by_class.provider,
  CAST(NULL AS STRING) AS billing_account_id,
  by_class.model,
  by_class.token_class,
  by_class.service_tier,
  CAST(NULL AS DECIMAL(38, 12)) AS provider_quantity,
  CAST(by_class.logged_quantity AS DECIMAL(38, 12)) AS logged_quantity
FROM by_class
WHERE
  by_class.logged_quantity > 0
