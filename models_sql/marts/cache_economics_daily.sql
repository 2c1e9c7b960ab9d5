/*
description: >
    What prompt caches save and cost, per day, model and feature, at the list prices that the day's calls were priced with: tokens
    read from a cache save the difference to uncached input, tokens written to one cost a premium over it. And what calls
    in the half hour after deploys, scale-ups and restarts read less and wrote more than the day's others.
materialized: table
partition_by: {column: charge_date, unit: day}
order_by: [charge_date, provider, model, feature]
columns:
    charge_date: null
    provider: null
    model: null
    feature: null
    requests: null
    uncached_input_tokens: null
    cache_read_tokens: null
    cache_write_5m_tokens: null
    cache_write_1h_tokens: null
    cache_read_share: null
    unpriced_cache_tokens: null
    cache_saving_cost: null
    write_premium_cost: null
    net_saving_cost: null
    cold_events: null
    cold_requests: null
    cold_cost: 0 where there was no event; null where no other call of the day tells what is usual
    list_cost_currency: null
checks:
    - name: caches_keep_the_log
      severity: fail
      by: partition
      description: Requests and cached tokens sum to those that were logged, per day.
      sql: >
        select coalesce(u.charge_date, m.charge_date) as charge_date, u.requests, m.requests as mart_requests
        from (select charge_date, sum(requests) as requests, sum(cache_read_tokens) as cache_read_tokens
              from core.request_usage group by charge_date) as u
        full join (select charge_date, sum(requests) as requests, sum(cache_read_tokens) as cache_read_tokens
              from marts.cache_economics_daily group by charge_date) as m
          on u.charge_date = m.charge_date
        where u.requests is distinct from m.requests
            or u.cache_read_tokens is distinct from m.cache_read_tokens
*/
with

usage_costs as (
    select *
    from core.usage_costs
    where charge_date >= $start and charge_date < $end
),

usage as (
    select *
    from core.request_usage
    where charge_date >= $start and charge_date < $end
),

cold as (
    select *
    from core.cold_usage
    where charge_date >= $start and charge_date < $end
),

owners as (
    select
        usage.charge_date,
        usage.owner_id,
        max(usage.feature) as feature
    from usage
    group by usage.charge_date, usage.owner_id
),

