WITH source AS (
  SELECT
    *
  FROM staging.source_status
), bills AS (
  SELECT
    coverage.bill_of_record,
    MAX(coverage.last_date) AS last_date
  FROM core.bill_coverage AS coverage
  GROUP BY
    coverage.bill_of_record
)
SELECT
  source.source,
  source.connector,
  source.dataset,
  source.state,
  source.last_delivered_at,
  source.first_date,
  COALESCE(source.last_date, bills.last_date) AS last_date,
  source.rows,
  source.age_hours
FROM source
LEFT JOIN bills
  ON source.source = bills.bill_of_record
  AND source.dataset IN ('charges', 'aws_cur_lines', 'azure_cost_lines', 'gcp_cost_lines')
