WITH RECURSIVE delivered AS (
  SELECT
    *
  FROM staging.spans
), built_traces AS (
  SELECT DISTINCT
    delivered.trace_id
  FROM delivered
  WHERE
    delivered.started_at >= CAST(:start AS TIMESTAMP_NTZ)
    AND delivered.started_at < CAST(:end AS TIMESTAMP_NTZ)
), spans AS (
  SELECT
    delivered.trace_id,
    delivered.span_id,
    CAST(delivered.started_at AS DATE) AS span_date,
    MIN(delivered.parent_span_id) AS parent_span_id,
    MAX(delivered.agent) AS agent,
    MAX(delivered.agent_step) AS agent_step
  FROM delivered
  INNER JOIN built_traces
    ON delivered.trace_id = built_traces.trace_id
  GROUP BY
    delivered.trace_id,
    delivered.span_id,
    CAST(delivered.started_at AS DATE)
), known_parents AS (
  SELECT DISTINCT
    children.trace_id,
    children.span_id,
    children.span_date
  FROM spans AS children
  INNER JOIN spans AS parents
    ON children.trace_id = parents.trace_id
    AND children.parent_span_id = parents.span_id
    AND children.span_date >= parents.span_date
    AND parents.span_date >= CAST(children.span_date - INTERVAL '2' DAY AS DATE)
), tree AS (
  SELECT
    spans.trace_id,
    spans.span_id,
    spans.span_date,
    spans.span_date AS first_date,
    CAST(NULL AS STRING) AS parent_step_id,
    CAST(NULL AS STRING) AS parent_agent,
    spans.agent,
    spans.agent_step,
    spans.parent_span_id IS NULL AS is_rooted,
    1 AS depth
  FROM spans
  LEFT JOIN known_parents
    ON spans.trace_id = known_parents.trace_id
    AND spans.span_id = known_parents.span_id
    AND spans.span_date = known_parents.span_date
  WHERE
    known_parents.span_id IS NULL
  UNION ALL
  SELECT
    spans.trace_id,
    spans.span_id,
    spans.span_date,
    tree.first_date,
    CASE
      WHEN spans.agent <> tree.agent
      THEN MD5(
        COALESCE(tree.parent_step_id, CHR(  30)) || CHR(  31) || COALESCE(tree.agent, CHR(  30)) || CHR(  31) || COALESCE(tree.agent_step, CHR(  30))
      )
      ELSE tree.parent_step_id
    END AS parent_step_id,
    CASE WHEN spans.agent <> tree.agent THEN tree.agent ELSE tree.parent_agent END AS parent_agent,
    COALESCE(spans.agent, tree.agent) AS agent,
    CASE
      WHEN spans.agent <> tree.agent
      THEN spans.agent_step
      ELSE COALESCE(spans.agent_step, tree.agent_step)
    END AS agent_step,
    tree.is_rooted,
    tree.depth + 1 AS depth
  FROM spans
  INNER JOIN tree
    ON spans.trace_id = tree.trace_id
    AND spans.parent_span_id = tree.span_id
    AND spans.span_date >= tree.span_date
    AND spans.span_date <= CAST(tree.span_date + INTERVAL '2' DAY AS DATE)
    AND spans.span_date <= CAST(tree.first_date + INTERVAL '2' DAY AS DATE)
  WHERE
    tree.depth < 64
), stepped AS (
  SELECT
    tree.*,
    MD5(
      COALESCE(tree.parent_step_id, CHR(  30)) || CHR(  31) || COALESCE(tree.agent, CHR(  30)) || CHR(  31) || COALESCE(tree.agent_step, CHR(  30))
    ) AS step_id
  FROM tree
  WHERE
    tree.span_date >= :start AND tree.span_date < :end
), ranked AS (
  SELECT
    stepped.*,
    ROW_NUMBER() OVER (
      PARTITION BY stepped.span_date, stepped.trace_id, stepped.span_id
      ORDER BY stepped.depth DESC, stepped.is_rooted DESC, stepped.first_date ASC NULLS LAST, stepped.step_id ASC NULLS LAST
    ) AS way_rank
  FROM stepped
)
SELECT
  ranked.span_date,
  ranked.trace_id,
  ranked.span_id,
  ranked.step_id,
  ranked.parent_step_id,
  ranked.parent_agent,
  ranked.agent,
  ranked.agent_step,
  CAST(CASE WHEN ranked.is_rooted THEN ranked.depth END AS BIGINT) AS depth
FROM ranked
WHERE
  ranked.way_rank = 1
