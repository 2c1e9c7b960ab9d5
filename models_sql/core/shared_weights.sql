/*
description: >
    By what weights credits, adjustments and shared-cost rules split a cost: who has the cost that it follows. Costs below
    zero are first netted within their service and sub account, then their billing account; what nets to nothing has no
    weights here.
grain: [charge_date, cell_id, row_id]
materialized: table
partition_by: {column: charge_date, unit: day}
reads:
    core.cells: {days_before: 0, days_after: 0}
    core.direct_costs: {days_before: 0, days_after: 0}
    core.followed_costs: {days_before: 0, days_after: 0}
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

following as (
    select *
    from core.following_cells
    where charge_date >= $start and charge_date < $end
        and follows <> 'invoice'
),

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

followed as (select * from core.followed_costs),

rules as (select * from reference.shared_cost_rules),

targets as (select * from reference.shared_cost_targets),

rule_teams as (select * from reference.shared_cost_teams),

credits as (
    select
        following.charge_date,
        following.cell_id,
        following.follows || chr(31) || case
            when following.follows = 'day' then cast(following.charge_date as varchar)
            else cast(cast(date_trunc('month', following.charge_date) as date) as varchar)
        end || chr(31) || following.bill_of_record
        || chr(31) || coalesce(following.billing_account_id, chr(30))
        || chr(31) || coalesce(following.billing_currency, chr(30))
        || chr(31) || case when following.is_owned then following.direct_owner_id else chr(30) end
        || chr(31) || following.service_name as named_key,
        coalesce(following.sub_account_id, chr(30)) as sub_account_key,
        following.sku_id,
        following.resource_id
    from following
    where following.follows in ('day', 'month') and following.service_name is not null
),

credit_keys as (
    select
        credits.charge_date,
        credits.cell_id,
        1 as named_level,
        credits.named_key || chr(31) || '1' || chr(31) || credits.sub_account_key
        || chr(31) || credits.sku_id || chr(31) || credits.resource_id as named_key
    from credits
    where credits.sku_id is not null and credits.resource_id is not null
    union all
    select
        credits.charge_date,
        credits.cell_id,
        2 as named_level,
        credits.named_key || chr(31) || '2' || chr(31) || credits.sub_account_key
        || chr(31) || credits.sku_id as named_key
    from credits
    where credits.sku_id is not null
    union all
    select
        credits.charge_date,
        credits.cell_id,
        3 as named_level,
        credits.named_key || chr(31) || '3' || chr(31) || credits.sub_account_key as named_key
    from credits
    union all
    select
        credits.charge_date,
        credits.cell_id,
        4 as named_level,
        credits.named_key || chr(31) || '4' as named_key
    from credits
),

credited_services as (
    select distinct
        following.follows,
        case
            when following.follows = 'day' then following.charge_date
            else cast(date_trunc('month', following.charge_date) as date)
        end as followed_from,
        following.bill_of_record,
        following.service_name
    from following
    where following.follows in ('day', 'month') and following.service_name is not null
),

/* What a credit can follow: each cell of its day, or each group of its month. */
followed_groups as (
    select
        'day' as follows,
        cells.charge_date as followed_from,
        cells.cell_id as followed_id,
        cells.bill_of_record,
        cells.billing_account_id,
        cells.sub_account_id,
        cells.billing_currency,
        cells.service_name,
        coalesce(cells.sku_id, cells.sku_meter) as sku_id,
        cells.resource_id,
        cells.direct_owner_id,
        cells.billed_cost,
        cells.effective_cost
    from cells
    inner join credited_services
        on credited_services.follows = 'day'
        and cells.charge_date = credited_services.followed_from
        and cells.bill_of_record = credited_services.bill_of_record
        and cells.service_name = credited_services.service_name
    union all
    select
        'month' as follows,
        followed.followed_month as followed_from,
        followed.followed_id,
        max(followed.bill_of_record) as bill_of_record,
        max(followed.billing_account_id) as billing_account_id,
        max(followed.sub_account_id) as sub_account_id,
        max(followed.billing_currency) as billing_currency,
        max(followed.service_name) as service_name,
        max(followed.sku_id) as sku_id,
        max(followed.resource_id) as resource_id,
        max(followed.direct_owner_id) as direct_owner_id,
        sum(followed.billed_cost) as billed_cost,
        sum(followed.effective_cost) as effective_cost
    from followed
    inner join credited_services
        on credited_services.follows = 'month'
        and followed.followed_month = credited_services.followed_from
        and followed.bill_of_record = credited_services.bill_of_record
        and followed.service_name = credited_services.service_name
    group by followed.followed_month, followed.followed_id
),

/* Named by anybody, or by what carries the same tags or resource: the latter for credits that carry them too. */
owner_keys as (
    select
        followed_groups.*,
        chr(30) as owner_key
    from followed_groups
    union all
    select
        followed_groups.*,
        followed_groups.direct_owner_id as owner_key
    from followed_groups
    where followed_groups.direct_owner_id is not null
),

