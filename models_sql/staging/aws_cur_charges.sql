/*
description: >
    A line of an AWS Cost and Usage Report 2.0 as FOCUS charges. Usage that a commitment covers costs nothing on the bill
    and its amortised share in effect; the fee that pays for it is a purchase without effective cost; what of it
    nobody used is a row of its own. Savings Plan negations fold into one row per plan, only where they do not
    cancel what they negate. Costs are net of discounts where AWS states net costs. Sums to the lines' billed cost.
grain: [billing_period_start, charge_id]
materialized: table
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

lines as (
    select *
    from lake.aws_cur_lines
    where not is_split_allocation
),

services as (select * from reference.aws_services),

negations as (
    select
        min(lines.charge_id) as charge_id,
        cast(sum(lines.billed_cost) as decimal(38, 12)) as difference
    from lines
    where lines.line_item_line_item_type in ('SavingsPlanCoveredUsage', 'SavingsPlanNegation')
    group by
        lines.x_source,
        lines.x_snapshot_id,
        lines.billing_account_id,
        lines.billing_period_start,
        lines.billing_currency,
        lines.invoice_issuer_name,
        lines.invoice_id,
        lines.line_item_usage_account_id,
        lines.savings_plan_savings_plan_a_r_n
),

roles as (
    select 'line' as row_role
    union all
    select 'unused' as row_role
    union all
    select 'negation' as row_role
),

typed as (
    select
        lines.*,
        services.service_name as known_service_name,
        case
            when lines.product_name like '%Bedrock%' then 'AI and Machine Learning'
            else coalesce(services.service_category, 'Other')
        end as service_category,
        case
            when lines.product_name like '%Bedrock%' then 'Generative AI'
            else coalesce(services.service_subcategory, 'Other (Other)')
        end as service_subcategory,
        roles.row_role,
        negations.difference,
        case
            when roles.row_role = 'line' then lines.line_item_line_item_type
            else roles.row_role
        end as row_type,
        -- AWS names a capacity reservation in the column of reserved instances: it holds capacity, it gives no discount
        coalesce(
            nullif(lines.savings_plan_savings_plan_a_r_n, ''),
            case
                when lines.reservation_reservation_a_r_n not like '%:capacity-reservation/%'
                    then nullif(lines.reservation_reservation_a_r_n, '')
            end
        ) as commitment_id,
        coalesce(
            nullif(lines.capacity_reservation_id, ''),
            case
                when lines.reservation_reservation_a_r_n like '%:capacity-reservation/%'
                    then lines.reservation_reservation_a_r_n
            end
        ) as known_capacity_reservation_id,
        coalesce(nullif(lines.savings_plan_savings_plan_a_r_n, ''), '') <> '' as is_savings_plan,
        coalesce(lines.line_item_usage_type, '') <> '' as has_usage_type,
        cast(
            coalesce(lines.savings_plan_amortized_upfront_commitment_for_billing_period, 0)
            as decimal(24, 12)
        )
        + cast(
            coalesce(lines.savings_plan_recurring_commitment_for_billing_period, 0) as decimal(24, 12)
        ) as gross_commitment,
        case
            when lines.savings_plan_net_recurring_commitment_for_billing_period is not null
                or lines.savings_plan_net_amortized_upfront_commitment_for_billing_period is not null
                then cast(
                    coalesce(lines.savings_plan_net_amortized_upfront_commitment_for_billing_period, 0)
                    as decimal(24, 12)
                )
                + cast(
                    coalesce(lines.savings_plan_net_recurring_commitment_for_billing_period, 0)
                    as decimal(24, 12)
                )
        end as net_commitment,
        cast(lines.savings_plan_total_commitment_to_date as decimal(24, 12))
        - cast(lines.savings_plan_used_commitment as decimal(24, 12)) as unused_commitment
    from lines
    cross join roles
    left join negations on lines.charge_id = negations.charge_id
    left join services on lines.line_item_product_code = services.x_service_code
    where (roles.row_role = 'line' and lines.line_item_line_item_type <> 'SavingsPlanNegation')
        or (
            roles.row_role = 'unused'
            and lines.line_item_line_item_type in ('RIFee', 'SavingsPlanRecurringFee')
        )
        or (roles.row_role = 'negation' and negations.difference <> 0)
),

measured as (
    select
        typed.*,
        cast(
            cast(typed.unused_commitment as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as unused_units,
        cast(
            cast(typed.net_commitment as decimal(21, 9)) * cast(1000000000 as decimal(10, 0))
            as decimal(15, 0)
        ) as net_units,
        cast(
            cast(typed.gross_commitment as decimal(21, 9)) * cast(1000000000 as decimal(10, 0))
            as decimal(15, 0)
        ) as gross_units,
        cast(
            coalesce(
                typed.reservation_net_unused_recurring_fee, typed.reservation_unused_recurring_fee
            ) as decimal(24, 12)
        ) as unused_recurring_fee,
        cast(
            coalesce(
                typed.reservation_net_unused_amortized_upfront_fee_for_billing_period,
                typed.reservation_unused_amortized_upfront_fee_for_billing_period
            ) as decimal(24, 12)
        ) as unused_upfront_fee
    from typed
),

unused as (
    select
        measured.*,
        cast(
            case
                when measured.row_role <> 'unused' then null
                when measured.line_item_line_item_type = 'RIFee'
                    then coalesce(
                        measured.unused_recurring_fee + measured.unused_upfront_fee,
                        measured.unused_recurring_fee,
                        measured.unused_upfront_fee
                    )
                when measured.net_units is null or measured.gross_units = 0
                    then measured.unused_commitment
                else
                    cast(
                        idiv(measured.unused_units * measured.net_units, measured.gross_units)
                        as decimal(24, 0)
                    )
                    * cast(0.000000000001 as decimal(13, 12))
            end as decimal(38, 12)
        ) as unused_cost
    from measured
),

categorised as (
    select
        unused.*,
        case
            when unused.row_role = 'unused' then 'Usage'
            when unused.row_type in ('Usage', 'SavingsPlanCoveredUsage', 'DiscountedUsage') then 'Usage'
            when unused.row_type in ('Fee', 'FlatRateSubscription') then 'Purchase'
            when unused.row_type in ('RIFee', 'SavingsPlanUpfrontFee', 'SavingsPlanRecurringFee')
                then 'Purchase'
            when unused.row_type in ('Tax', 'Credit') then unused.row_type
            when unused.row_type = 'Refund' and unused.commitment_id is not null then 'Purchase'
            when unused.row_type = 'Refund' and coalesce(unused.line_item_tax_type, '') <> '' then 'Tax'
            when unused.row_type = 'Refund' and unused.has_usage_type then 'Usage'
            else 'Adjustment'
        end as charge_category,
        unused.row_type in ('RIFee', 'SavingsPlanUpfrontFee', 'SavingsPlanRecurringFee')
        or (unused.row_type in ('Fee', 'Refund') and unused.commitment_id is not null)
            as is_commitment_purchase,
        unused.row_type in ('SavingsPlanCoveredUsage', 'DiscountedUsage') as is_covered,
        unused.row_type in ('Usage', 'SavingsPlanCoveredUsage', 'DiscountedUsage', 'Refund')
        and unused.line_item_usage_start_date < unused.billing_period_start as is_of_closed_period
    from unused
    where unused.row_role <> 'unused' or unused.unused_cost is null or unused.unused_cost <> 0
),

priced as (
    select
        categorised.*,
        case
            when categorised.row_role = 'unused' then cast(0 as decimal(38, 12))
            when categorised.row_role = 'negation' then categorised.difference
            when categorised.row_type = 'SavingsPlanCoveredUsage' then cast(0 as decimal(38, 12))
            else categorised.billed_cost
        end as charge_billed_cost,
        case
            when categorised.row_role = 'unused' or categorised.is_commitment_purchase
                or categorised.row_type like '%Discount'
                then cast(0 as decimal(38, 12))
            when categorised.row_role = 'negation' then categorised.difference
            when categorised.row_type = 'DiscountedUsage' then categorised.pricing_public_on_demand_cost
            when categorised.row_type in ('Tax', 'Credit') then categorised.billed_cost
            else coalesce(
                    nullif(categorised.pricing_public_on_demand_cost, 0), categorised.line_item_unblended_cost
                )
        end as charge_list_cost,
        case
            when categorised.row_role = 'unused' then categorised.unused_cost
            when categorised.row_role = 'negation' then categorised.difference
            when categorised.is_commitment_purchase then cast(0 as decimal(38, 12))
            when categorised.row_type = 'SavingsPlanCoveredUsage'
                then coalesce(
                    categorised.savings_plan_net_savings_plan_effective_cost,
                    categorised.savings_plan_savings_plan_effective_cost
                )
            when categorised.row_type = 'DiscountedUsage'
                then coalesce(
                    categorised.reservation_net_effective_cost, categorised.reservation_effective_cost
                )
            else categorised.billed_cost
        end as charge_effective_cost,
        case
            when categorised.charge_category not in ('Usage', 'Purchase')
                or categorised.row_type in ('unused', 'Refund')
                or (categorised.charge_category = 'Purchase' and coalesce(categorised.pricing_unit, '') = '')
                then null
            else categorised.line_item_usage_amount
        end as charge_quantity
    from categorised
)

select
    case
        when priced.row_role = 'line' and not priced.is_commitment_purchase then priced.charge_id
        when priced.row_role = 'line' then priced.charge_id || '-purchase'
        else priced.charge_id || '-' || priced.row_role
    end as charge_id,
    case
        when priced.row_role = 'line' and not priced.is_commitment_purchase then priced.x_line_key
        when priced.row_role = 'line' then priced.x_line_key || '-purchase'
        else priced.x_line_key || '-' || priced.row_role
    end as x_line_key,
    priced.x_occurrence,
    priced.x_source,
    priced.x_snapshot_id,
    priced.x_source_file,
    cast(null as varchar) as allocated_method_details,
    cast(null as varchar) as allocated_method_id,
    cast(null as varchar) as allocated_resource_id,
    cast(null as varchar) as allocated_resource_name,
    cast(null as varchar) as allocated_tags,
    case
        when priced.row_role = 'line' then nullif(priced.line_item_availability_zone, '')
    end as availability_zone,
    priced.charge_billed_cost as billed_cost,
    priced.billing_account_id,
    priced.billing_account_name,
    cast(null as varchar) as billing_account_type,
    priced.billing_currency,
    priced.billing_period_end,
    priced.billing_period_start,
    priced.known_capacity_reservation_id as capacity_reservation_id,
    nullif(priced.capacity_reservation_status, '') as capacity_reservation_status,
    priced.charge_category,
    case when priced.is_of_closed_period then 'Correction' end as charge_class,
    case
        when priced.row_role = 'line' then nullif(priced.line_item_line_item_description, '')
        when priced.row_role = 'negation' then 'Savings Plan covered usage less its negation'
        when priced.is_savings_plan then 'Unused Savings Plan commitment'
        else 'Unused reservation'
    end as charge_description,
    case
        when priced.row_role = 'unused' then 'Usage-Based'
        when priced.row_type in ('RIFee', 'SavingsPlanRecurringFee', 'FlatRateSubscription') then 'Recurring'
        when priced.row_type in ('Usage', 'SavingsPlanCoveredUsage', 'DiscountedUsage') then 'Usage-Based'
        else 'One-Time'
    end as charge_frequency,
    priced.line_item_usage_end_date as charge_period_end,
    priced.line_item_usage_start_date as charge_period_start,
    case
        when priced.commitment_id is null then null
        when priced.is_savings_plan then 'Spend'
        else 'Usage'
    end as commitment_discount_category,
    priced.commitment_id as commitment_discount_id,
    cast(null as varchar) as commitment_discount_name,
    case
        when priced.commitment_id is null then null
        when
            priced.row_role = 'unused' and priced.is_savings_plan
            then cast(priced.unused_commitment as decimal(38, 12))
        when priced.row_role = 'unused' then priced.reservation_unused_quantity
        when priced.row_type = 'SavingsPlanCoveredUsage'
            then priced.savings_plan_savings_plan_effective_cost
        when priced.row_type = 'SavingsPlanRecurringFee' then priced.savings_plan_total_commitment_to_date
        when priced.row_type in ('DiscountedUsage', 'RIFee') then priced.line_item_usage_amount
    end as commitment_discount_quantity,
    case
        when priced.commitment_id is null then null
        when priced.row_role = 'unused' then 'Unused'
        when priced.is_covered then 'Used'
    end as commitment_discount_status,
    case
        when priced.commitment_id is null then null
        when priced.is_savings_plan then 'Savings Plan'
        else 'Reserved Instance'
    end as commitment_discount_type,
    case
        when priced.commitment_id is null then null
        when priced.is_savings_plan and priced.row_type in (
                'unused', 'SavingsPlanCoveredUsage', 'SavingsPlanRecurringFee'
            )
            then priced.billing_currency
        when not priced.is_savings_plan and priced.row_type in ('unused', 'DiscountedUsage', 'RIFee')
            then nullif(priced.pricing_unit, '')
    end as commitment_discount_unit,
    cast(null as varchar) as commitment_program_eligibility_details,
    case when priced.charge_category = 'Usage' then priced.charge_quantity end as consumed_quantity,
    case
        when priced.charge_category = 'Usage' and priced.charge_quantity is not null
            then nullif(priced.pricing_unit, '')
    end as consumed_unit,
    cast(null as varchar) as contract_applied,
    case
        when priced.row_type = 'SavingsPlanCoveredUsage' then priced.billed_cost
        when priced.row_type = 'DiscountedUsage' then priced.charge_list_cost
        when priced.is_commitment_purchase then cast(0 as decimal(38, 12))
        else priced.charge_billed_cost
    end as contracted_cost,
    cast(null as decimal(38, 12)) as contracted_unit_price,
    priced.charge_effective_cost as effective_cost,
    'AWS' as host_provider_name,
    cast(null as varchar) as invoice_detail_id,
    nullif(priced.invoice_id, '') as invoice_id,
    nullif(priced.invoice_issuer_name, '') as invoice_issuer_name,
    priced.charge_list_cost as list_cost,
    case
        when priced.charge_quantity is null then null
        -- a rate of 0 beside a cost is no list price: AWS states none for what others sell
        when priced.pricing_public_on_demand_rate = 0 and priced.charge_list_cost <> 0 then null
        else priced.pricing_public_on_demand_rate
    end as list_unit_price,
    case
        when priced.charge_category in ('Tax', 'Adjustment') then null
        when priced.charge_category = 'Credit' then 'Other'
        when priced.row_role = 'unused' or priced.is_covered then 'Committed'
        when priced.line_item_usage_type like '%Spot%' then 'Dynamic'
        else 'Standard'
    end as pricing_category,
    cast(null as varchar) as pricing_currency,
    cast(null as decimal(38, 12)) as pricing_currency_contracted_unit_price,
    cast(null as decimal(38, 12)) as pricing_currency_effective_cost,
    cast(null as decimal(38, 12)) as pricing_currency_list_unit_price,
    priced.charge_quantity as pricing_quantity,
    case when priced.charge_quantity is not null then nullif(priced.pricing_unit, '') end as pricing_unit,
    nullif(priced.product_region_code, '') as region_id,
    nullif(priced.product_location, '') as region_name,
    case
        when priced.row_role = 'unused' or priced.is_commitment_purchase then priced.commitment_id
        when priced.row_role = 'line' then nullif(priced.line_item_resource_id, '')
    end as resource_id,
    cast(null as varchar) as resource_name,
    cast(null as varchar) as resource_type,
    priced.service_category,
    coalesce(
        nullif(priced.product_name, ''),
        priced.known_service_name,
        nullif(priced.product_service_name, ''),
        nullif(priced.product_servicecode, ''),
        nullif(priced.line_item_product_code, '')
    ) as service_name,
    'AWS' as service_provider_name,
    priced.service_subcategory,
    case when priced.row_role = 'line' then nullif(priced.product_sku, '') end as sku_id,
    case when priced.row_role <> 'negation' then nullif(priced.line_item_usage_type, '') end as sku_meter,
    cast(null as varchar) as sku_price_details,
    case when priced.row_role = 'line' then nullif(priced.pricing_rate_code, '') end as sku_price_id,
    priced.line_item_usage_account_id as sub_account_id,
    priced.line_item_usage_account_name as sub_account_name,
    cast(null as varchar) as sub_account_type,
    priced.tags,
    nullif(priced.line_item_legal_entity, '') as x_publisher_name,
    nullif(priced.line_item_product_code, '') as x_service_code,
    case when priced.row_role = 'line' then nullif(priced.line_item_operation, '') end as x_operation,
    nullif(priced.product_product_family, '') as x_sku_group,
    case when priced.row_role = 'line' then nullif(priced.product_instance_type, '') end as x_instance_type,
    nullif(priced.product_from_region_code, '') as x_from_region_id,
    nullif(priced.product_to_region_code, '') as x_to_region_id,
    priced.line_item_iam_principal as x_principal_id,
    case
        when priced.row_role <> 'line' then null
        when priced.row_type = 'Refund' then 'refund'
        when priced.row_type = 'Credit' then 'credit'
        when priced.is_of_closed_period then 'usage'
    end as x_correction_cause,
    priced.x_tag_user_id,
    priced.x_tag_tenant,
    priced.x_tag_customer,
    priced.x_tag_team,
    priced.x_tag_feature,
    priced.x_tag_endpoint,
    priced.x_tag_workflow,
    priced.x_tag_environment
from priced
