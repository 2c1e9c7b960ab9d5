/*
description: >
    What a day of a bill costs that nothing measures, such as storage, or models that no log names: per cost driver the
    median of the bill's last seven days before its watermark, shared as those days were. Learned at the end of each
    month's days; of two middle days the lesser counts.
order_by: [billing_period_start, bill_of_record, provider, cost_driver, billing_currency, service_name, model, traffic_kind, residual_reason, direct_owner_id]
materialized: table
partition_by: {column: billing_period_start, unit: month}
reads:
    core.billed_cells: {days_before: 7, days_after: 0}
    core.bill_rates: {days_before: 62, days_after: 0}
columns:
    billing_period_start: null
    bill_of_record: null
    provider: null
    cost_driver: null
    billing_currency: null
    service_name: null
    model: null
    traffic_kind: null
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
    settled_days_count: null
    effective_cost: of one day
*/
with

coverage as (
    select *
    from core.bill_coverage
    where billing_period_start >= cast($start as timestamp)
        and billing_period_start < cast($end as timestamp)
),

cells as (
    select *
    from core.billed_cells
    where charge_date >= $start - interval 7 day and charge_date < $end
),

rates as (select * from core.bill_rates),

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

settled as (
    select
        watermarks.month_date,
        cells.*
    from cells
    inner join watermarks
        on cells.bill_of_record = watermarks.bill_of_record
        and cells.provider = watermarks.provider
        and cells.charge_date >= watermarks.month_date - interval 7 day
        and cells.charge_date < watermarks.month_date + interval 1 month
        and watermarks.watermark_at >= cast(cells.charge_date as timestamp) + interval 1 day
),

known_days as (
    select
        settled.month_date,
        settled.bill_of_record,
        settled.provider,
        settled.charge_date,
        row_number() over (
            partition by settled.month_date, settled.bill_of_record, settled.provider
            order by settled.charge_date desc
        ) as day_rank,
        max(max(settled.charge_date)) over (
            partition by settled.month_date, settled.bill_of_record, settled.provider
        ) as last_date
    from settled
    group by settled.month_date, settled.bill_of_record, settled.provider, settled.charge_date
),

last_days as (
    select
        known_days.*,
        count(*) over (
            partition by known_days.month_date, known_days.bill_of_record, known_days.provider
        ) as days_count
    from known_days
    where known_days.day_rank <= 7
        and known_days.last_date >= known_days.month_date
        and known_days.charge_date > known_days.last_date - interval 7 day
),

/* What the rates of this month or of the two before it answer for. */
measured_pools as (
    select
        watermarks.month_date,
        rates.bill_of_record,
        rates.provider,
        rates.cost_driver,
        rates.rate_key as pool_key
    from rates
    inner join watermarks
        on rates.bill_of_record = watermarks.bill_of_record
        and rates.provider = watermarks.provider
        and rates.billing_period_start <= cast(watermarks.month_date as timestamp)
        and rates.billing_period_start >= cast(watermarks.month_date as timestamp) - interval 2 month
    where rates.rate_level = 'pool'
    group by
        watermarks.month_date,
        rates.bill_of_record,
        rates.provider,
        rates.cost_driver,
        rates.rate_key
),

measured_models as (
    select
        watermarks.month_date,
        rates.bill_of_record,
        rates.provider,
        rates.model,
        rates.token_class
    from rates
    inner join watermarks
        on rates.bill_of_record = watermarks.bill_of_record
        and rates.provider = watermarks.provider
        and rates.billing_period_start <= cast(watermarks.month_date as timestamp)
        and rates.billing_period_start >= cast(watermarks.month_date as timestamp) - interval 2 month
    where rates.rate_level in ('class', 'mixed')
    group by
        watermarks.month_date,
        rates.bill_of_record,
        rates.provider,
        rates.model,
        rates.token_class
),

unmeasured as (
    select
        settled.*,
        last_days.days_count
    from settled
    inner join last_days
        on settled.month_date = last_days.month_date
        and settled.bill_of_record = last_days.bill_of_record
        and settled.provider = last_days.provider
        and settled.charge_date = last_days.charge_date
    left join measured_pools
        on settled.month_date = measured_pools.month_date
        and settled.bill_of_record = measured_pools.bill_of_record
        and settled.provider = measured_pools.provider
        and settled.cost_driver = measured_pools.cost_driver
        and settled.pool_key = measured_pools.pool_key
    left join measured_models as named_classes
        on settled.month_date = named_classes.month_date
        and settled.bill_of_record = named_classes.bill_of_record
        and settled.provider = named_classes.provider
        and settled.cost_driver = 'inference'
        and settled.method_id <> 'capacity_seconds'
        and settled.model = named_classes.model
        and settled.token_class = named_classes.token_class
    left join measured_models as mixed_models
        on settled.month_date = mixed_models.month_date
        and settled.bill_of_record = mixed_models.bill_of_record
        and settled.provider = mixed_models.provider
        and settled.cost_driver = 'inference'
        and settled.method_id <> 'capacity_seconds'
        and settled.model = mixed_models.model
        and mixed_models.token_class is null
    where settled.charge_category = 'Usage'
        and settled.effective_cost is not null
        and settled.billing_currency is not null
        and measured_pools.pool_key is null
        and named_classes.model is null
        and mixed_models.model is null
),

