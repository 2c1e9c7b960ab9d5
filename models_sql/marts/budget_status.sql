/*
description: >
    Each budget: spent to date, where its period is expected to land, how much of it has elapsed, and a status in one
    word. Actual counts days before today, with what is estimated of them. Where a cost of its scope cannot be told
    in the budget's currency (neither its own nor the reporting currency, or no rate), actual is unknown and the status says unknown_currency.
grain: [budget_id, period_start]
materialized: table
columns:
    budget_id: null
    parent_id: null
    owner: null
    period_start: null
    period_end: null
    measure: null
    budget: null
    actual: null
    elapsed_share: null
    forecast_p10: null
    forecast_p50: null
    forecast_p90: null
    overrun_probability: null
    overrun_date: null
    variance: budget minus the expected landing (actual where there is no forecast); negative is overrun
    status: >
        of a budget: not_started; over (spent); within (ended); at_risk (median above), watch (p90 above),
        on_track; no_forecast
    top_driver: null
    currency: null
    feature: null
    team: null
    cost_driver: null
*/
with

budgets as (select * from core.budgets),

costs as (
    select * from marts.cost_daily
    where charge_date < $today
),

landings as (select * from core.ledger_budget_forecasts),

newest as (
    select
        landings.budget_id,
        landings.period_start,
        max(landings.forecast_made_at) as forecast_made_at
    from landings
    group by landings.budget_id, landings.period_start
),

landing as (
    select landings.*
    from landings
    inner join newest
        on landings.budget_id = newest.budget_id
        and landings.period_start = newest.period_start
        and landings.forecast_made_at = newest.forecast_made_at
),

matched as (
    select
        budgets.budget_id,
        budgets.period_start,
        costs.cost_driver,
        case budgets.measure
            when 'billed_cost' then costs.billed_cost
            when 'list_cost' then costs.list_cost
            else costs.effective_cost
        end as own_amount,
        case
            when budgets.currency = costs.reporting_currency
                then case budgets.measure
                    when 'billed_cost' then costs.billed_cost_reporting
                    when 'list_cost' then costs.list_cost_reporting
                    else costs.effective_cost_reporting
                end
            when budgets.currency = costs.billing_currency
                then case budgets.measure
                    when 'billed_cost' then costs.billed_cost
                    when 'list_cost' then costs.list_cost
                    else costs.effective_cost
                end
        end as amount
    from budgets
    inner join costs
        on budgets.period_start <= costs.charge_date
        and budgets.period_end > costs.charge_date
        and (budgets.feature is null or budgets.feature = costs.feature)
        and (budgets.team is null or budgets.team = costs.team)
        and (budgets.environment is null or budgets.environment = costs.environment)
        and (budgets.cost_driver is null or budgets.cost_driver = costs.cost_driver)
        and (budgets.measure = 'billed_cost' or costs.charge_category <> 'Tax')
),

spend as (
    select
        matched.budget_id,
        matched.period_start,
        matched.cost_driver,
        sum(matched.amount) as actual,
        count(case when matched.own_amount <> 0 and matched.amount is null then 1 end) as unconverted
    from matched
    group by matched.budget_id, matched.period_start, matched.cost_driver
),

ranked_drivers as (
    select
        spend.*,
        row_number() over (
            partition by spend.budget_id, spend.period_start
            order by coalesce(spend.actual, 0) desc, spend.cost_driver
        ) as driver_rank
    from spend
),

actuals as (
    select
        ranked_drivers.budget_id,
        ranked_drivers.period_start,
        sum(ranked_drivers.actual) as actual,
        sum(ranked_drivers.unconverted) as unconverted,
        max(case when ranked_drivers.driver_rank = 1 then ranked_drivers.cost_driver end) as top_driver
    from ranked_drivers
    group by ranked_drivers.budget_id, ranked_drivers.period_start
),

judged as (
    select
        budgets.*,
        case
            when coalesce(actuals.unconverted, 0) > 0 then null
            else coalesce(actuals.actual, cast(0 as decimal(38, 12)))
        end as actual,
        coalesce(actuals.unconverted, 0) > 0 as is_unconverted,
        actuals.top_driver,
        landing.forecast_p10,
        landing.forecast_p50,
        landing.forecast_p90,
        landing.overrun_probability,
        landing.overrun_date,
        greatest(
            0,
            least(
                date_diff('day', budgets.period_start, $today),
                date_diff('day', budgets.period_start, budgets.period_end)
            )
        ) as elapsed_days,
        greatest(date_diff('day', budgets.period_start, budgets.period_end), 1) as period_days
    from budgets
    left join actuals
        on budgets.budget_id = actuals.budget_id
        and budgets.period_start = actuals.period_start
    left join landing
        on budgets.budget_id = landing.budget_id
        and budgets.period_start = landing.period_start
)

select
    judged.budget_id,
    judged.parent_id,
    judged.owner,
    judged.period_start,
    judged.period_end,
    judged.measure,
    judged.amount as budget,
    cast(judged.actual as decimal(38, 12)) as actual,
    cast(
        cast(idiv(judged.elapsed_days * 1000000000000, judged.period_days) as decimal(24, 0))
        * cast(0.000000000001 as decimal(13, 12)) as decimal(18, 12)
    ) as elapsed_share,
    judged.forecast_p10,
    judged.forecast_p50,
    judged.forecast_p90,
    judged.overrun_probability,
    judged.overrun_date,
    cast(judged.amount - coalesce(judged.forecast_p50, judged.actual) as decimal(38, 12)) as variance,
    case
        when $today < judged.period_start then 'not_started'
        when judged.is_unconverted then 'unknown_currency'
        when judged.actual > judged.amount then 'over'
        when judged.elapsed_days >= judged.period_days then 'within'
        when judged.forecast_p50 is null then 'no_forecast'
        when judged.forecast_p50 > judged.amount then 'at_risk'
        when judged.forecast_p90 > judged.amount then 'watch'
        else 'on_track'
    end as status,
    judged.top_driver,
    judged.currency,
    judged.feature,
    judged.team,
    judged.cost_driver
from judged
