"""Dagster definitions: one asset per source, model, look ahead, release and weekly report.

What belongs here: wiring the steps of `pipelines.night` to Dagster; no other package imports dagster. What must
not: the steps themselves, SQL, connectors' rules.
"""
