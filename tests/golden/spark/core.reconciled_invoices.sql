WITH lines AS (
  SELECT
    *
  FROM core.invoice_lines
), invoices AS (
  SELECT
    *
  FROM staging.invoices
), subunits AS (
  SELECT
    *
  FROM reference.currency_subunits
), issuers AS (
  SELECT
    invoices.invoice_issuer_name
  FROM invoices
  GROUP BY
    invoices.invoice_issuer_name
), bills AS (
  SELECT
    lines.invoice_issuer_name,
    lines.billing_account_id,
    lines.billing_currency,
    CAST(DATE_TRUNC('MONTH', lines.billing_period_start) AS TIMESTAMP_NTZ) AS billing_period_start,
    COUNT(lines.invoice_id) AS invoices
  FROM lines
  GROUP BY
    lines.invoice_issuer_name,
    lines.billing_account_id,
    lines.billing_currency,
    CAST(DATE_TRUNC('MONTH', lines.billing_period_start) AS TIMESTAMP_NTZ)
), named AS (
  SELECT
    lines.invoice_issuer_name,
    lines.invoice_id,
    lines.billing_currency
  FROM lines
  WHERE
    NOT lines.invoice_id IS NULL
  GROUP BY
    lines.invoice_issuer_name,
    lines.invoice_id,
    lines.billing_currency
), monthly AS (
  SELECT
    invoices.invoice_issuer_name,
    invoices.invoice_id,
    invoices.billing_currency
  FROM invoices
  INNER JOIN bills
    ON invoices.invoice_issuer_name = bills.invoice_issuer_name
    AND invoices.billing_currency = bills.billing_currency
    AND CAST(DATE_TRUNC('MONTH', invoices.billing_period_start) AS TIMESTAMP_NTZ) = bills.billing_period_start
    AND COALESCE(invoices.billing_account_id, bills.billing_account_id, '') = COALESCE(bills.billing_account_id, '')
  LEFT JOIN named
    ON invoices.invoice_issuer_name = named.invoice_issuer_name
    AND invoices.invoice_id = named.invoice_id
    AND invoices.billing_currency = named.billing_currency
  WHERE
    bills.invoices = 0 AND named.invoice_id IS NULL
  GROUP BY
    invoices.invoice_issuer_name,
    invoices.invoice_id,
    invoices.billing_currency
), placed AS (
  SELECT
    invoices.invoice_issuer_name,
    invoices.invoice_id,
    invoices.billing_currency,
    invoices.billing_account_id,
    CAST(DATE_TRUNC('MONTH', invoices.billing_period_start) AS TIMESTAMP_NTZ) AS billing_period_start,
    invoices.invoice_total,
    invoices.is_tax_included,
    CASE
      WHEN monthly.invoice_id IS NULL
      THEN 'invoice ' || invoices.invoice_id
      ELSE 'month ' || CAST(DATE_TRUNC('MONTH', invoices.billing_period_start) AS STRING) || ' ' || COALESCE(invoices.billing_account_id, '')
    END AS partner,
    NOT monthly.invoice_id IS NULL AS is_monthly
  FROM invoices
  LEFT JOIN monthly
    ON invoices.invoice_issuer_name = monthly.invoice_issuer_name
    AND invoices.invoice_id = monthly.invoice_id
    AND invoices.billing_currency = monthly.billing_currency
), stated AS (
  SELECT
    placed.invoice_issuer_name,
    placed.billing_currency,
    placed.partner,
    MIN(placed.invoice_id) || CASE
      WHEN COUNT(*) > 1
      THEN ' and ' || CAST(COUNT(*) - 1 AS STRING) || ' more'
      ELSE ''
    END AS invoice_id,
    MIN(placed.billing_account_id) AS billing_account_id,
    MIN(placed.billing_period_start) AS billing_period_start,
    CAST(SUM(placed.invoice_total) AS DECIMAL(38, 12)) AS invoice_total,
    MIN(CASE WHEN placed.is_tax_included THEN 1 ELSE 0 END) = 1 AS is_tax_included,
    MAX(CASE WHEN placed.is_monthly THEN 1 ELSE 0 END) = 1 AS is_monthly
  FROM placed
  GROUP BY
    placed.invoice_issuer_name,
    placed.billing_currency,
    placed.partner
), addressed AS (
  SELECT
    lines.*,
    bills.invoices = 0 AS is_monthly,
    CASE
      WHEN NOT lines.invoice_id IS NULL
      THEN 'invoice ' || lines.invoice_id
      WHEN bills.invoices = 0 AND NOT own.partner IS NULL
      THEN own.partner
      WHEN bills.invoices = 0 AND NOT common.partner IS NULL
      THEN common.partner
      ELSE 'lines ' || CAST(bills.billing_period_start AS STRING) || ' ' || COALESCE(lines.billing_account_id, '')
    END AS partner
  FROM lines
  INNER JOIN issuers
    ON lines.invoice_issuer_name = issuers.invoice_issuer_name
  LEFT JOIN bills
    ON lines.invoice_issuer_name = bills.invoice_issuer_name
    AND COALESCE(lines.billing_account_id, '') = COALESCE(bills.billing_account_id, '')
    AND lines.billing_currency = bills.billing_currency
    AND CAST(DATE_TRUNC('MONTH', lines.billing_period_start) AS TIMESTAMP_NTZ) = bills.billing_period_start
  LEFT JOIN stated AS own
    ON own.is_monthly
    AND lines.invoice_issuer_name = own.invoice_issuer_name
    AND lines.billing_account_id = own.billing_account_id
    AND lines.billing_currency = own.billing_currency
    AND bills.billing_period_start = own.billing_period_start
  LEFT JOIN stated AS common
    ON common.is_monthly
    AND common.billing_account_id IS NULL
    AND lines.invoice_issuer_name = common.invoice_issuer_name
    AND lines.billing_currency = common.billing_currency
    AND bills.billing_period_start = common.billing_period_start
), billed AS (
  SELECT
    addressed.invoice_issuer_name,
    addressed.billing_currency,
    addressed.partner,
    MIN(addressed.invoice_id) AS invoice_id,
    MIN(addressed.provider) AS provider,
    MIN(addressed.billing_account_id) AS billing_account_id,
    MIN(addressed.billing_period_start) AS billing_period_start,
    CAST(SUM(addressed.lines) AS BIGINT) AS lines,
    CAST(SUM(addressed.billed_cost) AS DECIMAL(38, 12)) AS billed_cost,
    CAST(SUM(addressed.tax_cost) AS DECIMAL(38, 12)) AS tax_cost,
    MAX(
      CASE
        WHEN addressed.is_monthly OR addressed.cost_state = 'provisional'
        THEN 1
        ELSE 0
      END
    ) = 1 AS is_early
  FROM addressed
  GROUP BY
    addressed.invoice_issuer_name,
    addressed.billing_currency,
    addressed.partner
), paired AS (
  SELECT
    COALESCE(stated.invoice_issuer_name, billed.invoice_issuer_name) AS invoice_issuer_name,
    COALESCE(stated.invoice_id, billed.invoice_id) AS invoice_id,
    COALESCE(stated.billing_currency, billed.billing_currency) AS billing_currency,
    billed.provider,
    COALESCE(billed.billing_account_id, stated.billing_account_id) AS billing_account_id,
    COALESCE(billed.billing_period_start, stated.billing_period_start) AS billing_period_start,
    billed.lines,
    CASE
      WHEN stated.is_tax_included OR stated.invoice_id IS NULL
      THEN billed.billed_cost
      ELSE CAST(billed.billed_cost - billed.tax_cost AS DECIMAL(38, 12))
    END AS billed_cost,
    stated.invoice_total,
    billed.is_early
  FROM stated
  FULL JOIN billed
    ON stated.invoice_issuer_name = billed.invoice_issuer_name
    AND stated.partner = billed.partner
    AND stated.billing_currency = billed.billing_currency
), measured AS (
  SELECT
    paired.*,
    CAST(ABS(
      CAST(paired.billed_cost AS DECIMAL(24, 12)) - CAST(paired.invoice_total AS DECIMAL(24, 12))
    ) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(38, 0)) AS difference_units,
    CAST(COALESCE(own.subunit_units, usual.subunit_units) AS DECIMAL(38, 0)) AS subunit_units
  FROM paired
  LEFT JOIN subunits AS own
    ON paired.billing_currency = own.currency
  LEFT JOIN subunits AS usual
    ON usual.currency = '*'
)
SELECT
  measured.invoice_issuer_name,
  measured.invoice_id,
  measured.billing_currency,
  measured.provider,
  measured.billing_account_id,
  measured.billing_period_start,
  measured.lines,
  measured.billed_cost,
  measured.invoice_total,
  CAST(measured.billed_cost - measured.invoice_total AS DECIMAL(38, 12)) AS difference_cost,
  CASE
    WHEN measured.lines IS NULL
    THEN 'invoice_without_lines'
    WHEN measured.invoice_total IS NULL AND measured.is_early
    THEN 'not_invoiced_yet'
    WHEN measured.invoice_total IS NULL
    THEN 'lines_without_invoice'
    WHEN measured.difference_units <= 100 * measured.subunit_units
    THEN 'invoice_matched'
    WHEN measured.difference_units < CAST(1000000000000000000 AS DECIMAL(38, 0))
    AND CAST(measured.difference_units AS DECIMAL(19, 0)) * CAST(measured.difference_units AS DECIMAL(19, 0)) <= CAST((
      (
        CAST(CAST(measured.subunit_units AS DECIMAL(19, 0)) * CAST(measured.subunit_units AS DECIMAL(13, 0)) AS DECIMAL(26, 0)) * CAST(measured.lines AS DECIMAL(12, 0))
      ) - (
        (
          CAST(CAST(measured.subunit_units AS DECIMAL(19, 0)) * CAST(measured.subunit_units AS DECIMAL(13, 0)) AS DECIMAL(26, 0)) * CAST(measured.lines AS DECIMAL(12, 0))
        ) % (
          4
        )
      )
    ) / (
      4
    ) AS DECIMAL(38, 0))
    THEN 'invoice_matched'
    ELSE 'invoice_difference'
  END AS cause
FROM measured
