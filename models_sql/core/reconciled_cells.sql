/*
description: >
    Billed against logged per day, provider, billing account, model, token class and tier, as far as one day can tell:
    what is billed, counted, logged and priced, and how much of the difference in tokens bypassed the logs, or stands
    under another tier or class there. core.reconciled_usage looks at the neighbouring days and puts money to it.
order_by: [charge_date, provider, billing_account_id, billing_currency, model, token_class, service_tier]
materialized: table
partition_by: {column: charge_date, unit: day}
reads:
    core.charge_origins: overlap
columns:
    charge_date: null
    provider: null
    billing_account_id: null
    billing_currency: null
    model: null
    token_class: null
    service_tier: null
    currency: what bill and list price are compared in; the reporting currency where the bill's is not that of the prices
    cost_state: estimated while the provider's bill of the day is not complete
    is_billed: null
    cells: null
    billed_quantity: null
    provider_quantity: null
    whole_quantity: null
    logged_quantity: null
    unpriced_quantity: null
    failed_quantity: null
    retried_quantity: null
    bypass_quantity: null
    bypass_observable: null
    tier_quantity: null
    class_quantity: null
    open_quantity: null
    is_open_beyond: null
    coverage_share: null
    billed_cost: null
    effective_cost: null
    list_cost: null
    fx_cost: null
    priced_cost: null
*/
with

cells as (
    select *
    from core.cells
    where charge_date >= $start and charge_date < $end
        and cost_driver = 'inference'
        and charge_category = 'Usage'
),

usage as (
    select *
    from core.usage_costs
    where charge_date >= $start and charge_date < $end
),

served as (
    select *
    from core.served_usage
    where charge_date >= $start and charge_date < $end
),

counts as (
    select *
    from core.provider_counts
    where charge_date >= $start and charge_date < $end
        and usage_kind = 'tokens'
        and model is not null
        and token_class is not null
),

keys as (
    select *
    from core.key_usage
    where charge_date >= $start and charge_date < $end
),

failures as (
    select *
    from core.failed_usage
    where charge_date >= $start and charge_date < $end
),

charge_cells as (
    select *
    from core.charge_cells
    where charge_date >= $start and charge_date < $end
),

origins as (select * from core.charge_origins),

logging_keys as (select * from reference.logging_keys),

declared_keys as (
    select count(*) as declared
    from logging_keys
    having count(*) > 0
),

settings as (select * from reference.settings),

open_days as (
    select
        cells.charge_date,
        cells.provider
    from cells
    where cells.cost_state = 'estimated'
    group by cells.charge_date, cells.provider
),

billed as (
    select
        cells.charge_date,
        cells.provider,
        cells.billing_account_id,
        cells.billing_currency,
        cells.model,
        cells.token_class,
        cells.service_tier,
        sum(cells.billed_quantity) as billed_quantity,
        sum(cells.billed_cost) as billed_cost,
        sum(cells.effective_cost) as effective_cost,
        sum(cells.list_cost) as list_cost,
        sum(cells.billed_cost_reporting) as billed_cost_reporting,
        sum(cells.effective_cost_reporting) as effective_cost_reporting,
        sum(cells.list_cost_reporting) as list_cost_reporting,
        min(cells.coverage_share) as coverage_share,
        max(cells.cost_state) as cost_state,
        count(*) as cells
    from cells
    where cells.cost_state <> 'estimated' and cells.model is not null and cells.token_class is not null
    group by
        cells.charge_date,
        cells.provider,
        cells.billing_account_id,
        cells.billing_currency,
        cells.model,
        cells.token_class,
        cells.service_tier
),

/* What a line cost in the currency of its prices, against the same at our rate; and which principal called. */
origin_parts as (
    select
        cells.charge_date,
        cells.provider,
        cells.billing_account_id,
        cells.billing_currency,
        cells.model,
        cells.token_class,
        cells.service_tier,
        origins.x_principal_id,
        coalesce(charge_cells.billed_quantity, 0) as billed_quantity,
        case
            when origins.pricing_currency = $reporting_currency
                and cells.billing_currency <> $reporting_currency
                and origins.pricing_currency_effective_cost is not null
                then charge_cells.effective_cost_reporting - cast(
                    cast(
                        idiv(
                            cast(
                                cast(origins.pricing_currency_effective_cost as decimal(24, 12))
                                * cast(1000000000000 as decimal(13, 0)) as decimal(22, 0)
                            ) * cast(charge_cells.until_day_weight as decimal(15, 0)),
                            charge_cells.all_days_weight
                        )
                        - idiv(
                            cast(
                                cast(origins.pricing_currency_effective_cost as decimal(24, 12))
                                * cast(1000000000000 as decimal(13, 0)) as decimal(22, 0)
                            ) * cast(charge_cells.before_day_weight as decimal(15, 0)),
                            charge_cells.all_days_weight
                        ) as decimal(24, 0)
                    ) * cast(0.000000000001 as decimal(13, 12)) as decimal(38, 12)
                )
        end as fx_cost
    from charge_cells
    inner join origins on charge_cells.charge_id = origins.charge_id
    inner join cells
        on charge_cells.charge_date = cells.charge_date
        and charge_cells.cell_id = cells.cell_id
),

