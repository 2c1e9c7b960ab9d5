WITH steps AS (
  SELECT
    *
  FROM core.trace_steps
)
SELECT
  steps.trace_id,
  steps.parent_agent,
  steps.agent,
  steps.agent_step,
  steps.calls,
  steps.attempts,
  steps.error_requests,
  steps.input_tokens,
  steps.output_tokens,
  steps.self_cost,
  steps.delegated_cost,
  steps.total_cost,
  steps.retry_cost,
  steps.reporting_currency,
  steps.root_date,
  steps.trace_step_id
FROM steps
