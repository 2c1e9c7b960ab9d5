/*
description: >
    Billing accounts, member accounts, subscriptions and projects with the names that people know, one row each: where
    two sources name one account the name that sorts first counts.
grain: [provider, account_id]
materialized: view
columns:
    x_source: null
    provider: null
    account_id: null
    account_name: null
    account_type: null
    parent_account_id: null
*/
with

source as (
    select
        accounts.*,
        row_number() over (
            partition by accounts.provider, accounts.account_id
            order by
                case when accounts.account_name is null then 1 else 0 end,
                accounts.account_name,
                accounts.x_source,
                accounts.x_snapshot_id
        ) as statement_rank
    from lake.accounts as accounts
)

select
    source.x_source,
    source.provider,
    source.account_id,
    source.account_name,
    source.account_type,
    source.parent_account_id
from source
where source.statement_rank = 1
