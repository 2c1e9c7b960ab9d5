/*
description: >
    Charges in FOCUS terms of the lines of a Google Cloud billing export. Promotions become credits of their
    own. Commitment fees become purchases; what their usage took of them is its effective cost, the rest is an
    unused row. Both of Google's commitment models end in the same shape.
grain: [billing_period_start, charge_id]
order_by: [sku_id, charge_period_start]
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
    - name: charges_equal_lines
      severity: fail
      by: partition
      description: The charges made of the lines cost what the lines cost, per feed, currency and month.
      sql: >
        select l.x_source, l.billing_currency, l.billing_period_start, l.billed_cost, c.billed_cost as charges_cost
        from (select x_source, billing_currency, billing_period_start, sum(billed_cost) as billed_cost
              from lake.gcp_cost_lines group by x_source, billing_currency, billing_period_start) as l
        full outer join (select x_source, billing_currency, billing_period_start, sum(billed_cost) as billed_cost
              from staging.gcp_charges group by x_source, billing_currency, billing_period_start) as c
            on l.x_source = c.x_source and l.billing_currency = c.billing_currency
            and l.billing_period_start = c.billing_period_start
        where l.billed_cost is distinct from c.billed_cost
    - name: effective_equals_billed
      severity: fail
      by: partition
      description: What commitments cost is carried by what they cover or left unused, per bill and month.
      sql: >
        select x_source, billing_account_id, billing_currency, billing_period_start,
            sum(billed_cost) as billed_cost, sum(effective_cost) as effective_cost
        from staging.gcp_charges
        group by x_source, billing_account_id, billing_currency, billing_period_start
        having sum(billed_cost) <> sum(effective_cost)
*/
with

source as (select * from lake.gcp_cost_lines),

commitment_source as (select * from lake.gcp_cost_lines),

services as (select * from reference.gcp_services),

sku_prices as (
    select * from staging.sku_prices
    where provider = 'google'
),

part_kinds as (
    select '' as id_suffix
    union all
    select '-credit-promotion' as id_suffix
    union all
    select '-unused' as id_suffix
),

/* A fee is told by its SKU, and in the newer commitment model by what offsets it. */
told as (
    select
        commitment_source.x_source || chr(31) || commitment_source.billing_account_id
        || chr(31) || commitment_source.billing_currency
        || chr(31) || cast(commitment_source.billing_period_start as varchar) as bill_key,
        commitment_source.charge_id,
        commitment_source.sku_id,
        lower(coalesce(commitment_source.service_name, '')) as service_text,
        commitment_source.fee_utilization_offset_credit,
        commitment_source.committed_usage_discount_dollar_base_credit,
        commitment_source.cost,
        lower(coalesce(commitment_source.sku_description, '')) as sku_text,
        commitment_source.billed_cost - commitment_source.promotion_credit as net_cost,
        commitment_source.committed_usage_discount_credit
        + commitment_source.committed_usage_discount_dollar_base_credit as commitment_credit,
        coalesce(commitment_source.usage_amount_in_pricing_units, 0) as quantity,
        case
            when commitment_source.fee_utilization_offset_credit <> 0 then true
            when coalesce(commitment_source.cost_type, 'regular') <> 'regular' then false
            else regexp_matches(
                    lower(coalesce(commitment_source.sku_description, '')),
                    '^commitment( v[0-9]+)?( -|:| for|$)'
                )
        end as is_fee
    from commitment_source
),

/* Only fees and what they cover meet in pools; everything else passes by. */
commitments as (
    select * from told
    where is_fee or commitment_credit <> 0
),

offsets as (
    select
        commitments.bill_key,
        commitments.sku_id,
        count(*) as offset_count
    from commitments
    where commitments.fee_utilization_offset_credit <> 0
    group by commitments.bill_key, commitments.sku_id
),

/* Commitments of spend are a service's own, or flexible ones of Compute Engine, which cover other services too. */
spend_services as (
    select
        commitments.bill_key,
        commitments.service_text
    from commitments
    where commitments.is_fee and commitments.sku_text like '%dollar based%'
    group by commitments.bill_key, commitments.service_text
),

