/*
description: >
    The fact's rows split exactly over the root actions that caused them and the steps of these, in the reporting currency, each
    by the use that its method goes by: tokens, list price, searches or requests of the cell's pool, tokens of the
    models that a capacity served, bytes between the same zones. What has no such use is split by the owner's tokens. Fact
    rows whose owner has no trace that day stand with a null trace.
grain: [charge_date, trace_key, step_key, is_retry, cost_driver]
materialized: table
partition_by: {column: charge_date, unit: day}
columns:
    charge_date: null
    trace_key: null
    trace_id: null
    step_key: null
    step_id: null
    is_retry: null
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

capacity as (
    select *
    from core.capacity_weights
    where charge_date >= $start and charge_date < $end
        and residual_reason is null
),

tagged as (
    select *
    from core.tagged_owners
    where charge_date >= $start and charge_date < $end
),

settings as (select * from reference.settings),

/* How each cell is split over traces. A follower of other cost and a whole line go by the owner's tokens. */
cell_splits as (
    select
        cells.charge_date,
        cells.cell_id,
        coalesce(cells.cost_driver, 'other') as cost_driver,
        cells.pool_key,
        case
            when cells.charge_category = 'Tax' then 'none'
            when cells.method_id in ('tokens', 'list_price', 'cached_tokens') then 'tokens'
            when cells.method_id in ('list_cost', 'tool_uses', 'requests', 'capacity_seconds', 'bytes')
                then cells.method_id
            else 'owner'
        end as split_by
    from cells
),

amounts as (
    select
        facts.charge_date,
        facts.owner_id,
        cell_splits.cost_driver,
        case
            when facts.residual_reason is not null and facts.residual_reason <> 'unpriced' then 'none'
            else cell_splits.split_by
        end as split_by,
        case
            when cell_splits.split_by in ('none', 'owner', 'bytes') then chr(30)
            else cell_splits.pool_key
        end as split_key,
        case
            when cell_splits.split_by in ('none', 'owner', 'capacity_seconds') then chr(30)
            else coalesce(facts.from_zone, chr(30))
        end as from_zone_key,
        case
            when cell_splits.split_by in ('none', 'owner', 'capacity_seconds') then chr(30)
            else coalesce(facts.to_zone, chr(30))
        end as to_zone_key,
        sum(facts.effective_cost_reporting) as amount
    from facts
    inner join cell_splits
        on facts.charge_date = cell_splits.charge_date
        and facts.cell_id = cell_splits.cell_id
    group by
        facts.charge_date,
        facts.owner_id,
        cell_splits.cost_driver,
        case
            when facts.residual_reason is not null and facts.residual_reason <> 'unpriced' then 'none'
            else cell_splits.split_by
        end,
        case
            when cell_splits.split_by in ('none', 'owner', 'bytes') then chr(30)
            else cell_splits.pool_key
        end,
        case
            when cell_splits.split_by in ('none', 'owner', 'capacity_seconds') then chr(30)
            else coalesce(facts.from_zone, chr(30))
        end,
        case
            when cell_splits.split_by in ('none', 'owner', 'capacity_seconds') then chr(30)
            else coalesce(facts.to_zone, chr(30))
        end
),

pool_splits as (
    select distinct
        cell_splits.charge_date,
        cell_splits.pool_key,
        cell_splits.split_by
    from cell_splits
    where cell_splits.split_by in ('tokens', 'list_cost', 'tool_uses', 'requests')
),

