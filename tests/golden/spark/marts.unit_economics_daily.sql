WITH costs AS (
  SELECT
    *
  FROM marts.cost_daily
  WHERE
    charge_date >= :start
    AND charge_date < :end
    AND COALESCE(charge_category, '') <> 'Tax'
), usage AS (
  SELECT
    *
  FROM core.request_usage
  WHERE
    charge_date >= :start AND charge_date < :end
), traces AS (
  SELECT
    *
  FROM core.traces
  WHERE
    root_date >= :start AND root_date < :end
), spent AS (
  SELECT
    costs.charge_date,
    costs.feature,
    costs.environment,
    SUM(
      CASE
        WHEN costs.cost_driver = 'inference'
        THEN costs.effective_cost_reporting
        ELSE 0
      END
    ) AS inference_cost,
    SUM(
      CASE
        WHEN costs.cost_driver = 'egress'
        THEN costs.effective_cost_reporting
        ELSE 0
      END
    ) AS egress_cost,
    SUM(
      CASE
        WHEN costs.cost_driver = 'monitoring'
        THEN costs.effective_cost_reporting
        ELSE 0
      END
    ) AS monitoring_cost,
    SUM(costs.effective_cost_reporting) AS total_cost,
    SUM(
      CASE
        WHEN costs.cost_state = 'estimated'
        THEN costs.effective_cost_reporting
        ELSE 0
      END
    ) AS estimated_cost,
    SUM(
      CASE
        WHEN costs.token_class = 'uncached_input_tokens' AND costs.residual_reason IS NULL
        THEN costs.effective_cost_reporting
      END
    ) AS uncached_input_cost,
    SUM(
      CASE
        WHEN costs.token_class = 'uncached_input_tokens' AND costs.residual_reason IS NULL
        THEN costs.input_tokens
      END
    ) AS uncached_input_paid_tokens,
    SUM(
      CASE
        WHEN costs.token_class = 'cache_read_tokens' AND costs.residual_reason IS NULL
        THEN costs.effective_cost_reporting
      END
    ) AS cache_read_cost,
    SUM(
      CASE
        WHEN costs.token_class = 'cache_read_tokens' AND costs.residual_reason IS NULL
        THEN costs.input_tokens
      END
    ) AS cache_read_paid_tokens,
    SUM(
      CASE
        WHEN costs.token_class = 'cache_write_5m_tokens' AND costs.residual_reason IS NULL
        THEN costs.effective_cost_reporting
      END
    ) AS cache_write_5m_cost,
    SUM(
      CASE
        WHEN costs.token_class = 'cache_write_5m_tokens' AND costs.residual_reason IS NULL
        THEN costs.input_tokens
      END
    ) AS cache_write_5m_paid_tokens,
    SUM(
      CASE
        WHEN costs.token_class = 'cache_write_1h_tokens' AND costs.residual_reason IS NULL
        THEN costs.effective_cost_reporting
      END
    ) AS cache_write_1h_cost,
    SUM(
      CASE
        WHEN costs.token_class = 'cache_write_1h_tokens' AND costs.residual_reason IS NULL
        THEN costs.input_tokens
      END
    ) AS cache_write_1h_paid_tokens,
    SUM(
      CASE
        WHEN costs.token_class = 'output_tokens' AND costs.residual_reason IS NULL
        THEN costs.effective_cost_reporting
      END
    ) AS output_cost,
    SUM(
      CASE
        WHEN costs.token_class = 'output_tokens' AND costs.residual_reason IS NULL
        THEN costs.output_tokens
      END
    ) AS output_paid_tokens
  FROM costs
  GROUP BY
    costs.charge_date,
    costs.feature,
    costs.environment
), used AS (
  SELECT
    usage.charge_date,
    usage.feature,
    usage.environment,
    COUNT(DISTINCT usage.user_id) AS active_users,
    SUM(usage.requests) AS requests,
    SUM(usage.uncached_input_tokens) AS uncached_input_tokens,
    SUM(usage.cache_read_tokens) AS cache_read_tokens,
    SUM(usage.cache_write_5m_tokens) AS cache_write_5m_tokens,
    SUM(usage.cache_write_1h_tokens) AS cache_write_1h_tokens,
    SUM(usage.output_tokens) AS output_tokens
  FROM usage
  GROUP BY
    usage.charge_date,
    usage.feature,
    usage.environment
), begun AS (
  SELECT
    traces.root_date AS charge_date,
    traces.feature,
    traces.environment,
    COUNT(*) AS actions,
    COUNT(CASE WHEN traces.status = 'error' THEN 1 END) AS failed_actions,
    COUNT(CASE WHEN traces.status = 'ok' THEN 1 END) AS successful_outcomes,
    SUM(traces.calls) AS calls
  FROM traces
  GROUP BY
    traces.root_date,
    traces.feature,
    traces.environment
), keys AS (
  SELECT
    spent.charge_date,
    spent.feature,
    spent.environment
  FROM spent
  UNION
  SELECT
    used.charge_date,
    used.feature,
    used.environment
  FROM used
  UNION
  SELECT
    begun.charge_date,
    begun.feature,
    begun.environment
  FROM begun
), measured AS (
  SELECT
    keys.charge_date,
    keys.feature,
    keys.environment,
    COALESCE(begun.actions, 0) AS actions,
    COALESCE(begun.failed_actions, 0) AS failed_actions,
    COALESCE(begun.successful_outcomes, 0) AS successful_outcomes,
    COALESCE(begun.calls, 0) AS calls,
    COALESCE(used.active_users, 0) AS active_users,
    COALESCE(used.requests, 0) AS requests,
    COALESCE(used.uncached_input_tokens, 0) AS uncached_input_tokens,
    COALESCE(used.cache_read_tokens, 0) AS cache_read_tokens,
    COALESCE(used.cache_write_5m_tokens, 0) AS cache_write_5m_tokens,
    COALESCE(used.cache_write_1h_tokens, 0) AS cache_write_1h_tokens,
    COALESCE(used.output_tokens, 0) AS output_tokens,
    COALESCE(spent.uncached_input_paid_tokens, 0) AS uncached_input_paid_tokens,
    COALESCE(spent.cache_read_paid_tokens, 0) AS cache_read_paid_tokens,
    COALESCE(spent.cache_write_5m_paid_tokens, 0) AS cache_write_5m_paid_tokens,
    COALESCE(spent.cache_write_1h_paid_tokens, 0) AS cache_write_1h_paid_tokens,
    COALESCE(spent.output_paid_tokens, 0) AS output_paid_tokens,
    CAST(CAST(COALESCE(spent.inference_cost, 0) AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS inference_units,
    CAST(CAST(COALESCE(spent.egress_cost, 0) AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS egress_units,
    CAST(CAST(COALESCE(spent.monitoring_cost, 0) AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS monitoring_units,
    CAST(CAST(COALESCE(spent.total_cost, 0) AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS total_units,
    CAST(CAST(COALESCE(spent.estimated_cost, 0) AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS estimated_units,
    CAST(CAST(COALESCE(spent.uncached_input_cost, 0) AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS uncached_input_units,
    CAST(CAST(COALESCE(spent.cache_read_cost, 0) AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS cache_read_units,
    CAST(CAST(COALESCE(spent.cache_write_5m_cost, 0) AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS cache_write_5m_units,
    CAST(CAST(COALESCE(spent.cache_write_1h_cost, 0) AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS cache_write_1h_units,
    CAST(CAST(COALESCE(spent.output_cost, 0) AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS output_units
  FROM keys
  LEFT JOIN spent
    ON keys.charge_date = spent.charge_date
    AND keys.feature IS NOT DISTINCT FROM spent.feature
    AND keys.environment IS NOT DISTINCT FROM spent.environment
  LEFT JOIN used
    ON keys.charge_date = used.charge_date
    AND keys.feature IS NOT DISTINCT FROM used.feature
    AND keys.environment IS NOT DISTINCT FROM used.environment
  LEFT JOIN begun
    ON keys.charge_date = begun.charge_date
    AND keys.feature IS NOT DISTINCT FROM begun.feature
    AND keys.environment IS NOT DISTINCT FROM begun.environment
)
SELECT
  measured.charge_date,
  measured.feature,
  measured.environment,
  CAST(measured.actions AS BIGINT) AS actions,
  CAST(measured.failed_actions AS BIGINT) AS failed_actions,
  CAST(measured.successful_outcomes AS BIGINT) AS successful_outcomes,
  CAST(measured.active_users AS BIGINT) AS active_users,
  CAST(measured.calls AS BIGINT) AS calls,
  CAST(measured.requests AS BIGINT) AS requests,
  CAST(measured.uncached_input_tokens AS BIGINT) AS uncached_input_tokens,
  CAST(measured.cache_read_tokens AS BIGINT) AS cache_read_tokens,
  CAST(measured.cache_write_5m_tokens AS BIGINT) AS cache_write_5m_tokens,
  CAST(measured.cache_write_1h_tokens AS BIGINT) AS cache_write_1h_tokens,
  CAST(measured.output_tokens AS BIGINT) AS output_tokens,
  CAST(CAST(measured.inference_units AS DECIMAL(26, 0)) * CAST(0.000000000001 AS DECIMAL(12, 12)) AS DECIMAL(38, 12)) AS inference_cost,
  CAST(CAST(measured.egress_units AS DECIMAL(26, 0)) * CAST(0.000000000001 AS DECIMAL(12, 12)) AS DECIMAL(38, 12)) AS egress_cost,
  CAST(CAST(measured.monitoring_units AS DECIMAL(26, 0)) * CAST(0.000000000001 AS DECIMAL(12, 12)) AS DECIMAL(38, 12)) AS monitoring_cost,
  CAST(CAST(measured.total_units - measured.inference_units - measured.egress_units - measured.monitoring_units AS DECIMAL(26, 0)) * CAST(0.000000000001 AS DECIMAL(12, 12)) AS DECIMAL(38, 12)) AS other_cost,
  CAST(CAST(measured.total_units AS DECIMAL(26, 0)) * CAST(0.000000000001 AS DECIMAL(12, 12)) AS DECIMAL(38, 12)) AS total_cost,
  CAST(CAST(measured.estimated_units AS DECIMAL(26, 0)) * CAST(0.000000000001 AS DECIMAL(12, 12)) AS DECIMAL(38, 12)) AS estimated_cost,
  CASE
    WHEN measured.actions > 0
    THEN CAST(CAST(CAST((
      (
        CAST(measured.calls AS DECIMAL(18, 0)) * CAST(1000000 AS DECIMAL(7, 0))
      ) - (
        (
          CAST(measured.calls AS DECIMAL(18, 0)) * CAST(1000000 AS DECIMAL(7, 0))
        ) % (
          measured.actions
        )
      )
    ) / (
      measured.actions
    ) AS DECIMAL(38, 0)) AS DECIMAL(18, 0)) * CAST(0.000001 AS DECIMAL(7, 6)) AS DECIMAL(18, 6))
  END AS calls_per_action,
  CASE
    WHEN measured.actions > 0
    THEN CAST(CAST(CAST((
      (
        measured.total_units
      ) - (
        (
          measured.total_units
        ) % (
          measured.actions
        )
      )
    ) / (
      measured.actions
    ) AS DECIMAL(38, 0)) AS DECIMAL(26, 0)) * CAST(0.000000000001 AS DECIMAL(12, 12)) AS DECIMAL(38, 12))
  END AS cost_per_action,
  CASE
    WHEN measured.active_users > 0
    THEN CAST(CAST(CAST((
      (
        measured.total_units
      ) - (
        (
          measured.total_units
        ) % (
          measured.active_users
        )
      )
    ) / (
      measured.active_users
    ) AS DECIMAL(38, 0)) AS DECIMAL(26, 0)) * CAST(0.000000000001 AS DECIMAL(12, 12)) AS DECIMAL(38, 12))
  END AS cost_per_active_user,
  CASE
    WHEN measured.requests > 0
    THEN CAST(CAST(CAST((
      (
        measured.total_units * CAST(1000 AS DECIMAL(4, 0))
      ) - (
        (
          measured.total_units * CAST(1000 AS DECIMAL(4, 0))
        ) % (
          measured.requests
        )
      )
    ) / (
      measured.requests
    ) AS DECIMAL(38, 0)) AS DECIMAL(26, 0)) * CAST(0.000000000001 AS DECIMAL(12, 12)) AS DECIMAL(38, 12))
  END AS cost_per_1k_requests,
  CASE
    WHEN measured.successful_outcomes > 0
    THEN CAST(CAST(CAST((
      (
        measured.total_units
      ) - (
        (
          measured.total_units
        ) % (
          measured.successful_outcomes
        )
      )
    ) / (
      measured.successful_outcomes
    ) AS DECIMAL(38, 0)) AS DECIMAL(26, 0)) * CAST(0.000000000001 AS DECIMAL(12, 12)) AS DECIMAL(38, 12))
  END AS cost_per_successful_outcome,
  CASE
    WHEN measured.uncached_input_paid_tokens > 0
    THEN CAST(CAST(CAST((
      (
        measured.uncached_input_units * CAST(1000000 AS DECIMAL(7, 0))
      ) - (
        (
          measured.uncached_input_units * CAST(1000000 AS DECIMAL(7, 0))
        ) % (
          measured.uncached_input_paid_tokens
        )
      )
    ) / (
      measured.uncached_input_paid_tokens
    ) AS DECIMAL(38, 0)) AS DECIMAL(26, 0)) * CAST(0.000000000001 AS DECIMAL(12, 12)) AS DECIMAL(38, 12))
  END AS uncached_input_cost_per_mtok,
  CASE
    WHEN measured.cache_read_paid_tokens > 0
    THEN CAST(CAST(CAST((
      (
        measured.cache_read_units * CAST(1000000 AS DECIMAL(7, 0))
      ) - (
        (
          measured.cache_read_units * CAST(1000000 AS DECIMAL(7, 0))
        ) % (
          measured.cache_read_paid_tokens
        )
      )
    ) / (
      measured.cache_read_paid_tokens
    ) AS DECIMAL(38, 0)) AS DECIMAL(26, 0)) * CAST(0.000000000001 AS DECIMAL(12, 12)) AS DECIMAL(38, 12))
  END AS cache_read_cost_per_mtok,
  CASE
    WHEN measured.cache_write_5m_paid_tokens > 0
    THEN CAST(CAST(CAST((
      (
        measured.cache_write_5m_units * CAST(1000000 AS DECIMAL(7, 0))
      ) - (
        (
          measured.cache_write_5m_units * CAST(1000000 AS DECIMAL(7, 0))
        ) % (
          measured.cache_write_5m_paid_tokens
        )
      )
    ) / (
      measured.cache_write_5m_paid_tokens
    ) AS DECIMAL(38, 0)) AS DECIMAL(26, 0)) * CAST(0.000000000001 AS DECIMAL(12, 12)) AS DECIMAL(38, 12))
  END AS cache_write_5m_cost_per_mtok,
  CASE
    WHEN measured.cache_write_1h_paid_tokens > 0
    THEN CAST(CAST(CAST((
      (
        measured.cache_write_1h_units * CAST(1000000 AS DECIMAL(7, 0))
      ) - (
        (
          measured.cache_write_1h_units * CAST(1000000 AS DECIMAL(7, 0))
        ) % (
          measured.cache_write_1h_paid_tokens
        )
      )
    ) / (
      measured.cache_write_1h_paid_tokens
    ) AS DECIMAL(38, 0)) AS DECIMAL(26, 0)) * CAST(0.000000000001 AS DECIMAL(12, 12)) AS DECIMAL(38, 12))
  END AS cache_write_1h_cost_per_mtok,
  CASE
    WHEN measured.output_paid_tokens > 0
    THEN CAST(CAST(CAST((
      (
        measured.output_units * CAST(1000000 AS DECIMAL(7, 0))
      ) - (
        (
          measured.output_units * CAST(1000000 AS DECIMAL(7, 0))
        ) % (
          measured.output_paid_tokens
        )
      )
    ) / (
      measured.output_paid_tokens
    ) AS DECIMAL(38, 0)) AS DECIMAL(26, 0)) * CAST(0.000000000001 AS DECIMAL(12, 12)) AS DECIMAL(38, 12))
  END AS output_cost_per_mtok,
  CAST(:reporting_currency AS STRING) AS reporting_currency
FROM measured
