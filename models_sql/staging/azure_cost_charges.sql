/*
description: >
    The current lines of Azure's actual and amortized cost files as FOCUS charges. All lines of the amortized file
    count, and from the actual file the purchases and refunds of reservations and savings plans: the landing marks them.
    Covered usage has no billed cost and its share as effective cost, a purchase the reverse.
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
checks:
    - name: azure_lines_keep_their_total
      severity: fail
      description: The charges of a file cost what its lines cost, lines that another file has included (they cost 0).
      sql: >
        select l.x_source, l.billing_currency, l.total, c.total as charged_total
        from (select x_source, billing_currency, sum(billed_cost) as total
              from lake.azure_cost_lines group by x_source, billing_currency) as l
        left join (select x_source, billing_currency, sum(billed_cost) as total
              from staging.azure_cost_charges group by x_source, billing_currency) as c
          on l.x_source = c.x_source and l.billing_currency = c.billing_currency
        where l.total <> coalesce(c.total, 0)
    - name: azure_services_are_known
      severity: warn
      description: A service that no row of reference.azure_services names keeps its meter category and counts as Other.
      sql: >
        select distinct service_name from staging.azure_cost_charges
        where service_subcategory is null and charge_category = 'Usage'
*/
with

lines as (
    select * from lake.azure_cost_lines
    where is_counted
),

resource_types as (
    select * from reference.azure_services
    where match_kind = 'resource_type'
),

consumed_services as (
    select * from reference.azure_services
    where match_kind = 'consumed_service'
),

meter_categories as (
    select * from reference.azure_services
    where match_kind = 'meter_category'
),

spelled as (
    select
        lines.*,
        replace(lower(lines.charge_type), ' ', '') as charge_type_text,
        replace(lower(lines.pricing_model), ' ', '') as pricing_model_text,
        replace(replace(lower(lines.frequency), ' ', ''), '-', '') as frequency_text,
        coalesce(lines.meter_category, 'all services') || coalesce(' - ' || lines.meter_name, '')
            as meter_label,
        lines.commitment_kind is not null as is_commitment
    from lines
),

categorised as (
    select
        spelled.*,
        case
            when spelled.charge_type_text in ('usage', 'unusedreservation', 'unusedsavingsplan')
                then 'Usage'
            when spelled.charge_type_text = 'purchase' then 'Purchase'
            when spelled.charge_type_text = 'refund'
                and spelled.frequency_text = 'usagebased'
                and not spelled.is_commitment
                then 'Usage'
            when spelled.charge_type_text = 'refund' then 'Purchase'
            when spelled.charge_type_text = 'tax' then 'Tax'
            when spelled.charge_type_text = 'credit' then 'Credit'
            else 'Adjustment'
        end as charge_category,
        -- a refund corrects a closed month when it names that month's invoice or lies in that month
        case
            when spelled.charge_type_text = 'refund'
                and (
                    spelled.previous_invoice_id is not null
                    or spelled.charge_period_start < spelled.billing_period_start
                )
                then 'Correction'
        end as charge_class,
        coalesce(
            spelled.charge_type_text in ('unusedreservation', 'unusedsavingsplan'), false
        ) as is_unused,
        spelled.is_commitment
        and coalesce(spelled.charge_type_text in ('purchase', 'refund'), false)
            as is_commitment_purchase,
        case
            when spelled.is_commitment then spelled.commitment_id
        end as commitment_discount_id,
        case
            when spelled.cost_view = 'query'
                then 'Daily total of the query API: ' || spelled.meter_label
            else coalesce(
                    spelled.product_name, spelled.meter_name, spelled.commitment_name, spelled.charge_type
                )
        end as charge_description,
        case
            when lower(spelled.publisher_type) = 'aws' then 'AWS'
            else 'Microsoft'
        end as service_provider_name
    from spelled
),

mapped as (
    select
        categorised.*,
        categorised.charge_category = 'Usage' and not categorised.is_unused as is_consumption,
        case
            when categorised.is_commitment_purchase then 'Standard'
            when categorised.is_commitment then 'Committed'
            when categorised.pricing_model_text = 'spot' then 'Dynamic'
            when categorised.charge_category in ('Usage', 'Purchase') then 'Standard'
        end as pricing_category,
        -- each kind of match is unique in the reference table, so no join adds lines
        coalesce(
            resource_types.service_name,
            meter_categories.service_name,
            consumed_services.service_name,
            categorised.meter_category,
            categorised.product_name,
            'Azure'
        ) as service_name,
        coalesce(
            resource_types.service_category,
            meter_categories.service_category,
            consumed_services.service_category,
            'Other'
        ) as service_category,
        coalesce(
            resource_types.service_subcategory,
            meter_categories.service_subcategory,
            consumed_services.service_subcategory
        ) as service_subcategory
    from categorised
    left join resource_types
        on categorised.resource_type = resource_types.match_text
    left join meter_categories
        on lower(categorised.meter_category) = meter_categories.match_text
    left join consumed_services
        on categorised.consumed_service = consumed_services.match_text
)

