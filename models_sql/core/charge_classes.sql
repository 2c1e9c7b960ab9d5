/*
description: >
    What each kind of bill line pays for: the first rule in order that holds for its signature (and for its account,
    resource or tags where a rule asks for them) decides driver, traffic, model, token class and tier.
grain: [billing_period_start, signature_id, account_text, resource_text, tag_text]
materialized: table
partition_by: {column: billing_period_start, unit: month}
columns:
    billing_period_start: null
    signature_id: null
    account_text: empty where no rule asks for it
    resource_text: empty where no rule asks for it
    tag_text: empty where no rule asks for it
    rule_id: null
    provider: null
    cost_driver: null
    traffic_kind: null
    from_region_id: null
    to_region_id: null
    model: null
    token_class: null
    service_tier: null
    context_min_tokens: where the meter names its context; null where it names none
    counted_use: null
    signal: of monitoring, where the meter names one
    consumed_unit_tokens: null
    pricing_unit_tokens: null
    is_consumed_in_hours: null
    is_priced_in_hours: null
    class_key: null
checks:
    - name: every_charge_class_has_a_rule
      severity: fail
      by: partition
      description: The last rule matches everything, so a class without a rule is a broken rule table.
      sql: select signature_id from core.charge_classes where rule_id is null
*/
with

signatures as (
    select *
    from core.charge_signatures
    where billing_period_start >= cast($start as timestamp)
        and billing_period_start < cast($end as timestamp)
),

signed as (
    select *
    from core.signed_charges
    where billing_period_start >= cast($start as timestamp)
        and billing_period_start < cast($end as timestamp)
),

ordered_rules as (select * from reference.classification_rules),

bill_providers as (select * from reference.bill_providers),

region_names as (select * from reference.region_names),

units as (select * from reference.units),

tiers as (select * from reference.service_tiers),

contexts as (select * from reference.context_meters),

uses as (select * from reference.use_meters),

signals as (select * from reference.signal_meters),

aliases as (select * from staging.model_aliases),

patterns as (select * from reference.model_patterns),

rules as (
    select
        ordered_rules.*,
        coalesce(ordered_rules.provider_pattern, '') as provider_test,
        coalesce(ordered_rules.service_pattern, '') as service_test,
        coalesce(ordered_rules.category_pattern, '') as category_test,
        coalesce(ordered_rules.operation_pattern, '') as operation_test,
        coalesce(ordered_rules.meter_pattern, '') as meter_test
    from ordered_rules
),

line_texts as (
    select
        signed.billing_period_start,
        signed.signature_id,
        signed.account_text,
        signed.resource_text,
        signed.tag_text
    from signed
    where signed.account_text is not null or signed.resource_text is not null or signed.tag_text is not null
    group by
        signed.billing_period_start,
        signed.signature_id,
        signed.account_text,
        signed.resource_text,
        signed.tag_text
),

classes as (
    select
        signatures.*,
        coalesce(line_texts.account_text, '') as account_text,
        coalesce(line_texts.resource_text, '') as resource_text,
        coalesce(line_texts.tag_text, '') as tag_text
    from signatures
    left join line_texts
        on signatures.billing_period_start = line_texts.billing_period_start
        and signatures.signature_id = line_texts.signature_id
),

texts as (
    select
        signatures.provider_text,
        signatures.service_text,
        signatures.category_text,
        signatures.operation_text,
        signatures.meter_text,
        signatures.charge_category
    from signatures
    group by
        signatures.provider_text,
        signatures.service_text,
        signatures.category_text,
        signatures.operation_text,
        signatures.meter_text,
        signatures.charge_category
),

provider_tests as (
    select rules.provider_test
    from rules
    group by rules.provider_test
),

provider_texts as (
    select texts.provider_text
    from texts
    group by texts.provider_text
),

provider_matches as (
    select
        provider_texts.provider_text,
        provider_tests.provider_test
    from provider_texts
    inner join provider_tests on regexp_matches(provider_texts.provider_text, provider_tests.provider_test)
),

service_tests as (
    select rules.service_test
    from rules
    group by rules.service_test
),

service_texts as (
    select texts.service_text
    from texts
    group by texts.service_text
),

