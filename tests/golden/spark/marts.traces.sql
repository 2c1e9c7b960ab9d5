WITH traces AS (
  SELECT
    *
  FROM core.traces
)
SELECT
  traces.trace_id,
  traces.root_started_at,
  traces.feature,
  traces.endpoint,
  traces.user_id,
  traces.calls,
  traces.attempts,
  traces.depth,
  traces.agents,
  traces.providers,
  traces.zones,
  traces.input_tokens,
  traces.output_tokens,
  traces.duration_seconds,
  traces.inference_cost,
  traces.egress_cost,
  traces.monitoring_cost,
  traces.total_cost,
  traces.reporting_currency,
  traces.is_loop,
  traces.status,
  traces.root_date,
  traces.tenant,
  traces.team,
  traces.workflow,
  traces.environment,
  traces.models,
  traces.error_requests,
  traces.repeated_calls,
  traces.saved_input_tokens,
  traces.saved_output_tokens
FROM traces
