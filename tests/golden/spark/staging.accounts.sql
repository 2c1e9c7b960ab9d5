WITH source AS (
  SELECT
    accounts.*,
    ROW_NUMBER() OVER (
      PARTITION BY accounts.provider, accounts.account_id
      ORDER BY CASE WHEN accounts.account_name IS NULL THEN 1 ELSE 0 END NULLS LAST, accounts.account_name NULLS LAST, accounts.x_source NULLS LAST, accounts.x_snapshot_id NULLS LAST
    ) AS statement_rank
  FROM lake.accounts AS accounts
)
SELECT
  source.x_source,
  source.provider,
  source.account_id,
  source.account_name,
  source.account_type,
  source.parent_account_id
FROM source
WHERE
  source.statement_rank = 1