/* A pool is the commitments of spend of a service, or those of one kind of resource; in the newer model a fee is
alone: its usage is billed at the commitment's price already. */
pooled as (
    select
        commitments.*,
        case
            when commitments.is_fee and offsets.offset_count is not null then 'offset'
            when commitments.is_fee and commitments.sku_text like '%dollar based%'
                then 'spend ' || commitments.service_text
            when not commitments.is_fee and commitments.committed_usage_discount_dollar_base_credit <> 0
                then 'spend ' || coalesce(spend_services.service_text, 'compute engine')
            when regexp_matches(commitments.sku_text, '(^|[^a-z])(ram|memory)([^a-z]|$)') then 'ram'
            when regexp_matches(commitments.sku_text, '(^|[^a-z])(cpu|core|vcpu)([^a-z]|$)') then 'cpu'
            when regexp_matches(commitments.sku_text, '(^|[^a-z])(gpu|nvidia)([^a-z]|$)') then 'gpu'
            when regexp_matches(commitments.sku_text, '(^|[^a-z])ssd([^a-z]|$)') then 'ssd'
            else 'other'
        end as pool_kind
    from commitments
    left join offsets
        on commitments.bill_key = offsets.bill_key
        and commitments.sku_id = offsets.sku_id
    left join spend_services
        on commitments.bill_key = spend_services.bill_key
        and commitments.service_text = spend_services.service_text
),

