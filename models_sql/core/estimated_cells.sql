/*
description: >
    What stands for cost that is not billed yet, or never will be: logged tokens at list price times what the bill's settled
    days show of list price, and what the logs usually miss; traffic, telemetry and capacity at what their pool cost per
    unit; all else of a live bill as its last seven settled days were. Per bill of record and day all of it ends at the
    watermark; until then a day shows, per cost driver, what is billed plus what is left of the estimate, so that spend
    never dips because a bill is half delivered.
grain: [charge_date, cell_id]
materialized: table
partition_by: {column: charge_date, unit: day}
reads:
    core.bill_coverage: {days_before: 62, days_after: 0}
    core.bill_rates: {days_before: 62, days_after: 0}
    core.bill_run_rates: {days_before: 62, days_after: 0}
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
    list_cost_currency: of logged tokens, whose prices the estimate was made with
    billed_cost: null
    effective_cost: null
    list_cost: null
    billed_cost_reporting: null
    effective_cost_reporting: null
    list_cost_reporting: null
    cost_state: null
*/
with

measured as (
    select *
    from core.measured_use
    where charge_date >= $start and charge_date < $end
),

capacity as (
    select *
    from core.capacity_weights
    where charge_date >= $start and charge_date < $end
        and owner_id is not null
),

billed as (
    select *
    from core.billed_cells
    where charge_date >= $start and charge_date < $end
        and charge_category = 'Usage'
),

recent_days as (
    select *
    from reference.recent_days
    where charge_date >= $start and charge_date < $end
),

coverage as (select * from core.bill_coverage),

rates as (select * from core.bill_rates),

run_rates as (select * from core.bill_run_rates),

fx_rates as (
    select * from staging.fx_rates
    where to_currency = $reporting_currency
),

days as (
    select measured.charge_date
    from measured
    group by measured.charge_date
    union
    select billed.charge_date
    from billed
    group by billed.charge_date
    union
    select recent_days.charge_date
    from recent_days
),

/* The bills that are known of a provider in the month of a day, or in the two months before it. */
bill_days as (
    select
        days.charge_date,
        coverage.bill_of_record,
        coverage.provider,
        max(coverage.last_date) as last_date,
        coalesce(
            max(
                case
                    when cast(date_trunc('month', coverage.billing_period_start) as date)
                        = cast(date_trunc('month', days.charge_date) as date)
                        then coverage.watermark_at
                end
            ) >= cast(days.charge_date as timestamp) + interval 1 day,
            false
        ) as is_settled
    from days
    inner join coverage
        on cast(date_trunc('month', days.charge_date) as date)
        >= cast(date_trunc('month', coverage.billing_period_start) as date)
        and cast(cast(date_trunc('month', days.charge_date) as date) - interval 2 month as date)
        <= cast(date_trunc('month', coverage.billing_period_start) as date)
    group by days.charge_date, coverage.bill_of_record, coverage.provider
),

known_rates as (
    select
        bill_days.charge_date,
        bill_days.is_settled,
        rates.*,
        case rates.rate_level
            when 'mixed' then 1
            when 'tier' then 2
            when 'class' then 3
            when 'model' then 4
            else 5
        end as level_rank,
        row_number() over (
            partition by
                bill_days.charge_date,
                rates.bill_of_record,
                rates.provider,
                rates.cost_driver,
                rates.billing_currency,
                rates.rate_level,
                rates.rate_key,
                rates.list_cost_currency
            order by rates.billing_period_start desc
        ) as month_rank
    from bill_days
    inner join rates
        on bill_days.bill_of_record = rates.bill_of_record
        and bill_days.provider = rates.provider
        and cast(bill_days.charge_date as timestamp) >= rates.billing_period_start
        and cast(cast(date_trunc('month', bill_days.charge_date) as date) - interval 2 month as timestamp)
        <= rates.billing_period_start
),

newest_rates as (
    select known_rates.*
    from known_rates
    where known_rates.month_rank = 1
),

