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
), named_models AS (
  SELECT
    names.charge_date,
    names.logged_model,
    MIN(names.provider) AS provider,
    MIN(names.model) AS model
  FROM core.model_names AS names
  WHERE
    NOT names.model IS NULL
    AND NOT names.logged_model IS NULL
    AND names.charge_date >= :start
    AND names.charge_date < :end
  GROUP BY
    names.charge_date,
    names.logged_model
), sources AS (
  SELECT
    sources.report_date,
    sources.x_source,
    COALESCE(sources.emitter_kind, 'file') AS emitter_kind,
    COALESCE(names.model, sources.model) AS model,
    MIN(COALESCE(names.provider, sources.provider)) AS provider,
    SUM(sources.named_reports) AS named_reports,
    SUM(sources.span_reports) AS span_reports,
    SUM(sources.call_reports) AS call_reports
  FROM staging.request_sources AS sources
  LEFT JOIN named_models AS names
    ON sources.report_date = names.charge_date AND sources.model = names.logged_model
  WHERE
    sources.report_date >= :start AND sources.report_date < :end
  GROUP BY
    sources.report_date,
    sources.x_source,
    COALESCE(sources.emitter_kind, 'file'),
    COALESCE(names.model, sources.model)
), strangers AS (
  SELECT
    sources.report_date,
    sources.model,
    sources.x_source AS first_source,
    others.x_source AS second_source,
    MIN(COALESCE(sources.provider, others.provider)) AS provider
  FROM sources
  INNER JOIN sources AS others
    ON sources.report_date = others.report_date
    AND sources.model = others.model
    AND sources.x_source < others.x_source
    AND sources.emitter_kind <> others.emitter_kind
  WHERE
    LEAST(sources.named_reports, others.named_reports) = 0
    AND LEAST(sources.span_reports, others.span_reports) = 0
    AND LEAST(sources.call_reports, others.call_reports) = 0
  GROUP BY
    sources.report_date,
    sources.model,
    sources.x_source,
    others.x_source
), kinds_of_attempts AS (
  SELECT
    CAST(requests.started_at AS DATE) AS report_date,
    COALESCE(names.model, requests.model) AS model,
    ',' || requests.x_sources || ',' AS x_sources,
    CASE WHEN NOT requests.provider_request_id IS NULL THEN 1 ELSE 0 END AS has_response,
    CASE WHEN NOT requests.span_id IS NULL THEN 1 ELSE 0 END AS has_span,
    CASE WHEN NOT requests.call_id IS NULL THEN 1 ELSE 0 END AS has_call,
    COUNT(*) AS requests
  FROM staging.requests AS requests
  LEFT JOIN named_models AS names
    ON CAST(requests.started_at AS DATE) = names.charge_date
    AND requests.model = names.logged_model
  WHERE
    requests.started_at >= CAST(:start AS TIMESTAMP_NTZ)
    AND requests.started_at < CAST(:end AS TIMESTAMP_NTZ)
  GROUP BY
    CAST(requests.started_at AS DATE),
    COALESCE(names.model, requests.model),
    requests.x_sources,
    CASE WHEN NOT requests.provider_request_id IS NULL THEN 1 ELSE 0 END,
    CASE WHEN NOT requests.span_id IS NULL THEN 1 ELSE 0 END,
    CASE WHEN NOT requests.call_id IS NULL THEN 1 ELSE 0 END
), left_alone AS (
  SELECT
    strangers.report_date,
    strangers.model,
    strangers.first_source,
    strangers.second_source,
    strangers.provider,
    kinds.has_response,
    kinds.has_span,
    kinds.has_call,
    REPLACE(kinds.x_sources, ',' || strangers.first_source || ',', ',') <> kinds.x_sources AS is_of_first,
    SUM(kinds.requests) AS requests
  FROM strangers
  INNER JOIN kinds_of_attempts AS kinds
    ON strangers.report_date = kinds.report_date AND strangers.model = kinds.model
  WHERE
    (
      REPLACE(kinds.x_sources, ',' || strangers.first_source || ',', ',') = kinds.x_sources
    ) <> (
      REPLACE(kinds.x_sources, ',' || strangers.second_source || ',', ',') = kinds.x_sources
    )
  GROUP BY
    strangers.report_date,
    strangers.model,
    strangers.first_source,
    strangers.second_source,
    strangers.provider,
    kinds.has_response,
    kinds.has_span,
    kinds.has_call,
    REPLACE(kinds.x_sources, ',' || strangers.first_source || ',', ',') <> kinds.x_sources
), doubtful AS (
  SELECT
    firsts.report_date,
    firsts.first_source || ',' || firsts.second_source AS x_sources,
    firsts.provider,
    firsts.model,
    MAX(LEAST(firsts.requests, seconds.requests)) AS requests
  FROM left_alone AS firsts
  INNER JOIN left_alone AS seconds
    ON firsts.report_date = seconds.report_date
    AND firsts.model = seconds.model
    AND firsts.first_source = seconds.first_source
    AND firsts.second_source = seconds.second_source
  WHERE
    firsts.is_of_first
    AND NOT seconds.is_of_first
    AND firsts.has_response + seconds.has_response < 2
    AND firsts.has_span + seconds.has_span < 2
    AND firsts.has_call + seconds.has_call < 2
  GROUP BY
    firsts.report_date,
    firsts.first_source,
    firsts.second_source,
    firsts.provider,
    firsts.model
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
    doubtful.requests
  FROM doubtful
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
