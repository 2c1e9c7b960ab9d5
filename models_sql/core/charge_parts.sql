/*
description: >
    Each bill line in FOCUS terms at the grain of core.charge_owners, with who caused the part: what adds up is split
    exactly, what does not is as on the line. What FOCUS demands and a bill leaves open is filled where FOCUS says how.
    Estimated rows have no charge and are not here.
grain: [charge_id, cell_id, row_id]
materialized: view
columns:
    charge_date: null
    charge_id: null
    cell_id: null
    row_id: null
    owner_id: null
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
    publisher_name: null
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
    user_id: null
    tenant: null
    customer: null
    team: null
    feature: null
    endpoint: null
    workflow: null
    agent: null
    agent_step: null
    environment: null
    from_zone: null
    to_zone: null
    residual_reason: null
    method_id: null
    evidence: null
    cost_state: null
    cost_driver: null
    traffic_kind: null
    model: null
    token_class: null
    service_tier: null
    rule_id: null
    x_allocated_ratio: null
    x_delivered_allocated_method_id: null
    x_delivered_allocated_resource_id: null
    x_source: null
    x_snapshot_id: null
    x_service_code: null
    x_operation: null
    x_sku_group: null
    x_instance_type: null
    x_principal_id: null
*/
with

parts_of_charges as (select * from core.charge_owners),

lines as (select * from staging.charges),

classified as (select * from core.charges),

owners as (select * from core.owners_daily),

units as (select * from reference.focus_units),

accounts as (select * from staging.accounts),

/* Names of accounts that inventories know. Bills spell an id as they like, and Azure's with its kind before it. */
account_names as (
    select
        accounts.provider,
        lower(accounts.account_id) as account_key,
        min(accounts.account_name) as account_name
    from accounts
    where accounts.account_name is not null
    group by accounts.provider, lower(accounts.account_id)
),

