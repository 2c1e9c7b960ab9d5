WITH requests AS (
  SELECT
    *
  FROM staging.requests
), root_candidates AS (
  SELECT
    span_roots.*,
    ROW_NUMBER() OVER (PARTITION BY span_roots.trace_id ORDER BY span_roots.root_date NULLS LAST) AS root_rank
  FROM core.span_roots AS span_roots
), roots AS (
  SELECT
    *
  FROM root_candidates
  WHERE
    root_rank = 1
), measured AS (
  SELECT
    requests.*,
    CAST(requests.started_at AS DATE) AS charge_date,
    COALESCE(requests.uncached_input_tokens, 0) + COALESCE(requests.cache_read_tokens, 0) + COALESCE(requests.cache_write_5m_tokens, 0) + COALESCE(requests.cache_write_1h_tokens, 0) AS total_input_tokens
  FROM requests
)
SELECT
  measured.charge_date,
  measured.request_id,
  measured.x_source,
  measured.x_snapshot_id,
  measured.provider_request_id,
  measured.trace_id,
  measured.span_id,
  measured.parent_span_id,
  measured.attempt_number,
  measured.started_at,
  measured.ended_at,
  measured.duration_seconds,
  measured.provider,
  measured.sub_account_id,
  measured.region_id,
  measured.request_model,
  measured.model,
  COALESCE(measured.service_tier, 'standard') AS service_tier,
  CAST(CASE
    WHEN measured.total_input_tokens < 32001
    THEN 0
    WHEN measured.total_input_tokens < 100001
    THEN 32001
    WHEN measured.total_input_tokens < 128001
    THEN 100001
    WHEN measured.total_input_tokens < 200000
    THEN 128001
    WHEN measured.total_input_tokens < 200001
    THEN 200000
    WHEN measured.total_input_tokens < 256001
    THEN 200001
    WHEN measured.total_input_tokens < 272001
    THEN 256001
    WHEN measured.total_input_tokens < 512001
    THEN 272001
    WHEN measured.total_input_tokens < 524289
    THEN 512001
    ELSE 524289
  END AS BIGINT) AS context_min_tokens,
  measured.status,
  measured.error_type,
  measured.uncached_input_tokens,
  measured.cache_read_tokens,
  measured.cache_write_5m_tokens,
  measured.cache_write_1h_tokens,
  measured.output_tokens,
  measured.reasoning_tokens,
  measured.provider_total_tokens,
  measured.usage_source,
  COALESCE(measured.user_id, roots.user_id) AS user_id,
  COALESCE(measured.tenant, roots.tenant) AS tenant,
  COALESCE(measured.customer, roots.customer) AS customer,
  COALESCE(measured.team, roots.team) AS team,
  COALESCE(measured.feature, roots.feature) AS feature,
  COALESCE(measured.endpoint, roots.endpoint) AS endpoint,
  COALESCE(measured.workflow, roots.workflow) AS workflow,
  COALESCE(measured.agent, roots.agent) AS agent,
  COALESCE(measured.agent_step, roots.agent_step) AS agent_step,
  COALESCE(measured.environment, roots.environment) AS environment,
  measured.session_id,
  measured.from_zone,
  measured.to_zone,
  measured.request_bytes,
  measured.response_bytes,
  measured.replica_id
FROM measured
LEFT JOIN roots
  ON measured.trace_id = roots.trace_id
  AND roots.root_date <= measured.charge_date
  AND roots.root_date >= CAST(measured.charge_date - INTERVAL '2' DAY AS DATE)