owned as (
    select
        unmeasured.month_date,
        unmeasured.bill_of_record,
        unmeasured.provider,
        unmeasured.cost_driver,
        unmeasured.billing_currency,
        unmeasured.service_name,
        case when unmeasured.cost_driver = 'inference' then unmeasured.model end as model,
        unmeasured.traffic_kind,
        case
            when unmeasured.residual_reason is not null then unmeasured.residual_reason
            when unmeasured.method_id in ('bill_tag', 'workload_resource') then null
            when unmeasured.method_id = 'capacity_seconds' then 'unmeasured_capacity'
            when unmeasured.cost_driver = 'inference' then 'unlogged_usage'
            else 'unknown_workload'
        end as residual_reason,
        unmeasured.direct_owner_id,
        max(unmeasured.user_id) as user_id,
        max(unmeasured.tenant) as tenant,
        max(unmeasured.customer) as customer,
        max(unmeasured.team) as team,
        max(unmeasured.feature) as feature,
        max(unmeasured.endpoint) as endpoint,
        max(unmeasured.workflow) as workflow,
        max(unmeasured.environment) as environment,
        max(unmeasured.days_count) as days_count,
        cast(
            cast(sum(unmeasured.effective_cost) as decimal(24, 6)) * cast(1000000 as decimal(7, 0))
            as decimal(22, 0)
        ) as owned_units
    from unmeasured
    group by
        unmeasured.month_date,
        unmeasured.bill_of_record,
        unmeasured.provider,
        unmeasured.cost_driver,
        unmeasured.billing_currency,
        unmeasured.service_name,
        case when unmeasured.cost_driver = 'inference' then unmeasured.model end,
        unmeasured.traffic_kind,
        case
            when unmeasured.residual_reason is not null then unmeasured.residual_reason
            when unmeasured.method_id in ('bill_tag', 'workload_resource') then null
            when unmeasured.method_id = 'capacity_seconds' then 'unmeasured_capacity'
            when unmeasured.cost_driver = 'inference' then 'unlogged_usage'
            else 'unknown_workload'
        end,
        unmeasured.direct_owner_id
),

drivers as (
    select
        owned.month_date,
        owned.bill_of_record,
        owned.provider,
        owned.cost_driver,
        owned.billing_currency,
        sum(owned.owned_units) as driver_units
    from owned
    where owned.owned_units > 0
    group by
        owned.month_date,
        owned.bill_of_record,
        owned.provider,
        owned.cost_driver,
        owned.billing_currency
),

driver_days as (
    select
        drivers.month_date,
        drivers.bill_of_record,
        drivers.provider,
        drivers.cost_driver,
        drivers.billing_currency,
        last_days.charge_date,
        last_days.days_count,
        coalesce(sum(unmeasured.effective_cost), cast(0 as decimal(38, 12))) as effective_cost
    from drivers
    inner join last_days
        on drivers.month_date = last_days.month_date
        and drivers.bill_of_record = last_days.bill_of_record
        and drivers.provider = last_days.provider
    left join unmeasured
        on drivers.month_date = unmeasured.month_date
        and drivers.bill_of_record = unmeasured.bill_of_record
        and drivers.provider = unmeasured.provider
        and drivers.cost_driver = unmeasured.cost_driver
        and drivers.billing_currency = unmeasured.billing_currency
        and last_days.charge_date = unmeasured.charge_date
    group by
        drivers.month_date,
        drivers.bill_of_record,
        drivers.provider,
        drivers.cost_driver,
        drivers.billing_currency,
        last_days.charge_date,
        last_days.days_count
),

ranked_days as (
    select
        driver_days.*,
        row_number() over (
            partition by
                driver_days.month_date,
                driver_days.bill_of_record,
                driver_days.provider,
                driver_days.cost_driver,
                driver_days.billing_currency
            order by driver_days.effective_cost, driver_days.charge_date
        ) as cost_rank
    from driver_days
),

medians as (
    select
        ranked_days.month_date,
        ranked_days.bill_of_record,
        ranked_days.provider,
        ranked_days.cost_driver,
        ranked_days.billing_currency,
        cast(
            cast(ranked_days.effective_cost as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as median_units
    from ranked_days
    where ranked_days.cost_rank = idiv(ranked_days.days_count + 1, 2)
        and ranked_days.effective_cost > 0
)

select
    cast(owned.month_date as timestamp) as billing_period_start,
    owned.bill_of_record,
    owned.provider,
    owned.cost_driver,
    owned.billing_currency,
    owned.service_name,
    owned.model,
    owned.traffic_kind,
    owned.residual_reason,
    owned.direct_owner_id,
    owned.user_id,
    owned.tenant,
    owned.customer,
    owned.team,
    owned.feature,
    owned.endpoint,
    owned.workflow,
    owned.environment,
    cast(owned.days_count as bigint) as settled_days_count,
    cast(
        cast(
            idiv(
                medians.median_units
                * cast(idiv(owned.owned_units * 1000000000, drivers.driver_units) as decimal(10, 0)),
                1000000000
            ) as decimal(24, 0)
        ) * cast(0.000000000001 as decimal(13, 12)) as decimal(38, 12)
    ) as effective_cost
from owned
inner join drivers
    on owned.month_date = drivers.month_date
    and owned.bill_of_record = drivers.bill_of_record
    and owned.provider = drivers.provider
    and owned.cost_driver = drivers.cost_driver
    and owned.billing_currency = drivers.billing_currency
inner join medians
    on owned.month_date = medians.month_date
    and owned.bill_of_record = medians.bill_of_record
    and owned.provider = medians.provider
    and owned.cost_driver = medians.cost_driver
    and owned.billing_currency = medians.billing_currency
where owned.owned_units > 0
