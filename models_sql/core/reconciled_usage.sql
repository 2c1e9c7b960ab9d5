/*
description: >
    Why a bill of model usage differs from what the logs are worth, per day, provider, billing account, model and token
    class: billed, counted, logged, priced, and the difference split by cause. Per key the causes add up to billed less
    priced to the last digit; what none of them explains stands as its own row. docs/reconciliation.md says what each
    cause is told by, and in which order.
order_by: [charge_date, provider, billing_account_id, model, token_class, currency, cause]
materialized: table
partition_by: {column: charge_date, unit: day}
reads:
    core.reconciled_cells: {days_before: 2, days_after: 2}
columns:
    charge_date: null
    provider: null
    billing_account_id: null
    model: null
    token_class: null
    billed_quantity: null
    provider_quantity: null
    logged_quantity: null
    billed_cost: null
    priced_cost: null
    cause: null
    observable: null
    difference_cost: null
    difference_cost_absolute: null
    difference_quantity: null
    included_cost: null
    coverage_share: null
    currency: null
    cost_state: null
checks:
    - name: causes_add_up_to_the_difference
      severity: fail
      by: partition
      description: Billed less priced equals the sum of the causes, to the last digit, for every key.
      sql: >
        select charge_date, provider, billing_account_id, model, token_class, currency
        from core.reconciled_usage
        group by charge_date, provider, billing_account_id, model, token_class, currency
        having coalesce(max(billed_cost), 0) - coalesce(max(priced_cost), 0)
            <> coalesce(sum(difference_cost), 0)
            or min(billed_cost) <> max(billed_cost)
            or min(priced_cost) <> max(priced_cost)
    - name: causes_keep_the_billed_total
      severity: fail
      by: partition
      description: Every bill line of model usage, credit and tax is in the reconciliation once.
      sql: >
        select a.charge_date, a.total, b.total as cells_total
        from (select charge_date, sum(billed_cost) as total
              from (select charge_date, currency, max(billed_cost) as billed_cost
                    from core.reconciled_usage
                    group by charge_date, provider, billing_account_id, model, token_class, currency) as keys
              where currency = $reporting_currency
              group by charge_date) as a
        inner join (select charge_date, sum(billed_cost) as total, count(distinct billing_currency) as currencies,
                    min(billing_currency) as currency
              from core.cells
              where cost_state <> 'estimated'
                  and ((cost_driver = 'inference' and charge_category = 'Usage')
                      or charge_category in ('Tax', 'Credit', 'Adjustment'))
              group by charge_date) as b
            on a.charge_date = b.charge_date
        where b.currencies = 1 and b.currency = $reporting_currency and a.total <> b.total
*/
with

cells as (select * from core.reconciled_cells),

all_cells as (
    select *
    from core.cells
    where charge_date >= $start and charge_date < $end
        and (
            (cost_driver = 'inference' and charge_category = 'Usage')
            or charge_category in ('Tax', 'Credit', 'Adjustment')
        )
),

counts as (
    select *
    from core.provider_counts
    where charge_date >= $start and charge_date < $end
        and usage_kind = 'tokens'
        and model is not null
),

settings as (select * from reference.settings),

subunits as (select * from reference.currency_subunits),

