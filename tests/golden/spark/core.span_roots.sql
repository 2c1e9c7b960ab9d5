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
      ORDER BY spans.started_at NULLS LAST, spans.span_id NULLS LAST, spans.x_snapshot_id NULLS LAST
    ) AS root_rank
  FROM spans
  WHERE
    spans.parent_span_id IS NULL
)
SELECT
  CAST(ranked.started_at AS DATE) AS root_date,
  ranked.trace_id,
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
