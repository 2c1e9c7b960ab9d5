WITH source AS (
  SELECT
    *
  FROM staging.charges
  WHERE
    billing_period_start >= CAST(:start AS TIMESTAMP_NTZ)
    AND billing_period_start < CAST(:end AS TIMESTAMP_NTZ)
), rules AS (
  SELECT
    *
  FROM reference.classification_rules
), signatures AS (
  SELECT
    source.billing_period_start,
    source.service_provider_name,
    source.invoice_issuer_name,
    source.service_category,
    source.service_subcategory,
    source.service_name,
    source.charge_category,
    source.charge_description,
    source.sku_id,
    source.sku_meter,
    source.x_service_code,
    source.x_operation,
    source.x_sku_group,
    source.x_instance_type,
    source.consumed_unit,
    source.pricing_unit,
    source.region_id,
    source.x_from_region_id,
    source.x_to_region_id,
    CASE
      WHEN source.service_category = 'AI and Machine Learning'
      THEN source.sku_price_details
    END AS sku_price_details
  FROM source
  GROUP BY
    source.billing_period_start,
    source.service_provider_name,
    source.invoice_issuer_name,
    source.service_category,
    source.service_subcategory,
    source.service_name,
    source.charge_category,
    source.charge_description,
    source.sku_id,
    source.sku_meter,
    source.x_service_code,
    source.x_operation,
    source.x_sku_group,
    source.x_instance_type,
    source.consumed_unit,
    source.pricing_unit,
    source.region_id,
    source.x_from_region_id,
    source.x_to_region_id,
    CASE
      WHEN source.service_category = 'AI and Machine Learning'
      THEN source.sku_price_details
    END
), described AS (
  SELECT
    signatures.*,
    MD5(
      COALESCE(signatures.service_provider_name, CHR(  30)) || CHR(  31) || COALESCE(signatures.invoice_issuer_name, CHR(  30)) || CHR(  31) || COALESCE(signatures.service_category, CHR(  30)) || CHR(  31) || COALESCE(signatures.service_subcategory, CHR(  30)) || CHR(  31) || COALESCE(signatures.service_name, CHR(  30)) || CHR(  31) || COALESCE(signatures.charge_category, CHR(  30)) || CHR(  31) || COALESCE(signatures.charge_description, CHR(  30)) || CHR(  31) || COALESCE(signatures.sku_id, CHR(  30)) || CHR(  31) || COALESCE(signatures.sku_meter, CHR(  30)) || CHR(  31) || COALESCE(signatures.x_service_code, CHR(  30)) || CHR(  31) || COALESCE(signatures.x_operation, CHR(  30)) || CHR(  31) || COALESCE(signatures.x_sku_group, CHR(  30)) || CHR(  31) || COALESCE(signatures.x_instance_type, CHR(  30)) || CHR(  31) || COALESCE(signatures.consumed_unit, CHR(  30)) || CHR(  31) || COALESCE(signatures.pricing_unit, CHR(  30)) || CHR(  31) || COALESCE(signatures.region_id, CHR(  30)) || CHR(  31) || COALESCE(signatures.x_from_region_id, CHR(  30)) || CHR(  31) || COALESCE(signatures.x_to_region_id, CHR(  30)) || CHR(  31) || COALESCE(signatures.sku_price_details, CHR(  30))
    ) AS signature_id,
    LOWER(COALESCE(signatures.service_provider_name, signatures.invoice_issuer_name, '')) AS provider_text,
    TRIM(
      LOWER(
        COALESCE(signatures.service_name, '') || ' ' || COALESCE(signatures.x_service_code, '')
      )
    ) AS service_text,
    LOWER(
      COALESCE(signatures.service_category, '') || '/' || COALESCE(signatures.service_subcategory, '')
    ) AS category_text,
    LOWER(
      COALESCE(signatures.sku_meter, '') || ' ' || COALESCE(signatures.charge_description, '') || ' ' || COALESCE(signatures.x_sku_group, '') || ' ' || COALESCE(signatures.x_instance_type, '')
    ) AS meter_text,
    LOWER(COALESCE(signatures.x_operation, '')) AS operation_text
  FROM signatures
), line_rules AS (
  SELECT
    *
  FROM rules
  WHERE
    NOT account_pattern IS NULL
    OR NOT resource_pattern IS NULL
    OR NOT tag_pattern IS NULL
), line_needs AS (
  SELECT
    described.billing_period_start,
    described.signature_id,
    MAX(CASE WHEN NOT line_rules.account_pattern IS NULL THEN 1 ELSE 0 END) AS accounts,
    MAX(CASE WHEN NOT line_rules.resource_pattern IS NULL THEN 1 ELSE 0 END) AS resources,
    MAX(CASE WHEN NOT line_rules.tag_pattern IS NULL THEN 1 ELSE 0 END) AS tags
  FROM described
  INNER JOIN line_rules
    ON (
      line_rules.charge_category IS NULL
      OR described.charge_category = line_rules.charge_category
    )
    AND described.provider_text RLIKE COALESCE(line_rules.provider_pattern, '')
    AND described.service_text RLIKE COALESCE(line_rules.service_pattern, '')
    AND described.category_text RLIKE COALESCE(line_rules.category_pattern, '')
    AND described.operation_text RLIKE COALESCE(line_rules.operation_pattern, '')
    AND described.meter_text RLIKE COALESCE(line_rules.meter_pattern, '')
  GROUP BY
    described.billing_period_start,
    described.signature_id
)
SELECT
  described.billing_period_start,
  described.signature_id,
  described.service_provider_name,
  described.invoice_issuer_name,
  described.service_category,
  described.service_subcategory,
  described.service_name,
  described.charge_category,
  described.charge_description,
  described.sku_id,
  described.sku_meter,
  described.x_service_code,
  described.x_operation,
  described.x_sku_group,
  described.x_instance_type,
  described.consumed_unit,
  described.pricing_unit,
  described.region_id,
  described.x_from_region_id,
  described.x_to_region_id,
  described.sku_price_details,
  described.provider_text,
  described.service_text,
  described.category_text,
  described.meter_text,
  described.operation_text,
  COALESCE(line_needs.accounts, 0) = 1 AS uses_account,
  COALESCE(line_needs.resources, 0) = 1 AS uses_resource,
  COALESCE(line_needs.tags, 0) = 1 AS uses_tags
FROM described
LEFT JOIN line_needs
  ON described.billing_period_start = line_needs.billing_period_start
  AND described.signature_id = line_needs.signature_id
