/*
description: >
    Every bill line, classified by the ordered rule table, with its cell key, the UTC days it covers and its
    reporting-currency copies, converted once per charge at the charge date's rate.
grain: [charge_id]
materialized: table
partition_by: {column: billing_period_start, unit: month}
overlap: {start: spread_start_date, end: spread_end_date}
columns:
    billing_period_start: null
    charge_id: null
    x_line_key: null
    bill_of_record: null
    x_snapshot_id: null
    x_source_file: null
    provider: null
    billing_account_id: null
    sub_account_id: null
    billing_currency: null
    invoice_id: null
    invoice_issuer_name: null
    service_name: null
    sku_id: null
    sku_meter: null
    region_id: null
    availability_zone: null
    resource_id: null
    charge_category: null
    charge_class: null
    charge_frequency: null
    charge_description: null
    charge_period_start: null
    charge_period_end: null
    commitment_discount_id: null
    commitment_discount_status: null
    cost_driver: null
    traffic_kind: null
    from_zone: null
    to_zone: null
    model: null
    token_class: null
    service_tier: null
    rule_id: null
    tag_user_id: null
    tag_tenant: null
    tag_customer: null
    tag_team: null
    tag_feature: null
    tag_endpoint: null
    tag_workflow: null
    tag_environment: null
    billed_quantity: how many tokens the line bills; null where the unit is not tokens
    billed_cost: null
    effective_cost: null
    list_cost: null
    billed_cost_reporting: null
    effective_cost_reporting: null
    list_cost_reporting: null
    fx_date: null
    cost_state: null
    spread_kind: null
    spread_start_at: null
    spread_end_at: null
    spread_start_date: null
    spread_end_date: null
    cell_key: null
checks:
    - name: every_charge_is_classified
      severity: fail
      description: The last rule matches everything, so a line without a rule is a broken rule table.
      sql: select charge_id from core.charges where rule_id is null
    - name: charges_keep_the_delivered_total
      severity: fail
      description: Classification must not lose or repeat a line or a cent.
      sql: >
        select d.billing_currency, d.lines, c.lines as core_lines, d.total, c.total as core_total
        from (select billing_currency, count(*) as lines, sum(billed_cost) as total
              from staging.charges group by billing_currency) as d
        full join (select billing_currency, count(*) as lines, sum(billed_cost) as total
              from core.charges group by billing_currency) as c
          on d.billing_currency = c.billing_currency
        where d.lines is distinct from c.lines or d.total is distinct from c.total
*/
with

source as (
    select *
    from staging.charges
    where billing_period_start >= cast($start as timestamp)
        and billing_period_start < cast($end as timestamp)
),

rules as (select * from reference.classification_rules),

bill_providers as (select * from reference.bill_providers),

units as (select * from reference.units),

aliases as (select * from staging.model_aliases),

patterns as (select * from reference.model_patterns),

fx_rates as (
    select * from staging.fx_rates
    where to_currency = $reporting_currency
),

deliveries as (select * from staging.bill_deliveries),

described as (
    select
        source.*,
        lower(coalesce(source.service_provider_name, source.invoice_issuer_name, '')) as provider_text,
        lower(coalesce(source.service_name, '')) as service_text,
        lower(
            coalesce(source.sku_meter, '') || ' ' || coalesce(source.charge_description, '')
        ) as meter_text,
        lower(
            coalesce(source.service_category, '') || '/' || coalesce(source.service_subcategory, '')
        ) as category_text
    from source
),

signed as (
    select
        described.*,
        md5(
            described.provider_text || chr(31) || described.service_text || chr(31)
            || described.meter_text || chr(31) || described.category_text
            || chr(31) || coalesce(described.charge_category, '')
        ) as signature_id
    from described
),

signatures as (
    select
        signed.signature_id,
        signed.provider_text,
        signed.service_text,
        signed.meter_text,
        signed.category_text,
        signed.charge_category
    from signed
    group by
        signed.signature_id,
        signed.provider_text,
        signed.service_text,
        signed.meter_text,
        signed.category_text,
        signed.charge_category
),

