WITH cells AS (
  SELECT
    *
  FROM core.cells
  WHERE
    charge_date >= :start AND charge_date < :end AND NOT follows IS NULL
), direct_cells AS (
  SELECT
    *
  FROM core.cells
  WHERE
    charge_date >= :start
    AND charge_date < :end
    AND follows IS NULL
    AND cost_state <> 'estimated'
), found_days AS (
  SELECT
    cells.charge_date,
    cells.cell_id
  FROM cells
  INNER JOIN direct_cells
    ON cells.charge_date = direct_cells.charge_date
    AND cells.bill_of_record = direct_cells.bill_of_record
    AND cells.service_name = direct_cells.service_name
    AND COALESCE(cells.billing_account_id, CHR(  30)) = COALESCE(direct_cells.billing_account_id, CHR(  30))
    AND COALESCE(cells.billing_currency, CHR(  30)) = COALESCE(direct_cells.billing_currency, CHR(  30))
    AND (
      NOT cells.residual_reason IS NULL
      OR cells.direct_owner_id = direct_cells.direct_owner_id
    )
  WHERE
    cells.follows = 'day'
  GROUP BY
    cells.charge_date,
    cells.cell_id
  HAVING
    SUM(direct_cells.billed_cost) > 0 OR SUM(direct_cells.effective_cost) > 0
)
SELECT
  cells.charge_date,
  cells.cell_id,
  CASE
    WHEN cells.follows = 'day' AND found_days.cell_id IS NULL
    THEN 'month'
    ELSE cells.follows
  END AS follows,
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
LEFT JOIN found_days
  ON cells.charge_date = found_days.charge_date AND cells.cell_id = found_days.cell_id
