WITH requests AS (
  SELECT
    *
  FROM core.rooted_requests
  WHERE
    started_at >= CAST(:start AS TIMESTAMP_NTZ)
    AND started_at < CAST(:end AS TIMESTAMP_NTZ)
), api_keys AS (
  SELECT
    *
  FROM reference.api_keys
), root_identities AS (
  SELECT
    span_roots.root_identity_id,
    MAX(span_roots.resource_keys) AS resource_keys,
    MAX(span_roots.user_id) AS user_id,
    MAX(span_roots.tenant) AS tenant,
    MAX(span_roots.customer) AS customer,
    MAX(span_roots.team) AS team,
    MAX(span_roots.feature) AS feature,
    MAX(span_roots.endpoint) AS endpoint,
    MAX(span_roots.workflow) AS workflow,
    MAX(span_roots.agent) AS agent,
    MAX(span_roots.agent_step) AS agent_step,
    MAX(span_roots.environment) AS environment
  FROM core.span_roots AS span_roots
  GROUP BY
    span_roots.root_identity_id
), logged AS (
  SELECT
    requests.charge_date,
    requests.root_identity_id,
    requests.resource_keys,
    api_keys.api_key_id,
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
    COUNT(*) AS requests,
    COUNT(CASE WHEN requests.status <> 'ok' THEN 1 END) AS error_requests,
    SUM(requests.uncached_input_tokens) AS uncached_input_tokens,
    SUM(requests.cache_read_tokens) AS cache_read_tokens,
    SUM(requests.cache_write_5m_tokens) AS cache_write_5m_tokens,
    SUM(requests.cache_write_1h_tokens) AS cache_write_1h_tokens,
    SUM(requests.output_tokens) AS output_tokens,
    SUM(requests.reasoning_tokens) AS reasoning_tokens,
    SUM(requests.web_search_count) AS web_searches,
    SUM(requests.saved_input_tokens) AS saved_input_tokens,
    SUM(requests.saved_output_tokens) AS saved_output_tokens,
    SUM(requests.uncached_audio_tokens) AS uncached_audio_tokens,
    SUM(requests.cache_read_audio_tokens) AS cache_read_audio_tokens,
    SUM(requests.output_audio_tokens) AS output_audio_tokens,
    SUM(requests.uncached_image_tokens) AS uncached_image_tokens,
    SUM(requests.cache_read_image_tokens) AS cache_read_image_tokens,
    SUM(requests.output_image_tokens) AS output_image_tokens,
    SUM(requests.request_bytes) AS request_bytes,
    SUM(requests.response_bytes) AS response_bytes,
    SUM(requests.duration_seconds) AS request_seconds
  FROM requests
  LEFT JOIN api_keys
    ON requests.api_key_id = api_keys.api_key_id
  GROUP BY
    requests.charge_date,
    requests.root_identity_id,
    requests.resource_keys,
    api_keys.api_key_id,
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
), identified AS (
  SELECT
    logged.charge_date,
    logged.provider,
    logged.sub_account_id,
    logged.region_id,
    logged.model,
    COALESCE(logged.service_tier, 'standard') AS service_tier,
    logged.context_min_tokens,
    logged.time_of_day_start,
    COALESCE(
      CASE
        WHEN logged.resource_keys LIKE '%,user_id,%'
        AND root_identities.resource_keys NOT LIKE '%,user_id,%'
        THEN root_identities.user_id
      END,
      logged.user_id,
      root_identities.user_id,
      api_keys.user_id
    ) AS user_id,
    COALESCE(
      CASE
        WHEN logged.resource_keys LIKE '%,tenant,%'
        AND root_identities.resource_keys NOT LIKE '%,tenant,%'
        THEN root_identities.tenant
      END,
      logged.tenant,
      root_identities.tenant,
      api_keys.tenant
    ) AS tenant,
    COALESCE(
      CASE
        WHEN logged.resource_keys LIKE '%,customer,%'
        AND root_identities.resource_keys NOT LIKE '%,customer,%'
        THEN root_identities.customer
      END,
      logged.customer,
      root_identities.customer,
      api_keys.customer
    ) AS customer,
    COALESCE(
      CASE
        WHEN logged.resource_keys LIKE '%,team,%'
        AND root_identities.resource_keys NOT LIKE '%,team,%'
        THEN root_identities.team
      END,
      logged.team,
      root_identities.team,
      api_keys.team
    ) AS team,
    COALESCE(
      CASE
        WHEN logged.resource_keys LIKE '%,feature,%'
        AND root_identities.resource_keys NOT LIKE '%,feature,%'
        THEN root_identities.feature
      END,
      logged.feature,
      root_identities.feature,
      api_keys.feature
    ) AS feature,
    COALESCE(
      CASE
        WHEN logged.resource_keys LIKE '%,endpoint,%'
        AND root_identities.resource_keys NOT LIKE '%,endpoint,%'
        THEN root_identities.endpoint
      END,
      logged.endpoint,
      root_identities.endpoint,
      api_keys.endpoint
    ) AS endpoint,
    COALESCE(
      CASE
        WHEN logged.resource_keys LIKE '%,workflow,%'
        AND root_identities.resource_keys NOT LIKE '%,workflow,%'
        THEN root_identities.workflow
      END,
      logged.workflow,
      root_identities.workflow,
      api_keys.workflow
    ) AS workflow,
    COALESCE(
      CASE
        WHEN logged.resource_keys LIKE '%,agent,%'
        AND root_identities.resource_keys NOT LIKE '%,agent,%'
        THEN root_identities.agent
      END,
      logged.agent,
      root_identities.agent,
      api_keys.agent
    ) AS agent,
    COALESCE(
      CASE
        WHEN logged.resource_keys LIKE '%,agent_step,%'
        AND root_identities.resource_keys NOT LIKE '%,agent_step,%'
        THEN root_identities.agent_step
      END,
      logged.agent_step,
      root_identities.agent_step
    ) AS agent_step,
    COALESCE(
      CASE
        WHEN logged.resource_keys LIKE '%,environment,%'
        AND root_identities.resource_keys NOT LIKE '%,environment,%'
        THEN root_identities.environment
      END,
      logged.environment,
      root_identities.environment,
      api_keys.environment
    ) AS environment,
    logged.from_zone,
    logged.to_zone,
    logged.requests,
    logged.error_requests,
    logged.uncached_input_tokens,
    logged.cache_read_tokens,
    logged.cache_write_5m_tokens,
    logged.cache_write_1h_tokens,
    logged.output_tokens,
    logged.reasoning_tokens,
    logged.web_searches,
    logged.saved_input_tokens,
    logged.saved_output_tokens,
    logged.uncached_audio_tokens,
    logged.cache_read_audio_tokens,
    logged.output_audio_tokens,
    logged.uncached_image_tokens,
    logged.cache_read_image_tokens,
    logged.output_image_tokens,
    logged.request_bytes,
    logged.response_bytes,
    logged.request_seconds
  FROM logged
  LEFT JOIN root_identities
    ON logged.root_identity_id = root_identities.root_identity_id
  LEFT JOIN api_keys
    ON logged.api_key_id = api_keys.api_key_id
), grouped AS (
  SELECT
    identified.charge_date,
    identified.provider,
    identified.sub_account_id,
    identified.region_id,
    identified.model,
    identified.service_tier,
    identified.context_min_tokens,
    identified.time_of_day_start,
    identified.user_id,
    identified.tenant,
    identified.customer,
    identified.team,
    identified.feature,
    identified.endpoint,
    identified.workflow,
    identified.agent,
    identified.agent_step,
    identified.environment,
    identified.from_zone,
    identified.to_zone,
    SUM(identified.requests) AS requests,
    SUM(identified.error_requests) AS error_requests,
    COALESCE(SUM(identified.uncached_input_tokens), 0) AS uncached_input_tokens,
    COALESCE(SUM(identified.cache_read_tokens), 0) AS cache_read_tokens,
    COALESCE(SUM(identified.cache_write_5m_tokens), 0) AS cache_write_5m_tokens,
    COALESCE(SUM(identified.cache_write_1h_tokens), 0) AS cache_write_1h_tokens,
    COALESCE(SUM(identified.output_tokens), 0) AS output_tokens,
    COALESCE(SUM(identified.reasoning_tokens), 0) AS reasoning_tokens,
    COALESCE(SUM(identified.web_searches), 0) AS web_searches,
    COALESCE(SUM(identified.saved_input_tokens), 0) AS saved_input_tokens,
    COALESCE(SUM(identified.saved_output_tokens), 0) AS saved_output_tokens,
    COALESCE(SUM(identified.uncached_audio_tokens), 0) AS uncached_audio_tokens,
    COALESCE(SUM(identified.cache_read_audio_tokens), 0) AS cache_read_audio_tokens,
    COALESCE(SUM(identified.output_audio_tokens), 0) AS output_audio_tokens,
    COALESCE(SUM(identified.uncached_image_tokens), 0) AS uncached_image_tokens,
    COALESCE(SUM(identified.cache_read_image_tokens), 0) AS cache_read_image_tokens,
    COALESCE(SUM(identified.output_image_tokens), 0) AS output_image_tokens,
    COALESCE(SUM(identified.request_bytes), 0) AS request_bytes,
    COALESCE(SUM(identified.response_bytes), 0) AS response_bytes,
    COALESCE(SUM(identified.request_seconds), 0) AS request_seconds
  FROM identified
  GROUP BY
    identified.charge_date,
    identified.provider,
    identified.sub_account_id,
    identified.region_id,
    identified.model,
    identified.service_tier,
    identified.context_min_tokens,
    identified.time_of_day_start,
    identified.user_id,
    identified.tenant,
    identified.customer,
    identified.team,
    identified.feature,
    identified.endpoint,
    identified.workflow,
    identified.agent,
    identified.agent_step,
    identified.environment,
    identified.from_zone,
    identified.to_zone
), digested AS (
  SELECT
    grouped.*,
    MD5(
      COALESCE(grouped.user_id, CHR(  30)) || CHR(  31) || COALESCE(grouped.tenant, CHR(  30)) || CHR(  31) || COALESCE(grouped.customer, CHR(  30)) || CHR(  31) || COALESCE(grouped.team, CHR(  30)) || CHR(  31) || COALESCE(grouped.feature, CHR(  30)) || CHR(  31) || COALESCE(grouped.endpoint, CHR(  30)) || CHR(  31) || COALESCE(grouped.workflow, CHR(  30)) || CHR(  31) || COALESCE(grouped.agent, CHR(  30)) || CHR(  31) || COALESCE(grouped.agent_step, CHR(  30)) || CHR(  31) || COALESCE(grouped.environment, CHR(  30))
    ) AS owner_id,
    MD5(
      COALESCE(grouped.provider, CHR(  30)) || CHR(  31) || COALESCE(grouped.sub_account_id, CHR(  30)) || CHR(  31) || COALESCE(grouped.region_id, CHR(  30)) || CHR(  31) || COALESCE(grouped.model, CHR(  30)) || CHR(  31) || COALESCE(grouped.service_tier, CHR(  30)) || CHR(  31) || COALESCE(CAST(grouped.context_min_tokens AS STRING), CHR(  30)) || CHR(  31) || COALESCE(grouped.time_of_day_start, CHR(  30)) || CHR(  31) || COALESCE(grouped.from_zone, CHR(  30)) || CHR(  31) || COALESCE(grouped.to_zone, CHR(  30))
    ) AS segment_id
  FROM grouped
)
SELECT
  digested.charge_date,
  MD5(digested.owner_id || digested.segment_id) AS usage_id,
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
  CAST(digested.uncached_audio_tokens AS BIGINT) AS uncached_audio_tokens,
  CAST(digested.cache_read_audio_tokens AS BIGINT) AS cache_read_audio_tokens,
  CAST(digested.output_audio_tokens AS BIGINT) AS output_audio_tokens,
  CAST(digested.uncached_image_tokens AS BIGINT) AS uncached_image_tokens,
  CAST(digested.cache_read_image_tokens AS BIGINT) AS cache_read_image_tokens,
  CAST(digested.output_image_tokens AS BIGINT) AS output_image_tokens,
  CAST(digested.request_bytes AS BIGINT) AS request_bytes,
  CAST(digested.response_bytes AS BIGINT) AS response_bytes,
  CAST(digested.request_seconds AS DECIMAL(18, 6)) AS request_seconds
FROM digested
