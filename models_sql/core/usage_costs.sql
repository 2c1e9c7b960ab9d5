/*
description: >
    The day's usage by token class at list price: the price of the newest book published at or before the call
    (the oldest one if none), overrides first, at the tier, context, region and time of day that the call had.
    Audio and image tokens within a class are priced apart where the model does so. What has no price has none:
    the list cost is null and a reason says why.
grain: [charge_date, usage_id, token_class]
materialized: table
partition_by: {column: charge_date, unit: day}
columns:
    charge_date: null
    usage_id: null
    token_class: null
    owner_id: null
    provider: null
    model: null
    service_tier: null
    context_min_tokens: null
    time_of_day_start: null
    sub_account_id: as the request log states it
    region_id: null
    from_zone: null
    to_zone: null
    segment_key: null
    quantity_tokens: null
    requests: counted on one token class of a request only, so that they add up
    web_searches: as requests are
    price_id: null
    audio_price_id: null
    image_price_id: null
    list_cost: null
    list_cost_currency: null
    unpriced_reason: null
*/
with

usage as (
    select *
    from core.request_usage
    where charge_date >= $start and charge_date < $end
),

names as (select * from core.model_names),

prices as (select * from core.dated_prices),

/* What prices depend on: a few rows a day, so that names and prices are looked up for these and not for all usage. */
logged_segments as (
    select
        usage.charge_date,
        usage.provider,
        usage.model,
        usage.service_tier,
        usage.context_min_tokens,
        usage.time_of_day_start,
        usage.sub_account_id,
        usage.region_id
    from usage
    group by
        usage.charge_date,
        usage.provider,
        usage.model,
        usage.service_tier,
        usage.context_min_tokens,
        usage.time_of_day_start,
        usage.sub_account_id,
        usage.region_id
),

named as (
    select
        logged_segments.*,
        names.provider as priced_provider,
        names.model as priced_model,
        case
            when logged_segments.model is null then 'no_model'
            when names.matched_by = 'unmatched' then 'unknown_model'
        end as name_problem,
        row_number() over (
            order by
                logged_segments.charge_date,
                logged_segments.provider,
                logged_segments.model,
                logged_segments.service_tier,
                logged_segments.context_min_tokens,
                logged_segments.time_of_day_start,
                logged_segments.sub_account_id,
                logged_segments.region_id
        ) as segment_number
    from logged_segments
    left join names
        on logged_segments.charge_date = names.charge_date
        and coalesce(logged_segments.provider, chr(30)) = coalesce(names.logged_provider, chr(30))
        and coalesce(logged_segments.model, chr(30)) = coalesce(names.logged_model, chr(30))
),

/* The kinds of token that a model may price apart within a class; a class without has none. */
token_classes as (
    select
        'uncached_input_tokens' as token_class,
        'uncached_audio_tokens' as audio_class,
        'uncached_image_tokens' as image_class
    union all
    select
        'cache_read_tokens' as token_class,
        'cache_read_audio_tokens' as audio_class,
        'cache_read_image_tokens' as image_class
    union all
    select
        'cache_write_5m_tokens' as token_class,
        null as audio_class,
        null as image_class
    union all
    select
        'cache_write_1h_tokens' as token_class,
        null as audio_class,
        null as image_class
    union all
    select
        'output_tokens' as token_class,
        'output_audio_tokens' as audio_class,
        'output_image_tokens' as image_class
),

priced_segments as (
    select
        named.charge_date,
        named.priced_provider as provider,
        named.priced_model as model,
        named.service_tier,
        named.context_min_tokens,
        named.time_of_day_start,
        named.region_id,
        cast(
            cast(named.charge_date as varchar) || ' ' || coalesce(named.time_of_day_start, '00:00') || ':00'
            as timestamp
        ) as priced_at
    from named
    where named.priced_model is not null
    group by
        named.charge_date,
        named.priced_provider,
        named.priced_model,
        named.service_tier,
        named.context_min_tokens,
        named.time_of_day_start,
        named.region_id
),

