WITH requests AS (
  SELECT
    *
  FROM lake.requests
  WHERE
    started_at >= CAST(:start AS TIMESTAMP_NTZ)
    AND started_at < CAST(:end AS TIMESTAMP_NTZ)
)
SELECT
  CAST(requests.started_at AS DATE) AS report_date,
  requests.x_source,
  requests.emitter_kind,
  requests.provider,
  requests.model,
  COUNT(*) AS reports,
  COUNT(requests.provider_request_id) AS named_reports,
  COUNT(requests.span_id) AS span_reports,
  COUNT(requests.call_id) AS call_reports
FROM requests
GROUP BY
  CAST(requests.started_at AS DATE),
  requests.x_source,
  requests.emitter_kind,
  requests.provider,
  requests.model
