/*
description: >
    What is known of each source, per dataset, day and finding: state, age, rows against the same weekday before, and
    what is wrong with it. Sources that were not delivered are rows too, and so are days without any data.
materialized: table
order_by: [source, dataset, row_kind, date, finding, message]
columns:
    row_kind: null
    source: null
    dataset: null
    date: null
    rows: null
    expected_share: null
    age_hours: null
    state: null
    finding: null
    finding_count: null
    severity: null
    message: null
*/
with

status as (select * from core.source_status),

findings as (select * from core.findings),

late_bills as (
    select
        findings.source,
        findings.dataset
    from findings
    where findings.kind = 'bill_is_late'
    group by findings.source, findings.dataset
),

source_days as (select * from core.source_days),

spans as (
    select
        source_days.source,
        source_days.dataset,
        min(source_days.date) as first_date,
        max(source_days.date) as last_date
    from source_days
    group by source_days.source, source_days.dataset
),

expected_days as (
    select
        spans.source,
        spans.dataset,
        calendar.calendar_date as date
    from spans
    inner join reference.calendar as calendar
        on spans.first_date <= calendar.calendar_date
        and spans.last_date >= calendar.calendar_date
        and date_diff('day', calendar.calendar_date, spans.last_date) < 35
),

counted_days as (
    select
        expected_days.source,
        expected_days.dataset,
        expected_days.date,
        coalesce(source_days.rows, 0) as rows
    from expected_days
    left join source_days
        on expected_days.source = source_days.source
        and expected_days.dataset = source_days.dataset
        and expected_days.date = source_days.date
),

weekday_means as (
    select
        counted_days.source,
        counted_days.dataset,
        counted_days.date,
        cast(sum(earlier.rows) as bigint) as earlier_rows,
        count(*) as earlier_weeks
    from counted_days
    inner join source_days as earlier
        on counted_days.source = earlier.source
        and counted_days.dataset = earlier.dataset
        and date_diff('day', earlier.date, counted_days.date) in (7, 14, 21, 28)
    group by counted_days.source, counted_days.dataset, counted_days.date
),

judged_days as (
    select
        counted_days.source,
        counted_days.dataset,
        counted_days.date,
        counted_days.rows,
        case
            when counted_days.date < $today and weekday_means.earlier_rows > 0
                then cast(
                    cast(
                        least(
                            cast(
                                idiv(
                                    counted_days.rows * weekday_means.earlier_weeks
                                    * cast(1000000000000 as decimal(13, 0)),
                                    weekday_means.earlier_rows
                                ) as decimal(38, 0)
                            ),
                            cast(999999999999999999 as decimal(38, 0))
                        ) as decimal(24, 0)
                    ) * cast(0.000000000001 as decimal(13, 12)) as decimal(18, 12)
                )
        end as expected_share
    from counted_days
    left join weekday_means
        on counted_days.source = weekday_means.source
        and counted_days.dataset = weekday_means.dataset
        and counted_days.date = weekday_means.date
),

complete_until as (
    select
        coverage.provider,
        cast(max(coverage.watermark_at) as date) as first_open_date
    from core.bill_coverage as coverage
    group by coverage.provider
),

over_logged as (
    select
        cells.provider,
        count(*) as cells,
        max(cells.charge_date) as last_date
    from core.cells as cells
    inner join complete_until
        on cells.provider = complete_until.provider
        and cells.charge_date < complete_until.first_open_date
    where cells.is_over_logged
    group by cells.provider
),

covered_months as (
    select
        coverage.provider,
        cast(coverage.billing_period_start as date) as first_date,
        cast(max(coverage.watermark_at) as date) as first_open_date
    from core.bill_coverage as coverage
    group by coverage.provider, cast(coverage.billing_period_start as date)
),

/* A line without a model may be of any, so that day's bill is not said to leave one out. */
billed_models as (
    select
        cells.charge_date,
        cells.provider,
        cells.model
    from core.cells as cells
    where cells.cost_driver = 'inference' and cells.charge_category = 'Usage'
        and cells.cost_state <> 'estimated'
    group by cells.charge_date, cells.provider, cells.model
),

served_models as (
    select
        usage.charge_date,
        usage.provider,
        usage.model
    from core.usage_costs as usage
    inner join core.served_usage as served
        on usage.charge_date = served.charge_date
        and usage.usage_id = served.usage_id
    group by usage.charge_date, usage.provider, usage.model
),