fx_totals as (
    select
        parts.charge_date,
        parts.provider,
        parts.billing_account_id,
        parts.billing_currency,
        parts.model,
        parts.token_class,
        parts.service_tier,
        sum(parts.fx_cost) as fx_cost
    from origin_parts as parts
    group by
        parts.charge_date,
        parts.provider,
        parts.billing_account_id,
        parts.billing_currency,
        parts.model,
        parts.token_class,
        parts.service_tier
),

/* Whose tokens the bill or the provider tells apart: API keys as counted, principals and sub accounts as billed. */
told_keys as (
    select
        keys.charge_date,
        keys.key_kind,
        keys.key_id,
        keys.provider,
        keys.billing_account_id,
        keys.model,
        keys.token_class,
        keys.service_tier,
        keys.provider_quantity as quantity
    from keys
    where keys.provider_quantity > 0
    union all
    select
        parts.charge_date,
        'principal' as key_kind,
        parts.x_principal_id as key_id,
        parts.provider,
        parts.billing_account_id,
        parts.model,
        parts.token_class,
        parts.service_tier,
        parts.billed_quantity as quantity
    from origin_parts as parts
    where parts.x_principal_id is not null and parts.billed_quantity > 0
    union all
    select
        cells.charge_date,
        'account' as key_kind,
        cells.sub_account_id as key_id,
        cells.provider,
        cells.billing_account_id,
        cells.model,
        cells.token_class,
        cells.service_tier,
        cells.billed_quantity as quantity
    from cells
    cross join declared_keys
    where cells.cost_state <> 'estimated' and cells.sub_account_id is not null and cells.billed_quantity > 0
),

logged_keys as (
    select
        keys.charge_date,
        keys.key_kind,
        keys.key_id,
        keys.provider
    from keys
    where keys.logged_quantity > 0 and keys.key_id is not null
    group by keys.charge_date, keys.key_kind, keys.key_id, keys.provider
),

judged_keys as (
    select
        told_keys.charge_date,
        told_keys.key_kind,
        told_keys.key_id,
        told_keys.provider,
        max(case when known.key_id is null then 0 else 1 end) as is_declared,
        max(case when logged_keys.key_id is null then 0 else 1 end) as is_logged
    from told_keys
    left join logging_keys as known
        on told_keys.key_id = known.key_id
        or (told_keys.key_kind = 'account' and told_keys.key_id = '/subscriptions/' || known.key_id)
    left join logged_keys
        on told_keys.charge_date = logged_keys.charge_date
        and told_keys.key_kind = logged_keys.key_kind
        and told_keys.key_id = logged_keys.key_id
        and told_keys.provider = logged_keys.provider
    group by told_keys.charge_date, told_keys.key_kind, told_keys.key_id, told_keys.provider
),

judged_days as (
    select
        judged_keys.charge_date,
        judged_keys.provider,
        max(judged_keys.is_declared) as has_declared
    from judged_keys
    group by judged_keys.charge_date, judged_keys.provider
),

/*
Without any key that is known to be logged, nothing says that another one is not. What is declared goes before what the
log happens to name: on a day whose log is lost it names less.
*/
key_days as (
    select
        judged_keys.charge_date,
        judged_keys.key_kind,
        judged_keys.provider,
        max(judged_days.has_declared) as has_declared
    from judged_keys
    inner join judged_days
        on judged_keys.charge_date = judged_days.charge_date
        and judged_keys.provider = judged_days.provider
    group by judged_keys.charge_date, judged_keys.key_kind, judged_keys.provider
    having max(judged_keys.is_declared) = max(judged_days.has_declared)
        and (max(judged_keys.is_declared) = 1 or max(judged_keys.is_logged) = 1)
),

stranger_keys as (
    select
        told_keys.charge_date,
        told_keys.key_kind,
        told_keys.provider,
        told_keys.billing_account_id,
        told_keys.model,
        told_keys.token_class,
        told_keys.service_tier,
        sum(told_keys.quantity) as quantity
    from told_keys
    inner join judged_keys
        on told_keys.charge_date = judged_keys.charge_date
        and told_keys.key_kind = judged_keys.key_kind
        and told_keys.key_id = judged_keys.key_id
        and told_keys.provider = judged_keys.provider
    where judged_keys.is_declared = 0 and judged_keys.is_logged = 0
    group by
        told_keys.charge_date,
        told_keys.key_kind,
        told_keys.provider,
        told_keys.billing_account_id,
        told_keys.model,
        told_keys.token_class,
        told_keys.service_tier
),

