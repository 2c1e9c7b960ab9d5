/*
description: >
    Names in the day's request log that mean a model whose price changes within a day, with the stretches of the day
    that its price may differ between. All other requests need no time of day in their price segment.
grain: [charge_date, provider, model, time_of_day_start]
materialized: table
partition_by: {column: charge_date, unit: day}
columns:
    charge_date: null
    provider: null
    model: as the request log names it
    time_of_day_start: null
    band_start_at: null
    band_end_at: null
*/
with

/*
What reports say, as delivered, and what merged attempts took from several of them: no column that would have to be read
for every request but these three. A name that no attempt kept costs a row, and changes no price.
*/
requests as (
    select
        reports.started_at,
        reports.provider,
        reports.model
    from staging.request_names as reports
    where reports.started_at >= cast($start as timestamp) and reports.started_at < cast($end as timestamp)
    union all
    select
        attempts.started_at,
        attempts.provider,
        attempts.model
    from staging.shared_attempts as attempts
    where attempts.started_at >= cast($start as timestamp) and attempts.started_at < cast($end as timestamp)
),

prices as (select * from core.dated_prices),

provider_names as (
    select
        otel_name,
        min(price_provider) as price_provider
    from reference.provider_names
    group by otel_name
),

/* Minutes of the day at which some price of the model begins or ends. */
stated_minutes as (
    select
        prices.provider,
        prices.model,
        cast(
            60 * cast(substr(prices.time_of_day_start, 1, 2) as integer)
            + cast(substr(prices.time_of_day_start, 4, 2) as integer) as bigint
        ) as first_minute
    from prices
    where prices.time_of_day_start is not null
    union all
    select
        prices.provider,
        prices.model,
        cast(
            60 * cast(substr(prices.time_of_day_end, 1, 2) as integer)
            + cast(substr(prices.time_of_day_end, 4, 2) as integer) as bigint
        ) as first_minute
    from prices
    where prices.time_of_day_end is not null
    union all
    select
        prices.provider,
        prices.model,
        cast(60 * extract(hour from prices.applies_from) + extract(minute from prices.applies_from) as bigint)
            as first_minute
    from prices
    where prices.applies_from is not null
    union all
    select
        prices.provider,
        prices.model,
        cast(60 * extract(hour from prices.valid_from) + extract(minute from prices.valid_from) as bigint)
            as first_minute
    from prices
    where prices.valid_from is not null
    union all
    select
        prices.provider,
        prices.model,
        cast(60 * extract(hour from prices.valid_to) + extract(minute from prices.valid_to) as bigint)
            as first_minute
    from prices
    where prices.valid_to is not null
),

cuts as (
    select
        stated_minutes.provider,
        stated_minutes.model,
        stated_minutes.first_minute
    from stated_minutes
    where stated_minutes.first_minute > 0 and stated_minutes.first_minute < 1440
    group by stated_minutes.provider, stated_minutes.model, stated_minutes.first_minute
),

timed_models as (
    select
        cuts.provider,
        cuts.model
    from cuts
    group by cuts.provider, cuts.model
),

names as (
    select
        cast(requests.started_at as date) as charge_date,
        requests.provider,
        requests.model
    from requests
    where requests.model is not null
    group by cast(requests.started_at as date), requests.provider, requests.model
),

texts as (
    select
        names.charge_date,
        names.provider,
        names.model,
        coalesce(provider_names.price_provider, names.provider) as price_provider,
        lower(trim(names.model)) as model_text,
        regexp_replace(lower(trim(names.model)), '[-_ .]+', '-', 'g') as model_alias
    from names
    left join provider_names on names.provider = provider_names.otel_name
),

/* More names than the ones priced so may be met here: that costs rows, and changes no price. */
met as (
    select
        texts.charge_date,
        texts.provider,
        texts.model,
        timed_models.provider as price_provider,
        timed_models.model as price_model
    from texts
    inner join timed_models on texts.price_provider = timed_models.provider
    inner join reference.model_patterns as patterns
        on timed_models.provider = patterns.provider
        and timed_models.model = patterns.model
        and regexp_matches(texts.model_text, patterns.pattern_1)
        and (patterns.pattern_2 is null or regexp_matches(texts.model_text, patterns.pattern_2))
        and (patterns.pattern_3 is null or regexp_matches(texts.model_text, patterns.pattern_3))
    union all
    select
        texts.charge_date,
        texts.provider,
        texts.model,
        timed_models.provider as price_provider,
        timed_models.model as price_model
    from texts
    inner join staging.model_aliases as aliases
        on texts.model_alias = aliases.alias
        and (aliases.provider is null or texts.price_provider = aliases.provider)
    inner join timed_models
        on aliases.model = timed_models.provider || '/' || timed_models.model
        or (texts.price_provider = timed_models.provider and aliases.model = timed_models.model)
    union all
    select
        texts.charge_date,
        texts.provider,
        texts.model,
        timed_models.provider as price_provider,
        timed_models.model as price_model
    from texts
    inner join timed_models
        on texts.price_provider = timed_models.provider
        and texts.model_text = lower(trim(timed_models.model))
),

band_starts as (
    select
        met.charge_date,
        met.provider,
        met.model,
        cuts.first_minute
    from met
    inner join cuts on met.price_provider = cuts.provider and met.price_model = cuts.model
    union all
    select
        met.charge_date,
        met.provider,
        met.model,
        cast(0 as bigint) as first_minute
    from met
),

bands as (
    select
        band_starts.charge_date,
        band_starts.provider,
        band_starts.model,
        band_starts.first_minute
    from band_starts
    group by
        band_starts.charge_date,
        band_starts.provider,
        band_starts.model,
        band_starts.first_minute
),

named as (
    select
        bands.charge_date,
        bands.provider,
        bands.model,
        bands.first_minute,
        lpad(cast(idiv(bands.first_minute, 60) as varchar), 2, '0') || ':'
        || lpad(cast(bands.first_minute - 60 * idiv(bands.first_minute, 60) as varchar), 2, '0')
            as time_of_day_start
    from bands
),

begun as (
    select
        named.*,
        cast(
            cast(named.charge_date as varchar) || ' ' || named.time_of_day_start || ':00' as timestamp
        ) as band_start_at
    from named
)

select
    begun.charge_date,
    begun.provider,
    begun.model,
    begun.time_of_day_start,
    begun.band_start_at,
    coalesce(
        lead(begun.band_start_at) over (
            partition by begun.charge_date, begun.provider, begun.model
            order by begun.first_minute
        ),
        cast(begun.charge_date + interval 1 day as timestamp)
    ) as band_end_at
from begun