/* Traffic, telemetry and capacity: by what their pool cost per unit. */
volumes as (
    select
        measured.charge_date,
        measured.pool_key,
        measured.measured_units,
        newest_rates.bill_of_record,
        newest_rates.provider,
        newest_rates.cost_driver,
        newest_rates.billing_currency,
        newest_rates.method_id,
        newest_rates.traffic_kind,
        newest_rates.service_name,
        newest_rates.logged_rate_ppb,
        newest_rates.is_settled
    from measured
    inner join newest_rates
        on measured.charge_date = newest_rates.charge_date
        and measured.pool_key = newest_rates.rate_key
        and newest_rates.rate_level = 'pool'
    where measured.use_kind <> 'tokens'
),

capacity_bills as (
    select
        newest_rates.charge_date,
        count(*) as bills
    from newest_rates
    where newest_rates.rate_level = 'capacity'
    group by newest_rates.charge_date
),

/* A resource that no settled day knows costs what the others did, if one bill alone has any. */
new_capacity as (
    select
        measured.charge_date,
        measured.pool_key,
        measured.measured_units,
        newest_rates.bill_of_record,
        newest_rates.provider,
        newest_rates.cost_driver,
        newest_rates.billing_currency,
        newest_rates.method_id,
        newest_rates.traffic_kind,
        newest_rates.service_name,
        newest_rates.logged_rate_ppb,
        newest_rates.is_settled
    from measured
    inner join capacity_bills
        on measured.charge_date = capacity_bills.charge_date
        and capacity_bills.bills = 1
    inner join newest_rates
        on measured.charge_date = newest_rates.charge_date
        and newest_rates.rate_level = 'capacity'
    left join volumes
        on measured.charge_date = volumes.charge_date
        and measured.pool_key = volumes.pool_key
    where measured.use_kind = 'capacity'
        and volumes.pool_key is null
),

open_volumes as (
    select * from volumes
    where not volumes.is_settled
    union all
    select * from new_capacity
    where not new_capacity.is_settled
),

paid_pools as (
    select
        open_volumes.charge_date,
        open_volumes.pool_key
    from open_volumes
    where open_volumes.method_id = 'capacity_seconds'
    group by open_volumes.charge_date, open_volumes.pool_key
    union
    select
        billed.charge_date,
        billed.pool_key
    from billed
    where billed.method_id = 'capacity_seconds'
    group by billed.charge_date, billed.pool_key
),

served_models as (
    select
        capacity.charge_date,
        coalesce(capacity.logged_provider, chr(30)) as logged_provider,
        coalesce(capacity.logged_model, chr(30)) as logged_model
    from capacity
    inner join paid_pools
        on capacity.charge_date = paid_pools.charge_date
        and capacity.pool_key = paid_pools.pool_key
    group by
        capacity.charge_date,
        coalesce(capacity.logged_provider, chr(30)),
        coalesce(capacity.logged_model, chr(30))
),

/* What capacity served that is paid for by the hour costs nothing besides. */
pools as (
    select
        measured.charge_date,
        measured.pool_key,
        measured.provider,
        measured.model,
        measured.token_class,
        case when min(measured.service_tier) = max(measured.service_tier) then min(measured.service_tier) end
            as service_tier,
        measured.list_cost_currency,
        sum(measured.logged_quantity) as logged_quantity,
        cast(sum(measured.measured_units) as decimal(38, 0)) as measured_units
    from measured
    left join served_models
        on measured.charge_date = served_models.charge_date
        and measured.logged_provider = served_models.logged_provider
        and measured.logged_model = served_models.logged_model
    where measured.use_kind = 'tokens'
        and served_models.logged_model is null
    group by
        measured.charge_date,
        measured.pool_key,
        measured.provider,
        measured.model,
        measured.token_class,
        measured.list_cost_currency
),

levels as (
    select 'mixed' as rate_level
    union all
    select 'tier' as rate_level
    union all
    select 'class' as rate_level
    union all
    select 'model' as rate_level
    union all
    select 'provider' as rate_level
),