/* Logged tokens of keys that are told: what else is logged may be of any key. */
bound_keys as (
    select
        keys.charge_date,
        keys.key_kind,
        keys.provider,
        keys.model,
        keys.token_class,
        keys.service_tier,
        sum(keys.logged_quantity) as bound_quantity
    from keys
    inner join judged_keys
        on keys.charge_date = judged_keys.charge_date
        and keys.key_kind = judged_keys.key_kind
        and keys.key_id = judged_keys.key_id
        and keys.provider = judged_keys.provider
    where keys.logged_quantity > 0
    group by
        keys.charge_date,
        keys.key_kind,
        keys.provider,
        keys.model,
        keys.token_class,
        keys.service_tier
),

/* Usage of one model, class and tier by the currency of its price; served capacity is paid for elsewhere. */
logged as (
    select
        usage.charge_date,
        usage.provider,
        usage.model,
        usage.token_class,
        usage.service_tier,
        usage.list_cost_currency,
        sum(usage.quantity_tokens) as logged_quantity,
        sum(case when served.usage_id is null then usage.quantity_tokens else 0 end) as own_quantity,
        sum(case when usage.list_cost is null then usage.quantity_tokens else 0 end) as unpriced_quantity,
        sum(usage.list_cost) as priced_cost
    from usage
    left join served
        on usage.charge_date = served.charge_date
        and usage.usage_id = served.usage_id
    where usage.quantity_tokens > 0
    group by
        usage.charge_date,
        usage.provider,
        usage.model,
        usage.token_class,
        usage.service_tier,
        usage.list_cost_currency
),

billed_models as (
    select
        billed.*,
        row_number() over (
            partition by billed.charge_date, billed.provider, billed.model
            order by
                billed.effective_cost desc,
                coalesce(billed.billing_account_id, '') asc,
                billed.billing_currency asc,
                billed.token_class asc,
                billed.service_tier asc
        ) as model_rank
    from billed
),

billed_segments as (
    select
        billed.charge_date,
        billed.provider,
        billed.model,
        billed.token_class,
        billed.service_tier
    from billed
    group by billed.charge_date, billed.provider, billed.model, billed.token_class, billed.service_tier
),

logged_segments as (
    select
        logged.charge_date,
        logged.provider,
        logged.model,
        logged.token_class,
        logged.service_tier,
        sum(logged.logged_quantity) as logged_quantity,
        sum(logged.own_quantity) as own_quantity
    from logged
    group by logged.charge_date, logged.provider, logged.model, logged.token_class, logged.service_tier
),

/* What is logged of a class or tier that the bill does not name stands with the largest bill of the same model. */
unbilled as (
    select
        logged_segments.charge_date,
        logged_segments.provider,
        billed_models.billing_account_id,
        billed_models.billing_currency,
        logged_segments.model,
        logged_segments.token_class,
        logged_segments.service_tier
    from logged_segments
    left join billed_segments
        on logged_segments.charge_date = billed_segments.charge_date
        and logged_segments.provider = billed_segments.provider
        and logged_segments.model = billed_segments.model
        and logged_segments.token_class = billed_segments.token_class
        and logged_segments.service_tier = billed_segments.service_tier
    left join billed_models
        on logged_segments.charge_date = billed_models.charge_date
        and logged_segments.provider = billed_models.provider
        and logged_segments.model = billed_models.model
        and billed_models.model_rank = 1
    where billed_segments.charge_date is null and logged_segments.own_quantity > 0
),

segments as (
    select
        billed.charge_date,
        billed.provider,
        billed.billing_account_id,
        billed.billing_currency,
        billed.model,
        billed.token_class,
        billed.service_tier,
        true as is_billed,
        billed.billed_quantity,
        billed.billed_cost,
        billed.effective_cost,
        billed.list_cost,
        billed.billed_cost_reporting,
        billed.effective_cost_reporting,
        billed.list_cost_reporting,
        billed.coverage_share,
        billed.cost_state,
        billed.cells
    from billed
    union all
    select
        unbilled.charge_date,
        unbilled.provider,
        unbilled.billing_account_id,
        unbilled.billing_currency,
        unbilled.model,
        unbilled.token_class,
        unbilled.service_tier,
        false as is_billed,
        cast(null as decimal(38, 12)) as billed_quantity,
        cast(null as decimal(38, 12)) as billed_cost,
        cast(null as decimal(38, 12)) as effective_cost,
        cast(null as decimal(38, 12)) as list_cost,
        cast(null as decimal(38, 12)) as billed_cost_reporting,
        cast(null as decimal(38, 12)) as effective_cost_reporting,
        cast(null as decimal(38, 12)) as list_cost_reporting,
        cast(null as decimal(18, 12)) as coverage_share,
        'provisional' as cost_state,
        cast(0 as bigint) as cells
    from unbilled
),

