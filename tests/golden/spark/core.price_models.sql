WITH prices AS (
  SELECT
    *
  FROM staging.prices
)
SELECT
  prices.provider,
  prices.model
FROM prices
WHERE
  NOT prices.provider IS NULL AND NOT prices.model IS NULL
GROUP BY
  prices.provider,
  prices.model