pool_keys as (
    select
        pools.charge_date,
        pools.pool_key,
        pools.provider,
        pools.service_tier,
        pools.list_cost_currency,
        levels.rate_level,
        case levels.rate_level
            when 'tier'
                then pools.model || chr(31) || pools.token_class
                || chr(31) || coalesce(pools.service_tier, chr(30))
            when 'class' then pools.model || chr(31) || pools.token_class
            when 'provider' then ''
            else pools.model
        end as rate_key
    from pools
    cross join levels
    where pools.measured_units is not null
),

rated as (
    select
        pool_keys.charge_date,
        pool_keys.pool_key,
        pool_keys.service_tier,
        pool_keys.list_cost_currency,
        newest_rates.bill_of_record,
        newest_rates.billing_currency,
        newest_rates.logged_rate_ppb,
        newest_rates.unlogged_rate_ppb,
        newest_rates.is_settled,
        row_number() over (
            partition by
                pool_keys.charge_date,
                pool_keys.pool_key,
                pool_keys.service_tier,
                pool_keys.list_cost_currency,
                newest_rates.bill_of_record,
                newest_rates.billing_currency
            order by newest_rates.level_rank, newest_rates.rate_key
        ) as rate_rank
    from pool_keys
    inner join newest_rates
        on pool_keys.charge_date = newest_rates.charge_date
        and pool_keys.provider = newest_rates.provider
        and pool_keys.rate_level = newest_rates.rate_level
        and pool_keys.rate_key = newest_rates.rate_key
        and pool_keys.list_cost_currency = newest_rates.list_cost_currency
),

/* Where no bill has taught anything, list price counts, for the first bill that is open, or for none at all. */
open_bills as (
    select
        bill_days.charge_date,
        bill_days.provider,
        min(case when not bill_days.is_settled then bill_days.bill_of_record end) as bill_of_record
    from bill_days
    group by bill_days.charge_date, bill_days.provider
),

token_lines as (
    select
        pools.*,
        coalesce(rated.bill_of_record, open_bills.bill_of_record) as bill_of_record,
        coalesce(rated.billing_currency, pools.list_cost_currency, $reporting_currency) as billing_currency,
        cast(coalesce(rated.logged_rate_ppb, 1000000000) as decimal(15, 0)) as logged_rate_ppb,
        cast(coalesce(rated.unlogged_rate_ppb, 0) as decimal(15, 0)) as unlogged_rate_ppb,
        cast(pools.measured_units as decimal(22, 0)) as list_units
    from pools
    left join rated
        on pools.charge_date = rated.charge_date
        and pools.pool_key = rated.pool_key
        and coalesce(pools.service_tier, chr(30)) = coalesce(rated.service_tier, chr(30))
        and pools.list_cost_currency = rated.list_cost_currency
        and rated.rate_rank = 1
    left join open_bills
        on pools.charge_date = open_bills.charge_date
        and pools.provider = open_bills.provider
    where (rated.bill_of_record is not null and not rated.is_settled)
        or (
            rated.bill_of_record is null
            and (open_bills.provider is null or open_bills.bill_of_record is not null)
        )
),

missed as (
    select
        token_lines.charge_date,
        token_lines.bill_of_record,
        token_lines.provider,
        token_lines.billing_currency,
        token_lines.model,
        token_lines.token_class,
        cast(
            sum(
                cast(
                    idiv(token_lines.list_units * token_lines.unlogged_rate_ppb, 1000000000) as decimal(38, 0)
                )
            ) as decimal(22, 0)
        ) as estimate_units
    from token_lines
    where token_lines.unlogged_rate_ppb > 0
    group by
        token_lines.charge_date,
        token_lines.bill_of_record,
        token_lines.provider,
        token_lines.billing_currency,
        token_lines.model,
        token_lines.token_class
),

