WITH source AS (
  SELECT
    *
  FROM lake.billing_periods
), ranked AS (
  SELECT
    source.*,
    ROW_NUMBER() OVER (
      PARTITION BY source.invoice_issuer_name, source.billing_account_id, source.billing_period_start
      ORDER BY COALESCE(source.billing_period_last_updated_at, CAST('0001-01-01' AS TIMESTAMP_NTZ)) DESC, source.x_snapshot_id DESC, LOWER(source.billing_period_status) NULLS LAST
    ) AS newest_position
  FROM source
)
SELECT
  ranked.x_source,
  ranked.x_snapshot_id,
  ranked.invoice_issuer_name,
  ranked.billing_account_id,
  ranked.billing_period_start,
  ranked.billing_period_end,
  LOWER(ranked.billing_period_status) AS period_status,
  ranked.billing_period_last_updated_at
FROM ranked
WHERE
  ranked.newest_position = 1
