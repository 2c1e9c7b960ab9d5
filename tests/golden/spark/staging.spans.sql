WITH other_spans AS (
  SELECT
    *
  FROM lake.spans
  WHERE
    NOT trace_id IS NULL AND NOT span_id IS NULL
), calls AS (
  SELECT
    *
  FROM lake.requests
  WHERE
    emitter_kind = 'span' AND NOT span_id IS NULL
), links AS (
  SELECT
    *
  FROM staging.span_links
), delivered AS (
  SELECT
    other_spans.x_source,
    other_spans.x_snapshot_id,
    other_spans.trace_id,
    other_spans.span_id,
    other_spans.parent_span_id,
    other_spans.span_kind,
    other_spans.started_at,
    other_spans.ended_at,
    other_spans.status,
    other_spans.tool_name,
    other_spans.resource_keys,
    other_spans.user_id,
    other_spans.tenant,
    other_spans.customer,
    other_spans.team,
    other_spans.feature,
    other_spans.endpoint,
    other_spans.workflow,
    other_spans.agent,
    other_spans.agent_step,
    other_spans.environment,
    other_spans.session_id
  FROM other_spans
  UNION ALL
  SELECT
    calls.x_source,
    calls.x_snapshot_id,
    calls.trace_id,
    calls.span_id,
    calls.parent_span_id,
    'chain' AS span_kind,
    calls.started_at,
    calls.ended_at,
    calls.status,
    CAST(NULL AS STRING) AS tool_name,
    calls.resource_keys,
    calls.user_id,
    calls.tenant,
    calls.customer,
    calls.team,
    calls.feature,
    calls.endpoint,
    calls.workflow,
    calls.agent,
    calls.agent_step,
    calls.environment,
    calls.session_id
  FROM calls
  INNER JOIN links
    ON calls.trace_id = links.trace_id
    AND calls.span_id = links.span_id
    AND CAST(calls.started_at AS DATE) = links.span_date
  WHERE
    links.is_wrapper
), repeated AS (
  SELECT
    delivered.trace_id,
    delivered.span_id
  FROM delivered
  GROUP BY
    delivered.trace_id,
    delivered.span_id
  HAVING
    COUNT(*) > 1
), ranked AS (
  SELECT
    delivered.*,
    ROW_NUMBER() OVER (
      PARTITION BY delivered.trace_id, delivered.span_id
      ORDER BY COALESCE(delivered.ended_at, delivered.started_at) DESC, delivered.started_at ASC NULLS LAST, COALESCE(delivered.parent_span_id, '') ASC NULLS LAST, delivered.span_kind ASC NULLS LAST, delivered.status ASC NULLS LAST, COALESCE(delivered.tool_name, '') ASC NULLS LAST, delivered.x_source ASC NULLS LAST, delivered.x_snapshot_id ASC NULLS LAST
    ) AS version_rank
  FROM delivered
  INNER JOIN repeated
    ON delivered.trace_id = repeated.trace_id AND delivered.span_id = repeated.span_id
), single AS (
  SELECT
    delivered.*,
    1 AS version_rank
  FROM delivered
  LEFT JOIN repeated
    ON delivered.trace_id = repeated.trace_id AND delivered.span_id = repeated.span_id
  WHERE
    repeated.span_id IS NULL
), spans AS (
  SELECT
    single.*
  FROM single
  UNION ALL
  SELECT
    ranked.*
  FROM ranked
  WHERE
    ranked.version_rank = 1
)
SELECT
  spans.x_source,
  spans.x_snapshot_id,
  spans.trace_id,
  spans.span_id,
  spans.parent_span_id,
  spans.span_kind,
  spans.started_at,
  spans.ended_at,
  spans.status,
  spans.tool_name,
  COALESCE(links.resource_keys, spans.resource_keys, ',') AS resource_keys,
  COALESCE(links.user_id, spans.user_id) AS user_id,
  COALESCE(links.tenant, spans.tenant) AS tenant,
  COALESCE(links.customer, spans.customer) AS customer,
  COALESCE(links.team, spans.team) AS team,
  COALESCE(links.feature, spans.feature) AS feature,
  COALESCE(links.endpoint, spans.endpoint) AS endpoint,
  COALESCE(links.workflow, spans.workflow) AS workflow,
  COALESCE(links.agent, spans.agent) AS agent,
  COALESCE(links.agent_step, spans.agent_step) AS agent_step,
  COALESCE(links.environment, spans.environment) AS environment,
  COALESCE(links.session_id, spans.session_id) AS session_id
FROM spans
LEFT JOIN links
  ON spans.trace_id = links.trace_id
  AND spans.span_id = links.span_id
  AND CAST(spans.started_at AS DATE) = links.span_date
