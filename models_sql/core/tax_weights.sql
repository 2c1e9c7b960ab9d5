/*
description: >
    By what weights a tax is split: the taxed billed cost of its invoice, of the service and sub account that it names where
    it names any, credits and shared cost included. Until an invoice id is stated, an invoice is what one issuer bills an
    account for a billing period in a currency. Costs below zero are first netted within their service and sub account,
    then their billing account; what nets to nothing has no weights here.
grain: [charge_date, cell_id, row_id]
materialized: table
partition_by: {column: charge_date, unit: day}
reads:
    core.cells: {days_before: 62, days_after: 62}
    core.followed_costs: {days_before: 31, days_after: 31}
    core.shared_costs: {days_before: 62, days_after: 62}
columns:
    charge_date: null
    cell_id: null
    row_id: null
    owner_id: null
    residual_reason: null
    method_id: null
    cost_weight: null
*/
with

taxes as (
    select *
    from core.following_cells
    where charge_date >= $start and charge_date < $end
        and follows = 'invoice'
),

followed as (select * from core.followed_costs),

shared as (select * from core.shared_costs),

cells as (
    select *
    from core.cells
    where follows is not null
),

taxed as (
    select
        followed.followed_month as taxed_month,
        followed.bill_of_record,
        followed.provider,
        followed.billing_account_id,
        followed.sub_account_id,
        followed.billing_currency,
        followed.billing_period_start,
        followed.invoice_issuer_name,
        followed.invoice_id,
        followed.service_name,
        followed.owner_id,
        followed.residual_reason,
        followed.billed_cost
    from followed
    where followed.billed_cost <> 0
    union all
    select
        cast(date_trunc('month', shared.charge_date) as date) as taxed_month,
        cells.bill_of_record,
        cells.provider,
        cells.billing_account_id,
        cells.sub_account_id,
        cells.billing_currency,
        cells.billing_period_start,
        cells.invoice_issuer_name,
        cells.invoice_id,
        cells.service_name,
        shared.owner_id,
        shared.residual_reason,
        shared.billed_cost
    from shared
    inner join cells
        on shared.charge_date = cells.charge_date
        and shared.cell_id = cells.cell_id
    where shared.billed_cost <> 0
),

/* Invoices by id, and by what one is until it has an id: issuer, account, period and currency. */
taxed_invoices as (
    select
        taxed.taxed_month,
        'invoice' || chr(31) || taxed.bill_of_record
        || chr(31) || coalesce(taxed.invoice_issuer_name, taxed.provider, chr(30))
        || chr(31) || taxed.invoice_id || chr(31) || taxed.billing_currency as invoice_key,
        coalesce(taxed.billing_account_id, chr(30)) as account_key,
        coalesce(taxed.sub_account_id, chr(30)) as sub_account_key,
        coalesce(taxed.service_name, chr(30)) as service_key,
        taxed.owner_id,
        taxed.residual_reason,
        taxed.billed_cost
    from taxed
    where taxed.invoice_id is not null
    union all
    select
        taxed.taxed_month,
        'period' || chr(31) || taxed.bill_of_record
        || chr(31) || coalesce(taxed.invoice_issuer_name, taxed.provider, chr(30))
        || chr(31) || coalesce(taxed.billing_account_id, chr(30))
        || chr(31) || cast(taxed.billing_period_start as varchar)
        || chr(31) || taxed.billing_currency as invoice_key,
        coalesce(taxed.billing_account_id, chr(30)) as account_key,
        coalesce(taxed.sub_account_id, chr(30)) as sub_account_key,
        coalesce(taxed.service_name, chr(30)) as service_key,
        taxed.owner_id,
        taxed.residual_reason,
        taxed.billed_cost
    from taxed
),

tax_invoices as (
    select
        taxes.charge_date,
        taxes.cell_id,
        0 as invoice_level,
        'invoice' || chr(31) || taxes.bill_of_record
        || chr(31) || coalesce(taxes.invoice_issuer_name, taxes.provider, chr(30))
        || chr(31) || taxes.invoice_id || chr(31) || taxes.billing_currency as invoice_key,
        coalesce(taxes.sub_account_id, chr(30)) as sub_account_key,
        coalesce(taxes.service_name, chr(30)) as service_key
    from taxes
    where taxes.invoice_id is not null
    union all
    select
        taxes.charge_date,
        taxes.cell_id,
        4 as invoice_level,
        'period' || chr(31) || taxes.bill_of_record
        || chr(31) || coalesce(taxes.invoice_issuer_name, taxes.provider, chr(30))
        || chr(31) || coalesce(taxes.billing_account_id, chr(30))
        || chr(31) || cast(taxes.billing_period_start as varchar)
        || chr(31) || taxes.billing_currency as invoice_key,
        coalesce(taxes.sub_account_id, chr(30)) as sub_account_key,
        coalesce(taxes.service_name, chr(30)) as service_key
    from taxes
),

