WITH cells AS (
  SELECT
    *
  FROM core.cells
  WHERE
    charge_date >= :start AND charge_date < :end
), usage AS (
  SELECT
    *
  FROM core.usage_costs
  WHERE
    charge_date >= :start AND charge_date < :end
), physical AS (
  SELECT
    *
  FROM core.physical_weights
  WHERE
    charge_date >= :start AND charge_date < :end
), usage_weights AS (
  SELECT
    usage.charge_date,
    usage.pool_key,
    usage.provider,
    usage.model,
    usage.token_class,
    usage.owner_id,
    usage.from_zone,
    usage.to_zone,
    usage.list_cost_currency,
    SUM(usage.quantity_tokens) AS tokens,
    SUM(usage.list_cost) AS list_cost,
    SUM(usage.requests) AS requests
  FROM usage
  GROUP BY
    usage.charge_date,
    usage.pool_key,
    usage.provider,
    usage.model,
    usage.token_class,
    usage.owner_id,
    usage.from_zone,
    usage.to_zone,
    usage.list_cost_currency
), token_rows AS (
  SELECT
    cells.charge_date,
    cells.cell_id,
    usage_weights.owner_id,
    usage_weights.from_zone,
    usage_weights.to_zone,
    cells.residual_reason,
    CASE
      WHEN cells.method_id = 'list_price' AND NOT cells.list_cost IS NULL
      THEN CAST(CAST(usage_weights.list_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(38, 0))
      ELSE CAST(usage_weights.tokens AS DECIMAL(38, 0))
    END AS weight,
    CASE WHEN cells.is_pool_first THEN usage_weights.requests ELSE 0 END AS requests,
    CASE
      WHEN cells.is_pool_first AND usage_weights.token_class <> 'output_tokens'
      THEN usage_weights.tokens
      ELSE 0
    END AS input_tokens,
    CASE
      WHEN cells.is_pool_first AND usage_weights.token_class = 'output_tokens'
      THEN usage_weights.tokens
      ELSE 0
    END AS output_tokens,
    0 AS bytes
  FROM cells
  INNER JOIN usage_weights
    ON cells.charge_date = usage_weights.charge_date
    AND cells.pool_key = usage_weights.pool_key
    AND (
      cells.method_id = 'tokens'
      OR COALESCE(usage_weights.list_cost_currency, CHR(  30)) = COALESCE(CASE WHEN NOT cells.list_cost IS NULL THEN cells.billing_currency END, CHR(  30))
    )
  WHERE
    cells.method_id IN ('tokens', 'list_price')
), mixed_rows AS (
  SELECT
    cells.charge_date,
    cells.cell_id,
    usage_weights.owner_id,
    usage_weights.from_zone,
    usage_weights.to_zone,
    CAST(NULL AS STRING) AS residual_reason,
    CAST(CAST(usage_weights.list_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(38, 0)) AS weight,
    CASE WHEN cells.is_pool_first THEN usage_weights.requests ELSE 0 END AS requests,
    CASE
      WHEN cells.is_pool_first AND usage_weights.token_class <> 'output_tokens'
      THEN usage_weights.tokens
      ELSE 0
    END AS input_tokens,
    CASE
      WHEN cells.is_pool_first AND usage_weights.token_class = 'output_tokens'
      THEN usage_weights.tokens
      ELSE 0
    END AS output_tokens,
    0 AS bytes
  FROM cells
  INNER JOIN usage_weights
    ON cells.charge_date = usage_weights.charge_date
    AND cells.provider = usage_weights.provider
    AND cells.model = usage_weights.model
  WHERE
    cells.method_id = 'list_cost'
), physical_rows AS (
  SELECT
    cells.charge_date,
    cells.cell_id,
    physical.owner_id,
    physical.from_zone,
    physical.to_zone,
    physical.residual_reason,
    CAST(physical.weight AS DECIMAL(38, 0)) AS weight,
    0 AS requests,
    0 AS input_tokens,
    0 AS output_tokens,
    CASE WHEN cells.is_pool_first THEN physical.bytes ELSE 0 END AS bytes
  FROM cells
  INNER JOIN physical
    ON cells.charge_date = physical.charge_date AND cells.pool_key = physical.pool_key
  WHERE
    cells.method_id IN ('bytes', 'telemetry_bytes')
), missing_rows AS (
  SELECT
    cells.charge_date,
    cells.cell_id,
    cells.direct_owner_id AS owner_id,
    CAST(NULL AS STRING) AS from_zone,
    CAST(NULL AS STRING) AS to_zone,
    'unlogged_usage' AS residual_reason,
    CAST(cells.missing_quantity AS DECIMAL(38, 0)) AS weight,
    0 AS requests,
    0 AS input_tokens,
    0 AS output_tokens,
    0 AS bytes
  FROM cells
  WHERE
    cells.method_id = 'tokens' AND cells.missing_quantity > 0
), whole_rows AS (
  SELECT
    cells.charge_date,
    cells.cell_id,
    cells.direct_owner_id AS owner_id,
    cells.from_zone,
    cells.to_zone,
    cells.residual_reason,
    CAST(1 AS DECIMAL(38, 0)) AS weight,
    0 AS requests,
    0 AS input_tokens,
    0 AS output_tokens,
    0 AS bytes
  FROM cells
  WHERE
    cells.method_id IN ('residual', 'bill_tag', 'workload_resource')
), weighted AS (
  SELECT
    *
  FROM token_rows
  UNION ALL
  SELECT
    *
  FROM mixed_rows
  UNION ALL
  SELECT
    *
  FROM physical_rows
  UNION ALL
  SELECT
    *
  FROM missing_rows
  UNION ALL
  SELECT
    *
  FROM whole_rows
), grouped AS (
  SELECT
    weighted.charge_date,
    weighted.cell_id,
    weighted.owner_id,
    weighted.from_zone,
    weighted.to_zone,
    weighted.residual_reason,
    CAST(SUM(COALESCE(weighted.weight, 0)) AS DECIMAL(38, 0)) AS weight,
    SUM(weighted.requests) AS requests,
    SUM(weighted.input_tokens) AS input_tokens,
    SUM(weighted.output_tokens) AS output_tokens,
    SUM(weighted.bytes) AS bytes
  FROM weighted
  GROUP BY
    weighted.charge_date,
    weighted.cell_id,
    weighted.owner_id,
    weighted.from_zone,
    weighted.to_zone,
    weighted.residual_reason
), totals AS (
  SELECT
    grouped.charge_date,
    grouped.cell_id,
    CAST(SUM(grouped.weight) AS DECIMAL(38, 0)) AS cell_weight,
    CAST(COUNT(*) AS DECIMAL(15, 0)) AS cell_rows
  FROM grouped
  GROUP BY
    grouped.charge_date,
    grouped.cell_id
), scaled AS (
  SELECT
    grouped.charge_date,
    grouped.cell_id,
    grouped.owner_id,
    grouped.from_zone,
    grouped.to_zone,
    grouped.residual_reason,
    grouped.requests,
    grouped.input_tokens,
    grouped.output_tokens,
    grouped.bytes,
    CAST(CASE
      WHEN totals.cell_weight = 0
      THEN 1
      WHEN totals.cell_weight < 1000000000000000
      THEN grouped.weight
      WHEN grouped.weight = 0
      THEN 0
      ELSE GREATEST(
        1,
        CAST((
          (
            CAST(grouped.weight AS DECIMAL(22, 0)) * CAST(999999999999999 - totals.cell_rows AS DECIMAL(15, 0))
          ) - (
            (
              CAST(grouped.weight AS DECIMAL(22, 0)) * CAST(999999999999999 - totals.cell_rows AS DECIMAL(15, 0))
            ) % (
              totals.cell_weight
            )
          )
        ) / (
          totals.cell_weight
        ) AS DECIMAL(38, 0))
      )
    END AS DECIMAL(15, 0)) AS weight
  FROM grouped
  INNER JOIN totals
    ON grouped.charge_date = totals.charge_date AND grouped.cell_id = totals.cell_id
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
), units AS (
  SELECT
    cumulated.*,
    CAST(cumulated.until_weight - cumulated.weight AS DECIMAL(15, 0)) AS before_weight,
    cells.billing_currency,
    cells.fx_date,
    cells.method_id,
    cells.evidence,
    cells.cost_state,
    CAST(CAST(cells.billed_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS billed_cost_units,
    CAST(CAST(cells.effective_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS effective_cost_units,
    CAST(CAST(cells.list_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS list_cost_units,
    CAST(CAST(cells.billed_cost_reporting AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS billed_cost_reporting_units,
    CAST(CAST(cells.effective_cost_reporting AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS effective_cost_reporting_units,
    CAST(CAST(cells.list_cost_reporting AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS list_cost_reporting_units
  FROM cumulated
  INNER JOIN cells
    ON cumulated.charge_date = cells.charge_date AND cumulated.cell_id = cells.cell_id
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
)
SELECT
  split.charge_date,
  split.cell_id,
  split.row_id,
  split.owner_id,
  split.from_zone,
  split.to_zone,
  split.residual_reason,
  CAST(CAST(split.billed_cost_part AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS billed_cost,
  CAST(CAST(split.effective_cost_part AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS effective_cost,
  CAST(CAST(split.list_cost_part AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS list_cost,
  split.billing_currency,
  CAST(CAST(split.billed_cost_reporting_part AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS billed_cost_reporting,
  CAST(CAST(split.effective_cost_reporting_part AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS effective_cost_reporting,
  CAST(CAST(split.list_cost_reporting_part AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS list_cost_reporting,
  split.fx_date,
  CAST(split.requests AS BIGINT) AS requests,
  CAST(split.input_tokens AS BIGINT) AS input_tokens,
  CAST(split.output_tokens AS BIGINT) AS output_tokens,
  CAST(split.bytes AS BIGINT) AS bytes,
  CASE
    WHEN split.residual_reason = 'unlogged_usage'
    THEN 'residual'
    ELSE split.method_id
  END AS method_id,
  CASE
    WHEN split.residual_reason = 'unlogged_usage'
    THEN 'billed'
    ELSE split.evidence
  END AS evidence,
  split.cost_state
FROM split
