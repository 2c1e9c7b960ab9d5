WITH source AS (
  SELECT
    *
  FROM lake.corrections
)
SELECT
  source.correction_id,
  source.charge_id,
  source.column_name,
  source.corrected_value,
  source.reason,
  source.status
FROM source