unbilled as (
    select
        usage.provider,
        usage.model,
        usage.currency,
        count(distinct usage.charge_date) as days,
        min(usage.charge_date) as first_date,
        max(usage.charge_date) as last_date,
        sum(usage.logged_quantity) as tokens,
        sum(usage.priced_cost) as list_cost
    from core.reconciled_usage as usage
    inner join covered_months
        on usage.provider = covered_months.provider
        and cast(date_trunc('month', usage.charge_date) as date) = covered_months.first_date
        and usage.charge_date < covered_months.first_open_date
    left join billed_models
        on usage.charge_date = billed_models.charge_date
        and usage.provider = billed_models.provider
        and usage.model = billed_models.model
    left join billed_models as unnamed
        on usage.charge_date = unnamed.charge_date
        and usage.provider = unnamed.provider
        and unnamed.model is null
    left join served_models
        on usage.charge_date = served_models.charge_date
        and usage.provider = served_models.provider
        and usage.model = served_models.model
    where usage.cause = 'logged_without_bill' and usage.logged_quantity > 0
        and usage.model is not null -- a name that nothing matches is told as unpriced_requests
        and billed_models.charge_date is null
        and unnamed.charge_date is null
        and served_models.charge_date is null
    group by usage.provider, usage.model, usage.currency
),

requests as (
    select
        usage.charge_date,
        usage.provider,
        usage.model,
        sum(usage.requests) as requests,
        sum(usage.quantity_tokens) as tokens,
        sum(usage.likely_cost) as likely_cost
    from core.unpriced_usage as usage
    left join core.served_usage as served
        on usage.charge_date = served.charge_date
        and usage.usage_id = served.usage_id
    where served.usage_id is null
    group by usage.charge_date, usage.provider, usage.model
),

corrected as (
    select
        usage.provider,
        usage.model,
        prices.published_at,
        min(usage.charge_date) as first_date,
        max(usage.charge_date) as last_date,
        sum(usage.quantity_tokens) as tokens,
        sum(usage.list_cost) as list_cost,
        max(usage.list_cost_currency) as currency,
        count(*) as uses
    from core.usage_costs as usage
    inner join core.dated_prices as prices on usage.price_id = prices.price_id
    where prices.is_wrong_from_start and usage.charge_date < cast(prices.published_at as date)
    group by usage.provider, usage.model, prices.published_at
),

anonymous as (
    select
        costs.provider,
        max(costs.charge_date) as last_date,
        sum(costs.requests) as requests
    from marts.cost_daily as costs
    where costs.requests > 0 and costs.feature is null
    group by costs.provider
),

odd_requests as (
    select
        odd.finding,
        odd.x_sources,
        coalesce(odd.provider, 'an unknown provider') as provider,
        coalesce(odd.reused_id, '') as reused_id,
        count(distinct odd.charge_date) as days,
        sum(odd.requests) as requests,
        min(odd.model) as example,
        max(odd.charge_date) as last_date
    from core.request_findings as odd
    group by
        odd.finding,
        odd.x_sources,
        coalesce(odd.provider, 'an unknown provider'),
        coalesce(odd.reused_id, '')
),

undercounted as (
    select
        coverage.provider,
        coverage.model,
        count(*) as days,
        cast(sum(coverage.provider_requests) as bigint) as provider_requests,
        cast(sum(coverage.logged_requests) as bigint) as logged_requests,
        min(coverage.logged_share) as lowest_share,
        max(coverage.charge_date) as last_date
    from core.request_coverage as coverage
    where coverage.is_under_logged
        and date_diff('day', coverage.charge_date, $today) between 1 and 35
    group by coverage.provider, coverage.model
),

overcounted as (
    select
        coverage.provider,
        coverage.model,
        count(*) as days,
        cast(sum(coverage.provider_requests) as bigint) as provider_requests,
        cast(sum(coverage.logged_requests) as bigint) as logged_requests,
        max(coverage.logged_share) as highest_share,
        max(coverage.charge_date) as last_date
    from core.request_coverage as coverage
    where coverage.has_more_logged
        and date_diff('day', coverage.charge_date, $today) between 1 and 35
    group by coverage.provider, coverage.model
),