/* Logs, and many counts, do not know the billing account: of several, each has the share of them that it has of the bill. */
cumulated as (
    select
        segments.*,
        cast(
            sum(round(greatest(coalesce(segments.billed_quantity, 0), 0), 0)) over (
                partition by
                    segments.charge_date,
                    segments.provider,
                    segments.model,
                    segments.token_class,
                    segments.service_tier
                order by coalesce(segments.billing_account_id, chr(30)), segments.billing_currency
                rows between unbounded preceding and current row
            ) as decimal(26, 0)
        ) as until_quantity,
        cast(
            sum(round(greatest(coalesce(segments.billed_quantity, 0), 0), 0)) over (
                partition by
                    segments.charge_date,
                    segments.provider,
                    segments.model,
                    segments.token_class,
                    segments.service_tier
            ) as decimal(26, 0)
        ) as total_quantity,
        row_number() over (
            partition by
                segments.charge_date,
                segments.provider,
                segments.model,
                segments.token_class,
                segments.service_tier
            order by coalesce(segments.billing_account_id, chr(30)), segments.billing_currency
        ) as account_position,
        count(*) over (
            partition by
                segments.charge_date,
                segments.provider,
                segments.model,
                segments.token_class,
                segments.service_tier
        ) as accounts
    from segments
),

sized as (
    select
        cumulated.*,
        cast(
            case
                when cumulated.total_quantity > 0
                    then idiv(
                        cumulated.until_quantity * cast(1000000000 as decimal(10, 0)),
                        cumulated.total_quantity
                    )
                else idiv(cumulated.account_position * 1000000000, cumulated.accounts)
            end as decimal(15, 0)
        ) as until_share
    from cumulated
),

shares as (
    select
        sized.*,
        coalesce(
            lag(sized.until_share) over (
                partition by
                    sized.charge_date,
                    sized.provider,
                    sized.model,
                    sized.token_class,
                    sized.service_tier
                order by coalesce(sized.billing_account_id, chr(30)), sized.billing_currency
            ),
            cast(0 as decimal(15, 0))
        ) as before_share
    from sized
),

/* Prices in the bill's own currency come before those in the reporting currency. */
compared as (
    select
        shares.charge_date,
        shares.provider,
        shares.model,
        shares.token_class,
        shares.service_tier,
        shares.billing_currency,
        max(case when logged.list_cost_currency = shares.billing_currency then 1 else 0 end) as has_own_price,
        max(
            case
                when logged.list_cost_currency = $reporting_currency
                    and (not shares.is_billed or shares.effective_cost_reporting is not null)
                    then 1
                else 0
            end
        ) as has_reporting_price
    from shares
    inner join logged
        on shares.charge_date = logged.charge_date
        and coalesce(shares.provider, chr(30)) = coalesce(logged.provider, chr(30))
        and coalesce(shares.model, chr(30)) = coalesce(logged.model, chr(30))
        and shares.token_class = logged.token_class
        and shares.service_tier = logged.service_tier
    group by
        shares.charge_date,
        shares.provider,
        shares.model,
        shares.token_class,
        shares.service_tier,
        shares.billing_currency
),

priced as (
    select
        compared.charge_date,
        compared.provider,
        compared.model,
        compared.token_class,
        compared.service_tier,
        compared.billing_currency,
        case
            when compared.has_own_price = 1 then compared.billing_currency
            when compared.has_reporting_price = 1 then $reporting_currency
            else coalesce(compared.billing_currency, max(logged.list_cost_currency))
        end as currency,
        cast(sum(logged.logged_quantity) as decimal(22, 0)) as logged_quantity,
        cast(sum(
            case
                when logged.list_cost_currency = case
                        when compared.has_own_price = 1 then compared.billing_currency
                        when compared.has_reporting_price = 1 then $reporting_currency
                        when compared.billing_currency is null then logged.list_cost_currency
                    end
                    then logged.unpriced_quantity
                else logged.logged_quantity
            end
        ) as decimal(22, 0)) as unpriced_quantity,
        cast(
            cast(
                sum(
                    case
                        when logged.list_cost_currency = case
                                when compared.has_own_price = 1 then compared.billing_currency
                                when compared.has_reporting_price = 1 then $reporting_currency
                                when compared.billing_currency is null then logged.list_cost_currency
                            end
                            then logged.priced_cost
                    end
                ) as decimal(24, 12)
            ) * cast(1000000000000 as decimal(13, 0)) as decimal(22, 0)
        ) as priced_units
    from compared
    inner join logged
        on compared.charge_date = logged.charge_date
        and coalesce(compared.provider, chr(30)) = coalesce(logged.provider, chr(30))
        and coalesce(compared.model, chr(30)) = coalesce(logged.model, chr(30))
        and compared.token_class = logged.token_class
        and compared.service_tier = logged.service_tier
    group by
        compared.charge_date,
        compared.provider,
        compared.model,
        compared.token_class,
        compared.service_tier,
        compared.billing_currency,
        compared.has_own_price,
        compared.has_reporting_price
),

