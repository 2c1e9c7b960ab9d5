WITH counts AS (
  SELECT
    *
  FROM core.provider_counts
  WHERE
    charge_date >= :start AND charge_date < :end AND usage_kind = 'requests'
), usage AS (
  SELECT
    *
  FROM core.usage_costs
  WHERE
    charge_date >= :start AND charge_date < :end
), settings AS (
  SELECT
    *
  FROM reference.settings
), counted AS (
  SELECT
    counts.charge_date,
    counts.provider,
    counts.model,
    CAST(SUM(counts.quantity) AS DECIMAL(26, 0)) AS requests,
    MIN(CASE WHEN counts.is_final THEN 1 ELSE 0 END) AS is_final
  FROM counts
  WHERE
    NOT counts.model IS NULL
  GROUP BY
    counts.charge_date,
    counts.provider,
    counts.model
), logged AS (
  SELECT
    usage.charge_date,
    usage.provider,
    usage.model,
    CAST(SUM(usage.requests) AS DECIMAL(26, 0)) AS requests
  FROM usage
  GROUP BY
    usage.charge_date,
    usage.provider,
    usage.model
), logged_providers AS (
  SELECT
    logged.charge_date,
    logged.provider
  FROM logged
  WHERE
    logged.requests > 0
  GROUP BY
    logged.charge_date,
    logged.provider
)
SELECT
  counted.charge_date,
  counted.provider,
  counted.model,
  CAST(counted.requests AS BIGINT) AS provider_requests,
  CAST(COALESCE(logged.requests, 0) AS BIGINT) AS logged_requests,
  CASE
    WHEN counted.requests > 0
    THEN CAST(CAST(LEAST(
      CAST(CAST((
        (
          CAST(COALESCE(logged.requests, 0) AS DECIMAL(22, 0)) * CAST(1000000000000 AS DECIMAL(13, 0))
        ) - (
          (
            CAST(COALESCE(logged.requests, 0) AS DECIMAL(22, 0)) * CAST(1000000000000 AS DECIMAL(13, 0))
          ) % (
            counted.requests
          )
        )
      ) / (
        counted.requests
      ) AS DECIMAL(38, 0)) AS DECIMAL(38, 0)),
      CAST(999999999999999999 AS DECIMAL(38, 0))
    ) AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(18, 12))
  END AS logged_share,
  COALESCE(logged.requests, 0) * 1000000 < counted.requests * (
    1000000 - settings.coverage_epsilon_ppm
  ) AS is_under_logged,
  counted.is_final = 1
  AND COALESCE(logged.requests, 0) * 1000000 > counted.requests * (
    1000000 + settings.coverage_epsilon_ppm
  ) AS has_more_logged,
  counted.is_final = 1 AS is_final
FROM counted
CROSS JOIN settings
INNER JOIN logged_providers
  ON counted.charge_date = logged_providers.charge_date
  AND counted.provider = logged_providers.provider
LEFT JOIN logged
  ON counted.charge_date = logged.charge_date
  AND counted.provider = logged.provider
  AND counted.model = logged.model
