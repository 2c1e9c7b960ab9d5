/*
description: >
    Every anomaly event that a published run detected.
materialized: view
columns:
    run_id: null
    anomaly_id: null
    detected_at: null
    started_date: null
    ended_date: null
    scope: null
    feature: null
    cost_driver: null
    metric: null
    expected: null
    actual: null
    impact_cost: null
    currency: null
    state: null
    cause: null
    proof: null
*/
with

source as (select * from lake.ledger_anomalies)

select
    source.run_id,
    source.anomaly_id,
    source.detected_at,
    source.started_date,
    source.ended_date,
    source.scope,
    source.feature,
    source.cost_driver,
    source.metric,
    source.expected,
    source.actual,
    source.impact_cost,
    source.currency,
    source.state,
    source.cause,
    source.proof
from source
