WITH lines AS (
  SELECT
    *
  FROM lake.azure_cost_lines
  WHERE
    is_counted
), resource_types AS (
  SELECT
    *
  FROM reference.azure_services
  WHERE
    match_kind = 'resource_type'
), consumed_services AS (
  SELECT
    *
  FROM reference.azure_services
  WHERE
    match_kind = 'consumed_service'
), meter_categories AS (
  SELECT
    *
  FROM reference.azure_services
  WHERE
    match_kind = 'meter_category'
), spelled AS (
  SELECT
    lines.*,
    REPLACE(LOWER(lines.charge_type), ' ', '') AS charge_type_text,
    REPLACE(LOWER(lines.pricing_model), ' ', '') AS pricing_model_text,
    REPLACE(REPLACE(LOWER(lines.frequency), ' ', ''), '-', '') AS frequency_text,
    COALESCE(lines.meter_category, 'all services') || COALESCE(' - ' || lines.meter_name, '') AS meter_label,
    NOT lines.commitment_kind IS NULL AS is_commitment
  FROM lines
), categorised AS (
  SELECT
    spelled.*,
    CASE
      WHEN spelled.charge_type_text IN ('usage', 'unusedreservation', 'unusedsavingsplan')
      THEN 'Usage'
      WHEN spelled.charge_type_text = 'purchase'
      THEN 'Purchase'
      WHEN spelled.charge_type_text = 'refund'
      AND spelled.frequency_text = 'usagebased'
      AND NOT spelled.is_commitment
      THEN 'Usage'
      WHEN spelled.charge_type_text = 'refund'
      THEN 'Purchase'
      WHEN spelled.charge_type_text = 'tax'
      THEN 'Tax'
      WHEN spelled.charge_type_text = 'credit'
      THEN 'Credit'
      ELSE 'Adjustment'
    END AS charge_category,
    CASE
      WHEN spelled.charge_type_text = 'refund'
      AND (
        NOT spelled.previous_invoice_id IS NULL
        OR spelled.charge_period_start < spelled.billing_period_start
      )
      THEN 'Correction'
    END AS charge_class,
    COALESCE(spelled.charge_type_text IN ('unusedreservation', 'unusedsavingsplan'), FALSE) AS is_unused,
    spelled.is_commitment
    AND COALESCE(spelled.charge_type_text IN ('purchase', 'refund'), FALSE) AS is_commitment_purchase,
    CASE WHEN spelled.is_commitment THEN spelled.commitment_id END AS commitment_discount_id,
    CASE
      WHEN spelled.cost_view = 'query'
      THEN 'Daily total of the query API: ' || spelled.meter_label
      ELSE COALESCE(spelled.product_name, spelled.meter_name, spelled.commitment_name, spelled.charge_type)
    END AS charge_description,
    CASE WHEN LOWER(spelled.publisher_type) = 'aws' THEN 'AWS' ELSE 'Microsoft' END AS service_provider_name
  FROM spelled
), mapped AS (
  SELECT
    categorised.*,
    categorised.charge_category = 'Usage' AND NOT categorised.is_unused AS is_consumption,
    CASE
      WHEN categorised.is_commitment_purchase
      THEN 'Standard'
      WHEN categorised.is_commitment
      THEN 'Committed'
      WHEN categorised.pricing_model_text = 'spot'
      THEN 'Dynamic'
      WHEN categorised.charge_category IN ('Usage', 'Purchase')
      THEN 'Standard'
    END AS pricing_category,
    COALESCE(
      resource_types.service_name,
      meter_categories.service_name,
      consumed_services.service_name,
      categorised.meter_category,
      categorised.product_name,
      'Azure'
    ) AS service_name,
    COALESCE(
      resource_types.service_category,
      meter_categories.service_category,
      consumed_services.service_category,
      'Other'
    ) AS service_category,
    COALESCE(
      resource_types.service_subcategory,
      meter_categories.service_subcategory,
      consumed_services.service_subcategory
    ) AS service_subcategory
  FROM categorised
  LEFT JOIN resource_types
    ON categorised.resource_type = resource_types.match_text
  LEFT JOIN meter_categories
    ON LOWER(categorised.meter_category) = meter_categories.match_text
  LEFT JOIN consumed_services
    ON categorised.consumed_service = consumed_services.match_text
)
SELECT
  mapped.charge_id,
  mapped.x_line_key,
  mapped.x_occurrence,
  mapped.x_source,
  mapped.x_snapshot_id,
  mapped.x_source_file,
  CAST(NULL AS STRING) AS allocated_method_details,
  CAST(NULL AS STRING) AS allocated_method_id,
  CAST(NULL AS STRING) AS allocated_resource_id,
  CAST(NULL AS STRING) AS allocated_resource_name,
  CAST(NULL AS STRING) AS allocated_tags,
  mapped.availability_zone,
  mapped.billed_cost,
  mapped.billing_account_id,
  mapped.billing_account_name,
  mapped.billing_account_type,
  mapped.billing_currency,
  mapped.billing_period_end,
  mapped.billing_period_start,
  CAST(NULL AS STRING) AS capacity_reservation_id,
  CAST(NULL AS STRING) AS capacity_reservation_status,
  mapped.charge_category,
  mapped.charge_class,
  mapped.charge_description,
  CASE
    WHEN mapped.frequency_text = 'onetime'
    THEN 'One-Time'
    WHEN mapped.frequency_text = 'recurring'
    THEN 'Recurring'
    WHEN mapped.frequency_text = 'usagebased' AND mapped.charge_category = 'Purchase'
    THEN 'One-Time'
    WHEN mapped.frequency_text = 'usagebased'
    THEN 'Usage-Based'
  END AS charge_frequency,
  mapped.charge_period_end,
  mapped.charge_period_start,
  CASE mapped.commitment_kind
    WHEN 'savings_plan'
    THEN 'Spend'
    WHEN 'reservation'
    THEN 'Usage'
  END AS commitment_discount_category,
  mapped.commitment_discount_id,
  CASE WHEN NOT mapped.commitment_discount_id IS NULL THEN mapped.commitment_name END AS commitment_discount_name,
  CAST(NULL AS DECIMAL(38, 12)) AS commitment_discount_quantity,
  CASE
    WHEN mapped.is_unused
    THEN 'Unused'
    WHEN mapped.is_commitment AND mapped.charge_category = 'Usage'
    THEN 'Used'
  END AS commitment_discount_status,
  CASE mapped.commitment_kind
    WHEN 'savings_plan'
    THEN 'Savings Plan'
    WHEN 'reservation'
    THEN 'Reservation'
  END AS commitment_discount_type,
  CAST(NULL AS STRING) AS commitment_discount_unit,
  CAST(NULL AS STRING) AS commitment_program_eligibility_details,
  CASE WHEN mapped.is_consumption THEN mapped.quantity END AS consumed_quantity,
  CASE
    WHEN mapped.is_consumption AND NOT mapped.quantity IS NULL
    THEN mapped.consumed_unit
  END AS consumed_unit,
  CAST(NULL AS STRING) AS contract_applied,
  mapped.contracted_cost,
  mapped.contracted_unit_price,
  mapped.effective_cost,
  mapped.service_provider_name AS host_provider_name,
  CAST(NULL AS STRING) AS invoice_detail_id,
  mapped.invoice_id,
  mapped.invoice_issuer_name,
  mapped.list_cost,
  mapped.list_unit_price,
  mapped.pricing_category,
  mapped.pricing_currency,
  CASE WHEN NOT mapped.is_unused THEN NULLIF(mapped.unit_price, 0) END AS pricing_currency_contracted_unit_price,
  CASE
    WHEN mapped.cost_view = 'actual'
    THEN CAST(0 AS DECIMAL(38, 12))
    ELSE mapped.cost_in_pricing_currency
  END AS pricing_currency_effective_cost,
  CASE WHEN NOT mapped.is_unused THEN NULLIF(mapped.payg_price, 0) END AS pricing_currency_list_unit_price,
  CASE WHEN mapped.charge_category <> 'Tax' THEN mapped.pricing_quantity END AS pricing_quantity,
  CASE WHEN mapped.charge_category <> 'Tax' THEN mapped.unit_of_measure END AS pricing_unit,
  mapped.region_id,
  mapped.region_name,
  CASE
    WHEN mapped.is_unused OR mapped.is_commitment_purchase
    THEN COALESCE(mapped.resource_id, mapped.commitment_discount_id)
    ELSE mapped.resource_id
  END AS resource_id,
  mapped.resource_name,
  mapped.resource_type,
  mapped.service_category,
  mapped.service_name,
  mapped.service_provider_name,
  mapped.service_subcategory,
  COALESCE(mapped.product_id, mapped.meter_id) AS sku_id,
  mapped.meter_name AS sku_meter,
  mapped.sku_price_details,
  COALESCE(mapped.part_number, mapped.product_id, mapped.meter_id) AS sku_price_id,
  mapped.subscription_id AS sub_account_id,
  mapped.subscription_name AS sub_account_name,
  CASE WHEN NOT mapped.subscription_id IS NULL THEN 'Subscription' END AS sub_account_type,
  mapped.tags,
  mapped.publisher_name AS x_publisher_name,
  mapped.meter_category AS x_service_code,
  CAST(NULL AS STRING) AS x_operation,
  mapped.meter_subcategory AS x_sku_group,
  mapped.instance_type AS x_instance_type,
  CAST(NULL AS STRING) AS x_from_region_id,
  CAST(NULL AS STRING) AS x_to_region_id,
  CAST(NULL AS STRING) AS x_principal_id,
  CASE WHEN mapped.charge_type_text = 'refund' THEN 'refund' END AS x_correction_cause,
  mapped.x_tag_user_id,
  mapped.x_tag_tenant,
  mapped.x_tag_customer,
  mapped.x_tag_team,
  mapped.x_tag_feature,
  mapped.x_tag_endpoint,
  mapped.x_tag_workflow,
  mapped.x_tag_environment
FROM mapped