/* Where the provider tells no tier, or one that neither bill nor logs name, it counts beside the largest one. */
main_tiers as (
    select
        shares.charge_date,
        shares.provider,
        shares.model,
        shares.token_class,
        shares.service_tier,
        row_number() over (
            partition by shares.charge_date, shares.provider, shares.model, shares.token_class
            order by
                case when shares.is_billed then 0 else 1 end asc,
                sum(coalesce(shares.billed_quantity, 0)) desc,
                sum(coalesce(shares.effective_cost, 0)) desc,
                shares.service_tier asc
        ) as tier_rank
    from shares
    group by
        shares.charge_date,
        shares.provider,
        shares.model,
        shares.token_class,
        shares.service_tier,
        shares.is_billed
),

counted as (
    select
        counts.charge_date,
        counts.provider,
        counts.model,
        counts.token_class,
        coalesce(named.service_tier, main_tiers.service_tier) as service_tier,
        cast(sum(counts.quantity) as decimal(22, 0)) as provider_quantity,
        cast(sum(case when named.service_tier is not null then counts.quantity end) as decimal(22, 0))
            as tier_quantity
    from counts
    left join main_tiers as named
        on counts.charge_date = named.charge_date
        and counts.provider = named.provider
        and counts.model = named.model
        and counts.token_class = named.token_class
        and counts.service_tier = named.service_tier
    left join main_tiers
        on counts.charge_date = main_tiers.charge_date
        and counts.provider = main_tiers.provider
        and counts.model = main_tiers.model
        and counts.token_class = main_tiers.token_class
        and main_tiers.tier_rank = 1
    where coalesce(named.service_tier, main_tiers.service_tier) is not null
    group by
        counts.charge_date,
        counts.provider,
        counts.model,
        counts.token_class,
        coalesce(named.service_tier, main_tiers.service_tier)
),

strangers as (
    select
        shares.charge_date,
        shares.provider,
        shares.billing_account_id,
        shares.billing_currency,
        shares.model,
        shares.token_class,
        shares.service_tier,
        stranger_keys.key_kind,
        greatest(
            sum(stranger_keys.quantity)
            - case
                when max(key_days.has_declared) = 1 then 0
                else greatest(
                        coalesce(max(logged_segments.logged_quantity), 0)
                        - coalesce(max(bound_keys.bound_quantity), 0),
                        0
                    )
            end,
            0
        ) as stranger_quantity
    from shares
    inner join stranger_keys
        on shares.charge_date = stranger_keys.charge_date
        and shares.provider = stranger_keys.provider
        and shares.model = stranger_keys.model
        and shares.token_class = stranger_keys.token_class
        and shares.service_tier = stranger_keys.service_tier
        and (
            shares.accounts = 1
            or stranger_keys.billing_account_id is null
            or shares.billing_account_id = stranger_keys.billing_account_id
        )
    inner join key_days
        on stranger_keys.charge_date = key_days.charge_date
        and stranger_keys.key_kind = key_days.key_kind
        and stranger_keys.provider = key_days.provider
    left join logged_segments
        on shares.charge_date = logged_segments.charge_date
        and shares.provider = logged_segments.provider
        and shares.model = logged_segments.model
        and shares.token_class = logged_segments.token_class
        and shares.service_tier = logged_segments.service_tier
    left join bound_keys
        on stranger_keys.charge_date = bound_keys.charge_date
        and stranger_keys.key_kind = bound_keys.key_kind
        and stranger_keys.provider = bound_keys.provider
        and stranger_keys.model = bound_keys.model
        and stranger_keys.token_class = bound_keys.token_class
        and stranger_keys.service_tier = bound_keys.service_tier
    where shares.is_billed
    group by
        shares.charge_date,
        shares.provider,
        shares.billing_account_id,
        shares.billing_currency,
        shares.model,
        shares.token_class,
        shares.service_tier,
        stranger_keys.key_kind
),

/* The same tokens under another kind of key are the same bypass: the kind that tells most of it counts. */
bypasses as (
    select
        strangers.charge_date,
        strangers.provider,
        strangers.billing_account_id,
        strangers.billing_currency,
        strangers.model,
        strangers.token_class,
        strangers.service_tier,
        max(strangers.stranger_quantity) as stranger_quantity,
        max(case when strangers.key_kind = 'api_key' then strangers.stranger_quantity end) as key_quantity,
        max(case when strangers.key_kind = 'principal' then strangers.stranger_quantity end)
            as principal_quantity
    from strangers
    group by
        strangers.charge_date,
        strangers.provider,
        strangers.billing_account_id,
        strangers.billing_currency,
        strangers.model,
        strangers.token_class,
        strangers.service_tier
),

