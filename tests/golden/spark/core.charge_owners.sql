WITH facts AS (
  SELECT
    *
  FROM core.attributed_costs
), charge_cells AS (
  SELECT
    *
  FROM core.charge_cells
), sized AS (
  SELECT
    facts.*,
    CAST(CAST(ABS(COALESCE(facts.effective_cost, 0)) + ABS(COALESCE(facts.billed_cost, 0)) + ABS(COALESCE(facts.list_cost, 0)) AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(38, 0)) AS size_units
  FROM facts
  WHERE
    facts.cost_state <> 'estimated'
), rows_ranked AS (
  SELECT
    sized.*,
    CAST(SUM(sized.size_units) OVER (
      PARTITION BY sized.charge_date, sized.cell_id
      ORDER BY sized.row_id NULLS LAST
      rows BETWEEN UNBOUNDED preceding AND CURRENT ROW
    ) AS DECIMAL(38, 0)) AS until_units,
    CAST(SUM(sized.size_units) OVER (PARTITION BY sized.charge_date, sized.cell_id) AS DECIMAL(38, 0)) AS total_units,
    CAST(ROW_NUMBER() OVER (PARTITION BY sized.charge_date, sized.cell_id ORDER BY sized.row_id NULLS LAST) AS DECIMAL(15, 0)) AS row_position,
    CAST(COUNT(*) OVER (PARTITION BY sized.charge_date, sized.cell_id) AS DECIMAL(15, 0)) AS row_total
  FROM sized
), weights AS (
  SELECT
    rows_ranked.*,
    CASE
      WHEN rows_ranked.total_units = 0
      THEN CAST(CAST((
        (
          rows_ranked.row_position * CAST(100000000000000 AS DECIMAL(15, 0))
        ) - (
          (
            rows_ranked.row_position * CAST(100000000000000 AS DECIMAL(15, 0))
          ) % (
            rows_ranked.row_total
          )
        )
      ) / (
        rows_ranked.row_total
      ) AS DECIMAL(38, 0)) AS DECIMAL(15, 0))
      ELSE CAST(CAST((
        (
          rows_ranked.until_units * CAST(100000000000000 AS DECIMAL(15, 0))
        ) - (
          (
            rows_ranked.until_units * CAST(100000000000000 AS DECIMAL(15, 0))
          ) % (
            rows_ranked.total_units
          )
        )
      ) / (
        rows_ranked.total_units
      ) AS DECIMAL(38, 0)) AS DECIMAL(15, 0))
    END AS until_weight,
    CAST(100000000000000 AS DECIMAL(15, 0)) AS total_weight
  FROM rows_ranked
), steps AS (
  SELECT
    weights.*,
    COALESCE(
      LAG(weights.until_weight) OVER (
        PARTITION BY weights.charge_date, weights.cell_id
        ORDER BY weights.row_id NULLS LAST
      ),
      0
    ) AS before_weight
  FROM weights
), units AS (
  SELECT
    steps.charge_date,
    charge_cells.charge_id,
    steps.cell_id,
    steps.row_id,
    steps.owner_id,
    steps.from_zone,
    steps.to_zone,
    steps.residual_reason,
    steps.billing_currency,
    steps.method_id,
    steps.evidence,
    steps.cost_state,
    steps.until_weight,
    CAST(steps.before_weight AS DECIMAL(15, 0)) AS before_weight,
    steps.total_weight,
    CAST(CAST(charge_cells.billed_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS billed_units,
    CAST(CAST(charge_cells.effective_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS effective_units,
    CAST(CAST(charge_cells.list_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS list_units,
    CAST(charge_cells.before_day_weight AS DECIMAL(20, 0)) AS before_day_weight,
    CAST(charge_cells.until_day_weight AS DECIMAL(20, 0)) AS until_day_weight,
    CAST(charge_cells.all_days_weight AS DECIMAL(15, 0)) AS all_days_weight
  FROM steps
  INNER JOIN charge_cells
    ON steps.charge_date = charge_cells.charge_date
    AND steps.cell_id = charge_cells.cell_id
)
SELECT
  units.charge_date,
  units.charge_id,
  units.cell_id,
  units.row_id,
  units.owner_id,
  units.from_zone,
  units.to_zone,
  units.residual_reason,
  CAST(CAST(CAST((
    (
      units.billed_units * units.until_weight
    ) - (
      (
        units.billed_units * units.until_weight
      ) % (
        units.total_weight
      )
    )
  ) / (
    units.total_weight
  ) AS DECIMAL(38, 0)) - CAST((
    (
      units.billed_units * units.before_weight
    ) - (
      (
        units.billed_units * units.before_weight
      ) % (
        units.total_weight
      )
    )
  ) / (
    units.total_weight
  ) AS DECIMAL(38, 0)) AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS billed_cost,
  CAST(CAST(CAST((
    (
      units.effective_units * units.until_weight
    ) - (
      (
        units.effective_units * units.until_weight
      ) % (
        units.total_weight
      )
    )
  ) / (
    units.total_weight
  ) AS DECIMAL(38, 0)) - CAST((
    (
      units.effective_units * units.before_weight
    ) - (
      (
        units.effective_units * units.before_weight
      ) % (
        units.total_weight
      )
    )
  ) / (
    units.total_weight
  ) AS DECIMAL(38, 0)) AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS effective_cost,
  CAST(CAST(CAST((
    (
      units.list_units * units.until_weight
    ) - (
      (
        units.list_units * units.until_weight
      ) % (
        units.total_weight
      )
    )
  ) / (
    units.total_weight
  ) AS DECIMAL(38, 0)) - CAST((
    (
      units.list_units * units.before_weight
    ) - (
      (
        units.list_units * units.before_weight
      ) % (
        units.total_weight
      )
    )
  ) / (
    units.total_weight
  ) AS DECIMAL(38, 0)) AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS list_cost,
  units.billing_currency,
  units.method_id,
  units.evidence,
  units.cost_state,
  CAST(CAST((
    (
      10 * (
        units.before_day_weight * units.total_weight + (
          units.until_day_weight - units.before_day_weight
        ) * units.before_weight
      )
    ) - (
      (
        10 * (
          units.before_day_weight * units.total_weight + (
            units.until_day_weight - units.before_day_weight
          ) * units.before_weight
        )
      ) % (
        units.all_days_weight
      )
    )
  ) / (
    units.all_days_weight
  ) AS DECIMAL(38, 0)) AS BIGINT) AS before_parts,
  CAST(CAST((
    (
      10 * (
        units.before_day_weight * units.total_weight + (
          units.until_day_weight - units.before_day_weight
        ) * units.until_weight
      )
    ) - (
      (
        10 * (
          units.before_day_weight * units.total_weight + (
            units.until_day_weight - units.before_day_weight
          ) * units.until_weight
        )
      ) % (
        units.all_days_weight
      )
    )
  ) / (
    units.all_days_weight
  ) AS DECIMAL(38, 0)) AS BIGINT) AS until_parts
FROM units
