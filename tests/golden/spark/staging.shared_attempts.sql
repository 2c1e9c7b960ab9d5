WITH settings AS (
  SELECT
    *
  FROM reference.settings
), ranks AS (
  SELECT
    *
  FROM reference.request_ranks
), looked_at AS (
  SELECT
    *
  FROM staging.shared_identities
), links AS (
  SELECT
    *
  FROM staging.span_links
), gathered AS (
  SELECT
    requests.request_id,
    requests.x_source,
    requests.x_snapshot_id,
    requests.provider_request_id,
    requests.call_id,
    requests.logical_call_id,
    requests.trace_id,
    requests.span_id,
    requests.parent_span_id,
    requests.enclosing_call_span_id,
    requests.unresolved_parent_span_id,
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
    requests.status,
    requests.error_type,
    requests.uncached_input_tokens,
    requests.cache_read_tokens,
    requests.cache_write_5m_tokens,
    requests.cache_write_1h_tokens,
    requests.output_tokens,
    requests.reasoning_tokens,
    requests.audio_tokens,
    requests.image_tokens,
    requests.uncached_audio_tokens,
    requests.cache_read_audio_tokens,
    requests.output_audio_tokens,
    requests.uncached_image_tokens,
    requests.cache_read_image_tokens,
    requests.output_image_tokens,
    requests.provider_total_tokens,
    requests.usage_source,
    requests.raw_usage,
    requests.web_search_count,
    requests.saved_input_tokens,
    requests.saved_output_tokens,
    requests.reported_cost,
    requests.reported_cost_currency,
    requests.time_to_first_token_seconds,
    requests.prefill_seconds,
    requests.decode_seconds,
    requests.api_key_id,
    requests.principal_id,
    requests.from_zone,
    requests.to_zone,
    requests.request_bytes,
    requests.response_bytes,
    requests.replica_id,
    COALESCE(links.user_id, requests.user_id) AS user_id,
    COALESCE(links.tenant, requests.tenant) AS tenant,
    COALESCE(links.customer, requests.customer) AS customer,
    COALESCE(links.team, requests.team) AS team,
    COALESCE(links.feature, requests.feature) AS feature,
    COALESCE(links.endpoint, requests.endpoint) AS endpoint,
    COALESCE(links.workflow, requests.workflow) AS workflow,
    COALESCE(links.agent, requests.agent) AS agent,
    COALESCE(links.agent_step, requests.agent_step) AS agent_step,
    COALESCE(links.environment, requests.environment) AS environment,
    COALESCE(links.session_id, requests.session_id) AS session_id,
    COALESCE(links.resource_keys, requests.resource_keys) AS resource_keys,
    COALESCE(requests.emitter_kind, 'file') AS emitter_kind,
    COALESCE(links.is_wrapper, FALSE) AS is_wrapper,
    NOT requests.saved_input_tokens IS NULL
    OR NOT requests.saved_output_tokens IS NULL AS is_saved,
    CAST(requests.started_at AS DATE) AS report_date,
    CASE EXTRACT(HOUR FROM requests.started_at)
      WHEN 0
      THEN CAST(requests.started_at AS DATE)
      WHEN 23
      THEN CAST(CAST(requests.started_at AS DATE) + INTERVAL '1' DAY AS DATE)
    END AS midnight_date,
    CASE WHEN requests.trace_id <> requests.request_id THEN requests.trace_id END AS stated_trace_id,
    'response:' || requests.provider_request_id AS response_id,
    'span:' || requests.trace_id || ':' || requests.span_id AS trace_span_id,
    'call:' || requests.call_id AS own_call_id,
    MD5(
      COALESCE(CAST(requests.request_id AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.emitter_kind AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.provider_request_id AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.call_id AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.logical_call_id AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.trace_id AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.span_id AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.parent_span_id AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.enclosing_call_span_id AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.unresolved_parent_span_id AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.resource_keys AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.attempt_number AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.started_at AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.ended_at AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.duration_seconds AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.provider AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.sub_account_id AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.region_id AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.request_model AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.model AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.service_tier AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.status AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.error_type AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.uncached_input_tokens AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.cache_read_tokens AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.cache_write_5m_tokens AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.cache_write_1h_tokens AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.output_tokens AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.reasoning_tokens AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.audio_tokens AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.image_tokens AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.uncached_audio_tokens AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.cache_read_audio_tokens AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.output_audio_tokens AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.uncached_image_tokens AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.cache_read_image_tokens AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.output_image_tokens AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.provider_total_tokens AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.usage_source AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.raw_usage AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.web_search_count AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.saved_input_tokens AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.saved_output_tokens AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.reported_cost AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.reported_cost_currency AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.time_to_first_token_seconds AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.prefill_seconds AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.decode_seconds AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.user_id AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.tenant AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.customer AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.team AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.feature AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.endpoint AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.workflow AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.agent AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.agent_step AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.environment AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.session_id AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.api_key_id AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.principal_id AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.from_zone AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.to_zone AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.request_bytes AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.response_bytes AS STRING), CHR(  30)) || CHR(  31) || COALESCE(CAST(requests.replica_id AS STRING), CHR(  30))
    ) AS content_digest
  FROM lake.requests AS requests
  INNER JOIN looked_at
    ON CAST(requests.started_at AS DATE) = looked_at.report_date
    AND requests.request_id = looked_at.request_id
  LEFT JOIN links
    ON CAST(requests.started_at AS DATE) = links.span_date
    AND requests.trace_id = links.trace_id
    AND requests.span_id = links.span_id
    AND requests.emitter_kind = 'span'
  WHERE
    requests.started_at >= CAST(:start AS TIMESTAMP_NTZ) - INTERVAL '1' HOUR
    AND requests.started_at < CAST(:end AS TIMESTAMP_NTZ) + INTERVAL '1' HOUR
), reports AS (
  SELECT
    gathered.*,
    ROW_NUMBER() OVER (
      ORDER BY gathered.report_date NULLS LAST, gathered.request_id NULLS LAST, gathered.content_digest NULLS LAST, gathered.x_source NULLS LAST, gathered.x_snapshot_id NULLS LAST
    ) AS report_number
  FROM gathered
), scoped AS (
  SELECT
    CAST(reports.report_date AS TIMESTAMP_NTZ) + INTERVAL '12' HOUR AS scope_at,
    reports.report_number,
    reports.x_source,
    reports.emitter_kind,
    reports.is_saved,
    reports.content_digest,
    reports.response_id,
    reports.trace_span_id,
    reports.own_call_id
  FROM reports
  UNION ALL
  SELECT
    CAST(reports.midnight_date AS TIMESTAMP_NTZ) AS scope_at,
    reports.report_number,
    reports.x_source,
    reports.emitter_kind,
    reports.is_saved,
    reports.content_digest,
    reports.response_id,
    reports.trace_span_id,
    reports.own_call_id
  FROM reports
  WHERE
    NOT reports.midnight_date IS NULL
), stated_ids AS (
  SELECT
    scoped.scope_at,
    scoped.x_source,
    scoped.response_id AS id,
    scoped.content_digest
  FROM scoped
  WHERE
    NOT scoped.response_id IS NULL
  UNION ALL
  SELECT
    scoped.scope_at,
    scoped.x_source,
    scoped.trace_span_id AS id,
    scoped.content_digest
  FROM scoped
  WHERE
    NOT scoped.trace_span_id IS NULL
  UNION ALL
  SELECT
    scoped.scope_at,
    scoped.x_source,
    scoped.own_call_id AS id,
    scoped.content_digest
  FROM scoped
  WHERE
    NOT scoped.own_call_id IS NULL
), overused AS (
  SELECT
    stated_ids.scope_at,
    stated_ids.x_source,
    stated_ids.id
  FROM stated_ids
  CROSS JOIN settings
  GROUP BY
    stated_ids.scope_at,
    stated_ids.x_source,
    stated_ids.id,
    settings.reused_id_reports
  HAVING
    COUNT(DISTINCT stated_ids.content_digest) > settings.reused_id_reports
), reused AS (
  SELECT
    overused.scope_at,
    overused.id
  FROM overused
  GROUP BY
    overused.scope_at,
    overused.id
), saved_spans AS (
  SELECT
    scoped.scope_at,
    scoped.trace_span_id AS id
  FROM scoped
  WHERE
    scoped.is_saved AND NOT scoped.trace_span_id IS NULL
  GROUP BY
    scoped.scope_at,
    scoped.trace_span_id
), saved_calls AS (
  SELECT
    scoped.scope_at,
    scoped.own_call_id AS id
  FROM scoped
  WHERE
    scoped.is_saved AND NOT scoped.own_call_id IS NULL
  GROUP BY
    scoped.scope_at,
    scoped.own_call_id
), answered_spans AS (
  SELECT
    saved_spans.scope_at,
    saved_spans.id
  FROM saved_spans
  INNER JOIN scoped
    ON saved_spans.scope_at = scoped.scope_at AND saved_spans.id = scoped.trace_span_id
  GROUP BY
    saved_spans.scope_at,
    saved_spans.id
  HAVING
    MIN(
      CASE
        WHEN scoped.is_saved OR scoped.emitter_kind IN ('span', 'file')
        THEN 1
        ELSE 0
      END
    ) = 1
), answered_calls AS (
  SELECT
    saved_calls.scope_at,
    saved_calls.id
  FROM saved_calls
  INNER JOIN scoped
    ON saved_calls.scope_at = scoped.scope_at AND saved_calls.id = scoped.own_call_id
  GROUP BY
    saved_calls.scope_at,
    saved_calls.id
  HAVING
    MIN(
      CASE
        WHEN scoped.is_saved OR scoped.emitter_kind IN ('span', 'file')
        THEN 1
        ELSE 0
      END
    ) = 1
), distinguished AS (
  SELECT
    scoped.scope_at,
    scoped.report_number,
    scoped.x_source,
    scoped.is_saved,
    scoped.content_digest,
    CASE
      WHEN reused_responses.id IS NULL
      AND answered_spans.id IS NULL
      AND answered_calls.id IS NULL
      THEN scoped.response_id
    END AS response_id,
    CASE WHEN reused_spans.id IS NULL THEN scoped.trace_span_id END AS span_id,
    CASE WHEN reused_calls.id IS NULL THEN scoped.own_call_id END AS call_id,
    COALESCE(reused_responses.id, reused_spans.id, reused_calls.id) AS reused_id
  FROM scoped
  LEFT JOIN reused AS reused_responses
    ON scoped.scope_at = reused_responses.scope_at
    AND scoped.response_id = reused_responses.id
  LEFT JOIN reused AS reused_spans
    ON scoped.scope_at = reused_spans.scope_at
    AND scoped.trace_span_id = reused_spans.id
  LEFT JOIN reused AS reused_calls
    ON scoped.scope_at = reused_calls.scope_at AND scoped.own_call_id = reused_calls.id
  LEFT JOIN answered_spans
    ON scoped.scope_at = answered_spans.scope_at
    AND scoped.trace_span_id = answered_spans.id
  LEFT JOIN answered_calls
    ON scoped.scope_at = answered_calls.scope_at
    AND scoped.own_call_id = answered_calls.id
), call_names AS (
  SELECT
    distinguished.scope_at,
    distinguished.call_id,
    MIN(distinguished.response_id) AS first_id,
    MAX(distinguished.response_id) AS last_id
  FROM distinguished
  WHERE
    NOT distinguished.call_id IS NULL
    AND distinguished.response_id NOT LIKE 'response:chatcmpl-________-____-____-____-____________'
  GROUP BY
    distinguished.scope_at,
    distinguished.call_id
), hidden_names AS (
  SELECT
    distinguished.scope_at,
    distinguished.response_id,
    MIN(call_names.first_id) AS hidden_id
  FROM distinguished
  INNER JOIN call_names
    ON distinguished.scope_at = call_names.scope_at
    AND distinguished.call_id = call_names.call_id
  WHERE
    distinguished.response_id LIKE 'response:chatcmpl-________-____-____-____-____________'
  GROUP BY
    distinguished.scope_at,
    distinguished.response_id
  HAVING
    MIN(call_names.first_id) = MAX(call_names.last_id)
), identified AS (
  SELECT
    distinguished.scope_at,
    distinguished.report_number,
    distinguished.x_source,
    distinguished.is_saved,
    distinguished.content_digest,
    distinguished.span_id,
    distinguished.call_id,
    distinguished.reused_id,
    COALESCE(hidden_names.hidden_id, distinguished.response_id) AS response_id
  FROM distinguished
  LEFT JOIN hidden_names
    ON distinguished.scope_at = hidden_names.scope_at
    AND distinguished.response_id = hidden_names.response_id
), span_responses AS (
  SELECT
    identified.scope_at,
    identified.span_id,
    MIN(identified.response_id) AS response_id,
    MIN(identified.response_id) = MAX(identified.response_id) AS is_single
  FROM identified
  WHERE
    NOT identified.span_id IS NULL AND NOT identified.response_id IS NULL
  GROUP BY
    identified.scope_at,
    identified.span_id
), meetings AS (
  SELECT
    identified.scope_at,
    identified.span_id,
    identified.call_id,
    span_responses.response_id,
    span_responses.is_single
  FROM identified
  LEFT JOIN span_responses
    ON identified.scope_at = span_responses.scope_at
    AND identified.span_id = span_responses.span_id
  WHERE
    identified.response_id IS NULL
    AND NOT identified.span_id IS NULL
    AND NOT identified.call_id IS NULL
  GROUP BY
    identified.scope_at,
    identified.span_id,
    identified.call_id,
    span_responses.response_id,
    span_responses.is_single
), led_calls AS (
  SELECT
    identified.scope_at,
    identified.call_id,
    identified.response_id
  FROM identified
  WHERE
    NOT identified.call_id IS NULL AND NOT identified.response_id IS NULL
  UNION
  SELECT
    meetings.scope_at,
    meetings.call_id,
    meetings.response_id
  FROM meetings
  WHERE
    meetings.is_single
), call_responses AS (
  SELECT
    led_calls.scope_at,
    led_calls.call_id,
    MIN(led_calls.response_id) AS response_id,
    MIN(led_calls.response_id) = MAX(led_calls.response_id) AS is_single
  FROM led_calls
  GROUP BY
    led_calls.scope_at,
    led_calls.call_id
), led_spans AS (
  SELECT
    meetings.scope_at,
    meetings.span_id,
    MIN(call_responses.response_id) AS response_id,
    MIN(call_responses.response_id) = MAX(call_responses.response_id)
    AND MIN(CASE WHEN call_responses.is_single THEN 1 ELSE 0 END) = 1 AS is_single
  FROM meetings
  INNER JOIN call_responses
    ON meetings.scope_at = call_responses.scope_at
    AND meetings.call_id = call_responses.call_id
  WHERE
    meetings.response_id IS NULL
  GROUP BY
    meetings.scope_at,
    meetings.span_id
), call_spans AS (
  SELECT
    meetings.scope_at,
    meetings.call_id,
    MIN(meetings.span_id) AS span_id,
    MIN(meetings.span_id) = MAX(meetings.span_id) AS is_single
  FROM meetings
  GROUP BY
    meetings.scope_at,
    meetings.call_id
), resolved AS (
  SELECT
    identified.scope_at,
    identified.report_number,
    identified.reused_id,
    identified.response_id AS own_response_id,
    CASE
      WHEN NOT identified.response_id IS NULL
      THEN identified.response_id
      WHEN identified.is_saved AND NOT identified.span_id IS NULL
      THEN identified.span_id
      WHEN identified.is_saved AND NOT identified.call_id IS NULL
      THEN COALESCE(CASE WHEN call_spans.is_single THEN call_spans.span_id END, identified.call_id)
      WHEN NOT identified.span_id IS NULL AND span_responses.is_single
      THEN span_responses.response_id
      WHEN NOT identified.span_id IS NULL AND NOT span_responses.response_id IS NULL
      THEN identified.span_id
      WHEN NOT identified.span_id IS NULL AND led_spans.is_single
      THEN led_spans.response_id
      WHEN NOT identified.span_id IS NULL
      THEN identified.span_id
      WHEN NOT identified.call_id IS NULL AND call_responses.is_single
      THEN call_responses.response_id
      WHEN NOT identified.call_id IS NULL AND NOT call_responses.response_id IS NULL
      THEN identified.call_id
      WHEN NOT identified.call_id IS NULL AND call_spans.is_single
      THEN COALESCE(CASE WHEN ways_up.is_single THEN ways_up.response_id END, call_spans.span_id)
      WHEN NOT identified.call_id IS NULL
      THEN identified.call_id
      ELSE 'report:' || MD5(identified.x_source || CHR(  31) || identified.content_digest)
    END AS attempt_id,
    identified.response_id IS NULL
    AND NOT identified.is_saved
    AND CASE
      WHEN identified.span_id IS NULL
      THEN COALESCE(NOT COALESCE(call_responses.is_single, call_spans.is_single), FALSE)
      WHEN NOT span_responses.response_id IS NULL
      THEN NOT span_responses.is_single
      ELSE COALESCE(NOT led_spans.is_single, FALSE)
    END AS is_ambiguous
  FROM identified
  LEFT JOIN span_responses
    ON identified.scope_at = span_responses.scope_at
    AND identified.span_id = span_responses.span_id
  LEFT JOIN led_spans
    ON identified.scope_at = led_spans.scope_at
    AND identified.span_id = led_spans.span_id
  LEFT JOIN call_responses
    ON identified.scope_at = call_responses.scope_at
    AND identified.call_id = call_responses.call_id
  LEFT JOIN call_spans
    ON identified.scope_at = call_spans.scope_at
    AND identified.call_id = call_spans.call_id
  LEFT JOIN led_spans AS ways_up
    ON call_spans.scope_at = ways_up.scope_at AND call_spans.span_id = ways_up.span_id
), of_days AS (
  SELECT
    resolved.*
  FROM resolved
  WHERE
    EXTRACT(HOUR FROM resolved.scope_at) = 12
), of_midnights AS (
  SELECT
    resolved.*
  FROM resolved
  WHERE
    EXTRACT(HOUR FROM resolved.scope_at) = 0
), brought_names AS (
  SELECT
    of_midnights.scope_at,
    of_midnights.attempt_id
  FROM of_midnights
  INNER JOIN reports
    ON of_midnights.report_number = reports.report_number
  INNER JOIN of_days
    ON of_midnights.report_number = of_days.report_number
  WHERE
    of_midnights.attempt_id LIKE 'response:%'
  GROUP BY
    of_midnights.scope_at,
    of_midnights.attempt_id
  HAVING
    MAX(CASE WHEN reports.report_date = reports.midnight_date THEN 1 ELSE 0 END) = 1
    AND MAX(
      CASE
        WHEN reports.report_date < reports.midnight_date
        AND of_days.attempt_id = of_midnights.attempt_id
        THEN 1
        ELSE 0
      END
    ) = 0
), renamed_reports AS (
  SELECT
    of_days.report_number,
    of_days.scope_at,
    of_days.attempt_id AS day_attempt_id,
    of_midnights.attempt_id
  FROM brought_names
  INNER JOIN of_midnights
    ON brought_names.scope_at = of_midnights.scope_at
    AND brought_names.attempt_id = of_midnights.attempt_id
  INNER JOIN reports
    ON of_midnights.report_number = reports.report_number
  INNER JOIN of_days
    ON of_midnights.report_number = of_days.report_number
  WHERE
    reports.report_date < reports.midnight_date
    AND (
      of_days.own_response_id IS NULL
      OR reports.response_id LIKE 'response:chatcmpl-________-____-____-____-____________'
    )
), renamed_attempts AS (
  SELECT
    renamed_reports.scope_at,
    renamed_reports.day_attempt_id,
    MIN(renamed_reports.attempt_id) AS attempt_id
  FROM renamed_reports
  WHERE
    renamed_reports.day_attempt_id NOT LIKE 'response:%'
    OR renamed_reports.day_attempt_id LIKE 'response:chatcmpl-________-____-____-____-____________'
  GROUP BY
    renamed_reports.scope_at,
    renamed_reports.day_attempt_id
  HAVING
    MIN(renamed_reports.attempt_id) = MAX(renamed_reports.attempt_id)
), named_days AS (
  SELECT
    of_days.report_number,
    of_days.is_ambiguous,
    of_days.reused_id,
    COALESCE(renamed_reports.attempt_id, renamed_attempts.attempt_id, of_days.attempt_id) AS attempt_id,
    CASE
      WHEN NOT of_days.own_response_id IS NULL
      THEN COALESCE(renamed_reports.attempt_id, renamed_attempts.attempt_id, of_days.own_response_id)
    END AS own_response_id
  FROM of_days
  LEFT JOIN renamed_reports
    ON of_days.report_number = renamed_reports.report_number
  LEFT JOIN renamed_attempts
    ON of_days.scope_at = renamed_attempts.scope_at
    AND of_days.attempt_id = renamed_attempts.day_attempt_id
), hosts AS (
  SELECT
    of_midnights.scope_at,
    of_midnights.attempt_id AS midnight_attempt_id,
    COALESCE(
      MAX(
        CASE
          WHEN named_days.attempt_id = of_midnights.attempt_id
          THEN named_days.attempt_id
        END
      ),
      MIN(named_days.attempt_id)
    ) AS attempt_id
  FROM of_midnights
  INNER JOIN reports
    ON of_midnights.report_number = reports.report_number
  INNER JOIN named_days
    ON of_midnights.report_number = named_days.report_number
  WHERE
    reports.report_date < reports.midnight_date
  GROUP BY
    of_midnights.scope_at,
    of_midnights.attempt_id
), arrivals AS (
  SELECT
    of_midnights.scope_at,
    of_midnights.report_number,
    of_midnights.attempt_id,
    of_midnights.is_ambiguous,
    of_midnights.reused_id,
    of_midnights.own_response_id
  FROM of_midnights
  INNER JOIN reports
    ON of_midnights.report_number = reports.report_number
  WHERE
    reports.report_date = reports.midnight_date
), placed AS (
  SELECT
    named_days.report_number,
    COALESCE(hosts.attempt_id, named_days.attempt_id) AS attempt_id,
    NOT hosts.attempt_id IS NULL AS is_of_day_before,
    CASE
      WHEN hosts.attempt_id IS NULL
      THEN named_days.is_ambiguous
      ELSE arrivals.is_ambiguous
    END AS is_ambiguous,
    CASE
      WHEN hosts.attempt_id IS NULL
      THEN named_days.reused_id
      ELSE arrivals.reused_id
    END AS reused_id,
    CASE
      WHEN hosts.attempt_id IS NULL
      THEN named_days.own_response_id
      ELSE arrivals.own_response_id
    END AS own_response_id
  FROM named_days
  LEFT JOIN arrivals
    ON named_days.report_number = arrivals.report_number
  LEFT JOIN hosts
    ON arrivals.scope_at = hosts.scope_at
    AND arrivals.attempt_id = hosts.midnight_attempt_id
), members AS (
  SELECT
    placed.report_number,
    placed.attempt_id,
    CASE
      WHEN placed.is_of_day_before
      THEN CAST(reports.report_date - INTERVAL '1' DAY AS DATE)
      ELSE reports.report_date
    END AS attempt_date,
    placed.is_ambiguous,
    placed.reused_id,
    placed.own_response_id,
    reports.x_source,
    reports.is_wrapper,
    CASE
      WHEN reports.is_saved
      THEN 0
      WHEN reports.usage_source = 'reported'
      THEN 1
      WHEN reports.usage_source = 'estimated'
      THEN 2
      ELSE 3
    END AS usage_order,
    CASE WHEN reports.ended_at IS NULL THEN 1 ELSE 0 END AS time_order,
    CASE WHEN reports.span_id IS NULL THEN 2 ELSE 0 END + CASE WHEN reports.stated_trace_id IS NULL THEN 1 ELSE 0 END AS trace_order,
    COALESCE(ranks.usage_rank, 99) AS usage_rank,
    COALESCE(ranks.identity_rank, 99) AS identity_rank,
    COALESCE(ranks.time_rank, 99) AS time_rank,
    COALESCE(ranks.price_rank, 99) AS price_rank,
    COALESCE(ranks.status_rank, 99) AS status_rank,
    COALESCE(reports.usage_source, 'none') = 'reported' AND NOT reports.is_wrapper AS is_counted
  FROM placed
  INNER JOIN reports
    ON placed.report_number = reports.report_number
  LEFT JOIN ranks
    ON reports.emitter_kind = ranks.emitter_kind
), positioned AS (
  SELECT
    members.*,
    MIN(CASE WHEN members.is_counted THEN members.usage_rank END) OVER (PARTITION BY members.attempt_date, members.attempt_id) AS best_rank,
    DENSE_RANK() OVER (
      PARTITION BY members.attempt_date, members.attempt_id
      ORDER BY members.x_source NULLS LAST
    ) AS source_position,
    ROW_NUMBER() OVER (
      PARTITION BY members.attempt_date, members.attempt_id
      ORDER BY members.is_wrapper ASC NULLS LAST, members.usage_order ASC NULLS LAST, members.usage_rank ASC NULLS LAST, members.report_number ASC NULLS LAST
    ) AS usage_position,
    ROW_NUMBER() OVER (
      PARTITION BY members.attempt_date, members.attempt_id
      ORDER BY members.identity_rank ASC NULLS LAST, members.report_number ASC NULLS LAST
    ) AS identity_position,
    ROW_NUMBER() OVER (
      PARTITION BY members.attempt_date, members.attempt_id
      ORDER BY members.is_wrapper ASC NULLS LAST, members.time_order ASC NULLS LAST, members.time_rank ASC NULLS LAST, members.report_number ASC NULLS LAST
    ) AS time_position,
    ROW_NUMBER() OVER (
      PARTITION BY members.attempt_date, members.attempt_id
      ORDER BY members.is_wrapper ASC NULLS LAST, members.price_rank ASC NULLS LAST, members.report_number ASC NULLS LAST
    ) AS price_position,
    ROW_NUMBER() OVER (
      PARTITION BY members.attempt_date, members.attempt_id
      ORDER BY members.is_wrapper ASC NULLS LAST, members.status_rank ASC NULLS LAST, members.report_number ASC NULLS LAST
    ) AS status_position,
    ROW_NUMBER() OVER (
      PARTITION BY members.attempt_date, members.attempt_id
      ORDER BY members.trace_order ASC NULLS LAST, members.is_wrapper ASC NULLS LAST, members.identity_rank ASC NULLS LAST, members.report_number ASC NULLS LAST
    ) AS trace_position
  FROM members
  WHERE
    members.attempt_date >= CAST(:start AS DATE)
    AND members.attempt_date < CAST(:end AS DATE)
), keyed AS (
  SELECT
    reports.*,
    positioned.attempt_id,
    positioned.attempt_date,
    positioned.is_ambiguous,
    positioned.reused_id,
    positioned.source_position,
    positioned.usage_position,
    positioned.time_position,
    positioned.status_position,
    positioned.trace_position,
    positioned.own_response_id,
    LPAD(CAST(positioned.usage_position AS STRING), 8, '0') AS usage_key,
    LPAD(CAST(positioned.identity_position AS STRING), 8, '0') AS identity_key,
    LPAD(CAST(positioned.time_position AS STRING), 8, '0') AS time_key,
    LPAD(CAST(positioned.price_position AS STRING), 8, '0') AS price_key,
    CASE
      WHEN positioned.is_counted AND positioned.usage_rank = positioned.best_rank
      THEN COALESCE(CAST(reports.uncached_input_tokens AS STRING), '0') || ',' || COALESCE(CAST(reports.cache_read_tokens AS STRING), '0') || ',' || COALESCE(CAST(reports.cache_write_5m_tokens AS STRING), '0') || ',' || COALESCE(CAST(reports.cache_write_1h_tokens AS STRING), '0') || ',' || COALESCE(CAST(reports.output_tokens AS STRING), '0')
    END AS best_usage_text
  FROM positioned
  INNER JOIN reports
    ON positioned.report_number = reports.report_number
), merged AS (
  SELECT
    keyed.attempt_date,
    keyed.attempt_id AS request_id,
    MAX(CASE WHEN keyed.usage_position = 1 THEN keyed.x_source END) AS x_source,
    MAX(CASE WHEN keyed.usage_position = 1 THEN keyed.x_snapshot_id END) AS x_snapshot_id,
    MAX(CASE WHEN keyed.source_position = 1 THEN keyed.x_source END) || COALESCE(',' || MAX(CASE WHEN keyed.source_position = 2 THEN keyed.x_source END), '') || COALESCE(',' || MAX(CASE WHEN keyed.source_position = 3 THEN keyed.x_source END), '') || COALESCE(',' || MAX(CASE WHEN keyed.source_position = 4 THEN keyed.x_source END), '') || COALESCE(',' || MAX(CASE WHEN keyed.source_position = 5 THEN keyed.x_source END), '') || COALESCE(',' || MAX(CASE WHEN keyed.source_position = 6 THEN keyed.x_source END), '') || COALESCE(',' || MAX(CASE WHEN keyed.source_position = 7 THEN keyed.x_source END), '') || COALESCE(',' || MAX(CASE WHEN keyed.source_position = 8 THEN keyed.x_source END), '') || CASE WHEN MAX(keyed.source_position) > 8 THEN ',...' ELSE '' END AS x_sources,
    CAST(COUNT(*) AS BIGINT) AS reports,
    MAX(CASE WHEN keyed.usage_position = 1 THEN keyed.emitter_kind END) AS emitter_kind,
    SUBSTRING(MIN(keyed.price_key || keyed.own_response_id), 18) AS provider_request_id,
    SUBSTRING(MIN(keyed.identity_key || keyed.call_id), 9) AS call_id,
    SUBSTRING(MIN(keyed.identity_key || keyed.logical_call_id), 9) AS logical_call_id,
    COALESCE(
      MAX(CASE WHEN keyed.trace_position = 1 THEN keyed.stated_trace_id END),
      keyed.attempt_id
    ) AS trace_id,
    MAX(CASE WHEN keyed.trace_position = 1 THEN keyed.span_id END) AS span_id,
    MAX(CASE WHEN keyed.trace_position = 1 THEN keyed.parent_span_id END) AS parent_span_id,
    MAX(keyed.attempt_number) AS attempt_number,
    COALESCE(
      MAX(
        CASE
          WHEN keyed.time_position = 1 AND CAST(keyed.started_at AS DATE) = keyed.attempt_date
          THEN keyed.started_at
        END
      ),
      MIN(
        CASE
          WHEN CAST(keyed.started_at AS DATE) = keyed.attempt_date
          THEN keyed.started_at
        END
      )
    ) AS started_at,
    MAX(CASE WHEN keyed.time_position = 1 THEN keyed.ended_at END) AS ended_at,
    MAX(CASE WHEN keyed.time_position = 1 THEN keyed.duration_seconds END) AS duration_seconds,
    SUBSTRING(MIN(keyed.price_key || keyed.provider), 9) AS provider,
    SUBSTRING(MIN(keyed.price_key || keyed.sub_account_id), 9) AS sub_account_id,
    SUBSTRING(MIN(keyed.price_key || keyed.region_id), 9) AS region_id,
    SUBSTRING(MIN(keyed.price_key || keyed.request_model), 9) AS request_model,
    SUBSTRING(MIN(keyed.price_key || keyed.model), 9) AS model,
    SUBSTRING(MIN(keyed.price_key || keyed.service_tier), 9) AS service_tier,
    MAX(CASE WHEN keyed.status_position = 1 THEN keyed.status END) AS status,
    MAX(CASE WHEN keyed.status_position = 1 THEN keyed.error_type END) AS error_type,
    MAX(CASE WHEN keyed.usage_position = 1 THEN keyed.uncached_input_tokens END) AS uncached_input_tokens,
    MAX(CASE WHEN keyed.usage_position = 1 THEN keyed.cache_read_tokens END) AS cache_read_tokens,
    MAX(CASE WHEN keyed.usage_position = 1 THEN keyed.cache_write_5m_tokens END) AS cache_write_5m_tokens,
    MAX(CASE WHEN keyed.usage_position = 1 THEN keyed.cache_write_1h_tokens END) AS cache_write_1h_tokens,
    MAX(CASE WHEN keyed.usage_position = 1 THEN keyed.output_tokens END) AS output_tokens,
    MAX(CASE WHEN keyed.usage_position = 1 THEN keyed.reasoning_tokens END) AS reasoning_tokens,
    MAX(CASE WHEN keyed.usage_position = 1 THEN keyed.audio_tokens END) AS audio_tokens,
    MAX(CASE WHEN keyed.usage_position = 1 THEN keyed.image_tokens END) AS image_tokens,
    MAX(CASE WHEN keyed.usage_position = 1 THEN keyed.uncached_audio_tokens END) AS uncached_audio_tokens,
    MAX(CASE WHEN keyed.usage_position = 1 THEN keyed.cache_read_audio_tokens END) AS cache_read_audio_tokens,
    MAX(CASE WHEN keyed.usage_position = 1 THEN keyed.output_audio_tokens END) AS output_audio_tokens,
    MAX(CASE WHEN keyed.usage_position = 1 THEN keyed.uncached_image_tokens END) AS uncached_image_tokens,
    MAX(CASE WHEN keyed.usage_position = 1 THEN keyed.cache_read_image_tokens END) AS cache_read_image_tokens,
    MAX(CASE WHEN keyed.usage_position = 1 THEN keyed.output_image_tokens END) AS output_image_tokens,
    MAX(CASE WHEN keyed.usage_position = 1 THEN keyed.provider_total_tokens END) AS provider_total_tokens,
    MAX(CASE WHEN keyed.usage_position = 1 THEN keyed.usage_source END) AS usage_source,
    MAX(CASE WHEN keyed.usage_position = 1 THEN keyed.raw_usage END) AS raw_usage,
    CAST(SUBSTRING(MIN(keyed.usage_key || CAST(keyed.web_search_count AS STRING)), 9) AS BIGINT) AS web_search_count,
    MAX(CASE WHEN keyed.usage_position = 1 THEN keyed.saved_input_tokens END) AS saved_input_tokens,
    MAX(CASE WHEN keyed.usage_position = 1 THEN keyed.saved_output_tokens END) AS saved_output_tokens,
    CAST(SUBSTRING(MIN(keyed.usage_key || CAST(keyed.reported_cost AS STRING)), 9) AS DECIMAL(38, 12)) AS reported_cost,
    NULLIF(
      SUBSTRING(
        MIN(
          CASE
            WHEN NOT keyed.reported_cost IS NULL
            THEN keyed.usage_key || COALESCE(keyed.reported_cost_currency, '')
          END
        ),
        9
      ),
      ''
    ) AS reported_cost_currency,
    CAST(SUBSTRING(MIN(keyed.time_key || CAST(keyed.time_to_first_token_seconds AS STRING)), 9) AS DECIMAL(18, 6)) AS time_to_first_token_seconds,
    CAST(SUBSTRING(MIN(keyed.time_key || CAST(keyed.prefill_seconds AS STRING)), 9) AS DECIMAL(18, 6)) AS prefill_seconds,
    CAST(SUBSTRING(MIN(keyed.time_key || CAST(keyed.decode_seconds AS STRING)), 9) AS DECIMAL(18, 6)) AS decode_seconds,
    MIN(
      CASE WHEN keyed.resource_keys LIKE '%,user_id,%' THEN '1' ELSE '0' END || keyed.identity_key || keyed.user_id
    ) AS told_user_id,
    MIN(
      CASE WHEN keyed.resource_keys LIKE '%,tenant,%' THEN '1' ELSE '0' END || keyed.identity_key || keyed.tenant
    ) AS told_tenant,
    MIN(
      CASE WHEN keyed.resource_keys LIKE '%,customer,%' THEN '1' ELSE '0' END || keyed.identity_key || keyed.customer
    ) AS told_customer,
    MIN(
      CASE WHEN keyed.resource_keys LIKE '%,team,%' THEN '1' ELSE '0' END || keyed.identity_key || keyed.team
    ) AS told_team,
    MIN(
      CASE WHEN keyed.resource_keys LIKE '%,feature,%' THEN '1' ELSE '0' END || keyed.identity_key || keyed.feature
    ) AS told_feature,
    MIN(
      CASE WHEN keyed.resource_keys LIKE '%,endpoint,%' THEN '1' ELSE '0' END || keyed.identity_key || keyed.endpoint
    ) AS told_endpoint,
    MIN(
      CASE WHEN keyed.resource_keys LIKE '%,workflow,%' THEN '1' ELSE '0' END || keyed.identity_key || keyed.workflow
    ) AS told_workflow,
    MIN(
      CASE WHEN keyed.resource_keys LIKE '%,agent,%' THEN '1' ELSE '0' END || keyed.identity_key || keyed.agent
    ) AS told_agent,
    MIN(
      CASE WHEN keyed.resource_keys LIKE '%,agent_step,%' THEN '1' ELSE '0' END || keyed.identity_key || keyed.agent_step
    ) AS told_agent_step,
    MIN(
      CASE WHEN keyed.resource_keys LIKE '%,environment,%' THEN '1' ELSE '0' END || keyed.identity_key || keyed.environment
    ) AS told_environment,
    MIN(
      CASE WHEN keyed.resource_keys LIKE '%,session_id,%' THEN '1' ELSE '0' END || keyed.identity_key || keyed.session_id
    ) AS told_session_id,
    SUBSTRING(MIN(keyed.identity_key || keyed.api_key_id), 9) AS api_key_id,
    SUBSTRING(MIN(keyed.identity_key || keyed.principal_id), 9) AS principal_id,
    SUBSTRING(MIN(keyed.identity_key || keyed.from_zone), 9) AS from_zone,
    SUBSTRING(MIN(keyed.identity_key || keyed.to_zone), 9) AS to_zone,
    CAST(SUBSTRING(MIN(keyed.time_key || CAST(keyed.request_bytes AS STRING)), 9) AS BIGINT) AS request_bytes,
    CAST(SUBSTRING(MIN(keyed.time_key || CAST(keyed.response_bytes AS STRING)), 9) AS BIGINT) AS response_bytes,
    SUBSTRING(MIN(keyed.identity_key || keyed.replica_id), 9) AS replica_id,
    COALESCE(MIN(keyed.best_usage_text) <> MAX(keyed.best_usage_text), FALSE) AS is_contradicted,
    MAX(CASE WHEN keyed.is_ambiguous THEN 1 ELSE 0 END) = 1 AS is_ambiguous,
    MAX(keyed.reused_id) AS reused_id
  FROM keyed
  GROUP BY
    keyed.attempt_date,
    keyed.attempt_id
  HAVING
    MIN(CASE WHEN keyed.is_wrapper THEN 1 ELSE 0 END) = 0
), further AS (
  SELECT
    merged.attempt_date,
    merged.request_id,
    merged.trace_id AS first_request_id
  FROM merged
  WHERE
    merged.trace_id = 'response:' || merged.logical_call_id
    AND merged.request_id <> merged.trace_id
), led AS (
  SELECT
    further.attempt_date,
    further.request_id,
    firsts.trace_id,
    firsts.told_user_id,
    firsts.told_tenant,
    firsts.told_customer,
    firsts.told_team,
    firsts.told_feature,
    firsts.told_endpoint,
    firsts.told_workflow,
    firsts.told_agent,
    firsts.told_agent_step,
    firsts.told_environment,
    firsts.told_session_id
  FROM further
  INNER JOIN merged AS firsts
    ON further.attempt_date = firsts.attempt_date
    AND further.first_request_id = firsts.request_id
)
SELECT
  merged.request_id,
  merged.x_source,
  merged.x_snapshot_id,
  merged.x_sources,
  merged.reports,
  merged.emitter_kind,
  merged.provider_request_id,
  merged.call_id,
  merged.logical_call_id,
  COALESCE(led.trace_id, merged.trace_id) AS trace_id,
  merged.span_id,
  merged.parent_span_id,
  merged.attempt_number,
  merged.started_at,
  merged.ended_at,
  merged.duration_seconds,
  merged.provider,
  merged.sub_account_id,
  merged.region_id,
  merged.request_model,
  merged.model,
  merged.service_tier,
  merged.status,
  merged.error_type,
  merged.uncached_input_tokens,
  merged.cache_read_tokens,
  merged.cache_write_5m_tokens,
  merged.cache_write_1h_tokens,
  merged.output_tokens,
  merged.reasoning_tokens,
  merged.audio_tokens,
  merged.image_tokens,
  merged.uncached_audio_tokens,
  merged.cache_read_audio_tokens,
  merged.output_audio_tokens,
  merged.uncached_image_tokens,
  merged.cache_read_image_tokens,
  merged.output_image_tokens,
  merged.provider_total_tokens,
  merged.usage_source,
  merged.raw_usage,
  merged.web_search_count,
  merged.saved_input_tokens,
  merged.saved_output_tokens,
  merged.reported_cost,
  merged.reported_cost_currency,
  merged.time_to_first_token_seconds,
  merged.prefill_seconds,
  merged.decode_seconds,
  SUBSTRING(COALESCE(merged.told_user_id, led.told_user_id), 10) AS user_id,
  SUBSTRING(COALESCE(merged.told_tenant, led.told_tenant), 10) AS tenant,
  SUBSTRING(COALESCE(merged.told_customer, led.told_customer), 10) AS customer,
  SUBSTRING(COALESCE(merged.told_team, led.told_team), 10) AS team,
  SUBSTRING(COALESCE(merged.told_feature, led.told_feature), 10) AS feature,
  SUBSTRING(COALESCE(merged.told_endpoint, led.told_endpoint), 10) AS endpoint,
  SUBSTRING(COALESCE(merged.told_workflow, led.told_workflow), 10) AS workflow,
  SUBSTRING(COALESCE(merged.told_agent, led.told_agent), 10) AS agent,
  SUBSTRING(COALESCE(merged.told_agent_step, led.told_agent_step), 10) AS agent_step,
  SUBSTRING(COALESCE(merged.told_environment, led.told_environment), 10) AS environment,
  SUBSTRING(COALESCE(merged.told_session_id, led.told_session_id), 10) AS session_id,
  NULLIF(
    ',' || CASE
      WHEN COALESCE(merged.told_user_id, led.told_user_id) LIKE '1%'
      THEN 'user_id,'
      ELSE ''
    END || CASE
      WHEN COALESCE(merged.told_tenant, led.told_tenant) LIKE '1%'
      THEN 'tenant,'
      ELSE ''
    END || CASE
      WHEN COALESCE(merged.told_customer, led.told_customer) LIKE '1%'
      THEN 'customer,'
      ELSE ''
    END || CASE
      WHEN COALESCE(merged.told_team, led.told_team) LIKE '1%'
      THEN 'team,'
      ELSE ''
    END || CASE
      WHEN COALESCE(merged.told_feature, led.told_feature) LIKE '1%'
      THEN 'feature,'
      ELSE ''
    END || CASE
      WHEN COALESCE(merged.told_endpoint, led.told_endpoint) LIKE '1%'
      THEN 'endpoint,'
      ELSE ''
    END || CASE
      WHEN COALESCE(merged.told_workflow, led.told_workflow) LIKE '1%'
      THEN 'workflow,'
      ELSE ''
    END || CASE
      WHEN COALESCE(merged.told_agent, led.told_agent) LIKE '1%'
      THEN 'agent,'
      ELSE ''
    END || CASE
      WHEN COALESCE(merged.told_agent_step, led.told_agent_step) LIKE '1%'
      THEN 'agent_step,'
      ELSE ''
    END || CASE
      WHEN COALESCE(merged.told_environment, led.told_environment) LIKE '1%'
      THEN 'environment,'
      ELSE ''
    END || CASE
      WHEN COALESCE(merged.told_session_id, led.told_session_id) LIKE '1%'
      THEN 'session_id,'
      ELSE ''
    END,
    ','
  ) AS resource_keys,
  merged.api_key_id,
  merged.principal_id,
  merged.from_zone,
  merged.to_zone,
  merged.request_bytes,
  merged.response_bytes,
  merged.replica_id,
  merged.is_contradicted,
  merged.is_ambiguous,
  merged.reused_id
FROM merged
LEFT JOIN led
  ON merged.attempt_date = led.attempt_date AND merged.request_id = led.request_id
