WITH focus_charges AS (
  SELECT
    *
  FROM lake.charges
), aws_cur_charges AS (
  SELECT
    *
  FROM staging.aws_cur_charges
), azure_cost_charges AS (
  SELECT
    *
  FROM staging.azure_cost_charges
), gcp_charges AS (
  SELECT
    *
  FROM staging.gcp_charges
), rate_card_charges AS (
  SELECT
    *
  FROM staging.rate_card_charges
), charges AS (
  SELECT
    focus_charges.*
  FROM focus_charges
  UNION ALL
  SELECT
    aws_cur_charges.*
  FROM aws_cur_charges
  UNION ALL
  SELECT
    azure_cost_charges.*
  FROM azure_cost_charges
  UNION ALL
  SELECT
    gcp_charges.*
  FROM gcp_charges
  UNION ALL
  SELECT
    rate_card_charges.*
  FROM rate_card_charges
)
SELECT
  charges.charge_id,
  charges.x_line_key,
  charges.x_occurrence,
  charges.x_source,
  charges.x_snapshot_id,
  charges.x_source_file,
  charges.allocated_method_details,
  charges.allocated_method_id,
  charges.allocated_resource_id,
  charges.allocated_resource_name,
  charges.allocated_tags,
  charges.availability_zone,
  charges.billed_cost,
  charges.billing_account_id,
  charges.billing_account_name,
  charges.billing_account_type,
  charges.billing_currency,
  charges.billing_period_end,
  charges.billing_period_start,
  charges.capacity_reservation_id,
  charges.capacity_reservation_status,
  charges.charge_category,
  charges.charge_class,
  charges.charge_description,
  charges.charge_frequency,
  charges.charge_period_end,
  charges.charge_period_start,
  charges.commitment_discount_category,
  charges.commitment_discount_id,
  charges.commitment_discount_name,
  charges.commitment_discount_quantity,
  charges.commitment_discount_status,
  charges.commitment_discount_type,
  charges.commitment_discount_unit,
  charges.commitment_program_eligibility_details,
  charges.consumed_quantity,
  charges.consumed_unit,
  charges.contract_applied,
  charges.contracted_cost,
  charges.contracted_unit_price,
  charges.effective_cost,
  charges.host_provider_name,
  charges.invoice_detail_id,
  charges.invoice_id,
  charges.invoice_issuer_name,
  charges.list_cost,
  charges.list_unit_price,
  charges.pricing_category,
  charges.pricing_currency,
  charges.pricing_currency_contracted_unit_price,
  charges.pricing_currency_effective_cost,
  charges.pricing_currency_list_unit_price,
  charges.pricing_quantity,
  charges.pricing_unit,
  charges.region_id,
  charges.region_name,
  charges.resource_id,
  charges.resource_name,
  charges.resource_type,
  charges.service_category,
  charges.service_name,
  charges.service_provider_name,
  charges.service_subcategory,
  charges.sku_id,
  charges.sku_meter,
  charges.sku_price_details,
  charges.sku_price_id,
  charges.sub_account_id,
  charges.sub_account_name,
  charges.sub_account_type,
  charges.tags,
  charges.x_publisher_name,
  charges.x_service_code,
  charges.x_operation,
  charges.x_sku_group,
  charges.x_instance_type,
  charges.x_from_region_id,
  charges.x_to_region_id,
  charges.x_principal_id,
  charges.x_correction_cause,
  charges.x_tag_user_id,
  charges.x_tag_tenant,
  charges.x_tag_customer,
  charges.x_tag_team,
  charges.x_tag_feature,
  charges.x_tag_endpoint,
  charges.x_tag_workflow,
  charges.x_tag_environment
FROM charges
