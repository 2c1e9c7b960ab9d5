/*
description: >
    The finest thing that bill and logs both know, per UTC day: billed and logged quantity, coverage, where its
    owners come from (pool_key), or who owns it outright. Usage that no bill covers yet, or ever, stands here as
    an estimated cell at list price, without a billed cost.
grain: [charge_date, cell_id]
materialized: table
partition_by: {column: charge_date, unit: day}
columns:
    charge_date: null
    cell_id: null
    cell_key: null
    bill_of_record: null
    provider: null
    billing_account_id: null
    sub_account_id: null
    billing_currency: null
    billing_period_start: null
    invoice_issuer_name: null
    invoice_id: null
    follows: null
    shared_cost_rule_id: null
    charge_category: null
    cost_driver: null
    traffic_kind: null
    service_name: null
    sku_id: null
    sku_meter: null
    model: null
    token_class: null
    service_tier: null
    region_id: null
    resource_id: null
    from_zone: null
    to_zone: null
    commitment_discount_status: null
    fx_date: null
    billed_quantity: null
    logged_quantity: the whole pool's, on the first cell of the pool only, so that it adds up
    coverage_share: logged over billed quantity of the whole pool; a million times or more shows as 999999.999999999999
    is_over_logged: null
    is_pool_first: null
    missing_quantity: null
    pool_key: null
    method_id: null
    evidence: null
    residual_reason: of the row that takes the whole cell, where it has no pool
    direct_owner_id: null
    user_id: null
    tenant: null
    customer: null
    team: null
    feature: null
    endpoint: null
    workflow: null
    environment: null
    list_cost_currency: of estimated tokens, whose prices the estimate was made with; else null
    billed_cost: null
    effective_cost: null
    list_cost: null
    billed_cost_reporting: null
    effective_cost_reporting: null
    list_cost_reporting: null
    cost_state: null
checks:
    - name: cells_keep_the_billed_total
      severity: fail
      by: partition
      description: Cells that carry a bill sum to the split charges, per day and currency, in every measure.
      sql: >
        select coalesce(a.charge_date, b.charge_date) as charge_date, a.total, b.total as cells_total
        from (select charge_date, billing_currency, sum(billed_cost) as total, sum(effective_cost) as effective,
                sum(list_cost) as listed, sum(billed_cost_reporting) as billed_reporting,
                sum(effective_cost_reporting) as effective_reporting, sum(list_cost_reporting) as listed_reporting
              from core.charge_cells group by charge_date, billing_currency) as a
        full join (select charge_date, billing_currency, sum(billed_cost) as total, sum(effective_cost) as effective,
                sum(list_cost) as listed, sum(billed_cost_reporting) as billed_reporting,
                sum(effective_cost_reporting) as effective_reporting, sum(list_cost_reporting) as listed_reporting
              from core.cells where cost_state <> 'estimated' group by charge_date, billing_currency) as b
          on a.charge_date = b.charge_date and a.billing_currency = b.billing_currency
        where a.total is distinct from b.total
            or a.effective is distinct from b.effective
            or a.listed is distinct from b.listed
            or a.billed_reporting is distinct from b.billed_reporting
            or a.effective_reporting is distinct from b.effective_reporting
            or a.listed_reporting is distinct from b.listed_reporting
*/
with

billed as (
    select *
    from core.billed_cells
    where charge_date >= $start and charge_date < $end
),

estimated as (
    select *
    from core.estimated_cells
    where charge_date >= $start and charge_date < $end
)

select
    billed.charge_date,
    billed.cell_id,
    billed.cell_key,
    billed.bill_of_record,
    billed.provider,
    billed.billing_account_id,
    billed.sub_account_id,
    billed.billing_currency,
    billed.billing_period_start,
    billed.invoice_issuer_name,
    billed.invoice_id,
    billed.follows,
    billed.shared_cost_rule_id,
    billed.charge_category,
    billed.cost_driver,
    billed.traffic_kind,
    billed.service_name,
    billed.sku_id,
    billed.sku_meter,
    billed.model,
    billed.token_class,
    billed.service_tier,
    billed.region_id,
    billed.resource_id,
    billed.from_zone,
    billed.to_zone,
    billed.commitment_discount_status,
    billed.fx_date,
    billed.billed_quantity,
    billed.logged_quantity,
    billed.coverage_share,
    billed.is_over_logged,
    billed.is_pool_first,
    billed.missing_quantity,
    billed.pool_key,
    billed.method_id,
    billed.evidence,
    billed.residual_reason,
    billed.direct_owner_id,
    billed.user_id,
    billed.tenant,
    billed.customer,
    billed.team,
    billed.feature,
    billed.endpoint,
    billed.workflow,
    billed.environment,
    cast(null as varchar) as list_cost_currency,
    billed.billed_cost,
    billed.effective_cost,
    billed.list_cost,
    billed.billed_cost_reporting,
    billed.effective_cost_reporting,
    billed.list_cost_reporting,
    billed.cost_state
from billed
union all
select
    estimated.charge_date,
    estimated.cell_id,
    estimated.cell_key,
    estimated.bill_of_record,
    estimated.provider,
    estimated.billing_account_id,
    estimated.sub_account_id,
    estimated.billing_currency,
    estimated.billing_period_start,
    estimated.invoice_issuer_name,
    estimated.invoice_id,
    estimated.follows,
    estimated.shared_cost_rule_id,
    estimated.charge_category,
    estimated.cost_driver,
    estimated.traffic_kind,
    estimated.service_name,
    estimated.sku_id,
    estimated.sku_meter,
    estimated.model,
    estimated.token_class,
    estimated.service_tier,
    estimated.region_id,
    estimated.resource_id,
    estimated.from_zone,
    estimated.to_zone,
    estimated.commitment_discount_status,
    estimated.fx_date,
    estimated.billed_quantity,
    estimated.logged_quantity,
    estimated.coverage_share,
    estimated.is_over_logged,
    estimated.is_pool_first,
    estimated.missing_quantity,
    estimated.pool_key,
    estimated.method_id,
    estimated.evidence,
    estimated.residual_reason,
    estimated.direct_owner_id,
    estimated.user_id,
    estimated.tenant,
    estimated.customer,
    estimated.team,
    estimated.feature,
    estimated.endpoint,
    estimated.workflow,
    estimated.environment,
    estimated.list_cost_currency,
    estimated.billed_cost,
    estimated.effective_cost,
    estimated.list_cost,
    estimated.billed_cost_reporting,
    estimated.effective_cost_reporting,
    estimated.list_cost_reporting,
    estimated.cost_state
from estimated
