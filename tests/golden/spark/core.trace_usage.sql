WITH requests AS (
  SELECT
    *
  FROM core.identified_requests
  WHERE
    started_at >= CAST(:start AS TIMESTAMP_NTZ)
    AND started_at < CAST(:end AS TIMESTAMP_NTZ)
), ranked_spans AS (
  SELECT
    span_steps.*,
    ROW_NUMBER() OVER (
      PARTITION BY span_steps.trace_id, span_steps.span_id
      ORDER BY span_steps.span_date NULLS LAST
    ) AS span_rank
  FROM core.span_steps AS span_steps
  WHERE
    NOT span_steps.agent IS NULL OR NOT span_steps.agent_step IS NULL
), agent_spans AS (
  SELECT
    *
  FROM ranked_spans
  WHERE
    span_rank = 1
), told_calls AS (
  SELECT
    requests.charge_date,
    requests.trace_id,
    requests.logical_call_id,
    MIN(requests.request_id) AS request_id
  FROM requests
  WHERE
    NOT requests.logical_call_id IS NULL AND COALESCE(requests.status, 'ok') = 'ok'
  GROUP BY
    requests.charge_date,
    requests.trace_id,
    requests.logical_call_id
), placed AS (
  SELECT
    requests.*,
    (
      COALESCE(requests.status, 'ok') <> 'ok'
      OR COALESCE(requests.request_id <> told_calls.request_id, FALSE)
    ) AS is_retry,
    CASE
      WHEN requests.agent <> agent_spans.agent
      THEN agent_spans.step_id
      ELSE agent_spans.parent_step_id
    END AS parent_step_id,
    CASE
      WHEN requests.agent <> agent_spans.agent
      THEN agent_spans.agent
      ELSE agent_spans.parent_agent
    END AS parent_agent,
    COALESCE(requests.agent, agent_spans.agent) AS step_agent,
    CASE
      WHEN requests.agent <> agent_spans.agent
      THEN requests.agent_step
      ELSE COALESCE(requests.agent_step, agent_spans.agent_step)
    END AS step_name
  FROM requests
  LEFT JOIN told_calls
    ON requests.charge_date = told_calls.charge_date
    AND requests.trace_id = told_calls.trace_id
    AND requests.logical_call_id = told_calls.logical_call_id
  LEFT JOIN agent_spans
    ON requests.trace_id = agent_spans.trace_id
    AND requests.parent_span_id = agent_spans.span_id
    AND requests.charge_date >= agent_spans.span_date
    AND agent_spans.span_date >= CAST(requests.charge_date - INTERVAL '2' DAY AS DATE)
), grouped AS (
  SELECT
    requests.charge_date,
    requests.trace_id,
    requests.parent_step_id,
    requests.parent_agent,
    requests.step_agent,
    requests.step_name,
    requests.is_retry,
    requests.provider,
    requests.sub_account_id,
    requests.region_id,
    requests.model,
    requests.service_tier,
    requests.context_min_tokens,
    requests.time_of_day_start,
    requests.user_id,
    requests.tenant,
    requests.customer,
    requests.team,
    requests.feature,
    requests.endpoint,
    requests.workflow,
    requests.agent,
    requests.agent_step,
    requests.environment,
    requests.from_zone,
    requests.to_zone,
    COUNT(CASE WHEN NOT requests.is_retry THEN 1 END) AS calls,
    COUNT(*) AS requests,
    COUNT(CASE WHEN COALESCE(requests.status, 'ok') <> 'ok' THEN 1 END) AS error_requests,
    SUM(COALESCE(requests.uncached_input_tokens, 0)) AS uncached_input_tokens,
    SUM(COALESCE(requests.cache_read_tokens, 0)) AS cache_read_tokens,
    SUM(COALESCE(requests.cache_write_5m_tokens, 0)) AS cache_write_5m_tokens,
    SUM(COALESCE(requests.cache_write_1h_tokens, 0)) AS cache_write_1h_tokens,
    SUM(COALESCE(requests.output_tokens, 0)) AS output_tokens,
    SUM(COALESCE(requests.reasoning_tokens, 0)) AS reasoning_tokens,
    SUM(COALESCE(requests.web_search_count, 0)) AS web_searches,
    SUM(COALESCE(requests.saved_input_tokens, 0)) AS saved_input_tokens,
    SUM(COALESCE(requests.saved_output_tokens, 0)) AS saved_output_tokens,
    SUM(COALESCE(requests.request_bytes, 0)) AS request_bytes,
    SUM(COALESCE(requests.response_bytes, 0)) AS response_bytes,
    SUM(COALESCE(requests.duration_seconds, 0)) AS request_seconds,
    MIN(requests.started_at) AS first_started_at,
    MAX(COALESCE(requests.ended_at, requests.started_at)) AS last_ended_at
  FROM placed AS requests
  GROUP BY
    requests.charge_date,
    requests.trace_id,
    requests.parent_step_id,
    requests.parent_agent,
    requests.step_agent,
    requests.step_name,
    requests.is_retry,
    requests.provider,
    requests.sub_account_id,
    requests.region_id,
    requests.model,
    requests.service_tier,
    requests.context_min_tokens,
    requests.time_of_day_start,
    requests.user_id,
    requests.tenant,
    requests.customer,
    requests.team,
    requests.feature,
    requests.endpoint,
    requests.workflow,
    requests.agent,
    requests.agent_step,
    requests.environment,
    requests.from_zone,
    requests.to_zone
), digested AS (
  SELECT
    grouped.*,
    MD5(
      COALESCE(grouped.user_id, CHR(  30)) || CHR(  31) || COALESCE(grouped.tenant, CHR(  30)) || CHR(  31) || COALESCE(grouped.customer, CHR(  30)) || CHR(  31) || COALESCE(grouped.team, CHR(  30)) || CHR(  31) || COALESCE(grouped.feature, CHR(  30)) || CHR(  31) || COALESCE(grouped.endpoint, CHR(  30)) || CHR(  31) || COALESCE(grouped.workflow, CHR(  30)) || CHR(  31) || COALESCE(grouped.agent, CHR(  30)) || CHR(  31) || COALESCE(grouped.agent_step, CHR(  30)) || CHR(  31) || COALESCE(grouped.environment, CHR(  30))
    ) AS owner_id,
    MD5(
      COALESCE(grouped.provider, CHR(  30)) || CHR(  31) || COALESCE(grouped.sub_account_id, CHR(  30)) || CHR(  31) || COALESCE(grouped.region_id, CHR(  30)) || CHR(  31) || COALESCE(grouped.model, CHR(  30)) || CHR(  31) || COALESCE(grouped.service_tier, CHR(  30)) || CHR(  31) || COALESCE(CAST(grouped.context_min_tokens AS STRING), CHR(  30)) || CHR(  31) || COALESCE(grouped.time_of_day_start, CHR(  30)) || CHR(  31) || COALESCE(grouped.from_zone, CHR(  30)) || CHR(  31) || COALESCE(grouped.to_zone, CHR(  30))
    ) AS segment_id,
    MD5(
      COALESCE(grouped.parent_step_id, CHR(  30)) || CHR(  31) || COALESCE(grouped.step_agent, CHR(  30)) || CHR(  31) || COALESCE(grouped.step_name, CHR(  30))
    ) AS step_id
  FROM grouped
)
SELECT
  digested.charge_date,
  digested.trace_id,
  MD5(digested.owner_id || digested.segment_id) AS usage_id,
  digested.step_id,
  digested.parent_step_id,
  digested.parent_agent,
  digested.is_retry,
  digested.owner_id,
  digested.provider,
  digested.sub_account_id,
  digested.region_id,
  digested.model,
  digested.service_tier,
  digested.context_min_tokens,
  digested.time_of_day_start,
  digested.user_id,
  digested.tenant,
  digested.customer,
  digested.team,
  digested.feature,
  digested.endpoint,
  digested.workflow,
  digested.agent,
  digested.agent_step,
  digested.environment,
  digested.from_zone,
  digested.to_zone,
  CAST(digested.calls AS BIGINT) AS calls,
  CAST(digested.requests AS BIGINT) AS requests,
  CAST(digested.error_requests AS BIGINT) AS error_requests,
  CAST(digested.uncached_input_tokens AS BIGINT) AS uncached_input_tokens,
  CAST(digested.cache_read_tokens AS BIGINT) AS cache_read_tokens,
  CAST(digested.cache_write_5m_tokens AS BIGINT) AS cache_write_5m_tokens,
  CAST(digested.cache_write_1h_tokens AS BIGINT) AS cache_write_1h_tokens,
  CAST(digested.output_tokens AS BIGINT) AS output_tokens,
  CAST(digested.reasoning_tokens AS BIGINT) AS reasoning_tokens,
  CAST(digested.web_searches AS BIGINT) AS web_searches,
  CAST(digested.saved_input_tokens AS BIGINT) AS saved_input_tokens,
  CAST(digested.saved_output_tokens AS BIGINT) AS saved_output_tokens,
  CAST(digested.request_bytes AS BIGINT) AS request_bytes,
  CAST(digested.response_bytes AS BIGINT) AS response_bytes,
  CAST(digested.request_seconds AS DECIMAL(18, 6)) AS request_seconds,
  digested.first_started_at,
  digested.last_ended_at
FROM digested
