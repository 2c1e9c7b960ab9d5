/*
description: >
    Which pool every billed cell and every segment of logged usage is in, per UTC day: provider, model and token class
    (or what else a line counts: searches of the web, requests, cache storage),
    and of tier, context band, account and region those by which bill and logs both tell usage apart. Where either does
    not, or where the bill's quantities contradict what the logs state, the pool is the wider one. A bill line that
    states less, and no quantity, has a wider pool of its own over the same usage.
grain: [charge_date, pool_side, member_key, pool_key]
materialized: table
partition_by: {column: charge_date, unit: day}
reads:
    core.charges: overlap
    core.dated_prices: all
columns:
    charge_date: null
    pool_side: null
    pool_kind: null
    member_key: null
    pool_key: null
    leaf_pool_key: null
    pool_quantity: null
    list_cost: of the logged member, in whatever currency; only whether there is any counts
    is_final: of what the provider counts
*/
with

charge_cells as (
    select *
    from core.charge_cells
    where charge_date >= $start and charge_date < $end
),

charges as (
    select *
    from core.charges
    where charge_category = 'Usage'
        and coalesce(commitment_discount_status, '') <> 'Unused'
        and (
            counted_use is not null
            or (cost_driver = 'inference' and (token_class is not null or model is not null))
        )
),

usage as (
    select *
    from core.usage_costs
    where charge_date >= $start and charge_date < $end
),

counts as (
    select *
    from core.provider_counts
    where charge_date >= $start and charge_date < $end
        and (
            usage_kind = 'web_searches'
            or (
                usage_kind = 'tokens'
                and token_class is not null and model is not null and service_tier is not null
            )
        )
),

prices as (select * from core.dated_prices),

settings as (select * from reference.settings),

billed as (
    select
        charge_cells.charge_date,
        charge_cells.cell_id as member_key,
        charges.provider,
        coalesce(charges.model, chr(30)) as model,
        charges.token_class,
        coalesce(
            charges.counted_use, case when charges.token_class is null then 'mixed' else 'usage' end
        ) as pool_kind,
        charges.service_tier,
        charges.context_min_tokens,
        charges.sub_account_id,
        charges.region_id,
        cast(round(cast(sum(charge_cells.billed_quantity) as decimal(38, 12)), 0) as decimal(38, 0))
            as pool_quantity
    from charge_cells
    inner join charges on charge_cells.charge_id = charges.charge_id
    group by
        charge_cells.charge_date,
        charge_cells.cell_id,
        charges.provider,
        coalesce(charges.model, chr(30)),
        charges.token_class,
        charges.counted_use,
        charges.service_tier,
        charges.context_min_tokens,
        charges.sub_account_id,
        charges.region_id
),

logged as (
    select
        usage.charge_date,
        usage.segment_key as member_key,
        coalesce(usage.provider, chr(30)) as provider,
        coalesce(usage.model, chr(30)) as model,
        usage.token_class,
        usage.service_tier,
        usage.context_min_tokens,
        usage.sub_account_id,
        usage.region_id,
        cast(sum(usage.quantity_tokens) as decimal(38, 0)) as pool_quantity,
        cast(sum(usage.requests) as decimal(38, 0)) as requests,
        cast(sum(usage.web_searches) as decimal(38, 0)) as web_searches,
        sum(usage.list_cost) as list_cost
    from usage
    group by
        usage.charge_date,
        usage.segment_key,
        coalesce(usage.provider, chr(30)),
        coalesce(usage.model, chr(30)),
        usage.token_class,
        usage.service_tier,
        usage.context_min_tokens,
        usage.sub_account_id,
        usage.region_id
),

book_contexts as (
    select
        prices.provider,
        prices.model,
        min(prices.context_min_tokens) as context_min_tokens
    from prices
    where prices.context_min_tokens > 0
    group by prices.provider, prices.model
),

/* Where long context begins, for the models of which the day's bill has a meter of long context. */
long_contexts as (
    select
        billed.charge_date,
        billed.provider,
        billed.model,
        min(coalesce(book_contexts.context_min_tokens, billed.context_min_tokens)) as context_min_tokens
    from billed
    left join book_contexts
        on billed.provider = book_contexts.provider
        and billed.model = book_contexts.model
    where billed.context_min_tokens > 0
    group by billed.charge_date, billed.provider, billed.model
),

