/*
description: >
    What the month's direct cost was, by who caused it and by what a tax, a credit or a shared-cost rule can name of it:
    what such cost follows. Only of bills that something follows, in that month or one next to it.
grain: [followed_month, followed_id, row_id]
materialized: table
partition_by: {column: followed_month, unit: month}
reads:
    core.cells: {days_before: 0, days_after: 0}
    core.direct_costs: {days_before: 0, days_after: 0}
    core.direct_owners: {days_before: 0, days_after: 0}
    core.following_cells: {days_before: 31, days_after: 31}
columns:
    followed_month: null
    followed_id: null
    row_id: null
    owner_id: null
    residual_reason: null
    feature: null
    team: null
    bill_of_record: null
    provider: null
    billing_account_id: null
    sub_account_id: null
    billing_currency: null
    billing_period_start: null
    invoice_issuer_name: null
    invoice_id: null
    service_name: null
    sku_id: null
    resource_id: null
    cost_driver: null
    direct_owner_id: null
    billed_cost: null
    effective_cost: null
    list_cost: null
    billed_cost_reporting: null
    effective_cost_reporting: null
    list_cost_reporting: null
*/
with

cells as (
    select *
    from core.cells
    where charge_date >= $start and charge_date < $end
        and follows is null
        and cost_state <> 'estimated'
),

facts as (
    select *
    from core.direct_costs
    where charge_date >= $start and charge_date < $end
),

owners as (
    select *
    from core.direct_owners
    where charge_date >= $start and charge_date < $end
),

following as (
    select *
    from core.following_cells
    where follows <> 'day'
),

wanted as (
    select distinct
        extract(year from following.charge_date) * 12 + extract(month from following.charge_date)
            as month_number,
        case when following.follows <> 'rule' then following.bill_of_record end as bill_of_record,
        following.follows = 'rule' as is_any_bill
    from following
),

dated as (
    select
        cells.*,
        extract(year from cells.charge_date) * 12 + extract(month from cells.charge_date) as month_number
    from cells
),

wanted_bills as (
    select distinct
        dated.month_number,
        dated.bill_of_record
    from dated
    inner join wanted
        on dated.month_number >= wanted.month_number - 1
        and dated.month_number <= wanted.month_number + 1
        and (wanted.is_any_bill or dated.bill_of_record = wanted.bill_of_record)
),

described as (
    select
        cast(date_trunc('month', dated.charge_date) as date) as followed_month,
        dated.charge_date,
        dated.cell_id,
        dated.bill_of_record,
        dated.provider,
        dated.billing_account_id,
        dated.sub_account_id,
        dated.billing_currency,
        dated.billing_period_start,
        dated.invoice_issuer_name,
        dated.invoice_id,
        dated.service_name,
        coalesce(dated.sku_id, dated.sku_meter) as sku_id,
        dated.resource_id,
        dated.cost_driver,
        dated.direct_owner_id,
        md5(
            coalesce(dated.bill_of_record, chr(30))
            || chr(31) || coalesce(dated.provider, chr(30))
            || chr(31) || coalesce(dated.billing_account_id, chr(30))
            || chr(31) || coalesce(dated.sub_account_id, chr(30))
            || chr(31) || coalesce(dated.billing_currency, chr(30))
            || chr(31) || coalesce(cast(dated.billing_period_start as varchar), chr(30))
            || chr(31) || coalesce(dated.invoice_issuer_name, chr(30))
            || chr(31) || coalesce(dated.invoice_id, chr(30))
            || chr(31) || coalesce(dated.service_name, chr(30))
            || chr(31) || coalesce(dated.sku_id, dated.sku_meter, chr(30))
            || chr(31) || coalesce(dated.resource_id, chr(30))
            || chr(31) || coalesce(dated.cost_driver, chr(30))
            || chr(31) || coalesce(dated.direct_owner_id, chr(30))
        ) as followed_id
    from dated
    inner join wanted_bills
        on dated.month_number = wanted_bills.month_number
        and dated.bill_of_record = wanted_bills.bill_of_record
),

summed as (
    select
        described.followed_month,
        described.followed_id,
        facts.owner_id,
        facts.residual_reason,
        max(described.bill_of_record) as bill_of_record,
        max(described.provider) as provider,
        max(described.billing_account_id) as billing_account_id,
        max(described.sub_account_id) as sub_account_id,
        max(described.billing_currency) as billing_currency,
        max(described.billing_period_start) as billing_period_start,
        max(described.invoice_issuer_name) as invoice_issuer_name,
        max(described.invoice_id) as invoice_id,
        max(described.service_name) as service_name,
        max(described.sku_id) as sku_id,
        max(described.resource_id) as resource_id,
        max(described.cost_driver) as cost_driver,
        max(described.direct_owner_id) as direct_owner_id,
        cast(sum(facts.billed_cost) as decimal(38, 12)) as billed_cost,
        cast(sum(facts.effective_cost) as decimal(38, 12)) as effective_cost,
        cast(sum(facts.list_cost) as decimal(38, 12)) as list_cost,
        cast(sum(facts.billed_cost_reporting) as decimal(38, 12)) as billed_cost_reporting,
        cast(sum(facts.effective_cost_reporting) as decimal(38, 12)) as effective_cost_reporting,
        cast(sum(facts.list_cost_reporting) as decimal(38, 12)) as list_cost_reporting
    from facts
    inner join described
        on facts.charge_date = described.charge_date
        and facts.cell_id = described.cell_id
    group by
        described.followed_month,
        described.followed_id,
        facts.owner_id,
        facts.residual_reason
),

named as (
    select
        owners.owner_id,
        max(owners.feature) as feature,
        max(owners.team) as team
    from owners
    group by owners.owner_id
)

select
    summed.followed_month,
    summed.followed_id,
    md5(summed.owner_id || chr(31) || coalesce(summed.residual_reason, chr(30))) as row_id,
    summed.owner_id,
    summed.residual_reason,
    named.feature,
    named.team,
    summed.bill_of_record,
    summed.provider,
    summed.billing_account_id,
    summed.sub_account_id,
    summed.billing_currency,
    summed.billing_period_start,
    summed.invoice_issuer_name,
    summed.invoice_id,
    summed.service_name,
    summed.sku_id,
    summed.resource_id,
    summed.cost_driver,
    summed.direct_owner_id,
    summed.billed_cost,
    summed.effective_cost,
    summed.list_cost,
    summed.billed_cost_reporting,
    summed.effective_cost_reporting,
    summed.list_cost_reporting
from summed
left join named on summed.owner_id = named.owner_id
