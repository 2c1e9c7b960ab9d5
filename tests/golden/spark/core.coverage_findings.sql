WITH usage AS (
  SELECT
    *
  FROM core.reconciled_usage
  WHERE
    charge_date >= :start
    AND charge_date < :end
    AND cost_state <> 'estimated'
    AND NOT model IS NULL
    AND NOT provider IS NULL
    AND NOT token_class IS NULL
), settings AS (
  SELECT
    *
  FROM reference.settings
), quantities AS (
  SELECT
    usage.charge_date,
    usage.provider,
    usage.model,
    usage.currency,
    CAST(SUM(COALESCE(usage.billed_quantity, usage.provider_quantity)) AS DECIMAL(22, 0)) AS whole_quantity,
    CAST(SUM(usage.logged_quantity) AS DECIMAL(22, 0)) AS logged_quantity
  FROM usage
  WHERE
    usage.cause = 'unexplained'
  GROUP BY
    usage.charge_date,
    usage.provider,
    usage.model,
    usage.currency
), costs AS (
  SELECT
    usage.charge_date,
    usage.provider,
    usage.model,
    usage.currency,
    SUM(CASE WHEN usage.cause = 'bypass' THEN usage.difference_cost ELSE 0 END) AS bypass_cost,
    SUM(CASE WHEN usage.cause = 'unlogged' THEN usage.difference_cost ELSE 0 END) AS unlogged_cost,
    SUM(CASE WHEN usage.cause = 'over_logged' THEN -usage.difference_cost ELSE 0 END) AS surplus_cost
  FROM usage
  GROUP BY
    usage.charge_date,
    usage.provider,
    usage.model,
    usage.currency
), judged AS (
  SELECT
    quantities.*,
    costs.bypass_cost,
    costs.unlogged_cost,
    costs.surplus_cost,
    CASE
      WHEN quantities.logged_quantity * 1000000 < quantities.whole_quantity * (
        1000000 - settings.coverage_band_ppm
      )
      THEN 'coverage_below_band'
      WHEN quantities.logged_quantity * 1000000 > quantities.whole_quantity * (
        1000000 + settings.coverage_band_ppm
      )
      THEN 'coverage_above_band'
    END AS finding
  FROM quantities
  CROSS JOIN settings
  INNER JOIN costs
    ON quantities.charge_date = costs.charge_date
    AND quantities.provider = costs.provider
    AND quantities.model = costs.model
    AND quantities.currency = costs.currency
  WHERE
    quantities.whole_quantity > 0
)
SELECT
  judged.charge_date,
  judged.finding,
  judged.provider,
  judged.model,
  judged.currency,
  CASE
    WHEN judged.finding = 'coverage_above_band'
    THEN 'over_logged'
    WHEN judged.bypass_cost > judged.unlogged_cost
    THEN 'bypass'
    ELSE 'unlogged'
  END AS cause,
  CAST(CAST(LEAST(
    CAST(CAST((
      (
        judged.logged_quantity * CAST(1000000000000 AS DECIMAL(13, 0))
      ) - (
        (
          judged.logged_quantity * CAST(1000000000000 AS DECIMAL(13, 0))
        ) % (
          judged.whole_quantity
        )
      )
    ) / (
      judged.whole_quantity
    ) AS DECIMAL(38, 0)) AS DECIMAL(38, 0)),
    CAST(999999999999999999 AS DECIMAL(38, 0))
  ) AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(18, 12)) AS coverage_share,
  CAST(CASE
    WHEN judged.finding = 'coverage_above_band'
    THEN judged.surplus_cost
    ELSE judged.bypass_cost + judged.unlogged_cost
  END AS DECIMAL(38, 12)) AS difference_cost
FROM judged
WHERE
  NOT judged.finding IS NULL
