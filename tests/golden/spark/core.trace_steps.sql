WITH RECURSIVE traces AS (
  SELECT
    root_date,
    trace_id
  FROM core.traces
  WHERE
    root_date >= :start AND root_date < :end
), usage AS (
  SELECT
    traces.root_date,
    trace_usage.*
  FROM core.trace_usage AS trace_usage
  INNER JOIN traces
    ON trace_usage.trace_id = traces.trace_id
), costs AS (
  SELECT
    traces.root_date,
    trace_costs.trace_id,
    trace_costs.step_id,
    trace_costs.is_retry,
    trace_costs.effective_cost_reporting
  FROM core.trace_costs AS trace_costs
  INNER JOIN traces
    ON trace_costs.trace_id = traces.trace_id
), told_steps AS (
  SELECT
    span_steps.step_id,
    span_steps.parent_step_id,
    span_steps.parent_agent,
    span_steps.agent,
    span_steps.agent_step
  FROM core.span_steps AS span_steps
  UNION ALL
  SELECT
    usage.step_id,
    usage.parent_step_id,
    usage.parent_agent,
    usage.agent,
    usage.agent_step
  FROM usage
), steps AS (
  SELECT
    told_steps.step_id,
    MAX(told_steps.parent_step_id) AS parent_step_id,
    MAX(told_steps.parent_agent) AS parent_agent,
    MAX(told_steps.agent) AS agent,
    MAX(told_steps.agent_step) AS agent_step
  FROM told_steps
  GROUP BY
    told_steps.step_id
), named AS (
  SELECT
    steps.step_id,
    steps.parent_step_id,
    steps.parent_agent,
    steps.agent,
    steps.agent_step,
    MD5(
      COALESCE(steps.parent_agent, CHR(  30)) || CHR(  31) || COALESCE(steps.agent, CHR(  30)) || CHR(  31) || COALESCE(steps.agent_step, CHR(  30))
    ) AS trace_step_id
  FROM steps
), climb AS (
  SELECT
    named.step_id,
    named.trace_step_id AS own_trace_step_id,
    named.trace_step_id,
    named.parent_step_id,
    1 AS levels
  FROM named
  UNION ALL
  SELECT
    climb.step_id,
    climb.own_trace_step_id,
    named.trace_step_id,
    named.parent_step_id,
    climb.levels + 1 AS levels
  FROM climb
  INNER JOIN named
    ON climb.parent_step_id = named.step_id
  WHERE
    climb.levels < 66
), delegations AS (
  SELECT DISTINCT
    climb.step_id,
    climb.trace_step_id
  FROM climb
  WHERE
    climb.trace_step_id <> climb.own_trace_step_id
), places AS (
  SELECT
    named.trace_step_id,
    MAX(named.parent_agent) AS parent_agent,
    MAX(named.agent) AS agent,
    MAX(named.agent_step) AS agent_step
  FROM named
  GROUP BY
    named.trace_step_id
), used AS (
  SELECT
    usage.root_date,
    usage.trace_id,
    usage.step_id,
    SUM(usage.calls) AS calls,
    SUM(usage.requests) AS attempts,
    SUM(usage.error_requests) AS error_requests,
    SUM(
      usage.uncached_input_tokens + usage.cache_read_tokens + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    ) AS input_tokens,
    SUM(usage.output_tokens) AS output_tokens
  FROM usage
  GROUP BY
    usage.root_date,
    usage.trace_id,
    usage.step_id
), paid AS (
  SELECT
    costs.root_date,
    costs.trace_id,
    costs.step_id,
    SUM(costs.effective_cost_reporting) AS self_cost,
    SUM(CASE WHEN costs.is_retry THEN costs.effective_cost_reporting ELSE 0 END) AS retry_cost
  FROM costs
  GROUP BY
    costs.root_date,
    costs.trace_id,
    costs.step_id
), parts AS (
  SELECT
    used.root_date,
    used.trace_id,
    named.trace_step_id,
    used.calls,
    used.attempts,
    used.error_requests,
    used.input_tokens,
    used.output_tokens,
    COALESCE(paid.self_cost, 0) AS self_cost,
    CAST(0 AS DECIMAL(38, 12)) AS delegated_cost,
    COALESCE(paid.retry_cost, 0) AS retry_cost
  FROM used
  INNER JOIN named
    ON used.step_id = named.step_id
  LEFT JOIN paid
    ON used.root_date = paid.root_date
    AND used.trace_id = paid.trace_id
    AND used.step_id = paid.step_id
  UNION ALL
  SELECT
    used.root_date,
    used.trace_id,
    delegations.trace_step_id,
    0 AS calls,
    0 AS attempts,
    0 AS error_requests,
    0 AS input_tokens,
    0 AS output_tokens,
    CAST(0 AS DECIMAL(38, 12)) AS self_cost,
    COALESCE(paid.self_cost, 0) AS delegated_cost,
    CAST(0 AS DECIMAL(38, 12)) AS retry_cost
  FROM used
  INNER JOIN delegations
    ON used.step_id = delegations.step_id
  LEFT JOIN paid
    ON used.root_date = paid.root_date
    AND used.trace_id = paid.trace_id
    AND used.step_id = paid.step_id
), summed AS (
  SELECT
    parts.root_date,
    parts.trace_id,
    parts.trace_step_id,
    SUM(parts.calls) AS calls,
    SUM(parts.attempts) AS attempts,
    SUM(parts.error_requests) AS error_requests,
    SUM(parts.input_tokens) AS input_tokens,
    SUM(parts.output_tokens) AS output_tokens,
    SUM(parts.self_cost) AS self_cost,
    SUM(parts.delegated_cost) AS delegated_cost,
    SUM(parts.retry_cost) AS retry_cost
  FROM parts
  GROUP BY
    parts.root_date,
    parts.trace_id,
    parts.trace_step_id
)
SELECT
  summed.root_date,
  summed.trace_id,
  summed.trace_step_id,
  places.parent_agent,
  places.agent,
  places.agent_step,
  CAST(summed.calls AS BIGINT) AS calls,
  CAST(summed.attempts AS BIGINT) AS attempts,
  CAST(summed.error_requests AS BIGINT) AS error_requests,
  CAST(summed.input_tokens AS BIGINT) AS input_tokens,
  CAST(summed.output_tokens AS BIGINT) AS output_tokens,
  CAST(summed.self_cost AS DECIMAL(38, 12)) AS self_cost,
  CAST(summed.delegated_cost AS DECIMAL(38, 12)) AS delegated_cost,
  CAST(summed.self_cost + summed.delegated_cost AS DECIMAL(38, 12)) AS total_cost,
  CAST(summed.retry_cost AS DECIMAL(38, 12)) AS retry_cost,
  CAST(:reporting_currency AS STRING) AS reporting_currency
FROM summed
INNER JOIN places
  ON summed.trace_step_id = places.trace_step_id