/* Units of 1e-12 of the currency, and of 1e-3 of an hour; what is given back or taken back counts against them. */
measured as (
    select
        pooled.*,
        cast(
            cast(pooled.net_cost as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as net_units,
        cast(
            cast(abs(pooled.cost) as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as cost_units,
        cast(
            cast(abs(pooled.commitment_credit) as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as credit_units,
        case
            when pooled.pool_kind in ('cpu', 'ram', 'gpu')
                then cast(
                    cast(
                        case when pooled.cost < 0 then -abs(pooled.quantity) else abs(pooled.quantity) end
                        as decimal(16, 3)
                    ) * cast(1000 as decimal(4, 0))
                    as decimal(15, 0)
                )
            else cast(0 as decimal(15, 0))
        end as quantity_units
    from pooled
),

/* Fees weigh by their amount, covered usage by what the commitment took off it. */
weighted as (
    select
        measured.*,
        case
            when measured.is_fee then measured.net_units else cast(0 as decimal(22, 0))
        end as fee_units,
        case
            when measured.is_fee and measured.net_units > 0 then measured.net_units
            when not measured.is_fee and measured.commitment_credit < 0 then measured.credit_units
            else cast(0 as decimal(22, 0))
        end as raw_weight,
        case
            when measured.is_fee then measured.quantity_units else cast(0 as decimal(15, 0))
        end as committed_units,
        case
            when measured.is_fee or measured.commitment_credit = 0 or measured.cost = 0
                or (measured.commitment_credit > 0) = (measured.cost > 0)
                then cast(0 as decimal(15, 0))
            when measured.credit_units >= measured.cost_units then measured.quantity_units
            else cast(
                    idiv(measured.quantity_units * measured.credit_units, measured.cost_units)
                    as decimal(15, 0)
                )
        end as covered_units
    from measured
),

pools as (
    select
        weighted.bill_key,
        weighted.pool_kind,
        cast(sum(weighted.fee_units) as decimal(25, 0)) as fee_units,
        cast(sum(weighted.committed_units) as decimal(13, 0)) as committed_units,
        cast(greatest(sum(weighted.covered_units), 0) as decimal(13, 0)) as covered_units,
        max(weighted.covered_units) > 0 as is_covered_measured,
        cast(sum(case when weighted.is_fee then 0 else weighted.raw_weight end) as decimal(38, 0))
            as covered_weight,
        cast(sum(case when weighted.is_fee then weighted.raw_weight else 0 end) as decimal(38, 0))
            as fee_weight,
        cast(count(*) as decimal(12, 0)) as members_count
    from weighted
    group by weighted.bill_key, weighted.pool_kind
),

/* Commitments of cores or memory state how much was committed; of spend, only that something was covered. */
used_pools as (
    select
        pools.*,
        case
            when pools.pool_kind = 'offset' or pools.covered_weight = 0 or pools.fee_units <= 0
                then cast(0 as decimal(25, 0))
            when pools.pool_kind in ('cpu', 'ram', 'gpu')
                and pools.is_covered_measured
                and pools.committed_units > pools.covered_units
                then cast(
                    idiv(pools.fee_units * pools.covered_units, pools.committed_units) as decimal(25, 0)
                )
            else pools.fee_units
        end as used_units
    from pools
),

/* Weights of a side of a pool are brought below 1e13, so that products fit 38 digits. */
scaled as (
    select
        weighted.bill_key,
        weighted.pool_kind,
        weighted.charge_id,
        weighted.is_fee,
        weighted.net_units,
        weighted.raw_weight > 0 as has_weight,
        used_pools.used_units,
        used_pools.fee_units as pool_fee_units,
        case
            when weighted.raw_weight = 0 then cast(0 as decimal(13, 0))
            when case when weighted.is_fee then used_pools.fee_weight else used_pools.covered_weight end
                < 10000000000000
                then cast(weighted.raw_weight as decimal(13, 0))
            else cast(
                    greatest(
                        1,
                        idiv(
                            weighted.raw_weight
                            * cast(9999999999999 - used_pools.members_count as decimal(13, 0)),
                            case
                                when weighted.is_fee then used_pools.fee_weight
                                else used_pools.covered_weight
                            end
                        )
                    ) as decimal(13, 0)
                )
        end as weight
    from weighted
    inner join used_pools
        on weighted.bill_key = used_pools.bill_key
        and weighted.pool_kind = used_pools.pool_kind
),

cumulated as (
    select
        scaled.*,
        cast(sum(scaled.weight) over (
            partition by scaled.bill_key, scaled.pool_kind, scaled.is_fee
        ) as decimal(13, 0)) as total_weight,
        cast(sum(scaled.weight) over (
            partition by scaled.bill_key, scaled.pool_kind, scaled.is_fee
            order by scaled.charge_id
            rows between unbounded preceding and current row
        ) as decimal(13, 0)) as weight_until,
        case
            when scaled.is_fee then cast(scaled.pool_fee_units - scaled.used_units as decimal(25, 0))
            else scaled.used_units
        end as split_units
    from scaled
),

/* Of a fee nothing of which is used, all is unused, refunds of fees included. */
shared as (
    select
        cumulated.charge_id,
        cumulated.pool_kind,
        cumulated.is_fee,
        case
            when
                cumulated.is_fee and cumulated.used_units = 0
                then cast(cumulated.net_units as decimal(25, 0))
            when not cumulated.has_weight then cast(0 as decimal(25, 0))
            else cast(
                    idiv(cumulated.split_units * cumulated.weight_until, cumulated.total_weight)
                    - idiv(
                        cumulated.split_units
                        * cast(cumulated.weight_until - cumulated.weight as decimal(13, 0)),
                        cumulated.total_weight
                    ) as decimal(25, 0)
                )
        end as share_units
    from cumulated
),

split as (
    select
        source.*,
        source.billed_cost - source.promotion_credit as net_cost,
        source.committed_usage_discount_credit
        + source.committed_usage_discount_dollar_base_credit as commitment_credit,
        coalesce(lower(source.consumption_model_description) <> 'default', false) as is_commitment_priced,
        regexp_replace(
            cast(coalesce(source.price_tier_start_quantity, 0) as varchar), '[.]?0+$', '', 'g'
        ) as tier_text,
        shared.pool_kind,
        coalesce(shared.is_fee, false) as is_fee,
        case when shared.is_fee then 0 else coalesce(shared.share_units, 0) end as share_units,
        case when shared.is_fee then shared.share_units else 0 end as unused_units
    from source
    left join shared on source.charge_id = shared.charge_id
),

/* A line, and the credit and the unused commitment that it may hold. */
parts as (
    select
        split.*,
        part_kinds.id_suffix
    from split
    cross join part_kinds
    where
        part_kinds.id_suffix = ''
        or (part_kinds.id_suffix = '-credit-promotion' and split.promotion_credit <> 0)
        or (part_kinds.id_suffix = '-unused' and split.unused_units <> 0)
),

described as (
    select
        parts.*,
        case
            when parts.id_suffix = '-credit-promotion' then 'Credit'
            when parts.id_suffix = '-unused' then 'Usage'
            when parts.is_fee then 'Purchase'
            when parts.cost_type = 'tax' then 'Tax'
            when parts.cost_type in ('adjustment', 'rounding_error') then 'Adjustment'
            else 'Usage'
        end as charge_category,
        parts.id_suffix = '' as is_line,
        parts.id_suffix = '' and not parts.is_fee
        and coalesce(parts.cost_type, 'regular') = 'regular'
        and (parts.commitment_credit <> 0 or parts.is_commitment_priced) as is_covered,
        coalesce(parts.service_name, 'Google Cloud') as known_service_name,
        parts.sku_id || '/' || parts.tier_text as catalogue_price_id,
        case
            when parts.price_list is null then null
            when coalesce(parts.price_unit_quantity, 1) <= 1 then parts.price_list
            else cast(
                    cast(
                        idiv(
                            2 * cast(
                                cast(parts.price_list as decimal(24, 12))
                                * cast(1000000000000 as decimal(13, 0))
                                as decimal(22, 0)
                            ) + cast(parts.price_unit_quantity as decimal(15, 0)),
                            2 * cast(parts.price_unit_quantity as decimal(15, 0))
                        ) as decimal(24, 0)
                    ) * cast(0.000000000001 as decimal(13, 12)) as decimal(38, 12)
                )
        end as stated_list_unit_price,
        case
            when coalesce(parts.price_effective_default, parts.price_effective) is null then null
            when coalesce(parts.price_unit_quantity, 1) <= 1
                then coalesce(parts.price_effective_default, parts.price_effective)
            else cast(
                    cast(
                        idiv(
                            2 * cast(
                                cast(
                                    coalesce(parts.price_effective_default, parts.price_effective)
                                    as decimal(24, 12)
                                ) * cast(1000000000000 as decimal(13, 0)) as decimal(22, 0)
                            ) + cast(parts.price_unit_quantity as decimal(15, 0)),
                            2 * cast(parts.price_unit_quantity as decimal(15, 0))
                        ) as decimal(24, 0)
                    ) * cast(0.000000000001 as decimal(13, 12)) as decimal(38, 12)
                )
        end as stated_contracted_unit_price,
        cast(
            cast(parts.share_units as decimal(25, 0)) * cast(0.000000000001 as decimal(13, 12))
            as decimal(38, 12)
        ) as share_cost,
        cast(
            cast(parts.unused_units as decimal(25, 0)) * cast(0.000000000001 as decimal(13, 12))
            as decimal(38, 12)
        ) as unused_cost
    from parts
),

/* At most one catalogue row: sku_price_id and currency are its grain. At most one service row a name. */
priced as (
    select
        described.*,
        described.is_line and described.charge_category in ('Usage', 'Purchase') as is_priced,
        coalesce(described.stated_list_unit_price, sku_prices.list_unit_price) as known_list_unit_price,
        services.service_category as known_category,
        services.service_subcategory as known_subcategory
    from described
    left join sku_prices
        on described.catalogue_price_id = sku_prices.sku_price_id
        and described.billing_currency = sku_prices.currency
    left join services on lower(described.known_service_name) = services.service_name
),

committed as (
    select
        priced.*,
        case
            when priced.is_fee and priced.id_suffix <> '-credit-promotion'
                then coalesce(priced.subscription_instance_id, priced.sku_id)
            when priced.is_covered
                then coalesce(
                    priced.subscription_instance_id,
                    priced.commitment_names,
                    priced.consumption_model_id,
                    priced.consumption_model_description,
                    priced.sku_id
                )
        end as commitment_discount_id
    from priced
),

rows_made as (
    select
        committed.charge_id,
        committed.id_suffix,
        committed.x_line_key,
        committed.x_occurrence,
        committed.x_source,
        committed.x_snapshot_id,
        committed.x_source_file,
        committed.zone,
        committed.billing_account_id,
        committed.billing_currency,
        committed.billing_period_start,
        committed.billing_period_end,
        committed.charge_category,
        committed.charge_period_start,
        committed.charge_period_end,
        committed.commitment_discount_id,
        committed.invoice_issuer_name,
        committed.region,
        committed.location,
        committed.service_id,
        committed.sku_id,
        committed.sku_description,
        committed.project_id,
        committed.project_name,
        committed.instance_type,
        committed.sku_price_details,
        committed.tags,
        committed.x_tag_user_id,
        committed.x_tag_tenant,
        committed.x_tag_customer,
        committed.x_tag_team,
        committed.x_tag_feature,
        committed.x_tag_endpoint,
        committed.x_tag_workflow,
        committed.x_tag_environment,
        committed.known_service_name as service_name,
        case
            when committed.id_suffix = '-credit-promotion' then committed.promotion_credit
            when committed.id_suffix = '-unused' then cast(0 as decimal(38, 12))
            else committed.net_cost
        end as billed_cost,
        case
            when committed.id_suffix = '-credit-promotion' then committed.promotion_credit
            when committed.id_suffix = '-unused' then committed.unused_cost
            when committed.is_fee then cast(0 as decimal(38, 12))
            else committed.net_cost + committed.share_cost
        end as effective_cost,
        case
            when committed.id_suffix = '-credit-promotion' then committed.promotion_credit
            when committed.id_suffix = '-unused' then cast(0 as decimal(38, 12))
            when committed.cost_at_list is not null then committed.cost_at_list
            when committed.charge_category <> 'Usage' then committed.cost
            else cast(
                    try_cast(committed.known_list_unit_price as decimal(20, 12))
                    * try_cast(committed.usage_amount_in_pricing_units as decimal(18, 6)) as decimal(38, 12)
                )
        end as list_cost,
        case
            when committed.id_suffix = '-credit-promotion' then committed.promotion_credit
            when committed.id_suffix = '-unused' then cast(0 as decimal(38, 12))
            else coalesce(committed.cost_at_effective_price_default, committed.cost)
        end as contracted_cost,
        case
            when (committed.adjustment_type is not null or committed.adjustment_id is not null)
                and committed.is_period_closed
                then 'Correction'
        end as charge_class,
        case
            when committed.id_suffix = '-credit-promotion' then committed.promotion_names
            when committed.id_suffix = '-unused'
                then 'Unused commitment: ' || coalesce(committed.sku_description, committed.sku_id, '')
            else coalesce(committed.sku_description, committed.adjustment_description, committed.cost_type)
        end as charge_description,
        case
            when committed.charge_category = 'Usage' then 'Usage-Based'
            when committed.charge_category = 'Purchase' then 'Recurring'
            else 'One-Time'
        end as charge_frequency,
        case
            when committed.commitment_discount_id is null then null
            when committed.pool_kind in ('cpu', 'ram', 'gpu', 'ssd', 'other') then 'Usage'
            else 'Spend'
        end as commitment_discount_category,
        case
            when committed.commitment_discount_id is null then null
            when committed.is_fee then committed.sku_description
            when committed.is_commitment_priced then committed.consumption_model_description
            else committed.commitment_names
        end as commitment_discount_name,
        case
            when committed.commitment_discount_id is not null then 'Committed Use Discount'
        end as commitment_discount_type,
        case
            when committed.id_suffix = '-unused' then 'Unused'
            when committed.is_covered then 'Used'
        end as commitment_discount_status,
        case
            when committed.is_line and committed.charge_category = 'Usage' then committed.usage_amount
        end as consumed_quantity,
        case
            when committed.is_line and committed.charge_category = 'Usage'
                and committed.usage_amount is not null
                then committed.usage_unit
        end as consumed_unit,
        case when committed.is_priced then committed.usage_amount_in_pricing_units end as pricing_quantity,
        case
            when committed.is_priced and committed.usage_amount_in_pricing_units is not null
                then committed.pricing_unit
        end as pricing_unit,
        case when committed.is_priced then committed.known_list_unit_price end as list_unit_price,
        case
            when committed.is_priced then committed.stated_contracted_unit_price
        end as contracted_unit_price,
        case
            when committed.is_covered or committed.id_suffix = '-unused' then 'Committed'
            when committed.charge_category = 'Purchase' then 'Standard'
            when committed.charge_category <> 'Usage' then null
            when regexp_matches(lower(coalesce(committed.sku_description, '')), 'spot |preemptible')
                then 'Dynamic'
            else 'Standard'
        end as pricing_category,
        case
            when committed.is_priced
                then committed.catalogue_price_id || coalesce('/' || committed.consumption_model_id, '')
        end as sku_price_id,
        coalesce(committed.known_category, 'Other') as service_category,
        coalesce(committed.known_subcategory, 'Other (Other)') as service_subcategory,
        coalesce(
            committed.resource_global_name,
            case when committed.is_fee then committed.commitment_discount_id end
        ) as resource_global_name,
        committed.resource_name,
        case
            when coalesce(committed.transaction_type, 'GOOGLE') = 'GOOGLE' then 'Google Cloud'
            else coalesce(committed.seller_name, 'Google Cloud')
        end as publisher_name,
        case
            when committed.adjustment_type is null then null
            when committed.adjustment_type = 'USAGE_CORRECTION' then 'usage'
            when committed.adjustment_type = 'PRICE_CORRECTION' then 'price'
            when committed.adjustment_type = 'METADATA_CORRECTION' then 'metadata'
            when committed.adjustment_type in ('GOODWILL', 'SALES_BASED_GOODWILL', 'SLA_VIOLATION')
                then 'credit'
            else 'other'
        end as x_correction_cause
    from committed
)

select
    rows_made.charge_id || rows_made.id_suffix as charge_id,
    rows_made.x_line_key || rows_made.id_suffix as x_line_key,
    rows_made.x_occurrence,
    rows_made.x_source,
    rows_made.x_snapshot_id,
    rows_made.x_source_file,
    cast(null as varchar) as allocated_method_details,
    cast(null as varchar) as allocated_method_id,
    cast(null as varchar) as allocated_resource_id,
    cast(null as varchar) as allocated_resource_name,
    cast(null as varchar) as allocated_tags,
    rows_made.zone as availability_zone,
    rows_made.billed_cost,
    rows_made.billing_account_id,
    cast(null as varchar) as billing_account_name,
    cast('Billing Account' as varchar) as billing_account_type,
    rows_made.billing_currency,
    rows_made.billing_period_end,
    rows_made.billing_period_start,
    cast(null as varchar) as capacity_reservation_id,
    cast(null as varchar) as capacity_reservation_status,
    rows_made.charge_category,
    rows_made.charge_class,
    rows_made.charge_description,
    rows_made.charge_frequency,
    rows_made.charge_period_end,
    rows_made.charge_period_start,
    rows_made.commitment_discount_category,
    rows_made.commitment_discount_id,
    rows_made.commitment_discount_name,
    cast(null as decimal(38, 12)) as commitment_discount_quantity,
    rows_made.commitment_discount_status,
    rows_made.commitment_discount_type,
    cast(null as varchar) as commitment_discount_unit,
    cast(null as varchar) as commitment_program_eligibility_details,
    rows_made.consumed_quantity,
    rows_made.consumed_unit,
    cast(null as varchar) as contract_applied,
    rows_made.contracted_cost,
    rows_made.contracted_unit_price,
    rows_made.effective_cost,
    cast('Google Cloud' as varchar) as host_provider_name,
    cast(null as varchar) as invoice_detail_id,
    cast(null as varchar) as invoice_id,
    rows_made.invoice_issuer_name,
    rows_made.list_cost,
    rows_made.list_unit_price,
    rows_made.pricing_category,
    rows_made.billing_currency as pricing_currency,
    rows_made.contracted_unit_price as pricing_currency_contracted_unit_price,
    rows_made.effective_cost as pricing_currency_effective_cost,
    rows_made.list_unit_price as pricing_currency_list_unit_price,
    rows_made.pricing_quantity,
    rows_made.pricing_unit,
    coalesce(rows_made.region, rows_made.location) as region_id,
    coalesce(rows_made.region, rows_made.location) as region_name,
    rows_made.resource_global_name as resource_id,
    rows_made.resource_name,
    cast(null as varchar) as resource_type,
    rows_made.service_category,
    rows_made.service_name,
    cast('Google Cloud' as varchar) as service_provider_name,
    rows_made.service_subcategory,
    rows_made.sku_id,
    rows_made.sku_description as sku_meter,
    rows_made.sku_price_details,
    rows_made.sku_price_id,
    rows_made.project_id as sub_account_id,
    rows_made.project_name as sub_account_name,
    cast(case when rows_made.project_id is not null then 'Project' end as varchar) as sub_account_type,
    rows_made.tags,
    rows_made.publisher_name as x_publisher_name,
    rows_made.service_id as x_service_code,
    cast(null as varchar) as x_operation,
    cast(null as varchar) as x_sku_group,
    rows_made.instance_type as x_instance_type,
    cast(null as varchar) as x_from_region_id,
    cast(null as varchar) as x_to_region_id,
    cast(null as varchar) as x_principal_id,
    rows_made.x_correction_cause,
    rows_made.x_tag_user_id,
    rows_made.x_tag_tenant,
    rows_made.x_tag_customer,
    rows_made.x_tag_team,
    rows_made.x_tag_feature,
    rows_made.x_tag_endpoint,
    rows_made.x_tag_workflow,
    rows_made.x_tag_environment
from rows_made
