/*
description: >
    What a month's bill shows of what was measured, learned from its days that passed the watermark: effective cost per
    list cost of logged tokens, per byte, and per second of capacity, at several levels of detail. Discounts are in it, and
    so is the usual share that logs miss; credits are not. Days on which the logs hold nothing of a key say nothing of it.
order_by: [billing_period_start, bill_of_record, provider, cost_driver, billing_currency, rate_level, rate_key, list_cost_currency]
materialized: table
partition_by: {column: billing_period_start, unit: month}
columns:
    billing_period_start: null
    bill_of_record: null
    provider: null
    cost_driver: null
    billing_currency: null
    rate_level: null
    rate_key: null
    list_cost_currency: null
    model: null
    token_class: null
    method_id: null
    traffic_kind: null
    service_name: null
    settled_days_count: null
    logged_rate_ppb: null
    unlogged_rate_ppb: null
*/
with

coverage as (select * from core.bill_coverage),

measured as (
    select *
    from core.measured_use
    where charge_date >= $start and charge_date < $end
        and measured_units > 0
),

cells as (
    select *
    from core.billed_cells
    where charge_date >= $start and charge_date < $end
        and charge_category = 'Usage'
        and effective_cost is not null
        and billing_currency is not null
),

watermarks as (
    select
        cast(date_trunc('month', coverage.billing_period_start) as date) as month_date,
        coverage.bill_of_record,
        coverage.provider,
        max(coverage.watermark_at) as watermark_at
    from coverage
    group by
        cast(date_trunc('month', coverage.billing_period_start) as date),
        coverage.bill_of_record,
        coverage.provider
),

