WITH costs AS (
  SELECT
    *
  FROM marts.cost_daily
  WHERE
    charge_date >= :start
    AND charge_date < :end
    AND COALESCE(charge_category, '') <> 'Tax'
), months AS (
  SELECT
    CAST(DATE_TRUNC('MONTH', costs.charge_date) AS DATE) AS charge_month,
    costs.provider,
    costs.team,
    costs.feature,
    costs.reporting_currency,
    SUM(
      CASE
        WHEN costs.cost_driver = 'inference'
        THEN costs.effective_cost_reporting
        ELSE 0
      END
    ) AS inference_cost,
    SUM(
      CASE
        WHEN costs.cost_driver = 'training'
        THEN costs.effective_cost_reporting
        ELSE 0
      END
    ) AS training_cost,
    SUM(costs.effective_cost_reporting) AS total_cost,
    SUM(
      CASE
        WHEN costs.cost_state = 'estimated'
        THEN costs.effective_cost_reporting
        ELSE 0
      END
    ) AS estimated_cost
  FROM costs
  GROUP BY
    CAST(DATE_TRUNC('MONTH', costs.charge_date) AS DATE),
    costs.provider,
    costs.team,
    costs.feature,
    costs.reporting_currency
), measured AS (
  SELECT
    months.*,
    CAST(CAST(months.inference_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS inference_units,
    CAST(CAST(months.inference_cost + months.training_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS both_units
  FROM months
)
SELECT
  measured.charge_month,
  measured.provider,
  measured.team,
  measured.feature,
  CAST(measured.inference_cost AS DECIMAL(38, 12)) AS inference_cost,
  CAST(measured.training_cost AS DECIMAL(38, 12)) AS training_cost,
  CAST(measured.total_cost AS DECIMAL(38, 12)) AS total_cost,
  CAST(measured.estimated_cost AS DECIMAL(38, 12)) AS estimated_cost,
  CASE
    WHEN measured.inference_units >= 0
    AND measured.both_units > 0
    AND measured.inference_units <= measured.both_units
    THEN CAST(CAST(CAST((
      (
        measured.inference_units * CAST(1000000000000 AS DECIMAL(13, 0))
      ) - (
        (
          measured.inference_units * CAST(1000000000000 AS DECIMAL(13, 0))
        ) % (
          measured.both_units
        )
      )
    ) / (
      measured.both_units
    ) AS DECIMAL(38, 0)) AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(18, 12))
  END AS inference_share,
  measured.reporting_currency
FROM measured