/* A dollar and more of it in five weeks: what costs less is no news. */
off_band as (
    select
        coverage.finding,
        coverage.provider,
        coverage.model,
        coverage.currency,
        count(*) as days,
        max(coverage.charge_date) as last_date,
        case
            when coverage.finding = 'coverage_below_band' then min(coverage.coverage_share)
            else max(coverage.coverage_share)
        end as worst_share,
        sum(coverage.difference_cost) as difference_cost,
        sum(case when coverage.cause = 'bypass' then coverage.difference_cost else 0 end) as bypass_cost
    from core.coverage_findings as coverage
    where date_diff('day', coverage.charge_date, $today) between 1 and 35
    group by coverage.finding, coverage.provider, coverage.model, coverage.currency
    having sum(coverage.difference_cost) >= 1
),

known_models as (
    select
        prices.provider,
        prices.model
    from core.price_models as prices
    group by prices.provider, prices.model
),

unread_models as (
    select
        charges.provider,
        charges.billing_currency,
        count(*) as charges,
        sum(charges.billed_cost) as billed_cost,
        min(charges.charge_description) as example
    from core.charges as charges
    left join known_models
        on charges.provider = known_models.provider
        and charges.model = known_models.model
    where charges.token_class is not null and known_models.model is null
    group by charges.provider, charges.billing_currency
),

invoices as (
    select * from core.reconciled_invoices
    where cause in ('invoice_difference', 'invoice_without_lines')
),

overruled as (
    select
        count(distinct tagged.cell_id) as cells,
        max(tagged.charge_date) as last_date
    from core.tagged_owners as tagged
    where tagged.is_tag_overruled
),

unmatched_meters as (
    select
        charges.provider,
        charges.billing_period_start,
        charges.billing_currency,
        coalesce(charges.sku_meter, charges.charge_description, charges.service_name, 'no name') as meter,
        count(*) as charges,
        sum(abs(coalesce(charges.billed_cost, 0))) as billed_cost
    from core.charges as charges
    where charges.cost_driver = 'other'
    group by
        charges.provider,
        charges.billing_period_start,
        charges.billing_currency,
        coalesce(charges.sku_meter, charges.charge_description, charges.service_name, 'no name')
),

ranked_meters as (
    select
        unmatched_meters.*,
        row_number() over (
            partition by
                unmatched_meters.provider,
                unmatched_meters.billing_period_start,
                unmatched_meters.billing_currency
            order by unmatched_meters.billed_cost desc, unmatched_meters.meter asc
        ) as meter_rank
    from unmatched_meters
),

unmatched as (
    select
        ranked_meters.provider,
        ranked_meters.billing_period_start,
        ranked_meters.billing_currency,
        cast(sum(ranked_meters.charges) as bigint) as charges,
        sum(ranked_meters.billed_cost) as billed_cost,
        '"' || max(case when ranked_meters.meter_rank = 1 then ranked_meters.meter end) || '"'
        || coalesce(
            ', "' || max(case when ranked_meters.meter_rank = 2 then ranked_meters.meter end) || '"', ''
        )
        || coalesce(
            ', "' || max(case when ranked_meters.meter_rank = 3 then ranked_meters.meter end) || '"', ''
        )
            as meters
    from ranked_meters
    group by
        ranked_meters.provider, ranked_meters.billing_period_start, ranked_meters.billing_currency
),

billed_months as (
    select
        charges.provider,
        charges.billing_period_start,
        charges.billing_currency,
        sum(abs(coalesce(charges.billed_cost, 0))) as billed_cost
    from core.charges as charges
    group by charges.provider, charges.billing_period_start, charges.billing_currency
),

unclassified as (
    select
        unmatched.*,
        coalesce(
            idiv(
                cast(round(cast(unmatched.billed_cost as decimal(38, 12)), 6) as decimal(24, 6))
                * cast(1000000000 as decimal(10, 0)),
                cast(round(cast(billed_months.billed_cost as decimal(38, 12)), 6) as decimal(24, 6))
                * cast(1000000 as decimal(7, 0))
            ),
            0
        ) as per_mille
    from unmatched
    inner join billed_months
        on unmatched.provider = billed_months.provider
        and unmatched.billing_period_start = billed_months.billing_period_start
        and unmatched.billing_currency = billed_months.billing_currency
),

deciding_rules as (
    select charges.rule_id
    from core.charges as charges
    group by charges.rule_id
),

decided as (select count(*) as rules from deciding_rules),