price_candidates as (
    select
        segments.*,
        prices.token_class,
        prices.price_id,
        prices.price_per_mtok,
        prices.currency,
        row_number() over (
            partition by
                segments.charge_date,
                segments.provider,
                segments.model,
                prices.token_class,
                segments.service_tier,
                segments.context_min_tokens,
                segments.time_of_day_start,
                segments.region_id
            order by
                prices.price_rank asc,
                case when prices.region_id is null then 1 else 0 end asc,
                prices.published_at desc,
                prices.context_min_tokens desc,
                prices.price_id asc
        ) as candidate_rank
    from priced_segments as segments
    inner join prices
        on segments.provider = prices.provider
        and segments.model = prices.model
        and segments.service_tier = prices.service_tier
        and segments.context_min_tokens >= prices.context_min_tokens
        and (prices.region_id is null or segments.region_id = prices.region_id)
        and (prices.applies_from is null or segments.priced_at >= prices.applies_from)
        and (prices.applies_to is null or segments.priced_at < prices.applies_to)
        and (prices.valid_from is null or segments.priced_at >= prices.valid_from)
        and (prices.valid_to is null or segments.priced_at < prices.valid_to)
        and (
            prices.time_of_day_start is null
            or (
                segments.time_of_day_start >= prices.time_of_day_start
                and segments.time_of_day_start < prices.time_of_day_end
            )
        )
),