/* What the day's bill counts besides tokens, of a model or of all of a provider's; searches are told of providers only. */
billed_uses as (
    select
        billed.charge_date,
        billed.provider,
        case when billed.pool_kind = 'web_search' then chr(30) else billed.model end as model,
        billed.pool_kind
    from billed
    where billed.pool_kind <> 'usage'
    group by
        billed.charge_date,
        billed.provider,
        case when billed.pool_kind = 'web_search' then chr(30) else billed.model end,
        billed.pool_kind
),

logged_uses as (
    select
        logged.charge_date,
        logged.member_key,
        logged.provider,
        billed_uses.model,
        billed_uses.pool_kind,
        logged.sub_account_id,
        logged.region_id,
        logged.list_cost,
        case billed_uses.pool_kind
            when 'web_search' then logged.web_searches
            when 'requests' then logged.requests
            else logged.pool_quantity
        end as pool_quantity,
        case
            when logged.token_class in ('cache_write_5m_tokens', 'cache_write_1h_tokens') then 1
            else 0
        end as is_write,
        logged.token_class = 'cache_read_tokens' as is_read
    from logged
    inner join billed_uses
        on logged.charge_date = billed_uses.charge_date
        and logged.provider = billed_uses.provider
        and (
            logged.model = billed_uses.model
            or (billed_uses.model = chr(30) and billed_uses.pool_kind <> 'mixed')
        )
),

/* A cache is kept for whoever wrote to it; where no log tells of writes, for whoever read from it. */
used as (
    select
        logged_uses.*,
        max(case when logged_uses.pool_quantity > 0 then logged_uses.is_write else 0 end) over (
            partition by
                logged_uses.charge_date, logged_uses.provider, logged_uses.model, logged_uses.pool_kind
        ) as has_writes
    from logged_uses
),

members as (
    select
        billed.charge_date,
        'billed' as pool_side,
        billed.member_key,
        billed.pool_kind,
        billed.provider,
        case when billed.pool_kind = 'web_search' then chr(30) else billed.model end as model,
        billed.token_class,
        billed.service_tier,
        case
            when long_contexts.context_min_tokens is null then null
            when billed.context_min_tokens > 0 then 'long'
            else 'short'
        end as context_band,
        billed.sub_account_id,
        billed.region_id,
        billed.pool_quantity,
        cast(null as decimal(38, 12)) as list_cost,
        cast(null as integer) as final_count
    from billed
    left join long_contexts
        on billed.charge_date = long_contexts.charge_date
        and billed.provider = long_contexts.provider
        and billed.model = long_contexts.model
    union all
    select
        logged.charge_date,
        'logged' as pool_side,
        logged.member_key,
        'usage' as pool_kind,
        logged.provider,
        logged.model,
        logged.token_class,
        logged.service_tier,
        case
            when long_contexts.context_min_tokens is null then null
            when logged.context_min_tokens >= long_contexts.context_min_tokens then 'long'
            else 'short'
        end as context_band,
        logged.sub_account_id,
        logged.region_id,
        logged.pool_quantity,
        logged.list_cost,
        cast(null as integer) as final_count
    from logged
    left join long_contexts
        on logged.charge_date = long_contexts.charge_date
        and logged.provider = long_contexts.provider
        and logged.model = long_contexts.model
    union all
    select
        used.charge_date,
        'logged' as pool_side,
        used.member_key,
        used.pool_kind,
        used.provider,
        used.model,
        cast(null as varchar) as token_class,
        cast(null as varchar) as service_tier,
        cast(null as varchar) as context_band,
        used.sub_account_id,
        used.region_id,
        used.pool_quantity,
        used.list_cost,
        cast(null as integer) as final_count
    from used
    where used.pool_kind = 'mixed'
        or (used.pool_kind <> 'cache_storage' and used.pool_quantity > 0)
        or (
            used.pool_kind = 'cache_storage'
            and (used.is_write = 1 or (used.has_writes = 0 and used.is_read))
        )
    union all
    select
        counts.charge_date,
        'counted' as pool_side,
        md5(
            coalesce(counts.billing_account_id, chr(30)) || chr(31) || counts.provider
            || chr(31) || coalesce(counts.model, chr(30)) || chr(31) || counts.usage_kind
            || chr(31) || coalesce(counts.token_class, chr(30))
            || chr(31) || coalesce(counts.service_tier, chr(30))
            || chr(31) || coalesce(counts.context_band, chr(30))
            || chr(31) || coalesce(counts.sub_account_id, chr(30))
            || chr(31) || coalesce(counts.region_id, chr(30))
        ) as member_key,
        case when counts.usage_kind = 'tokens' then 'usage' else 'web_search' end as pool_kind,
        counts.provider,
        case when counts.usage_kind = 'tokens' then counts.model else chr(30) end as model,
        counts.token_class,
        case when counts.usage_kind = 'tokens' then counts.service_tier end as service_tier,
        case
            when counts.context_band is null then null
            when counts.context_band like '0-%' then 'short'
            else 'long'
        end as context_band,
        counts.sub_account_id,
        counts.region_id,
        cast(counts.quantity as decimal(38, 0)) as pool_quantity,
        cast(null as decimal(38, 12)) as list_cost,
        case when counts.is_final then 1 else 0 end as final_count
    from counts
),

