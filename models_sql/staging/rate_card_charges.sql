/*
description: >
    'Other (' || hours.category || ')' as service_subcategory,
    day's cost is the cost per hour times the hours since 1970 at its end, less the same at its beginning, each rounded
    toward zero at 1e-12: days, and parts of days, add up to any whole number of hours exactly, however a card's
    validity is cut. A changed card restates its days.
grain: [charge_id]
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
checks:
    - name: rate_card_days_have_a_length
      severity: fail
      by: partition
      description: A charge of own hardware is a part of one UTC day.
      sql: >
        select charge_id from staging.rate_card_charges
        where charge_period_end <= charge_period_start
            or charge_period_end > cast(cast(charge_period_start as date) + interval 1 day as timestamp)
*/
with

days as (
    select *
    from reference.rate_card_days
    where charge_date >= $start and charge_date < $end
),

cards as (select * from staging.rate_cards),

periods as (
    select
        cards.*,
        case
            when cards.resource_kind in ('gpu_host', 'endpoint') then 'AI and Machine Learning'
            when cards.resource_kind = 'storage' then 'Storage'
            when cards.resource_kind = 'network' then 'Networking'
            else 'Compute'
        end as category,
        greatest(cards.valid_from, cast(days.charge_date as timestamp)) as period_start,
        least(
            coalesce(cards.valid_to, cast('9999-12-31' as timestamp)),
            cast(days.charge_date as timestamp) + interval 1 day
        ) as period_end
    from days
    inner join cards
        on cards.valid_from < cast(days.charge_date as timestamp) + interval 1 day
        and (cards.valid_to is null or cards.valid_to > cast(days.charge_date as timestamp))
),