select
    mapped.charge_id,
    mapped.x_line_key,
    mapped.x_occurrence,
    mapped.x_source,
    mapped.x_snapshot_id,
    mapped.x_source_file,
    cast(null as varchar) as allocated_method_details,
    cast(null as varchar) as allocated_method_id,
    cast(null as varchar) as allocated_resource_id,
    cast(null as varchar) as allocated_resource_name,
    cast(null as varchar) as allocated_tags,
    mapped.availability_zone,
    mapped.billed_cost,
    mapped.billing_account_id,
    mapped.billing_account_name,
    mapped.billing_account_type,
    mapped.billing_currency,
    mapped.billing_period_end,
    mapped.billing_period_start,
    cast(null as varchar) as capacity_reservation_id,
    cast(null as varchar) as capacity_reservation_status,
    mapped.charge_category,
    mapped.charge_class,
    mapped.charge_description,
    case
        when mapped.frequency_text = 'onetime' then 'One-Time'
        when mapped.frequency_text = 'recurring' then 'Recurring'
        when mapped.frequency_text = 'usagebased' and mapped.charge_category = 'Purchase' then 'One-Time'
        when mapped.frequency_text = 'usagebased' then 'Usage-Based'
    end as charge_frequency,
    mapped.charge_period_end,
    mapped.charge_period_start,
    case mapped.commitment_kind
        when 'savings_plan' then 'Spend'
        when 'reservation' then 'Usage'
    end as commitment_discount_category,
    mapped.commitment_discount_id,
    case
        when mapped.commitment_discount_id is not null then mapped.commitment_name
    end as commitment_discount_name,
    cast(null as decimal(38, 12)) as commitment_discount_quantity,
    case
        when mapped.is_unused then 'Unused'
        when mapped.is_commitment and mapped.charge_category = 'Usage' then 'Used'
    end as commitment_discount_status,
    case mapped.commitment_kind
        when 'savings_plan' then 'Savings Plan'
        when 'reservation' then 'Reservation'
    end as commitment_discount_type,
    cast(null as varchar) as commitment_discount_unit,
    cast(null as varchar) as commitment_program_eligibility_details,
    case when mapped.is_consumption then mapped.quantity end as consumed_quantity,
    case
        when mapped.is_consumption and mapped.quantity is not null then mapped.consumed_unit
    end as consumed_unit,
    cast(null as varchar) as contract_applied,
    mapped.contracted_cost,
    mapped.contracted_unit_price,
    mapped.effective_cost,
    mapped.service_provider_name as host_provider_name,
    cast(null as varchar) as invoice_detail_id,
    mapped.invoice_id,
    mapped.invoice_issuer_name,
    mapped.list_cost,
    mapped.list_unit_price,
    mapped.pricing_category,
    mapped.pricing_currency,
    case
        when not mapped.is_unused then nullif(mapped.unit_price, 0)
    end as pricing_currency_contracted_unit_price,
    case
        when mapped.cost_view = 'actual' then cast(0 as decimal(38, 12))
        else mapped.cost_in_pricing_currency
    end as pricing_currency_effective_cost,
    case when not mapped.is_unused then nullif(mapped.payg_price, 0) end as pricing_currency_list_unit_price,
    case when mapped.charge_category <> 'Tax' then mapped.pricing_quantity end as pricing_quantity,
    case when mapped.charge_category <> 'Tax' then mapped.unit_of_measure end as pricing_unit,
    mapped.region_id,
    mapped.region_name,
    case
        when mapped.is_unused or mapped.is_commitment_purchase
            then coalesce(mapped.resource_id, mapped.commitment_discount_id)
        else mapped.resource_id
    end as resource_id,
    mapped.resource_name,
    mapped.resource_type,
    mapped.service_category,
    mapped.service_name,
    mapped.service_provider_name,
    mapped.service_subcategory,
    coalesce(mapped.product_id, mapped.meter_id) as sku_id,
    mapped.meter_name as sku_meter,
    mapped.sku_price_details,
    coalesce(mapped.part_number, mapped.product_id, mapped.meter_id) as sku_price_id,
    mapped.subscription_id as sub_account_id,
    mapped.subscription_name as sub_account_name,
    case when mapped.subscription_id is not null then 'Subscription' end as sub_account_type,
    mapped.tags,
    mapped.publisher_name as x_publisher_name,
    mapped.meter_category as x_service_code,
    cast(null as varchar) as x_operation,
    mapped.meter_subcategory as x_sku_group,
    mapped.instance_type as x_instance_type,
    cast(null as varchar) as x_from_region_id,
    cast(null as varchar) as x_to_region_id,
    cast(null as varchar) as x_principal_id,
    case when mapped.charge_type_text = 'refund' then 'refund' end as x_correction_cause,
    mapped.x_tag_user_id,
    mapped.x_tag_tenant,
    mapped.x_tag_customer,
    mapped.x_tag_team,
    mapped.x_tag_feature,
    mapped.x_tag_endpoint,
    mapped.x_tag_workflow,
    mapped.x_tag_environment
from mapped
