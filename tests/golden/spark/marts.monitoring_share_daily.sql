WITH costs AS (
  SELECT
    *
  FROM marts.cost_daily
  WHERE
    charge_date >= :start
    AND charge_date < :end
    AND cost_driver IN ('monitoring', 'inference')
    AND COALESCE(charge_category, '') <> 'Tax'
), days AS (
  SELECT
    costs.charge_date,
    costs.provider,
    costs.feature,
    costs.reporting_currency,
    SUM(
      CASE
        WHEN costs.cost_driver = 'monitoring'
        THEN COALESCE(costs.effective_cost_reporting, 0)
        ELSE 0
      END
    ) AS monitoring_cost,
    SUM(
      CASE
        WHEN costs.cost_driver = 'inference'
        THEN COALESCE(costs.effective_cost_reporting, 0)
        ELSE 0
      END
    ) AS inference_cost,
    SUM(
      CASE
        WHEN costs.cost_state = 'estimated'
        THEN COALESCE(costs.effective_cost_reporting, 0)
        ELSE 0
      END
    ) AS estimated_cost,
    SUM(CASE WHEN costs.cost_driver = 'monitoring' THEN costs.bytes ELSE 0 END) AS bytes,
    SUM(CASE WHEN costs.cost_driver = 'inference' THEN costs.requests ELSE 0 END) AS requests
  FROM costs
  GROUP BY
    costs.charge_date,
    costs.provider,
    costs.feature,
    costs.reporting_currency
), measured AS (
  SELECT
    days.*,
    CAST(CAST(days.monitoring_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS monitoring_units,
    CAST(CAST(days.inference_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS inference_units
  FROM days
)
SELECT
  measured.charge_date,
  measured.provider,
  measured.feature,
  CAST(measured.monitoring_cost AS DECIMAL(38, 12)) AS monitoring_cost,
  CAST(measured.inference_cost AS DECIMAL(38, 12)) AS inference_cost,
  CASE
    WHEN measured.inference_units > 0 AND measured.monitoring_units >= 0
    THEN CAST(CAST(LEAST(
      CAST(CAST((
        (
          measured.monitoring_units * CAST(1000000000000 AS DECIMAL(13, 0))
        ) - (
          (
            measured.monitoring_units * CAST(1000000000000 AS DECIMAL(13, 0))
          ) % (
            measured.inference_units
          )
        )
      ) / (
        measured.inference_units
      ) AS DECIMAL(38, 0)) AS DECIMAL(38, 0)),
      CAST(999999999999999999 AS DECIMAL(38, 0))
    ) AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(18, 12))
  END AS monitoring_share,
  CAST(measured.estimated_cost AS DECIMAL(38, 12)) AS estimated_cost,
  CAST(measured.bytes AS BIGINT) AS bytes,
  CAST(measured.requests AS BIGINT) AS requests,
  measured.reporting_currency
FROM measured
