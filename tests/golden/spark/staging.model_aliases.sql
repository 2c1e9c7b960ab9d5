WITH source AS (
  SELECT
    *
  FROM lake.model_aliases
)
SELECT
  source.alias,
  source.provider,
  source.model,
  source.valid_from,
  source.valid_to
FROM source
