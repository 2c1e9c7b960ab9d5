/*
description: >
    Logged usage that no bill covers yet, or ever: at list price times what the month's bill so far shows of list
    price. A day is covered once its bill's watermark has passed it. Until then a provider's day shows what is billed
    plus the rest of the estimate, so that spend never dips because a bill is half delivered.
grain: [charge_date, cell_id]
materialized: table
partition_by: {column: charge_date, unit: day}
columns:
    charge_date: null
    cell_id: null
    cell_key: null
    bill_of_record: null
    provider: null
    billing_account_id: null
    sub_account_id: null
    billing_currency: null
    billing_period_start: null
    invoice_issuer_name: null
    invoice_id: null
    follows: null
    shared_cost_rule_id: null
    charge_category: null
    cost_driver: null
    traffic_kind: null
    service_name: null
    sku_id: null
    sku_meter: null
    model: null
    token_class: null
    service_tier: null
    region_id: null
    resource_id: null
    from_zone: null
    to_zone: null
    commitment_discount_status: null
    fx_date: null
    billed_quantity: null
    logged_quantity: null
    coverage_share: null; a million times or more shows as 999999.999999999999
    is_over_logged: null
    is_pool_first: null
    missing_quantity: null
    pool_key: null
    method_id: null
    evidence: null
    residual_reason: null
    direct_owner_id: null
    user_id: null
    tenant: null
    customer: null
    team: null
    feature: null
    endpoint: null
    workflow: null
    environment: null
    billed_cost: null
    effective_cost: null
    list_cost: null
    billed_cost_reporting: null
    effective_cost_reporting: null
    list_cost_reporting: null
    cost_state: null
*/
with

all_usage as (
    select *
    from core.pooled_usage
    where charge_date >= $start and charge_date < $end
        and pool_key = leaf_pool_key
),

served as (
    select *
    from core.served_usage
    where charge_date >= $start and charge_date < $end
),

billed as (
    select *
    from core.billed_cells
    where charge_date >= $start and charge_date < $end
        and cost_driver = 'inference'
        and charge_category = 'Usage'
),

coverage as (select * from core.bill_coverage),

rates as (select * from core.bill_rates),

fx_rates as (
    select * from staging.fx_rates
    where to_currency = $reporting_currency
),

/* What capacity served that is paid for by the hour costs nothing besides. */
usage as (
    select all_usage.*
    from all_usage
    left join served
        on all_usage.charge_date = served.charge_date
        and all_usage.usage_id = served.usage_id
    where served.usage_id is null
),

pools as (
    select
        usage.charge_date,
        usage.pool_key,
        usage.provider,
        usage.model,
        usage.token_class,
        usage.service_tier,
        usage.list_cost_currency,
        sum(cast(usage.quantity_tokens as decimal(38, 0))) as logged_quantity,
        cast(sum(usage.list_cost) as decimal(38, 12)) as list_cost
    from usage
    group by
        usage.charge_date,
        usage.pool_key,
        usage.provider,
        usage.model,
        usage.token_class,
        usage.service_tier,
        usage.list_cost_currency
),

covered_days as (
    select
        coverage.provider,
        coverage.billing_period_start,
        max(coverage.watermark_at) as watermark_at
    from coverage
    group by coverage.provider, coverage.billing_period_start
),

uncovered as (
    select pools.*
    from pools
    left join covered_days
        on pools.provider = covered_days.provider
        and cast(date_trunc('month', pools.charge_date) as date)
        = cast(covered_days.billing_period_start as date)
        and covered_days.watermark_at >= cast(pools.charge_date as timestamp) + interval 1 day
    where covered_days.provider is null
),

fx_candidates as (
    select
        uncovered.charge_date,
        uncovered.list_cost_currency,
        fx_rates.rate,
        fx_rates.rate_date,
        row_number() over (
            partition by uncovered.charge_date, uncovered.list_cost_currency order by fx_rates.rate_date desc
        ) as rate_rank
    from (
        select
            charge_date,
            list_cost_currency
        from uncovered
        group by charge_date, list_cost_currency
    ) as uncovered
    inner join fx_rates
        on uncovered.list_cost_currency = fx_rates.from_currency
        and uncovered.charge_date >= fx_rates.rate_date
),

billed_pools as (
    select
        billed.charge_date,
        billed.pool_key
    from billed
    where billed.pool_key is not null
    group by billed.charge_date, billed.pool_key
),

billed_days as (
    select
        billed.charge_date,
        billed.provider,
        cast(
            cast(
                cast(sum(billed.effective_cost_reporting) as decimal(24, 12))
                * cast(1000000000000 as decimal(13, 0))
                as decimal(22, 0)
            )
            as decimal(38, 0)
        ) as billed_units
    from billed
    group by billed.charge_date, billed.provider
),

