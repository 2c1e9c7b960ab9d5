/*
description: >
    Every cent of the bill by day and by what caused it. Start here. Sums to the bill per currency; rows with a
    residual_reason say what could not be traced and why; estimated rows have no billed cost yet.
materialized: table
partition_by: {column: charge_date, unit: day}
order_by: [charge_date, cost_state, provider, billing_account_id, sub_account_id, region_id, service_name, sku_meter, charge_category, cost_driver, traffic_kind, model, token_class, service_tier, feature, endpoint, workflow, agent, agent_step, user_id, tenant, customer, team, environment, from_zone, to_zone, billing_currency, fx_date, evidence, method_id, residual_reason, bill_of_record]
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
    confidence: null
    bill_of_record: null
checks:
    - name: every_row_has_a_confidence
      severity: fail
      by: partition
      description: The last rule of confidence matches everything, so a row without one is a broken rule table.
      sql: select charge_date from marts.cost_daily where confidence is null
    - name: mart_keeps_the_fact
      severity: fail
      by: partition
      description: The mart sums to the fact, per day and currency, in every measure.
      sql: >
        select coalesce(f.charge_date, m.charge_date) as charge_date, f.billing_currency, f.total, m.total as mart_total
        from (select charge_date, billing_currency, sum(billed_cost) as total, sum(effective_cost) as effective,
                sum(list_cost) as listed, sum(billed_cost_reporting) as billed_reporting,
                sum(effective_cost_reporting) as effective_reporting, sum(list_cost_reporting) as listed_reporting
              from core.attributed_costs group by charge_date, billing_currency) as f
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

facts as (
    select *
    from core.attributed_costs
    where charge_date >= $start and charge_date < $end
),

/* The same rows once more, in three columns: one import read by two steps would be kept in memory whole. */
ways as (
    select distinct
        method_id,
        evidence,
        residual_reason
    from core.attributed_costs
    where charge_date >= $start and charge_date < $end
),

rules as (select * from reference.confidence_rules),

cells as (
    select *
    from core.cells
    where charge_date >= $start and charge_date < $end
),

owners as (
    select *
    from core.owners_daily
    where charge_date >= $start and charge_date < $end
),

judged as (
    select
        ways.method_id,
        ways.evidence,
        coalesce(ways.residual_reason, '') as residual_key,
        rules.confidence,
        row_number() over (
            partition by ways.method_id, ways.evidence, ways.residual_reason
            order by rules.priority
        ) as rule_position
    from ways
    inner join rules
        on (
            (rules.residual_reason is null and ways.residual_reason is null)
            or ways.residual_reason = rules.residual_reason
            or (rules.residual_reason = '*' and ways.residual_reason is not null)
        )
        and (rules.method_id is null or ways.method_id = rules.method_id)
        and (rules.evidence is null or ways.evidence = rules.evidence)
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
    cast($reporting_currency as varchar) as reporting_currency,
    facts.fx_date,
    cast(sum(facts.requests) as bigint) as requests,
    cast(sum(facts.input_tokens) as bigint) as input_tokens,
    cast(sum(facts.output_tokens) as bigint) as output_tokens,
    cast(sum(facts.bytes) as bigint) as bytes,
    facts.evidence,
    facts.method_id,
    facts.residual_reason,
    judged.confidence,
    cells.bill_of_record
from facts
inner join cells
    on facts.charge_date = cells.charge_date
    and facts.cell_id = cells.cell_id
left join owners
    on facts.charge_date = owners.charge_date
    and facts.owner_id = owners.owner_id
left join judged
    on facts.method_id = judged.method_id
    and facts.evidence = judged.evidence
    and coalesce(facts.residual_reason, '') = judged.residual_key
    and judged.rule_position = 1
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
    facts.evidence,
    facts.method_id,
    facts.residual_reason,
    judged.confidence,
    cells.bill_of_record
