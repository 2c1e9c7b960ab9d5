WITH source AS (
  SELECT
    *
  FROM lake.invoices
), stated AS (
  SELECT
    source.*,
    COALESCE(
      source.invoice_last_updated_at,
      source.invoice_issued_at,
      CAST('0001-01-01' AS TIMESTAMP_NTZ)
    ) AS stated_at
  FROM source
), files AS (
  SELECT
    stated.invoice_issuer_name,
    stated.invoice_id,
    stated.billing_currency,
    COALESCE(stated.invoice_detail_id, '') AS invoice_part,
    stated.x_snapshot_id,
    MAX(stated.stated_at) AS stated_at
  FROM stated
  GROUP BY
    stated.invoice_issuer_name,
    stated.invoice_id,
    stated.billing_currency,
    COALESCE(stated.invoice_detail_id, ''),
    stated.x_snapshot_id
), ranked AS (
  SELECT
    files.*,
    ROW_NUMBER() OVER (
      PARTITION BY files.invoice_issuer_name, files.invoice_id, files.billing_currency, files.invoice_part
      ORDER BY files.stated_at DESC, files.x_snapshot_id DESC
    ) AS newest_position
  FROM files
)
SELECT
  stated.invoice_issuer_name,
  stated.invoice_id,
  stated.billing_currency,
  MIN(stated.billing_account_id) AS billing_account_id,
  MIN(stated.billing_period_start) AS billing_period_start,
  CAST(SUM(stated.invoice_total) AS DECIMAL(38, 12)) AS invoice_total,
  COALESCE(MIN(CASE WHEN stated.is_tax_included THEN 1 ELSE 0 END), 1) = 1 AS is_tax_included,
  MAX(stated.invoice_issued_at) AS invoice_issued_at
FROM stated
INNER JOIN ranked
  ON stated.invoice_issuer_name = ranked.invoice_issuer_name
  AND stated.invoice_id = ranked.invoice_id
  AND stated.billing_currency = ranked.billing_currency
  AND COALESCE(stated.invoice_detail_id, '') = ranked.invoice_part
  AND stated.x_snapshot_id = ranked.x_snapshot_id
WHERE
  ranked.newest_position = 1
GROUP BY
  stated.invoice_issuer_name,
  stated.invoice_id,
  stated.billing_currency
