/*
description: What was out of the ordinary, as last detected; one row an episode.
grain: [anomaly_id]
materialized: table
columns:
    anomaly_id: null
    detected_at: null
    started_date: null
    ended_date: null
    scope: null
    metric: null
    expected: null
    actual: null
    impact_cost: null
    currency: null
    state: null
    cause: null
    proof: null
    feature: null
    cost_driver: null
*/
with

events as (select * from core.ledger_anomalies),

ranked as (
    select
        events.*,
        row_number() over (
            partition by events.anomaly_id order by events.detected_at desc, events.run_id desc
        ) as event_rank
    from events
)

select
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
from ranked
where ranked.event_rank = 1
