WITH source AS (
  SELECT
    *
  FROM lake.spans
)
SELECT
  source.x_source,
  source.x_snapshot_id,
  source.trace_id,
  source.span_id,
  source.parent_span_id,
  source.span_kind,
  source.started_at,
  source.ended_at,
  source.status,
  source.tool_name,
  source.user_id,
  source.tenant,
  source.customer,
  source.team,
  source.feature,
  source.endpoint,
  source.workflow,
  source.agent,
  source.agent_step,
  source.environment,
  source.session_id
FROM source