/* What nothing measures goes on as it was, for two weeks after the newest day that its bill knows. */
flat_candidates as (
    select
        recent_days.charge_date,
        run_rates.*,
        max(run_rates.billing_period_start) over (
            partition by recent_days.charge_date, run_rates.bill_of_record, run_rates.provider
        ) as newest_period_start
    from recent_days
    inner join bill_days
        on recent_days.charge_date = bill_days.charge_date
        and not bill_days.is_settled
        and bill_days.last_date >= cast(recent_days.charge_date - interval 14 day as date)
    inner join run_rates
        on bill_days.bill_of_record = run_rates.bill_of_record
        and bill_days.provider = run_rates.provider
        and cast(recent_days.charge_date as timestamp) >= run_rates.billing_period_start
        and cast(cast(date_trunc('month', recent_days.charge_date) as date) - interval 2 month as timestamp)
        <= run_rates.billing_period_start
),

/* Whom nobody names: what logs miss, and capacity while no call runs. */
nobody as (
    select
        md5(
            chr(30)
            || chr(31) || chr(30)
            || chr(31) || chr(30)
            || chr(31) || chr(30)
            || chr(31) || chr(30)
            || chr(31) || chr(30)
            || chr(31) || chr(30)
            || chr(31) || chr(30)
            || chr(31) || chr(30)
            || chr(31) || chr(30)
        ) as owner_id
),

