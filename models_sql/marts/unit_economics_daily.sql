/*
description: >
    What a feature costs by what people get from it, per day and environment: effective cost in the reporting currency,
    net of credits and without tax, over root actions, users, requests, successful outcomes and tokens. Null where
    nothing of the kind was logged. An outcome is successful if its root says so; a cost without a feature stands
    with a null one. Sum costs and counts before you divide them anew; users do not add up.
materialized: table
partition_by: {column: charge_date, unit: day}
order_by: [charge_date, feature, environment]
columns:
    charge_date: null
    feature: null
    environment: null
    actions: root actions that began that day
    failed_actions: actions with status error
    successful_outcomes: actions whose root ended without an error and that had a call which did
    active_users: null
    calls: of the actions that began that day
    requests: null
    uncached_input_tokens: null
    cache_read_tokens: null
    cache_write_5m_tokens: null
    cache_write_1h_tokens: null
    output_tokens: null
    inference_cost: null
    egress_cost: null
    monitoring_cost: null
    other_cost: null
    total_cost: null
    estimated_cost: null
    calls_per_action: null where no action began
    cost_per_action: null
    cost_per_active_user: null
    cost_per_1k_requests: null
    cost_per_successful_outcome: null
    uncached_input_cost_per_mtok: null
    cache_read_cost_per_mtok: null
    cache_write_5m_cost_per_mtok: null
    cache_write_1h_cost_per_mtok: null
    output_cost_per_mtok: null
    reporting_currency: null
checks:
    - name: features_keep_the_mart
      severity: fail
      by: partition
      description: Features sum to cost_daily, per day, tax left out.
      sql: >
        select coalesce(d.charge_date, m.charge_date) as charge_date, d.total, m.total as feature_total
        from (select charge_date, sum(effective_cost_reporting) as total from marts.cost_daily
              where coalesce(charge_category, '') <> 'Tax' group by charge_date) as d
        full join (select charge_date, sum(total_cost) as total
              from marts.unit_economics_daily group by charge_date) as m
          on d.charge_date = m.charge_date
        where coalesce(d.total, 0) <> coalesce(m.total, 0)
*/
with

costs as (
    select *
    from marts.cost_daily
    where charge_date >= $start and charge_date < $end
        and coalesce(charge_category, '') <> 'Tax'
),

usage as (
    select *
    from core.request_usage
    where charge_date >= $start and charge_date < $end
),

traces as (
    select *
    from core.traces
    where root_date >= $start and root_date < $end
),

spent as (
    select
        costs.charge_date,
        costs.feature,
        costs.environment,
        sum(case when costs.cost_driver = 'inference' then costs.effective_cost_reporting else 0 end)
            as inference_cost,
        sum(case when costs.cost_driver = 'egress' then costs.effective_cost_reporting else 0 end)
            as egress_cost,
        sum(case when costs.cost_driver = 'monitoring' then costs.effective_cost_reporting else 0 end)
            as monitoring_cost,
        sum(costs.effective_cost_reporting) as total_cost,
        sum(case when costs.cost_state = 'estimated' then costs.effective_cost_reporting else 0 end)
            as estimated_cost,
        sum(
            case
                when costs.token_class = 'uncached_input_tokens' and costs.residual_reason is null
                    then costs.effective_cost_reporting
            end
        ) as uncached_input_cost,
        sum(
            case
                when costs.token_class = 'uncached_input_tokens' and costs.residual_reason is null
                    then costs.input_tokens
            end
        ) as uncached_input_paid_tokens,
        sum(
            case
                when costs.token_class = 'cache_read_tokens' and costs.residual_reason is null
                    then costs.effective_cost_reporting
            end
        ) as cache_read_cost,
        sum(
            case
                when costs.token_class = 'cache_read_tokens' and costs.residual_reason is null
                    then costs.input_tokens
            end
        ) as cache_read_paid_tokens,
        sum(
            case
                when costs.token_class = 'cache_write_5m_tokens' and costs.residual_reason is null
                    then costs.effective_cost_reporting
            end
        ) as cache_write_5m_cost,
        sum(
            case
                when costs.token_class = 'cache_write_5m_tokens' and costs.residual_reason is null
                    then costs.input_tokens
            end
        ) as cache_write_5m_paid_tokens,
        sum(
            case
                when costs.token_class = 'cache_write_1h_tokens' and costs.residual_reason is null
                    then costs.effective_cost_reporting
            end
        ) as cache_write_1h_cost,
        sum(
            case
                when costs.token_class = 'cache_write_1h_tokens' and costs.residual_reason is null
                    then costs.input_tokens
            end
        ) as cache_write_1h_paid_tokens,
        sum(
            case
                when costs.token_class = 'output_tokens' and costs.residual_reason is null
                    then costs.effective_cost_reporting
            end
        ) as output_cost,
        sum(
            case
                when costs.token_class = 'output_tokens' and costs.residual_reason is null
                    then costs.output_tokens
            end
        ) as output_paid_tokens
    from costs
    group by costs.charge_date, costs.feature, costs.environment
),

