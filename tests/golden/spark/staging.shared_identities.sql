WITH known_ids AS (
  SELECT
    requests.request_id
  FROM lake.requests AS requests
  WHERE
    requests.started_at >= CAST(:start AS TIMESTAMP_NTZ) - INTERVAL '1' HOUR
    AND requests.started_at < CAST(:end AS TIMESTAMP_NTZ) + INTERVAL '1' HOUR
    AND NOT STARTSWITH(requests.request_id, 'row:')
  GROUP BY
    requests.request_id
  HAVING
    COUNT(*) > 1
), known AS (
  SELECT
    CAST(requests.started_at AS DATE) AS report_date,
    CASE EXTRACT(HOUR FROM requests.started_at)
      WHEN 0
      THEN CAST(requests.started_at AS DATE)
      WHEN 23
      THEN CAST(CAST(requests.started_at AS DATE) + INTERVAL '1' DAY AS DATE)
    END AS midnight_date,
    requests.request_id
  FROM lake.requests AS requests
  INNER JOIN known_ids
    ON requests.request_id = known_ids.request_id
  WHERE
    requests.started_at >= CAST(:start AS TIMESTAMP_NTZ) - INTERVAL '1' HOUR
    AND requests.started_at < CAST(:end AS TIMESTAMP_NTZ) + INTERVAL '1' HOUR
), stated AS (
  SELECT
    known.report_date,
    CAST(known.report_date AS TIMESTAMP_NTZ) + INTERVAL '12' HOUR AS scope_at,
    known.request_id
  FROM known
  UNION ALL
  SELECT
    known.report_date,
    CAST(known.midnight_date AS TIMESTAMP_NTZ) AS scope_at,
    known.request_id
  FROM known
  WHERE
    NOT known.midnight_date IS NULL
), repeated AS (
  SELECT
    stated.scope_at,
    stated.request_id,
    MIN(stated.report_date) AS first_date,
    MAX(stated.report_date) AS last_date
  FROM stated
  GROUP BY
    stated.scope_at,
    stated.request_id
  HAVING
    COUNT(*) > 1
), adjoining AS (
  SELECT
    earlier.report_date,
    earlier.request_id
  FROM known AS earlier
  INNER JOIN known AS later
    ON earlier.request_id = later.request_id
    AND later.report_date = later.midnight_date
    AND later.report_date = CAST(earlier.report_date + INTERVAL '1' DAY AS DATE)
), nameless AS (
  SELECT
    CAST(requests.started_at AS DATE) AS report_date,
    CASE EXTRACT(HOUR FROM requests.started_at)
      WHEN 0
      THEN CAST(requests.started_at AS DATE)
      WHEN 23
      THEN CAST(CAST(requests.started_at AS DATE) + INTERVAL '1' DAY AS DATE)
    END AS midnight_date,
    requests.request_id,
    requests.trace_id,
    requests.span_id
  FROM lake.requests AS requests
  WHERE
    requests.provider_request_id IS NULL
    AND requests.started_at >= CAST(:start AS TIMESTAMP_NTZ) - INTERVAL '1' HOUR
    AND requests.started_at < CAST(:end AS TIMESTAMP_NTZ) + INTERVAL '1' HOUR
), called_reports AS (
  SELECT
    CAST(requests.started_at AS DATE) AS report_date,
    CASE EXTRACT(HOUR FROM requests.started_at)
      WHEN 0
      THEN CAST(requests.started_at AS DATE)
      WHEN 23
      THEN CAST(CAST(requests.started_at AS DATE) + INTERVAL '1' DAY AS DATE)
    END AS midnight_date,
    requests.call_id,
    requests.provider_request_id
  FROM lake.requests AS requests
  WHERE
    NOT requests.call_id IS NULL
    AND requests.started_at >= CAST(:start AS TIMESTAMP_NTZ) - INTERVAL '1' HOUR
    AND requests.started_at < CAST(:end AS TIMESTAMP_NTZ) + INTERVAL '1' HOUR
), unnamed_calls AS (
  SELECT
    called_reports.report_date,
    called_reports.midnight_date,
    called_reports.call_id
  FROM called_reports
  GROUP BY
    called_reports.report_date,
    called_reports.midnight_date,
    called_reports.call_id
  HAVING
    MAX(
      CASE
        WHEN called_reports.provider_request_id IS NULL
        OR called_reports.provider_request_id LIKE 'chatcmpl-________-____-____-____-____________'
        THEN 1
        ELSE 0
      END
    ) = 1
), unnamed_spans AS (
  SELECT
    nameless.trace_id,
    nameless.span_id,
    nameless.report_date,
    nameless.midnight_date
  FROM nameless
  GROUP BY
    nameless.trace_id,
    nameless.span_id,
    nameless.report_date,
    nameless.midnight_date
  HAVING
    NOT MAX(nameless.span_id) IS NULL
), named_spans AS (
  SELECT
    CAST(requests.started_at AS DATE) AS report_date,
    CASE EXTRACT(HOUR FROM requests.started_at)
      WHEN 0
      THEN CAST(requests.started_at AS DATE)
      WHEN 23
      THEN CAST(CAST(requests.started_at AS DATE) + INTERVAL '1' DAY AS DATE)
    END AS midnight_date,
    requests.request_id,
    requests.trace_id,
    requests.span_id
  FROM lake.requests AS requests
  WHERE
    NOT requests.provider_request_id IS NULL
    AND NOT requests.span_id IS NULL
    AND requests.started_at >= CAST(:start AS TIMESTAMP_NTZ) - INTERVAL '1' HOUR
    AND requests.started_at < CAST(:end AS TIMESTAMP_NTZ) + INTERVAL '1' HOUR
), met_spans AS (
  SELECT
    named_spans.report_date,
    named_spans.request_id,
    named_spans.trace_id,
    named_spans.span_id,
    unnamed_spans.report_date AS unnamed_date
  FROM named_spans
  INNER JOIN unnamed_spans
    ON named_spans.trace_id = unnamed_spans.trace_id
    AND named_spans.span_id = unnamed_spans.span_id
  WHERE
    named_spans.report_date = unnamed_spans.report_date
    OR named_spans.midnight_date = unnamed_spans.midnight_date
), met_keys AS (
  SELECT
    met_spans.trace_id,
    met_spans.span_id,
    met_spans.unnamed_date
  FROM met_spans
  GROUP BY
    met_spans.trace_id,
    met_spans.span_id,
    met_spans.unnamed_date
), unnamed_call_scopes AS (
  SELECT
    unnamed_calls.call_id,
    CAST(unnamed_calls.report_date AS TIMESTAMP_NTZ) + INTERVAL '12' HOUR AS scope_at
  FROM unnamed_calls
  UNION
  SELECT
    unnamed_calls.call_id,
    CAST(unnamed_calls.midnight_date AS TIMESTAMP_NTZ) AS scope_at
  FROM unnamed_calls
  WHERE
    NOT unnamed_calls.midnight_date IS NULL
), called AS (
  SELECT
    unnamed_call_scopes.call_id,
    unnamed_call_scopes.scope_at,
    CAST(requests.started_at AS DATE) AS report_date,
    requests.request_id
  FROM lake.requests AS requests
  INNER JOIN unnamed_call_scopes
    ON requests.call_id = unnamed_call_scopes.call_id
  WHERE
    NOT requests.call_id IS NULL
    AND requests.started_at >= CAST(:start AS TIMESTAMP_NTZ) - INTERVAL '1' HOUR
    AND requests.started_at < CAST(:end AS TIMESTAMP_NTZ) + INTERVAL '1' HOUR
    AND (
      unnamed_call_scopes.scope_at = CAST(CAST(requests.started_at AS DATE) AS TIMESTAMP_NTZ) + INTERVAL '12' HOUR
      OR (
        unnamed_call_scopes.scope_at = CAST(CAST(requests.started_at AS DATE) AS TIMESTAMP_NTZ)
        AND EXTRACT(HOUR FROM requests.started_at) = 0
      )
      OR (
        unnamed_call_scopes.scope_at = CAST(CAST(requests.started_at AS DATE) + INTERVAL '1' DAY AS TIMESTAMP_NTZ)
        AND EXTRACT(HOUR FROM requests.started_at) = 23
      )
    )
), shared_calls AS (
  SELECT
    called.call_id,
    called.scope_at
  FROM called
  GROUP BY
    called.call_id,
    called.scope_at
  HAVING
    MIN(called.request_id) <> MAX(called.request_id)
), touched AS (
  SELECT
    repeated.first_date AS report_date,
    repeated.request_id
  FROM repeated
  UNION
  SELECT
    repeated.last_date AS report_date,
    repeated.request_id
  FROM repeated
  UNION
  SELECT
    adjoining.report_date,
    adjoining.request_id
  FROM adjoining
  UNION
  SELECT
    met_spans.report_date,
    met_spans.request_id
  FROM met_spans
  UNION
  SELECT
    nameless.report_date,
    nameless.request_id
  FROM nameless
  INNER JOIN met_keys
    ON nameless.trace_id = met_keys.trace_id
    AND nameless.span_id = met_keys.span_id
    AND nameless.report_date = met_keys.unnamed_date
  UNION
  SELECT
    called.report_date,
    called.request_id
  FROM called
  INNER JOIN shared_calls
    ON called.call_id = shared_calls.call_id AND called.scope_at = shared_calls.scope_at
  UNION
  SELECT
    CAST(requests.started_at AS DATE) AS report_date,
    requests.request_id
  FROM lake.requests AS requests
  INNER JOIN staging.span_links AS links
    ON CAST(requests.started_at AS DATE) = links.span_date
    AND requests.trace_id = links.trace_id
    AND requests.span_id = links.span_id
  WHERE
    requests.emitter_kind = 'span'
), further AS (
  SELECT
    CAST(requests.started_at AS DATE) AS report_date,
    requests.request_id
  FROM lake.requests AS requests
  INNER JOIN touched
    ON CAST(requests.started_at AS DATE) = touched.report_date
    AND requests.trace_id = touched.request_id
  WHERE
    NOT requests.logical_call_id IS NULL
    AND requests.trace_id = 'response:' || requests.logical_call_id
    AND requests.request_id <> requests.trace_id
), found AS (
  SELECT
    touched.report_date,
    touched.request_id
  FROM touched
  UNION
  SELECT
    further.report_date,
    further.request_id
  FROM further
)
SELECT
  found.report_date,
  found.request_id
FROM found
WHERE
  found.report_date >= CAST(:start AS DATE)
  AND found.report_date < CAST(:end AS DATE)
