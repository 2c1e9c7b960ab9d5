WITH requests AS (
  SELECT
    *
  FROM core.rooted_requests
), api_keys AS (
  SELECT
    *
  FROM reference.api_keys
)
SELECT
  requests.charge_date,
  requests.request_id,
  requests.x_sources,
  requests.provider_request_id,
  requests.logical_call_id,
  requests.trace_id,
  requests.span_id,
  requests.parent_span_id,
  requests.attempt_number,
  requests.started_at,
  requests.ended_at,
  requests.duration_seconds,
  requests.provider,
  requests.sub_account_id,
  requests.region_id,
  requests.request_model,
  requests.model,
  requests.service_tier,
  requests.context_min_tokens,
  requests.time_of_day_start,
  requests.status,
  requests.error_type,
  requests.uncached_input_tokens,
  requests.cache_read_tokens,
  requests.cache_write_5m_tokens,
  requests.cache_write_1h_tokens,
  requests.output_tokens,
  requests.reasoning_tokens,
  requests.web_search_count,
  requests.uncached_audio_tokens,
  requests.cache_read_audio_tokens,
  requests.output_audio_tokens,
  requests.uncached_image_tokens,
  requests.cache_read_image_tokens,
  requests.output_image_tokens,
  requests.provider_total_tokens,
  requests.usage_source,
  requests.saved_input_tokens,
  requests.saved_output_tokens,
  COALESCE(
    CASE
      WHEN requests.resource_keys LIKE '%,user_id,%'
      AND requests.root_resource_keys NOT LIKE '%,user_id,%'
      THEN requests.root_user_id
    END,
    requests.user_id,
    requests.root_user_id,
    api_keys.user_id
  ) AS user_id,
  COALESCE(
    CASE
      WHEN requests.resource_keys LIKE '%,tenant,%'
      AND requests.root_resource_keys NOT LIKE '%,tenant,%'
      THEN requests.root_tenant
    END,
    requests.tenant,
    requests.root_tenant,
    api_keys.tenant
  ) AS tenant,
  COALESCE(
    CASE
      WHEN requests.resource_keys LIKE '%,customer,%'
      AND requests.root_resource_keys NOT LIKE '%,customer,%'
      THEN requests.root_customer
    END,
    requests.customer,
    requests.root_customer,
    api_keys.customer
  ) AS customer,
  COALESCE(
    CASE
      WHEN requests.resource_keys LIKE '%,team,%'
      AND requests.root_resource_keys NOT LIKE '%,team,%'
      THEN requests.root_team
    END,
    requests.team,
    requests.root_team,
    api_keys.team
  ) AS team,
  COALESCE(
    CASE
      WHEN requests.resource_keys LIKE '%,feature,%'
      AND requests.root_resource_keys NOT LIKE '%,feature,%'
      THEN requests.root_feature
    END,
    requests.feature,
    requests.root_feature,
    api_keys.feature
  ) AS feature,
  COALESCE(
    CASE
      WHEN requests.resource_keys LIKE '%,endpoint,%'
      AND requests.root_resource_keys NOT LIKE '%,endpoint,%'
      THEN requests.root_endpoint
    END,
    requests.endpoint,
    requests.root_endpoint,
    api_keys.endpoint
  ) AS endpoint,
  COALESCE(
    CASE
      WHEN requests.resource_keys LIKE '%,workflow,%'
      AND requests.root_resource_keys NOT LIKE '%,workflow,%'
      THEN requests.root_workflow
    END,
    requests.workflow,
    requests.root_workflow,
    api_keys.workflow
  ) AS workflow,
  COALESCE(
    CASE
      WHEN requests.resource_keys LIKE '%,agent,%'
      AND requests.root_resource_keys NOT LIKE '%,agent,%'
      THEN requests.root_agent
    END,
    requests.agent,
    requests.root_agent,
    api_keys.agent
  ) AS agent,
  COALESCE(
    CASE
      WHEN requests.resource_keys LIKE '%,agent_step,%'
      AND requests.root_resource_keys NOT LIKE '%,agent_step,%'
      THEN requests.root_agent_step
    END,
    requests.agent_step,
    requests.root_agent_step
  ) AS agent_step,
  COALESCE(
    CASE
      WHEN requests.resource_keys LIKE '%,environment,%'
      AND requests.root_resource_keys NOT LIKE '%,environment,%'
      THEN requests.root_environment
    END,
    requests.environment,
    requests.root_environment,
    api_keys.environment
  ) AS environment,
  requests.session_id,
  requests.api_key_id,
  requests.from_zone,
  requests.to_zone,
  requests.request_bytes,
  requests.response_bytes,
  requests.replica_id,
  requests.prefill_seconds,
  requests.decode_seconds
FROM requests
LEFT JOIN api_keys
  ON requests.api_key_id = api_keys.api_key_id