failed as (
    select
        failures.charge_date,
        failures.provider,
        failures.model,
        failures.token_class,
        failures.service_tier,
        cast(failures.failed_quantity as decimal(22, 0)) as failed_quantity,
        cast(failures.retried_quantity as decimal(22, 0)) as retried_quantity
    from failures
),

met as (
    select
        shares.*,
        priced.currency as priced_currency,
        fx_totals.fx_cost as origin_fx_cost,
        idiv(counted.provider_quantity * shares.until_share, 1000000000)
        - idiv(counted.provider_quantity * shares.before_share, 1000000000) as provider_quantity,
        idiv(counted.tier_quantity * shares.until_share, 1000000000)
        - idiv(counted.tier_quantity * shares.before_share, 1000000000) as counted_quantity,
        coalesce(
            idiv(priced.logged_quantity * shares.until_share, 1000000000)
            - idiv(priced.logged_quantity * shares.before_share, 1000000000),
            0
        ) as logged_quantity,
        coalesce(
            idiv(priced.unpriced_quantity * shares.until_share, 1000000000)
            - idiv(priced.unpriced_quantity * shares.before_share, 1000000000),
            0
        ) as unpriced_quantity,
        idiv(priced.priced_units * shares.until_share, 1000000000)
        - idiv(priced.priced_units * shares.before_share, 1000000000) as priced_units,
        coalesce(
            idiv(failed.failed_quantity * shares.until_share, 1000000000)
            - idiv(failed.failed_quantity * shares.before_share, 1000000000),
            0
        ) as failed_quantity,
        coalesce(
            idiv(failed.retried_quantity * shares.until_share, 1000000000)
            - idiv(failed.retried_quantity * shares.before_share, 1000000000),
            0
        ) as retried_quantity,
        coalesce(bypasses.stranger_quantity, 0) as stranger_quantity,
        case
            when bypasses.key_quantity = bypasses.stranger_quantity then 'api_key'
            when bypasses.principal_quantity = bypasses.stranger_quantity then 'principal'
            else 'account'
        end as stranger_kind,
        open_days.charge_date is not null as is_open_day
    from shares
    left join priced
        on shares.charge_date = priced.charge_date
        and coalesce(shares.provider, chr(30)) = coalesce(priced.provider, chr(30))
        and coalesce(shares.model, chr(30)) = coalesce(priced.model, chr(30))
        and shares.token_class = priced.token_class
        and shares.service_tier = priced.service_tier
        and coalesce(shares.billing_currency, chr(30)) = coalesce(priced.billing_currency, chr(30))
    left join counted
        on shares.charge_date = counted.charge_date
        and shares.provider = counted.provider
        and shares.model = counted.model
        and shares.token_class = counted.token_class
        and shares.service_tier = counted.service_tier
    left join failed
        on shares.charge_date = failed.charge_date
        and shares.provider = failed.provider
        and shares.model = failed.model
        and shares.token_class = failed.token_class
        and shares.service_tier = failed.service_tier
    left join bypasses
        on shares.charge_date = bypasses.charge_date
        and shares.provider = bypasses.provider
        and coalesce(shares.billing_account_id, chr(30)) = coalesce(bypasses.billing_account_id, chr(30))
        and coalesce(shares.billing_currency, chr(30)) = coalesce(bypasses.billing_currency, chr(30))
        and shares.model = bypasses.model
        and shares.token_class = bypasses.token_class
        and shares.service_tier = bypasses.service_tier
    left join fx_totals
        on shares.charge_date = fx_totals.charge_date
        and shares.provider = fx_totals.provider
        and coalesce(shares.billing_account_id, chr(30)) = coalesce(fx_totals.billing_account_id, chr(30))
        and coalesce(shares.billing_currency, chr(30)) = coalesce(fx_totals.billing_currency, chr(30))
        and shares.model = fx_totals.model
        and shares.token_class = fx_totals.token_class
        and shares.service_tier = fx_totals.service_tier
    left join open_days
        on shares.charge_date = open_days.charge_date
        and coalesce(shares.provider, chr(30)) = coalesce(open_days.provider, chr(30))
),

whole as (
    select
        met.*,
        cast(
            case
                when not met.is_billed then 0
                when met.billed_quantity > 0 then round(met.billed_quantity, 0)
                when met.counted_quantity > 0 then met.counted_quantity
            end as decimal(22, 0)
        ) as whole_quantity,
        cast(round(met.stranger_quantity, 0) as decimal(22, 0)) as stranger_tokens
    from met
),