priced as (
    select
        uncovered.*,
        billed_pools.pool_key is not null as is_pool_billed,
        md5(
            'estimated' || chr(31) || uncovered.pool_key || chr(31)
            || coalesce(uncovered.list_cost_currency, chr(30))
        ) as cell_key,
        case when uncovered.list_cost_currency <> $reporting_currency then fx_candidates.rate_date end
            as fx_date,
        cast(
            cast(
                case
                    when uncovered.list_cost_currency = $reporting_currency then 1
                    else fx_candidates.rate
                end as decimal(27, 9)
            )
            * cast(1000000000 as decimal(10, 0))
            as decimal(15, 0)
        ) as rate_units,
        coalesce(rates.effective_per_list_ppm, 1000000) as effective_ppm,
        cast(
            cast(uncovered.list_cost as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as full_list_units
    from uncovered
    left join fx_candidates
        on uncovered.charge_date = fx_candidates.charge_date
        and uncovered.list_cost_currency = fx_candidates.list_cost_currency
        and fx_candidates.rate_rank = 1
    left join billed_pools
        on uncovered.charge_date = billed_pools.charge_date
        and uncovered.pool_key = billed_pools.pool_key
    left join rates
        on cast(date_trunc('month', uncovered.charge_date) as date) = cast(rates.billing_period_start as date)
        and uncovered.provider = rates.provider
        and uncovered.model = rates.model
        and uncovered.token_class = rates.token_class
),

expected as (
    select
        priced.*,
        cast(
            idiv(priced.full_list_units * cast(priced.effective_ppm as decimal(15, 0)), 1000000)
            as decimal(22, 0)
        ) as full_effective_units,
        cast(
            idiv(
                2 * idiv(priced.full_list_units * cast(priced.effective_ppm as decimal(15, 0)), 1000000)
                * priced.rate_units + 1000000000,
                2000000000
            ) as decimal(22, 0)
        ) as full_reporting_units
    from priced
),

days as (
    select
        expected.charge_date,
        expected.provider,
        cast(sum(cast(expected.full_reporting_units as decimal(38, 0))) as decimal(22, 0)) as expected_units
    from expected
    group by expected.charge_date, expected.provider
),

/* What is left of the estimate, in millionths: all of it while nothing is billed, nothing once all is. */
open_days as (
    select
        days.charge_date,
        days.provider,
        case
            when coalesce(billed_days.billed_units, 0) <= 0 then 1000000
            when coalesce(days.expected_units, 0) <= 0
                or billed_days.billed_units >= days.expected_units
                then 0
            else
                cast(
                    idiv(
                        cast(days.expected_units - billed_days.billed_units as decimal(22, 0))
                        * cast(1000000 as decimal(7, 0)),
                        days.expected_units
                    ) as bigint
                )
        end as open_ppm
    from days
    left join billed_days
        on days.charge_date = billed_days.charge_date
        and days.provider = billed_days.provider
),

shared as (
    select
        expected.*,
        idiv(expected.full_list_units * cast(open_days.open_ppm as decimal(15, 0)), 1000000) as list_units,
        idiv(expected.full_effective_units * cast(open_days.open_ppm as decimal(15, 0)), 1000000)
            as effective_units,
        idiv(
            2 * idiv(expected.full_list_units * cast(open_days.open_ppm as decimal(15, 0)), 1000000)
            * expected.rate_units + 1000000000,
            2000000000
        ) as list_reporting_units,
        idiv(
            2 * idiv(expected.full_effective_units * cast(open_days.open_ppm as decimal(15, 0)), 1000000)
            * expected.rate_units + 1000000000,
            2000000000
        ) as effective_reporting_units
    from expected
    inner join open_days
        on expected.charge_date = open_days.charge_date
        and expected.provider = open_days.provider
    where not expected.is_pool_billed
        or (open_days.open_ppm > 0 and expected.full_list_units > 0)
)

select
    shared.charge_date,
    md5(shared.cell_key || chr(31) || cast(shared.charge_date as varchar)) as cell_id,
    shared.cell_key,
    cast(null as varchar) as bill_of_record,
    shared.provider,
    cast(null as varchar) as billing_account_id,
    cast(null as varchar) as sub_account_id,
    coalesce(shared.list_cost_currency, $reporting_currency) as billing_currency,
    cast(null as timestamp) as billing_period_start,
    cast(null as varchar) as invoice_issuer_name,
    cast(null as varchar) as invoice_id,
    cast(null as varchar) as follows,
    cast(null as varchar) as shared_cost_rule_id,
    'Usage' as charge_category,
    'inference' as cost_driver,
    cast(null as varchar) as traffic_kind,
    cast(null as varchar) as service_name,
    cast(null as varchar) as sku_id,
    cast(null as varchar) as sku_meter,
    shared.model,
    shared.token_class,
    shared.service_tier,
    cast(null as varchar) as region_id,
    cast(null as varchar) as resource_id,
    cast(null as varchar) as from_zone,
    cast(null as varchar) as to_zone,
    cast(null as varchar) as commitment_discount_status,
    shared.fx_date,
    cast(null as decimal(38, 12)) as billed_quantity,
    case
        when shared.is_pool_billed then cast(0 as decimal(38, 12))
        else cast(shared.logged_quantity as decimal(38, 12))
    end as logged_quantity,
    cast(null as decimal(18, 12)) as coverage_share,
    false as is_over_logged,
    not shared.is_pool_billed as is_pool_first,
    cast(0 as decimal(38, 12)) as missing_quantity,
    shared.pool_key,
    'list_price' as method_id,
    'priced' as evidence,
    case when shared.list_cost is null then 'unpriced' end as residual_reason,
    cast(null as varchar) as direct_owner_id,
    cast(null as varchar) as user_id,
    cast(null as varchar) as tenant,
    cast(null as varchar) as customer,
    cast(null as varchar) as team,
    cast(null as varchar) as feature,
    cast(null as varchar) as endpoint,
    cast(null as varchar) as workflow,
    cast(null as varchar) as environment,
    cast(null as decimal(38, 12)) as billed_cost,
    cast(
        cast(shared.effective_units as decimal(24, 0)) * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as effective_cost,
    cast(
        cast(shared.list_units as decimal(24, 0)) * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as list_cost,
    cast(null as decimal(38, 12)) as billed_cost_reporting,
    cast(
        cast(shared.effective_reporting_units as decimal(24, 0)) * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as effective_cost_reporting,
    cast(
        cast(shared.list_reporting_units as decimal(24, 0)) * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as list_cost_reporting,
    'estimated' as cost_state
from shared
