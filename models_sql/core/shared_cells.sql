/*
description: >
    The cells of a bill that a shared-cost rule of the config takes, each with the first rule that fits it. Without rules
    there are none.
grain: [billing_period_start, cell_key]
materialized: table
partition_by: {column: billing_period_start, unit: month}
overlap: {start: spread_start_date, end: spread_end_date}
columns:
    billing_period_start: null
    cell_key: null
    shared_cost_rule_id: null
    spread_start_date: null
    spread_end_date: null
*/
with

charges as (
    select *
    from core.charges
    where billing_period_start >= cast($start as timestamp)
        and billing_period_start < cast($end as timestamp)
),

rules as (select * from reference.shared_cost_rules),

fitting as (
    select
        charges.billing_period_start,
        charges.cell_key,
        charges.spread_start_date,
        charges.spread_end_date,
        rules.priority,
        rules.shared_cost_rule_id
    from charges
    inner join rules
        on (rules.provider is null or lower(charges.provider) = rules.provider)
        and (
            rules.account is null
            or lower(charges.billing_account_id) = rules.account
            or lower(charges.sub_account_id) = rules.account
        )
        and (rules.service_name is null or lower(charges.service_name) = rules.service_name)
        and (rules.charge_category is null or charges.charge_category = rules.charge_category)
        and (rules.cost_driver is null or charges.cost_driver = rules.cost_driver)
        and (
            rules.tag_key is null
            or rules.tag_value = case rules.tag_key
                when 'tenant' then charges.tag_tenant
                when 'customer' then charges.tag_customer
                when 'team' then charges.tag_team
                when 'feature' then charges.tag_feature
                when 'endpoint' then charges.tag_endpoint
                when 'workflow' then charges.tag_workflow
                when 'environment' then charges.tag_environment
            end
        )
),

ranked as (
    select
        fitting.billing_period_start,
        fitting.cell_key,
        fitting.shared_cost_rule_id,
        min(fitting.spread_start_date) as spread_start_date,
        max(fitting.spread_end_date) as spread_end_date,
        row_number() over (
            partition by fitting.billing_period_start, fitting.cell_key
            order by min(fitting.priority)
        ) as rule_position
    from fitting
    group by fitting.billing_period_start, fitting.cell_key, fitting.shared_cost_rule_id
)

select
    ranked.billing_period_start,
    ranked.cell_key,
    ranked.shared_cost_rule_id,
    ranked.spread_start_date,
    ranked.spread_end_date
from ranked
where ranked.rule_position = 1