named_groups as (
    select
        owner_keys.*,
        owner_keys.follows || chr(31) || cast(owner_keys.followed_from as varchar)
        || chr(31) || owner_keys.bill_of_record
        || chr(31) || coalesce(owner_keys.billing_account_id, chr(30))
        || chr(31) || coalesce(owner_keys.billing_currency, chr(30))
        || chr(31) || owner_keys.owner_key
        || chr(31) || owner_keys.service_name as named_key,
        coalesce(owner_keys.sub_account_id, chr(30)) as sub_account_key
    from owner_keys
),

group_keys as (
    select
        named_groups.follows,
        named_groups.followed_from,
        named_groups.followed_id,
        named_groups.sub_account_key,
        named_groups.billed_cost,
        named_groups.effective_cost,
        named_groups.named_key || chr(31) || '1' || chr(31) || named_groups.sub_account_key
        || chr(31) || named_groups.sku_id || chr(31) || named_groups.resource_id as named_key
    from named_groups
    where named_groups.sku_id is not null and named_groups.resource_id is not null
    union all
    select
        named_groups.follows,
        named_groups.followed_from,
        named_groups.followed_id,
        named_groups.sub_account_key,
        named_groups.billed_cost,
        named_groups.effective_cost,
        named_groups.named_key || chr(31) || '2' || chr(31) || named_groups.sub_account_key
        || chr(31) || named_groups.sku_id as named_key
    from named_groups
    where named_groups.sku_id is not null
    union all
    select
        named_groups.follows,
        named_groups.followed_from,
        named_groups.followed_id,
        named_groups.sub_account_key,
        named_groups.billed_cost,
        named_groups.effective_cost,
        named_groups.named_key || chr(31) || '3' || chr(31) || named_groups.sub_account_key as named_key
    from named_groups
    union all
    select
        named_groups.follows,
        named_groups.followed_from,
        named_groups.followed_id,
        named_groups.sub_account_key,
        named_groups.billed_cost,
        named_groups.effective_cost,
        named_groups.named_key || chr(31) || '4' as named_key
    from named_groups
),

key_totals as (
    select
        group_keys.named_key,
        sum(group_keys.billed_cost) as billed_cost,
        sum(group_keys.effective_cost) as effective_cost
    from group_keys
    group by group_keys.named_key
),

/* The closest level that has cost: what is billed, else what it costs in effect (commitments pay for it). */
levels as (
    select
        credit_keys.charge_date,
        credit_keys.cell_id,
        credit_keys.named_key,
        key_totals.billed_cost > 0 as is_by_billed_cost,
        row_number() over (
            partition by credit_keys.charge_date, credit_keys.cell_id
            order by credit_keys.named_level
        ) as level_position
    from credit_keys
    inner join key_totals on credit_keys.named_key = key_totals.named_key
    where key_totals.billed_cost > 0 or key_totals.effective_cost > 0
),

credited_groups as (
    select
        levels.charge_date,
        levels.cell_id,
        levels.is_by_billed_cost,
        group_keys.follows,
        group_keys.followed_from,
        group_keys.followed_id,
        group_keys.sub_account_key
    from levels
    inner join group_keys on levels.named_key = group_keys.named_key
    where levels.level_position = 1
),

credited as (
    select
        credited_groups.charge_date,
        credited_groups.cell_id,
        credited_groups.sub_account_key as group_key,
        facts.owner_id,
        facts.residual_reason,
        case
            when credited_groups.is_by_billed_cost then facts.billed_cost
            else facts.effective_cost
        end as cost
    from credited_groups
    inner join facts
        on credited_groups.followed_from = facts.charge_date
        and credited_groups.followed_id = facts.cell_id
    where credited_groups.follows = 'day'
    union all
    select
        credited_groups.charge_date,
        credited_groups.cell_id,
        credited_groups.sub_account_key as group_key,
        followed.owner_id,
        followed.residual_reason,
        case
            when credited_groups.is_by_billed_cost then followed.billed_cost
            else followed.effective_cost
        end as cost
    from credited_groups
    inner join followed
        on credited_groups.followed_from = followed.followed_month
        and credited_groups.followed_id = followed.followed_id
    where credited_groups.follows = 'month'
),

ruled as (
    select
        following.charge_date,
        cast(date_trunc('month', following.charge_date) as date) as followed_month,
        following.cell_id,
        following.bill_of_record,
        following.sub_account_id,
        following.billing_currency,
        rules.shared_cost_rule_id,
        rules.split,
        rules.measure,
        rules.followed_scope,
        rules.followed_cost_driver,
        rules.shared_among
    from following
    inner join rules on following.shared_cost_rule_id = rules.shared_cost_rule_id
    where following.follows = 'rule'
),

team_rules as (
    select distinct rule_teams.shared_cost_rule_id
    from rule_teams
),

