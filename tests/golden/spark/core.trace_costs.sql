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
), tagged AS (
  SELECT
    *
  FROM core.tagged_owners
  WHERE
    charge_date >= :start AND charge_date < :end
), amounts AS (
  SELECT
    facts.charge_date,
    facts.owner_id,
    facts.from_zone,
    facts.to_zone,
    cells.cost_driver,
    CASE WHEN cells.method_id IN ('tokens', 'list_price') THEN cells.pool_key END AS pool_key,
    CASE
      WHEN NOT facts.residual_reason IS NULL AND facts.residual_reason <> 'unpriced'
      THEN 'none'
      WHEN cells.method_id IN ('tokens', 'list_price')
      THEN 'pool'
      ELSE 'owner'
    END AS split_by,
    SUM(facts.effective_cost_reporting) AS amount
  FROM facts
  INNER JOIN cells
    ON facts.charge_date = cells.charge_date AND facts.cell_id = cells.cell_id
  GROUP BY
    facts.charge_date,
    facts.owner_id,
    facts.from_zone,
    facts.to_zone,
    cells.cost_driver,
    CASE WHEN cells.method_id IN ('tokens', 'list_price') THEN cells.pool_key END,
    CASE
      WHEN NOT facts.residual_reason IS NULL AND facts.residual_reason <> 'unpriced'
      THEN 'none'
      WHEN cells.method_id IN ('tokens', 'list_price')
      THEN 'pool'
      ELSE 'owner'
    END
), owner_amounts AS (
  SELECT
    amounts.charge_date,
    amounts.owner_id,
    amounts.cost_driver,
    SUM(amounts.amount) AS amount
  FROM amounts
  WHERE
    amounts.split_by = 'owner'
  GROUP BY
    amounts.charge_date,
    amounts.owner_id,
    amounts.cost_driver
), trace_classes AS (
  SELECT
    usage.charge_date,
    usage.trace_id,
    usage.usage_id,
    'uncached_input_tokens' AS token_class,
    usage.uncached_input_tokens AS tokens
  FROM usage
  WHERE
    usage.uncached_input_tokens > 0
  UNION ALL
  SELECT
    usage.charge_date,
    usage.trace_id,
    usage.usage_id,
    'cache_read_tokens' AS token_class,
    usage.cache_read_tokens AS tokens
  FROM usage
  WHERE
    usage.cache_read_tokens > 0
  UNION ALL
  SELECT
    usage.charge_date,
    usage.trace_id,
    usage.usage_id,
    'cache_write_5m_tokens' AS token_class,
    usage.cache_write_5m_tokens AS tokens
  FROM usage
  WHERE
    usage.cache_write_5m_tokens > 0
  UNION ALL
  SELECT
    usage.charge_date,
    usage.trace_id,
    usage.usage_id,
    'cache_write_1h_tokens' AS token_class,
    usage.cache_write_1h_tokens AS tokens
  FROM usage
  WHERE
    usage.cache_write_1h_tokens > 0
  UNION ALL
  SELECT
    usage.charge_date,
    usage.trace_id,
    usage.usage_id,
    'output_tokens' AS token_class,
    usage.output_tokens AS tokens
  FROM usage
  WHERE
    usage.output_tokens > 0
), fact_owners AS (
  SELECT
    usage_costs.charge_date,
    usage_costs.pool_key,
    usage_costs.owner_id AS log_owner_id,
    usage_costs.owner_id
  FROM usage_costs
  UNION
  SELECT
    tagged.charge_date,
    tagged.pool_key,
    tagged.log_owner_id,
    tagged.owner_id
  FROM tagged
), pool_tokens AS (
  SELECT
    trace_classes.charge_date,
    usage_costs.pool_key,
    fact_owners.owner_id,
    COALESCE(usage_costs.from_zone, CHR(  30)) AS from_zone_key,
    COALESCE(usage_costs.to_zone, CHR(  30)) AS to_zone_key,
    trace_classes.trace_id,
    CAST(SUM(CAST(trace_classes.tokens AS DECIMAL(38, 0))) AS DECIMAL(15, 0)) AS tokens
  FROM trace_classes
  INNER JOIN usage_costs
    ON trace_classes.charge_date = usage_costs.charge_date
    AND trace_classes.usage_id = usage_costs.usage_id
    AND trace_classes.token_class = usage_costs.token_class
  INNER JOIN fact_owners
    ON usage_costs.charge_date = fact_owners.charge_date
    AND usage_costs.pool_key = fact_owners.pool_key
    AND usage_costs.owner_id = fact_owners.log_owner_id
  GROUP BY
    trace_classes.charge_date,
    usage_costs.pool_key,
    fact_owners.owner_id,
    COALESCE(usage_costs.from_zone, CHR(  30)),
    COALESCE(usage_costs.to_zone, CHR(  30)),
    trace_classes.trace_id
), pool_shares AS (
  SELECT
    pool_tokens.*,
    CAST(SUM(pool_tokens.tokens) OVER (
      PARTITION BY pool_tokens.charge_date, pool_tokens.pool_key, pool_tokens.owner_id, pool_tokens.from_zone_key, pool_tokens.to_zone_key
      ORDER BY pool_tokens.trace_id NULLS LAST
      rows BETWEEN UNBOUNDED preceding AND CURRENT ROW
    ) AS DECIMAL(15, 0)) AS until_tokens,
    CAST(SUM(pool_tokens.tokens) OVER (
      PARTITION BY pool_tokens.charge_date, pool_tokens.pool_key, pool_tokens.owner_id, pool_tokens.from_zone_key, pool_tokens.to_zone_key
    ) AS DECIMAL(15, 0)) AS total_tokens
  FROM pool_tokens
), log_owner_tokens AS (
  SELECT
    trace_classes.charge_date,
    usage_costs.owner_id AS log_owner_id,
    trace_classes.trace_id,
    SUM(CAST(trace_classes.tokens AS DECIMAL(38, 0))) AS tokens
  FROM trace_classes
  INNER JOIN usage_costs
    ON trace_classes.charge_date = usage_costs.charge_date
    AND trace_classes.usage_id = usage_costs.usage_id
    AND trace_classes.token_class = usage_costs.token_class
  GROUP BY
    trace_classes.charge_date,
    usage_costs.owner_id,
    trace_classes.trace_id
), owner_pairs AS (
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
), owner_tokens AS (
  SELECT
    log_owner_tokens.charge_date,
    owner_pairs.owner_id,
    log_owner_tokens.trace_id,
    CAST(SUM(log_owner_tokens.tokens) AS DECIMAL(15, 0)) AS tokens
  FROM log_owner_tokens
  INNER JOIN owner_pairs
    ON log_owner_tokens.charge_date = owner_pairs.charge_date
    AND log_owner_tokens.log_owner_id = owner_pairs.log_owner_id
  GROUP BY
    log_owner_tokens.charge_date,
    owner_pairs.owner_id,
    log_owner_tokens.trace_id
), owner_shares AS (
  SELECT
    owner_tokens.*,
    CAST(SUM(owner_tokens.tokens) OVER (
      PARTITION BY owner_tokens.charge_date, owner_tokens.owner_id
      ORDER BY owner_tokens.trace_id NULLS LAST
      rows BETWEEN UNBOUNDED preceding AND CURRENT ROW
    ) AS DECIMAL(15, 0)) AS until_tokens,
    CAST(SUM(owner_tokens.tokens) OVER (PARTITION BY owner_tokens.charge_date, owner_tokens.owner_id) AS DECIMAL(15, 0)) AS total_tokens
  FROM owner_tokens
), matched AS (
  SELECT
    amounts.charge_date,
    amounts.cost_driver,
    amounts.amount,
    pool_shares.trace_id,
    pool_shares.tokens,
    pool_shares.until_tokens,
    pool_shares.total_tokens
  FROM amounts
  LEFT JOIN pool_shares
    ON amounts.charge_date = pool_shares.charge_date
    AND amounts.pool_key = pool_shares.pool_key
    AND amounts.owner_id = pool_shares.owner_id
    AND COALESCE(amounts.from_zone, CHR(  30)) = pool_shares.from_zone_key
    AND COALESCE(amounts.to_zone, CHR(  30)) = pool_shares.to_zone_key
  WHERE
    amounts.split_by = 'pool'
  UNION ALL
  SELECT
    owner_amounts.charge_date,
    owner_amounts.cost_driver,
    owner_amounts.amount,
    owner_shares.trace_id,
    owner_shares.tokens,
    owner_shares.until_tokens,
    owner_shares.total_tokens
  FROM owner_amounts
  LEFT JOIN owner_shares
    ON owner_amounts.charge_date = owner_shares.charge_date
    AND owner_amounts.owner_id = owner_shares.owner_id
  UNION ALL
  SELECT
    amounts.charge_date,
    amounts.cost_driver,
    amounts.amount,
    CAST(NULL AS STRING) AS trace_id,
    CAST(NULL AS DECIMAL(15, 0)) AS tokens,
    CAST(NULL AS DECIMAL(15, 0)) AS until_tokens,
    CAST(NULL AS DECIMAL(15, 0)) AS total_tokens
  FROM amounts
  WHERE
    amounts.split_by = 'none'
), units AS (
  SELECT
    matched.*,
    CAST(matched.until_tokens - matched.tokens AS DECIMAL(15, 0)) AS before_tokens,
    CAST(CAST(matched.amount AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS amount_units
  FROM matched
), split AS (
  SELECT
    units.charge_date,
    units.cost_driver,
    units.trace_id,
    CASE
      WHEN units.trace_id IS NULL
      THEN CAST(units.amount_units AS DECIMAL(38, 0))
      ELSE CAST((
        (
          units.amount_units * units.until_tokens
        ) - (
          (
            units.amount_units * units.until_tokens
          ) % (
            units.total_tokens
          )
        )
      ) / (
        units.total_tokens
      ) AS DECIMAL(38, 0)) - CAST((
        (
          units.amount_units * units.before_tokens
        ) - (
          (
            units.amount_units * units.before_tokens
          ) % (
            units.total_tokens
          )
        )
      ) / (
        units.total_tokens
      ) AS DECIMAL(38, 0))
    END AS part
  FROM units
)
SELECT
  split.charge_date,
  COALESCE(split.trace_id, CHR(  30)) AS trace_key,
  split.trace_id,
  COALESCE(split.cost_driver, 'other') AS cost_driver,
  CAST(CAST(SUM(split.part) AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS effective_cost_reporting
FROM split
GROUP BY
  split.charge_date,
  split.trace_id,
  COALESCE(split.cost_driver, 'other')