service_matches as (
    select
        service_texts.service_text,
        service_tests.service_test
    from service_texts
    inner join service_tests on regexp_matches(service_texts.service_text, service_tests.service_test)
),

category_tests as (
    select rules.category_test
    from rules
    group by rules.category_test
),

category_texts as (
    select texts.category_text
    from texts
    group by texts.category_text
),

category_matches as (
    select
        category_texts.category_text,
        category_tests.category_test
    from category_texts
    inner join category_tests on regexp_matches(category_texts.category_text, category_tests.category_test)
),

operation_tests as (
    select rules.operation_test
    from rules
    group by rules.operation_test
),

operation_texts as (
    select texts.operation_text
    from texts
    group by texts.operation_text
),

operation_matches as (
    select
        operation_texts.operation_text,
        operation_tests.operation_test
    from operation_texts
    inner join
        operation_tests
        on regexp_matches(operation_texts.operation_text, operation_tests.operation_test)
),

narrowed as (
    select
        texts.provider_text,
        texts.service_text,
        texts.category_text,
        texts.operation_text,
        texts.meter_text,
        texts.charge_category,
        rules.rule_id,
        rules.meter_test
    from texts
    inner join provider_matches on texts.provider_text = provider_matches.provider_text
    inner join service_matches on texts.service_text = service_matches.service_text
    inner join category_matches on texts.category_text = category_matches.category_text
    inner join operation_matches on texts.operation_text = operation_matches.operation_text
    inner join rules
        on provider_matches.provider_test = rules.provider_test
        and service_matches.service_test = rules.service_test
        and category_matches.category_test = rules.category_test
        and operation_matches.operation_test = rules.operation_test
        and (rules.charge_category is null or texts.charge_category = rules.charge_category)
),

meter_matches as (
    select
        pairs.meter_text,
        pairs.meter_test
    from (
        select
            narrowed.meter_text,
            narrowed.meter_test
        from narrowed
        group by narrowed.meter_text, narrowed.meter_test
    ) as pairs
    where regexp_matches(pairs.meter_text, pairs.meter_test)
),

meters as (
    select texts.meter_text
    from texts
    group by texts.meter_text
),

named_tiers as (
    select
        meters.meter_text,
        tiers.service_tier,
        row_number() over (
            partition by meters.meter_text order by tiers.priority, tiers.service_tier
        ) as candidate_rank
    from meters
    inner join tiers on regexp_matches(meters.meter_text, tiers.meter_pattern)
),

named_contexts as (
    select
        meters.meter_text,
        contexts.context_min_tokens,
        row_number() over (
            partition by meters.meter_text order by contexts.priority, contexts.context_min_tokens
        ) as candidate_rank
    from meters
    inner join contexts on regexp_matches(meters.meter_text, contexts.meter_pattern)
),

named_uses as (
    select
        meters.meter_text,
        uses.counted_use,
        row_number() over (
            partition by meters.meter_text order by uses.priority, uses.counted_use
        ) as candidate_rank
    from meters
    inner join uses on regexp_matches(meters.meter_text, uses.meter_pattern)
),

named_signals as (
    select
        meters.meter_text,
        signals.signal,
        row_number() over (
            partition by meters.meter_text order by signals.priority, signals.signal
        ) as candidate_rank
    from meters
    inner join signals on regexp_matches(meters.meter_text, signals.meter_pattern)
),

rule_candidates as (
    select
        classes.billing_period_start,
        classes.signature_id,
        classes.account_text,
        classes.resource_text,
        classes.tag_text,
        rules.rule_id,
        row_number() over (
            partition by
                classes.billing_period_start,
                classes.signature_id,
                classes.account_text,
                classes.resource_text,
                classes.tag_text
            order by rules.priority, rules.rule_id
        ) as candidate_rank
    from classes
    inner join narrowed
        on classes.provider_text = narrowed.provider_text
        and classes.service_text = narrowed.service_text
        and classes.category_text = narrowed.category_text
        and classes.operation_text = narrowed.operation_text
        and classes.meter_text = narrowed.meter_text
        and classes.charge_category is not distinct from narrowed.charge_category
    inner join meter_matches
        on narrowed.meter_text = meter_matches.meter_text
        and narrowed.meter_test = meter_matches.meter_test
    inner join rules
        on narrowed.rule_id = rules.rule_id
        and regexp_matches(classes.account_text, coalesce(rules.account_pattern, ''))
        and regexp_matches(classes.resource_text, coalesce(rules.resource_pattern, ''))
        and regexp_matches(classes.tag_text, coalesce(rules.tag_pattern, ''))
),