beside as (
    select
        cells.*,
        lag(cells.charge_date) over (
            partition by
                cells.provider,
                cells.billing_account_id,
                cells.billing_currency,
                cells.model,
                cells.token_class,
                cells.service_tier
            order by cells.charge_date
        ) as earlier_date,
        lead(cells.charge_date) over (
            partition by
                cells.provider,
                cells.billing_account_id,
                cells.billing_currency,
                cells.model,
                cells.token_class,
                cells.service_tier
            order by cells.charge_date
        ) as later_date,
        lag(cells.open_quantity) over (
            partition by
                cells.provider,
                cells.billing_account_id,
                cells.billing_currency,
                cells.model,
                cells.token_class,
                cells.service_tier
            order by cells.charge_date
        ) as earlier_quantity,
        lead(cells.open_quantity) over (
            partition by
                cells.provider,
                cells.billing_account_id,
                cells.billing_currency,
                cells.model,
                cells.token_class,
                cells.service_tier
            order by cells.charge_date
        ) as later_quantity,
        lag(cells.is_open_beyond) over (
            partition by
                cells.provider,
                cells.billing_account_id,
                cells.billing_currency,
                cells.model,
                cells.token_class,
                cells.service_tier
            order by cells.charge_date
        ) as is_earlier_beyond,
        lead(cells.is_open_beyond) over (
            partition by
                cells.provider,
                cells.billing_account_id,
                cells.billing_currency,
                cells.model,
                cells.token_class,
                cells.service_tier
            order by cells.charge_date
        ) as is_later_beyond
    from cells
),

faced as (
    select
        beside.*,
        cast(abs(beside.open_quantity) as decimal(22, 0)) as open_size,
        date_diff('day', beside.earlier_date, beside.charge_date) = 1
        and (
            (beside.open_quantity < 0 and beside.earlier_quantity > 0)
            or (beside.open_quantity > 0 and beside.earlier_quantity < 0)
        )
        and (beside.is_open_beyond or beside.is_earlier_beyond) as is_against_earlier,
        date_diff('day', beside.charge_date, beside.later_date) = 1
        and (
            (beside.open_quantity < 0 and beside.later_quantity > 0)
            or (beside.open_quantity > 0 and beside.later_quantity < 0)
        )
        and (beside.is_open_beyond or beside.is_later_beyond) as is_against_later
    from beside
),

offered as (
    select
        faced.*,
        cast(
            case
                when faced.is_against_earlier and faced.is_against_later then idiv(faced.open_size, 2)
                when faced.is_against_earlier then faced.open_size
                else 0
            end as decimal(22, 0)
        ) as offered_earlier,
        cast(
            case
                when faced.is_against_earlier and faced.is_against_later
                    then faced.open_size - idiv(faced.open_size, 2)
                when faced.is_against_later then faced.open_size
                else 0
            end as decimal(22, 0)
        ) as offered_later
    from faced
),

answered as (
    select
        offered.*,
        lag(offered.offered_later) over (
            partition by
                offered.provider,
                offered.billing_account_id,
                offered.billing_currency,
                offered.model,
                offered.token_class,
                offered.service_tier
            order by offered.charge_date
        ) as answer_earlier,
        lead(offered.offered_earlier) over (
            partition by
                offered.provider,
                offered.billing_account_id,
                offered.billing_currency,
                offered.model,
                offered.token_class,
                offered.service_tier
            order by offered.charge_date
        ) as answer_later
    from offered
),

timed as (
    select
        answered.*,
        cast(
            case when answered.open_quantity < 0 then -1 else 1 end * (
                case
                    when answered.is_against_earlier
                        then least(answered.offered_earlier, coalesce(answered.answer_earlier, 0))
                    else 0
                end
                + case
                    when answered.is_against_later
                        then least(answered.offered_later, coalesce(answered.answer_later, 0))
                    else 0
                end
            ) as decimal(16, 0)
        ) as timing_quantity
    from answered
    where answered.charge_date >= $start and answered.charge_date < $end
),

