WITH usage AS (
  SELECT
    *
  FROM core.reconciled_usage
), invoices AS (
  SELECT
    *
  FROM core.reconciled_invoices
)
SELECT
  usage.charge_date,
  usage.provider,
  usage.billing_account_id,
  usage.model,
  usage.token_class,
  usage.billed_quantity,
  usage.provider_quantity,
  usage.logged_quantity,
  usage.billed_cost,
  usage.priced_cost,
  usage.cause,
  usage.observable,
  usage.difference_cost,
  usage.difference_cost_absolute,
  usage.difference_quantity,
  usage.included_cost,
  usage.coverage_share,
  usage.currency,
  usage.cost_state,
  CAST(NULL AS STRING) AS invoice_issuer_name,
  CAST(NULL AS STRING) AS invoice_id,
  CAST(NULL AS TIMESTAMP_NTZ) AS billing_period_start,
  CAST(NULL AS DECIMAL(38, 12)) AS invoice_total,
  CAST(NULL AS BIGINT) AS lines
FROM usage
UNION ALL
SELECT
  CAST(NULL AS DATE) AS charge_date,
  invoices.provider,
  invoices.billing_account_id,
  CAST(NULL AS STRING) AS model,
  CAST(NULL AS STRING) AS token_class,
  CAST(NULL AS DECIMAL(38, 12)) AS billed_quantity,
  CAST(NULL AS DECIMAL(38, 12)) AS provider_quantity,
  CAST(NULL AS DECIMAL(38, 12)) AS logged_quantity,
  invoices.billed_cost,
  CAST(NULL AS DECIMAL(38, 12)) AS priced_cost,
  invoices.cause,
  'invoice' AS observable,
  invoices.difference_cost,
  CAST(ABS(invoices.difference_cost) AS DECIMAL(38, 12)) AS difference_cost_absolute,
  CAST(NULL AS DECIMAL(38, 12)) AS difference_quantity,
  CAST(NULL AS DECIMAL(38, 12)) AS included_cost,
  CAST(NULL AS DECIMAL(18, 12)) AS coverage_share,
  invoices.billing_currency AS currency,
  CAST(NULL AS STRING) AS cost_state,
  invoices.invoice_issuer_name,
  invoices.invoice_id,
  invoices.billing_period_start,
  invoices.invoice_total,
  invoices.lines
FROM invoices