used as (
    select
        usage.charge_date,
        usage.feature,
        usage.environment,
        count(distinct usage.user_id) as active_users,
        sum(usage.requests) as requests,
        sum(usage.uncached_input_tokens) as uncached_input_tokens,
        sum(usage.cache_read_tokens) as cache_read_tokens,
        sum(usage.cache_write_5m_tokens) as cache_write_5m_tokens,
        sum(usage.cache_write_1h_tokens) as cache_write_1h_tokens,
        sum(usage.output_tokens) as output_tokens
    from usage
    group by usage.charge_date, usage.feature, usage.environment
),

begun as (
    select
        traces.root_date as charge_date,
        traces.feature,
        traces.environment,
        count(*) as actions,
        count(case when traces.status = 'error' then 1 end) as failed_actions,
        count(case when traces.status = 'ok' then 1 end) as successful_outcomes,
        sum(traces.calls) as calls
    from traces
    group by traces.root_date, traces.feature, traces.environment
),

keys as (
    select
        spent.charge_date,
        spent.feature,
        spent.environment
    from spent
    union
    select
        used.charge_date,
        used.feature,
        used.environment
    from used
    union
    select
        begun.charge_date,
        begun.feature,
        begun.environment
    from begun
),

measured as (
    select
        keys.charge_date,
        keys.feature,
        keys.environment,
        coalesce(begun.actions, 0) as actions,
        coalesce(begun.failed_actions, 0) as failed_actions,
        coalesce(begun.successful_outcomes, 0) as successful_outcomes,
        coalesce(begun.calls, 0) as calls,
        coalesce(used.active_users, 0) as active_users,
        coalesce(used.requests, 0) as requests,
        coalesce(used.uncached_input_tokens, 0) as uncached_input_tokens,
        coalesce(used.cache_read_tokens, 0) as cache_read_tokens,
        coalesce(used.cache_write_5m_tokens, 0) as cache_write_5m_tokens,
        coalesce(used.cache_write_1h_tokens, 0) as cache_write_1h_tokens,
        coalesce(used.output_tokens, 0) as output_tokens,
        coalesce(spent.uncached_input_paid_tokens, 0) as uncached_input_paid_tokens,
        coalesce(spent.cache_read_paid_tokens, 0) as cache_read_paid_tokens,
        coalesce(spent.cache_write_5m_paid_tokens, 0) as cache_write_5m_paid_tokens,
        coalesce(spent.cache_write_1h_paid_tokens, 0) as cache_write_1h_paid_tokens,
        coalesce(spent.output_paid_tokens, 0) as output_paid_tokens,
        cast(
            cast(coalesce(spent.inference_cost, 0) as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as inference_units,
        cast(
            cast(coalesce(spent.egress_cost, 0) as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as egress_units,
        cast(
            cast(coalesce(spent.monitoring_cost, 0) as decimal(24, 12))
            * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as monitoring_units,
        cast(
            cast(coalesce(spent.total_cost, 0) as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as total_units,
        cast(
            cast(coalesce(spent.estimated_cost, 0) as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as estimated_units,
        cast(
            cast(coalesce(spent.uncached_input_cost, 0) as decimal(24, 12))
            * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as uncached_input_units,
        cast(
            cast(coalesce(spent.cache_read_cost, 0) as decimal(24, 12))
            * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as cache_read_units,
        cast(
            cast(coalesce(spent.cache_write_5m_cost, 0) as decimal(24, 12))
            * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as cache_write_5m_units,
        cast(
            cast(coalesce(spent.cache_write_1h_cost, 0) as decimal(24, 12))
            * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as cache_write_1h_units,
        cast(
            cast(coalesce(spent.output_cost, 0) as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as output_units
    from keys
    left join spent
        on keys.charge_date = spent.charge_date
        and keys.feature is not distinct from spent.feature
        and keys.environment is not distinct from spent.environment
    left join used
        on keys.charge_date = used.charge_date
        and keys.feature is not distinct from used.feature
        and keys.environment is not distinct from used.environment
    left join begun
        on keys.charge_date = begun.charge_date
        and keys.feature is not distinct from begun.feature
        and keys.environment is not distinct from begun.environment
)

select
    measured.charge_date,
    measured.feature,
    measured.environment,
    cast(measured.actions as bigint) as actions,
    cast(measured.failed_actions as bigint) as failed_actions,
    cast(measured.successful_outcomes as bigint) as successful_outcomes,
    cast(measured.active_users as bigint) as active_users,
    cast(measured.calls as bigint) as calls,
    cast(measured.requests as bigint) as requests,
    cast(measured.uncached_input_tokens as bigint) as uncached_input_tokens,
    cast(measured.cache_read_tokens as bigint) as cache_read_tokens,
    cast(measured.cache_write_5m_tokens as bigint) as cache_write_5m_tokens,
    cast(measured.cache_write_1h_tokens as bigint) as cache_write_1h_tokens,
    cast(measured.output_tokens as bigint) as output_tokens,
    cast(
        cast(measured.inference_units as decimal(26, 0))
        * cast(0.000000000001 as decimal(12, 12)) as decimal(38, 12)
    ) as inference_cost,
    cast(
        cast(measured.egress_units as decimal(26, 0))
        * cast(0.000000000001 as decimal(12, 12)) as decimal(38, 12)
    ) as egress_cost,
    cast(
        cast(measured.monitoring_units as decimal(26, 0))
        * cast(0.000000000001 as decimal(12, 12)) as decimal(38, 12)
    ) as monitoring_cost,
    cast(
        cast(
            measured.total_units
            - measured.inference_units
            - measured.egress_units
            - measured.monitoring_units
            as decimal(26, 0)
        ) * cast(0.000000000001 as decimal(12, 12)) as decimal(38, 12)
    ) as other_cost,
    cast(
        cast(measured.total_units as decimal(26, 0))
        * cast(0.000000000001 as decimal(12, 12)) as decimal(38, 12)
    ) as total_cost,
    cast(
        cast(measured.estimated_units as decimal(26, 0))
        * cast(0.000000000001 as decimal(12, 12)) as decimal(38, 12)
    ) as estimated_cost,
    case
        when measured.actions > 0
            then cast(
                cast(
                    idiv(
                        cast(measured.calls as decimal(18, 0)) * cast(1000000 as decimal(7, 0)),
                        measured.actions
                    )
                    as decimal(18, 0)
                ) * cast(0.000001 as decimal(7, 6)) as decimal(18, 6)
            )
    end as calls_per_action,
    case
        when measured.actions > 0
            then cast(
                cast(idiv(measured.total_units, measured.actions) as decimal(26, 0))
                * cast(0.000000000001 as decimal(12, 12))
                as decimal(38, 12)
            )
    end as cost_per_action,
    case
        when measured.active_users > 0
            then cast(
                cast(idiv(measured.total_units, measured.active_users) as decimal(26, 0))
                * cast(0.000000000001 as decimal(12, 12))
                as decimal(38, 12)
            )
    end as cost_per_active_user,
    case
        when measured.requests > 0
            then cast(
                cast(
                    idiv(measured.total_units * cast(1000 as decimal(4, 0)), measured.requests) as decimal(
                        26, 0
                    )
                )
                * cast(0.000000000001 as decimal(12, 12))
                as decimal(38, 12)
            )
    end as cost_per_1k_requests,
    case
        when measured.successful_outcomes > 0
            then cast(
                cast(idiv(measured.total_units, measured.successful_outcomes) as decimal(26, 0))
                * cast(0.000000000001 as decimal(12, 12))
                as decimal(38, 12)
            )
    end as cost_per_successful_outcome,
    case
        when measured.uncached_input_paid_tokens > 0
            then cast(
                cast(
                    idiv(
                        measured.uncached_input_units * cast(1000000 as decimal(7, 0)),
                        measured.uncached_input_paid_tokens
                    ) as decimal(26, 0)
                )
                * cast(0.000000000001 as decimal(12, 12))
                as decimal(38, 12)
            )
    end as uncached_input_cost_per_mtok,
    case
        when measured.cache_read_paid_tokens > 0
            then cast(
                cast(
                    idiv(
                        measured.cache_read_units * cast(1000000 as decimal(7, 0)),
                        measured.cache_read_paid_tokens
                    ) as decimal(26, 0)
                )
                * cast(0.000000000001 as decimal(12, 12))
                as decimal(38, 12)
            )
    end as cache_read_cost_per_mtok,
    case
        when measured.cache_write_5m_paid_tokens > 0
            then cast(
                cast(
                    idiv(
                        measured.cache_write_5m_units * cast(1000000 as decimal(7, 0)),
                        measured.cache_write_5m_paid_tokens
                    ) as decimal(26, 0)
                )
                * cast(0.000000000001 as decimal(12, 12))
                as decimal(38, 12)
            )
    end as cache_write_5m_cost_per_mtok,
    case
        when measured.cache_write_1h_paid_tokens > 0
            then cast(
                cast(
                    idiv(
                        measured.cache_write_1h_units * cast(1000000 as decimal(7, 0)),
                        measured.cache_write_1h_paid_tokens
                    ) as decimal(26, 0)
                )
                * cast(0.000000000001 as decimal(12, 12))
                as decimal(38, 12)
            )
    end as cache_write_1h_cost_per_mtok,
    case
        when measured.output_paid_tokens > 0
            then cast(
                cast(
                    idiv(
                        measured.output_units * cast(1000000 as decimal(7, 0)), measured.output_paid_tokens
                    ) as decimal(26, 0)
                )
                * cast(0.000000000001 as decimal(12, 12))
                as decimal(38, 12)
            )
    end as output_cost_per_mtok,
    cast($reporting_currency as varchar) as reporting_currency
from measured