trace_classes as (
    select
        usage.charge_date,
        usage.usage_id,
        usage.trace_id,
        usage.step_id,
        usage.is_retry,
        'uncached_input_tokens' as token_class,
        usage.uncached_input_tokens as tokens
    from usage
    where usage.uncached_input_tokens > 0
    union all
    select
        usage.charge_date,
        usage.usage_id,
        usage.trace_id,
        usage.step_id,
        usage.is_retry,
        'cache_read_tokens' as token_class,
        usage.cache_read_tokens as tokens
    from usage
    where usage.cache_read_tokens > 0
    union all
    select
        usage.charge_date,
        usage.usage_id,
        usage.trace_id,
        usage.step_id,
        usage.is_retry,
        'cache_write_5m_tokens' as token_class,
        usage.cache_write_5m_tokens as tokens
    from usage
    where usage.cache_write_5m_tokens > 0
    union all
    select
        usage.charge_date,
        usage.usage_id,
        usage.trace_id,
        usage.step_id,
        usage.is_retry,
        'cache_write_1h_tokens' as token_class,
        usage.cache_write_1h_tokens as tokens
    from usage
    where usage.cache_write_1h_tokens > 0
    union all
    select
        usage.charge_date,
        usage.usage_id,
        usage.trace_id,
        usage.step_id,
        usage.is_retry,
        'output_tokens' as token_class,
        usage.output_tokens as tokens
    from usage
    where usage.output_tokens > 0
),

/* A call's part of its usage's list price, in 1e-9: as exact as a weight needs to be. */
class_uses as (
    select
        trace_classes.charge_date,
        pool_splits.split_by,
        pooled_usage.pool_key as split_key,
        pooled_usage.owner_id as log_owner_id,
        coalesce(pooled_usage.from_zone, chr(30)) as from_zone_key,
        coalesce(pooled_usage.to_zone, chr(30)) as to_zone_key,
        trace_classes.trace_id,
        trace_classes.step_id,
        trace_classes.is_retry,
        case
            when pool_splits.split_by = 'tokens' then cast(trace_classes.tokens as decimal(38, 0))
            else cast(
                    idiv(
                        cast(
                            cast(pooled_usage.list_cost as decimal(22, 12))
                            * cast(1000000000 as decimal(10, 0))
                            as decimal(20, 0)
                        ) * cast(trace_classes.tokens as decimal(18, 0)),
                        pooled_usage.quantity_tokens
                    ) as decimal(38, 0)
                )
        end as use_weight
    from trace_classes
    inner join pooled_usage
        on trace_classes.charge_date = pooled_usage.charge_date
        and trace_classes.usage_id = pooled_usage.usage_id
        and trace_classes.token_class = pooled_usage.token_class
    inner join pool_splits
        on pooled_usage.charge_date = pool_splits.charge_date
        and pooled_usage.pool_key = pool_splits.pool_key
        and pool_splits.split_by in ('tokens', 'list_cost')
),

/* Requests stand with one class of a usage only, so each is met once. */
request_uses as (
    select
        usage.charge_date,
        pool_splits.split_by,
        pooled_usage.pool_key as split_key,
        pooled_usage.owner_id as log_owner_id,
        coalesce(pooled_usage.from_zone, chr(30)) as from_zone_key,
        coalesce(pooled_usage.to_zone, chr(30)) as to_zone_key,
        usage.trace_id,
        usage.step_id,
        usage.is_retry,
        case
            when pool_splits.split_by = 'requests' then cast(usage.requests as decimal(38, 0))
            else cast(usage.web_searches as decimal(38, 0))
        end as use_weight
    from usage
    inner join pooled_usage
        on usage.charge_date = pooled_usage.charge_date
        and usage.usage_id = pooled_usage.usage_id
        and pooled_usage.requests > 0
    inner join pool_splits
        on pooled_usage.charge_date = pool_splits.charge_date
        and pooled_usage.pool_key = pool_splits.pool_key
        and pool_splits.split_by in ('tool_uses', 'requests')
),

served_models as (
    select distinct
        capacity.charge_date,
        capacity.pool_key,
        coalesce(capacity.logged_provider, chr(30)) as provider_key,
        coalesce(capacity.logged_model, chr(30)) as model_key
    from capacity
),

capacity_uses as (
    select
        usage.charge_date,
        'capacity_seconds' as split_by,
        served_models.pool_key as split_key,
        usage.owner_id as log_owner_id,
        chr(30) as from_zone_key,
        chr(30) as to_zone_key,
        usage.trace_id,
        usage.step_id,
        usage.is_retry,
        cast(
            usage.uncached_input_tokens + usage.cache_read_tokens + usage.cache_write_5m_tokens
            + usage.cache_write_1h_tokens + settings.output_token_weight * usage.output_tokens
            as decimal(38, 0)
        ) as use_weight
    from usage
    inner join served_models
        on usage.charge_date = served_models.charge_date
        and coalesce(usage.provider, chr(30)) = served_models.provider_key
        and coalesce(usage.model, chr(30)) = served_models.model_key
    cross join settings
),

