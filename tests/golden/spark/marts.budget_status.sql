WITH budgets AS (
  SELECT
    *
  FROM core.budgets
), costs AS (
  SELECT
    *
  FROM marts.cost_daily
  WHERE
    charge_date < :today
), landings AS (
  SELECT
    *
  FROM core.ledger_budget_forecasts
), newest AS (
  SELECT
    landings.budget_id,
    landings.period_start,
    MAX(landings.forecast_made_at) AS forecast_made_at
  FROM landings
  GROUP BY
    landings.budget_id,
    landings.period_start
), landing AS (
  SELECT
    landings.*
  FROM landings
  INNER JOIN newest
    ON landings.budget_id = newest.budget_id
    AND landings.period_start = newest.period_start
    AND landings.forecast_made_at = newest.forecast_made_at
), matched AS (
  SELECT
    budgets.budget_id,
    budgets.period_start,
    costs.cost_driver,
    CASE budgets.measure
      WHEN 'billed_cost'
      THEN costs.billed_cost
      WHEN 'list_cost'
      THEN costs.list_cost
      ELSE costs.effective_cost
    END AS own_amount,
    CASE
      WHEN budgets.currency = costs.reporting_currency
      THEN CASE budgets.measure
        WHEN 'billed_cost'
        THEN costs.billed_cost_reporting
        WHEN 'list_cost'
        THEN costs.list_cost_reporting
        ELSE costs.effective_cost_reporting
      END
      WHEN budgets.currency = costs.billing_currency
      THEN CASE budgets.measure
        WHEN 'billed_cost'
        THEN costs.billed_cost
        WHEN 'list_cost'
        THEN costs.list_cost
        ELSE costs.effective_cost
      END
    END AS amount
  FROM budgets
  INNER JOIN costs
    ON budgets.period_start <= costs.charge_date
    AND budgets.period_end > costs.charge_date
    AND (
      budgets.feature IS NULL OR budgets.feature = costs.feature
    )
    AND (
      budgets.team IS NULL OR budgets.team = costs.team
    )
    AND (
      budgets.environment IS NULL OR budgets.environment = costs.environment
    )
    AND (
      budgets.cost_driver IS NULL OR budgets.cost_driver = costs.cost_driver
    )
    AND (
      budgets.measure = 'billed_cost' OR costs.charge_category <> 'Tax'
    )
), spend AS (
  SELECT
    matched.budget_id,
    matched.period_start,
    matched.cost_driver,
    SUM(matched.amount) AS actual,
    COUNT(CASE WHEN matched.own_amount <> 0 AND matched.amount IS NULL THEN 1 END) AS unconverted
  FROM matched
  GROUP BY
    matched.budget_id,
    matched.period_start,
    matched.cost_driver
), ranked_drivers AS (
  SELECT
    spend.*,
    ROW_NUMBER() OVER (
      PARTITION BY spend.budget_id, spend.period_start
      ORDER BY COALESCE(spend.actual, 0) DESC, spend.cost_driver NULLS LAST
    ) AS driver_rank
  FROM spend
), actuals AS (
  SELECT
    ranked_drivers.budget_id,
    ranked_drivers.period_start,
    SUM(ranked_drivers.actual) AS actual,
    SUM(ranked_drivers.unconverted) AS unconverted,
    MAX(CASE WHEN ranked_drivers.driver_rank = 1 THEN ranked_drivers.cost_driver END) AS top_driver
  FROM ranked_drivers
  GROUP BY
    ranked_drivers.budget_id,
    ranked_drivers.period_start
), judged AS (
  SELECT
    budgets.*,
    CASE
      WHEN COALESCE(actuals.unconverted, 0) > 0
      THEN NULL
      ELSE COALESCE(actuals.actual, CAST(0 AS DECIMAL(38, 12)))
    END AS actual,
    COALESCE(actuals.unconverted, 0) > 0 AS is_unconverted,
    actuals.top_driver,
    landing.forecast_p10,
    landing.forecast_p50,
    landing.forecast_p90,
    landing.overrun_probability,
    landing.overrun_date,
    GREATEST(
      0,
      LEAST(
        DATEDIFF(DAY, budgets.period_start, :today),
        DATEDIFF(DAY, budgets.period_start, budgets.period_end)
      )
    ) AS elapsed_days,
    GREATEST(DATEDIFF(DAY, budgets.period_start, budgets.period_end), 1) AS period_days
  FROM budgets
  LEFT JOIN actuals
    ON budgets.budget_id = actuals.budget_id
    AND budgets.period_start = actuals.period_start
  LEFT JOIN landing
    ON budgets.budget_id = landing.budget_id
    AND budgets.period_start = landing.period_start
)
SELECT
  judged.budget_id,
  judged.parent_id,
  judged.owner,
  judged.period_start,
  judged.period_end,
  judged.measure,
  judged.amount AS budget,
  CAST(judged.actual AS DECIMAL(38, 12)) AS actual,
  CAST(CAST(CAST((
    (
      judged.elapsed_days * 1000000000000
    ) - (
      (
        judged.elapsed_days * 1000000000000
      ) % (
        judged.period_days
      )
    )
  ) / (
    judged.period_days
  ) AS DECIMAL(38, 0)) AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(18, 12)) AS elapsed_share,
  judged.forecast_p10,
  judged.forecast_p50,
  judged.forecast_p90,
  judged.overrun_probability,
  judged.overrun_date,
  CAST(judged.amount - COALESCE(judged.forecast_p50, judged.actual) AS DECIMAL(38, 12)) AS variance,
  CASE
    WHEN :today < judged.period_start
    THEN 'not_started'
    WHEN judged.is_unconverted
    THEN 'unknown_currency'
    WHEN judged.actual > judged.amount
    THEN 'over'
    WHEN judged.elapsed_days >= judged.period_days
    THEN 'within'
    WHEN judged.forecast_p50 IS NULL
    THEN 'no_forecast'
    WHEN judged.forecast_p50 > judged.amount
    THEN 'at_risk'
    WHEN judged.forecast_p90 > judged.amount
    THEN 'watch'
    ELSE 'on_track'
  END AS status,
  judged.top_driver,
  judged.currency,
  judged.feature,
  judged.team,
  judged.cost_driver
FROM judged
