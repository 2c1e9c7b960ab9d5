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
), billed AS (
  SELECT
    lines.invoice_issuer_name,
    lines.invoice_id,
    lines.billing_currency,
    MIN(lines.provider) AS provider,
    MIN(lines.billing_account_id) AS billing_account_id,
    MIN(lines.billing_period_start) AS billing_period_start,
    CAST(SUM(lines.lines) AS BIGINT) AS lines,
    CAST(SUM(lines.billed_cost) AS DECIMAL(38, 12)) AS billed_cost,
    CAST(SUM(lines.tax_cost) AS DECIMAL(38, 12)) AS tax_cost
  FROM lines
  INNER JOIN issuers
    ON lines.invoice_issuer_name = issuers.invoice_issuer_name
  GROUP BY
    lines.invoice_issuer_name,
    lines.invoice_id,
    lines.billing_currency
), paired AS (
  SELECT
    COALESCE(invoices.invoice_issuer_name, billed.invoice_issuer_name) AS invoice_issuer_name,
    COALESCE(invoices.invoice_id, billed.invoice_id) AS invoice_id,
    COALESCE(invoices.billing_currency, billed.billing_currency) AS billing_currency,
    billed.provider,
    COALESCE(billed.billing_account_id, invoices.billing_account_id) AS billing_account_id,
    COALESCE(billed.billing_period_start, invoices.billing_period_start) AS billing_period_start,
    billed.lines,
    CASE
      WHEN invoices.is_tax_included OR invoices.invoice_id IS NULL
      THEN billed.billed_cost
      ELSE CAST(billed.billed_cost - billed.tax_cost AS DECIMAL(38, 12))
    END AS billed_cost,
    invoices.invoice_total
  FROM invoices
  FULL JOIN billed
    ON invoices.invoice_issuer_name = billed.invoice_issuer_name
    AND invoices.invoice_id = billed.invoice_id
    AND invoices.billing_currency = billed.billing_currency
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
