WITH source AS (
  SELECT
    *
  FROM lake.findings
)
SELECT
  source.source,
  source.dataset,
  source.kind,
  source.severity,
  source.message,
  source.file,
  source.finding_date,
  source.finding_count
FROM source