decided as (
    select
        classes.*,
        rules.rule_id,
        rules.cost_driver,
        rules.traffic_kind,
        rules.token_class,
        case
            when rules.cost_driver = 'inference'
                then coalesce(rules.service_tier, named_tiers.service_tier, 'standard')
        end as service_tier,
        case when rules.token_class is not null then named_contexts.context_min_tokens end
            as context_min_tokens,
        case
            when rules.token_class is null and rules.cost_driver in ('inference', 'retrieval')
                then named_uses.counted_use
        end as counted_use,
        case when rules.cost_driver = 'monitoring' then named_signals.signal end as signal,
        case
            when rules.token_class is not null
                then nullif(
                    lower(regexp_extract(classes.sku_price_details, '"ModelId" *: *"([^"]+)"', 1)), ''
                )
        end as stated_model,
        nullif(
            regexp_extract(classes.meter_text || ' | ' || classes.service_text, rules.model_pattern, 1), ''
        ) as read_model,
        nullif(regexp_extract(classes.meter_text, rules.from_pattern, 1), '') as from_text,
        nullif(regexp_extract(classes.meter_text, rules.to_pattern, 1), '') as to_text
    from classes
    left join rule_candidates
        on classes.billing_period_start = rule_candidates.billing_period_start
        and classes.signature_id = rule_candidates.signature_id
        and classes.account_text = rule_candidates.account_text
        and classes.resource_text = rule_candidates.resource_text
        and classes.tag_text = rule_candidates.tag_text
        and rule_candidates.candidate_rank = 1
    left join rules on rule_candidates.rule_id = rules.rule_id
    left join named_tiers on classes.meter_text = named_tiers.meter_text and named_tiers.candidate_rank = 1
    left join named_contexts
        on classes.meter_text = named_contexts.meter_text
        and named_contexts.candidate_rank = 1
    left join named_uses on classes.meter_text = named_uses.meter_text and named_uses.candidate_rank = 1
    left join named_signals
        on classes.meter_text = named_signals.meter_text
        and named_signals.candidate_rank = 1
),

provider_candidates as (
    select
        known.provider_text,
        known.service_text,
        bill_providers.provider,
        row_number() over (
            partition by known.provider_text, known.service_text
            order by bill_providers.priority, bill_providers.provider
        ) as candidate_rank
    from (
        select
            texts.provider_text,
            texts.service_text
        from texts
        group by texts.provider_text, texts.service_text
    ) as known
    inner join bill_providers
        on regexp_matches(known.provider_text, coalesce(bill_providers.name_pattern, ''))
        and regexp_matches(known.service_text, coalesce(bill_providers.service_pattern, ''))
),

named as (
    select
        decided.*,
        coalesce(provider_candidates.provider, decided.provider_text) as provider,
        coalesce(decided.stated_model, decided.read_model) as model_text,
        regexp_replace(
            trim(coalesce(decided.stated_model, decided.read_model)), '[-_ .]+', '-', 'g'
        ) as model_alias
    from decided
    left join provider_candidates
        on decided.provider_text = provider_candidates.provider_text
        and decided.service_text = provider_candidates.service_text
        and provider_candidates.candidate_rank = 1
),

named_models as (
    select
        named.provider,
        named.model_text
    from named
    where named.model_text is not null
    group by named.provider, named.model_text
),

pattern_candidates as (
    select
        named_models.provider,
        named_models.model_text,
        patterns.model,
        row_number() over (
            partition by named_models.provider, named_models.model_text
            order by patterns.priority, patterns.model
        ) as candidate_rank
    from named_models
    inner join patterns
        on named_models.provider = patterns.provider
        and regexp_matches(named_models.model_text, patterns.pattern_1)
        and regexp_matches(named_models.model_text, coalesce(patterns.pattern_2, ''))
        and regexp_matches(named_models.model_text, coalesce(patterns.pattern_3, ''))
),