/* A request goes from zone to zone, its response the other way. */
byte_uses as (
    select
        usage.charge_date,
        'bytes' as split_by,
        chr(30) as split_key,
        usage.owner_id as log_owner_id,
        usage.from_zone as from_zone_key,
        usage.to_zone as to_zone_key,
        usage.trace_id,
        usage.step_id,
        usage.is_retry,
        cast(usage.request_bytes as decimal(38, 0)) as use_weight
    from usage
    where usage.from_zone is not null and usage.to_zone is not null and usage.request_bytes > 0
    union all
    select
        usage.charge_date,
        'bytes' as split_by,
        chr(30) as split_key,
        usage.owner_id as log_owner_id,
        usage.to_zone as from_zone_key,
        usage.from_zone as to_zone_key,
        usage.trace_id,
        usage.step_id,
        usage.is_retry,
        cast(usage.response_bytes as decimal(38, 0)) as use_weight
    from usage
    where usage.from_zone is not null and usage.to_zone is not null and usage.response_bytes > 0
),

owner_uses as (
    select
        usage.charge_date,
        'owner' as split_by,
        chr(30) as split_key,
        usage.owner_id as log_owner_id,
        chr(30) as from_zone_key,
        chr(30) as to_zone_key,
        usage.trace_id,
        usage.step_id,
        usage.is_retry,
        cast(
            usage.uncached_input_tokens + usage.cache_read_tokens + usage.cache_write_5m_tokens
            + usage.cache_write_1h_tokens + usage.output_tokens as decimal(38, 0)
        ) as use_weight
    from usage
),

log_uses as (
    select * from class_uses
    union all
    select * from request_uses
    union all
    select * from capacity_uses
    union all
    select * from byte_uses
    union all
    select * from owner_uses
),

