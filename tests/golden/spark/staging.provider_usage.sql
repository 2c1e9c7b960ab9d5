WITH source AS (
  SELECT
    *
  FROM lake.provider_usage
)
SELECT
  source.x_source,
  source.x_snapshot_id,
  source.bucket_start,
  source.bucket_end,
  source.provider,
  source.billing_account_id,
  source.sub_account_id,
  source.region_id,
  source.api_key_id,
  source.user_id,
  source.model,
  source.usage_kind,
  source.token_class,
  source.service_tier,
  source.context_band,
  source.usage_detail,
  source.quantity,
  source.unit,
  source.is_final
FROM source
