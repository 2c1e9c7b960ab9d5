/*
description: >
    A bill line in FOCUS 1.4 terms, as the current deliveries state it; and what own hardware costs, as its rate cards
    say.
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

focus_charges as (select * from lake.charges),

aws_cur_charges as (select * from staging.aws_cur_charges),

azure_cost_charges as (select * from staging.azure_cost_charges),

gcp_charges as (select * from staging.gcp_charges),

rate_card_charges as (select * from staging.rate_card_charges),

charges as (
    select focus_charges.*
    from focus_charges
    union all
    select aws_cur_charges.*
    from aws_cur_charges
    union all
    select azure_cost_charges.*
    from azure_cost_charges
    union all
    select gcp_charges.*
    from gcp_charges
    union all
    select rate_card_charges.*
    from rate_card_charges
)

select
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
from charges
