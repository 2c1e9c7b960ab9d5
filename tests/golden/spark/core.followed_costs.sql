WITH cells AS (
  SELECT
    *
  FROM core.cells
  WHERE
    charge_date >= :start
    AND charge_date < :end
    AND follows IS NULL
    AND cost_state <> 'estimated'
), facts AS (
  SELECT
    *
  FROM core.direct_costs
  WHERE
    charge_date >= :start AND charge_date < :end
), owners AS (
  SELECT
    *
  FROM core.direct_owners
  WHERE
    charge_date >= :start AND charge_date < :end
), following AS (
  SELECT
    *
  FROM core.following_cells
  WHERE
    follows <> 'day'
), wanted AS (
  SELECT DISTINCT
    EXTRACT(YEAR FROM following.charge_date) * 12 + EXTRACT(MONTH FROM following.charge_date) AS month_number,
    CASE WHEN following.follows <> 'rule' THEN following.bill_of_record END AS bill_of_record,
    following.follows = 'rule' AS is_any_bill
  FROM following
), dated AS (
  SELECT
    cells.*,
    EXTRACT(YEAR FROM cells.charge_date) * 12 + EXTRACT(MONTH FROM cells.charge_date) AS month_number
  FROM cells
), wanted_bills AS (
  SELECT DISTINCT
    dated.month_number,
    dated.bill_of_record
  FROM dated
  INNER JOIN wanted
    ON dated.month_number >= wanted.month_number - 1
    AND dated.month_number <= wanted.month_number + 1
    AND (
      wanted.is_any_bill OR dated.bill_of_record = wanted.bill_of_record
    )
), described AS (
  SELECT
    CAST(DATE_TRUNC('MONTH', dated.charge_date) AS DATE) AS followed_month,
    dated.charge_date,
    dated.cell_id,
    dated.bill_of_record,
    dated.provider,
    dated.billing_account_id,
    dated.sub_account_id,
    dated.billing_currency,
    dated.billing_period_start,
    dated.invoice_issuer_name,
    dated.invoice_id,
    dated.service_name,
    COALESCE(dated.sku_id, dated.sku_meter) AS sku_id,
    dated.resource_id,
    dated.cost_driver,
    dated.direct_owner_id,
    MD5(
      COALESCE(dated.bill_of_record, CHR(  30)) || CHR(  31) || COALESCE(dated.provider, CHR(  30)) || CHR(  31) || COALESCE(dated.billing_account_id, CHR(  30)) || CHR(  31) || COALESCE(dated.sub_account_id, CHR(  30)) || CHR(  31) || COALESCE(dated.billing_currency, CHR(  30)) || CHR(  31) || COALESCE(CAST(dated.billing_period_start AS STRING), CHR(  30)) || CHR(  31) || COALESCE(dated.invoice_issuer_name, CHR(  30)) || CHR(  31) || COALESCE(dated.invoice_id, CHR(  30)) || CHR(  31) || COALESCE(dated.service_name, CHR(  30)) || CHR(  31) || COALESCE(dated.sku_id, dated.sku_meter, CHR(  30)) || CHR(  31) || COALESCE(dated.resource_id, CHR(  30)) || CHR(  31) || COALESCE(dated.cost_driver, CHR(  30)) || CHR(  31) || COALESCE(dated.direct_owner_id, CHR(  30))
    ) AS followed_id
  FROM dated
  INNER JOIN wanted_bills
    ON dated.month_number = wanted_bills.month_number
    AND dated.bill_of_record = wanted_bills.bill_of_record
), summed AS (
  SELECT
    described.followed_month,
    described.followed_id,
    facts.owner_id,
    facts.residual_reason,
    MAX(described.bill_of_record) AS bill_of_record,
    MAX(described.provider) AS provider,
    MAX(described.billing_account_id) AS billing_account_id,
    MAX(described.sub_account_id) AS sub_account_id,
    MAX(described.billing_currency) AS billing_currency,
    MAX(described.billing_period_start) AS billing_period_start,
    MAX(described.invoice_issuer_name) AS invoice_issuer_name,
    MAX(described.invoice_id) AS invoice_id,
    MAX(described.service_name) AS service_name,
    MAX(described.sku_id) AS sku_id,
    MAX(described.resource_id) AS resource_id,
    MAX(described.cost_driver) AS cost_driver,
    MAX(described.direct_owner_id) AS direct_owner_id,
    CAST(SUM(facts.billed_cost) AS DECIMAL(38, 12)) AS billed_cost,
    CAST(SUM(facts.effective_cost) AS DECIMAL(38, 12)) AS effective_cost,
    CAST(SUM(facts.list_cost) AS DECIMAL(38, 12)) AS list_cost,
    CAST(SUM(facts.billed_cost_reporting) AS DECIMAL(38, 12)) AS billed_cost_reporting,
    CAST(SUM(facts.effective_cost_reporting) AS DECIMAL(38, 12)) AS effective_cost_reporting,
    CAST(SUM(facts.list_cost_reporting) AS DECIMAL(38, 12)) AS list_cost_reporting
  FROM facts
  INNER JOIN described
    ON facts.charge_date = described.charge_date AND facts.cell_id = described.cell_id
  GROUP BY
    described.followed_month,
    described.followed_id,
    facts.owner_id,
    facts.residual_reason
), named AS (
  SELECT
    owners.owner_id,
    MAX(owners.feature) AS feature,
    MAX(owners.team) AS team
  FROM owners
  GROUP BY
    owners.owner_id
)
SELECT
  summed.followed_month,
  summed.followed_id,
  MD5(summed.owner_id || CHR(  31) || COALESCE(summed.residual_reason, CHR(  30))) AS row_id,
  summed.owner_id,
  summed.residual_reason,
  named.feature,
  named.team,
  summed.bill_of_record,
  summed.provider,
  summed.billing_account_id,
  summed.sub_account_id,
  summed.billing_currency,
  summed.billing_period_start,
  summed.invoice_issuer_name,
  summed.invoice_id,
  summed.service_name,
  summed.sku_id,
  summed.resource_id,
  summed.cost_driver,
  summed.direct_owner_id,
  summed.billed_cost,
  summed.effective_cost,
  summed.list_cost,
  summed.billed_cost_reporting,
  summed.effective_cost_reporting,
  summed.list_cost_reporting
FROM summed
LEFT JOIN named
  ON summed.owner_id = named.owner_id
