/*
description: >
    How many of the requests that a provider counted the logs hold, per day, provider and model. Fewer means that calls
    were sampled, lost, or never logged; more that calls count twice or are not the organization's. Only days on which the logs hold anything of the provider are here.
grain: [charge_date, provider, model]
materialized: table
partition_by: {column: charge_date, unit: day}
columns:
    charge_date: null
    provider: null
    model: null
    provider_requests: null
    logged_requests: null
    logged_share: null
    is_under_logged: null
    has_more_logged: the logs hold more than the provider's final count, beyond the tolerance
    is_final: the provider's count is final
checks:
    - name: logged_requests_are_not_negative
      severity: fail
      by: partition
      description: A count below zero is a defect of this model.
      sql: select model from core.request_coverage where logged_requests < 0
*/
with

counts as (
    select *
    from core.provider_counts
    where charge_date >= $start and charge_date < $end
        and usage_kind = 'requests'
),

usage as (
    select *
    from core.usage_costs
    where charge_date >= $start and charge_date < $end
),

settings as (select * from reference.settings),

counted as (
    select
        counts.charge_date,
        counts.provider,
        counts.model,
        cast(sum(counts.quantity) as decimal(26, 0)) as requests,
        min(case when counts.is_final then 1 else 0 end) as is_final
    from counts
    where counts.model is not null
    group by counts.charge_date, counts.provider, counts.model
),

logged as (
    select
        usage.charge_date,
        usage.provider,
        usage.model,
        cast(sum(usage.requests) as decimal(26, 0)) as requests
    from usage
    group by usage.charge_date, usage.provider, usage.model
),

logged_providers as (
    select
        logged.charge_date,
        logged.provider
    from logged
    where logged.requests > 0
    group by logged.charge_date, logged.provider
)

select
    counted.charge_date,
    counted.provider,
    counted.model,
    cast(counted.requests as bigint) as provider_requests,
    cast(coalesce(logged.requests, 0) as bigint) as logged_requests,
    case
        when counted.requests > 0
            then cast(
                cast(
                    least(
                        cast(
                            idiv(
                                cast(coalesce(logged.requests, 0) as decimal(22, 0))
                                * cast(1000000000000 as decimal(13, 0)),
                                counted.requests
                            ) as decimal(38, 0)
                        ),
                        cast(999999999999999999 as decimal(38, 0))
                    ) as decimal(24, 0)
                ) * cast(0.000000000001 as decimal(13, 12)) as decimal(18, 12)
            )
    end as logged_share,
    coalesce(logged.requests, 0) * 1000000
    < counted.requests * (1000000 - settings.coverage_epsilon_ppm) as is_under_logged,
    counted.is_final = 1
    and coalesce(logged.requests, 0) * 1000000
    > counted.requests * (1000000 + settings.coverage_epsilon_ppm) as has_more_logged,
    counted.is_final = 1 as is_final
from counted
cross join settings
inner join logged_providers
    on counted.charge_date = logged_providers.charge_date
    and counted.provider = logged_providers.provider
left join logged
    on counted.charge_date = logged.charge_date
    and counted.provider = logged.provider
    and counted.model = logged.model