idle_rules as (
    select rules.rule_id
    from reference.classification_rules as rules
    cross join decided
    left join deciding_rules on rules.rule_id = deciding_rules.rule_id
    where
        rules.priority < 1000 -- the config's own; those shipped begin at 1000
        and deciding_rules.rule_id is null
        and decided.rules > 0
),

unknown_rate as (
    select
        charges.billing_currency,
        count(*) as charges,
        sum(charges.billed_cost) as billed_cost
    from core.charges as charges
    where charges.billed_cost_reporting is null and charges.billed_cost is not null
    group by charges.billing_currency
)

select
    'source' as row_kind,
    status.source,
    status.dataset,
    status.last_date as date,
    status.rows,
    cast(null as decimal(18, 12)) as expected_share,
    status.age_hours,
    case
        when status.state = 'ok' and late_bills.source is not null then 'stale'
        when status.state = 'ok'
            and status.dataset not in ('charges', 'aws_cur_lines', 'azure_cost_lines', 'gcp_cost_lines')
            and date_diff('day', status.last_date, $today) > 3
            then 'stale'
        else status.state
    end as state,
    cast(null as varchar) as finding,
    cast(null as bigint) as finding_count,
    cast(null as varchar) as severity,
    cast(null as varchar) as message
from status
left join late_bills
    on status.source = late_bills.source
    and status.dataset = late_bills.dataset
union all
select
    'finding' as row_kind,
    findings.source,
    findings.dataset,
    findings.finding_date as date,
    cast(null as bigint) as rows,
    cast(null as decimal(18, 12)) as expected_share,
    cast(null as bigint) as age_hours,
    case when findings.severity = 'fault' then 'fault' else 'ok' end as state,
    findings.kind as finding,
    findings.finding_count,
    findings.severity,
    findings.message
from findings
union all
select
    'finding' as row_kind,
    'prices' as source,
    'requests' as dataset,
    max(requests.charge_date) as date,
    cast(null as bigint) as rows,
    cast(null as decimal(18, 12)) as expected_share,
    cast(null as bigint) as age_hours,
    'ok' as state,
    'unpriced_requests' as finding,
    cast(sum(requests.requests) as bigint) as finding_count,
    'warn' as severity,
    'Requests of ' || coalesce(requests.provider, 'an unknown provider') || ' without a model or list price'
    || ' (' || coalesce(requests.model, 'no model') || ', '
    || cast(cast(sum(requests.tokens) as bigint) as varchar)
    || ' tokens'
    || case
        when sum(requests.likely_cost) is null then ''
        else
            ', about ' || cast(cast(sum(requests.likely_cost) as decimal(38, 2)) as varchar)
            || ' USD at the median list price of such tokens, an estimate'
    end
    || '): add a model alias (a model of another provider as provider/model) or a price override '
    || 'to the config.' as message
from requests
group by requests.provider, requests.model
union all
select
    'finding' as row_kind,
    'prices' as source,
    'prices' as dataset,
    corrected.last_date as date,
    cast(null as bigint) as rows,
    cast(null as decimal(18, 12)) as expected_share,
    cast(null as bigint) as age_hours,
    'ok' as state,
    'corrected_price' as finding,
    cast(corrected.uses as bigint) as finding_count,
    'info' as severity,
    cast(cast(corrected.tokens as bigint) as varchar) || ' tokens of ' || corrected.provider || ' '
    || corrected.model || ' from ' || cast(corrected.first_date as varchar) || ' to '
    || cast(corrected.last_date as varchar) || ' are priced anew by a correction of '
    || cast(cast(corrected.published_at as date) as varchar) || ': list cost '
    || cast(cast(corrected.list_cost as decimal(38, 2)) as varchar) || ' ' || corrected.currency
    || '. What was said before: everycent reprice --price-book '
    || cast(cast(corrected.published_at - interval 1 day as date) as varchar) as message
from corrected
union all
select
    'finding' as row_kind,
    'fx_rates' as source,
    'charges' as dataset,
    cast(null as date) as date,
    cast(null as bigint) as rows,
    cast(null as decimal(18, 12)) as expected_share,
    cast(null as bigint) as age_hours,
    'ok' as state,
    'missing_fx_rate' as finding,
    cast(unknown_rate.charges as bigint) as finding_count,
    'warn' as severity,
    cast(cast(unknown_rate.billed_cost as decimal(38, 2)) as varchar) || ' ' || unknown_rate.billing_currency
    || ' not converted: no rate from ' || unknown_rate.billing_currency || ' to ' || $reporting_currency
    || ' at the charge dates; figures in ' || $reporting_currency
    || ' leave these charges out; add fx_rates to the config.' as message
