WITH facts AS (
  SELECT
    *
  FROM core.attributed_costs
  WHERE
    charge_date >= :start AND charge_date < :end
), ways AS (
  SELECT DISTINCT
    method_id,
    evidence,
    residual_reason
  FROM core.attributed_costs
  WHERE
    charge_date >= :start AND charge_date < :end
), rules AS (
  SELECT
    *
  FROM reference.confidence_rules
), cells AS (
  SELECT
    *
  FROM core.cells
  WHERE
    charge_date >= :start AND charge_date < :end
), owners AS (
  SELECT
    *
  FROM core.owners_daily
  WHERE
    charge_date >= :start AND charge_date < :end
), judged AS (
  SELECT
    ways.method_id,
    ways.evidence,
    COALESCE(ways.residual_reason, '') AS residual_key,
    rules.confidence,
    ROW_NUMBER() OVER (
      PARTITION BY ways.method_id, ways.evidence, ways.residual_reason
      ORDER BY rules.priority NULLS LAST
    ) AS rule_position
  FROM ways
  INNER JOIN rules
    ON (
      (
        rules.residual_reason IS NULL AND ways.residual_reason IS NULL
      )
      OR ways.residual_reason = rules.residual_reason
      OR (
        rules.residual_reason = '*' AND NOT ways.residual_reason IS NULL
      )
    )
    AND (
      rules.method_id IS NULL OR ways.method_id = rules.method_id
    )
    AND (
      rules.evidence IS NULL OR ways.evidence = rules.evidence
    )
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
  CAST(:reporting_currency AS STRING) AS reporting_currency,
  facts.fx_date,
  CAST(SUM(facts.requests) AS BIGINT) AS requests,
  CAST(SUM(facts.input_tokens) AS BIGINT) AS input_tokens,
  CAST(SUM(facts.output_tokens) AS BIGINT) AS output_tokens,
  CAST(SUM(facts.bytes) AS BIGINT) AS bytes,
  facts.evidence,
  facts.method_id,
  facts.residual_reason,
  judged.confidence,
  cells.bill_of_record
FROM facts
INNER JOIN cells
  ON facts.charge_date = cells.charge_date AND facts.cell_id = cells.cell_id
LEFT JOIN owners
  ON facts.charge_date = owners.charge_date AND facts.owner_id = owners.owner_id
LEFT JOIN judged
  ON facts.method_id = judged.method_id
  AND facts.evidence = judged.evidence
  AND COALESCE(facts.residual_reason, '') = judged.residual_key
  AND judged.rule_position = 1
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
  facts.evidence,
  facts.method_id,
  facts.residual_reason,
  judged.confidence,
  cells.bill_of_record