/* One spelling of accounts and regions, whoever states them. */
spelled as (
    select
        members.*,
        coalesce(
            nullif(
                regexp_extract(
                    lower(members.sub_account_id), '(^|/)(subscriptions|projects|workspaces)/([^/]+)', 3
                ), ''
            ),
            nullif(regexp_extract(lower(members.sub_account_id), '^arn:[^:]*:[^:]*:[^:]*:([0-9]+):', 1), ''),
            nullif(lower(trim(members.sub_account_id)), '')
        ) as account_name,
        nullif(replace(lower(members.region_id), ' ', ''), '') as region_name
    from members
),

placed as (
    select
        spelled.*,
        case
            when spelled.provider = 'aws' and length(spelled.account_name) < 12
                and regexp_matches(spelled.account_name, '^[0-9]+$')
                then lpad(spelled.account_name, 12, '0')
            else spelled.account_name
        end as account_id,
        spelled.pool_kind || chr(31) || spelled.provider || chr(31) || spelled.model
        || coalesce(chr(31) || spelled.token_class, '') as group_key,
        coalesce(spelled.pool_kind = 'usage' and spelled.service_tier = 'provisioned', false)
            as is_provisioned
    from spelled
),

statements as (
    select
        placed.charge_date,
        placed.group_key,
        placed.is_provisioned,
        placed.provider,
        placed.pool_side,
        placed.pool_quantity,
        'tier' as dimension,
        placed.service_tier as stated
    from placed
    where placed.pool_kind = 'usage'
    union all
    select
        placed.charge_date,
        placed.group_key,
        placed.is_provisioned,
        placed.provider,
        placed.pool_side,
        placed.pool_quantity,
        'context' as dimension,
        placed.context_band as stated
    from placed
    where placed.pool_kind = 'usage'
    union all
    select
        placed.charge_date,
        placed.group_key,
        placed.is_provisioned,
        placed.provider,
        placed.pool_side,
        placed.pool_quantity,
        'account' as dimension,
        placed.account_id as stated
    from placed
    union all
    select
        placed.charge_date,
        placed.group_key,
        placed.is_provisioned,
        placed.provider,
        placed.pool_side,
        placed.pool_quantity,
        'region' as dimension,
        placed.region_name as stated
    from placed
),

/* What a provider's bill of the day names at all: the logs' spelling is held against it. */
known as (
    select
        statements.charge_date,
        statements.provider,
        statements.dimension,
        statements.stated
    from statements
    where statements.pool_side = 'billed' and statements.stated is not null
    group by statements.charge_date, statements.provider, statements.dimension, statements.stated
),

parts as (
    select
        statements.charge_date,
        statements.group_key,
        statements.is_provisioned,
        statements.provider,
        statements.dimension,
        statements.stated,
        sum(case when statements.pool_side = 'billed' then 1 else 0 end) as billed_members,
        sum(case when statements.pool_side = 'billed' and statements.pool_quantity <> 0 then 1 else 0 end)
            as measured_members,
        sum(case when statements.pool_side = 'logged' then 1 else 0 end) as logged_members,
        cast(
            sum(
                case
                    when statements.pool_side = 'billed' then coalesce(statements.pool_quantity, 0)
                    else 0
                end
            ) as decimal(26, 0)
        ) as billed_tokens,
        cast(
            sum(case when statements.pool_side = 'logged' then statements.pool_quantity else 0 end)
            as decimal(26, 0)
        ) as logged_tokens
    from statements
    where statements.pool_side in ('billed', 'logged')
    group by
        statements.charge_date,
        statements.group_key,
        statements.is_provisioned,
        statements.provider,
        statements.dimension,
        statements.stated
),

