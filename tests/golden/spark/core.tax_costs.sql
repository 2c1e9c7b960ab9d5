WITH following AS (
  SELECT
    *
  FROM core.following_cells
  WHERE
    charge_date >= :start AND charge_date < :end AND follows = 'invoice'
), all_cells AS (
  SELECT
    *
  FROM core.cells
  WHERE
    charge_date >= :start AND charge_date < :end AND follows = 'invoice'
), weights AS (
  SELECT
    *
  FROM core.tax_weights
  WHERE
    charge_date >= :start AND charge_date < :end
), cells AS (
  SELECT
    all_cells.*
  FROM all_cells
  INNER JOIN following
    ON all_cells.charge_date = following.charge_date
    AND all_cells.cell_id = following.cell_id
), split_cells AS (
  SELECT DISTINCT
    weights.charge_date,
    weights.cell_id
  FROM weights
), owned AS (
  SELECT
    weights.charge_date,
    weights.cell_id,
    weights.owner_id,
    CAST(NULL AS STRING) AS from_zone,
    CAST(NULL AS STRING) AS to_zone,
    weights.residual_reason,
    weights.method_id,
    'allocated' AS evidence,
    weights.cost_weight AS weight
  FROM weights
  UNION ALL
  SELECT
    cells.charge_date,
    cells.cell_id,
    cells.direct_owner_id AS owner_id,
    cells.from_zone,
    cells.to_zone,
    cells.residual_reason,
    cells.method_id,
    cells.evidence,
    CAST(1 AS DECIMAL(38, 0)) AS weight
  FROM cells
  LEFT JOIN split_cells
    ON cells.charge_date = split_cells.charge_date
    AND cells.cell_id = split_cells.cell_id
  WHERE
    split_cells.cell_id IS NULL
), totals AS (
  SELECT
    owned.charge_date,
    owned.cell_id,
    CAST(SUM(owned.weight) AS DECIMAL(38, 0)) AS cell_weight,
    CAST(COUNT(*) AS DECIMAL(15, 0)) AS cell_rows
  FROM owned
  GROUP BY
    owned.charge_date,
    owned.cell_id
), scaled AS (
  SELECT
    owned.charge_date,
    owned.cell_id,
    owned.owner_id,
    owned.from_zone,
    owned.to_zone,
    owned.residual_reason,
    owned.method_id,
    owned.evidence,
    CAST(CASE
      WHEN COALESCE(totals.cell_weight, 0) = 0
      THEN 1
      WHEN totals.cell_weight < 1000000000000000
      THEN COALESCE(owned.weight, 0)
      WHEN COALESCE(owned.weight, 0) = 0
      THEN 0
      ELSE GREATEST(
        1,
        CAST((
          (
            CAST(owned.weight AS DECIMAL(22, 0)) * CAST(999999999999999 - totals.cell_rows AS DECIMAL(15, 0))
          ) - (
            (
              CAST(owned.weight AS DECIMAL(22, 0)) * CAST(999999999999999 - totals.cell_rows AS DECIMAL(15, 0))
            ) % (
              totals.cell_weight
            )
          )
        ) / (
          totals.cell_weight
        ) AS DECIMAL(38, 0))
      )
    END AS DECIMAL(15, 0)) AS weight
  FROM owned
  INNER JOIN totals
    ON owned.charge_date = totals.charge_date AND owned.cell_id = totals.cell_id
), keyed AS (
  SELECT
    scaled.*,
    MD5(
      scaled.owner_id || CHR(  31) || COALESCE(scaled.from_zone, CHR(  30)) || CHR(  31) || COALESCE(scaled.to_zone, CHR(  30)) || CHR(  31) || COALESCE(scaled.residual_reason, CHR(  30))
    ) AS row_id
  FROM scaled
), cumulated AS (
  SELECT
    keyed.*,
    CAST(SUM(keyed.weight) OVER (
      PARTITION BY keyed.charge_date, keyed.cell_id
      ORDER BY keyed.row_id NULLS LAST
      rows BETWEEN UNBOUNDED preceding AND CURRENT ROW
    ) AS DECIMAL(15, 0)) AS until_weight,
    CAST(SUM(keyed.weight) OVER (PARTITION BY keyed.charge_date, keyed.cell_id) AS DECIMAL(15, 0)) AS total_weight
  FROM keyed
), cell_amounts AS (
  SELECT
    cells.charge_date,
    cells.cell_id,
    cells.billing_currency,
    cells.fx_date,
    cells.cost_state,
    (
      cells.effective_cost IS NOT DISTINCT FROM cells.billed_cost
    ) AS is_effective_as_billed,
    (
      cells.billed_cost_reporting IS NOT DISTINCT FROM cells.billed_cost
      AND cells.effective_cost_reporting IS NOT DISTINCT FROM cells.effective_cost
      AND cells.list_cost_reporting IS NOT DISTINCT FROM cells.list_cost
    ) AS is_reporting_as_billing,
    cells.billed_cost,
    cells.effective_cost,
    cells.list_cost,
    cells.billed_cost_reporting,
    cells.effective_cost_reporting,
    cells.list_cost_reporting
  FROM cells
), cell_units AS (
  SELECT
    cell_amounts.charge_date,
    cell_amounts.cell_id,
    cell_amounts.billing_currency,
    cell_amounts.fx_date,
    cell_amounts.cost_state,
    cell_amounts.is_effective_as_billed,
    cell_amounts.is_reporting_as_billing,
    CAST(CAST(cell_amounts.billed_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS billed_cost_units,
    CASE
      WHEN NOT cell_amounts.is_effective_as_billed
      THEN CAST(CAST(cell_amounts.effective_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0))
    END AS effective_cost_units,
    CAST(CAST(cell_amounts.list_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS list_cost_units,
    CASE
      WHEN NOT cell_amounts.is_reporting_as_billing
      THEN CAST(CAST(cell_amounts.billed_cost_reporting AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0))
    END AS billed_cost_reporting_units,
    CASE
      WHEN NOT cell_amounts.is_reporting_as_billing
      THEN CAST(CAST(cell_amounts.effective_cost_reporting AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0))
    END AS effective_cost_reporting_units,
    CASE
      WHEN NOT cell_amounts.is_reporting_as_billing
      THEN CAST(CAST(cell_amounts.list_cost_reporting AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0))
    END AS list_cost_reporting_units
  FROM cell_amounts
), units AS (
  SELECT
    cumulated.*,
    CAST(cumulated.until_weight - cumulated.weight AS DECIMAL(15, 0)) AS before_weight,
    cell_units.billing_currency,
    cell_units.fx_date,
    cell_units.cost_state,
    cell_units.is_effective_as_billed,
    cell_units.is_reporting_as_billing,
    cell_units.billed_cost_units,
    cell_units.effective_cost_units,
    cell_units.list_cost_units,
    cell_units.billed_cost_reporting_units,
    cell_units.effective_cost_reporting_units,
    cell_units.list_cost_reporting_units
  FROM cumulated
  INNER JOIN cell_units
    ON cumulated.charge_date = cell_units.charge_date
    AND cumulated.cell_id = cell_units.cell_id
), split AS (
  SELECT
    units.*,
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
), measured AS (
  SELECT
    split.*,
    CASE
      WHEN split.is_effective_as_billed
      THEN split.billed_cost_part
      ELSE split.effective_cost_part
    END AS own_effective_cost_part
  FROM split
), reported AS (
  SELECT
    measured.*,
    CASE
      WHEN measured.is_reporting_as_billing
      THEN measured.billed_cost_part
      ELSE measured.billed_cost_reporting_part
    END AS own_billed_cost_reporting_part,
    CASE
      WHEN measured.is_reporting_as_billing
      THEN measured.own_effective_cost_part
      ELSE measured.effective_cost_reporting_part
    END AS own_effective_cost_reporting_part,
    CASE
      WHEN measured.is_reporting_as_billing
      THEN measured.list_cost_part
      ELSE measured.list_cost_reporting_part
    END AS own_list_cost_reporting_part
  FROM measured
)
SELECT
  reported.charge_date,
  reported.cell_id,
  reported.row_id,
  reported.owner_id,
  reported.from_zone,
  reported.to_zone,
  reported.residual_reason,
  CAST(CAST(reported.billed_cost_part AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS billed_cost,
  CAST(CAST(reported.own_effective_cost_part AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS effective_cost,
  CAST(CAST(reported.list_cost_part AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS list_cost,
  reported.billing_currency,
  CAST(CAST(reported.own_billed_cost_reporting_part AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS billed_cost_reporting,
  CAST(CAST(reported.own_effective_cost_reporting_part AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS effective_cost_reporting,
  CAST(CAST(reported.own_list_cost_reporting_part AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS list_cost_reporting,
  reported.fx_date,
  CAST(0 AS BIGINT) AS requests,
  CAST(0 AS BIGINT) AS input_tokens,
  CAST(0 AS BIGINT) AS output_tokens,
  CAST(0 AS BIGINT) AS bytes,
  reported.method_id,
  reported.evidence,
  reported.cost_state
FROM reported