lines as (
    select
        token_lines.charge_date,
        'logged' as line_kind,
        token_lines.bill_of_record,
        token_lines.provider,
        'inference' as cost_driver,
        token_lines.billing_currency,
        cast(null as varchar) as traffic_kind,
        cast(null as varchar) as service_name,
        token_lines.model,
        token_lines.token_class,
        token_lines.service_tier,
        token_lines.pool_key,
        token_lines.list_cost_currency,
        token_lines.logged_quantity,
        'list_price' as method_id,
        'priced' as evidence,
        case when token_lines.list_units is null then 'unpriced' end as residual_reason,
        cast(null as varchar) as direct_owner_id,
        cast(null as varchar) as user_id,
        cast(null as varchar) as tenant,
        cast(null as varchar) as customer,
        cast(null as varchar) as team,
        cast(null as varchar) as feature,
        cast(null as varchar) as endpoint,
        cast(null as varchar) as workflow,
        cast(null as varchar) as environment,
        coalesce(token_lines.model, '') as spread_key,
        cast(
            idiv(token_lines.list_units * token_lines.logged_rate_ppb, 1000000000) as decimal(22, 0)
        ) as estimate_units,
        case
            when token_lines.billing_currency = token_lines.list_cost_currency then token_lines.list_units
        end as list_units
    from token_lines
    union all
    select
        missed.charge_date,
        'unlogged' as line_kind,
        missed.bill_of_record,
        missed.provider,
        'inference' as cost_driver,
        missed.billing_currency,
        cast(null as varchar) as traffic_kind,
        cast(null as varchar) as service_name,
        missed.model,
        missed.token_class,
        cast(null as varchar) as service_tier,
        cast(null as varchar) as pool_key,
        cast(null as varchar) as list_cost_currency,
        cast(null as decimal(38, 12)) as logged_quantity,
        'residual' as method_id,
        'assumed' as evidence,
        'unlogged_usage' as residual_reason,
        nobody.owner_id as direct_owner_id,
        cast(null as varchar) as user_id,
        cast(null as varchar) as tenant,
        cast(null as varchar) as customer,
        cast(null as varchar) as team,
        cast(null as varchar) as feature,
        cast(null as varchar) as endpoint,
        cast(null as varchar) as workflow,
        cast(null as varchar) as environment,
        coalesce(missed.model, '') as spread_key,
        missed.estimate_units,
        cast(null as decimal(22, 0)) as list_units
    from missed
    cross join nobody
    union all
    select
        open_volumes.charge_date,
        'volume' as line_kind,
        open_volumes.bill_of_record,
        open_volumes.provider,
        open_volumes.cost_driver,
        open_volumes.billing_currency,
        open_volumes.traffic_kind,
        open_volumes.service_name,
        cast(null as varchar) as model,
        cast(null as varchar) as token_class,
        cast(null as varchar) as service_tier,
        open_volumes.pool_key,
        cast(null as varchar) as list_cost_currency,
        cast(null as decimal(38, 12)) as logged_quantity,
        open_volumes.method_id,
        'assumed' as evidence,
        cast(null as varchar) as residual_reason,
        nobody.owner_id as direct_owner_id,
        cast(null as varchar) as user_id,
        cast(null as varchar) as tenant,
        cast(null as varchar) as customer,
        cast(null as varchar) as team,
        cast(null as varchar) as feature,
        cast(null as varchar) as endpoint,
        cast(null as varchar) as workflow,
        cast(null as varchar) as environment,
        open_volumes.pool_key as spread_key,
        cast(
            idiv(
                cast(open_volumes.measured_units as decimal(20, 0))
                * cast(open_volumes.logged_rate_ppb as decimal(18, 0)),
                1000000000
            ) as decimal(22, 0)
        ) as estimate_units,
        cast(null as decimal(22, 0)) as list_units
    from open_volumes
    cross join nobody
    union all
    select
        flat_candidates.charge_date,
        'flat' as line_kind,
        flat_candidates.bill_of_record,
        flat_candidates.provider,
        flat_candidates.cost_driver,
        flat_candidates.billing_currency,
        flat_candidates.traffic_kind,
        flat_candidates.service_name,
        flat_candidates.model,
        cast(null as varchar) as token_class,
        cast(null as varchar) as service_tier,
        cast(null as varchar) as pool_key,
        cast(null as varchar) as list_cost_currency,
        cast(null as decimal(38, 12)) as logged_quantity,
        'run_rate' as method_id,
        'assumed' as evidence,
        flat_candidates.residual_reason,
        flat_candidates.direct_owner_id,
        flat_candidates.user_id,
        flat_candidates.tenant,
        flat_candidates.customer,
        flat_candidates.team,
        flat_candidates.feature,
        flat_candidates.endpoint,
        flat_candidates.workflow,
        flat_candidates.environment,
        coalesce(flat_candidates.model, flat_candidates.service_name, '') as spread_key,
        cast(
            cast(flat_candidates.effective_cost as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as estimate_units,
        cast(null as decimal(22, 0)) as list_units
    from flat_candidates
    where flat_candidates.billing_period_start = flat_candidates.newest_period_start
),

keyed as (
    select
        lines.*,
        md5(
            'estimated' || chr(31) || lines.line_kind
            || chr(31) || coalesce(lines.bill_of_record, chr(30))
            || chr(31) || coalesce(lines.provider, chr(30))
            || chr(31) || lines.cost_driver
            || chr(31) || lines.billing_currency
            || chr(31) || coalesce(lines.pool_key, chr(30))
            || chr(31) || coalesce(lines.service_tier, chr(30))
            || chr(31) || coalesce(lines.list_cost_currency, chr(30))
            || chr(31) || coalesce(lines.model, chr(30))
            || chr(31) || coalesce(lines.token_class, chr(30))
            || chr(31) || coalesce(lines.service_name, chr(30))
            || chr(31) || coalesce(lines.traffic_kind, chr(30))
            || chr(31) || coalesce(lines.residual_reason, chr(30))
            || chr(31) || coalesce(lines.direct_owner_id, chr(30))
        ) as cell_key
    from lines
),

/* What is billed so far, under the keys that estimates have. */
billed_keys as (
    select
        billed.charge_date,
        billed.bill_of_record,
        billed.provider,
        billed.cost_driver,
        billed.billing_currency,
        case
            when billed.method_id in ('bytes', 'telemetry_bytes', 'capacity_seconds') then billed.pool_key
            when billed.cost_driver = 'inference' then coalesce(billed.model, billed.service_name, '')
            else coalesce(billed.service_name, '')
        end as spread_key,
        cast(
            cast(
                cast(sum(billed.effective_cost) as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
                as decimal(22, 0)
            ) as decimal(38, 0)
        ) as billed_units
    from billed
    where billed.effective_cost is not null
    group by
        billed.charge_date,
        billed.bill_of_record,
        billed.provider,
        billed.cost_driver,
        billed.billing_currency,
        case
            when billed.method_id in ('bytes', 'telemetry_bytes', 'capacity_seconds') then billed.pool_key
            when billed.cost_driver = 'inference' then coalesce(billed.model, billed.service_name, '')
            else coalesce(billed.service_name, '')
        end
),

estimated_keys as (
    select
        keyed.charge_date,
        keyed.bill_of_record,
        keyed.provider,
        keyed.cost_driver,
        keyed.billing_currency,
        keyed.spread_key,
        sum(cast(keyed.estimate_units as decimal(38, 0))) as estimate_units
    from keyed
    where keyed.bill_of_record is not null
    group by
        keyed.charge_date,
        keyed.bill_of_record,
        keyed.provider,
        keyed.cost_driver,
        keyed.billing_currency,
        keyed.spread_key
),

open_keys as (
    select
        estimated_keys.*,
        case
            when coalesce(estimated_keys.estimate_units, 0) <= 0 then 0
            else
                idiv(
                    greatest(
                        estimated_keys.estimate_units - greatest(coalesce(billed_keys.billed_units, 0), 0), 0
                    ) * 1000000000 + estimated_keys.estimate_units - 1,
                    estimated_keys.estimate_units
                )
        end as open_share_units
    from estimated_keys
    left join billed_keys
        on estimated_keys.charge_date = billed_keys.charge_date
        and estimated_keys.bill_of_record = billed_keys.bill_of_record
        and estimated_keys.provider = billed_keys.provider
        and estimated_keys.cost_driver = billed_keys.cost_driver
        and estimated_keys.billing_currency = billed_keys.billing_currency
        and estimated_keys.spread_key = billed_keys.spread_key
),

estimated_drivers as (
    select
        estimated_keys.charge_date,
        estimated_keys.bill_of_record,
        estimated_keys.provider,
        estimated_keys.cost_driver,
        estimated_keys.billing_currency,
        cast(sum(coalesce(estimated_keys.estimate_units, 0)) as decimal(38, 0)) as estimate_units
    from estimated_keys
    group by
        estimated_keys.charge_date,
        estimated_keys.bill_of_record,
        estimated_keys.provider,
        estimated_keys.cost_driver,
        estimated_keys.billing_currency
),

billed_drivers as (
    select
        billed_keys.charge_date,
        billed_keys.bill_of_record,
        billed_keys.provider,
        billed_keys.cost_driver,
        billed_keys.billing_currency,
        sum(billed_keys.billed_units) as billed_units
    from billed_keys
    group by
        billed_keys.charge_date,
        billed_keys.bill_of_record,
        billed_keys.provider,
        billed_keys.cost_driver,
        billed_keys.billing_currency
),

/* What is left of the estimate: all of it while nothing is billed, nothing once all is. */
open_drivers as (
    select
        estimated_drivers.*,
        coalesce(billed_drivers.billed_units, 0) > 0 as is_partly_billed,
        cast(
            greatest(
                estimated_drivers.estimate_units - greatest(coalesce(billed_drivers.billed_units, 0), 0), 0
            ) as decimal(22, 0)
        ) as open_units
    from estimated_drivers
    left join billed_drivers
        on estimated_drivers.charge_date = billed_drivers.charge_date
        and estimated_drivers.bill_of_record = billed_drivers.bill_of_record
        and estimated_drivers.provider = billed_drivers.provider
        and estimated_drivers.cost_driver = billed_drivers.cost_driver
        and estimated_drivers.billing_currency = billed_drivers.billing_currency
),

weighted as (
    select
        keyed.*,
        coalesce(open_drivers.is_partly_billed, false) as is_partly_billed,
        coalesce(open_drivers.open_units, 0) as open_units,
        case
            when keyed.estimate_units is null then cast(0 as decimal(38, 0))
            when open_drivers.is_partly_billed
                then cast(
                    idiv(
                        keyed.estimate_units * cast(open_keys.open_share_units as decimal(10, 0)),
                        1000000000
                    ) as decimal(38, 0)
                )
            else cast(keyed.estimate_units as decimal(38, 0))
        end as weight_units
    from keyed
    left join open_drivers
        on keyed.charge_date = open_drivers.charge_date
        and keyed.bill_of_record = open_drivers.bill_of_record
        and keyed.provider = open_drivers.provider
        and keyed.cost_driver = open_drivers.cost_driver
        and keyed.billing_currency = open_drivers.billing_currency
    left join open_keys
        on keyed.charge_date = open_keys.charge_date
        and keyed.bill_of_record = open_keys.bill_of_record
        and keyed.provider = open_keys.provider
        and keyed.cost_driver = open_keys.cost_driver
        and keyed.billing_currency = open_keys.billing_currency
        and keyed.spread_key = open_keys.spread_key
),

/* Weights stay below 1e15, so that amount × weight fits an exact number. */
totalled as (
    select
        weighted.*,
        1 + idiv(
            sum(weighted.weight_units) over (
                partition by
                    weighted.charge_date,
                    weighted.bill_of_record,
                    weighted.provider,
                    weighted.cost_driver,
                    weighted.billing_currency
            ),
            500000000000000
        ) as weight_scale
    from weighted
),

scaled as (
    select
        totalled.*,
        cast(idiv(totalled.weight_units, totalled.weight_scale) as decimal(15, 0)) as weight
    from totalled
),

cumulated as (
    select
        scaled.*,
        cast(
            sum(scaled.weight) over (
                partition by
                    scaled.charge_date,
                    scaled.bill_of_record,
                    scaled.provider,
                    scaled.cost_driver,
                    scaled.billing_currency
                order by scaled.cell_key
                rows between unbounded preceding and current row
            ) as decimal(15, 0)
        ) as until_weight,
        cast(
            sum(scaled.weight) over (
                partition by
                    scaled.charge_date,
                    scaled.bill_of_record,
                    scaled.provider,
                    scaled.cost_driver,
                    scaled.billing_currency
            ) as decimal(15, 0)
        ) as total_weight
    from scaled
),

billed_pools as (
    select
        billed.charge_date,
        billed.pool_key
    from billed
    where billed.pool_key is not null
    group by billed.charge_date, billed.pool_key
),

left_over as (
    select
        cumulated.*,
        cumulated.pool_key is not null and billed_pools.pool_key is null and row_number() over (
            partition by
                cumulated.charge_date,
                cumulated.pool_key,
                cumulated.service_tier,
                cumulated.list_cost_currency
            order by cumulated.cell_key
        ) = 1 as is_pool_first,
        case
            when cumulated.estimate_units is null then null
            when not cumulated.is_partly_billed then cumulated.estimate_units
            when cumulated.total_weight = 0 then cast(0 as decimal(22, 0))
            else
                cast(
                    idiv(cumulated.open_units * cumulated.until_weight, cumulated.total_weight)
                    - idiv(
                        cumulated.open_units
                        * cast(cumulated.until_weight - cumulated.weight as decimal(15, 0)),
                        cumulated.total_weight
                    ) as decimal(22, 0)
                )
        end as effective_units
    from cumulated
    left join billed_pools
        on cumulated.charge_date = billed_pools.charge_date
        and cumulated.pool_key = billed_pools.pool_key
),

/* The list price that belongs to what is left. */
listed as (
    select
        left_over.*,
        case
            when left_over.list_units is null or not left_over.is_partly_billed then left_over.list_units
            when left_over.estimate_units = 0 then cast(0 as decimal(22, 0))
            else
                cast(
                    idiv(
                        left_over.list_units * cast(
                            least(
                                idiv(left_over.effective_units * 1000000000, left_over.estimate_units),
                                1000000000
                            ) as decimal(10, 0)
                        ),
                        1000000000
                    ) as decimal(22, 0)
                )
        end as open_list_units
    from left_over
    where left_over.effective_units > 0
        or left_over.line_kind = 'logged' and left_over.is_pool_first
),

fx_candidates as (
    select
        needed.charge_date,
        needed.billing_currency,
        fx_rates.rate_date,
        cast(cast(fx_rates.rate as decimal(27, 9)) * cast(1000000000 as decimal(10, 0)) as decimal(15, 0))
            as rate_units,
        row_number() over (
            partition by needed.charge_date, needed.billing_currency order by fx_rates.rate_date desc
        ) as rate_rank
    from (
        select
            charge_date,
            billing_currency
        from listed
        group by charge_date, billing_currency
    ) as needed
    inner join fx_rates
        on needed.billing_currency = fx_rates.from_currency
        and needed.charge_date >= fx_rates.rate_date
),

converted as (
    select
        listed.*,
        case when listed.billing_currency <> $reporting_currency then fx_candidates.rate_date end as fx_date,
        case
            when listed.billing_currency = $reporting_currency then cast(1000000000 as decimal(15, 0))
            else fx_candidates.rate_units
        end as rate_units
    from listed
    left join fx_candidates
        on listed.charge_date = fx_candidates.charge_date
        and listed.billing_currency = fx_candidates.billing_currency
        and fx_candidates.rate_rank = 1
)

select
    converted.charge_date,
    md5(converted.cell_key || chr(31) || cast(converted.charge_date as varchar)) as cell_id,
    converted.cell_key,
    converted.bill_of_record,
    converted.provider,
    cast(null as varchar) as billing_account_id,
    cast(null as varchar) as sub_account_id,
    converted.billing_currency,
    cast(null as timestamp) as billing_period_start,
    cast(null as varchar) as invoice_issuer_name,
    cast(null as varchar) as invoice_id,
    cast(null as varchar) as follows,
    cast(null as varchar) as shared_cost_rule_id,
    'Usage' as charge_category,
    converted.cost_driver,
    converted.traffic_kind,
    converted.service_name,
    cast(null as varchar) as sku_id,
    cast(null as varchar) as sku_meter,
    converted.model,
    converted.token_class,
    converted.service_tier,
    cast(null as varchar) as region_id,
    cast(null as varchar) as resource_id,
    cast(null as varchar) as from_zone,
    cast(null as varchar) as to_zone,
    cast(null as varchar) as commitment_discount_status,
    converted.fx_date,
    cast(null as decimal(38, 12)) as billed_quantity,
    case
        when converted.line_kind <> 'logged' then cast(null as decimal(38, 12))
        when converted.is_pool_first then converted.logged_quantity
        else cast(0 as decimal(38, 12))
    end as logged_quantity,
    cast(null as decimal(18, 12)) as coverage_share,
    false as is_over_logged,
    converted.is_pool_first,
    cast(0 as decimal(38, 12)) as missing_quantity,
    converted.pool_key,
    converted.method_id,
    converted.evidence,
    converted.residual_reason,
    converted.direct_owner_id,
    converted.user_id,
    converted.tenant,
    converted.customer,
    converted.team,
    converted.feature,
    converted.endpoint,
    converted.workflow,
    converted.environment,
    converted.list_cost_currency,
    cast(null as decimal(38, 12)) as billed_cost,
    cast(
        cast(converted.effective_units as decimal(24, 0)) * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as effective_cost,
    cast(
        cast(converted.open_list_units as decimal(24, 0)) * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as list_cost,
    cast(null as decimal(38, 12)) as billed_cost_reporting,
    cast(
        cast(
            idiv(2 * converted.effective_units * converted.rate_units + 1000000000, 2000000000)
            as decimal(24, 0)
        ) * cast(0.000000000001 as decimal(13, 12)) as decimal(38, 12)
    ) as effective_cost_reporting,
    cast(
        cast(
            idiv(2 * converted.open_list_units * converted.rate_units + 1000000000, 2000000000)
            as decimal(24, 0)
        ) * cast(0.000000000001 as decimal(13, 12)) as decimal(38, 12)
    ) as list_cost_reporting,
    'estimated' as cost_state
from converted
