WITH attempts AS (
  SELECT
    CAST(shared.started_at AS DATE) AS charge_date,
    shared.x_sources,
    shared.is_contradicted,
    shared.is_ambiguous,
    shared.reused_id
  FROM staging.shared_attempts AS shared
  WHERE
    shared.started_at >= CAST(:start AS TIMESTAMP_NTZ)
    AND shared.started_at < CAST(:end AS TIMESTAMP_NTZ)
), sources AS (
  SELECT
    sources.report_date,
    sources.x_source,
    COALESCE(sources.emitter_kind, 'file') AS emitter_kind,
    COALESCE(names.provider, sources.provider) AS provider,
    COALESCE(names.model, sources.model) AS model,
    SUM(sources.reports) AS reports,
    SUM(sources.named_reports) AS named_reports,
    SUM(sources.span_reports) AS span_reports,
    SUM(sources.call_reports) AS call_reports
  FROM staging.request_sources AS sources
  LEFT JOIN core.model_names AS names
    ON sources.report_date = names.charge_date
    AND COALESCE(sources.provider, CHR(  30)) = COALESCE(names.logged_provider, CHR(  30))
    AND COALESCE(sources.model, CHR(  30)) = COALESCE(names.logged_model, CHR(  30))
  WHERE
    sources.report_date >= :start AND sources.report_date < :end
  GROUP BY
    sources.report_date,
    sources.x_source,
    COALESCE(sources.emitter_kind, 'file'),
    COALESCE(names.provider, sources.provider),
    COALESCE(names.model, sources.model)
), doubtful AS (
  SELECT
    sources.report_date,
    sources.x_source || ',' || others.x_source AS x_sources,
    sources.provider,
    sources.model,
    LEAST(sources.reports, others.reports) AS requests
  FROM sources
  INNER JOIN sources AS others
    ON sources.report_date = others.report_date
    AND sources.model = others.model
    AND COALESCE(sources.provider, CHR(  30)) = COALESCE(others.provider, CHR(  30))
    AND sources.x_source < others.x_source
    AND sources.emitter_kind <> others.emitter_kind
  WHERE
    LEAST(sources.named_reports, others.named_reports) = 0
    AND LEAST(sources.span_reports, others.span_reports) = 0
    AND LEAST(sources.call_reports, others.call_reports) = 0
), found AS (
  SELECT
    attempts.charge_date,
    'contradicting_reports' AS finding,
    attempts.x_sources,
    CAST(NULL AS STRING) AS provider,
    CAST(NULL AS STRING) AS model,
    CAST(NULL AS STRING) AS reused_id,
    COUNT(*) AS requests
  FROM attempts
  WHERE
    attempts.is_contradicted
  GROUP BY
    attempts.charge_date,
    attempts.x_sources
  UNION ALL
  SELECT
    attempts.charge_date,
    'ambiguous_reports' AS finding,
    attempts.x_sources,
    CAST(NULL AS STRING) AS provider,
    CAST(NULL AS STRING) AS model,
    CAST(NULL AS STRING) AS reused_id,
    COUNT(*) AS requests
  FROM attempts
  WHERE
    attempts.is_ambiguous
  GROUP BY
    attempts.charge_date,
    attempts.x_sources
  UNION ALL
  SELECT
    attempts.charge_date,
    'reused_id' AS finding,
    attempts.x_sources,
    CAST(NULL AS STRING) AS provider,
    CAST(NULL AS STRING) AS model,
    attempts.reused_id,
    COUNT(*) AS requests
  FROM attempts
  WHERE
    NOT attempts.reused_id IS NULL
  GROUP BY
    attempts.charge_date,
    attempts.x_sources,
    attempts.reused_id
  UNION ALL
  SELECT
    doubtful.report_date AS charge_date,
    'unmergeable_overlap' AS finding,
    doubtful.x_sources,
    doubtful.provider,
    doubtful.model,
    CAST(NULL AS STRING) AS reused_id,
    SUM(doubtful.requests) AS requests
  FROM doubtful
  GROUP BY
    doubtful.report_date,
    doubtful.x_sources,
    doubtful.provider,
    doubtful.model
  UNION ALL
  SELECT
    links.span_date AS charge_date,
    'cut_span_chain' AS finding,
    links.x_source AS x_sources,
    CAST(NULL AS STRING) AS provider,
    CAST(NULL AS STRING) AS model,
    CAST(NULL AS STRING) AS reused_id,
    COUNT(*) AS requests
  FROM staging.span_links AS links
  WHERE
    links.is_cut AND links.span_date >= :start AND links.span_date < :end
  GROUP BY
    links.span_date,
    links.x_source
)
SELECT
  found.charge_date,
  found.finding,
  found.x_sources,
  found.provider,
  found.model,
  found.reused_id,
  COALESCE(found.provider, '') || CHR(  31) || COALESCE(found.model, '') || CHR(  31) || COALESCE(found.reused_id, '') AS finding_key,
  CAST(found.requests AS BIGINT) AS requests
FROM found