bypassed as (
    select
        whole.*,
        cast(least(whole.stranger_tokens, coalesce(whole.whole_quantity, 0)) as decimal(22, 0))
            as bypass_quantity,
        cast(
            whole.whole_quantity - whole.logged_quantity
            - least(whole.stranger_tokens, coalesce(whole.whole_quantity, 0)) as decimal(22, 0)
        ) as rest_quantity
    from whole
),

judged as (
    select
        bypassed.*,
        case
            when abs(bypassed.rest_quantity) * 1000000
                > greatest(bypassed.whole_quantity, bypassed.logged_quantity) * settings.coverage_epsilon_ppm
                then 1
            else 0
        end as is_beyond
    from bypassed
    cross join settings
),

/* One tier's surplus makes up for what another lacks of the same class: the same tokens under two tiers. */
tier_sums as (
    select
        judged.*,
        sum(greatest(judged.rest_quantity, 0)) over (
            partition by
                judged.charge_date,
                judged.provider,
                judged.billing_account_id,
                judged.billing_currency,
                judged.model,
                judged.token_class
        ) as missing_total,
        sum(greatest(-judged.rest_quantity, 0)) over (
            partition by
                judged.charge_date,
                judged.provider,
                judged.billing_account_id,
                judged.billing_currency,
                judged.model,
                judged.token_class
        ) as surplus_total,
        sum(greatest(judged.rest_quantity, 0)) over (
            partition by
                judged.charge_date,
                judged.provider,
                judged.billing_account_id,
                judged.billing_currency,
                judged.model,
                judged.token_class
            order by judged.service_tier
            rows between unbounded preceding and current row
        ) as missing_until,
        sum(greatest(-judged.rest_quantity, 0)) over (
            partition by
                judged.charge_date,
                judged.provider,
                judged.billing_account_id,
                judged.billing_currency,
                judged.model,
                judged.token_class
            order by judged.service_tier
            rows between unbounded preceding and current row
        ) as surplus_until,
        max(judged.is_beyond) over (
            partition by
                judged.charge_date,
                judged.provider,
                judged.billing_account_id,
                judged.billing_currency,
                judged.model,
                judged.token_class
        ) as is_group_beyond
    from judged
),

tiered as (
    select
        tier_sums.*,
        cast(
            case
                when tier_sums.is_group_beyond = 0 or tier_sums.rest_quantity is null then 0
                when tier_sums.rest_quantity > 0
                    then idiv(
                        cast(least(tier_sums.missing_total, tier_sums.surplus_total) as decimal(19, 0))
                        * cast(tier_sums.missing_until as decimal(19, 0)),
                        tier_sums.missing_total
                    ) - idiv(
                        cast(least(tier_sums.missing_total, tier_sums.surplus_total) as decimal(19, 0))
                        * cast(tier_sums.missing_until - tier_sums.rest_quantity as decimal(19, 0)),
                        tier_sums.missing_total
                    )
                when tier_sums.rest_quantity < 0
                    then idiv(
                        cast(least(tier_sums.missing_total, tier_sums.surplus_total) as decimal(19, 0))
                        * cast(tier_sums.surplus_until + tier_sums.rest_quantity as decimal(19, 0)),
                        tier_sums.surplus_total
                    ) - idiv(
                        cast(least(tier_sums.missing_total, tier_sums.surplus_total) as decimal(19, 0))
                        * cast(tier_sums.surplus_until as decimal(19, 0)),
                        tier_sums.surplus_total
                    )
                else 0
            end as decimal(22, 0)
        ) as tier_quantity
    from tier_sums
),

inputs as (
    select
        tiered.*,
        case
            when tiered.token_class = 'output_tokens' or tiered.rest_quantity is null then 0
            else tiered.rest_quantity - tiered.tier_quantity
        end as input_quantity
    from tiered
),

/* The same between classes of input: what one report calls cached and the other does not. */
class_sums as (
    select
        inputs.*,
        sum(greatest(inputs.input_quantity, 0)) over (
            partition by
                inputs.charge_date,
                inputs.provider,
                inputs.billing_account_id,
                inputs.billing_currency,
                inputs.model
        ) as input_missing_total,
        sum(greatest(-inputs.input_quantity, 0)) over (
            partition by
                inputs.charge_date,
                inputs.provider,
                inputs.billing_account_id,
                inputs.billing_currency,
                inputs.model
        ) as input_surplus_total,
        sum(greatest(inputs.input_quantity, 0)) over (
            partition by
                inputs.charge_date,
                inputs.provider,
                inputs.billing_account_id,
                inputs.billing_currency,
                inputs.model
            order by inputs.token_class, inputs.service_tier
            rows between unbounded preceding and current row
        ) as input_missing_until,
        sum(greatest(-inputs.input_quantity, 0)) over (
            partition by
                inputs.charge_date,
                inputs.provider,
                inputs.billing_account_id,
                inputs.billing_currency,
                inputs.model
            order by inputs.token_class, inputs.service_tier
            rows between unbounded preceding and current row
        ) as input_surplus_until,
        max(case when inputs.token_class = 'output_tokens' then 0 else inputs.is_beyond end) over (
            partition by
                inputs.charge_date,
                inputs.provider,
                inputs.billing_account_id,
                inputs.billing_currency,
                inputs.model
        ) as is_input_beyond
    from inputs
),