prices as (
    select
        dated_prices.price_id,
        cast(
            cast(dated_prices.price_per_mtok as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(19, 0)
        ) as price_units
    from core.dated_prices as dated_prices
),

/* What uncached input of the same tier, context, time and region cost that day. */
input_prices as (
    select
        usage_costs.charge_date,
        coalesce(usage_costs.provider, chr(30)) as provider_key,
        coalesce(usage_costs.model, chr(30)) as model_key,
        usage_costs.service_tier,
        usage_costs.context_min_tokens,
        coalesce(usage_costs.time_of_day_start, chr(30)) as time_key,
        coalesce(usage_costs.region_id, chr(30)) as region_key,
        min(usage_costs.price_id) as price_id
    from usage_costs
    where usage_costs.token_class = 'uncached_input_tokens'
    group by
        usage_costs.charge_date,
        coalesce(usage_costs.provider, chr(30)),
        coalesce(usage_costs.model, chr(30)),
        usage_costs.service_tier,
        usage_costs.context_min_tokens,
        coalesce(usage_costs.time_of_day_start, chr(30)),
        coalesce(usage_costs.region_id, chr(30))
),

compared as (
    select
        usage_costs.charge_date,
        usage_costs.provider,
        usage_costs.model,
        owners.feature,
        usage_costs.token_class,
        usage_costs.requests,
        usage_costs.quantity_tokens,
        usage_costs.list_cost_currency,
        cast(
            cast(usage_costs.list_cost as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as list_units,
        idiv(
            cast(usage_costs.quantity_tokens as decimal(18, 0)) * prices.price_units,
            cast(1000000 as decimal(7, 0))
        ) as input_units
    from usage_costs
    left join owners
        on usage_costs.charge_date = owners.charge_date
        and usage_costs.owner_id = owners.owner_id
    left join input_prices
        on usage_costs.charge_date = input_prices.charge_date
        and coalesce(usage_costs.provider, chr(30)) = input_prices.provider_key
        and coalesce(usage_costs.model, chr(30)) = input_prices.model_key
        and usage_costs.service_tier = input_prices.service_tier
        and usage_costs.context_min_tokens = input_prices.context_min_tokens
        and coalesce(usage_costs.time_of_day_start, chr(30)) = input_prices.time_key
        and coalesce(usage_costs.region_id, chr(30)) = input_prices.region_key
    left join prices on input_prices.price_id = prices.price_id
),

/* Positive where caching saved, for reads; positive where it cost more, for writes. */
differences as (
    select
        compared.*,
        case
            when compared.token_class = 'cache_read_tokens' then compared.input_units - compared.list_units
        end
            as saving_units,
        case
            when compared.token_class in ('cache_write_5m_tokens', 'cache_write_1h_tokens')
                then compared.list_units - compared.input_units
        end as premium_units
    from compared
),

days as (
    select
        differences.charge_date,
        differences.provider,
        differences.model,
        differences.feature,
        sum(differences.requests) as requests,
        sum(
            case
                when differences.token_class = 'uncached_input_tokens' then differences.quantity_tokens
                else 0
            end
        ) as uncached_input_tokens,
        sum(
            case
                when differences.token_class = 'cache_read_tokens' then differences.quantity_tokens else 0
            end
        ) as cache_read_tokens,
        sum(
            case
                when differences.token_class = 'cache_write_5m_tokens' then differences.quantity_tokens
                else 0
            end
        ) as cache_write_5m_tokens,
        sum(
            case
                when differences.token_class = 'cache_write_1h_tokens' then differences.quantity_tokens
                else 0
            end
        ) as cache_write_1h_tokens,
        sum(case when differences.saving_units is not null then differences.quantity_tokens else 0 end)
            as priced_read_tokens,
        sum(case when differences.premium_units is not null then differences.quantity_tokens else 0 end)
            as priced_write_tokens,
        sum(differences.saving_units) as saving_units,
        sum(differences.premium_units) as premium_units,
        case
            when min(differences.list_cost_currency) = max(differences.list_cost_currency)
                then min(differences.list_cost_currency)
        end as list_cost_currency
    from differences
    group by differences.charge_date, differences.provider, differences.model, differences.feature
),

measured as (
    select
        days.*,
        days.uncached_input_tokens + days.cache_read_tokens + days.cache_write_5m_tokens
        + days.cache_write_1h_tokens as input_tokens,
        cast(
            case when days.list_cost_currency is not null then coalesce(days.saving_units, 0) end as decimal(
                22, 0
            )
        )
            as cache_saving_units,
        cast(
            case
                when days.list_cost_currency is not null then coalesce(days.premium_units, 0)
            end as decimal(22, 0)
        )
            as write_premium_units,
        cold.cold_events,
        cold.cold_requests,
        case
            when cold.warm_input_tokens > 0
                then cast(
                    idiv(
                        cast(cold.cold_input_tokens as decimal(18, 0))
                        * cast(cold.warm_cache_read_tokens as decimal(18, 0)),
                        cold.warm_input_tokens
                    ) - cold.cold_cache_read_tokens as decimal(15, 0)
                )
        end as unread_tokens,
        case
            when cold.warm_input_tokens > 0
                then cast(
                    cold.cold_cache_write_tokens - idiv(
                        cast(cold.cold_input_tokens as decimal(18, 0))
                        * cast(cold.warm_cache_write_tokens as decimal(18, 0)),
                        cold.warm_input_tokens
                    ) as decimal(15, 0)
                )
        end as rewritten_tokens
    from days
    left join cold
        on days.charge_date = cold.charge_date
        and coalesce(days.provider, chr(30)) = coalesce(cold.provider, chr(30))
        and coalesce(days.model, chr(30)) = coalesce(cold.model, chr(30))
        and coalesce(days.feature, chr(30)) = coalesce(cold.feature, chr(30))
),

/* At what a token read saved, and a token written cost more, on average that day. */
valued as (
    select
        measured.*,
        case
            when measured.cold_events is null then 0
            when measured.list_cost_currency is not null and measured.unread_tokens is not null
                then
                case
                    when measured.priced_read_tokens > 0
                        then idiv(
                            measured.cache_saving_units * measured.unread_tokens, measured.priced_read_tokens
                        )
                    else 0
                end
                + case
                    when measured.priced_write_tokens > 0
                        then idiv(
                            measured.write_premium_units * measured.rewritten_tokens,
                            measured.priced_write_tokens
                        )
                    else 0
                end
        end as cold_units
    from measured
)

select
    valued.charge_date,
    valued.provider,
    valued.model,
    valued.feature,
    cast(valued.requests as bigint) as requests,
    cast(valued.uncached_input_tokens as bigint) as uncached_input_tokens,
    cast(valued.cache_read_tokens as bigint) as cache_read_tokens,
    cast(valued.cache_write_5m_tokens as bigint) as cache_write_5m_tokens,
    cast(valued.cache_write_1h_tokens as bigint) as cache_write_1h_tokens,
    case
        when valued.input_tokens > 0
            then cast(
                cast(
                    idiv(
                        cast(valued.cache_read_tokens as decimal(19, 0))
                        * cast(1000000000000 as decimal(13, 0)),
                        valued.input_tokens
                    ) as decimal(24, 0)
                ) * cast(0.000000000001 as decimal(13, 12)) as decimal(18, 12)
            )
    end as cache_read_share,
    cast(
        valued.cache_read_tokens + valued.cache_write_5m_tokens + valued.cache_write_1h_tokens
        - valued.priced_read_tokens - valued.priced_write_tokens as bigint
    ) as unpriced_cache_tokens,
    cast(
        cast(valued.cache_saving_units as decimal(24, 0)) * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as cache_saving_cost,
    cast(
        cast(valued.write_premium_units as decimal(24, 0)) * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as write_premium_cost,
    cast(
        cast(valued.cache_saving_units - valued.write_premium_units as decimal(24, 0))
        * cast(0.000000000001 as decimal(13, 12)) as decimal(38, 12)
    ) as net_saving_cost,
    cast(coalesce(valued.cold_events, 0) as bigint) as cold_events,
    cast(coalesce(valued.cold_requests, 0) as bigint) as cold_requests,
    cast(
        cast(valued.cold_units as decimal(24, 0)) * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as cold_cost,
    valued.list_cost_currency
from valued
