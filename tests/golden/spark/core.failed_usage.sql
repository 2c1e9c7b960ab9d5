WITH attempts AS (
  SELECT
    *
  FROM staging.requests
  WHERE
    started_at >= CAST(:start AS TIMESTAMP_NTZ)
    AND started_at < CAST(:end AS TIMESTAMP_NTZ)
    AND (
      status <> 'ok' OR attempt_number > 1
    )
), names AS (
  SELECT
    *
  FROM core.model_names
  WHERE
    charge_date >= :start AND charge_date < :end
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
    CAST(attempts.started_at AS DATE) AS charge_date,
    names.provider,
    names.model,
    COALESCE(attempts.service_tier, 'standard') AS service_tier,
    token_classes.token_class,
    attempts.status,
    attempts.attempt_number,
    CASE token_classes.token_class
      WHEN 'uncached_input_tokens'
      THEN attempts.uncached_input_tokens
      WHEN 'cache_read_tokens'
      THEN attempts.cache_read_tokens
      WHEN 'cache_write_5m_tokens'
      THEN attempts.cache_write_5m_tokens
      WHEN 'cache_write_1h_tokens'
      THEN attempts.cache_write_1h_tokens
      ELSE attempts.output_tokens
    END AS quantity
  FROM attempts
  INNER JOIN names
    ON CAST(attempts.started_at AS DATE) = names.charge_date
    AND attempts.provider = names.logged_provider
    AND attempts.model = names.logged_model
  CROSS JOIN token_classes
  WHERE
    NOT names.model IS NULL
)
SELECT
  counted.charge_date,
  counted.provider,
  counted.model,
  counted.token_class,
  counted.service_tier,
  CAST(SUM(CASE WHEN counted.status <> 'ok' THEN counted.quantity ELSE 0 END) AS DECIMAL(38, 12)) AS failed_quantity,
  CAST(SUM(CASE WHEN counted.attempt_number > 1 THEN counted.quantity ELSE 0 END) AS DECIMAL(38, 12)) AS retried_quantity
FROM counted
WHERE
  counted.quantity > 0
GROUP BY
  counted.charge_date,
  counted.provider,
  counted.model,
  counted.token_class,
  counted.service_tier