/* Money in 1e-12; what a vendor's own exchange rate makes of it is taken off first. */
scaled as (
    select
        timed.charge_date,
        timed.provider,
        timed.billing_account_id,
        timed.billing_currency,
        timed.model,
        timed.token_class,
        timed.service_tier,
        timed.currency,
        timed.cost_state,
        timed.is_billed,
        timed.cells,
        timed.billed_quantity,
        timed.provider_quantity,
        timed.coverage_share,
        timed.billed_cost,
        timed.priced_cost,
        timed.bypass_observable,
        timed.timing_quantity,
        cast(timed.whole_quantity as decimal(16, 0)) as whole_quantity,
        cast(timed.logged_quantity as decimal(16, 0)) as logged_quantity,
        cast(timed.unpriced_quantity as decimal(16, 0)) as unpriced_quantity,
        cast(timed.failed_quantity as decimal(16, 0)) as failed_quantity,
        cast(timed.retried_quantity as decimal(16, 0)) as retried_quantity,
        cast(timed.bypass_quantity as decimal(16, 0)) as bypass_quantity,
        cast(timed.tier_quantity as decimal(16, 0)) as tier_quantity,
        cast(timed.class_quantity as decimal(16, 0)) as class_quantity,
        cast(timed.open_quantity - timed.timing_quantity as decimal(16, 0)) as rest_quantity,
        cast(
            cast(coalesce(timed.billed_cost, 0) as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as billed_units,
        cast(
            cast(coalesce(timed.effective_cost, 0) as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as effective_units,
        cast(
            cast(coalesce(timed.list_cost, timed.effective_cost, 0) as decimal(24, 12))
            * cast(1000000000000 as decimal(13, 0)) as decimal(22, 0)
        ) as list_units,
        cast(
            cast(coalesce(timed.fx_cost, 0) as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as fx_units,
        cast(
            cast(coalesce(timed.priced_cost, 0) as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as priced_units
    from timed
),

converted as (
    select
        scaled.*,
        cast(scaled.effective_units - scaled.fx_units as decimal(22, 0)) as paid_units,
        cast(
            case
                when scaled.fx_units = 0 or scaled.effective_units = 0 then scaled.list_units
                when scaled.list_units = scaled.effective_units then scaled.effective_units - scaled.fx_units
                else idiv(
                        scaled.list_units * cast(
                            idiv(
                                (scaled.effective_units - scaled.fx_units)
                                * cast(1000000000000 as decimal(13, 0)),
                                scaled.effective_units
                            ) as decimal(15, 0)
                        ),
                        1000000000000
                    )
            end as decimal(22, 0)
        ) as listed_units,
        cast(
            scaled.bypass_quantity + scaled.tier_quantity + scaled.class_quantity + scaled.timing_quantity
            as decimal(16, 0)
        ) as told_quantity,
        cast(scaled.whole_quantity - scaled.logged_quantity as decimal(16, 0)) as missing_quantity
    from scaled
),

/* Quantities are worth the rate that their own cell is billed at, and list price where the bill does not name it. */
valued as (
    select
        converted.*,
        case
            when converted.is_billed then converted.paid_units
            else converted.priced_units
        end as rated_units,
        case
            when converted.is_billed and converted.whole_quantity > 0 then converted.whole_quantity
            when not converted.is_billed and converted.logged_quantity > 0 then converted.logged_quantity
        end as rated_quantity
    from converted
),

quantified as (
    select
        valued.*,
        cast(
            coalesce(idiv(valued.rated_units * valued.bypass_quantity, valued.rated_quantity), 0)
            as decimal(22, 0)
        ) as bypass_until,
        cast(
            coalesce(
                idiv(
                    valued.rated_units
                    * cast(valued.bypass_quantity + valued.tier_quantity as decimal(16, 0)),
                    valued.rated_quantity
                ),
                0
            ) as decimal(22, 0)
        ) as tier_until,
        cast(
            coalesce(
                idiv(
                    valued.rated_units
                    * cast(
                        valued.bypass_quantity + valued.tier_quantity + valued.class_quantity
                        as decimal(16, 0)
                    ),
                    valued.rated_quantity
                ),
                0
            ) as decimal(22, 0)
        ) as class_until,
        cast(
            coalesce(idiv(valued.rated_units * valued.told_quantity, valued.rated_quantity), 0)
            as decimal(22, 0)
        ) as timing_until,
        cast(
            case
                when valued.rated_quantity is not null
                    then idiv(valued.rated_units * valued.missing_quantity, valued.rated_quantity)
                when valued.is_billed and valued.logged_quantity = 0 then valued.paid_units
                else 0
            end as decimal(22, 0)
        ) as rest_until,
        cast(
            case
                when not valued.is_billed then 0
                when valued.rated_quantity is not null
                    then valued.listed_units
                    - idiv(valued.listed_units * valued.missing_quantity, valued.rated_quantity)
                when valued.logged_quantity = 0 then 0
                else valued.listed_units
            end as decimal(22, 0)
        ) as stated_list_units
    from valued
),

logged as (
    select
        quantified.*,
        cast(
            case when quantified.is_billed then quantified.paid_units - quantified.rest_until else 0 end
            as decimal(22, 0)
        ) as logged_units
    from quantified
),

/* Bills that state no list price of their own: what all models of an account pay alike of ours is a discount. */
comparable as (
    select
        logged.charge_date,
        logged.provider,
        logged.billing_account_id,
        logged.billing_currency,
        logged.model,
        cast(sum(logged.priced_units) as decimal(22, 0)) as priced_units,
        cast(sum(logged.logged_units) as decimal(22, 0)) as logged_units,
        cast(
            idiv(
                cast(sum(logged.logged_units) as decimal(22, 0)) * cast(1000000000 as decimal(10, 0)),
                sum(logged.priced_units)
            ) as decimal(22, 0)
        ) as paid_ratio,
        sum(
            case
                when idiv(logged.billed_units, 10000000000) * 10000000000 = logged.billed_units
                    then logged.cells * 5000000000
                else 0
            end
        ) as slack_units
    from logged
    where logged.is_billed
        and logged.rated_quantity is not null
        and logged.unpriced_quantity = 0
        and logged.priced_units > 0
        and logged.logged_units > 0
    group by
        logged.charge_date,
        logged.provider,
        logged.billing_account_id,
        logged.billing_currency,
        logged.model
),

stated_lists as (
    select
        logged.charge_date,
        logged.provider,
        logged.billing_account_id,
        logged.billing_currency
    from logged
    where logged.list_units <> logged.effective_units
    group by logged.charge_date, logged.provider, logged.billing_account_id, logged.billing_currency
),

ranked as (
    select
        comparable.*,
        sum(comparable.priced_units) over (
            partition by
                comparable.charge_date,
                comparable.provider,
                comparable.billing_account_id,
                comparable.billing_currency
            order by comparable.paid_ratio, comparable.model
            rows between unbounded preceding and current row
        ) as until_units,
        sum(comparable.priced_units) over (
            partition by
                comparable.charge_date,
                comparable.provider,
                comparable.billing_account_id,
                comparable.billing_currency
        ) as total_units
    from comparable
),

medians as (
    select
        ranked.charge_date,
        ranked.provider,
        ranked.billing_account_id,
        ranked.billing_currency,
        min(case when 2 * ranked.until_units >= ranked.total_units then ranked.paid_ratio end) as paid_ratio
    from ranked
    group by ranked.charge_date, ranked.provider, ranked.billing_account_id, ranked.billing_currency
),

common_ratios as (
    select
        ranked.charge_date,
        ranked.provider,
        ranked.billing_account_id,
        ranked.billing_currency,
        medians.paid_ratio
    from ranked
    inner join medians
        on ranked.charge_date = medians.charge_date
        and ranked.provider = medians.provider
        and coalesce(ranked.billing_account_id, chr(30)) = coalesce(medians.billing_account_id, chr(30))
        and ranked.billing_currency = medians.billing_currency
        and abs(
            ranked.logged_units
            - idiv(ranked.priced_units * cast(medians.paid_ratio as decimal(10, 0)), 1000000000)
        ) <= idiv(ranked.priced_units, 200) + ranked.slack_units
    left join stated_lists
        on ranked.charge_date = stated_lists.charge_date
        and ranked.provider = stated_lists.provider
        and coalesce(ranked.billing_account_id, chr(30)) = coalesce(stated_lists.billing_account_id, chr(30))
        and ranked.billing_currency = stated_lists.billing_currency
    where stated_lists.provider is null
        and medians.paid_ratio between 200000000 and 997500000
    group by
        ranked.charge_date,
        ranked.provider,
        ranked.billing_account_id,
        ranked.billing_currency,
        ranked.total_units,
        medians.paid_ratio
    having count(distinct ranked.model) > 1 and 2 * sum(ranked.priced_units) > ranked.total_units
),

listed as (
    select
        logged.*,
        common_ratios.paid_ratio,
        cast(
            case
                when common_ratios.paid_ratio is not null and logged.is_billed
                    then idiv(
                        logged.logged_units * cast(1000000000 as decimal(10, 0)), common_ratios.paid_ratio
                    )
                else logged.stated_list_units
            end as decimal(22, 0)
        ) as compared_list_units
    from logged
    left join common_ratios
        on logged.charge_date = common_ratios.charge_date
        and logged.provider = common_ratios.provider
        and coalesce(logged.billing_account_id, chr(30)) = coalesce(common_ratios.billing_account_id, chr(30))
        and logged.billing_currency = common_ratios.billing_currency
),

unpriced as (
    select
        listed.*,
        cast(
            case
                when not listed.is_billed or listed.logged_quantity = 0 then 0
                when listed.priced_cost is null then listed.logged_units
                else idiv(listed.logged_units * listed.unpriced_quantity, listed.logged_quantity)
            end as decimal(22, 0)
        ) as unpriced_units,
        cast(
            case
                when not listed.is_billed or listed.logged_quantity = 0 or listed.priced_cost is null then 0
                else
                    listed.compared_list_units
                    - idiv(listed.compared_list_units * listed.unpriced_quantity, listed.logged_quantity)
            end as decimal(22, 0)
        ) as priced_list_units
    from listed
),

explained as (
    select
        unpriced.*,
        case
            when not unpriced.is_billed or unpriced.logged_quantity = 0 or unpriced.priced_cost is null then 0
            else unpriced.logged_units - unpriced.unpriced_units - unpriced.priced_list_units
        end as discount_units,
        case
            when not unpriced.is_billed or unpriced.logged_quantity = 0 or unpriced.priced_cost is null then 0
            else unpriced.priced_list_units - unpriced.priced_units
        end as price_units,
        case
            when unpriced.rest_quantity is null then unpriced.logged_quantity = 0
            else cast(abs(unpriced.rest_quantity) as decimal(22, 0)) * 1000000
                > cast(greatest(unpriced.whole_quantity, unpriced.logged_quantity) as decimal(22, 0))
                * cast(settings.coverage_epsilon_ppm as decimal(7, 0))
        end as is_rest_beyond,
        abs(unpriced.priced_list_units - unpriced.priced_units) * 1000000
        <= abs(unpriced.priced_list_units) * cast(settings.coverage_epsilon_ppm as decimal(7, 0))
        or (
            idiv(unpriced.billed_units, coalesce(own.subunit_units, usual.subunit_units))
            * coalesce(own.subunit_units, usual.subunit_units) = unpriced.billed_units
            and 2 * abs(unpriced.priced_list_units - unpriced.priced_units)
            <= unpriced.cells * coalesce(own.subunit_units, usual.subunit_units)
        ) as is_price_within
    from unpriced
    cross join settings
    left join subunits as own on unpriced.billing_currency = own.currency
    left join subunits as usual on usual.currency = '*'
),

causes as (
    select 'bypass' as cause
    union all
    select 'tier' as cause
    union all
    select 'cache_class' as cause
    union all
    select 'timing' as cause
    union all
    select 'rest' as cause
    union all
    select 'price' as cause
    union all
    select 'discount' as cause
    union all
    select 'not_priced' as cause
    union all
    select 'fx' as cause
    union all
    select 'commitment' as cause
    union all
    select 'retries' as cause
    union all
    select 'failed_attempts' as cause
    union all
    select 'unexplained' as cause
),

cell_parts as (
    select
        explained.charge_date,
        explained.provider,
        explained.billing_account_id,
        explained.model,
        explained.token_class,
        explained.currency,
        case
            when causes.cause = 'rest' and not explained.is_rest_beyond then 'rounding'
            when causes.cause = 'rest' and coalesce(explained.rest_quantity, 1) > 0 then 'unlogged'
            when causes.cause = 'rest' and not explained.is_billed then 'logged_without_bill'
            when causes.cause = 'rest' and explained.cost_state = 'estimated' then 'timing'
            when causes.cause = 'rest' then 'over_logged'
            when causes.cause = 'price' and explained.is_price_within then 'rounding'
            when causes.cause = 'price' and explained.rated_quantity is null then 'unexplained'
            when causes.cause = 'price' then 'price_version'
            else causes.cause
        end as cause,
        case
            when causes.cause = 'bypass' then explained.bypass_observable
            when causes.cause = 'tier' then 'service_tier'
            when causes.cause = 'cache_class' then 'token_class'
            when causes.cause = 'timing' then 'neighbouring_day'
            when causes.cause = 'rest' and not explained.is_rest_beyond then 'tolerance'
            when causes.cause = 'rest' and explained.is_billed and explained.rest_quantity < 0
                and explained.cost_state = 'estimated'
                then 'open_bill'
            when causes.cause = 'rest' then 'quantity'
            when causes.cause = 'price' and explained.is_price_within then 'tolerance'
            when causes.cause = 'price' and explained.rated_quantity is null then 'none'
            when causes.cause = 'price' then 'unit_price'
            when causes.cause = 'discount' and explained.paid_ratio is not null then 'common_ratio'
            when causes.cause = 'discount' then 'list_price_of_bill'
            when causes.cause = 'not_priced' then 'price_book'
            when causes.cause = 'fx' then 'pricing_currency'
            when causes.cause = 'commitment' then 'effective_cost'
            when causes.cause = 'retries' then 'attempt_number'
            when causes.cause = 'failed_attempts' then 'status'
            else 'none'
        end as observable,
        case causes.cause
            when 'bypass' then explained.bypass_quantity
            when 'tier' then explained.tier_quantity
            when 'cache_class' then explained.class_quantity
            when 'timing' then explained.timing_quantity
            when 'rest' then explained.rest_quantity
        end as difference_quantity,
        case causes.cause
            when 'bypass' then explained.bypass_until
            when 'tier' then explained.tier_until - explained.bypass_until
            when 'cache_class' then explained.class_until - explained.tier_until
            when 'timing' then explained.timing_until - explained.class_until
            when 'rest' then explained.rest_until - explained.timing_until
            when 'price' then explained.price_units
            when 'discount' then explained.discount_units
            when 'not_priced' then explained.unpriced_units
            when 'fx' then case when explained.is_billed then explained.fx_units else 0 end
            when 'commitment'
                then case
                    when explained.is_billed then explained.billed_units - explained.effective_units
                    else 0
                end
            else 0
        end as difference_units,
        case
            when causes.cause in ('retries', 'failed_attempts') and explained.logged_quantity > 0
                then idiv(
                    case when explained.is_billed then explained.logged_units else explained.priced_units end
                    * case
                        when causes.cause = 'retries' then explained.retried_quantity
                        else explained.failed_quantity
                    end,
                    explained.logged_quantity
                )
        end as included_units
    from explained
    cross join causes
    where explained.is_billed or causes.cause <> 'unexplained'
),

/* What is not sold by the token class: credits and tax of the same bills, hours, searches, lines that mix classes. */
other_cells as (
    select
        all_cells.charge_date,
        all_cells.provider,
        all_cells.billing_account_id,
        case when all_cells.charge_category = 'Usage' then all_cells.model end as model,
        all_cells.billing_currency as currency,
        case
            when all_cells.charge_category = 'Tax' then 'tax'
            when all_cells.charge_category <> 'Usage' then 'credits'
            when all_cells.method_id = 'capacity_seconds' then 'capacity'
            when all_cells.method_id = 'list_cost' then 'mixed_classes'
            else 'other_units'
        end as cause,
        cast(
            cast(coalesce(all_cells.billed_cost, 0) as decimal(24, 12))
            * cast(1000000000000 as decimal(13, 0)) as decimal(22, 0)
        ) as billed_units,
        all_cells.cost_state
    from all_cells
    where all_cells.cost_state <> 'estimated'
        and (
            all_cells.charge_category <> 'Usage'
            or all_cells.model is null
            or all_cells.token_class is null
        )
),

mixed_models as (
    select
        other_cells.charge_date,
        other_cells.provider,
        other_cells.model
    from other_cells
    where other_cells.cause = 'mixed_classes'
    group by other_cells.charge_date, other_cells.provider, other_cells.model
),

parts as (
    select
        cell_parts.charge_date,
        cell_parts.provider,
        cell_parts.billing_account_id,
        cell_parts.model,
        cell_parts.token_class,
        cell_parts.currency,
        case
            when cell_parts.cause = 'logged_without_bill' and mixed_models.charge_date is not null
                then 'mixed_classes'
            else cell_parts.cause
        end as cause,
        cell_parts.observable,
        cell_parts.difference_quantity,
        cell_parts.difference_units,
        cell_parts.included_units
    from cell_parts
    left join mixed_models
        on cell_parts.charge_date = mixed_models.charge_date
        and cell_parts.provider = mixed_models.provider
        and cell_parts.model = mixed_models.model
    where cell_parts.cause = 'unexplained'
        or cell_parts.difference_units <> 0
        or cell_parts.difference_quantity <> 0
        or cell_parts.included_units <> 0
    union all
    select
        other_cells.charge_date,
        other_cells.provider,
        other_cells.billing_account_id,
        other_cells.model,
        cast(null as varchar) as token_class,
        other_cells.currency,
        other_cells.cause,
        'charge' as observable,
        cast(null as decimal(16, 0)) as difference_quantity,
        other_cells.billed_units as difference_units,
        cast(null as decimal(22, 0)) as included_units
    from other_cells
),

summed as (
    select
        parts.charge_date,
        parts.provider,
        parts.billing_account_id,
        parts.model,
        parts.token_class,
        parts.currency,
        parts.cause,
        max(parts.observable) as observable,
        sum(parts.difference_quantity) as difference_quantity,
        sum(parts.difference_units) as difference_units,
        sum(abs(parts.difference_units)) as absolute_units,
        sum(parts.included_units) as included_units
    from parts
    group by
        parts.charge_date,
        parts.provider,
        parts.billing_account_id,
        parts.model,
        parts.token_class,
        parts.currency,
        parts.cause
),

key_sums as (
    select
        scaled.charge_date,
        scaled.provider,
        scaled.billing_account_id,
        scaled.model,
        scaled.token_class,
        scaled.currency,
        sum(scaled.billed_quantity) as billed_quantity,
        sum(scaled.provider_quantity) as provider_quantity,
        sum(scaled.logged_quantity) as logged_quantity,
        sum(scaled.billed_cost) as billed_cost,
        sum(scaled.priced_cost) as priced_cost,
        min(scaled.coverage_share) as coverage_share,
        min(scaled.cost_state) as first_state,
        max(scaled.cost_state) as last_state
    from scaled
    group by
        scaled.charge_date,
        scaled.provider,
        scaled.billing_account_id,
        scaled.model,
        scaled.token_class,
        scaled.currency
    union all
    select
        other_cells.charge_date,
        other_cells.provider,
        other_cells.billing_account_id,
        other_cells.model,
        cast(null as varchar) as token_class,
        other_cells.currency,
        cast(null as decimal(38, 12)) as billed_quantity,
        cast(null as decimal(38, 12)) as provider_quantity,
        cast(null as decimal(38, 12)) as logged_quantity,
        cast(
            cast(sum(other_cells.billed_units) as decimal(24, 0)) * cast(0.000000000001 as decimal(13, 12))
            as decimal(38, 12)
        ) as billed_cost,
        cast(null as decimal(38, 12)) as priced_cost,
        cast(null as decimal(18, 12)) as coverage_share,
        min(other_cells.cost_state) as first_state,
        max(other_cells.cost_state) as last_state
    from other_cells
    group by
        other_cells.charge_date,
        other_cells.provider,
        other_cells.billing_account_id,
        other_cells.model,
        other_cells.currency
),

met_classes as (
    select
        scaled.charge_date,
        scaled.provider,
        scaled.model,
        scaled.token_class
    from scaled
    group by scaled.charge_date, scaled.provider, scaled.model, scaled.token_class
),

counted as (
    select
        counts.charge_date,
        counts.provider,
        counts.model,
        counts.token_class,
        sum(counts.quantity) as provider_quantity
    from counts
    group by counts.charge_date, counts.provider, counts.model, counts.token_class
)

select
    summed.charge_date,
    summed.provider,
    summed.billing_account_id,
    summed.model,
    summed.token_class,
    cast(key_sums.billed_quantity as decimal(38, 12)) as billed_quantity,
    cast(key_sums.provider_quantity as decimal(38, 12)) as provider_quantity,
    cast(key_sums.logged_quantity as decimal(38, 12)) as logged_quantity,
    cast(key_sums.billed_cost as decimal(38, 12)) as billed_cost,
    cast(key_sums.priced_cost as decimal(38, 12)) as priced_cost,
    summed.cause,
    summed.observable,
    cast(
        cast(summed.difference_units as decimal(24, 0)) * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as difference_cost,
    cast(
        cast(summed.absolute_units as decimal(24, 0)) * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as difference_cost_absolute,
    cast(summed.difference_quantity as decimal(38, 12)) as difference_quantity,
    cast(
        cast(summed.included_units as decimal(24, 0)) * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as included_cost,
    key_sums.coverage_share,
    summed.currency,
    case
        when key_sums.first_state = 'estimated' or key_sums.last_state = 'estimated' then 'estimated'
        when key_sums.first_state = 'final' and key_sums.last_state = 'final' then 'final'
        else 'provisional'
    end as cost_state
from summed
inner join key_sums
    on summed.charge_date = key_sums.charge_date
    and coalesce(summed.provider, chr(30)) = coalesce(key_sums.provider, chr(30))
    and coalesce(summed.billing_account_id, chr(30)) = coalesce(key_sums.billing_account_id, chr(30))
    and coalesce(summed.model, chr(30)) = coalesce(key_sums.model, chr(30))
    and coalesce(summed.token_class, chr(30)) = coalesce(key_sums.token_class, chr(30))
    and summed.currency = key_sums.currency
union all
select
    counted.charge_date,
    counted.provider,
    cast(null as varchar) as billing_account_id,
    counted.model,
    counted.token_class,
    cast(null as decimal(38, 12)) as billed_quantity,
    cast(counted.provider_quantity as decimal(38, 12)) as provider_quantity,
    cast(null as decimal(38, 12)) as logged_quantity,
    cast(null as decimal(38, 12)) as billed_cost,
    cast(null as decimal(38, 12)) as priced_cost,
    'counted_without_bill' as cause,
    'provider_count' as observable,
    cast(null as decimal(38, 12)) as difference_cost,
    cast(null as decimal(38, 12)) as difference_cost_absolute,
    cast(-counted.provider_quantity as decimal(38, 12)) as difference_quantity,
    cast(null as decimal(38, 12)) as included_cost,
    cast(null as decimal(18, 12)) as coverage_share,
    $reporting_currency as currency,
    'provisional' as cost_state
from counted
left join met_classes
    on counted.charge_date = met_classes.charge_date
    and counted.provider = met_classes.provider
    and counted.model = met_classes.model
    and counted.token_class = met_classes.token_class
where met_classes.provider is null
