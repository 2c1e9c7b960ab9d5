WITH facts AS (
  SELECT
    *
  FROM core.attributed_costs
  WHERE
    charge_date >= :start AND charge_date < :end
), cells AS (
  SELECT
    *
  FROM core.cells
  WHERE
    charge_date >= :start AND charge_date < :end
), usage AS (
  SELECT
    *
  FROM core.trace_usage
  WHERE
    charge_date >= :start AND charge_date < :end
), usage_costs AS (
  SELECT
    *
  FROM core.usage_costs
  WHERE
    charge_date >= :start AND charge_date < :end
), pooled_usage AS (
  SELECT
    *
  FROM core.pooled_usage
  WHERE
    charge_date >= :start AND charge_date < :end
), capacity AS (
  SELECT
    *
  FROM core.capacity_weights
  WHERE
    charge_date >= :start AND charge_date < :end AND residual_reason IS NULL
), tagged AS (
  SELECT
    *
  FROM core.tagged_owners
  WHERE
    charge_date >= :start AND charge_date < :end
), settings AS (
  SELECT
    *
  FROM reference.settings
), cell_splits AS (
  SELECT
    cells.charge_date,
    cells.cell_id,
    COALESCE(cells.cost_driver, 'other') AS cost_driver,
    cells.pool_key,
    CASE
      WHEN cells.charge_category = 'Tax'
      THEN 'none'
      WHEN cells.method_id IN ('tokens', 'list_price', 'cached_tokens')
      THEN 'tokens'
      WHEN cells.method_id IN ('list_cost', 'tool_uses', 'requests', 'capacity_seconds', 'bytes')
      THEN cells.method_id
      ELSE 'owner'
    END AS split_by
  FROM cells
), amounts AS (
  SELECT
    facts.charge_date,
    facts.owner_id,
    cell_splits.cost_driver,
    CASE
      WHEN NOT facts.residual_reason IS NULL AND facts.residual_reason <> 'unpriced'
      THEN 'none'
      ELSE cell_splits.split_by
    END AS split_by,
    CASE
      WHEN cell_splits.split_by IN ('none', 'owner', 'bytes')
      THEN CHR(  30)
      ELSE cell_splits.pool_key
    END AS split_key,
    CASE
      WHEN cell_splits.split_by IN ('none', 'owner', 'capacity_seconds')
      THEN CHR(  30)
      ELSE COALESCE(facts.from_zone, CHR(  30))
    END AS from_zone_key,
    CASE
      WHEN cell_splits.split_by IN ('none', 'owner', 'capacity_seconds')
      THEN CHR(  30)
      ELSE COALESCE(facts.to_zone, CHR(  30))
    END AS to_zone_key,
    SUM(facts.effective_cost_reporting) AS amount
  FROM facts
  INNER JOIN cell_splits
    ON facts.charge_date = cell_splits.charge_date
    AND facts.cell_id = cell_splits.cell_id
  GROUP BY
    facts.charge_date,
    facts.owner_id,
    cell_splits.cost_driver,
    CASE
      WHEN NOT facts.residual_reason IS NULL AND facts.residual_reason <> 'unpriced'
      THEN 'none'
      ELSE cell_splits.split_by
    END,
    CASE
      WHEN cell_splits.split_by IN ('none', 'owner', 'bytes')
      THEN CHR(  30)
      ELSE cell_splits.pool_key
    END,
    CASE
      WHEN cell_splits.split_by IN ('none', 'owner', 'capacity_seconds')
      THEN CHR(  30)
      ELSE COALESCE(facts.from_zone, CHR(  30))
    END,
    CASE
      WHEN cell_splits.split_by IN ('none', 'owner', 'capacity_seconds')
      THEN CHR(  30)
      ELSE COALESCE(facts.to_zone, CHR(  30))
    END
), pool_splits AS (
  SELECT DISTINCT
    cell_splits.charge_date,
    cell_splits.pool_key,
    cell_splits.split_by
  FROM cell_splits
  WHERE
    cell_splits.split_by IN ('tokens', 'list_cost', 'tool_uses', 'requests')
), trace_classes AS (
  SELECT
    usage.charge_date,
    usage.usage_id,
    usage.trace_id,
    usage.step_id,
    usage.is_retry,
    'uncached_input_tokens' AS token_class,
    usage.uncached_input_tokens AS tokens
  FROM usage
  WHERE
    usage.uncached_input_tokens > 0
  UNION ALL
  SELECT
    usage.charge_date,
    usage.usage_id,
    usage.trace_id,
    usage.step_id,
    usage.is_retry,
    'cache_read_tokens' AS token_class,
    usage.cache_read_tokens AS tokens
  FROM usage
  WHERE
    usage.cache_read_tokens > 0
  UNION ALL
  SELECT
    usage.charge_date,
    usage.usage_id,
    usage.trace_id,
    usage.step_id,
    usage.is_retry,
    'cache_write_5m_tokens' AS token_class,
    usage.cache_write_5m_tokens AS tokens
  FROM usage
  WHERE
    usage.cache_write_5m_tokens > 0
  UNION ALL
  SELECT
    usage.charge_date,
    usage.usage_id,
    usage.trace_id,
    usage.step_id,
    usage.is_retry,
    'cache_write_1h_tokens' AS token_class,
    usage.cache_write_1h_tokens AS tokens
  FROM usage
  WHERE
    usage.cache_write_1h_tokens > 0
  UNION ALL
  SELECT
    usage.charge_date,
    usage.usage_id,
    usage.trace_id,
    usage.step_id,
    usage.is_retry,
    'output_tokens' AS token_class,
    usage.output_tokens AS tokens
  FROM usage
  WHERE
    usage.output_tokens > 0
), class_uses AS (
  SELECT
    trace_classes.charge_date,
    pool_splits.split_by,
    pooled_usage.pool_key AS split_key,
    pooled_usage.owner_id AS log_owner_id,
    COALESCE(pooled_usage.from_zone, CHR(  30)) AS from_zone_key,
    COALESCE(pooled_usage.to_zone, CHR(  30)) AS to_zone_key,
    trace_classes.trace_id,
    trace_classes.step_id,
    trace_classes.is_retry,
    CASE
      WHEN pool_splits.split_by = 'tokens'
      THEN CAST(trace_classes.tokens AS DECIMAL(38, 0))
      ELSE CAST(CAST((
        (
          CAST(CAST(pooled_usage.list_cost AS DECIMAL(22, 12)) * CAST(1000000000 AS DECIMAL(10, 0)) AS DECIMAL(20, 0)) * CAST(trace_classes.tokens AS DECIMAL(18, 0))
        ) - (
          (
            CAST(CAST(pooled_usage.list_cost AS DECIMAL(22, 12)) * CAST(1000000000 AS DECIMAL(10, 0)) AS DECIMAL(20, 0)) * CAST(trace_classes.tokens AS DECIMAL(18, 0))
          ) % (
            pooled_usage.quantity_tokens
          )
        )
      ) / (
        pooled_usage.quantity_tokens
      ) AS DECIMAL(38, 0)) AS DECIMAL(38, 0))
    END AS use_weight
  FROM trace_classes
  INNER JOIN pooled_usage
    ON trace_classes.charge_date = pooled_usage.charge_date
    AND trace_classes.usage_id = pooled_usage.usage_id
    AND trace_classes.token_class = pooled_usage.token_class
  INNER JOIN pool_splits
    ON pooled_usage.charge_date = pool_splits.charge_date
    AND pooled_usage.pool_key = pool_splits.pool_key
    AND pool_splits.split_by IN ('tokens', 'list_cost')
), request_uses AS (
  SELECT
    usage.charge_date,
    pool_splits.split_by,
    pooled_usage.pool_key AS split_key,
    pooled_usage.owner_id AS log_owner_id,
    COALESCE(pooled_usage.from_zone, CHR(  30)) AS from_zone_key,
    COALESCE(pooled_usage.to_zone, CHR(  30)) AS to_zone_key,
    usage.trace_id,
    usage.step_id,
    usage.is_retry,
    CASE
      WHEN pool_splits.split_by = 'requests'
      THEN CAST(usage.requests AS DECIMAL(38, 0))
      ELSE CAST(usage.web_searches AS DECIMAL(38, 0))
    END AS use_weight
  FROM usage
  INNER JOIN pooled_usage
    ON usage.charge_date = pooled_usage.charge_date
    AND usage.usage_id = pooled_usage.usage_id
    AND pooled_usage.requests > 0
  INNER JOIN pool_splits
    ON pooled_usage.charge_date = pool_splits.charge_date
    AND pooled_usage.pool_key = pool_splits.pool_key
    AND pool_splits.split_by IN ('tool_uses', 'requests')
), served_models AS (
  SELECT DISTINCT
    capacity.charge_date,
    capacity.pool_key,
    COALESCE(capacity.logged_provider, CHR(  30)) AS provider_key,
    COALESCE(capacity.logged_model, CHR(  30)) AS model_key
  FROM capacity
), capacity_uses AS (
  SELECT
    usage.charge_date,
    'capacity_seconds' AS split_by,
    served_models.pool_key AS split_key,
    usage.owner_id AS log_owner_id,
    CHR(  30) AS from_zone_key,
    CHR(  30) AS to_zone_key,
    usage.trace_id,
    usage.step_id,
    usage.is_retry,
    CAST(usage.uncached_input_tokens + usage.cache_read_tokens + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens + settings.output_token_weight * usage.output_tokens AS DECIMAL(38, 0)) AS use_weight
  FROM usage
  INNER JOIN served_models
    ON usage.charge_date = served_models.charge_date
    AND COALESCE(usage.provider, CHR(  30)) = served_models.provider_key
    AND COALESCE(usage.model, CHR(  30)) = served_models.model_key
  CROSS JOIN settings
), byte_uses AS (
  SELECT
    usage.charge_date,
    'bytes' AS split_by,
    CHR(  30) AS split_key,
    usage.owner_id AS log_owner_id,
    usage.from_zone AS from_zone_key,
    usage.to_zone AS to_zone_key,
    usage.trace_id,
    usage.step_id,
    usage.is_retry,
    CAST(usage.request_bytes AS DECIMAL(38, 0)) AS use_weight
  FROM usage
  WHERE
    NOT usage.from_zone IS NULL
    AND NOT usage.to_zone IS NULL
    AND usage.request_bytes > 0
  UNION ALL
  SELECT
    usage.charge_date,
    'bytes' AS split_by,
    CHR(  30) AS split_key,
    usage.owner_id AS log_owner_id,
    usage.to_zone AS from_zone_key,
    usage.from_zone AS to_zone_key,
    usage.trace_id,
    usage.step_id,
    usage.is_retry,
    CAST(usage.response_bytes AS DECIMAL(38, 0)) AS use_weight
  FROM usage
  WHERE
    NOT usage.from_zone IS NULL
    AND NOT usage.to_zone IS NULL
    AND usage.response_bytes > 0
), owner_uses AS (
  SELECT
    usage.charge_date,
    'owner' AS split_by,
    CHR(  30) AS split_key,
    usage.owner_id AS log_owner_id,
    CHR(  30) AS from_zone_key,
    CHR(  30) AS to_zone_key,
    usage.trace_id,
    usage.step_id,
    usage.is_retry,
    CAST(usage.uncached_input_tokens + usage.cache_read_tokens + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens + usage.output_tokens AS DECIMAL(38, 0)) AS use_weight
  FROM usage
), log_uses AS (
  SELECT
    *
  FROM class_uses
  UNION ALL
  SELECT
    *
  FROM request_uses
  UNION ALL
  SELECT
    *
  FROM capacity_uses
  UNION ALL
  SELECT
    *
  FROM byte_uses
  UNION ALL
  SELECT
    *
  FROM owner_uses
), owner_names AS (
  SELECT
    usage_costs.charge_date,
    usage_costs.owner_id AS log_owner_id,
    usage_costs.owner_id
  FROM usage_costs
  UNION
  SELECT
    tagged.charge_date,
    tagged.log_owner_id,
    tagged.owner_id
  FROM tagged
), uses AS (
  SELECT
    log_uses.charge_date,
    log_uses.split_by,
    log_uses.split_key,
    owner_names.owner_id,
    log_uses.from_zone_key,
    log_uses.to_zone_key,
    log_uses.trace_id,
    log_uses.step_id,
    log_uses.is_retry,
    CAST(SUM(log_uses.use_weight) AS DECIMAL(38, 0)) AS use_weight
  FROM log_uses
  INNER JOIN owner_names
    ON log_uses.charge_date = owner_names.charge_date
    AND log_uses.log_owner_id = owner_names.log_owner_id
  WHERE
    log_uses.use_weight > 0
  GROUP BY
    log_uses.charge_date,
    log_uses.split_by,
    log_uses.split_key,
    owner_names.owner_id,
    log_uses.from_zone_key,
    log_uses.to_zone_key,
    log_uses.trace_id,
    log_uses.step_id,
    log_uses.is_retry
), use_totals AS (
  SELECT
    uses.charge_date,
    uses.split_by,
    uses.split_key,
    uses.owner_id,
    uses.from_zone_key,
    uses.to_zone_key,
    CAST(SUM(uses.use_weight) AS DECIMAL(38, 0)) AS total_weight,
    CAST(COUNT(*) AS DECIMAL(15, 0)) AS total_rows
  FROM uses
  GROUP BY
    uses.charge_date,
    uses.split_by,
    uses.split_key,
    uses.owner_id,
    uses.from_zone_key,
    uses.to_zone_key
), owed AS (
  SELECT
    amounts.charge_date,
    amounts.owner_id,
    amounts.cost_driver,
    amounts.amount,
    CASE
      WHEN amounts.split_by = 'none'
      THEN 'none'
      WHEN use_totals.total_weight IS NULL
      THEN 'owner'
      ELSE amounts.split_by
    END AS split_by,
    CASE WHEN use_totals.total_weight IS NULL THEN CHR(  30) ELSE amounts.split_key END AS split_key,
    CASE
      WHEN use_totals.total_weight IS NULL
      THEN CHR(  30)
      ELSE amounts.from_zone_key
    END AS from_zone_key,
    CASE
      WHEN use_totals.total_weight IS NULL
      THEN CHR(  30)
      ELSE amounts.to_zone_key
    END AS to_zone_key
  FROM amounts
  LEFT JOIN use_totals
    ON amounts.charge_date = use_totals.charge_date
    AND amounts.split_by = use_totals.split_by
    AND amounts.split_key = use_totals.split_key
    AND amounts.owner_id = use_totals.owner_id
    AND amounts.from_zone_key = use_totals.from_zone_key
    AND amounts.to_zone_key = use_totals.to_zone_key
), summed AS (
  SELECT
    owed.charge_date,
    owed.owner_id,
    owed.cost_driver,
    owed.split_by,
    owed.split_key,
    owed.from_zone_key,
    owed.to_zone_key,
    CAST(CAST(SUM(owed.amount) AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS amount_units
  FROM owed
  GROUP BY
    owed.charge_date,
    owed.owner_id,
    owed.cost_driver,
    owed.split_by,
    owed.split_key,
    owed.from_zone_key,
    owed.to_zone_key
), scaled AS (
  SELECT
    uses.charge_date,
    uses.split_by,
    uses.split_key,
    uses.owner_id,
    uses.from_zone_key,
    uses.to_zone_key,
    uses.trace_id,
    uses.step_id,
    uses.is_retry,
    CAST(CASE
      WHEN use_totals.total_weight < 1000000000000000
      THEN uses.use_weight
      ELSE GREATEST(
        1,
        CAST((
          (
            CAST(uses.use_weight AS DECIMAL(22, 0)) * CAST(999999999999999 - use_totals.total_rows AS DECIMAL(15, 0))
          ) - (
            (
              CAST(uses.use_weight AS DECIMAL(22, 0)) * CAST(999999999999999 - use_totals.total_rows AS DECIMAL(15, 0))
            ) % (
              use_totals.total_weight
            )
          )
        ) / (
          use_totals.total_weight
        ) AS DECIMAL(38, 0))
      )
    END AS DECIMAL(15, 0)) AS weight
  FROM uses
  INNER JOIN use_totals
    ON uses.charge_date = use_totals.charge_date
    AND uses.split_by = use_totals.split_by
    AND uses.split_key = use_totals.split_key
    AND uses.owner_id = use_totals.owner_id
    AND uses.from_zone_key = use_totals.from_zone_key
    AND uses.to_zone_key = use_totals.to_zone_key
), shares AS (
  SELECT
    scaled.*,
    CAST(SUM(scaled.weight) OVER (
      PARTITION BY scaled.charge_date, scaled.split_by, scaled.split_key, scaled.owner_id, scaled.from_zone_key, scaled.to_zone_key
      ORDER BY scaled.trace_id NULLS LAST, scaled.step_id NULLS LAST, scaled.is_retry NULLS LAST
      rows BETWEEN UNBOUNDED preceding AND CURRENT ROW
    ) AS DECIMAL(15, 0)) AS until_weight,
    CAST(SUM(scaled.weight) OVER (
      PARTITION BY scaled.charge_date, scaled.split_by, scaled.split_key, scaled.owner_id, scaled.from_zone_key, scaled.to_zone_key
    ) AS DECIMAL(15, 0)) AS total_weight
  FROM scaled
), matched AS (
  SELECT
    summed.charge_date,
    summed.cost_driver,
    summed.amount_units,
    shares.trace_id,
    shares.step_id,
    shares.is_retry,
    shares.until_weight,
    CAST(shares.until_weight - shares.weight AS DECIMAL(15, 0)) AS before_weight,
    shares.total_weight
  FROM summed
  LEFT JOIN shares
    ON summed.charge_date = shares.charge_date
    AND summed.split_by = shares.split_by
    AND summed.split_key = shares.split_key
    AND summed.owner_id = shares.owner_id
    AND summed.from_zone_key = shares.from_zone_key
    AND summed.to_zone_key = shares.to_zone_key
), split AS (
  SELECT
    matched.charge_date,
    matched.cost_driver,
    matched.trace_id,
    matched.step_id,
    COALESCE(matched.is_retry, FALSE) AS is_retry,
    CASE
      WHEN matched.total_weight IS NULL
      THEN CAST(matched.amount_units AS DECIMAL(38, 0))
      ELSE CAST((
        (
          matched.amount_units * matched.until_weight
        ) - (
          (
            matched.amount_units * matched.until_weight
          ) % (
            matched.total_weight
          )
        )
      ) / (
        matched.total_weight
      ) AS DECIMAL(38, 0)) - CAST((
        (
          matched.amount_units * matched.before_weight
        ) - (
          (
            matched.amount_units * matched.before_weight
          ) % (
            matched.total_weight
          )
        )
      ) / (
        matched.total_weight
      ) AS DECIMAL(38, 0))
    END AS part
  FROM matched
)
SELECT
  split.charge_date,
  COALESCE(split.trace_id, CHR(  30)) AS trace_key,
  split.trace_id,
  COALESCE(split.step_id, CHR(  30)) AS step_key,
  split.step_id,
  split.is_retry,
  split.cost_driver,
  CAST(CAST(SUM(split.part) AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS effective_cost_reporting
FROM split
GROUP BY
  split.charge_date,
  split.trace_id,
  split.step_id,
  split.is_retry,
  split.cost_driver