joined as (
    select
        named.*,
        coalesce(
            own_aliases.model,
            shared_aliases.model,
            pattern_candidates.model,
            named.stated_model,
            named.model_alias
        ) as model,
        case when named.cost_driver = 'egress' then coalesce(named.x_from_region_id, from_names.region_id) end
            as stated_from_region_id,
        case when named.cost_driver = 'egress' then coalesce(named.x_to_region_id, to_names.region_id) end
            as stated_to_region_id,
        case
            when named.token_class is not null and consumed_units.base_unit = 'tokens'
                then consumed_units.multiplier
            when named.counted_use in ('web_search', 'requests') and consumed_units.base_unit = 'count'
                then consumed_units.multiplier
        end as consumed_unit_tokens,
        case
            when named.token_class is null then null
            when priced_units.base_unit = 'count' and priced_units.multiplier = 1
                and regexp_matches(named.meter_text, 'million|1m tokens')
                then 1000000
            when priced_units.base_unit = 'count' and priced_units.multiplier = 1
                and regexp_matches(named.meter_text, 'thousand|1k tokens|1000 tokens')
                then 1000
            else priced_units.multiplier
        end as pricing_unit_tokens,
        coalesce(lower(named.consumed_unit) in ('hours', 'hour', 'hrs', 'hr', '1 hour'), false)
            as is_consumed_in_hours,
        coalesce(lower(named.pricing_unit) in ('hours', 'hour', 'hrs', 'hr', '1 hour'), false)
            as is_priced_in_hours
    from named
    left join aliases as own_aliases
        on named.provider = own_aliases.provider and named.model_alias = own_aliases.alias
    left join aliases as shared_aliases
        on shared_aliases.provider is null and named.model_alias = shared_aliases.alias
    left join pattern_candidates
        on named.provider = pattern_candidates.provider
        and named.model_text = pattern_candidates.model_text
        and pattern_candidates.candidate_rank = 1
    left join region_names as from_names
        on named.provider = from_names.provider and named.from_text = from_names.name
    left join region_names as to_names
        on named.provider = to_names.provider and named.to_text = to_names.name
    left join units as consumed_units on lower(named.consumed_unit) = consumed_units.unit
    left join units as priced_units on lower(named.pricing_unit) = priced_units.unit
),

located as (
    select
        joined.*,
        case
            when joined.traffic_kind = 'inter_region' and joined.stated_to_region_id is not null
                then coalesce(joined.stated_from_region_id, joined.region_id)
            else joined.stated_from_region_id
        end as from_region_id,
        case
            when joined.traffic_kind = 'inter_region' and joined.stated_from_region_id is not null
                then coalesce(joined.stated_to_region_id, joined.region_id)
            else joined.stated_to_region_id
        end as to_region_id
    from joined
)

select
    located.billing_period_start,
    located.signature_id,
    located.account_text,
    located.resource_text,
    located.tag_text,
    located.rule_id,
    located.provider,
    located.cost_driver,
    located.traffic_kind,
    located.from_region_id,
    located.to_region_id,
    located.model,
    located.token_class,
    located.service_tier,
    located.context_min_tokens,
    located.counted_use,
    located.signal,
    located.consumed_unit_tokens,
    located.pricing_unit_tokens,
    located.is_consumed_in_hours,
    located.is_priced_in_hours,
    md5(
        coalesce(located.charge_category, chr(30))
        || chr(31) || coalesce(located.cost_driver, chr(30))
        || chr(31) || coalesce(located.traffic_kind, chr(30))
        || chr(31) || coalesce(located.from_region_id, chr(30))
        || chr(31) || coalesce(located.to_region_id, chr(30))
        || chr(31) || located.provider
        || chr(31) || coalesce(located.service_name, chr(30))
        || chr(31) || coalesce(located.model, located.sku_id, chr(30))
        || chr(31) || coalesce(located.sku_meter, chr(30))
        || chr(31) || coalesce(located.token_class, chr(30))
        || chr(31) || coalesce(located.service_tier, chr(30))
        || chr(31) || coalesce(located.region_id, chr(30))
        || chr(31) || located.rule_id
    ) as class_key
from located
