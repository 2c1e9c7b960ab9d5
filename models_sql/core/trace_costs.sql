/*
description: >
    The fact's rows split exactly over the root actions that caused them, in the reporting currency: inference by the
    trace's tokens of the cell, traffic and monitoring by its tokens among its owner's. Fact rows whose owner has no
    trace that day stand with a null trace.
grain: [charge_date, trace_key, cost_driver]
materialized: table
partition_by: {column: charge_date, unit: day}
columns:
    charge_date: null
    trace_key: null
    trace_id: null
    cost_driver: null
    effective_cost_reporting: null
checks:
    - name: traces_keep_the_fact
      severity: fail
      by: partition
      description: Root actions and the rest sum to the fact, per day, in the reporting currency.
      sql: >
        select coalesce(f.charge_date, t.charge_date) as charge_date, f.total, t.total as trace_total
        from (select charge_date, sum(effective_cost_reporting) as total
              from core.attributed_costs group by charge_date) as f
        full join (select charge_date, sum(effective_cost_reporting) as total
              from core.trace_costs group by charge_date) as t
          on f.charge_date = t.charge_date
        where f.total is distinct from t.total
*/
with

facts as (
    select *
    from core.attributed_costs
    where charge_date >= $start and charge_date < $end
),

cells as (
    select *
    from core.cells
    where charge_date >= $start and charge_date < $end
),

usage as (
    select *
    from core.trace_usage
    where charge_date >= $start and charge_date < $end
),

usage_costs as (
    select *
    from core.usage_costs
    where charge_date >= $start and charge_date < $end
),

pooled_usage as (
    select *
    from core.pooled_usage
    where charge_date >= $start and charge_date < $end
),

tagged as (
    select *
    from core.tagged_owners
    where charge_date >= $start and charge_date < $end
),

amounts as (
    select
        facts.charge_date,
        facts.owner_id,
        facts.from_zone,
        facts.to_zone,
        cells.cost_driver,
        case when cells.method_id in ('tokens', 'list_price') then cells.pool_key end as pool_key,
        case
            when facts.residual_reason is not null and facts.residual_reason <> 'unpriced' then 'none'
            when cells.charge_category = 'Tax' then 'none'
            when cells.method_id in ('tokens', 'list_price') then 'pool'
            else 'owner'
        end as split_by,
        sum(facts.effective_cost_reporting) as amount
    from facts
    inner join cells
        on facts.charge_date = cells.charge_date
        and facts.cell_id = cells.cell_id
    group by
        facts.charge_date,
        facts.owner_id,
        facts.from_zone,
        facts.to_zone,
        cells.cost_driver,
        case when cells.method_id in ('tokens', 'list_price') then cells.pool_key end,
        case
            when facts.residual_reason is not null and facts.residual_reason <> 'unpriced' then 'none'
            when cells.charge_category = 'Tax' then 'none'
            when cells.method_id in ('tokens', 'list_price') then 'pool'
            else 'owner'
        end
),

owner_amounts as (
    select
        amounts.charge_date,
        amounts.owner_id,
        amounts.cost_driver,
        sum(amounts.amount) as amount
    from amounts
    where amounts.split_by = 'owner'
    group by amounts.charge_date, amounts.owner_id, amounts.cost_driver
),

trace_classes as (
    select
        usage.charge_date,
        usage.trace_id,
        usage.usage_id,
        'uncached_input_tokens' as token_class,
        usage.uncached_input_tokens as tokens
    from usage
    where usage.uncached_input_tokens > 0
    union all
    select
        usage.charge_date,
        usage.trace_id,
        usage.usage_id,
        'cache_read_tokens' as token_class,
        usage.cache_read_tokens as tokens
    from usage
    where usage.cache_read_tokens > 0
    union all
    select
        usage.charge_date,
        usage.trace_id,
        usage.usage_id,
        'cache_write_5m_tokens' as token_class,
        usage.cache_write_5m_tokens as tokens
    from usage
    where usage.cache_write_5m_tokens > 0
    union all
    select
        usage.charge_date,
        usage.trace_id,
        usage.usage_id,
        'cache_write_1h_tokens' as token_class,
        usage.cache_write_1h_tokens as tokens
    from usage
    where usage.cache_write_1h_tokens > 0
    union all
    select
        usage.charge_date,
        usage.trace_id,
        usage.usage_id,
        'output_tokens' as token_class,
        usage.output_tokens as tokens
    from usage
    where usage.output_tokens > 0
),

fact_owners as (
    select
        pooled_usage.charge_date,
        pooled_usage.pool_key,
        pooled_usage.owner_id as log_owner_id,
        pooled_usage.owner_id
    from pooled_usage
    union
    select
        tagged.charge_date,
        tagged.pool_key,
        tagged.log_owner_id,
        tagged.owner_id
    from tagged
),

pool_tokens as (
    select
        trace_classes.charge_date,
        pooled_usage.pool_key,
        fact_owners.owner_id,
        coalesce(pooled_usage.from_zone, chr(30)) as from_zone_key,
        coalesce(pooled_usage.to_zone, chr(30)) as to_zone_key,
        trace_classes.trace_id,
        cast(sum(cast(trace_classes.tokens as decimal(38, 0))) as decimal(15, 0)) as tokens
    from trace_classes
    inner join pooled_usage
        on trace_classes.charge_date = pooled_usage.charge_date
        and trace_classes.usage_id = pooled_usage.usage_id
        and trace_classes.token_class = pooled_usage.token_class
    inner join fact_owners
        on pooled_usage.charge_date = fact_owners.charge_date
        and pooled_usage.pool_key = fact_owners.pool_key
        and pooled_usage.owner_id = fact_owners.log_owner_id
    group by
        trace_classes.charge_date,
        pooled_usage.pool_key,
        fact_owners.owner_id,
        coalesce(pooled_usage.from_zone, chr(30)),
        coalesce(pooled_usage.to_zone, chr(30)),
        trace_classes.trace_id
),