classed as (
    select
        class_sums.*,
        cast(
            case
                when class_sums.is_input_beyond = 0 then 0
                when class_sums.input_quantity > 0
                    then idiv(
                        cast(
                            least(class_sums.input_missing_total, class_sums.input_surplus_total)
                            as decimal(19, 0)
                        ) * cast(class_sums.input_missing_until as decimal(19, 0)),
                        class_sums.input_missing_total
                    ) - idiv(
                        cast(
                            least(class_sums.input_missing_total, class_sums.input_surplus_total)
                            as decimal(19, 0)
                        ) * cast(
                            class_sums.input_missing_until - class_sums.input_quantity as decimal(19, 0)
                        ),
                        class_sums.input_missing_total
                    )
                when class_sums.input_quantity < 0
                    then idiv(
                        cast(
                            least(class_sums.input_missing_total, class_sums.input_surplus_total)
                            as decimal(19, 0)
                        ) * cast(
                            class_sums.input_surplus_until + class_sums.input_quantity as decimal(19, 0)
                        ),
                        class_sums.input_surplus_total
                    ) - idiv(
                        cast(
                            least(class_sums.input_missing_total, class_sums.input_surplus_total)
                            as decimal(19, 0)
                        ) * cast(class_sums.input_surplus_until as decimal(19, 0)),
                        class_sums.input_surplus_total
                    )
                else 0
            end as decimal(22, 0)
        ) as class_quantity
    from class_sums
)

select
    classed.charge_date,
    classed.provider,
    classed.billing_account_id,
    classed.billing_currency,
    classed.model,
    classed.token_class,
    classed.service_tier,
    coalesce(classed.priced_currency, classed.billing_currency, $reporting_currency) as currency,
    case when classed.is_open_day then 'estimated' else classed.cost_state end as cost_state,
    classed.is_billed,
    cast(classed.cells as bigint) as cells,
    cast(classed.billed_quantity as decimal(38, 12)) as billed_quantity,
    cast(classed.provider_quantity as decimal(38, 12)) as provider_quantity,
    cast(classed.whole_quantity as decimal(38, 12)) as whole_quantity,
    cast(classed.logged_quantity as decimal(38, 12)) as logged_quantity,
    cast(classed.unpriced_quantity as decimal(38, 12)) as unpriced_quantity,
    cast(classed.failed_quantity as decimal(38, 12)) as failed_quantity,
    cast(classed.retried_quantity as decimal(38, 12)) as retried_quantity,
    cast(classed.bypass_quantity as decimal(38, 12)) as bypass_quantity,
    case when classed.bypass_quantity <> 0 then classed.stranger_kind end as bypass_observable,
    cast(classed.tier_quantity as decimal(38, 12)) as tier_quantity,
    cast(classed.class_quantity as decimal(38, 12)) as class_quantity,
    cast(classed.rest_quantity - classed.tier_quantity - classed.class_quantity as decimal(38, 12))
        as open_quantity,
    coalesce(
        abs(classed.rest_quantity - classed.tier_quantity - classed.class_quantity) * 1000000
        > greatest(classed.whole_quantity, classed.logged_quantity) * settings.coverage_epsilon_ppm,
        false
    ) as is_open_beyond,
    classed.coverage_share,
    cast(
        case
            when coalesce(classed.priced_currency, classed.billing_currency) = classed.billing_currency
                then classed.billed_cost
            else classed.billed_cost_reporting
        end as decimal(38, 12)
    ) as billed_cost,
    cast(
        case
            when coalesce(classed.priced_currency, classed.billing_currency) = classed.billing_currency
                then classed.effective_cost
            else classed.effective_cost_reporting
        end as decimal(38, 12)
    ) as effective_cost,
    cast(
        case
            when coalesce(classed.priced_currency, classed.billing_currency) = classed.billing_currency
                then classed.list_cost
            else classed.list_cost_reporting
        end as decimal(38, 12)
    ) as list_cost,
    cast(
        case when classed.priced_currency <> classed.billing_currency then classed.origin_fx_cost end
        as decimal(38, 12)
    ) as fx_cost,
    cast(
        cast(classed.priced_units as decimal(24, 0)) * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as priced_cost
from classed
cross join settings
