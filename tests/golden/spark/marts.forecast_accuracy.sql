WITH forecasts AS (
  SELECT
    *
  FROM core.ledger_forecasts
  WHERE
    measure = 'effective_cost'
), costs AS (
  SELECT
    *
  FROM marts.cost_daily
  WHERE
    charge_date < :today AND charge_category <> 'Tax'
), daily AS (
  SELECT
    costs.charge_date,
    costs.feature,
    costs.cost_driver,
    SUM(costs.effective_cost_reporting) AS cost,
    MAX(
      CASE
        WHEN costs.cost_state = 'estimated' AND NOT costs.bill_of_record IS NULL
        THEN 1
        ELSE 0
      END
    ) AS is_estimated
  FROM costs
  GROUP BY
    costs.charge_date,
    costs.feature,
    costs.cost_driver
), open_days AS (
  SELECT
    daily.charge_date
  FROM daily
  GROUP BY
    daily.charge_date
  HAVING
    MAX(daily.is_estimated) = 1
), scopes AS (
  SELECT
    'feature_driver' AS scope,
    daily.charge_date,
    COALESCE(daily.feature, CHR(  30)) AS feature_key,
    COALESCE(daily.cost_driver, CHR(  30)) AS cost_driver_key,
    SUM(daily.cost) AS cost
  FROM daily
  GROUP BY
    daily.charge_date,
    COALESCE(daily.feature, CHR(  30)),
    COALESCE(daily.cost_driver, CHR(  30))
  UNION ALL
  SELECT
    'feature' AS scope,
    daily.charge_date,
    COALESCE(daily.feature, CHR(  30)) AS feature_key,
    CHR(  30) AS cost_driver_key,
    SUM(daily.cost) AS cost
  FROM daily
  GROUP BY
    daily.charge_date,
    COALESCE(daily.feature, CHR(  30))
  UNION ALL
  SELECT
    'total' AS scope,
    daily.charge_date,
    CHR(  30) AS feature_key,
    CHR(  30) AS cost_driver_key,
    SUM(daily.cost) AS cost
  FROM daily
  GROUP BY
    daily.charge_date
), last_day AS (
  SELECT
    MAX(daily.charge_date) AS charge_date
  FROM daily
), scored AS (
  SELECT
    forecasts.scope,
    forecasts.feature,
    forecasts.cost_driver,
    COALESCE(forecasts.feature, CHR(  30)) AS feature_key,
    COALESCE(forecasts.cost_driver, CHR(  30)) AS cost_driver_key,
    forecasts.currency,
    forecasts.target_date,
    CASE
      WHEN DATEDIFF(DAY, CAST(forecasts.forecast_made_at AS DATE), forecasts.target_date) < 7
      THEN '1 week'
      WHEN DATEDIFF(DAY, CAST(forecasts.forecast_made_at AS DATE), forecasts.target_date) < 28
      THEN '4 weeks'
      ELSE 'longer'
    END AS horizon,
    COALESCE(scopes.cost, CAST(0 AS DECIMAL(38, 12))) AS actual,
    forecasts.p50,
    CASE
      WHEN COALESCE(scopes.cost, CAST(0 AS DECIMAL(38, 12))) BETWEEN forecasts.p10 AND forecasts.p90
      THEN 1
      ELSE 0
    END AS is_covered
  FROM forecasts
  INNER JOIN last_day
    ON forecasts.target_date <= last_day.charge_date
  LEFT JOIN scopes
    ON forecasts.scope = scopes.scope
    AND forecasts.target_date = scopes.charge_date
    AND COALESCE(forecasts.feature, CHR(  30)) = scopes.feature_key
    AND COALESCE(forecasts.cost_driver, CHR(  30)) = scopes.cost_driver_key
  LEFT JOIN open_days
    ON forecasts.target_date = open_days.charge_date
  WHERE
    open_days.charge_date IS NULL
    AND forecasts.target_date > CAST(forecasts.forecast_made_at AS DATE)
    AND forecasts.zone IS NULL
), summed AS (
  SELECT
    scored.scope,
    scored.feature,
    scored.cost_driver,
    scored.feature_key,
    scored.cost_driver_key,
    scored.currency,
    scored.horizon,
    COUNT(*) AS scored_days_count,
    MIN(scored.target_date) AS first_date,
    MAX(scored.target_date) AS last_date,
    SUM(scored.actual) AS actual,
    SUM(ABS(scored.p50 - scored.actual)) AS absolute_error,
    SUM(scored.p50 - scored.actual) AS signed_error,
    SUM(scored.is_covered) AS covered_days
  FROM scored
  GROUP BY
    scored.scope,
    scored.feature,
    scored.cost_driver,
    scored.feature_key,
    scored.cost_driver_key,
    scored.currency,
    scored.horizon
), units AS (
  SELECT
    summed.*,
    CAST(CAST(summed.actual AS DECIMAL(24, 6)) * CAST(1000000 AS DECIMAL(7, 0)) AS DECIMAL(22, 0)) AS actual_units,
    CAST(CAST(summed.absolute_error AS DECIMAL(24, 6)) * CAST(1000000 AS DECIMAL(7, 0)) AS DECIMAL(22, 0)) AS absolute_units,
    CAST(CAST(summed.signed_error AS DECIMAL(24, 6)) * CAST(1000000 AS DECIMAL(7, 0)) AS DECIMAL(22, 0)) AS signed_units
  FROM summed
)
SELECT
  units.scope,
  units.feature,
  units.cost_driver,
  units.feature_key,
  units.cost_driver_key,
  units.currency,
  units.horizon,
  CAST(units.scored_days_count AS BIGINT) AS scored_days_count,
  units.first_date,
  units.last_date,
  CAST(units.actual AS DECIMAL(38, 12)) AS actual,
  CASE
    WHEN units.actual_units > 0
    THEN CAST(CAST(CAST((
      (
        units.absolute_units * 1000000
      ) - (
        (
          units.absolute_units * 1000000
        ) % (
          units.actual_units
        )
      )
    ) / (
      units.actual_units
    ) AS DECIMAL(38, 0)) AS DECIMAL(24, 0)) * CAST(0.000001 AS DECIMAL(7, 6)) AS DECIMAL(18, 12))
  END AS wape_share,
  CASE
    WHEN units.actual_units > 0
    THEN CAST(CAST(CAST((
      (
        units.signed_units * 1000000
      ) - (
        (
          units.signed_units * 1000000
        ) % (
          units.actual_units
        )
      )
    ) / (
      units.actual_units
    ) AS DECIMAL(38, 0)) AS DECIMAL(24, 0)) * CAST(0.000001 AS DECIMAL(7, 6)) AS DECIMAL(18, 12))
  END AS bias_share,
  CAST(CAST(CAST((
    (
      units.covered_days * 1000000
    ) - (
      (
        units.covered_days * 1000000
      ) % (
        units.scored_days_count
      )
    )
  ) / (
    units.scored_days_count
  ) AS DECIMAL(38, 0)) AS DECIMAL(24, 0)) * CAST(0.000001 AS DECIMAL(7, 6)) AS DECIMAL(18, 12)) AS coverage_80_share
FROM units
