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
), sized AS (
  SELECT
    requests.*,
    CAST(requests.started_at AS DATE) AS charge_date,
    COALESCE(requests.uncached_input_tokens, 0) + COALESCE(requests.cache_read_tokens, 0) + COALESCE(requests.cache_write_5m_tokens, 0) + COALESCE(requests.cache_write_1h_tokens, 0) AS total_input_tokens
  FROM requests
)
SELECT
  sized.charge_date,
  sized.request_id,
  sized.x_sources,
  sized.provider_request_id,
  sized.logical_call_id,
  sized.trace_id,
  sized.span_id,
  sized.parent_span_id,
  sized.attempt_number,
  sized.started_at,
  sized.ended_at,
  sized.duration_seconds,
  sized.provider,
  sized.sub_account_id,
  sized.region_id,
  sized.request_model,
  sized.model,
  COALESCE(sized.service_tier, 'standard') AS service_tier,
  CAST(CASE
    WHEN sized.total_input_tokens < 32001
    THEN 0
    WHEN sized.total_input_tokens < 100001
    THEN 32001
    WHEN sized.total_input_tokens < 128001
    THEN 100001
    WHEN sized.total_input_tokens < 200000
    THEN 128001
    WHEN sized.total_input_tokens < 200001
    THEN 200000
    WHEN sized.total_input_tokens < 256001
    THEN 200001
    WHEN sized.total_input_tokens < 272001
    THEN 256001
    WHEN sized.total_input_tokens < 512001
    THEN 272001
    WHEN sized.total_input_tokens < 524289
    THEN 512001
    WHEN sized.total_input_tokens < 1000001
    THEN 524289
    ELSE 1000001
  END AS BIGINT) AS context_min_tokens,
  timed_names.time_of_day_start,
  sized.status,
  sized.error_type,
  sized.uncached_input_tokens,
  sized.cache_read_tokens,
  sized.cache_write_5m_tokens,
  sized.cache_write_1h_tokens,
  sized.output_tokens,
  sized.reasoning_tokens,
  sized.web_search_count,
  sized.uncached_audio_tokens,
  sized.cache_read_audio_tokens,
  sized.output_audio_tokens,
  sized.uncached_image_tokens,
  sized.cache_read_image_tokens,
  sized.output_image_tokens,
  sized.provider_total_tokens,
  sized.usage_source,
  sized.saved_input_tokens,
  sized.saved_output_tokens,
  sized.user_id,
  sized.tenant,
  sized.customer,
  sized.team,
  sized.feature,
  sized.endpoint,
  sized.workflow,
  sized.agent,
  sized.agent_step,
  sized.environment,
  sized.session_id,
  sized.resource_keys,
  sized.api_key_id,
  sized.from_zone,
  sized.to_zone,
  sized.request_bytes,
  sized.response_bytes,
  sized.replica_id,
  sized.prefill_seconds,
  sized.decode_seconds,
  roots.root_identity_id,
  roots.resource_keys AS root_resource_keys,
  roots.user_id AS root_user_id,
  roots.tenant AS root_tenant,
  roots.customer AS root_customer,
  roots.team AS root_team,
  roots.feature AS root_feature,
  roots.endpoint AS root_endpoint,
  roots.workflow AS root_workflow,
  roots.agent AS root_agent,
  roots.agent_step AS root_agent_step,
  roots.environment AS root_environment
FROM sized
LEFT JOIN core.timed_names AS timed_names
  ON sized.charge_date = timed_names.charge_date
  AND sized.model = timed_names.model
  AND COALESCE(sized.provider, CHR(  30)) = COALESCE(timed_names.provider, CHR(  30))
  AND sized.started_at >= timed_names.band_start_at
  AND sized.started_at < timed_names.band_end_at
LEFT JOIN roots
  ON sized.trace_id = roots.trace_id
  AND sized.charge_date >= roots.root_date
  AND roots.root_date >= CAST(sized.charge_date - INTERVAL '2' DAY AS DATE)
