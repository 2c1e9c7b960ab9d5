/*
description: >
    What is known of each source, per dataset and finding: state, age, rows, and what is wrong with it. Sources that
    were not delivered are rows too.
materialized: table
order_by: [source, dataset, date, finding, message]
columns:
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

requests as (
    select charge_date, provider, model, sum(requests) as requests
    from core.usage_costs
    where unpriced_reason is not null
    group by charge_date, provider, model
),

anonymous as (
    select provider, count(distinct charge_date) as days, max(charge_date) as last_date, sum(requests) as requests
    from marts.cost_daily
    where requests > 0 and feature is null
    group by provider
),

unclassified as (
    select billing_currency, count(*) as charges, sum(billed_cost) as billed_cost
    from core.charges
    where rule_id = 'other'
    group by billing_currency
),

unknown_rate as (
    select billing_currency, count(*) as charges
    from core.charges
    where billed_cost_reporting is null and billed_cost is not null
    group by billing_currency
)

select
    status.source,
    status.dataset,
    status.last_date as date,
    status.rows,
    cast(null as decimal(18, 12)) as expected_share,
    status.age_hours,
    status.state,
    cast(null as varchar) as finding,
    cast(null as bigint) as finding_count,
    cast(null as varchar) as severity,
    cast(null as varchar) as message
from status
union all
select
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
        || ' (price model: ' || coalesce(requests.model, 'none')
        || '): add a model alias or a price override to the config.' as message
from requests
group by requests.provider, requests.model
union all
select
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
    'No rate from ' || unknown_rate.billing_currency || ' to ' || $reporting_currency
        || ' at the charge dates: these charges keep their own currency; add fx_rates to the config.' as message
from unknown_rate
union all
select
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
        || ' name no feature: their cost stands under no feature; set the attribute or map the column in the config.'
        as message
from anonymous
union all
select
    'classification' as source,
    'charges' as dataset,
    cast(null as date) as date,
    cast(null as bigint) as rows,
    cast(null as decimal(18, 12)) as expected_share,
    cast(null as bigint) as age_hours,
    'ok' as state,
    'unclassified_charges' as finding,
    cast(unclassified.charges as bigint) as finding_count,
    'info' as severity,
    'Charges that no rule knows stand under the driver other: '
        || cast(cast(unclassified.billed_cost as decimal(38, 2)) as varchar) || ' ' || unclassified.billing_currency
        || '; add a classification rule to the config.' as message
from unclassified
