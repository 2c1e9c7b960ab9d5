/*
description: >
    Which priced model a name in the request log, or in a provider's own count, means, by alias first, then by the price book's own patterns,
    then as the name of a price itself, such as an override's. An alias may mean a model of another provider,
    written provider/model. A name that nothing matches stays unmatched and is a finding with its dollars, never a guess.
grain: [charge_date, name_id]
materialized: table
partition_by: {column: charge_date, unit: day}
columns:
    charge_date: null
    name_id: null
    logged_provider: null
    logged_model: null
    provider: null
    model: null
    matched_by: null
*/
with

usage as (
    select *
    from core.request_usage
    where charge_date >= $start and charge_date < $end
),

counted as (
    select *
    from staging.provider_usage
    where bucket_start >= cast($start as timestamp) and bucket_start < cast($end as timestamp)
),

said as (
    select
        usage.charge_date,
        usage.provider,
        usage.model
    from usage
    group by usage.charge_date, usage.provider, usage.model
    union
    select
        cast(counted.bucket_start as date) as charge_date,
        counted.provider,
        counted.model
    from counted
    where counted.model is not null
),

provider_names as (
    select
        otel_name,
        min(price_provider) as price_provider
    from reference.provider_names
    group by otel_name
),

aliases as (select * from staging.model_aliases),

patterns as (select * from reference.model_patterns),

names as (
    select
        said.charge_date,
        said.provider as logged_provider,
        said.model as logged_model,
        coalesce(provider_names.price_provider, said.provider) as provider,
        lower(trim(said.model)) as model_text,
        regexp_replace(lower(trim(said.model)), '[-_ .]+', '-', 'g') as model_alias
    from said
    left join provider_names on said.provider = provider_names.otel_name
    group by said.charge_date, said.provider, said.model, provider_names.price_provider
),

distinct_names as (
    select
        names.provider,
        names.model_text
    from names
    where names.model_text is not null
    group by names.provider, names.model_text
),

pattern_candidates as (
    select
        distinct_names.provider,
        distinct_names.model_text,
        patterns.model,
        row_number() over (
            partition by distinct_names.provider, distinct_names.model_text
            order by patterns.priority, patterns.model
        ) as candidate_rank
    from distinct_names
    inner join patterns
        on distinct_names.provider = patterns.provider
        and regexp_matches(distinct_names.model_text, patterns.pattern_1)
        and (patterns.pattern_2 is null or regexp_matches(distinct_names.model_text, patterns.pattern_2))
        and (patterns.pattern_3 is null or regexp_matches(distinct_names.model_text, patterns.pattern_3))
),

matched_patterns as (
    select * from pattern_candidates
    where candidate_rank = 1
),

alias_candidates as (
    select
        names.provider,
        names.model_alias,
        aliases.model,
        row_number() over (
            partition by names.provider, names.model_alias
            order by case when aliases.provider is null then 1 else 0 end, aliases.model
        ) as candidate_rank
    from (
        select
            provider,
            model_alias
        from names
        group by provider, model_alias
    ) as names
    inner join aliases
        on names.model_alias = aliases.alias
        and (aliases.provider is null or names.provider = aliases.provider)
),

matched_aliases as (
    select * from alias_candidates
    where candidate_rank = 1
),

price_models as (select * from core.price_models),

/* Aliases to a model that their own provider has no price of, but the provider before the slash has. */
foreign_aliases as (
    select
        matched_aliases.provider,
        matched_aliases.model_alias,
        min(price_models.provider) as price_provider,
        min(price_models.model) as price_model
    from matched_aliases
    inner join price_models on matched_aliases.model = price_models.provider || '/' || price_models.model
    left join price_models as own_models
        on matched_aliases.provider = own_models.provider
        and matched_aliases.model = own_models.model
    where own_models.model is null
    group by matched_aliases.provider, matched_aliases.model_alias
    having count(*) = 1
),

priced_names as (
    select
        price_models.provider,
        lower(trim(price_models.model)) as model_text,
        min(price_models.model) as model
    from price_models
    group by price_models.provider, lower(trim(price_models.model))
)

select
    names.charge_date,
    md5(coalesce(names.logged_provider, chr(30)) || chr(31) || coalesce(names.logged_model, chr(30)))
        as name_id,
    names.logged_provider,
    names.logged_model,
    coalesce(foreign_aliases.price_provider, names.provider) as provider,
    coalesce(
        foreign_aliases.price_model, matched_aliases.model, matched_patterns.model, priced_names.model
    ) as model,
    case
        when matched_aliases.model is not null then 'alias'
        when matched_patterns.model is not null then 'pattern'
        when priced_names.model is not null then 'price'
        else 'unmatched'
    end as matched_by
from names
left join matched_aliases
    on names.provider = matched_aliases.provider
    and names.model_alias = matched_aliases.model_alias
left join matched_patterns
    on names.provider = matched_patterns.provider
    and names.model_text = matched_patterns.model_text
left join foreign_aliases
    on names.provider = foreign_aliases.provider
    and names.model_alias = foreign_aliases.model_alias
left join priced_names
    on names.provider = priced_names.provider
    and names.model_text = priced_names.model_text
