WITH source AS (
  SELECT
    *
  FROM staging.provider_usage
  WHERE
    bucket_start >= CAST(:start AS TIMESTAMP_NTZ)
    AND bucket_start < CAST(:end AS TIMESTAMP_NTZ)
    AND usage_kind IN ('tokens', 'requests', 'web_searches')
), names AS (
  SELECT
    *
  FROM core.model_names
  WHERE
    charge_date >= :start AND charge_date < :end
), counted AS (
  SELECT
    CAST(source.bucket_start AS DATE) AS charge_date,
    COALESCE(names.provider, source.provider) AS provider,
    source.billing_account_id,
    source.sub_account_id,
    source.region_id,
    source.context_band,
    COALESCE(names.model, LOWER(source.model)) AS model,
    source.usage_kind,
    source.token_class,
    source.service_tier,
    source.quantity,
    CASE WHEN COALESCE(source.is_final, FALSE) THEN 1 ELSE 0 END AS is_final
  FROM source
  LEFT JOIN names
    ON CAST(source.bucket_start AS DATE) = names.charge_date
    AND source.provider = names.logged_provider
    AND COALESCE(source.model, CHR(  30)) = COALESCE(names.logged_model, CHR(  30))
)
SELECT
  counted.charge_date,
  counted.provider,
  counted.billing_account_id,
  counted.sub_account_id,
  counted.region_id,
  counted.model,
  counted.usage_kind,
  counted.token_class,
  counted.service_tier,
  counted.context_band,
  CAST(SUM(counted.quantity) AS DECIMAL(38, 12)) AS quantity,
  MIN(counted.is_final) = 1 AS is_final
FROM counted
GROUP BY
  counted.charge_date,
  counted.provider,
  counted.billing_account_id,
  counted.sub_account_id,
  counted.region_id,
  counted.model,
  counted.usage_kind,
  counted.token_class,
  counted.service_tier,
  counted.context_band
