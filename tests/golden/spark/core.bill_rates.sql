WITH charges AS (
  SELECT
    *
  FROM core.charges
  WHERE
    billing_period_start >= CAST(:start AS TIMESTAMP_NTZ)
    AND billing_period_start < CAST(:end AS TIMESTAMP_NTZ)
    AND cost_driver = 'inference'
    AND charge_category = 'Usage'
    AND NOT model IS NULL
    AND NOT token_class IS NULL
), summed AS (
  SELECT
    charges.billing_period_start,
    charges.provider,
    charges.model,
    charges.token_class,
    CAST(CAST(SUM(charges.effective_cost) AS DECIMAL(24, 6)) * CAST(1000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS effective_units,
    CAST(CAST(SUM(charges.list_cost) AS DECIMAL(24, 6)) * CAST(1000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS list_units
  FROM charges
  GROUP BY
    charges.billing_period_start,
    charges.provider,
    charges.model,
    charges.token_class
)
SELECT
  summed.billing_period_start,
  summed.provider,
  summed.model,
  summed.token_class,
  CAST(CAST((
    (
      summed.effective_units * CAST(1000000 AS DECIMAL(7, 0))
    ) - (
      (
        summed.effective_units * CAST(1000000 AS DECIMAL(7, 0))
      ) % (
        summed.list_units
      )
    )
  ) / (
    summed.list_units
  ) AS DECIMAL(38, 0)) AS BIGINT) AS effective_per_list_ppm
FROM summed
WHERE
  summed.list_units > 0
  AND summed.effective_units > 0
  AND summed.effective_units <= 2 * summed.list_units