provider_candidates as (
    select
        signatures.provider_text,
        bill_providers.provider,
        row_number() over (
            partition by signatures.provider_text order by bill_providers.priority, bill_providers.provider
        ) as candidate_rank
    from (
        select provider_text
        from signatures
        group by provider_text
    ) as signatures
    inner join bill_providers
        on regexp_matches(signatures.provider_text, bill_providers.name_pattern)
),

providers as (
    select * from provider_candidates
    where candidate_rank = 1
),

rule_candidates as (
    select
        signatures.signature_id,
        rules.rule_id,
        rules.cost_driver,
        rules.traffic_kind,
        rules.token_class,
        rules.service_tier,
        nullif(regexp_extract(signatures.meter_text, rules.model_pattern, 1), '') as model_text,
        row_number() over (
            partition by signatures.signature_id order by rules.priority, rules.rule_id
        ) as candidate_rank
    from signatures
    inner join rules
        on (rules.charge_category is null or signatures.charge_category = rules.charge_category)
        and (
            rules.provider_pattern is null
            or regexp_matches(signatures.provider_text, rules.provider_pattern)
        )
        and (
            rules.service_pattern is null
            or regexp_matches(signatures.service_text, rules.service_pattern)
        )
        and (
            rules.category_pattern is null
            or regexp_matches(signatures.category_text, rules.category_pattern)
        )
        and (
            rules.meter_pattern is null
            or regexp_matches(signatures.meter_text, rules.meter_pattern)
        )
),

classified as (
    select
        rule_candidates.*,
        regexp_replace(trim(rule_candidates.model_text), '[-_ .]+', '-', 'g') as model_alias
    from rule_candidates
    where rule_candidates.candidate_rank = 1
),

named_models as (
    select
        providers.provider,
        classified.model_text
    from classified
    inner join signatures on classified.signature_id = signatures.signature_id
    inner join providers on signatures.provider_text = providers.provider_text
    where classified.model_text is not null
    group by providers.provider, classified.model_text
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
        and (
            patterns.pattern_2 is null
            or regexp_matches(named_models.model_text, patterns.pattern_2)
        )
        and (
            patterns.pattern_3 is null
            or regexp_matches(named_models.model_text, patterns.pattern_3)
        )
),

matched_patterns as (
    select * from pattern_candidates
    where candidate_rank = 1
),

fx_ranges as (
    select
        fx_rates.from_currency,
        fx_rates.rate_date,
        fx_rates.rate,
        lead(fx_rates.rate_date) over (
            partition by fx_rates.from_currency order by fx_rates.rate_date
        ) as next_rate_date
    from fx_rates
),

