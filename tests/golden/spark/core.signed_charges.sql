WITH source AS (
  SELECT
    *
  FROM staging.charges
), signatures AS (
  SELECT
    *
  FROM core.charge_signatures
)
SELECT
  source.billing_period_start,
  source.charge_id,
  source.x_line_key,
  source.x_source,
  source.x_snapshot_id,
  source.x_source_file,
  source.billing_account_id,
  source.sub_account_id,
  source.billing_currency,
  source.billing_period_end,
  source.invoice_id,
  source.invoice_issuer_name,
  source.service_name,
  source.sku_id,
  source.sku_meter,
  source.region_id,
  source.availability_zone,
  source.resource_id,
  source.charge_category,
  source.charge_class,
  source.charge_frequency,
  source.charge_description,
  source.x_correction_cause,
  source.charge_period_start,
  source.charge_period_end,
  source.commitment_discount_id,
  source.commitment_discount_status,
  source.consumed_quantity,
  source.pricing_quantity,
  source.billed_cost,
  source.effective_cost,
  source.list_cost,
  source.x_tag_user_id,
  source.x_tag_tenant,
  source.x_tag_customer,
  source.x_tag_team,
  source.x_tag_feature,
  source.x_tag_endpoint,
  source.x_tag_workflow,
  source.x_tag_environment,
  signatures.signature_id,
  CASE
    WHEN signatures.uses_account
    THEN LOWER(
      COALESCE(source.billing_account_id, '') || ' ' || COALESCE(source.sub_account_id, '')
    )
  END AS account_text,
  CASE WHEN signatures.uses_resource THEN LOWER(COALESCE(source.resource_id, '')) END AS resource_text,
  CASE
    WHEN signatures.uses_tags
    THEN LOWER(
      'tenant=' || COALESCE(source.x_tag_tenant, '') || ' customer=' || COALESCE(source.x_tag_customer, '') || ' team=' || COALESCE(source.x_tag_team, '') || ' feature=' || COALESCE(source.x_tag_feature, '') || ' endpoint=' || COALESCE(source.x_tag_endpoint, '') || ' workflow=' || COALESCE(source.x_tag_workflow, '') || ' environment=' || COALESCE(source.x_tag_environment, '') || ' '
    )
  END AS tag_text
FROM source
LEFT JOIN signatures
  ON source.billing_period_start = signatures.billing_period_start
  AND source.service_provider_name IS NOT DISTINCT FROM signatures.service_provider_name
  AND source.invoice_issuer_name IS NOT DISTINCT FROM signatures.invoice_issuer_name
  AND source.service_category IS NOT DISTINCT FROM signatures.service_category
  AND source.service_subcategory IS NOT DISTINCT FROM signatures.service_subcategory
  AND source.service_name IS NOT DISTINCT FROM signatures.service_name
  AND source.charge_category IS NOT DISTINCT FROM signatures.charge_category
  AND source.charge_description IS NOT DISTINCT FROM signatures.charge_description
  AND source.sku_id IS NOT DISTINCT FROM signatures.sku_id
  AND source.sku_meter IS NOT DISTINCT FROM signatures.sku_meter
  AND source.x_service_code IS NOT DISTINCT FROM signatures.x_service_code
  AND source.x_operation IS NOT DISTINCT FROM signatures.x_operation
  AND source.x_sku_group IS NOT DISTINCT FROM signatures.x_sku_group
  AND source.x_instance_type IS NOT DISTINCT FROM signatures.x_instance_type
  AND source.consumed_unit IS NOT DISTINCT FROM signatures.consumed_unit
  AND source.pricing_unit IS NOT DISTINCT FROM signatures.pricing_unit
  AND source.region_id IS NOT DISTINCT FROM signatures.region_id
  AND source.x_from_region_id IS NOT DISTINCT FROM signatures.x_from_region_id
  AND source.x_to_region_id IS NOT DISTINCT FROM signatures.x_to_region_id
  AND CASE
    WHEN source.service_category = 'AI and Machine Learning'
    THEN source.sku_price_details
  END IS NOT DISTINCT FROM signatures.sku_price_details