held as (
    select
        parts.*,
        settings.coverage_epsilon_ppm,
        known.stated is null and parts.logged_members > 0 and parts.dimension in ('account', 'region')
            as is_stranger,
        parts.logged_tokens * 1000000 > parts.billed_tokens * (1000000 + settings.coverage_epsilon_ppm)
            as is_over,
        parts.logged_tokens * 1000000 < parts.billed_tokens * (1000000 - settings.coverage_epsilon_ppm)
            as is_short
    from parts
    cross join settings
    left join known
        on parts.charge_date = known.charge_date
        and parts.provider = known.provider
        and parts.dimension = known.dimension
        and parts.stated = known.stated
),

sums as (
    select
        held.charge_date,
        held.group_key,
        held.is_provisioned,
        held.dimension,
        held.coverage_epsilon_ppm,
        count(held.stated) as values_stated,
        sum(case when held.stated is not null and held.billed_members > 0 then 1 else 0 end) as values_billed,
        sum(
            case
                when held.stated is null and (held.logged_members > 0 or held.measured_members > 0) then 1
                else 0
            end
        ) as silent_parts,
        sum(case when held.is_stranger then 1 else 0 end) as stranger_parts,
        sum(case when held.billed_members > 0 and held.measured_members = 0 then 1 else 0 end)
            as unmeasured_parts,
        sum(case when held.is_over then 1 else 0 end) as over_parts,
        sum(case when held.is_short then 1 else 0 end) as short_parts,
        sum(
            case
                when held.stated is not null and (held.billed_members > 0) <> (held.logged_members > 0) then 1
                else 0
            end
        ) as one_sided_parts,
        sum(held.billed_tokens) as billed_tokens,
        sum(held.logged_tokens) as logged_tokens,
        sum(
            case
                when held.dimension in ('account', 'region') and held.billed_members > 0 then 0
                else greatest(held.logged_tokens - held.billed_tokens, 0)
            end
        ) as excess_tokens,
        sum(greatest(held.billed_tokens - held.logged_tokens, 0)) as lacking_tokens
    from held
    group by
        held.charge_date,
        held.group_key,
        held.is_provisioned,
        held.dimension,
        held.coverage_epsilon_ppm
),

/* Contradicted: the whole adds up and its parts do not; or one side lacks a value that the other has, and the tokens
   that are too many of one make up most of those that are too few of another. */
judged as (
    select
        sums.charge_date,
        sums.group_key,
        sums.is_provisioned,
        sums.dimension,
        sums.silent_parts = 0 and sums.stranger_parts = 0 and sums.values_billed > 0
        and sums.values_stated > 1 as is_stated,
        sums.unmeasured_parts = 0
        and sums.over_parts > 0 and sums.short_parts > 0
        and sums.logged_tokens * 1000000 <= sums.billed_tokens * (1000000 + sums.coverage_epsilon_ppm)
        and (
            sums.logged_tokens * 1000000 >= sums.billed_tokens * (1000000 - sums.coverage_epsilon_ppm)
            or (sums.one_sided_parts > 0 and sums.excess_tokens * 2 > sums.lacking_tokens)
        ) as is_contradicted
    from sums
),

chosen as (
    select
        judged.charge_date,
        judged.group_key,
        judged.is_provisioned,
        max(case when judged.dimension = 'tier' and judged.is_contradicted then 1 else 0 end) = 1
            as is_any_tier,
        max(
            case
                when judged.dimension = 'context' and judged.is_stated and not judged.is_contradicted then 1
                else 0
            end
        ) = 1 as is_by_context,
        max(
            case
                when judged.dimension = 'account' and judged.is_stated and not judged.is_contradicted then 1
                else 0
            end
        ) = 1 as is_by_account,
        max(
            case
                when judged.dimension = 'region' and judged.is_stated and not judged.is_contradicted then 1
                else 0
            end
        ) = 1 as is_by_region
    from judged
    group by judged.charge_date, judged.group_key, judged.is_provisioned
),