joined as (
    select
        signed.*,
        providers.provider,
        classified.rule_id,
        classified.cost_driver,
        classified.traffic_kind,
        classified.token_class,
        coalesce(
            classified.service_tier, case when classified.cost_driver = 'inference' then 'standard' end
        ) as service_tier,
        coalesce(aliases.model, matched_patterns.model, classified.model_alias) as model,
        deliveries.delivered_at,
        deliveries.watermark_at,
        deliveries.closed_after_days,
        deliveries.period_status,
        case
            when classified.token_class is null then null
            when consumed_units.base_unit = 'tokens'
                then cast(
                    cast(signed.consumed_quantity as decimal(27, 10))
                    * cast(consumed_units.multiplier as decimal(8, 0)) as decimal(38, 12)
                )
            when priced_units.base_unit is not null
                then cast(
                    cast(signed.pricing_quantity as decimal(27, 10))
                    * cast(priced_units.multiplier as decimal(8, 0)) as decimal(38, 12)
                )
        end as billed_quantity,
        case
            when signed.billing_currency = $reporting_currency then cast(1 as decimal(18, 9))
            else fx_ranges.rate
        end as rate,
        case when signed.billing_currency <> $reporting_currency then fx_ranges.rate_date end as fx_date
    from signed
    left join providers on signed.provider_text = providers.provider_text
    left join classified on signed.signature_id = classified.signature_id
    left join aliases
        on classified.model_alias = aliases.alias
        and (aliases.provider is null or providers.provider = aliases.provider)
    left join matched_patterns
        on providers.provider = matched_patterns.provider
        and classified.model_text = matched_patterns.model_text
    left join units as consumed_units on lower(signed.consumed_unit) = consumed_units.unit
    left join units as priced_units on lower(signed.pricing_unit) = priced_units.unit
    left join deliveries
        on signed.x_source = deliveries.source
        and signed.x_snapshot_id = deliveries.snapshot_id
        and signed.billing_account_id = deliveries.billing_account_id
        and signed.billing_period_start = deliveries.billing_period_start
    left join fx_ranges
        on signed.billing_currency = fx_ranges.from_currency
        and cast(signed.charge_period_start as date) >= fx_ranges.rate_date
        and (
            fx_ranges.next_rate_date is null
            or cast(signed.charge_period_start as date) < fx_ranges.next_rate_date
        )
),

spread as (
    select
        joined.*,
        case
            when joined.charge_category in ('Tax', 'Credit', 'Adjustment')
                or coalesce(lower(joined.charge_frequency), '') = 'one-time'
                or (
                    joined.charge_category = 'Purchase'
                    and coalesce(lower(joined.charge_frequency), '') <> 'recurring'
                )
                or joined.charge_period_end <= joined.charge_period_start
                then 'start_day'
            else 'seconds'
        end as spread_kind,
        case
            when coalesce(lower(joined.charge_frequency), '') = 'recurring'
                or joined.watermark_at is null
                or joined.watermark_at <= joined.charge_period_start
                then joined.charge_period_end
            else least(joined.charge_period_end, joined.watermark_at)
        end as covered_until
    from joined
),