/* Cost of whole bills or accounts is compared in its own currency, cost of everything in the reporting currency. */
ruled_costs as (
    select
        ruled.charge_date,
        ruled.cell_id,
        ruled.split,
        ruled.shared_among,
        coalesce(followed.billing_account_id, chr(30)) as account_key,
        coalesce(followed.service_name, chr(30))
        || chr(31)
        || coalesce(followed.sub_account_id, chr(30)) as group_key,
        followed.owner_id,
        followed.feature,
        followed.team,
        case
            when ruled.followed_scope = 'all' and ruled.measure = 'billed_cost'
                then followed.billed_cost_reporting
            when ruled.followed_scope = 'all' and ruled.measure = 'list_cost'
                then followed.list_cost_reporting
            when ruled.followed_scope = 'all' then followed.effective_cost_reporting
            when ruled.measure = 'billed_cost' then followed.billed_cost
            when ruled.measure = 'list_cost' then followed.list_cost
            else followed.effective_cost
        end as cost
    from ruled
    inner join followed
        on ruled.followed_month = followed.followed_month
        and (
            ruled.followed_scope = 'all'
            or (
                ruled.bill_of_record = followed.bill_of_record
                and ruled.billing_currency = followed.billing_currency
                and (
                    ruled.followed_scope = 'bill'
                    or coalesce(ruled.sub_account_id, chr(30)) = coalesce(followed.sub_account_id, chr(30))
                )
            )
        )
        and (ruled.followed_cost_driver is null or ruled.followed_cost_driver = followed.cost_driver)
    left join rule_teams
        on ruled.shared_cost_rule_id = rule_teams.shared_cost_rule_id
        and followed.team = rule_teams.team
    left join team_rules on ruled.shared_cost_rule_id = team_rules.shared_cost_rule_id
    where ruled.split <> 'fixed'
        and followed.residual_reason is null
        and (team_rules.shared_cost_rule_id is null or rule_teams.team is not null)
        and (
            ruled.shared_among = 'owners'
            or (ruled.shared_among = 'features' and followed.feature is not null)
            or (ruled.shared_among = 'teams' and followed.team is not null)
        )
),

ruled_owners as (
    select
        ruled_costs.charge_date,
        ruled_costs.cell_id,
        ruled_costs.split,
        ruled_costs.account_key,
        ruled_costs.group_key,
        case ruled_costs.shared_among
            when 'owners' then ruled_costs.owner_id
            else md5(
                    chr(30) || chr(31) || chr(30) || chr(31) || chr(30) || chr(31)
                    || case when ruled_costs.shared_among = 'teams' then ruled_costs.team else chr(30) end
                    || chr(31)
                    || case
                        when ruled_costs.shared_among = 'features' then ruled_costs.feature else chr(30)
                    end
                    || chr(31) || chr(30) || chr(31) || chr(30) || chr(31) || chr(30)
                    || chr(31) || chr(30) || chr(31) || chr(30)
                )
        end as owner_id,
        ruled_costs.cost
    from ruled_costs
),

weighing as (
    select
        credited.charge_date,
        credited.cell_id,
        '' as account_key,
        credited.group_key,
        credited.owner_id,
        credited.residual_reason,
        'followed_charges' as method_id,
        credited.cost
    from credited
    union all
    select
        ruled_owners.charge_date,
        ruled_owners.cell_id,
        ruled_owners.account_key,
        ruled_owners.group_key,
        ruled_owners.owner_id,
        cast(null as varchar) as residual_reason,
        'proportional' as method_id,
        ruled_owners.cost
    from ruled_owners
    where ruled_owners.split = 'proportional'
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

even as (
    select
        ruled_owners.charge_date,
        ruled_owners.cell_id,
        ruled_owners.owner_id
    from ruled_owners
    where ruled_owners.split = 'even'
    group by ruled_owners.charge_date, ruled_owners.cell_id, ruled_owners.owner_id
    having sum(ruled_owners.cost) > 0
),

fixed as (
    select
        ruled.charge_date,
        ruled.cell_id,
        md5(
            chr(30) || chr(31) || chr(30) || chr(31) || chr(30)
            || chr(31) || coalesce(targets.team, chr(30)) || chr(31) || coalesce(targets.feature, chr(30))
            || chr(31) || chr(30) || chr(31) || chr(30) || chr(31) || chr(30)
            || chr(31) || chr(30) || chr(31) || chr(30)
        ) as owner_id,
        targets.share_ppm
    from ruled
    inner join targets on ruled.shared_cost_rule_id = targets.shared_cost_rule_id
    where ruled.split = 'fixed'
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
    union all
    select
        even.charge_date,
        even.cell_id,
        even.owner_id,
        cast(null as varchar) as residual_reason,
        'even' as method_id,
        cast(1 as decimal(38, 0)) as cost_weight
    from even
    union all
    select
        fixed.charge_date,
        fixed.cell_id,
        fixed.owner_id,
        cast(null as varchar) as residual_reason,
        'fixed' as method_id,
        cast(fixed.share_ppm as decimal(38, 0)) as cost_weight
    from fixed
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