/* Scaled here, a row a price: rescaling a DECIMAL on every row of usage would take longer than the rest. */
chosen as (
    select
        price_candidates.*,
        cast(
            cast(price_candidates.price_per_mtok as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(18, 0)
        ) as price_units
    from price_candidates
    where price_candidates.candidate_rank = 1
),

segment_classes as (
    select
        named.*,
        token_classes.token_class,
        token_classes.audio_class,
        token_classes.image_class,
        coalesce(named.priced_provider, chr(30)) || chr(31)
        || coalesce(named.priced_model, chr(30)) || chr(31)
        || token_classes.token_class || chr(31) || named.service_tier || chr(31)
        || coalesce(cast(named.context_min_tokens as varchar), chr(30)) || chr(31)
        || coalesce(named.sub_account_id, chr(30)) || chr(31)
        || coalesce(named.region_id, chr(30)) as segment_key
    from named
    cross join token_classes
),

segment_prices as (
    select
        segment_classes.*,
        chosen.price_id,
        chosen.price_units,
        chosen.currency,
        audio_prices.price_id as audio_price_id,
        image_prices.price_id as image_price_id,
        coalesce(audio_prices.price_units, chosen.price_units) as audio_price_units,
        coalesce(image_prices.price_units, chosen.price_units) as image_price_units
    from segment_classes
    left join chosen
        on segment_classes.charge_date = chosen.charge_date
        and segment_classes.priced_provider = chosen.provider
        and segment_classes.priced_model = chosen.model
        and segment_classes.token_class = chosen.token_class
        and segment_classes.service_tier = chosen.service_tier
        and segment_classes.context_min_tokens = chosen.context_min_tokens
        and coalesce(segment_classes.time_of_day_start, chr(30))
        = coalesce(chosen.time_of_day_start, chr(30))
        and coalesce(segment_classes.region_id, chr(30)) = coalesce(chosen.region_id, chr(30))
    left join chosen as audio_prices
        on segment_classes.charge_date = audio_prices.charge_date
        and segment_classes.priced_provider = audio_prices.provider
        and segment_classes.priced_model = audio_prices.model
        and segment_classes.audio_class = audio_prices.token_class
        and segment_classes.service_tier = audio_prices.service_tier
        and segment_classes.context_min_tokens = audio_prices.context_min_tokens
        and coalesce(segment_classes.time_of_day_start, chr(30))
        = coalesce(audio_prices.time_of_day_start, chr(30))
        and coalesce(segment_classes.region_id, chr(30)) = coalesce(audio_prices.region_id, chr(30))
    left join chosen as image_prices
        on segment_classes.charge_date = image_prices.charge_date
        and segment_classes.priced_provider = image_prices.provider
        and segment_classes.priced_model = image_prices.model
        and segment_classes.image_class = image_prices.token_class
        and segment_classes.service_tier = image_prices.service_tier
        and segment_classes.context_min_tokens = image_prices.context_min_tokens
        and coalesce(segment_classes.time_of_day_start, chr(30))
        = coalesce(image_prices.time_of_day_start, chr(30))
        and coalesce(segment_classes.region_id, chr(30)) = coalesce(image_prices.region_id, chr(30))
),

numbered as (
    select
        usage.*,
        named.segment_number,
        case
            when usage.output_tokens > 0 then 'output_tokens'
            when usage.uncached_input_tokens > 0 then 'uncached_input_tokens'
            when usage.cache_read_tokens > 0 then 'cache_read_tokens'
            when usage.cache_write_5m_tokens > 0 then 'cache_write_5m_tokens'
            when usage.cache_write_1h_tokens > 0 then 'cache_write_1h_tokens'
            else 'output_tokens'
        end as requests_class
    from usage
    inner join named
        on usage.charge_date = named.charge_date
        and coalesce(usage.provider, chr(30)) = coalesce(named.provider, chr(30))
        and coalesce(usage.model, chr(30)) = coalesce(named.model, chr(30))
        and coalesce(usage.service_tier, chr(30)) = coalesce(named.service_tier, chr(30))
        and coalesce(usage.context_min_tokens, -1) = coalesce(named.context_min_tokens, -1)
        and coalesce(usage.time_of_day_start, chr(30)) = coalesce(named.time_of_day_start, chr(30))
        and coalesce(usage.sub_account_id, chr(30)) = coalesce(named.sub_account_id, chr(30))
        and coalesce(usage.region_id, chr(30)) = coalesce(named.region_id, chr(30))
),

crossed as (
    select
        numbered.usage_id,
        numbered.charge_date,
        numbered.owner_id,
        numbered.from_zone,
        numbered.to_zone,
        numbered.segment_number,
        token_classes.token_class,
        case token_classes.token_class
            when 'uncached_input_tokens' then numbered.uncached_input_tokens
            when 'cache_read_tokens' then numbered.cache_read_tokens
            when 'cache_write_5m_tokens' then numbered.cache_write_5m_tokens
            when 'cache_write_1h_tokens' then numbered.cache_write_1h_tokens
            else numbered.output_tokens
        end as quantity_tokens,
        case token_classes.token_class
            when 'uncached_input_tokens' then coalesce(numbered.uncached_audio_tokens, 0)
            when 'cache_read_tokens' then coalesce(numbered.cache_read_audio_tokens, 0)
            when 'output_tokens' then coalesce(numbered.output_audio_tokens, 0)
            else 0
        end as audio_tokens,
        case token_classes.token_class
            when 'uncached_input_tokens' then coalesce(numbered.uncached_image_tokens, 0)
            when 'cache_read_tokens' then coalesce(numbered.cache_read_image_tokens, 0)
            when 'output_tokens' then coalesce(numbered.output_image_tokens, 0)
            else 0
        end as image_tokens,
        case when token_classes.token_class = numbered.requests_class then numbered.requests else 0 end
            as requests,
        case when token_classes.token_class = numbered.requests_class then numbered.web_searches else 0 end
            as web_searches,
        token_classes.token_class = numbered.requests_class as is_requests_class
    from numbered
    cross join token_classes
),

by_class as (
    select *
    from crossed
    where crossed.quantity_tokens > 0 or crossed.is_requests_class
)

select
    by_class.charge_date,
    by_class.usage_id,
    by_class.token_class,
    by_class.owner_id,
    segment_prices.priced_provider as provider,
    segment_prices.priced_model as model,
    segment_prices.service_tier,
    segment_prices.context_min_tokens,
    segment_prices.time_of_day_start,
    segment_prices.sub_account_id,
    segment_prices.region_id,
    by_class.from_zone,
    by_class.to_zone,
    segment_prices.segment_key,
    cast(by_class.quantity_tokens as bigint) as quantity_tokens,
    cast(by_class.requests as bigint) as requests,
    cast(coalesce(by_class.web_searches, 0) as bigint) as web_searches,
    segment_prices.price_id,
    case when by_class.audio_tokens > 0 then segment_prices.audio_price_id end as audio_price_id,
    case when by_class.image_tokens > 0 then segment_prices.image_price_id end as image_price_id,
    cast(
        cast(
            idiv(
                2 * (
                    cast(
                        by_class.quantity_tokens - by_class.audio_tokens - by_class.image_tokens
                        as decimal(18, 0)
                    ) * cast(segment_prices.price_units as decimal(19, 0))
                    + cast(by_class.audio_tokens as decimal(18, 0))
                    * cast(segment_prices.audio_price_units as decimal(19, 0))
                    + cast(by_class.image_tokens as decimal(18, 0))
                    * cast(segment_prices.image_price_units as decimal(19, 0))
                ) + 1000000,
                2000000
            ) as decimal(24, 0)
        ) * cast(0.000000000001 as decimal(13, 12)) as decimal(38, 12)
    ) as list_cost,
    segment_prices.currency as list_cost_currency,
    case
        when segment_prices.name_problem is not null then segment_prices.name_problem
        when segment_prices.price_id is null then 'no_price'
    end as unpriced_reason
from by_class
inner join segment_prices
    on by_class.segment_number = segment_prices.segment_number
    and by_class.token_class = segment_prices.token_class
