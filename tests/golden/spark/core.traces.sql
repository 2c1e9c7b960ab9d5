WITH usage AS (
  SELECT
    *
  FROM core.trace_usage
  WHERE
    NOT trace_id IS NULL
), costs AS (
  SELECT
    *
  FROM core.trace_costs
  WHERE
    NOT trace_id IS NULL
), settings AS (
  SELECT
    *
  FROM reference.settings
), spans AS (
  SELECT
    spans.trace_id,
    spans.span_id,
    MIN(spans.parent_span_id) AS parent_span_id,
    MIN(spans.started_at) AS started_at,
    MAX(spans.ended_at) AS ended_at,
    MAX(spans.status) AS status,
    MAX(spans.agent) AS agent
  FROM staging.spans AS spans
  GROUP BY
    spans.trace_id,
    spans.span_id
), depths AS (
  SELECT
    span_steps.trace_id,
    MAX(span_steps.depth) AS depth
  FROM core.span_steps AS span_steps
  GROUP BY
    span_steps.trace_id
), span_roots AS (
  SELECT
    spans.trace_id,
    MIN(CASE WHEN spans.parent_span_id IS NULL THEN spans.started_at END) AS root_started_at,
    MIN(spans.started_at) AS first_started_at,
    MAX(spans.ended_at) AS last_ended_at,
    MAX(CASE WHEN spans.parent_span_id IS NULL THEN spans.status END) AS root_status,
    COUNT(CASE WHEN spans.parent_span_id IS NULL THEN 1 END) AS roots,
    COUNT(DISTINCT spans.agent) AS agents
  FROM spans
  GROUP BY
    spans.trace_id
), step_models AS (
  SELECT
    usage.trace_id,
    usage.step_id,
    usage.model,
    SUM(usage.requests) AS requests
  FROM usage
  GROUP BY
    usage.trace_id,
    usage.step_id,
    usage.model
), loops AS (
  SELECT
    step_models.trace_id,
    step_models.step_id,
    MAX(step_models.requests) AS repeated_calls,
    SUM(step_models.requests) AS requests,
    SUM(GREATEST(step_models.requests - settings.loop_min_calls, 0)) AS excess_requests
  FROM step_models
  CROSS JOIN settings
  GROUP BY
    step_models.trace_id,
    step_models.step_id
), repeats AS (
  SELECT
    loops.trace_id,
    MAX(loops.repeated_calls) AS repeated_calls
  FROM loops
  GROUP BY
    loops.trace_id
), step_costs AS (
  SELECT
    costs.trace_id,
    costs.step_id,
    SUM(costs.effective_cost_reporting) AS step_cost
  FROM costs
  GROUP BY
    costs.trace_id,
    costs.step_id
), loop_costs AS (
  SELECT
    loops.trace_id,
    SUM(
      CAST((
        (
          CAST(CAST(step_costs.step_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) * CAST(loops.excess_requests AS DECIMAL(15, 0))
        ) - (
          (
            CAST(CAST(step_costs.step_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) * CAST(loops.excess_requests AS DECIMAL(15, 0))
          ) % (
            CAST(loops.requests AS DECIMAL(15, 0))
          )
        )
      ) / (
        CAST(loops.requests AS DECIMAL(15, 0))
      ) AS DECIMAL(38, 0))
    ) AS loop_units
  FROM loops
  INNER JOIN step_costs
    ON loops.trace_id = step_costs.trace_id AND loops.step_id = step_costs.step_id
  WHERE
    loops.excess_requests > 0
  GROUP BY
    loops.trace_id
), zones AS (
  SELECT
    zone_names.trace_id,
    COUNT(DISTINCT zone_names.zone) AS zones
  FROM (
    SELECT
      usage.trace_id,
      usage.from_zone AS zone
    FROM usage
    WHERE
      NOT usage.from_zone IS NULL
    UNION ALL
    SELECT
      usage.trace_id,
      usage.to_zone AS zone
    FROM usage
    WHERE
      NOT usage.to_zone IS NULL
  ) AS zone_names
  GROUP BY
    zone_names.trace_id
), summed AS (
  SELECT
    usage.trace_id,
    MIN(usage.first_started_at) AS first_started_at,
    MAX(usage.last_ended_at) AS last_ended_at,
    MAX(usage.user_id) AS user_id,
    MAX(usage.tenant) AS tenant,
    MAX(usage.customer) AS customer,
    MAX(usage.team) AS team,
    MAX(usage.feature) AS feature,
    MAX(usage.endpoint) AS endpoint,
    MAX(usage.workflow) AS workflow,
    MAX(usage.agent) AS agent,
    MAX(usage.environment) AS environment,
    SUM(usage.requests) AS attempts,
    SUM(usage.calls) AS calls,
    SUM(usage.error_requests) AS error_requests,
    COUNT(DISTINCT usage.agent) AS agents,
    COUNT(DISTINCT usage.model) AS models,
    COUNT(DISTINCT usage.provider) AS providers,
    SUM(
      usage.uncached_input_tokens + usage.cache_read_tokens + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    ) AS input_tokens,
    SUM(usage.output_tokens) AS output_tokens,
    SUM(usage.saved_input_tokens) AS saved_input_tokens,
    SUM(usage.saved_output_tokens) AS saved_output_tokens
  FROM usage
  GROUP BY
    usage.trace_id
), paid AS (
  SELECT
    costs.trace_id,
    SUM(
      CASE WHEN costs.cost_driver = 'inference' THEN costs.effective_cost_reporting END
    ) AS inference_cost,
    SUM(CASE WHEN costs.cost_driver = 'egress' THEN costs.effective_cost_reporting END) AS egress_cost,
    SUM(
      CASE WHEN costs.cost_driver = 'monitoring' THEN costs.effective_cost_reporting END
    ) AS monitoring_cost,
    SUM(
      CASE
        WHEN NOT costs.cost_driver IN ('inference', 'egress', 'monitoring')
        THEN costs.effective_cost_reporting
      END
    ) AS other_cost,
    SUM(CASE WHEN costs.is_retry THEN costs.effective_cost_reporting END) AS retry_cost,
    SUM(costs.effective_cost_reporting) AS total_cost
  FROM costs
  GROUP BY
    costs.trace_id
), timed AS (
  SELECT
    summed.*,
    COALESCE(
      span_roots.root_started_at,
      LEAST(span_roots.first_started_at, summed.first_started_at),
      summed.first_started_at
    ) AS root_started_at,
    GREATEST(COALESCE(span_roots.last_ended_at, summed.last_ended_at), summed.last_ended_at) AS ended_at,
    GREATEST(COALESCE(span_roots.agents, 0), summed.agents) AS agent_count,
    GREATEST(COALESCE(span_roots.roots, 0), 1) AS roots,
    CASE
      WHEN NOT span_roots.trace_id IS NULL AND span_roots.root_started_at IS NULL
      THEN 'no_root'
      WHEN span_roots.root_status = 'error'
      THEN 'error'
      WHEN summed.calls = 0
      THEN 'error'
      ELSE 'ok'
    END AS status
  FROM summed
  LEFT JOIN span_roots
    ON summed.trace_id = span_roots.trace_id
)
SELECT
  CAST(timed.root_started_at AS DATE) AS root_date,
  timed.trace_id,
  timed.root_started_at,
  timed.user_id,
  timed.tenant,
  timed.customer,
  timed.team,
  timed.feature,
  timed.endpoint,
  timed.workflow,
  timed.agent,
  timed.environment,
  CAST(timed.calls AS BIGINT) AS calls,
  CAST(timed.attempts AS BIGINT) AS attempts,
  CAST(timed.error_requests AS BIGINT) AS error_requests,
  CAST(CAST(CAST((
    (
      CAST(timed.calls AS DECIMAL(18, 0)) * CAST(1000000 AS DECIMAL(7, 0))
    ) - (
      (
        CAST(timed.calls AS DECIMAL(18, 0)) * CAST(1000000 AS DECIMAL(7, 0))
      ) % (
        timed.roots
      )
    )
  ) / (
    timed.roots
  ) AS DECIMAL(38, 0)) AS DECIMAL(18, 0)) * CAST(0.000001 AS DECIMAL(7, 6)) AS DECIMAL(18, 6)) AS calls_per_action,
  CAST(COALESCE(depths.depth, 0) + 1 AS BIGINT) AS depth,
  CAST(timed.agent_count AS BIGINT) AS agents,
  CAST(timed.models AS BIGINT) AS models,
  CAST(timed.providers AS BIGINT) AS providers,
  CAST(COALESCE(zones.zones, 0) AS BIGINT) AS zones,
  CAST(timed.input_tokens AS BIGINT) AS input_tokens,
  CAST(timed.output_tokens AS BIGINT) AS output_tokens,
  CAST(timed.saved_input_tokens AS BIGINT) AS saved_input_tokens,
  CAST(timed.saved_output_tokens AS BIGINT) AS saved_output_tokens,
  CAST(CAST(DATEDIFF(DAY, CAST(timed.root_started_at AS DATE), CAST(timed.ended_at AS DATE)) * 86400 + (
    EXTRACT(HOUR FROM timed.ended_at) - EXTRACT(HOUR FROM timed.root_started_at)
  ) * 3600 + (
    EXTRACT(MINUTE FROM timed.ended_at) - EXTRACT(MINUTE FROM timed.root_started_at)
  ) * 60 AS DECIMAL(12, 0)) + CAST(SUBSTRING(CAST(timed.ended_at AS STRING), 18) AS DECIMAL(8, 6)) - CAST(SUBSTRING(CAST(timed.root_started_at AS STRING), 18) AS DECIMAL(8, 6)) AS DECIMAL(18, 6)) AS duration_seconds,
  CAST(paid.inference_cost AS DECIMAL(38, 12)) AS inference_cost,
  CAST(paid.egress_cost AS DECIMAL(38, 12)) AS egress_cost,
  CAST(paid.monitoring_cost AS DECIMAL(38, 12)) AS monitoring_cost,
  CAST(paid.other_cost AS DECIMAL(38, 12)) AS other_cost,
  CAST(paid.total_cost AS DECIMAL(38, 12)) AS total_cost,
  CAST(COALESCE(paid.retry_cost, 0) AS DECIMAL(38, 12)) AS retry_cost,
  CAST(CAST(COALESCE(loop_costs.loop_units, 0) AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS loop_cost,
  CAST(CASE WHEN timed.status = 'error' THEN COALESCE(paid.total_cost, 0) ELSE 0 END AS DECIMAL(38, 12)) AS failed_cost,
  CAST(:reporting_currency AS STRING) AS reporting_currency,
  CAST(repeats.repeated_calls AS BIGINT) AS repeated_calls,
  repeats.repeated_calls >= settings.loop_min_calls AS is_loop,
  timed.status
FROM timed
CROSS JOIN settings
LEFT JOIN depths
  ON timed.trace_id = depths.trace_id
LEFT JOIN repeats
  ON timed.trace_id = repeats.trace_id
LEFT JOIN zones
  ON timed.trace_id = zones.trace_id
LEFT JOIN paid
  ON timed.trace_id = paid.trace_id
LEFT JOIN loop_costs
  ON timed.trace_id = loop_costs.trace_id
WHERE
  timed.root_started_at >= CAST(:start AS TIMESTAMP_NTZ)
  AND timed.root_started_at < CAST(:end AS TIMESTAMP_NTZ)
