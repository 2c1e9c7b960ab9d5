/*
description: >
    Every bill line with its signature, and with its account, resource and tags where a rule asks for them. Here
    stands how a line finds its signature.
grain: [charge_id]
materialized: view
partition_by: {column: billing_period_start, unit: month}
columns:
    billing_period_start: null
    charge_id: null
    x_line_key: null
    x_source: null
    x_snapshot_id: null
    x_source_file: null
    billing_account_id: null
    sub_account_id: null
    billing_currency: null
    billing_period_end: null
    invoice_id: null
    invoice_issuer_name: null
    service_name: null
    sku_id: null
    sku_meter: null
    region_id: null
    availability_zone: null
    resource_id: null
    charge_category: null
    charge_class: null
    charge_frequency: null
    charge_description: null
    x_correction_cause: null
    charge_period_start: null
    charge_period_end: null
    commitment_discount_id: null
    commitment_discount_status: null
    consumed_quantity: null
    pricing_quantity: null
    billed_cost: null
    effective_cost: null
    list_cost: null
    x_tag_user_id: null
    x_tag_tenant: null
    x_tag_customer: null
    x_tag_team: null
    x_tag_feature: null
    x_tag_endpoint: null
    x_tag_workflow: null
    x_tag_environment: null
    signature_id: null
    account_text: null
    resource_text: null
    tag_text: null
*/
with

source as (select * from staging.charges),

signatures as (select * from core.charge_signatures)

select
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
    case
        when signatures.uses_account
            then lower(coalesce(source.billing_account_id, '') || ' ' || coalesce(source.sub_account_id, ''))
    end as account_text,
    case when signatures.uses_resource then lower(coalesce(source.resource_id, '')) end as resource_text,
    case
        when signatures.uses_tags
            then lower(
                'tenant=' || coalesce(source.x_tag_tenant, '')
                || ' customer=' || coalesce(source.x_tag_customer, '')
                || ' team=' || coalesce(source.x_tag_team, '')
                || ' feature=' || coalesce(source.x_tag_feature, '')
                || ' endpoint=' || coalesce(source.x_tag_endpoint, '')
                || ' workflow=' || coalesce(source.x_tag_workflow, '')
                || ' environment=' || coalesce(source.x_tag_environment, '')
                || ' '
            )
    end as tag_text
from source
left join signatures
    on source.billing_period_start = signatures.billing_period_start
    and source.service_provider_name is not distinct from signatures.service_provider_name
    and source.invoice_issuer_name is not distinct from signatures.invoice_issuer_name
    and source.service_category is not distinct from signatures.service_category
    and source.service_subcategory is not distinct from signatures.service_subcategory
    and source.service_name is not distinct from signatures.service_name
    and source.charge_category is not distinct from signatures.charge_category
    and source.charge_description is not distinct from signatures.charge_description
    and source.sku_id is not distinct from signatures.sku_id
    and source.sku_meter is not distinct from signatures.sku_meter
    and source.x_service_code is not distinct from signatures.x_service_code
    and source.x_operation is not distinct from signatures.x_operation
    and source.x_sku_group is not distinct from signatures.x_sku_group
    and source.x_instance_type is not distinct from signatures.x_instance_type
    and source.consumed_unit is not distinct from signatures.consumed_unit
    and source.pricing_unit is not distinct from signatures.pricing_unit
    and source.region_id is not distinct from signatures.region_id
    and source.x_from_region_id is not distinct from signatures.x_from_region_id
    and source.x_to_region_id is not distinct from signatures.x_to_region_id
    and case
        when source.service_category = 'AI and Machine Learning' then source.sku_price_details
    end is not distinct from signatures.sku_price_details