/* Few rows an invoice: which level a tax finds is decided on these. */
invoice_parts as (
    select
        taxed_invoices.taxed_month,
        taxed_invoices.invoice_key,
        taxed_invoices.account_key,
        taxed_invoices.sub_account_key,
        taxed_invoices.service_key,
        sum(taxed_invoices.billed_cost) as billed_cost
    from taxed_invoices
    group by
        taxed_invoices.taxed_month,
        taxed_invoices.invoice_key,
        taxed_invoices.account_key,
        taxed_invoices.sub_account_key,
        taxed_invoices.service_key
),

matched as (
    select
        tax_invoices.charge_date,
        tax_invoices.cell_id,
        tax_invoices.invoice_key,
        tax_invoices.invoice_level + case
            when tax_invoices.sub_account_key = invoice_parts.sub_account_key
                and tax_invoices.service_key = invoice_parts.service_key then 1
            when tax_invoices.sub_account_key = invoice_parts.sub_account_key then 2
            when tax_invoices.service_key = invoice_parts.service_key then 3
            else 4
        end as named_level,
        invoice_parts.taxed_month,
        invoice_parts.account_key,
        invoice_parts.sub_account_key,
        invoice_parts.service_key,
        invoice_parts.billed_cost
    from tax_invoices
    inner join invoice_parts
        on tax_invoices.invoice_key = invoice_parts.invoice_key
        and abs(
            extract(year from tax_invoices.charge_date) * 12
            + extract(month from tax_invoices.charge_date)
            - extract(year from invoice_parts.taxed_month) * 12
            - extract(month from invoice_parts.taxed_month)
        ) <= 1
),

/* A level holds the closer ones too, but for the service alone, which does not hold the sub account. */
widened as (
    select
        matched.*,
        matched.named_level as level_id
    from matched
    union all
    select
        matched.*,
        matched.named_level + 1 as level_id
    from matched
    where matched.named_level in (1, 3, 5, 7)
    union all
    select
        matched.*,
        matched.named_level + 2 as level_id
    from matched
    where matched.named_level in (1, 2, 5, 6)
    union all
    select
        matched.*,
        matched.named_level + 3 as level_id
    from matched
    where matched.named_level in (1, 5)
),

level_totals as (
    select
        widened.charge_date,
        widened.cell_id,
        widened.invoice_key,
        widened.level_id,
        row_number() over (
            partition by widened.charge_date, widened.cell_id
            order by widened.level_id
        ) as level_position
    from widened
    group by widened.charge_date, widened.cell_id, widened.invoice_key, widened.level_id
    having sum(widened.billed_cost) > 0
),

chosen as (
    select
        widened.charge_date,
        widened.cell_id,
        widened.invoice_key,
        widened.taxed_month,
        widened.account_key,
        widened.sub_account_key,
        widened.service_key
    from widened
    inner join level_totals
        on widened.charge_date = level_totals.charge_date
        and widened.cell_id = level_totals.cell_id
        and widened.level_id = level_totals.level_id
    where level_totals.level_position = 1
),

weighing as (
    select
        chosen.charge_date,
        chosen.cell_id,
        chosen.account_key,
        chosen.service_key || chr(31) || chosen.sub_account_key as group_key,
        taxed_invoices.owner_id,
        taxed_invoices.residual_reason,
        'taxed_cost' as method_id,
        taxed_invoices.billed_cost as cost
    from chosen
    inner join taxed_invoices
        on chosen.invoice_key = taxed_invoices.invoice_key
        and chosen.taxed_month = taxed_invoices.taxed_month
        and chosen.account_key = taxed_invoices.account_key
        and chosen.sub_account_key = taxed_invoices.sub_account_key
        and chosen.service_key = taxed_invoices.service_key
),

