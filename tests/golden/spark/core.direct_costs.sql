WITH cells AS (
  SELECT
    *
  FROM core.cells
  WHERE
    charge_date >= :start AND charge_date < :end AND follows IS NULL
), usage AS (
  SELECT
    *
  FROM core.usage_costs
  WHERE
    charge_date >= :start AND charge_date < :end
), pools AS (
  SELECT
    *
  FROM core.usage_pools
  WHERE
    charge_date >= :start AND charge_date < :end AND pool_side = 'logged'
), unmixed_usage AS (
  SELECT
    *
  FROM core.pooled_usage
  WHERE
    charge_date >= :start AND charge_date < :end
), physical AS (
  SELECT
    *
  FROM core.physical_weights
  WHERE
    charge_date >= :start AND charge_date < :end
), capacity AS (
  SELECT
    *
  FROM core.capacity_weights
  WHERE
    charge_date >= :start AND charge_date < :end
), tagged AS (
  SELECT
    *
  FROM core.tagged_owners
  WHERE
    charge_date >= :start AND charge_date < :end
), counted_pools AS (
  SELECT
    cells.charge_date,
    cells.pool_key
  FROM cells
  WHERE
    cells.is_pool_first AND cells.method_id IN ('tokens', 'list_price', 'bytes')
  GROUP BY
    cells.charge_date,
    cells.pool_key
), counted_models AS (
  SELECT
    cells.charge_date,
    cells.provider,
    cells.model
  FROM cells
  WHERE
    cells.is_pool_first
    AND cells.method_id IN ('tokens', 'list_price', 'list_cost')
    AND NOT cells.model IS NULL
  GROUP BY
    cells.charge_date,
    cells.provider,
    cells.model
), token_cells AS (
  SELECT
    cells.charge_date,
    cells.cell_id,
    cells.residual_reason,
    pools.member_key,
    cells.list_cost_currency AS priced_currency,
    cells.method_id = 'list_price' AS is_estimated,
    cells.method_id IN ('tool_uses', 'requests', 'cached_tokens') AS is_by_use,
    cells.method_id = 'tool_uses' AS is_by_searches,
    cells.method_id = 'requests' AS is_by_requests,
    cells.is_pool_first AND NOT cells.token_class IS NULL AS is_counted,
    cells.is_pool_first AND cells.token_class <> 'output_tokens' AS is_input_counted,
    cells.is_pool_first AND cells.token_class = 'output_tokens' AS is_output_counted
  FROM cells
  INNER JOIN pools
    ON cells.charge_date = pools.charge_date AND cells.pool_key = pools.pool_key
  WHERE
    cells.method_id IN ('tokens', 'list_price', 'tool_uses', 'requests', 'cached_tokens')
), token_sums AS (
  SELECT
    token_cells.charge_date,
    token_cells.cell_id,
    token_cells.is_by_use,
    usage.owner_id,
    usage.from_zone,
    usage.to_zone,
    MAX(token_cells.residual_reason) AS residual_reason,
    CAST(SUM(
      CASE
        WHEN token_cells.is_by_searches
        THEN usage.web_searches
        WHEN token_cells.is_by_requests
        THEN usage.requests
        ELSE usage.quantity_tokens
      END
    ) AS BIGINT) AS tokens,
    SUM(CASE WHEN NOT token_cells.priced_currency IS NULL THEN usage.list_cost END) AS list_cost,
    CAST(SUM(CASE WHEN token_cells.is_counted THEN usage.requests ELSE 0 END) AS BIGINT) AS requests,
    CAST(SUM(CASE WHEN token_cells.is_input_counted THEN usage.quantity_tokens ELSE 0 END) AS BIGINT) AS input_tokens,
    CAST(SUM(CASE WHEN token_cells.is_output_counted THEN usage.quantity_tokens ELSE 0 END) AS BIGINT) AS output_tokens
  FROM usage
  INNER JOIN token_cells
    ON usage.charge_date = token_cells.charge_date
    AND usage.segment_key = token_cells.member_key
    AND (
      NOT token_cells.is_estimated
      OR COALESCE(usage.list_cost_currency, CHR(  30)) = COALESCE(token_cells.priced_currency, CHR(  30))
    )
  GROUP BY
    token_cells.charge_date,
    token_cells.cell_id,
    token_cells.is_by_use,
    usage.owner_id,
    usage.from_zone,
    usage.to_zone
), token_rows AS (
  SELECT
    token_sums.charge_date,
    token_sums.cell_id,
    token_sums.owner_id,
    token_sums.from_zone,
    token_sums.to_zone,
    token_sums.residual_reason,
    COALESCE(
      CAST(CAST(token_sums.list_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(38, 0)),
      CAST(token_sums.tokens AS DECIMAL(38, 0))
    ) AS weight,
    token_sums.requests,
    token_sums.input_tokens,
    token_sums.output_tokens,
    0 AS bytes
  FROM token_sums
  WHERE
    token_sums.tokens > 0 OR NOT token_sums.is_by_use
), mixed_rows AS (
  SELECT
    cells.charge_date,
    cells.cell_id,
    usage.owner_id,
    usage.from_zone,
    usage.to_zone,
    CAST(NULL AS STRING) AS residual_reason,
    CAST(CAST(SUM(usage.list_cost) AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(38, 0)) AS weight,
    SUM(
      CASE
        WHEN cells.is_pool_first AND counted_pools.pool_key IS NULL
        THEN usage.requests
        ELSE 0
      END
    ) AS requests,
    SUM(
      CASE
        WHEN cells.is_pool_first
        AND counted_pools.pool_key IS NULL
        AND usage.token_class <> 'output_tokens'
        THEN usage.quantity_tokens
        ELSE 0
      END
    ) AS input_tokens,
    SUM(
      CASE
        WHEN cells.is_pool_first
        AND counted_pools.pool_key IS NULL
        AND usage.token_class = 'output_tokens'
        THEN usage.quantity_tokens
        ELSE 0
      END
    ) AS output_tokens,
    0 AS bytes
  FROM cells
  INNER JOIN unmixed_usage AS usage
    ON cells.charge_date = usage.charge_date AND cells.pool_key = usage.pool_key
  LEFT JOIN counted_pools
    ON usage.charge_date = counted_pools.charge_date
    AND usage.leaf_pool_key = counted_pools.pool_key
  WHERE
    cells.method_id = 'list_cost'
  GROUP BY
    cells.charge_date,
    cells.cell_id,
    usage.owner_id,
    usage.from_zone,
    usage.to_zone
), counted_kinds AS (
  SELECT
    counted_pools.charge_date,
    REGEXP_EXTRACT(counted_pools.pool_key, '^(egress.*)from [^/]*/.*$') || 'all' AS pool_key
  FROM counted_pools
  WHERE
    counted_pools.pool_key LIKE 'egress%' || CHR(  31) || 'from %'
  GROUP BY
    counted_pools.charge_date,
    REGEXP_EXTRACT(counted_pools.pool_key, '^(egress.*)from [^/]*/.*$') || 'all'
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
    CASE
      WHEN cells.is_pool_first
      AND counted_kinds.pool_key IS NULL
      AND COALESCE(counted_pools.pool_key, cells.pool_key) = cells.pool_key
      THEN physical.bytes
      ELSE 0
    END AS bytes
  FROM cells
  INNER JOIN physical
    ON cells.charge_date = physical.charge_date AND cells.pool_key = physical.pool_key
  LEFT JOIN counted_pools
    ON cells.charge_date = counted_pools.charge_date
    AND counted_pools.pool_key = (
      'egress' || CHR(  31) || cells.provider || CHR(  31) || cells.traffic_kind || CHR(  31) || physical.from_zone
    )
  LEFT JOIN counted_kinds
    ON cells.charge_date = counted_kinds.charge_date
    AND cells.pool_key = counted_kinds.pool_key
  WHERE
    cells.method_id IN ('bytes', 'telemetry_bytes')
), served AS (
  SELECT
    cells.charge_date,
    cells.cell_id,
    COALESCE(capacity.owner_id, cells.direct_owner_id) AS owner_id,
    CASE
      WHEN capacity.residual_reason IS NULL
      THEN capacity.from_zone
      ELSE cells.from_zone
    END AS from_zone,
    CASE
      WHEN capacity.residual_reason IS NULL
      THEN capacity.to_zone
      ELSE cells.to_zone
    END AS to_zone,
    capacity.residual_reason,
    capacity.weight,
    capacity.requests,
    capacity.input_tokens,
    capacity.output_tokens,
    cells.is_pool_first AND counted_models.model IS NULL AS is_counted
  FROM cells
  INNER JOIN capacity
    ON cells.charge_date = capacity.charge_date AND cells.pool_key = capacity.pool_key
  LEFT JOIN counted_models
    ON capacity.charge_date = counted_models.charge_date
    AND capacity.provider = counted_models.provider
    AND capacity.model = counted_models.model
  WHERE
    cells.method_id = 'capacity_seconds'
), capacity_rows AS (
  SELECT
    served.charge_date,
    served.cell_id,
    served.owner_id,
    served.from_zone,
    served.to_zone,
    served.residual_reason,
    CAST(SUM(served.weight) AS DECIMAL(38, 0)) AS weight,
    SUM(CASE WHEN served.is_counted THEN served.requests ELSE 0 END) AS requests,
    SUM(CASE WHEN served.is_counted THEN served.input_tokens ELSE 0 END) AS input_tokens,
    SUM(CASE WHEN served.is_counted THEN served.output_tokens ELSE 0 END) AS output_tokens,
    0 AS bytes
  FROM served
  GROUP BY
    served.charge_date,
    served.cell_id,
    served.owner_id,
    served.from_zone,
    served.to_zone,
    served.residual_reason
), unmeasured_rows AS (
  SELECT
    cells.charge_date,
    cells.cell_id,
    cells.direct_owner_id AS owner_id,
    cells.from_zone,
    cells.to_zone,
    'unmeasured_capacity' AS residual_reason,
    CAST(cells.missing_quantity AS DECIMAL(38, 0)) AS weight,
    0 AS requests,
    0 AS input_tokens,
    0 AS output_tokens,
    0 AS bytes
  FROM cells
  WHERE
    cells.method_id = 'capacity_seconds' AND cells.missing_quantity > 0
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
    cells.method_id IN ('tokens', 'tool_uses', 'requests')
    AND cells.missing_quantity > 0
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
    cells.method_id IN ('residual', 'bill_tag', 'workload_resource', 'run_rate')
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
  FROM capacity_rows
  UNION ALL
  SELECT
    *
  FROM unmeasured_rows
  UNION ALL
  SELECT
    *
  FROM missing_rows
  UNION ALL
  SELECT
    *
  FROM whole_rows
), owned AS (
  SELECT
    weighted.charge_date,
    weighted.cell_id,
    weighted.owner_id,
    weighted.from_zone,
    weighted.to_zone,
    weighted.residual_reason,
    weighted.weight,
    weighted.requests,
    weighted.input_tokens,
    weighted.output_tokens,
    weighted.bytes
  FROM weighted
  LEFT JOIN tagged
    ON weighted.charge_date = tagged.charge_date
    AND weighted.cell_id = tagged.cell_id
    AND weighted.owner_id = tagged.log_owner_id
  WHERE
    tagged.owner_id IS NULL
  UNION ALL
  SELECT
    weighted.charge_date,
    weighted.cell_id,
    tagged.owner_id,
    weighted.from_zone,
    weighted.to_zone,
    weighted.residual_reason,
    CAST(SUM(weighted.weight) AS DECIMAL(38, 0)) AS weight,
    SUM(weighted.requests) AS requests,
    SUM(weighted.input_tokens) AS input_tokens,
    SUM(weighted.output_tokens) AS output_tokens,
    SUM(weighted.bytes) AS bytes
  FROM weighted
  INNER JOIN tagged
    ON weighted.charge_date = tagged.charge_date
    AND weighted.cell_id = tagged.cell_id
    AND weighted.owner_id = tagged.log_owner_id
  GROUP BY
    weighted.charge_date,
    weighted.cell_id,
    tagged.owner_id,
    weighted.from_zone,
    weighted.to_zone,
    weighted.residual_reason
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
    owned.requests,
    owned.input_tokens,
    owned.output_tokens,
    owned.bytes,
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
    cells.method_id,
    cells.evidence,
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
    cell_amounts.method_id,
    cell_amounts.evidence,
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
    cell_units.method_id,
    cell_units.evidence,
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
  CAST(reported.requests AS BIGINT) AS requests,
  CAST(reported.input_tokens AS BIGINT) AS input_tokens,
  CAST(reported.output_tokens AS BIGINT) AS output_tokens,
  CAST(reported.bytes AS BIGINT) AS bytes,
  CASE
    WHEN reported.residual_reason IN ('unlogged_usage', 'idle_capacity', 'unmeasured_capacity')
    THEN 'residual'
    ELSE reported.method_id
  END AS method_id,
  CASE
    WHEN reported.residual_reason = 'unlogged_usage'
    AND reported.method_id IN ('tokens', 'tool_uses', 'requests')
    THEN 'billed'
    ELSE reported.evidence
  END AS evidence,
  reported.cost_state
FROM reported
