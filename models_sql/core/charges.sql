/*
description: >
    Every bill line with the class that the ordered rule table gives it, its cell key, the UTC days it covers and its
    reporting-currency copies, converted once per charge at the charge date's rate.
grain: [billing_period_start, charge_id]
order_by: as_read
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
    x_correction_cause: null
    charge_period_start: null
    charge_period_end: null
    commitment_discount_id: null
    commitment_discount_status: null
    cost_driver: null
    traffic_kind: null
    from_zone: null
    to_zone: null
    from_region_id: null
    to_region_id: null
    model: null
    token_class: null
    service_tier: null
    context_min_tokens: where the meter names its context; null where it names none
    counted_use: null
    signal: of monitoring, where the meter names one
    rule_id: null
    tag_user_id: null
    tag_tenant: null
    tag_customer: null
    tag_team: null
    tag_feature: null
    tag_endpoint: null
    tag_workflow: null
    tag_environment: null
    billed_quantity: >
        how many tokens the line bills, or searches or requests where it bills these; null where its unit is neither
    line_quantity: null
    stated_seconds: null
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
    follows: null
    cell_key: null
checks:
    - name: every_charge_is_classified
      severity: fail
      by: partition
      description: The last rule matches everything, so a line without a rule is a broken rule table.
      sql: select charge_id from core.charges where rule_id is null
    - name: few_charges_are_other
      severity: warn
      by: partition
      description: At most 5 % of a provider's month, credits counted by their size, is cost that no rule knows.
      sql: >
        select provider, billing_period_start, billing_currency
        from core.charges
        group by provider, billing_period_start, billing_currency
        having 20 * sum(case when cost_driver = 'other' then abs(billed_cost) else 0 end) > sum(abs(billed_cost))
    - name: charges_keep_the_delivered_total
      severity: fail
      by: partition
      description: Classification must not lose or repeat a line or a cent.
      sql: >
        select d.billing_currency, d.lines, c.lines as core_lines, d.total, c.total as core_total
        from (select billing_currency, count(*) as lines, sum(billed_cost) as total,
                sum(effective_cost) as effective, sum(list_cost) as listed
              from staging.charges group by billing_currency) as d
        full join (select billing_currency, count(*) as lines, sum(billed_cost) as total,
                sum(effective_cost) as effective, sum(list_cost) as listed
              from core.charges group by billing_currency) as c
          on d.billing_currency = c.billing_currency
        where d.lines is distinct from c.lines or d.total is distinct from c.total
            or d.effective is distinct from c.effective or d.listed is distinct from c.listed
*/
with

signed as (
    select *
    from core.signed_charges
    where billing_period_start >= cast($start as timestamp)
        and billing_period_start < cast($end as timestamp)
),

classes as (select * from core.charge_classes),

fx_rates as (
    select * from staging.fx_rates
    where to_currency = $reporting_currency
),

deliveries as (select * from staging.bill_deliveries),

fx_ranges as (
    select
        fx_rates.from_currency,
        fx_rates.rate_date,
        cast(cast(fx_rates.rate as decimal(27, 9)) * cast(1000000000 as decimal(10, 0)) as decimal(15, 0))
            as rate_units,
        lead(fx_rates.rate_date) over (
            partition by fx_rates.from_currency order by fx_rates.rate_date
        ) as next_rate_date
    from fx_rates
    where fx_rates.from_currency <> $reporting_currency
),

joined as (
    select
        signed.*,
        classes.provider,
        classes.rule_id,
        classes.cost_driver,
        classes.traffic_kind,
        classes.from_region_id,
        classes.to_region_id,
        classes.model,
        classes.token_class,
        classes.service_tier,
        classes.context_min_tokens,
        classes.counted_use,
        classes.signal,
        classes.class_key,
        deliveries.watermark_at,
        deliveries.period_status,
        case
            when classes.consumed_unit_tokens is not null
                then cast(
                    cast(signed.consumed_quantity as decimal(27, 10))
                    * cast(classes.consumed_unit_tokens as decimal(8, 0)) as decimal(38, 12)
                )
            when classes.pricing_unit_tokens is not null
                then cast(
                    cast(signed.pricing_quantity as decimal(27, 10))
                    * cast(classes.pricing_unit_tokens as decimal(8, 0)) as decimal(38, 12)
                )
        end as billed_quantity,
        case
            when classes.is_consumed_in_hours then signed.consumed_quantity
            when classes.is_priced_in_hours then signed.pricing_quantity
        end as stated_hours,
        signed.billing_currency = $reporting_currency as is_reporting_currency,
        fx_ranges.rate_units,
        fx_ranges.rate_date as fx_date
    from signed
    left join classes
        on signed.billing_period_start = classes.billing_period_start
        and signed.signature_id = classes.signature_id
        and coalesce(signed.account_text, '') = classes.account_text
        and coalesce(signed.resource_text, '') = classes.resource_text
        and coalesce(signed.tag_text, '') = classes.tag_text
    left join deliveries
        on signed.x_source = deliveries.source
        and signed.x_snapshot_id = deliveries.snapshot_id
        and signed.billing_account_id = deliveries.billing_account_id
        and cast(date_trunc('month', signed.billing_period_start) as timestamp)
        = deliveries.billing_period_start
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
        end as covered_until,
        case
            when joined.charge_category = 'Tax' then 'invoice'
            when joined.charge_category in ('Credit', 'Adjustment')
                and joined.charge_period_end > joined.charge_period_start
                and joined.charge_period_end
                <= cast(cast(joined.charge_period_start as date) as timestamp) + interval 1 day
                then 'day'
            when joined.charge_category in ('Credit', 'Adjustment') then 'month'
        end as follows
    from joined
),

