/*
description: >
    cost_daily with idle capacity laid on those who used that capacity on the day, by what they paid of it: what use costs
    when it carries the time in which nothing ran. Same total as cost_daily. Capacity that nobody used that day stays
    idle_capacity, and time that nobody measured stays unmeasured_capacity.
materialized: view
partition_by: {column: charge_date, unit: day}
columns:
    charge_date: null
    cost_state: null
    provider: null
    billing_account_id: null
    sub_account_id: null
    region_id: null
    service_name: null
    sku_meter: null
    charge_category: null
    cost_driver: null
    traffic_kind: null
    model: null
    token_class: null
    service_tier: null
    feature: null
    endpoint: null
    workflow: null
    agent: null
    agent_step: null
    user_id: null
    tenant: null
    customer: null
    team: null
    environment: null
    from_zone: null
    to_zone: null
    billed_cost: null
    effective_cost: null
    list_cost: null
    billing_currency: null
    billed_cost_reporting: null
    effective_cost_reporting: null
    list_cost_reporting: null
    reporting_currency: null
    fx_date: null
    requests: each call stands once, on one row of those that share its cost, so that sums are right
    input_tokens: null
    output_tokens: null
    bytes: null
    evidence: null
    method_id: null
    residual_reason: null
    bill_of_record: null
    idle_cost: in the reporting currency; the part of effective_cost_reporting that is idle capacity
checks:
    - name: fully_loaded_keeps_the_mart
      severity: fail
      by: partition
      description: Fully loaded cost sums to cost_daily, per day and currency, in every measure.
      sql: >
        select coalesce(f.charge_date, m.charge_date) as charge_date, f.billing_currency, f.effective, m.effective
        from (select charge_date, billing_currency, sum(billed_cost) as total, sum(effective_cost) as effective,
                sum(list_cost) as listed, sum(billed_cost_reporting) as billed_reporting,
                sum(effective_cost_reporting) as effective_reporting, sum(list_cost_reporting) as listed_reporting
              from marts.cost_daily_fully_loaded group by charge_date, billing_currency) as f
        full join (select charge_date, billing_currency, sum(billed_cost) as total, sum(effective_cost) as effective,
                sum(list_cost) as listed, sum(billed_cost_reporting) as billed_reporting,
                sum(effective_cost_reporting) as effective_reporting, sum(list_cost_reporting) as listed_reporting
              from marts.cost_daily group by charge_date, billing_currency) as m
          on f.charge_date = m.charge_date and f.billing_currency = m.billing_currency
        where f.total is distinct from m.total
            or f.effective is distinct from m.effective
            or f.listed is distinct from m.listed
            or f.billed_reporting is distinct from m.billed_reporting
            or f.effective_reporting is distinct from m.effective_reporting
            or f.listed_reporting is distinct from m.listed_reporting
*/
with

all_facts as (select * from core.attributed_costs),

cells as (select * from core.cells),

owners as (select * from core.owners_daily),

shares as (select * from core.idle_shares),

settings as (select * from reference.settings),

shared_cells as (
    select
        shares.charge_date,
        shares.cell_id
    from shares
    group by shares.charge_date, shares.cell_id
),

facts as (
    select
        all_facts.charge_date,
        all_facts.cell_id,
        all_facts.owner_id,
        all_facts.from_zone,
        all_facts.to_zone,
        all_facts.residual_reason,
        all_facts.billed_cost + coalesce(shares.billed_cost, 0) as billed_cost,
        all_facts.effective_cost + coalesce(shares.effective_cost, 0) as effective_cost,
        all_facts.list_cost + coalesce(shares.list_cost, 0) as list_cost,
        all_facts.billed_cost_reporting + coalesce(shares.billed_cost_reporting, 0) as billed_cost_reporting,
        all_facts.effective_cost_reporting + coalesce(shares.effective_cost_reporting, 0)
            as effective_cost_reporting,
        all_facts.list_cost_reporting + coalesce(shares.list_cost_reporting, 0) as list_cost_reporting,
        coalesce(shares.effective_cost_reporting, 0) as idle_cost,
        all_facts.billing_currency,
        all_facts.fx_date,
        all_facts.requests,
        all_facts.input_tokens,
        all_facts.output_tokens,
        all_facts.bytes,
        all_facts.method_id,
        all_facts.evidence,
        all_facts.cost_state
    from all_facts
    left join shares
        on all_facts.charge_date = shares.charge_date
        and all_facts.cell_id = shares.cell_id
        and all_facts.row_id = shares.row_id
    left join shared_cells
        on all_facts.charge_date = shared_cells.charge_date
        and all_facts.cell_id = shared_cells.cell_id
        and all_facts.residual_reason = 'idle_capacity'
    where shared_cells.cell_id is null
)

select
    facts.charge_date,
    facts.cost_state,
    cells.provider,
    cells.billing_account_id,
    cells.sub_account_id,
    cells.region_id,
    cells.service_name,
    cells.sku_meter,
    cells.charge_category,
    cells.cost_driver,
    cells.traffic_kind,
    cells.model,
    cells.token_class,
    cells.service_tier,
    owners.feature,
    owners.endpoint,
    owners.workflow,
    owners.agent,
    owners.agent_step,
    owners.user_id,
    owners.tenant,
    owners.customer,
    owners.team,
    owners.environment,
    facts.from_zone,
    facts.to_zone,
    cast(sum(facts.billed_cost) as decimal(38, 12)) as billed_cost,
    cast(sum(facts.effective_cost) as decimal(38, 12)) as effective_cost,
    cast(sum(facts.list_cost) as decimal(38, 12)) as list_cost,
    facts.billing_currency,
    cast(sum(facts.billed_cost_reporting) as decimal(38, 12)) as billed_cost_reporting,
    cast(sum(facts.effective_cost_reporting) as decimal(38, 12)) as effective_cost_reporting,
    cast(sum(facts.list_cost_reporting) as decimal(38, 12)) as list_cost_reporting,
    settings.reporting_currency,
    facts.fx_date,
    cast(sum(facts.requests) as bigint) as requests,
    cast(sum(facts.input_tokens) as bigint) as input_tokens,
    cast(sum(facts.output_tokens) as bigint) as output_tokens,
    cast(sum(facts.bytes) as bigint) as bytes,
    facts.evidence,
    facts.method_id,
    facts.residual_reason,
    cells.bill_of_record,
    cast(sum(facts.idle_cost) as decimal(38, 12)) as idle_cost
from facts
inner join cells
    on facts.charge_date = cells.charge_date
    and facts.cell_id = cells.cell_id
left join owners
    on facts.charge_date = owners.charge_date
    and facts.owner_id = owners.owner_id
cross join settings
group by
    facts.charge_date,
    facts.cost_state,
    cells.provider,
    cells.billing_account_id,
    cells.sub_account_id,
    cells.region_id,
    cells.service_name,
    cells.sku_meter,
    cells.charge_category,
    cells.cost_driver,
    cells.traffic_kind,
    cells.model,
    cells.token_class,
    cells.service_tier,
    owners.feature,
    owners.endpoint,
    owners.workflow,
    owners.agent,
    owners.agent_step,
    owners.user_id,
    owners.tenant,
    owners.customer,
    owners.team,
    owners.environment,
    facts.from_zone,
    facts.to_zone,
    facts.billing_currency,
    facts.fx_date,
    settings.reporting_currency,
    facts.evidence,
    facts.method_id,
    facts.residual_reason,
    cells.bill_of_record