/* Null where FOCUS wants null, filled where FOCUS says what stands for a value that the bill does not give. */
conforming as (
    select
        lines.charge_id,
        lines.allocated_method_details,
        lines.allocated_method_id,
        lines.allocated_resource_id,
        lines.allocated_resource_name,
        lines.allocated_tags,
        lines.availability_zone,
        lines.billed_cost,
        lines.billing_account_id,
        lines.billing_account_name,
        lines.billing_account_type,
        lines.billing_currency,
        lines.billing_period_end,
        lines.billing_period_start,
        lines.capacity_reservation_id,
        lines.capacity_reservation_status,
        lines.charge_category,
        case when lines.charge_class = 'Correction' then lines.charge_class end as charge_class,
        lines.charge_description,
        case lower(lines.charge_frequency)
            when 'one-time' then 'One-Time'
            when 'recurring' then 'Recurring'
            when 'usage-based' then 'Usage-Based'
            else lines.charge_frequency
        end as charge_frequency,
        lines.charge_period_end,
        lines.charge_period_start,
        case
            when lines.commitment_discount_id is not null
                then lines.commitment_discount_category
        end as commitment_discount_category,
        lines.commitment_discount_id,
        case
            when lines.commitment_discount_id is not null
                then lines.commitment_discount_name
        end as commitment_discount_name,
        case
            when lines.charge_category in ('Usage', 'Purchase')
                and lines.commitment_discount_id is not null
                then lines.commitment_discount_quantity
        end as commitment_discount_quantity,
        case
            when lines.commitment_discount_id is not null
                then lines.commitment_discount_status
        end as commitment_discount_status,
        case
            when lines.commitment_discount_id is not null
                then lines.commitment_discount_type
        end as commitment_discount_type,
        case
            when lines.charge_category in ('Usage', 'Purchase')
                and lines.commitment_discount_id is not null
                and lines.commitment_discount_quantity is not null
                then coalesce(commitment_units.focus_unit, lines.commitment_discount_unit)
        end as commitment_discount_unit,
        lines.commitment_program_eligibility_details,
        case
            when lines.charge_category = 'Usage'
                and coalesce(lines.commitment_discount_status, '') <> 'Unused'
                then lines.consumed_quantity
        end as consumed_quantity,
        case
            when lines.charge_category = 'Usage'
                and coalesce(lines.commitment_discount_status, '') <> 'Unused'
                and lines.consumed_quantity is not null
                then coalesce(consumed_units.focus_unit, lines.consumed_unit)
        end as consumed_unit,
        lines.contract_applied,
        lines.contracted_cost,
        case
            when coalesce(lines.charge_category, '') <> 'Tax'
                then lines.contracted_unit_price
        end as contracted_unit_price,
        lines.effective_cost,
        coalesce(lines.host_provider_name, lines.service_provider_name) as host_provider_name,
        lines.invoice_detail_id,
        lines.invoice_id,
        coalesce(lines.invoice_issuer_name, lines.service_provider_name) as invoice_issuer_name,
        lines.list_cost,
        case
            when coalesce(lines.charge_category, '') <> 'Tax'
                then lines.list_unit_price
        end as list_unit_price,
        case
            when coalesce(lines.charge_category, '') <> 'Tax'
                then lines.pricing_category
        end as pricing_category,
        coalesce(lines.pricing_currency, lines.billing_currency) as pricing_currency,
        case
            when coalesce(lines.charge_category, '') <> 'Tax'
                then coalesce(
                    lines.pricing_currency_contracted_unit_price,
                    case
                        when
                            coalesce(lines.pricing_currency, lines.billing_currency) = lines.billing_currency
                            then lines.contracted_unit_price
                    end
                )
        end as pricing_currency_contracted_unit_price,
        coalesce(
            lines.pricing_currency_effective_cost,
            case
                when
                    coalesce(lines.pricing_currency, lines.billing_currency) = lines.billing_currency
                    then lines.effective_cost
            end
        ) as pricing_currency_effective_cost,
        case
            when coalesce(lines.charge_category, '') <> 'Tax'
                then coalesce(
                    lines.pricing_currency_list_unit_price,
                    case
                        when
                            coalesce(lines.pricing_currency, lines.billing_currency) = lines.billing_currency
                            then lines.list_unit_price
                    end
                )
        end as pricing_currency_list_unit_price,
        case
            when coalesce(lines.charge_category, '') <> 'Tax'
                then lines.pricing_quantity
        end as pricing_quantity,
        case
            when coalesce(lines.charge_category, '') <> 'Tax'
                and lines.pricing_quantity is not null
                then coalesce(pricing_units.focus_unit, lines.pricing_unit)
        end as pricing_unit,
        coalesce(lines.x_publisher_name, lines.service_provider_name) as publisher_name,
        coalesce(lines.region_id, lines.region_name) as region_id,
        coalesce(lines.region_name, lines.region_id) as region_name,
        lines.resource_id,
        lines.resource_name,
        case when lines.resource_id is not null then lines.resource_type end as resource_type,
        coalesce(lines.service_category, 'Other') as service_category,
        lines.service_name,
        lines.service_provider_name,
        coalesce(
            lines.service_subcategory, 'Other (' || coalesce(lines.service_category, 'Other') || ')'
        ) as service_subcategory,
        case when coalesce(lines.charge_category, '') <> 'Tax' then lines.sku_id end as sku_id,
        case
            when coalesce(lines.charge_category, '') <> 'Tax' and lines.sku_id is not null
                then coalesce(lines.sku_meter, lines.charge_description)
        end as sku_meter,
        case
            when coalesce(lines.charge_category, '') <> 'Tax' and lines.sku_price_id is not null
                then lines.sku_price_details
        end as sku_price_details,
        case when coalesce(lines.charge_category, '') <> 'Tax' then lines.sku_price_id end as sku_price_id,
        lines.sub_account_id,
        case when lines.sub_account_id is not null then lines.sub_account_name end as sub_account_name,
        case when lines.sub_account_id is not null then lines.sub_account_type end as sub_account_type,
        lines.tags,
        lines.x_source,
        lines.x_snapshot_id,
        lines.x_service_code,
        lines.x_operation,
        lines.x_sku_group,
        lines.x_instance_type,
        lines.x_principal_id
    from lines
    left join units as pricing_units on lower(lines.pricing_unit) = pricing_units.unit
    left join units as consumed_units on lower(lines.consumed_unit) = consumed_units.unit
    left join units as commitment_units on lower(lines.commitment_discount_unit) = commitment_units.unit
),

