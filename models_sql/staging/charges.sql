/*
description: >
    A bill line in FOCUS 1.4 terms, as the current deliveries state it.
grain: [charge_id]
materialized: view
partition_by: {column: billing_period_start, unit: month}
columns:
    charge_id: null
    x_line_key: null
    x_occurrence: null
    x_source: null
    x_snapshot_id: null
    x_source_file: null
    allocated_method_details: null
    allocated_method_id: null
    allocated_resource_id: null
    allocated_resource_name: null
    allocated_tags: null
    availability_zone: null
    billed_cost: null
    billing_account_id: null
    billing_account_name: null
    billing_account_type: null
    billing_currency: null
    billing_period_end: null
    billing_period_start: null
    capacity_reservation_id: null
    capacity_reservation_status: null
    charge_category: null
    charge_class: null
    charge_description: null
    charge_frequency: null
    charge_period_end: null
    charge_period_start: null
    commitment_discount_category: null
    commitment_discount_id: null
    commitment_discount_name: null
    commitment_discount_quantity: null
    commitment_discount_status: null
    commitment_discount_type: null
    commitment_discount_unit: null
    commitment_program_eligibility_details: null
    consumed_quantity: null
    consumed_unit: null
    contract_applied: null
    contracted_cost: null
    contracted_unit_price: null
    effective_cost: null
    host_provider_name: null
    invoice_detail_id: null
    invoice_id: null
    invoice_issuer_name: null
    list_cost: null
    list_unit_price: null
    pricing_category: null
    pricing_currency: null
    pricing_currency_contracted_unit_price: null
    pricing_currency_effective_cost: null
    pricing_currency_list_unit_price: null
    pricing_quantity: null
    pricing_unit: null
    region_id: null
    region_name: null
    resource_id: null
    resource_name: null
    resource_type: null
    service_category: null
    service_name: null
    service_provider_name: null
    service_subcategory: null
    sku_id: null
    sku_meter: null
    sku_price_details: null
    sku_price_id: null
    sub_account_id: null
    sub_account_name: null
    sub_account_type: null
    tags: null
    x_publisher_name: null
    x_service_code: null
    x_operation: null
    x_sku_group: null
    x_instance_type: null
    x_from_region_id: null
    x_to_region_id: null
    x_principal_id: null
    x_correction_cause: null
    x_tag_user_id: null
    x_tag_tenant: null
    x_tag_customer: null
    x_tag_team: null
    x_tag_feature: null
    x_tag_endpoint: null
    x_tag_workflow: null
    x_tag_environment: null
*/
with

source as (select * from lake.charges)

select
    source.charge_id,
    source.x_line_key,
    source.x_occurrence,
    source.x_source,
    source.x_snapshot_id,
    source.x_source_file,
    source.allocated_method_details,
    source.allocated_method_id,
    source.allocated_resource_id,
    source.allocated_resource_name,
    source.allocated_tags,
    source.availability_zone,
    source.billed_cost,
    source.billing_account_id,
    source.billing_account_name,
    source.billing_account_type,
    source.billing_currency,
    source.billing_period_end,
    source.billing_period_start,
    source.capacity_reservation_id,
    source.capacity_reservation_status,
    source.charge_category,
    source.charge_class,
    source.charge_description,
    source.charge_frequency,
    source.charge_period_end,
    source.charge_period_start,
    source.commitment_discount_category,
    source.commitment_discount_id,
    source.commitment_discount_name,
    source.commitment_discount_quantity,
    source.commitment_discount_status,
    source.commitment_discount_type,
    source.commitment_discount_unit,
    source.commitment_program_eligibility_details,
    source.consumed_quantity,
    source.consumed_unit,
    source.contract_applied,
    source.contracted_cost,
    source.contracted_unit_price,
    source.effective_cost,
    source.host_provider_name,
    source.invoice_detail_id,
    source.invoice_id,
    source.invoice_issuer_name,
    source.list_cost,
    source.list_unit_price,
    source.pricing_category,
    source.pricing_currency,
    source.pricing_currency_contracted_unit_price,
    source.pricing_currency_effective_cost,
    source.pricing_currency_list_unit_price,
    source.pricing_quantity,
    source.pricing_unit,
    source.region_id,
    source.region_name,
    source.resource_id,
    source.resource_name,
    source.resource_type,
    source.service_category,
    source.service_name,
    source.service_provider_name,
    source.service_subcategory,
    source.sku_id,
    source.sku_meter,
    source.sku_price_details,
    source.sku_price_id,
    source.sub_account_id,
    source.sub_account_name,
    source.sub_account_type,
    source.tags,
    source.x_publisher_name,
    source.x_service_code,
    source.x_operation,
    source.x_sku_group,
    source.x_instance_type,
    source.x_from_region_id,
    source.x_to_region_id,
    source.x_principal_id,
    source.x_correction_cause,
    source.x_tag_user_id,
    source.x_tag_tenant,
    source.x_tag_customer,
    source.x_tag_team,
    source.x_tag_feature,
    source.x_tag_endpoint,
    source.x_tag_workflow,
    source.x_tag_environment
from source
