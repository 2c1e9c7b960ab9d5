WITH spans AS (
  SELECT
    *
  FROM staging.spans
  WHERE
    started_at >= CAST(:start AS TIMESTAMP_NTZ)
    AND started_at < CAST(:end AS TIMESTAMP_NTZ)
), ranked AS (
  SELECT
    spans.*,
    ROW_NUMBER() OVER (
      PARTITION BY spans.trace_id
      ORDER BY spans.started_at NULLS LAST, spans.span_id NULLS LAST
    ) AS root_rank
  FROM spans
  WHERE
    spans.parent_span_id IS NULL
)
SELECT
  CAST(ranked.started_at AS DATE) AS root_date,
  ranked.trace_id,
  MD5(
    COALESCE(ranked.user_id, CHR(  30)) || CHR(  31) || COALESCE(ranked.tenant, CHR(  30)) || CHR(  31) || COALESCE(ranked.customer, CHR(  30)) || CHR(  31) || COALESCE(ranked.team, CHR(  30)) || CHR(  31) || COALESCE(ranked.feature, CHR(  30)) || CHR(  31) || COALESCE(ranked.endpoint, CHR(  30)) || CHR(  31) || COALESCE(ranked.workflow, CHR(  30)) || CHR(  31) || COALESCE(ranked.agent, CHR(  30)) || CHR(  31) || COALESCE(ranked.agent_step, CHR(  30)) || CHR(  31) || COALESCE(ranked.environment, CHR(  30)) || CHR(  31) || ranked.resource_keys
  ) AS root_identity_id,
  ranked.resource_keys,
  ranked.user_id,
  ranked.tenant,
  ranked.customer,
  ranked.team,
  ranked.feature,
  ranked.endpoint,
  ranked.workflow,
  ranked.agent,
  ranked.agent_step,
  ranked.environment
FROM ranked
WHERE
  ranked.root_rank = 1