from unknown_rate
union all
select
    'finding' as row_kind,
    'requests' as source,
    'requests' as dataset,
    anonymous.last_date as date,
    cast(null as bigint) as rows,
    cast(null as decimal(18, 12)) as expected_share,
    cast(null as bigint) as age_hours,
    'ok' as state,
    'requests_without_feature' as finding,
    cast(anonymous.requests as bigint) as finding_count,
    'warn' as severity,
    'Requests to ' || coalesce(anonymous.provider, 'an unknown provider')
    || ' name no feature: their cost stands under no feature; '
    || 'set the attribute or map the column in the config.' as message
from anonymous
union all
select
    'finding' as row_kind,
    odd_requests.x_sources as source,
    'requests' as dataset,
    odd_requests.last_date as date,
    cast(null as bigint) as rows,
    cast(null as decimal(18, 12)) as expected_share,
    cast(null as bigint) as age_hours,
    'ok' as state,
    odd_requests.finding,
    cast(odd_requests.requests as bigint) as finding_count,
    case when odd_requests.finding = 'ambiguous_reports' then 'info' else 'warn' end as severity,
    case odd_requests.finding
        when 'unmergeable_overlap'
            then
            'Both of these sources report calls of ' || odd_requests.provider
            || ', such as of the model ' || coalesce(odd_requests.example, 'unknown') || ', on '
            || cast(odd_requests.days as varchar) || ' days, and have no kind of id in common: they '
            || 'may describe the same calls, which then count twice. Have one state the request id, the '
            || 'span or the call id that the other states, or drop one.'
        when 'reused_id'
            then
            'The id "' || substring(odd_requests.reused_id, 1, 80)
            || '" stands on many different calls of a day, so it is ignored and tells none of them '
            || 'apart; correct what writes it.'
        when 'contradicting_reports'
            then
            'Reports of the same calls state different token counts, and none of them ranks above the '
            || 'others: one of them counts. See is_contradicted in staging.shared_attempts.'
        when 'cut_span_chain'
            then
            'Spans hang below a loop, or below more files or calls than are followed: what lies above '
            || 'them is not inherited. Correct the emitter, or export whole traces into one file. See is_cut '
            || 'in staging.span_links.'
        else
            'Reports share a span or call id with several calls of the provider and may be one of them: '
            || 'they stand as calls of their own. See is_ambiguous in staging.shared_attempts.'
    end as message
from odd_requests
union all
select
    'finding' as row_kind,
    'requests' as source,
    'requests' as dataset,
    undercounted.last_date as date,
    cast(null as bigint) as rows,
    undercounted.lowest_share as expected_share,
    cast(null as bigint) as age_hours,
    'ok' as state,
    'requests_below_provider_count' as finding,
    undercounted.provider_requests - undercounted.logged_requests as finding_count,
    'warn' as severity,
    'The logs hold ' || cast(undercounted.logged_requests as varchar) || ' of '
    || cast(undercounted.provider_requests as varchar) || ' requests that ' || undercounted.provider
    || ' counts of ' || undercounted.model || ', on ' || cast(undercounted.days as varchar) || ' days ('
    || cast(
        cast(
            idiv(undercounted.logged_requests * 1000, undercounted.provider_requests) as decimal(9, 0)
        ) * cast(0.1 as decimal(2, 1)) as varchar
    )
    || ' %, on the worst day '
    || cast(
        cast(undercounted.lowest_share * cast(100 as decimal(4, 0)) as decimal(9, 1)) as varchar
    )
    || ' %): traces are sampled, or some callers do not log; what is missing stands as unlogged usage.'
        as message
from undercounted
union all
select
    'finding' as row_kind,
    'requests' as source,
    'requests' as dataset,
    overcounted.last_date as date,
    cast(null as bigint) as rows,
    overcounted.highest_share as expected_share,
    cast(null as bigint) as age_hours,
    'ok' as state,
    'requests_above_provider_count' as finding,
    overcounted.logged_requests - overcounted.provider_requests as finding_count,
    'warn' as severity,
    'The logs hold ' || cast(overcounted.logged_requests as varchar) || ' requests where '
    || overcounted.provider || ' counts ' || cast(overcounted.provider_requests as varchar) || ' of '
    || overcounted.model || ', on ' || cast(overcounted.days as varchar) || ' days'
    || case
        when overcounted.provider_requests > 0
            then
            ' (' || cast(
                cast(
                    idiv(overcounted.logged_requests * 1000, overcounted.provider_requests)
                    as decimal(15, 0)
                ) * cast(0.1 as decimal(2, 1)) as varchar
            )
            || ' %)'
        else ''
    end
    || ': calls that two sources report may count twice (give both the same request, span or call id), or '
    || 'the logs hold calls of another organization than the one that was asked.' as message