money as (
    select
        spread.*,
        cast(cast(spread.rate as decimal(27, 9)) * cast(1000000000 as decimal(10, 0)) as decimal(18, 0))
            as rate_units,
        cast(
            cast(spread.billed_cost as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as billed_units,
        cast(
            cast(spread.effective_cost as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as effective_units,
        cast(
            cast(spread.list_cost as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as list_units
    from spread
),

converted as (
    select
        money.*,
        idiv(
            2 * money.billed_units * cast(money.rate_units as decimal(15, 0))
            + case when money.billed_units < 0 then -1000000000 else 1000000000 end,
            2000000000
        ) as billed_reporting_units,
        idiv(
            2 * money.effective_units * cast(money.rate_units as decimal(15, 0))
            + case when money.effective_units < 0 then -1000000000 else 1000000000 end,
            2000000000
        ) as effective_reporting_units,
        idiv(
            2 * money.list_units * cast(money.rate_units as decimal(15, 0))
            + case when money.list_units < 0 then -1000000000 else 1000000000 end,
            2000000000
        ) as list_reporting_units
    from money
)

select
    converted.billing_period_start,
    converted.charge_id,
    converted.x_line_key,
    converted.x_source as bill_of_record,
    converted.x_snapshot_id,
    converted.x_source_file,
    coalesce(converted.provider, converted.provider_text) as provider,
    converted.billing_account_id,
    converted.sub_account_id,
    converted.billing_currency,
    converted.invoice_id,
    converted.invoice_issuer_name,
    converted.service_name,
    converted.sku_id,
    converted.sku_meter,
    converted.region_id,
    converted.availability_zone,
    converted.resource_id,
    converted.charge_category,
    converted.charge_class,
    converted.charge_frequency,
    converted.charge_description,
    converted.charge_period_start,
    converted.charge_period_end,
    converted.commitment_discount_id,
    converted.commitment_discount_status,
    converted.cost_driver,
    converted.traffic_kind,
    converted.availability_zone as from_zone,
    cast(null as varchar) as to_zone,
    converted.model,
    converted.token_class,
    converted.service_tier,
    converted.rule_id,
    converted.x_tag_user_id as tag_user_id,
    converted.x_tag_tenant as tag_tenant,
    converted.x_tag_customer as tag_customer,
    converted.x_tag_team as tag_team,
    converted.x_tag_feature as tag_feature,
    converted.x_tag_endpoint as tag_endpoint,
    converted.x_tag_workflow as tag_workflow,
    converted.x_tag_environment as tag_environment,
    converted.billed_quantity,
    converted.billed_cost,
    converted.effective_cost,
    converted.list_cost,
    cast(
        cast(converted.billed_reporting_units as decimal(24, 0)) * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as billed_cost_reporting,
    cast(
        cast(converted.effective_reporting_units as decimal(24, 0)) * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as effective_cost_reporting,
    cast(
        cast(converted.list_reporting_units as decimal(24, 0)) * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as list_cost_reporting,
    converted.fx_date,
    case
        when converted.period_status = 'closed' then 'final'
        when converted.period_status = 'open' then 'provisional'
        when converted.delivered_at >= converted.billing_period_end
            and date_diff(
                'day', cast(converted.billing_period_end as date), cast(converted.delivered_at as date)
            ) >= converted.closed_after_days
            then 'final'
        else 'provisional'
    end as cost_state,
    converted.spread_kind,
    converted.charge_period_start as spread_start_at,
    converted.covered_until as spread_end_at,
    cast(converted.charge_period_start as date) as spread_start_date,
    case
        when converted.spread_kind = 'start_day'
            then cast(cast(converted.charge_period_start as date) + interval 1 day as date)
        when cast(cast(converted.covered_until as date) as timestamp) = converted.covered_until
            then cast(converted.covered_until as date)
        else cast(cast(converted.covered_until as date) + interval 1 day as date)
    end as spread_end_date,
    md5(
        converted.x_source || chr(31) || coalesce(converted.billing_account_id, chr(30))
        || chr(31) || coalesce(converted.sub_account_id, chr(30))
        || chr(31) || coalesce(converted.billing_currency, chr(30))
        || chr(31) || coalesce(converted.charge_category, chr(30))
        || chr(31) || coalesce(converted.charge_class, chr(30))
        || chr(31) || coalesce(converted.commitment_discount_status, chr(30))
        || chr(31) || coalesce(converted.cost_driver, chr(30))
        || chr(31) || coalesce(converted.traffic_kind, chr(30))
        || chr(31) || coalesce(converted.provider, converted.provider_text)
        || chr(31) || coalesce(converted.service_name, chr(30))
        || chr(31) || coalesce(converted.model, converted.sku_id, chr(30))
        || chr(31) || coalesce(converted.sku_meter, chr(30))
        || chr(31) || coalesce(converted.token_class, chr(30))
        || chr(31) || coalesce(converted.service_tier, chr(30))
        || chr(31) || coalesce(converted.region_id, chr(30))
        || chr(31) || coalesce(converted.availability_zone, chr(30))
        || chr(31) || coalesce(converted.resource_id, chr(30))
        || chr(31) || coalesce(converted.x_tag_user_id, chr(30))
        || chr(31) || coalesce(converted.x_tag_tenant, chr(30))
        || chr(31) || coalesce(converted.x_tag_customer, chr(30))
        || chr(31) || coalesce(converted.x_tag_team, chr(30))
        || chr(31) || coalesce(converted.x_tag_feature, chr(30))
        || chr(31) || coalesce(converted.x_tag_endpoint, chr(30))
        || chr(31) || coalesce(converted.x_tag_workflow, chr(30))
        || chr(31) || coalesce(converted.x_tag_environment, chr(30))
        || chr(31) || converted.rule_id
        || chr(31) || coalesce(cast(converted.fx_date as varchar), chr(30))
    ) as cell_key
from converted
