WITH events AS (
  SELECT
    *
  FROM core.ledger_anomalies
), ranked AS (
  SELECT
    events.*,
    ROW_NUMBER() OVER (
      PARTITION BY events.anomaly_id
      ORDER BY events.detected_at DESC, events.run_id DESC
    ) AS event_rank
  FROM events
)
SELECT
  ranked.anomaly_id,
  ranked.detected_at,
  ranked.started_date,
  ranked.ended_date,
  ranked.scope,
  ranked.metric,
  ranked.expected,
  ranked.actual,
  ranked.impact_cost,
  ranked.currency,
  ranked.state,
  ranked.cause,
  ranked.proof,
  ranked.feature,
  ranked.cost_driver
FROM ranked
WHERE
  ranked.event_rank = 1