settled_cells as (
    select
        watermarks.month_date,
        cells.*,
        cells.cost_driver = 'inference' and cells.method_id <> 'capacity_seconds' as is_tokens,
        cast(
            cast(cells.effective_cost as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as effective_units
    from cells
    inner join watermarks
        on cast(date_trunc('month', cells.charge_date) as date) = watermarks.month_date
        and cells.bill_of_record = watermarks.bill_of_record
        and cells.provider = watermarks.provider
        and watermarks.watermark_at >= cast(cells.charge_date as timestamp) + interval 1 day
),

token_cells as (
    select
        settled_cells.month_date,
        settled_cells.bill_of_record,
        settled_cells.provider,
        settled_cells.charge_date,
        settled_cells.billing_currency,
        settled_cells.model,
        settled_cells.token_class,
        settled_cells.service_tier,
        sum(cast(settled_cells.effective_units as decimal(38, 0))) as effective_units,
        sum(
            case
                when settled_cells.pool_key is null then 0
                when settled_cells.missing_quantity > 0 and settled_cells.coverage_share < 1
                    then cast(
                        idiv(
                            settled_cells.effective_units
                            * cast(settled_cells.coverage_share * 1000000 as decimal(7, 0)),
                            1000000
                        ) as decimal(38, 0)
                    )
                else cast(settled_cells.effective_units as decimal(38, 0))
            end
        ) as logged_units
    from settled_cells
    where settled_cells.is_tokens and settled_cells.model is not null
    group by
        settled_cells.month_date,
        settled_cells.bill_of_record,
        settled_cells.provider,
        settled_cells.charge_date,
        settled_cells.billing_currency,
        settled_cells.model,
        settled_cells.token_class,
        settled_cells.service_tier
),

/* What capacity may have served has its cost there. */
token_use as (
    select
        watermarks.month_date,
        watermarks.bill_of_record,
        watermarks.provider,
        measured.charge_date,
        measured.model,
        measured.token_class,
        measured.service_tier,
        min(measured.list_cost_currency) as first_currency,
        max(measured.list_cost_currency) as last_currency,
        sum(measured.measured_units) as measured_units
    from measured
    inner join watermarks
        on cast(date_trunc('month', measured.charge_date) as date) = watermarks.month_date
        and measured.provider = watermarks.provider
        and watermarks.watermark_at >= cast(measured.charge_date as timestamp) + interval 1 day
    where measured.use_kind = 'tokens'
        and measured.model is not null
        and measured.logged_model is null
    group by
        watermarks.month_date,
        watermarks.bill_of_record,
        watermarks.provider,
        measured.charge_date,
        measured.model,
        measured.token_class,
        measured.service_tier
),

logged_tiers as (
    select
        token_use.month_date,
        token_use.bill_of_record,
        token_use.provider,
        token_use.model,
        token_use.token_class,
        token_use.service_tier
    from token_use
    group by
        token_use.month_date,
        token_use.bill_of_record,
        token_use.provider,
        token_use.model,
        token_use.token_class,
        token_use.service_tier
),

/* Bill and logs may name tiers differently; some bills name no token class. Then only a coarser level can be learned. */
shapes as (
    select
        token_cells.month_date,
        token_cells.bill_of_record,
        token_cells.provider,
        token_cells.model,
        token_cells.token_class,
        max(case when logged_tiers.model is null then 1 else 0 end) as is_tier_unknown,
        max(max(case when token_cells.token_class is null then 1 else 0 end)) over (
            partition by
                token_cells.month_date, token_cells.bill_of_record, token_cells.provider, token_cells.model
        ) as is_mixed
    from token_cells
    left join logged_tiers
        on token_cells.month_date = logged_tiers.month_date
        and token_cells.bill_of_record = logged_tiers.bill_of_record
        and token_cells.provider = logged_tiers.provider
        and token_cells.model = logged_tiers.model
        and token_cells.token_class = logged_tiers.token_class
        and token_cells.service_tier = logged_tiers.service_tier
    group by
        token_cells.month_date,
        token_cells.bill_of_record,
        token_cells.provider,
        token_cells.model,
        token_cells.token_class
),

mixed_models as (
    select
        shapes.month_date,
        shapes.bill_of_record,
        shapes.provider,
        shapes.model
    from shapes
    where shapes.is_mixed = 1
    group by shapes.month_date, shapes.bill_of_record, shapes.provider, shapes.model
),

shaped_use as (
    select
        token_use.*,
        mixed_models.model is not null as is_mixed,
        coalesce(shapes.is_tier_unknown, 0) = 1 as is_tier_unknown
    from token_use
    left join mixed_models
        on token_use.month_date = mixed_models.month_date
        and token_use.bill_of_record = mixed_models.bill_of_record
        and token_use.provider = mixed_models.provider
        and token_use.model = mixed_models.model
    left join shapes
        on token_use.month_date = shapes.month_date
        and token_use.bill_of_record = shapes.bill_of_record
        and token_use.provider = shapes.provider
        and token_use.model = shapes.model
        and token_use.token_class = shapes.token_class
),

levels as (
    select 'tier' as rate_level
    union all
    select 'class' as rate_level
    union all
    select 'mixed' as rate_level
    union all
    select 'model' as rate_level
    union all
    select 'provider' as rate_level
),

used_keys as (
    select
        shaped_use.month_date,
        shaped_use.bill_of_record,
        shaped_use.provider,
        shaped_use.charge_date,
        levels.rate_level,
        case levels.rate_level
            when 'tier'
                then shaped_use.model || chr(31) || shaped_use.token_class
                || chr(31) || coalesce(shaped_use.service_tier, chr(30))
            when 'class' then shaped_use.model || chr(31) || shaped_use.token_class
            when 'provider' then ''
            else shaped_use.model
        end as rate_key,
        case when levels.rate_level <> 'provider' then shaped_use.model end as model,
        case when levels.rate_level in ('tier', 'class') then shaped_use.token_class end as token_class,
        min(shaped_use.first_currency) as first_currency,
        max(shaped_use.last_currency) as last_currency,
        sum(shaped_use.measured_units) as measured_units
    from shaped_use
    cross join levels
    where levels.rate_level in ('model', 'provider')
        or (levels.rate_level = 'mixed' and shaped_use.is_mixed)
        or (levels.rate_level = 'class' and not shaped_use.is_mixed)
        or (levels.rate_level = 'tier' and not shaped_use.is_mixed and not shaped_use.is_tier_unknown)
    group by
        shaped_use.month_date,
        shaped_use.bill_of_record,
        shaped_use.provider,
        shaped_use.charge_date,
        levels.rate_level,
        case levels.rate_level
            when 'tier'
                then shaped_use.model || chr(31) || shaped_use.token_class
                || chr(31) || coalesce(shaped_use.service_tier, chr(30))
            when 'class' then shaped_use.model || chr(31) || shaped_use.token_class
            when 'provider' then ''
            else shaped_use.model
        end,
        case when levels.rate_level <> 'provider' then shaped_use.model end,
        case when levels.rate_level in ('tier', 'class') then shaped_use.token_class end
),

billed_keys as (
    select
        token_cells.month_date,
        token_cells.bill_of_record,
        token_cells.provider,
        token_cells.charge_date,
        token_cells.billing_currency,
        levels.rate_level,
        case levels.rate_level
            when 'tier'
                then token_cells.model || chr(31) || token_cells.token_class
                || chr(31) || coalesce(token_cells.service_tier, chr(30))
            when 'class' then token_cells.model || chr(31) || token_cells.token_class
            when 'provider' then ''
            else token_cells.model
        end as rate_key,
        sum(token_cells.effective_units) as effective_units,
        sum(token_cells.logged_units) as logged_units
    from token_cells
    cross join levels
    group by
        token_cells.month_date,
        token_cells.bill_of_record,
        token_cells.provider,
        token_cells.charge_date,
        token_cells.billing_currency,
        levels.rate_level,
        case levels.rate_level
            when 'tier'
                then token_cells.model || chr(31) || token_cells.token_class
                || chr(31) || coalesce(token_cells.service_tier, chr(30))
            when 'class' then token_cells.model || chr(31) || token_cells.token_class
            when 'provider' then ''
            else token_cells.model
        end
),

currencies as (
    select
        settled_cells.month_date,
        settled_cells.bill_of_record,
        settled_cells.provider,
        settled_cells.billing_currency
    from settled_cells
    group by
        settled_cells.month_date,
        settled_cells.bill_of_record,
        settled_cells.provider,
        settled_cells.billing_currency
),

/* A key that is logged and not billed has the rate zero. */
token_rates as (
    select
        used_keys.month_date,
        used_keys.bill_of_record,
        used_keys.provider,
        'inference' as cost_driver,
        currencies.billing_currency,
        used_keys.rate_level,
        used_keys.rate_key,
        min(used_keys.first_currency) as list_cost_currency,
        used_keys.model,
        used_keys.token_class,
        'list_price' as method_id,
        cast(null as varchar) as traffic_kind,
        cast(null as varchar) as service_name,
        count(*) as settled_days_count,
        sum(used_keys.measured_units) as measured_units,
        sum(coalesce(billed_keys.effective_units, 0)) as effective_units,
        sum(coalesce(billed_keys.logged_units, 0)) as logged_units
    from used_keys
    inner join currencies
        on used_keys.month_date = currencies.month_date
        and used_keys.bill_of_record = currencies.bill_of_record
        and used_keys.provider = currencies.provider
    left join billed_keys
        on used_keys.month_date = billed_keys.month_date
        and used_keys.bill_of_record = billed_keys.bill_of_record
        and used_keys.provider = billed_keys.provider
        and used_keys.charge_date = billed_keys.charge_date
        and used_keys.rate_level = billed_keys.rate_level
        and used_keys.rate_key = billed_keys.rate_key
        and currencies.billing_currency = billed_keys.billing_currency
    group by
        used_keys.month_date,
        used_keys.bill_of_record,
        used_keys.provider,
        currencies.billing_currency,
        used_keys.rate_level,
        used_keys.rate_key,
        used_keys.model,
        used_keys.token_class
    having min(used_keys.first_currency) = max(used_keys.last_currency)
),

pool_days as (
    select
        settled_cells.month_date,
        settled_cells.bill_of_record,
        settled_cells.provider,
        settled_cells.cost_driver,
        settled_cells.billing_currency,
        settled_cells.charge_date,
        settled_cells.pool_key,
        settled_cells.method_id,
        min(settled_cells.traffic_kind) as traffic_kind,
        min(settled_cells.service_name) as service_name,
        sum(cast(settled_cells.effective_units as decimal(38, 0))) as effective_units
    from settled_cells
    where settled_cells.method_id in ('bytes', 'telemetry_bytes', 'capacity_seconds')
    group by
        settled_cells.month_date,
        settled_cells.bill_of_record,
        settled_cells.provider,
        settled_cells.cost_driver,
        settled_cells.billing_currency,
        settled_cells.charge_date,
        settled_cells.pool_key,
        settled_cells.method_id
),

measured_days as (
    select
        pool_days.*,
        measured.measured_units
    from pool_days
    inner join measured
        on pool_days.charge_date = measured.charge_date
        and pool_days.pool_key = measured.pool_key
        and measured.use_kind <> 'tokens'
),

pool_rates as (
    select
        measured_days.month_date,
        measured_days.bill_of_record,
        measured_days.provider,
        measured_days.cost_driver,
        measured_days.billing_currency,
        'pool' as rate_level,
        measured_days.pool_key as rate_key,
        cast(null as varchar) as list_cost_currency,
        cast(null as varchar) as model,
        cast(null as varchar) as token_class,
        min(measured_days.method_id) as method_id,
        min(measured_days.traffic_kind) as traffic_kind,
        min(measured_days.service_name) as service_name,
        count(*) as settled_days_count,
        sum(measured_days.measured_units) as measured_units,
        sum(measured_days.effective_units) as effective_units,
        sum(measured_days.effective_units) as logged_units
    from measured_days
    group by
        measured_days.month_date,
        measured_days.bill_of_record,
        measured_days.provider,
        measured_days.cost_driver,
        measured_days.billing_currency,
        measured_days.pool_key
),

/* For resources that no settled day knows. */
capacity_rates as (
    select
        measured_days.month_date,
        measured_days.bill_of_record,
        measured_days.provider,
        measured_days.cost_driver,
        measured_days.billing_currency,
        'capacity' as rate_level,
        '' as rate_key,
        cast(null as varchar) as list_cost_currency,
        cast(null as varchar) as model,
        cast(null as varchar) as token_class,
        'capacity_seconds' as method_id,
        cast(null as varchar) as traffic_kind,
        min(measured_days.service_name) as service_name,
        count(*) as settled_days_count,
        sum(measured_days.measured_units) as measured_units,
        sum(measured_days.effective_units) as effective_units,
        sum(measured_days.effective_units) as logged_units
    from measured_days
    where measured_days.method_id = 'capacity_seconds'
    group by
        measured_days.month_date,
        measured_days.bill_of_record,
        measured_days.provider,
        measured_days.cost_driver,
        measured_days.billing_currency
),

rates as (
    select * from token_rates
    union all
    select * from pool_rates
    union all
    select * from capacity_rates
),

/* A rate ten times the list price, or below zero, says that bill and logs do not speak of the same; it is not learned. */
bounded as (
    select rates.*
    from rates
    where rates.effective_units >= 0
        and rates.logged_units between 0 and rates.effective_units
        and rates.effective_units < cast(10000000000000000000000 as decimal(38, 0))
        and rates.measured_units < cast(10000000000000000000000 as decimal(38, 0))
        and rates.effective_units <= case
            when rates.billing_currency = rates.list_cost_currency then 10
            when rates.list_cost_currency is not null then 100000
            else 100000000
        end * rates.measured_units
)

select
    cast(bounded.month_date as timestamp) as billing_period_start,
    bounded.bill_of_record,
    bounded.provider,
    bounded.cost_driver,
    bounded.billing_currency,
    bounded.rate_level,
    bounded.rate_key,
    bounded.list_cost_currency,
    bounded.model,
    bounded.token_class,
    bounded.method_id,
    bounded.traffic_kind,
    bounded.service_name,
    cast(bounded.settled_days_count as bigint) as settled_days_count,
    cast(
        idiv(
            2 * cast(bounded.logged_units as decimal(22, 0)) * cast(1000000000 as decimal(10, 0))
            + bounded.measured_units,
            2 * bounded.measured_units
        ) as bigint
    ) as logged_rate_ppb,
    cast(
        idiv(
            2 * cast(bounded.effective_units - bounded.logged_units as decimal(22, 0))
            * cast(1000000000 as decimal(10, 0)) + bounded.measured_units,
            2 * bounded.measured_units
        ) as bigint
    ) as unlogged_rate_ppb
from bounded