from overcounted
union all
select
    'finding' as row_kind,
    'requests' as source,
    'requests' as dataset,
    off_band.last_date as date,
    cast(null as bigint) as rows,
    off_band.worst_share as expected_share,
    cast(null as bigint) as age_hours,
    'ok' as state,
    off_band.finding,
    cast(off_band.days as bigint) as finding_count,
    'warn' as severity,
    'The logs hold '
    || cast(cast(off_band.worst_share * cast(100 as decimal(4, 0)) as decimal(15, 1)) as varchar)
    || ' % of the tokens of ' || off_band.provider || ' ' || off_band.model || ' that were billed on '
    || case
        when off_band.days > 1 then 'the worst of ' || cast(off_band.days as varchar) || ' days'
        else cast(off_band.last_date as varchar)
    end
    || ': ' || cast(cast(off_band.difference_cost as decimal(38, 2)) as varchar) || ' ' || off_band.currency
    || case
        when off_band.finding = 'coverage_above_band'
            then
            ' too much. Calls count twice, or are of another organization; see over_logged in '
        when 2 * off_band.bypass_cost > off_band.difference_cost
            then
            ' without an owner. Most of it was called under a key, principal or account that does not '
            || 'log; see bypass in '
        else
            ' without an owner. Calls are aborted, sampled, lost, or made around the gateway; see '
            || 'unlogged in '
    end
    || 'marts.reconciliation.' as message
from off_band
union all
select
    'finding' as row_kind,
    'classification' as source,
    'charges' as dataset,
    cast(unclassified.billing_period_start as date) as date,
    cast(null as bigint) as rows,
    cast(null as decimal(18, 12)) as expected_share,
    cast(null as bigint) as age_hours,
    'ok' as state,
    'unclassified_charges' as finding,
    unclassified.charges as finding_count,
    case when unclassified.per_mille >= 50 then 'warn' else 'info' end as severity,
    'Charges of ' || unclassified.provider || ' that no rule knows, by cost: ' || unclassified.meters
    || '. They stand under the driver other: '
    || cast(cast(unclassified.billed_cost as decimal(38, 2)) as varchar) || ' '
    || unclassified.billing_currency || ', '
    || cast(cast(unclassified.per_mille as decimal(9, 0)) * cast(0.1 as decimal(2, 1)) as varchar)
    || ' % of the month; add a classification rule to the config.' as message
from unclassified
union all
select
    'finding' as row_kind,
    'classification' as source,
    'charges' as dataset,
    cast(null as date) as date,
    cast(null as bigint) as rows,
    cast(null as decimal(18, 12)) as expected_share,
    cast(null as bigint) as age_hours,
    'ok' as state,
    'idle_rule' as finding,
    cast(1 as bigint) as finding_count,
    'warn' as severity,
    'The rule ' || idle_rules.rule_id || ' of the config decides no charge: no line fits it, or '
    || 'a rule before it takes them all; correct its patterns, its place in the list, or remove it.'
        as message
from idle_rules
union all
select
    'day' as row_kind,
    judged_days.source,
    judged_days.dataset,
    judged_days.date,
    judged_days.rows,
    judged_days.expected_share,
    cast(null as bigint) as age_hours,
    case
        when judged_days.date >= $today then 'open'
        when judged_days.rows = 0 then 'missing'
        when judged_days.expected_share < cast(0.5 as decimal(18, 12)) then 'low'
        else 'ok'
    end as state,
    cast(null as varchar) as finding,
    cast(null as bigint) as finding_count,
    cast(null as varchar) as severity,
    cast(null as varchar) as message