converted as (
    select
        spread.*,
        case
            when spread.is_reporting_currency then spread.billed_cost
            else cast(
                    cast(
                        idiv(
                            2 * cast(
                                cast(spread.billed_cost as decimal(24, 12))
                                * cast(1000000000000 as decimal(13, 0))
                                as decimal(22, 0)
                            ) * spread.rate_units
                            + case when spread.billed_cost < 0 then -1000000000 else 1000000000 end,
                            2000000000
                        ) as decimal(24, 0)
                    ) * cast(0.000000000001 as decimal(13, 12)) as decimal(38, 12)
                )
        end as billed_cost_reporting,
        case
            when spread.is_reporting_currency then spread.effective_cost
            else cast(
                    cast(
                        idiv(
                            2 * cast(
                                cast(spread.effective_cost as decimal(24, 12))
                                * cast(1000000000000 as decimal(13, 0))
                                as decimal(22, 0)
                            ) * spread.rate_units
                            + case when spread.effective_cost < 0 then -1000000000 else 1000000000 end,
                            2000000000
                        ) as decimal(24, 0)
                    ) * cast(0.000000000001 as decimal(13, 12)) as decimal(38, 12)
                )
        end as effective_cost_reporting,
        case
            when spread.is_reporting_currency then spread.list_cost
            else cast(
                    cast(
                        idiv(
                            2 * cast(
                                cast(spread.list_cost as decimal(24, 12))
                                * cast(1000000000000 as decimal(13, 0))
                                as decimal(22, 0)
                            ) * spread.rate_units
                            + case when spread.list_cost < 0 then -1000000000 else 1000000000 end,
                            2000000000
                        ) as decimal(24, 0)
                    ) * cast(0.000000000001 as decimal(13, 12)) as decimal(38, 12)
                )
        end as list_cost_reporting
    from spread
)

select
    converted.billing_period_start,
    converted.charge_id,
    converted.x_line_key,
    converted.x_source as bill_of_record,
    converted.x_snapshot_id,
    converted.x_source_file,
    converted.provider,
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
    converted.x_correction_cause,
    converted.charge_period_start,
    converted.charge_period_end,
    converted.commitment_discount_id,
    converted.commitment_discount_status,
    converted.cost_driver,
    converted.traffic_kind,
    converted.availability_zone as from_zone,
    cast(null as varchar) as to_zone,
    converted.from_region_id,
    converted.to_region_id,
    converted.model,
    converted.token_class,
    converted.service_tier,
    converted.context_min_tokens,
    converted.counted_use,
    converted.signal,
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
    coalesce(converted.pricing_quantity, converted.consumed_quantity) as line_quantity,
    case
        when abs(converted.stated_hours) < 1000000000
            then cast(
                round(cast(converted.stated_hours as decimal(19, 9)) * cast(3600 as decimal(4, 0)), 0)
                as bigint
            )
    end as stated_seconds,
    converted.billed_cost,
    converted.effective_cost,
    converted.list_cost,
    converted.billed_cost_reporting,
    converted.effective_cost_reporting,
    converted.list_cost_reporting,
    converted.fx_date,
    case
        when converted.period_status = 'closed' then 'final'
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
    converted.follows,
    md5(
        concat(
            converted.class_key, chr(31), converted.x_source,
            chr(31), coalesce(converted.billing_account_id, chr(30)),
            chr(31), coalesce(converted.sub_account_id, chr(30)),
            chr(31), coalesce(converted.billing_currency, chr(30)),
            chr(31), coalesce(converted.charge_class, chr(30)),
            chr(31), coalesce(converted.commitment_discount_status, chr(30)),
            chr(31), coalesce(converted.availability_zone, chr(30)),
            chr(31), coalesce(converted.resource_id, chr(30)),
            chr(31), coalesce(converted.x_tag_user_id, chr(30)),
            chr(31), coalesce(converted.x_tag_tenant, chr(30)),
            chr(31), coalesce(converted.x_tag_customer, chr(30)),
            chr(31), coalesce(converted.x_tag_team, chr(30)),
            chr(31), coalesce(converted.x_tag_feature, chr(30)),
            chr(31), coalesce(converted.x_tag_endpoint, chr(30)),
            chr(31), coalesce(converted.x_tag_workflow, chr(30)),
            chr(31), coalesce(converted.x_tag_environment, chr(30)),
            chr(31), coalesce(cast(converted.fx_date as varchar), chr(30)),
            chr(31), cast(cast(converted.billing_period_start as date) as varchar),
            chr(31), coalesce(converted.invoice_issuer_name, chr(30)),
            chr(31), coalesce(converted.invoice_id, chr(30)),
            chr(31), coalesce(converted.follows, chr(30))
        )
    ) as cell_key
from converted
