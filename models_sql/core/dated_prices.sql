/*
description: >
    Prices with the stretch of request times in which each is the one to look at. A list holds from its publication
    to that of the next list that states the same model, tier, class and region, the oldest one since ever; what the
    user states holds from its publication on, and a correction of what was wrong from the start since ever.
grain: [price_id]
materialized: table
columns:
    price_id: null
    published_at: null
    applies_from: requests from then on look at this row; null = since ever
    applies_to: requests before then look at this row; null = still
    valid_from: null
    valid_to: null
    provider: null
    model: null
    token_class: null
    service_tier: null
    context_min_tokens: null
    region_id: null
    time_of_day_start: null
    time_of_day_end: null
    price_per_mtok: null
    currency: null
    price_rank: null
    is_wrong_from_start: null
*/
with

prices as (select * from staging.prices),

ranked as (
    select
        prices.price_id,
        prices.published_at,
        prices.valid_from,
        prices.valid_to,
        prices.provider,
        prices.model,
        prices.token_class,
        prices.service_tier,
        prices.context_min_tokens,
        prices.region_id,
        prices.time_of_day_start,
        prices.time_of_day_end,
        prices.price_per_mtok,
        prices.currency,
        prices.is_wrong_from_start,
        coalesce(prices.price_rank, case when prices.is_override then 1 else 4 end) as price_rank
    from prices
),

lists as (
    select
        ranked.price_rank,
        ranked.provider,
        ranked.model,
        ranked.token_class,
        ranked.service_tier,
        coalesce(ranked.region_id, chr(30)) as region_key,
        ranked.published_at
    from ranked
    where ranked.price_rank > 2
    group by
        ranked.price_rank,
        ranked.provider,
        ranked.model,
        ranked.token_class,
        ranked.service_tier,
        coalesce(ranked.region_id, chr(30)),
        ranked.published_at
),

stretches as (
    select
        lists.*,
        lag(lists.published_at) over (
            partition by
                lists.price_rank,
                lists.provider,
                lists.model,
                lists.token_class,
                lists.service_tier,
                lists.region_key
            order by lists.published_at
        ) as previous_published_at,
        lead(lists.published_at) over (
            partition by
                lists.price_rank,
                lists.provider,
                lists.model,
                lists.token_class,
                lists.service_tier,
                lists.region_key
            order by lists.published_at
        ) as next_published_at
    from lists
)

select
    ranked.price_id,
    ranked.published_at,
    case
        when ranked.is_wrong_from_start then null
        when ranked.price_rank <= 2 then ranked.published_at
        when stretches.previous_published_at is null then null
        else ranked.published_at
    end as applies_from,
    stretches.next_published_at as applies_to,
    ranked.valid_from,
    ranked.valid_to,
    ranked.provider,
    ranked.model,
    ranked.token_class,
    ranked.service_tier,
    ranked.context_min_tokens,
    ranked.region_id,
    ranked.time_of_day_start,
    ranked.time_of_day_end,
    ranked.price_per_mtok,
    ranked.currency,
    cast(ranked.price_rank as bigint) as price_rank,
    ranked.is_wrong_from_start
from ranked
left join stretches
    on ranked.price_rank = stretches.price_rank
    and ranked.provider = stretches.provider
    and ranked.model = stretches.model
    and ranked.token_class = stretches.token_class
    and ranked.service_tier = stretches.service_tier
    and coalesce(ranked.region_id, chr(30)) = stretches.region_key
    and ranked.published_at = stretches.published_at
