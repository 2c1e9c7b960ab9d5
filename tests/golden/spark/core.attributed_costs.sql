WITH direct AS (
  SELECT
    *
  FROM core.direct_costs
), shared AS (
  SELECT
    *
  FROM core.shared_costs
), taxes AS (
  SELECT
    *
  FROM core.tax_costs
)
SELECT
  direct.charge_date,
  direct.cell_id,
  direct.row_id,
  direct.owner_id,
  direct.from_zone,
  direct.to_zone,
  direct.residual_reason,
  direct.billed_cost,
  direct.effective_cost,
  direct.list_cost,
  direct.billing_currency,
  direct.billed_cost_reporting,
  direct.effective_cost_reporting,
  direct.list_cost_reporting,
  direct.fx_date,
  direct.requests,
  direct.input_tokens,
  direct.output_tokens,
  direct.bytes,
  direct.method_id,
  direct.evidence,
  direct.cost_state
FROM direct
UNION ALL
SELECT
  shared.charge_date,
  shared.cell_id,
  shared.row_id,
  shared.owner_id,
  shared.from_zone,
  shared.to_zone,
  shared.residual_reason,
  shared.billed_cost,
  shared.effective_cost,
  shared.list_cost,
  shared.billing_currency,
  shared.billed_cost_reporting,
  shared.effective_cost_reporting,
  shared.list_cost_reporting,
  shared.fx_date,
  shared.requests,
  shared.input_tokens,
  shared.output_tokens,
  shared.bytes,
  shared.method_id,
  shared.evidence,
  shared.cost_state
FROM shared
UNION ALL
SELECT
  taxes.charge_date,
  taxes.cell_id,
  taxes.row_id,
  taxes.owner_id,
  taxes.from_zone,
  taxes.to_zone,
  taxes.residual_reason,
  taxes.billed_cost,
  taxes.effective_cost,
  taxes.list_cost,
  taxes.billing_currency,
  taxes.billed_cost_reporting,
  taxes.effective_cost_reporting,
  taxes.list_cost_reporting,
  taxes.fx_date,
  taxes.requests,
  taxes.input_tokens,
  taxes.output_tokens,
  taxes.bytes,
  taxes.method_id,
  taxes.evidence,
  taxes.cost_state
FROM taxes
