WITH source AS (
  SELECT
    *
  FROM staging.provider_usage
)
SELECT
  source.bucket_start,
  source.bucket_end,
  source.provider,
  source.billing_account_id,
  source.sub_account_id,
  source.model,
  source.token_class,
  source.service_tier,
  source.quantity,
  source.unit,
  source.requests,
  source.is_final
FROM source