pool_shares as (
    select
        pool_tokens.*,
        cast(
            sum(pool_tokens.tokens) over (
                partition by
                    pool_tokens.charge_date,
                    pool_tokens.pool_key,
                    pool_tokens.owner_id,
                    pool_tokens.from_zone_key,
                    pool_tokens.to_zone_key
                order by pool_tokens.trace_id
                rows between unbounded preceding and current row
            ) as decimal(15, 0)
        ) as until_tokens,
        cast(
            sum(pool_tokens.tokens) over (
                partition by
                    pool_tokens.charge_date,
                    pool_tokens.pool_key,
                    pool_tokens.owner_id,
                    pool_tokens.from_zone_key,
                    pool_tokens.to_zone_key
            ) as decimal(15, 0)
        ) as total_tokens
    from pool_tokens
),

log_owner_tokens as (
    select
        trace_classes.charge_date,
        usage_costs.owner_id as log_owner_id,
        trace_classes.trace_id,
        sum(cast(trace_classes.tokens as decimal(38, 0))) as tokens
    from trace_classes
    inner join usage_costs
        on trace_classes.charge_date = usage_costs.charge_date
        and trace_classes.usage_id = usage_costs.usage_id
        and trace_classes.token_class = usage_costs.token_class
    group by trace_classes.charge_date, usage_costs.owner_id, trace_classes.trace_id
),

owner_pairs as (
    select
        usage_costs.charge_date,
        usage_costs.owner_id as log_owner_id,
        usage_costs.owner_id
    from usage_costs
    union
    select
        tagged.charge_date,
        tagged.log_owner_id,
        tagged.owner_id
    from tagged
),

owner_tokens as (
    select
        log_owner_tokens.charge_date,
        owner_pairs.owner_id,
        log_owner_tokens.trace_id,
        cast(sum(log_owner_tokens.tokens) as decimal(15, 0)) as tokens
    from log_owner_tokens
    inner join owner_pairs
        on log_owner_tokens.charge_date = owner_pairs.charge_date
        and log_owner_tokens.log_owner_id = owner_pairs.log_owner_id
    group by log_owner_tokens.charge_date, owner_pairs.owner_id, log_owner_tokens.trace_id
),

owner_shares as (
    select
        owner_tokens.*,
        cast(
            sum(owner_tokens.tokens) over (
                partition by owner_tokens.charge_date, owner_tokens.owner_id
                order by owner_tokens.trace_id
                rows between unbounded preceding and current row
            ) as decimal(15, 0)
        ) as until_tokens,
        cast(
            sum(owner_tokens.tokens) over (
                partition by owner_tokens.charge_date, owner_tokens.owner_id
            ) as decimal(15, 0)
        ) as total_tokens
    from owner_tokens
),

matched as (
    select
        amounts.charge_date,
        amounts.cost_driver,
        amounts.amount,
        pool_shares.trace_id,
        pool_shares.tokens,
        pool_shares.until_tokens,
        pool_shares.total_tokens
    from amounts
    left join pool_shares
        on amounts.charge_date = pool_shares.charge_date
        and amounts.pool_key = pool_shares.pool_key
        and amounts.owner_id = pool_shares.owner_id
        and coalesce(amounts.from_zone, chr(30)) = pool_shares.from_zone_key
        and coalesce(amounts.to_zone, chr(30)) = pool_shares.to_zone_key
    where amounts.split_by = 'pool'
    union all
    select
        owner_amounts.charge_date,
        owner_amounts.cost_driver,
        owner_amounts.amount,
        owner_shares.trace_id,
        owner_shares.tokens,
        owner_shares.until_tokens,
        owner_shares.total_tokens
    from owner_amounts
    left join owner_shares
        on owner_amounts.charge_date = owner_shares.charge_date
        and owner_amounts.owner_id = owner_shares.owner_id
    union all
    select
        amounts.charge_date,
        amounts.cost_driver,
        amounts.amount,
        cast(null as varchar) as trace_id,
        cast(null as decimal(15, 0)) as tokens,
        cast(null as decimal(15, 0)) as until_tokens,
        cast(null as decimal(15, 0)) as total_tokens
    from amounts
    where amounts.split_by = 'none'
),

units as (
    select
        matched.*,
        cast(matched.until_tokens - matched.tokens as decimal(15, 0)) as before_tokens,
        cast(
            cast(matched.amount as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as amount_units
    from matched
),

split as (
    select
        units.charge_date,
        units.cost_driver,
        units.trace_id,
        case
            when units.trace_id is null then cast(units.amount_units as decimal(38, 0))
            else idiv(units.amount_units * units.until_tokens, units.total_tokens)
                - idiv(units.amount_units * units.before_tokens, units.total_tokens)
        end as part
    from units
)

select
    split.charge_date,
    coalesce(split.trace_id, chr(30)) as trace_key,
    split.trace_id,
    coalesce(split.cost_driver, 'other') as cost_driver,
    cast(
        cast(sum(split.part) as decimal(24, 0)) * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as effective_cost_reporting
from split
group by split.charge_date, split.trace_id, coalesce(split.cost_driver, 'other')
