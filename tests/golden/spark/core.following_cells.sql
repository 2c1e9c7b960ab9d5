WITH cells AS (
  SELECT
    *
  FROM core.cells
  WHERE
    charge_date >= :start AND charge_date < :end AND NOT follows IS NULL
)
SELECT
  cells.charge_date,
  cells.cell_id,
  cells.follows,
  cells.shared_cost_rule_id,
  cells.bill_of_record,
  cells.provider,
  cells.billing_account_id,
  cells.sub_account_id,
  cells.billing_currency,
  cells.billing_period_start,
  cells.invoice_issuer_name,
  cells.invoice_id,
  cells.service_name,
  COALESCE(cells.sku_id, cells.sku_meter) AS sku_id,
  cells.resource_id,
  cells.direct_owner_id,
  cells.residual_reason IS NULL AS is_owned
FROM cells