/* Integers that the split is exact in: of 1e-12; a quantity too large for that in millionths or ones, and the rest. */
measured as (
    select
        conforming.*,
        cast(
            cast(conforming.contracted_cost as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as contracted_units,
        case
            when abs(conforming.pricing_quantity) >= 10000000000000000
                then cast(conforming.pricing_quantity as decimal(22, 0))
            when abs(conforming.pricing_quantity) >= 10000000000
                then cast(
                    cast(conforming.pricing_quantity as decimal(28, 6)) * cast(1000000 as decimal(7, 0))
                    as decimal(22, 0)
                )
        end as pricing_quantity_coarse_units,
        case
            when abs(conforming.pricing_quantity) >= 10000000000000000 then cast(1 as decimal(7, 6))
            else cast(0.000001 as decimal(7, 6))
        end as pricing_quantity_coarse_unit,
        cast(
            cast(
                case
                    when abs(conforming.pricing_quantity) >= 10000000000000000
                        then conforming.pricing_quantity - cast(conforming.pricing_quantity as decimal(22, 0))
                    when abs(conforming.pricing_quantity) >= 10000000000
                        then conforming.pricing_quantity - cast(conforming.pricing_quantity as decimal(28, 6))
                    else conforming.pricing_quantity
                end as decimal(24, 12)
            ) * cast(1000000000000 as decimal(13, 0)) as decimal(22, 0)
        ) as pricing_quantity_units,
        case
            when abs(conforming.consumed_quantity) >= 10000000000000000
                then cast(conforming.consumed_quantity as decimal(22, 0))
            when abs(conforming.consumed_quantity) >= 10000000000
                then cast(
                    cast(conforming.consumed_quantity as decimal(28, 6)) * cast(1000000 as decimal(7, 0))
                    as decimal(22, 0)
                )
        end as consumed_quantity_coarse_units,
        case
            when abs(conforming.consumed_quantity) >= 10000000000000000 then cast(1 as decimal(7, 6))
            else cast(0.000001 as decimal(7, 6))
        end as consumed_quantity_coarse_unit,
        cast(
            cast(
                case
                    when abs(conforming.consumed_quantity) >= 10000000000000000
                        then conforming.consumed_quantity
                        - cast(conforming.consumed_quantity as decimal(22, 0))
                    when abs(conforming.consumed_quantity) >= 10000000000
                        then conforming.consumed_quantity
                        - cast(conforming.consumed_quantity as decimal(28, 6))
                    else conforming.consumed_quantity
                end as decimal(24, 12)
            ) * cast(1000000000000 as decimal(13, 0)) as decimal(22, 0)
        ) as consumed_quantity_units,
        case
            when abs(conforming.commitment_discount_quantity) >= 10000000000000000
                then cast(conforming.commitment_discount_quantity as decimal(22, 0))
            when abs(conforming.commitment_discount_quantity) >= 10000000000
                then cast(
                    cast(conforming.commitment_discount_quantity as decimal(28, 6))
                    * cast(1000000 as decimal(7, 0))
                    as decimal(22, 0)
                )
        end as commitment_discount_quantity_coarse_units,
        case
            when
                abs(conforming.commitment_discount_quantity) >= 10000000000000000
                then cast(1 as decimal(7, 6))
            else cast(0.000001 as decimal(7, 6))
        end as commitment_discount_quantity_coarse_unit,
        cast(
            cast(
                case
                    when abs(conforming.commitment_discount_quantity) >= 10000000000000000
                        then conforming.commitment_discount_quantity
                        - cast(conforming.commitment_discount_quantity as decimal(22, 0))
                    when abs(conforming.commitment_discount_quantity) >= 10000000000
                        then conforming.commitment_discount_quantity
                        - cast(conforming.commitment_discount_quantity as decimal(28, 6))
                    else conforming.commitment_discount_quantity
                end as decimal(24, 12)
            ) * cast(1000000000000 as decimal(13, 0)) as decimal(22, 0)
        ) as commitment_discount_quantity_units,
        case
            when abs(conforming.pricing_currency_effective_cost) >= 10000000000000000
                then cast(conforming.pricing_currency_effective_cost as decimal(22, 0))
            when abs(conforming.pricing_currency_effective_cost) >= 10000000000
                then cast(
                    cast(conforming.pricing_currency_effective_cost as decimal(28, 6))
                    * cast(1000000 as decimal(7, 0))
                    as decimal(22, 0)
                )
        end as pricing_currency_effective_cost_coarse_units,
        case
            when
                abs(conforming.pricing_currency_effective_cost) >= 10000000000000000
                then cast(1 as decimal(7, 6))
            else cast(0.000001 as decimal(7, 6))
        end as pricing_currency_effective_cost_coarse_unit,
        cast(
            cast(
                case
                    when abs(conforming.pricing_currency_effective_cost) >= 10000000000000000
                        then conforming.pricing_currency_effective_cost
                        - cast(conforming.pricing_currency_effective_cost as decimal(22, 0))
                    when abs(conforming.pricing_currency_effective_cost) >= 10000000000
                        then conforming.pricing_currency_effective_cost
                        - cast(conforming.pricing_currency_effective_cost as decimal(28, 6))
                    else conforming.pricing_currency_effective_cost
                end as decimal(24, 12)
            ) * cast(1000000000000 as decimal(13, 0)) as decimal(22, 0)
        ) as pricing_currency_effective_cost_units
    from conforming
),

named as (
    select
        owners.*,
        substring(
            coalesce(
                chr(31) || 'feature' || chr(30) || regexp_replace(owners.feature, '[\x00-\x1F]', ' ', 'g'),
                ''
            )
            || coalesce(
                chr(31) || 'endpoint' || chr(30) || regexp_replace(owners.endpoint, '[\x00-\x1F]', ' ', 'g'),
                ''
            )
            || coalesce(
                chr(31) || 'workflow' || chr(30) || regexp_replace(owners.workflow, '[\x00-\x1F]', ' ', 'g'),
                ''
            )
            || coalesce(
                chr(31) || 'agent' || chr(30) || regexp_replace(owners.agent, '[\x00-\x1F]', ' ', 'g'),
                ''
            )
            || coalesce(
                chr(31)
                || 'agent_step'
                || chr(30)
                || regexp_replace(owners.agent_step, '[\x00-\x1F]', ' ', 'g'),
                ''
            )
            || coalesce(
                chr(31) || 'user_id' || chr(30) || regexp_replace(owners.user_id, '[\x00-\x1F]', ' ', 'g'),
                ''
            )
            || coalesce(
                chr(31) || 'customer' || chr(30) || regexp_replace(owners.customer, '[\x00-\x1F]', ' ', 'g'),
                ''
            )
            || coalesce(
                chr(31) || 'tenant' || chr(30) || regexp_replace(owners.tenant, '[\x00-\x1F]', ' ', 'g'),
                ''
            )
            || coalesce(
                chr(31) || 'team' || chr(30) || regexp_replace(owners.team, '[\x00-\x1F]', ' ', 'g'),
                ''
            )
            || coalesce(
                chr(31)
                || 'environment'
                || chr(30)
                || regexp_replace(owners.environment, '[\x00-\x1F]', ' ', 'g'),
                ''
            ),
            2
        ) as owner_text
    from owners
),

/* A backslash and a quote get a backslash before them; the keys of the tags have a prefix of our own. */
tagged as (
    select
        named.*,
        nullif(replace(replace(named.owner_text, chr(31), ', '), chr(30), ' '), '') as owner_name,
        case
            when named.owner_text <> ''
                then '{"everycent/'
                || replace(
                    replace(
                        replace(
                            replace(named.owner_text, chr(92), chr(92) || chr(92)),
                            chr(34),
                            chr(92) || chr(34)
                        ),
                        chr(31),
                        '", "everycent/'
                    ),
                    chr(30),
                    '": "'
                )
                || '"}'
        end as owner_tags
    from named
),

parts as (
    select
        measured.*,
        parts_of_charges.charge_date,
        parts_of_charges.cell_id,
        parts_of_charges.row_id,
        parts_of_charges.owner_id,
        parts_of_charges.from_zone,
        parts_of_charges.to_zone,
        parts_of_charges.residual_reason,
        parts_of_charges.method_id,
        parts_of_charges.evidence,
        parts_of_charges.cost_state,
        parts_of_charges.billed_cost as billed_cost_part,
        parts_of_charges.effective_cost as effective_cost_part,
        parts_of_charges.list_cost as list_cost_part,
        cast(parts_of_charges.before_parts as decimal(16, 0)) as before_parts,
        cast(parts_of_charges.until_parts as decimal(16, 0)) as until_parts,
        cast(1000000000000000 as decimal(16, 0)) as total_parts,
        classified.cost_driver,
        classified.traffic_kind,
        classified.model,
        classified.token_class,
        classified.service_tier,
        classified.rule_id,
        billing_accounts.account_name as known_billing_account_name,
        sub_accounts.account_name as known_sub_account_name,
        tagged.user_id,
        tagged.tenant,
        tagged.customer,
        tagged.team,
        tagged.feature,
        tagged.endpoint,
        tagged.workflow,
        tagged.agent,
        tagged.agent_step,
        tagged.environment,
        tagged.owner_name,
        tagged.owner_tags
    from parts_of_charges
    inner join measured on parts_of_charges.charge_id = measured.charge_id
    inner join classified on parts_of_charges.charge_id = classified.charge_id
    left join account_names as billing_accounts
        on classified.provider = billing_accounts.provider
        and lower(measured.billing_account_id) = billing_accounts.account_key
    left join account_names as sub_accounts
        on classified.provider = sub_accounts.provider
        and replace(lower(measured.sub_account_id), '/subscriptions/', '') = sub_accounts.account_key
    left join tagged
        on parts_of_charges.charge_date = tagged.charge_date
        and parts_of_charges.owner_id = tagged.owner_id
),

split as (
    select
        parts.*,
        cast(parts.until_parts - parts.before_parts as decimal(16, 0)) as part_units,
        idiv(parts.contracted_units * parts.until_parts, parts.total_parts)
        - idiv(parts.contracted_units * parts.before_parts, parts.total_parts) as contracted_part,
        idiv(parts.pricing_quantity_coarse_units * parts.until_parts, parts.total_parts)
        - idiv(parts.pricing_quantity_coarse_units * parts.before_parts, parts.total_parts)
            as pricing_quantity_coarse_part,
        idiv(parts.pricing_quantity_units * parts.until_parts, parts.total_parts)
        - idiv(parts.pricing_quantity_units * parts.before_parts, parts.total_parts)
            as pricing_quantity_units_part,
        idiv(parts.consumed_quantity_coarse_units * parts.until_parts, parts.total_parts)
        - idiv(parts.consumed_quantity_coarse_units * parts.before_parts, parts.total_parts)
            as consumed_quantity_coarse_part,
        idiv(parts.consumed_quantity_units * parts.until_parts, parts.total_parts)
        - idiv(parts.consumed_quantity_units * parts.before_parts, parts.total_parts)
            as consumed_quantity_units_part,
        idiv(parts.commitment_discount_quantity_coarse_units * parts.until_parts, parts.total_parts)
        - idiv(parts.commitment_discount_quantity_coarse_units * parts.before_parts, parts.total_parts)
            as commitment_discount_quantity_coarse_part,
        idiv(parts.commitment_discount_quantity_units * parts.until_parts, parts.total_parts)
        - idiv(parts.commitment_discount_quantity_units * parts.before_parts, parts.total_parts)
            as commitment_discount_quantity_units_part,
        idiv(parts.pricing_currency_effective_cost_coarse_units * parts.until_parts, parts.total_parts)
        - idiv(parts.pricing_currency_effective_cost_coarse_units * parts.before_parts, parts.total_parts)
            as pricing_currency_effective_cost_coarse_part,
        idiv(parts.pricing_currency_effective_cost_units * parts.until_parts, parts.total_parts)
        - idiv(parts.pricing_currency_effective_cost_units * parts.before_parts, parts.total_parts)
            as pricing_currency_effective_cost_units_part
    from parts
),

amounts as (
    select
        split.*,
        case
            when split.contracted_cost = split.effective_cost then split.effective_cost_part
            when split.contracted_cost = split.list_cost then split.list_cost_part
            else
                cast(
                    cast(split.contracted_part as decimal(24, 0)) * cast(0.000000000001 as decimal(13, 12))
                    as decimal(38, 12)
                )
        end as contracted_cost_part,
        coalesce(
            cast(
                cast(split.pricing_quantity_coarse_part as decimal(24, 0))
                * split.pricing_quantity_coarse_unit
                as decimal(38, 12)
            ),
            0
        )
        + cast(
            cast(split.pricing_quantity_units_part as decimal(24, 0))
            * cast(0.000000000001 as decimal(13, 12))
            as decimal(38, 12)
        ) as pricing_quantity_part,
        coalesce(
            cast(
                cast(split.consumed_quantity_coarse_part as decimal(24, 0))
                * split.consumed_quantity_coarse_unit
                as decimal(38, 12)
            ),
            0
        )
        + cast(
            cast(split.consumed_quantity_units_part as decimal(24, 0))
            * cast(0.000000000001 as decimal(13, 12))
            as decimal(38, 12)
        ) as consumed_quantity_part,
        coalesce(
            cast(
                cast(split.commitment_discount_quantity_coarse_part as decimal(24, 0))
                * split.commitment_discount_quantity_coarse_unit
                as decimal(38, 12)
            ),
            0
        )
        + cast(
            cast(split.commitment_discount_quantity_units_part as decimal(24, 0))
            * cast(0.000000000001 as decimal(13, 12))
            as decimal(38, 12)
        ) as commitment_discount_quantity_part,
        case
            when split.pricing_currency_effective_cost = split.effective_cost then split.effective_cost_part
            else
                coalesce(
                    cast(
                        cast(split.pricing_currency_effective_cost_coarse_part as decimal(24, 0))
                        * split.pricing_currency_effective_cost_coarse_unit
                        as decimal(38, 12)
                    ),
                    0
                )
                + cast(
                    cast(split.pricing_currency_effective_cost_units_part as decimal(24, 0))
                    * cast(0.000000000001 as decimal(13, 12))
                    as decimal(38, 12)
                )
        end as pricing_currency_effective_cost_part,
        split.part_units < split.total_parts
        or split.billed_cost_part <> split.billed_cost
        or split.effective_cost_part <> split.effective_cost
        or split.list_cost_part <> split.list_cost as is_split,
        case when split.residual_reason is null and split.owner_name is not null then split.owner_id end
            as allocated_owner_id,
        case when split.residual_reason is null then split.owner_name end as allocated_owner_name,
        case when split.residual_reason is null then split.owner_tags end as allocated_owner_tags,
        case
            when split.part_units = split.total_parts then '1'
            else '0.' || lpad(cast(split.part_units as varchar), 15, '0')
        end as ratio_text,
        case when split.method_id = 'tokens' then split.consumed_unit end as usage_unit
    from split
    /* An owner whose part rounds to nothing is not in the bill. */
    where split.part_units > 0
        or coalesce(split.billed_cost_part, 0) <> 0
        or coalesce(split.effective_cost_part, 0) <> 0
        or coalesce(split.list_cost_part, 0) <> 0
),

detailed as (
    select
        amounts.*,
        '{"Elements": [{"AllocatedRatio": ' || amounts.ratio_text
        || case
            when amounts.usage_unit is not null and amounts.consumed_quantity_part is not null
                then ', "UsageUnit": "'
                || replace(
                    replace(
                        regexp_replace(amounts.usage_unit, '[\x00-\x1F]', ' ', 'g'),
                        chr(92),
                        chr(92) || chr(92)
                    ),
                    chr(34),
                    chr(92) || chr(34)
                )
                || '", "UsageQuantity": '
                || cast(cast(amounts.consumed_quantity_part as decimal(38, 6)) as varchar)
            else ''
        end
        || '}]}' as owner_method_details
    from amounts
)

select
    detailed.charge_date,
    detailed.charge_id,
    detailed.cell_id,
    detailed.row_id,
    detailed.owner_id,
    case
        when detailed.is_split then detailed.owner_method_details else detailed.allocated_method_details
    end as allocated_method_details,
    case when detailed.is_split then detailed.method_id else detailed.allocated_method_id end
        as allocated_method_id,
    case when detailed.is_split then detailed.allocated_owner_id else detailed.allocated_resource_id end
        as allocated_resource_id,
    case when detailed.is_split then detailed.allocated_owner_name else detailed.allocated_resource_name end
        as allocated_resource_name,
    case when detailed.is_split then detailed.allocated_owner_tags else detailed.allocated_tags end
        as allocated_tags,
    detailed.availability_zone,
    detailed.billed_cost_part as billed_cost,
    detailed.billing_account_id,
    coalesce(detailed.billing_account_name, detailed.known_billing_account_name) as billing_account_name,
    detailed.billing_account_type,
    detailed.billing_currency,
    detailed.billing_period_end,
    detailed.billing_period_start,
    detailed.capacity_reservation_id,
    detailed.capacity_reservation_status,
    detailed.charge_category,
    detailed.charge_class,
    detailed.charge_description,
    detailed.charge_frequency,
    detailed.charge_period_end,
    detailed.charge_period_start,
    detailed.commitment_discount_category,
    detailed.commitment_discount_id,
    detailed.commitment_discount_name,
    detailed.commitment_discount_quantity_part as commitment_discount_quantity,
    detailed.commitment_discount_status,
    detailed.commitment_discount_type,
    detailed.commitment_discount_unit,
    detailed.commitment_program_eligibility_details,
    detailed.consumed_quantity_part as consumed_quantity,
    detailed.consumed_unit,
    detailed.contract_applied,
    detailed.contracted_cost_part as contracted_cost,
    detailed.contracted_unit_price,
    detailed.effective_cost_part as effective_cost,
    detailed.host_provider_name,
    detailed.invoice_detail_id,
    detailed.invoice_id,
    detailed.invoice_issuer_name,
    detailed.list_cost_part as list_cost,
    detailed.list_unit_price,
    detailed.pricing_category,
    detailed.pricing_currency,
    detailed.pricing_currency_contracted_unit_price,
    detailed.pricing_currency_effective_cost_part as pricing_currency_effective_cost,
    detailed.pricing_currency_list_unit_price,
    detailed.pricing_quantity_part as pricing_quantity,
    detailed.pricing_unit,
    detailed.publisher_name,
    detailed.region_id,
    detailed.region_name,
    detailed.resource_id,
    detailed.resource_name,
    detailed.resource_type,
    detailed.service_category,
    detailed.service_name,
    detailed.service_provider_name,
    detailed.service_subcategory,
    detailed.sku_id,
    detailed.sku_meter,
    detailed.sku_price_details,
    detailed.sku_price_id,
    detailed.sub_account_id,
    coalesce(detailed.sub_account_name, detailed.known_sub_account_name) as sub_account_name,
    detailed.sub_account_type,
    detailed.tags,
    detailed.user_id,
    detailed.tenant,
    detailed.customer,
    detailed.team,
    detailed.feature,
    detailed.endpoint,
    detailed.workflow,
    detailed.agent,
    detailed.agent_step,
    detailed.environment,
    detailed.from_zone,
    detailed.to_zone,
    detailed.residual_reason,
    detailed.method_id,
    detailed.evidence,
    detailed.cost_state,
    detailed.cost_driver,
    detailed.traffic_kind,
    detailed.model,
    detailed.token_class,
    detailed.service_tier,
    detailed.rule_id,
    cast(detailed.part_units * cast(0.000000000000001 as decimal(16, 15)) as decimal(18, 15))
        as x_allocated_ratio,
    detailed.allocated_method_id as x_delivered_allocated_method_id,
    detailed.allocated_resource_id as x_delivered_allocated_resource_id,
    detailed.x_source,
    detailed.x_snapshot_id,
    detailed.x_service_code,
    detailed.x_operation,
    detailed.x_sku_group,
    detailed.x_instance_type,
    detailed.x_principal_id
from detailed