/* A bill's tags may call an owner of the logs otherwise: its use counts under either name. */
owner_names as (
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

uses as (
    select
        log_uses.charge_date,
        log_uses.split_by,
        log_uses.split_key,
        owner_names.owner_id,
        log_uses.from_zone_key,
        log_uses.to_zone_key,
        log_uses.trace_id,
        log_uses.step_id,
        log_uses.is_retry,
        cast(sum(log_uses.use_weight) as decimal(38, 0)) as use_weight
    from log_uses
    inner join owner_names
        on log_uses.charge_date = owner_names.charge_date
        and log_uses.log_owner_id = owner_names.log_owner_id
    where log_uses.use_weight > 0
    group by
        log_uses.charge_date,
        log_uses.split_by,
        log_uses.split_key,
        owner_names.owner_id,
        log_uses.from_zone_key,
        log_uses.to_zone_key,
        log_uses.trace_id,
        log_uses.step_id,
        log_uses.is_retry
),

use_totals as (
    select
        uses.charge_date,
        uses.split_by,
        uses.split_key,
        uses.owner_id,
        uses.from_zone_key,
        uses.to_zone_key,
        cast(sum(uses.use_weight) as decimal(38, 0)) as total_weight,
        cast(count(*) as decimal(15, 0)) as total_rows
    from uses
    group by
        uses.charge_date,
        uses.split_by,
        uses.split_key,
        uses.owner_id,
        uses.from_zone_key,
        uses.to_zone_key
),

/* Where nothing of what a method goes by is known of the owner's traces, its tokens decide; else nobody. */
owed as (
    select
        amounts.charge_date,
        amounts.owner_id,
        amounts.cost_driver,
        amounts.amount,
        case
            when amounts.split_by = 'none' then 'none'
            when use_totals.total_weight is null then 'owner'
            else amounts.split_by
        end as split_by,
        case when use_totals.total_weight is null then chr(30) else amounts.split_key end as split_key,
        case when use_totals.total_weight is null then chr(30) else amounts.from_zone_key end
            as from_zone_key,
        case when use_totals.total_weight is null then chr(30) else amounts.to_zone_key end as to_zone_key
    from amounts
    left join use_totals
        on amounts.charge_date = use_totals.charge_date
        and amounts.split_by = use_totals.split_by
        and amounts.split_key = use_totals.split_key
        and amounts.owner_id = use_totals.owner_id
        and amounts.from_zone_key = use_totals.from_zone_key
        and amounts.to_zone_key = use_totals.to_zone_key
),

summed as (
    select
        owed.charge_date,
        owed.owner_id,
        owed.cost_driver,
        owed.split_by,
        owed.split_key,
        owed.from_zone_key,
        owed.to_zone_key,
        cast(
            cast(sum(owed.amount) as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as amount_units
    from owed
    group by
        owed.charge_date,
        owed.owner_id,
        owed.cost_driver,
        owed.split_by,
        owed.split_key,
        owed.from_zone_key,
        owed.to_zone_key
),

scaled as (
    select
        uses.charge_date,
        uses.split_by,
        uses.split_key,
        uses.owner_id,
        uses.from_zone_key,
        uses.to_zone_key,
        uses.trace_id,
        uses.step_id,
        uses.is_retry,
        cast(
            case
                when use_totals.total_weight < 1000000000000000 then uses.use_weight
                else
                    greatest(
                        1,
                        idiv(
                            cast(uses.use_weight as decimal(22, 0))
                            * cast(999999999999999 - use_totals.total_rows as decimal(15, 0)),
                            use_totals.total_weight
                        )
                    )
            end as decimal(15, 0)
        ) as weight
    from uses
    inner join use_totals
        on uses.charge_date = use_totals.charge_date
        and uses.split_by = use_totals.split_by
        and uses.split_key = use_totals.split_key
        and uses.owner_id = use_totals.owner_id
        and uses.from_zone_key = use_totals.from_zone_key
        and uses.to_zone_key = use_totals.to_zone_key
),

shares as (
    select
        scaled.*,
        cast(
            sum(scaled.weight) over (
                partition by
                    scaled.charge_date,
                    scaled.split_by,
                    scaled.split_key,
                    scaled.owner_id,
                    scaled.from_zone_key,
                    scaled.to_zone_key
                order by scaled.trace_id, scaled.step_id, scaled.is_retry
                rows between unbounded preceding and current row
            ) as decimal(15, 0)
        ) as until_weight,
        cast(
            sum(scaled.weight) over (
                partition by
                    scaled.charge_date,
                    scaled.split_by,
                    scaled.split_key,
                    scaled.owner_id,
                    scaled.from_zone_key,
                    scaled.to_zone_key
            ) as decimal(15, 0)
        ) as total_weight
    from scaled
),

matched as (
    select
        summed.charge_date,
        summed.cost_driver,
        summed.amount_units,
        shares.trace_id,
        shares.step_id,
        shares.is_retry,
        shares.until_weight,
        cast(shares.until_weight - shares.weight as decimal(15, 0)) as before_weight,
        shares.total_weight
    from summed
    left join shares
        on summed.charge_date = shares.charge_date
        and summed.split_by = shares.split_by
        and summed.split_key = shares.split_key
        and summed.owner_id = shares.owner_id
        and summed.from_zone_key = shares.from_zone_key
        and summed.to_zone_key = shares.to_zone_key
),

split as (
    select
        matched.charge_date,
        matched.cost_driver,
        matched.trace_id,
        matched.step_id,
        coalesce(matched.is_retry, false) as is_retry,
        case
            when matched.total_weight is null then cast(matched.amount_units as decimal(38, 0))
            else idiv(matched.amount_units * matched.until_weight, matched.total_weight)
                - idiv(matched.amount_units * matched.before_weight, matched.total_weight)
        end as part
    from matched
)

select
    split.charge_date,
    coalesce(split.trace_id, chr(30)) as trace_key,
    split.trace_id,
    coalesce(split.step_id, chr(30)) as step_key,
    split.step_id,
    split.is_retry,
    split.cost_driver,
    cast(
        cast(sum(split.part) as decimal(24, 0)) * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as effective_cost_reporting
from split
group by split.charge_date, split.trace_id, split.step_id, split.is_retry, split.cost_driver
