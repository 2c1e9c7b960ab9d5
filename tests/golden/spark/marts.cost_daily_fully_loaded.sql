WITH all_facts AS (
  SELECT
    *
  FROM core.attributed_costs
), cells AS (
  SELECT
    *
  FROM core.cells
), owners AS (
  SELECT
    *
  FROM core.owners_daily
), shares AS (
  SELECT
    *
  FROM core.idle_shares
), settings AS (
  SELECT
    *
  FROM reference.settings
), shared_cells AS (
  SELECT
    shares.charge_date,
    shares.cell_id
  FROM shares
  GROUP BY
    shares.charge_date,
    shares.cell_id
), facts AS (
  SELECT
    all_facts.charge_date,
    all_facts.cell_id,
    all_facts.owner_id,
    all_facts.from_zone,
    all_facts.to_zone,
    all_facts.residual_reason,
    all_facts.billed_cost + COALESCE(shares.billed_cost, 0) AS billed_cost,
    all_facts.effective_cost + COALESCE(shares.effective_cost, 0) AS effective_cost,
    all_facts.list_cost + COALESCE(shares.list_cost, 0) AS list_cost,
    all_facts.billed_cost_reporting + COALESCE(shares.billed_cost_reporting, 0) AS billed_cost_reporting,
    all_facts.effective_cost_reporting + COALESCE(shares.effective_cost_reporting, 0) AS effective_cost_reporting,
    all_facts.list_cost_reporting + COALESCE(shares.list_cost_reporting, 0) AS list_cost_reporting,
    COALESCE(shares.effective_cost_reporting, 0) AS idle_cost,
    all_facts.billing_currency,
    all_facts.fx_date,
    all_facts.requests,
    all_facts.input_tokens,
    all_facts.output_tokens,
    all_facts.bytes,
    all_facts.method_id,
    all_facts.evidence,
    all_facts.cost_state
  FROM all_facts
  LEFT JOIN shares
    ON all_facts.charge_date = shares.charge_date
    AND all_facts.cell_id = shares.cell_id
    AND all_facts.row_id = shares.row_id
  LEFT JOIN shared_cells
    ON all_facts.charge_date = shared_cells.charge_date
    AND all_facts.cell_id = shared_cells.cell_id
    AND all_facts.residual_reason = 'idle_capacity'
  WHERE
    shared_cells.cell_id IS NULL
)
SELECT
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
  CAST(SUM(facts.billed_cost) AS DECIMAL(38, 12)) AS billed_cost,
  CAST(SUM(facts.effective_cost) AS DECIMAL(38, 12)) AS effective_cost,
  CAST(SUM(facts.list_cost) AS DECIMAL(38, 12)) AS list_cost,
  facts.billing_currency,
  CAST(SUM(facts.billed_cost_reporting) AS DECIMAL(38, 12)) AS billed_cost_reporting,
  CAST(SUM(facts.effective_cost_reporting) AS DECIMAL(38, 12)) AS effective_cost_reporting,
  CAST(SUM(facts.list_cost_reporting) AS DECIMAL(38, 12)) AS list_cost_reporting,
  settings.reporting_currency,
  facts.fx_date,
  CAST(SUM(facts.requests) AS BIGINT) AS requests,
  CAST(SUM(facts.input_tokens) AS BIGINT) AS input_tokens,
  CAST(SUM(facts.output_tokens) AS BIGINT) AS output_tokens,
  CAST(SUM(facts.bytes) AS BIGINT) AS bytes,
  facts.evidence,
  facts.method_id,
  facts.residual_reason,
  cells.bill_of_record,
  CAST(SUM(facts.idle_cost) AS DECIMAL(38, 12)) AS idle_cost
FROM facts
INNER JOIN cells
  ON facts.charge_date = cells.charge_date AND facts.cell_id = cells.cell_id
LEFT JOIN owners
  ON facts.charge_date = owners.charge_date AND facts.owner_id = owners.owner_id
CROSS JOIN settings
GROUP BY
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