/* Seconds since 1970 at both ends; the landing cuts times to whole seconds. */
seconds as (
    select
        periods.*,
        cast(
            date_diff('day', cast('1970-01-01' as date), cast(periods.period_start as date)) as decimal(11, 0)
        ) * 86400
        + cast(
            extract(hour from periods.period_start) * 3600 + extract(minute from periods.period_start) * 60
            + floor(extract(second from periods.period_start)) as decimal(11, 0)
        ) as start_second,
        cast(
            date_diff('day', cast('1970-01-01' as date), cast(periods.period_end as date)) as decimal(11, 0)
        ) * 86400
        + cast(
            extract(hour from periods.period_end) * 3600 + extract(minute from periods.period_end) * 60
            + floor(extract(second from periods.period_end)) as decimal(11, 0)
        ) as end_second,
        cast(
            cast(periods.cost_per_hour as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as hour_units
    from periods
),

hours as (
    select
        seconds.*,
        cast(
            cast(
                idiv(seconds.hour_units * cast(seconds.end_second as decimal(11, 0)), 3600)
                - idiv(seconds.hour_units * cast(seconds.start_second as decimal(11, 0)), 3600)
                as decimal(24, 0)
            ) * cast(0.000000000001 as decimal(13, 12)) as decimal(38, 12)
        ) as cost,
        cast(
            cast(
                idiv(cast(seconds.end_second as decimal(22, 0)) * cast(1000000000000 as decimal(13, 0)), 3600)
                - idiv(
                    cast(seconds.start_second as decimal(22, 0)) * cast(1000000000000 as decimal(13, 0)), 3600
                )
                as decimal(24, 0)
            ) * cast(0.000000000001 as decimal(13, 12)) as decimal(38, 12)
        ) as quantity
    from seconds
)

select
    md5(
        'own hardware' || chr(31) || hours.card_id || chr(31) || cast(hours.period_start as varchar)
    ) as charge_id,
    md5(
        'own hardware' || chr(31) || hours.resource_id || chr(31) || hours.cost_kind
        || chr(31) || cast(hours.period_start as varchar)
    ) as x_line_key,
    cast(1 as bigint) as x_occurrence,
    hours.x_source,
    hours.x_snapshot_id,
    cast(null as varchar) as x_source_file,
    cast(null as varchar) as allocated_method_details,
    cast(null as varchar) as allocated_method_id,
    cast(null as varchar) as allocated_resource_id,
    cast(null as varchar) as allocated_resource_name,
    cast(null as varchar) as allocated_tags,
    hours.zone as availability_zone,
    hours.cost as billed_cost,
    'own-hardware' as billing_account_id,
    'Own hardware' as billing_account_name,
    cast(null as varchar) as billing_account_type,
    hours.currency as billing_currency,
    cast(
        cast(date_trunc('month', hours.period_start) as date) + interval 1 month as timestamp
    ) as billing_period_end,
    cast(date_trunc('month', hours.period_start) as timestamp) as billing_period_start,
    cast(null as varchar) as capacity_reservation_id,
    cast(null as varchar) as capacity_reservation_status,
    'Usage' as charge_category,
    cast(null as varchar) as charge_class,
    'Hours of own hardware: ' || hours.cost_kind as charge_description,
    'Usage-Based' as charge_frequency,
    hours.period_end as charge_period_end,
    hours.period_start as charge_period_start,
    cast(null as varchar) as commitment_discount_category,
    cast(null as varchar) as commitment_discount_id,
    cast(null as varchar) as commitment_discount_name,
    cast(null as decimal(38, 12)) as commitment_discount_quantity,
    cast(null as varchar) as commitment_discount_status,
    cast(null as varchar) as commitment_discount_type,
    cast(null as varchar) as commitment_discount_unit,
    cast(null as varchar) as commitment_program_eligibility_details,
    hours.quantity as consumed_quantity,
    'Hours' as consumed_unit,
    cast(null as varchar) as contract_applied,
    hours.cost as contracted_cost,
    hours.cost_per_hour as contracted_unit_price,
    hours.cost as effective_cost,
    'own hardware' as host_provider_name,
    cast(null as varchar) as invoice_detail_id,
    cast(null as varchar) as invoice_id,
    'own hardware' as invoice_issuer_name,
    hours.cost as list_cost,
    hours.cost_per_hour as list_unit_price,
    'Standard' as pricing_category,
    hours.currency as pricing_currency,
    hours.cost_per_hour as pricing_currency_contracted_unit_price,
    hours.cost as pricing_currency_effective_cost,
    hours.cost_per_hour as pricing_currency_list_unit_price,
    hours.quantity as pricing_quantity,
    'Hours' as pricing_unit,
    hours.site as region_id,
    hours.site as region_name,
    hours.resource_id,
    hours.resource_id as resource_name,
    hours.resource_kind as resource_type,
    hours.category as service_category,
    case
        when hours.category = 'AI and Machine Learning' then 'Own hardware that serves models'
        else 'Own hardware'
    end as service_name,
    'own hardware' as service_provider_name,
    'Other (' || hours.category || ')' as service_subcategory,
    'own-hardware-' || hours.cost_kind as sku_id,
    hours.cost_kind || ' hours' as sku_meter,
    cast(null as varchar) as sku_price_details,
    hours.card_id as sku_price_id,
    cast(null as varchar) as sub_account_id,
    cast(null as varchar) as sub_account_name,
    cast(null as varchar) as sub_account_type,
    cast(null as varchar) as tags,
    'own hardware' as x_publisher_name,
    cast(null as varchar) as x_service_code,
    cast(null as varchar) as x_operation,
    cast(null as varchar) as x_sku_group,
    cast(null as varchar) as x_instance_type,
    cast(null as varchar) as x_from_region_id,
    cast(null as varchar) as x_to_region_id,
    cast(null as varchar) as x_principal_id,
    cast(null as varchar) as x_correction_cause,
    cast(null as varchar) as x_tag_user_id,
    cast(null as varchar) as x_tag_tenant,
    cast(null as varchar) as x_tag_customer,
    cast(null as varchar) as x_tag_team,
    cast(null as varchar) as x_tag_feature,
    cast(null as varchar) as x_tag_endpoint,
    cast(null as varchar) as x_tag_workflow,
    cast(null as varchar) as x_tag_environment
from hours
