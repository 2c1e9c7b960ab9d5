WITH facts AS (
  SELECT
    *
  FROM core.direct_costs
  WHERE
    charge_date >= :start AND charge_date < :end
), idle AS (
  SELECT
    facts.charge_date,
    facts.cell_id,
    CAST(CAST(SUM(facts.billed_cost) AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS billed_cost_units,
    CAST(CAST(SUM(facts.effective_cost) AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS effective_cost_units,
    CAST(CAST(SUM(facts.list_cost) AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS list_cost_units,
    CAST(CAST(SUM(facts.billed_cost_reporting) AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS billed_cost_reporting_units,
    CAST(CAST(SUM(facts.effective_cost_reporting) AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS effective_cost_reporting_units,
    CAST(CAST(SUM(facts.list_cost_reporting) AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS list_cost_reporting_units
  FROM facts
  WHERE
    facts.residual_reason = 'idle_capacity'
  GROUP BY
    facts.charge_date,
    facts.cell_id
), takers AS (
  SELECT
    facts.charge_date,
    facts.cell_id,
    facts.row_id,
    ABS(
      CAST(CAST(facts.effective_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0))
    ) AS weight
  FROM facts
  INNER JOIN idle
    ON facts.charge_date = idle.charge_date AND facts.cell_id = idle.cell_id
  WHERE
    NOT COALESCE(facts.residual_reason, '') IN ('idle_capacity', 'unmeasured_capacity')
), totals AS (
  SELECT
    takers.charge_date,
    takers.cell_id,
    CAST(SUM(takers.weight) AS DECIMAL(38, 0)) AS cell_weight,
    CAST(COUNT(*) AS DECIMAL(15, 0)) AS cell_rows
  FROM takers
  GROUP BY
    takers.charge_date,
    takers.cell_id
), scaled AS (
  SELECT
    takers.charge_date,
    takers.cell_id,
    takers.row_id,
    CAST(CASE
      WHEN totals.cell_weight = 0
      THEN 1
      WHEN totals.cell_weight < 1000000000000000
      THEN takers.weight
      WHEN takers.weight = 0
      THEN 0
      ELSE GREATEST(
        1,
        CAST((
          (
            CAST(takers.weight AS DECIMAL(22, 0)) * CAST(999999999999999 - totals.cell_rows AS DECIMAL(15, 0))
          ) - (
            (
              CAST(takers.weight AS DECIMAL(22, 0)) * CAST(999999999999999 - totals.cell_rows AS DECIMAL(15, 0))
            ) % (
              totals.cell_weight
            )
          )
        ) / (
          totals.cell_weight
        ) AS DECIMAL(38, 0))
      )
    END AS DECIMAL(15, 0)) AS weight
  FROM takers
  INNER JOIN totals
    ON takers.charge_date = totals.charge_date AND takers.cell_id = totals.cell_id
), cumulated AS (
  SELECT
    scaled.charge_date,
    scaled.cell_id,
    scaled.row_id,
    scaled.weight,
    CAST(SUM(scaled.weight) OVER (
      PARTITION BY scaled.charge_date, scaled.cell_id
      ORDER BY scaled.row_id NULLS LAST
      rows BETWEEN UNBOUNDED preceding AND CURRENT ROW
    ) AS DECIMAL(15, 0)) AS until_weight,
    CAST(SUM(scaled.weight) OVER (PARTITION BY scaled.charge_date, scaled.cell_id) AS DECIMAL(15, 0)) AS total_weight
  FROM scaled
), units AS (
  SELECT
    cumulated.*,
    CAST(cumulated.until_weight - cumulated.weight AS DECIMAL(15, 0)) AS before_weight,
    idle.billed_cost_units,
    idle.effective_cost_units,
    idle.list_cost_units,
    idle.billed_cost_reporting_units,
    idle.effective_cost_reporting_units,
    idle.list_cost_reporting_units
  FROM cumulated
  INNER JOIN idle
    ON cumulated.charge_date = idle.charge_date AND cumulated.cell_id = idle.cell_id
), split AS (
  SELECT
    units.charge_date,
    units.cell_id,
    units.row_id,
    CAST((
      (
        units.billed_cost_units * units.until_weight
      ) - (
        (
          units.billed_cost_units * units.until_weight
        ) % (
          units.total_weight
        )
      )
    ) / (
      units.total_weight
    ) AS DECIMAL(38, 0)) - CAST((
      (
        units.billed_cost_units * units.before_weight
      ) - (
        (
          units.billed_cost_units * units.before_weight
        ) % (
          units.total_weight
        )
      )
    ) / (
      units.total_weight
    ) AS DECIMAL(38, 0)) AS billed_cost_part,
    CAST((
      (
        units.effective_cost_units * units.until_weight
      ) - (
        (
          units.effective_cost_units * units.until_weight
        ) % (
          units.total_weight
        )
      )
    ) / (
      units.total_weight
    ) AS DECIMAL(38, 0)) - CAST((
      (
        units.effective_cost_units * units.before_weight
      ) - (
        (
          units.effective_cost_units * units.before_weight
        ) % (
          units.total_weight
        )
      )
    ) / (
      units.total_weight
    ) AS DECIMAL(38, 0)) AS effective_cost_part,
    CAST((
      (
        units.list_cost_units * units.until_weight
      ) - (
        (
          units.list_cost_units * units.until_weight
        ) % (
          units.total_weight
        )
      )
    ) / (
      units.total_weight
    ) AS DECIMAL(38, 0)) - CAST((
      (
        units.list_cost_units * units.before_weight
      ) - (
        (
          units.list_cost_units * units.before_weight
        ) % (
          units.total_weight
        )
      )
    ) / (
      units.total_weight
    ) AS DECIMAL(38, 0)) AS list_cost_part,
    CAST((
      (
        units.billed_cost_reporting_units * units.until_weight
      ) - (
        (
          units.billed_cost_reporting_units * units.until_weight
        ) % (
          units.total_weight
        )
      )
    ) / (
      units.total_weight
    ) AS DECIMAL(38, 0)) - CAST((
      (
        units.billed_cost_reporting_units * units.before_weight
      ) - (
        (
          units.billed_cost_reporting_units * units.before_weight
        ) % (
          units.total_weight
        )
      )
    ) / (
      units.total_weight
    ) AS DECIMAL(38, 0)) AS billed_cost_reporting_part,
    CAST((
      (
        units.effective_cost_reporting_units * units.until_weight
      ) - (
        (
          units.effective_cost_reporting_units * units.until_weight
        ) % (
          units.total_weight
        )
      )
    ) / (
      units.total_weight
    ) AS DECIMAL(38, 0)) - CAST((
      (
        units.effective_cost_reporting_units * units.before_weight
      ) - (
        (
          units.effective_cost_reporting_units * units.before_weight
        ) % (
          units.total_weight
        )
      )
    ) / (
      units.total_weight
    ) AS DECIMAL(38, 0)) AS effective_cost_reporting_part,
    CAST((
      (
        units.list_cost_reporting_units * units.until_weight
      ) - (
        (
          units.list_cost_reporting_units * units.until_weight
        ) % (
          units.total_weight
        )
      )
    ) / (
      units.total_weight
    ) AS DECIMAL(38, 0)) - CAST((
      (
        units.list_cost_reporting_units * units.before_weight
      ) - (
        (
          units.list_cost_reporting_units * units.before_weight
        ) % (
          units.total_weight
        )
      )
    ) / (
      units.total_weight
    ) AS DECIMAL(38, 0)) AS list_cost_reporting_part
  FROM units
)
SELECT
  split.charge_date,
  split.cell_id,
  split.row_id,
  CAST(CAST(split.billed_cost_part AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS billed_cost,
  CAST(CAST(split.effective_cost_part AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS effective_cost,
  CAST(CAST(split.list_cost_part AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS list_cost,
  CAST(CAST(split.billed_cost_reporting_part AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS billed_cost_reporting,
  CAST(CAST(split.effective_cost_reporting_part AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS effective_cost_reporting,
  CAST(CAST(split.list_cost_reporting_part AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS list_cost_reporting
FROM split