owner_nets as (
    select
        weighing.charge_date,
        weighing.cell_id,
        weighing.account_key,
        weighing.group_key,
        weighing.owner_id,
        weighing.residual_reason,
        weighing.method_id,
        cast(
            cast(sum(weighing.cost) as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(24, 0)
        ) as cost_units
    from weighing
    group by
        weighing.charge_date,
        weighing.cell_id,
        weighing.account_key,
        weighing.group_key,
        weighing.owner_id,
        weighing.residual_reason,
        weighing.method_id
),

group_nets as (
    select
        owner_nets.charge_date,
        owner_nets.cell_id,
        owner_nets.account_key,
        owner_nets.group_key,
        cast(sum(owner_nets.cost_units) as decimal(24, 0)) as net_units,
        cast(sum(greatest(owner_nets.cost_units, 0)) as decimal(24, 0)) as positive_units
    from owner_nets
    group by owner_nets.charge_date, owner_nets.cell_id, owner_nets.account_key, owner_nets.group_key
),

account_nets as (
    select
        group_nets.charge_date,
        group_nets.cell_id,
        group_nets.account_key,
        cast(sum(group_nets.net_units) as decimal(24, 0)) as net_units,
        cast(sum(greatest(group_nets.net_units, 0)) as decimal(24, 0)) as positive_units
    from group_nets
    group by group_nets.charge_date, group_nets.cell_id, group_nets.account_key
),

pools as (
    select
        account_nets.charge_date,
        account_nets.cell_id
    from account_nets
    group by account_nets.charge_date, account_nets.cell_id
    having sum(account_nets.net_units) > 0
),

/* Parts of 1e12 that are left of what is above zero, once what is below zero is taken off it. */
shares_left as (
    select
        group_nets.charge_date,
        group_nets.cell_id,
        group_nets.account_key,
        group_nets.group_key,
        cast(
            case
                when group_nets.net_units <= 0 then 0
                when group_nets.net_units = group_nets.positive_units then 1000000000000
                else greatest(
                        1,
                        idiv(
                            group_nets.net_units * cast(1000000000000 as decimal(13, 0)),
                            group_nets.positive_units
                        )
                    )
            end as decimal(13, 0)
        ) as group_share,
        cast(
            case
                when account_nets.net_units <= 0 then 0
                when account_nets.net_units = account_nets.positive_units then 1000000000000
                else greatest(
                        1,
                        idiv(
                            account_nets.net_units * cast(1000000000000 as decimal(13, 0)),
                            account_nets.positive_units
                        )
                    )
            end as decimal(13, 0)
        ) as account_share
    from group_nets
    inner join account_nets
        on group_nets.charge_date = account_nets.charge_date
        and group_nets.cell_id = account_nets.cell_id
        and group_nets.account_key = account_nets.account_key
    inner join pools
        on group_nets.charge_date = pools.charge_date
        and group_nets.cell_id = pools.cell_id
),

group_weights as (
    select
        owner_nets.charge_date,
        owner_nets.cell_id,
        owner_nets.owner_id,
        owner_nets.residual_reason,
        owner_nets.method_id,
        shares_left.account_share,
        cast(
            case
                when owner_nets.cost_units <= 0 or shares_left.group_share = 0 then 0
                when shares_left.group_share = 1000000000000 then owner_nets.cost_units
                else greatest(
                        1,
                        idiv(
                            owner_nets.cost_units * shares_left.group_share,
                            cast(1000000000000 as decimal(13, 0))
                        )
                    )
            end as decimal(24, 0)
        ) as weight
    from owner_nets
    inner join shares_left
        on owner_nets.charge_date = shares_left.charge_date
        and owner_nets.cell_id = shares_left.cell_id
        and owner_nets.account_key = shares_left.account_key
        and owner_nets.group_key = shares_left.group_key
),

netted as (
    select
        group_weights.charge_date,
        group_weights.cell_id,
        group_weights.owner_id,
        group_weights.residual_reason,
        group_weights.method_id,
        case
            when group_weights.weight = 0 or group_weights.account_share = 0 then cast(0 as decimal(24, 0))
            when group_weights.account_share = 1000000000000 then group_weights.weight
            else cast(
                    greatest(
                        1,
                        idiv(
                            group_weights.weight * group_weights.account_share,
                            cast(1000000000000 as decimal(13, 0))
                        )
                    ) as decimal(24, 0)
                )
        end as weight
    from group_weights
),

weighed as (
    select
        netted.charge_date,
        netted.cell_id,
        netted.owner_id,
        netted.residual_reason,
        netted.method_id,
        cast(sum(netted.weight) as decimal(38, 0)) as cost_weight
    from netted
    where netted.weight > 0
    group by
        netted.charge_date,
        netted.cell_id,
        netted.owner_id,
        netted.residual_reason,
        netted.method_id
)

select
    weighed.charge_date,
    weighed.cell_id,
    md5(weighed.owner_id || chr(31) || coalesce(weighed.residual_reason, chr(30))) as row_id,
    weighed.owner_id,
    weighed.residual_reason,
    weighed.method_id,
    weighed.cost_weight
from weighed