from judged_days
union all
select
    'finding' as row_kind,
    'requests' as source,
    'requests' as dataset,
    over_logged.last_date as date,
    cast(null as bigint) as rows,
    cast(null as decimal(18, 12)) as expected_share,
    cast(null as bigint) as age_hours,
    'ok' as state,
    'over_logged' as finding,
    cast(over_logged.cells as bigint) as finding_count,
    'warn' as severity,
    'The logs hold more tokens of ' || over_logged.provider || ' than were billed: look for a bill '
    || 'that is not complete yet, calls logged twice, or a model matched wrongly; see core.cells.' as message
from over_logged
union all
select
    'finding' as row_kind,
    'requests' as source,
    'requests' as dataset,
    unbilled.last_date as date,
    cast(null as bigint) as rows,
    cast(null as decimal(18, 12)) as expected_share,
    cast(null as bigint) as age_hours,
    'ok' as state,
    'logged_without_bill' as finding,
    unbilled.days as finding_count,
    'warn' as severity,
    'The bill of ' || unbilled.provider || ' has arrived and does not name '
    || unbilled.model || ', of which the logs hold '
    || cast(cast(unbilled.tokens as bigint) as varchar) || ' tokens on '
    || cast(unbilled.days as varchar) || ' days from ' || cast(unbilled.first_date as varchar) || ' to '
    || cast(unbilled.last_date as varchar) || '. '
    || case
        when unbilled.list_cost is null then 'They have no list price. '
        else
            'Their list cost would be ' || cast(cast(unbilled.list_cost as decimal(38, 2)) as varchar) || ' '
            || coalesce(unbilled.currency, '') || ', and no cost stands for them. '
    end
    || 'Look for a bill of another account or organization, a bill line whose model is read wrongly, or '
    || 'calls logged under the wrong provider; see logged_without_bill in marts.reconciliation.' as message
from unbilled
union all
select
    'finding' as row_kind,
    'bill_tags' as source,
    'charges' as dataset,
    overruled.last_date as date,
    cast(null as bigint) as rows,
    cast(null as decimal(18, 12)) as expected_share,
    cast(null as bigint) as age_hours,
    'ok' as state,
    'tag_overruled_by_logs' as finding,
    cast(overruled.cells as bigint) as finding_count,
    'info' as severity,
    'The logs show several owners where a bill tag names one: the logs decided; see core.tagged_owners.'
        as message
from overruled
where overruled.cells > 0
union all
select
    'finding' as row_kind,
    'classification' as source,
    'charges' as dataset,
    cast(null as date) as date,
    cast(null as bigint) as rows,
    cast(null as decimal(18, 12)) as expected_share,
    cast(null as bigint) as age_hours,
    'ok' as state,
    'unknown_billed_model' as finding,
    cast(unread_models.charges as bigint) as finding_count,
    'warn' as severity,
    'Token lines of ' || unread_models.provider || ' whose model the price book does not know, '
    || cast(cast(unread_models.billed_cost as decimal(38, 2)) as varchar) || ' '
    || unread_models.billing_currency || ', such as "' || coalesce(unread_models.example, '')
    || '": logs cannot be matched to them; add a classification rule with model_pattern, or a model alias,'
    || ' to the config.' as message
from unread_models
union all
select
    'finding' as row_kind,
    'invoices' as source,
    'invoices' as dataset,
    cast(invoices.billing_period_start as date) as date,
    cast(null as bigint) as rows,
    cast(null as decimal(18, 12)) as expected_share,
    cast(null as bigint) as age_hours,
    'ok' as state,
    invoices.cause as finding,
    coalesce(invoices.lines, cast(0 as bigint)) as finding_count,
    'warn' as severity,
    'Invoice ' || invoices.invoice_id || ' of ' || invoices.invoice_issuer_name || ': the invoice says '
    || cast(cast(invoices.invoice_total as decimal(38, 2)) as varchar) || ' ' || invoices.billing_currency
    || ', its bill lines '
    || coalesce(cast(cast(invoices.billed_cost as decimal(38, 2)) as varchar), 'are not there')
    || '; look for lines that were not delivered, or deliver the invoice again; see marts.reconciliation.'
        as message
from invoices
union all
select
    'finding' as row_kind,
    traffic.source,
    'transfers' as dataset,
    traffic.finding_date as date,
    cast(null as bigint) as rows,
    cast(null as decimal(18, 12)) as expected_share,
    cast(null as bigint) as age_hours,
    'ok' as state,
    traffic.kind as finding,
    traffic.finding_count,
    traffic.severity,
    traffic.message
from core.transfer_findings as traffic
