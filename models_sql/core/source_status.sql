/*
description: >
    The state of each source. The newest day of a bill is its newest day with cost, as far as it is known.
materialized: view
columns:
    source: null
    connector: null
    dataset: null
    state: null
    last_delivered_at: null
    first_date: null
    last_date: null
    rows: null
    age_hours: null
*/
with

source as (select * from staging.source_status),

bills as (
    select
        coverage.bill_of_record,
        max(coverage.last_date) as last_date
    from core.bill_coverage as coverage
    group by coverage.bill_of_record
)

select
    source.source,
    source.connector,
    source.dataset,
    source.state,
    source.last_delivered_at,
    source.first_date,
    coalesce(source.last_date, bills.last_date) as last_date,
    source.rows,
    source.age_hours
from source
left join bills
    on source.source = bills.bill_of_record
    and source.dataset in ('charges', 'aws_cur_lines', 'azure_cost_lines', 'gcp_cost_lines')
