/*
description: >
    What a bill says about a line's kind, once per distinct text: a month of millions of lines has some thousands of
    signatures, and only these are compared with the rules.
grain: [billing_period_start, signature_id]
materialized: table
partition_by: {column: billing_period_start, unit: month}
columns:
    billing_period_start: null
    signature_id: null
    service_provider_name: null
    invoice_issuer_name: null
    service_category: null
    service_subcategory: null
    service_name: null
    charge_category: null
    charge_description: null
    sku_id: null
    sku_meter: null
    x_service_code: null
    x_operation: null
    x_sku_group: null
    x_instance_type: null
    consumed_unit: null
    pricing_unit: null
    region_id: null
    x_from_region_id: null
    x_to_region_id: null
    sku_price_details: of AI services only, where they name the model
    provider_text: null
    service_text: null
    category_text: null
    meter_text: null
    operation_text: null
    uses_account: null
    uses_resource: null
    uses_tags: null
*/
with

source as (
    select *
    from staging.charges
    where billing_period_start >= cast($start as timestamp)
        and billing_period_start < cast($end as timestamp)
),

rules as (select * from reference.classification_rules),

signatures as (
    select
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
        case
            when source.service_category = 'AI and Machine Learning' then source.sku_price_details
        end as sku_price_details
    from source
    group by
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
        case
            when source.service_category = 'AI and Machine Learning' then source.sku_price_details
        end
),

described as (
    select
        signatures.*,
        md5(
            coalesce(signatures.service_provider_name, chr(30))
            || chr(31) || coalesce(signatures.invoice_issuer_name, chr(30))
            || chr(31) || coalesce(signatures.service_category, chr(30))
            || chr(31) || coalesce(signatures.service_subcategory, chr(30))
            || chr(31) || coalesce(signatures.service_name, chr(30))
            || chr(31) || coalesce(signatures.charge_category, chr(30))
            || chr(31) || coalesce(signatures.charge_description, chr(30))
            || chr(31) || coalesce(signatures.sku_id, chr(30))
            || chr(31) || coalesce(signatures.sku_meter, chr(30))
            || chr(31) || coalesce(signatures.x_service_code, chr(30))
            || chr(31) || coalesce(signatures.x_operation, chr(30))
            || chr(31) || coalesce(signatures.x_sku_group, chr(30))
            || chr(31) || coalesce(signatures.x_instance_type, chr(30))
            || chr(31) || coalesce(signatures.consumed_unit, chr(30))
            || chr(31) || coalesce(signatures.pricing_unit, chr(30))
            || chr(31) || coalesce(signatures.region_id, chr(30))
            || chr(31) || coalesce(signatures.x_from_region_id, chr(30))
            || chr(31) || coalesce(signatures.x_to_region_id, chr(30))
            || chr(31) || coalesce(signatures.sku_price_details, chr(30))
        ) as signature_id,
        lower(coalesce(signatures.service_provider_name, signatures.invoice_issuer_name, ''))
            as provider_text,
        trim(
            lower(coalesce(signatures.service_name, '') || ' ' || coalesce(signatures.x_service_code, ''))
        ) as service_text,
        lower(
            coalesce(signatures.service_category, '') || '/' || coalesce(signatures.service_subcategory, '')
        ) as category_text,
        lower(
            coalesce(signatures.sku_meter, '') || ' ' || coalesce(signatures.charge_description, '')
            || ' ' || coalesce(signatures.x_sku_group, '') || ' ' || coalesce(signatures.x_instance_type, '')
        ) as meter_text,
        lower(coalesce(signatures.x_operation, '')) as operation_text
    from signatures
),

line_rules as (
    select *
    from rules
    where account_pattern is not null or resource_pattern is not null or tag_pattern is not null
),

line_needs as (
    select
        described.billing_period_start,
        described.signature_id,
        max(case when line_rules.account_pattern is not null then 1 else 0 end) as accounts,
        max(case when line_rules.resource_pattern is not null then 1 else 0 end) as resources,
        max(case when line_rules.tag_pattern is not null then 1 else 0 end) as tags
    from described
    inner join line_rules
        on (
            line_rules.charge_category is null
            or described.charge_category = line_rules.charge_category
        )
        and regexp_matches(described.provider_text, coalesce(line_rules.provider_pattern, ''))
        and regexp_matches(described.service_text, coalesce(line_rules.service_pattern, ''))
        and regexp_matches(described.category_text, coalesce(line_rules.category_pattern, ''))
        and regexp_matches(described.operation_text, coalesce(line_rules.operation_pattern, ''))
        and regexp_matches(described.meter_text, coalesce(line_rules.meter_pattern, ''))
    group by described.billing_period_start, described.signature_id
)

select
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
    coalesce(line_needs.accounts, 0) = 1 as uses_account,
    coalesce(line_needs.resources, 0) = 1 as uses_resource,
    coalesce(line_needs.tags, 0) = 1 as uses_tags
from described
left join line_needs
    on described.billing_period_start = line_needs.billing_period_start
    and described.signature_id = line_needs.signature_id