decided as (
    select
        placed.charge_date,
        placed.pool_side,
        placed.member_key,
        placed.pool_kind,
        placed.group_key,
        placed.pool_quantity,
        placed.list_cost,
        placed.final_count,
        case
            when placed.pool_kind <> 'usage' then ''
            when chosen.is_any_tier then chr(31) || 'any'
            else chr(31) || placed.service_tier
        end as tier_key,
        case
            when chosen.is_by_context then chr(31) || 'context ' || coalesce(placed.context_band, '')
            else ''
        end as context_key,
        case
            when chosen.is_by_account then coalesce(chr(31) || 'account ' || placed.account_id, '?')
            else ''
        end as account_key,
        case
            when chosen.is_by_region then coalesce(chr(31) || 'region ' || placed.region_name, '?')
            else ''
        end as region_key
    from placed
    left join chosen
        on placed.charge_date = chosen.charge_date
        and placed.group_key = chosen.group_key
        and placed.is_provisioned = chosen.is_provisioned
),

pooled as (
    select
        decided.*,
        decided.group_key || decided.tier_key || decided.context_key || decided.account_key
        || decided.region_key as pool_key,
        decided.account_key = '?' or decided.region_key = '?' as is_silent
    from decided
),

wide_pools as (
    select
        pooled.charge_date,
        pooled.group_key,
        pooled.tier_key,
        pooled.context_key,
        pooled.account_key,
        pooled.region_key,
        pooled.pool_key
    from pooled
    where pooled.pool_side = 'billed' and pooled.is_silent
    group by
        pooled.charge_date,
        pooled.group_key,
        pooled.tier_key,
        pooled.context_key,
        pooled.account_key,
        pooled.region_key,
        pooled.pool_key
),

leaves as (
    select
        pooled.charge_date,
        pooled.member_key,
        pooled.pool_key
    from pooled
    where pooled.pool_side = 'logged' and pooled.pool_kind = 'usage'
),

/* A count that does not say which of the pools it is of makes all counts of its group useless. */
silent_counts as (
    select
        pooled.charge_date,
        pooled.group_key
    from pooled
    where pooled.pool_side = 'counted' and (pooled.is_silent or pooled.context_key = chr(31) || 'context ')
    group by pooled.charge_date, pooled.group_key
),

logged_pools as (
    select
        pooled.charge_date,
        pooled.pool_kind,
        pooled.member_key,
        pooled.pool_key,
        pooled.pool_quantity,
        pooled.list_cost
    from pooled
    where pooled.pool_side = 'logged'
    union all
    select
        pooled.charge_date,
        pooled.pool_kind,
        pooled.member_key,
        wide_pools.pool_key,
        pooled.pool_quantity,
        pooled.list_cost
    from pooled
    inner join wide_pools
        on pooled.charge_date = wide_pools.charge_date
        and pooled.group_key = wide_pools.group_key
        and pooled.tier_key = wide_pools.tier_key
        and pooled.context_key = wide_pools.context_key
        and (wide_pools.account_key = '?' or pooled.account_key = wide_pools.account_key)
        and (wide_pools.region_key = '?' or pooled.region_key = wide_pools.region_key)
    where pooled.pool_side = 'logged'
)

select
    logged_pools.charge_date,
    'logged' as pool_side,
    logged_pools.pool_kind,
    logged_pools.member_key,
    logged_pools.pool_key,
    leaves.pool_key as leaf_pool_key,
    logged_pools.pool_quantity,
    cast(logged_pools.list_cost as decimal(38, 12)) as list_cost,
    cast(null as boolean) as is_final
from logged_pools
inner join leaves
    on logged_pools.charge_date = leaves.charge_date
    and logged_pools.member_key = leaves.member_key
union all
select
    pooled.charge_date,
    pooled.pool_side,
    pooled.pool_kind,
    pooled.member_key,
    pooled.pool_key,
    cast(null as varchar) as leaf_pool_key,
    pooled.pool_quantity,
    cast(null as decimal(38, 12)) as list_cost,
    cast(null as boolean) as is_final
from pooled
where pooled.pool_side = 'billed'
union all
select
    pooled.charge_date,
    pooled.pool_side,
    pooled.pool_kind,
    pooled.member_key,
    pooled.pool_key,
    cast(null as varchar) as leaf_pool_key,
    pooled.pool_quantity,
    cast(null as decimal(38, 12)) as list_cost,
    pooled.final_count = 1 as is_final
from pooled
left join silent_counts
    on pooled.charge_date = silent_counts.charge_date
    and pooled.group_key = silent_counts.group_key
where pooled.pool_side = 'counted' and silent_counts.group_key is null
