"""The simulated company as frames: the one thing that bills, logs and truth are made of.

What belongs here: `World` and how it is built of its parts; every column is described in `simulator/README.md`.
What must not: formats of vendors (`bills`, `logs`), the answer key (`truth`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from simulator import behaviour, calls, company, events, prices, sightings, volumes
from simulator.company import Period
from simulator.habits import Habits
from simulator.identifiers import build_hex


@dataclass(frozen=True)
class World:
    """All that happened in `period`, and what each vendor and log would see of it."""

    period: Period
    habits: Habits
    seed: int
    calls: pl.DataFrame
    spans: pl.DataFrame
    transfers: pl.DataFrame
    telemetry: pl.DataFrame
    capacity_hours: pl.DataFrame
    events: pl.DataFrame
    workloads: pl.DataFrame
    other_usage: pl.DataFrame
    token_prices: pl.DataFrame


def _events_frame(rows: events.Events) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "event_at": pl.Series([row.at_us for row in rows.rows], dtype=pl.Int64).cast(pl.Datetime("us")),
            "event_kind": pl.Series([row.kind for row in rows.rows], dtype=pl.String),
            "service": pl.Series([row.service for row in rows.rows], dtype=pl.String),
            "feature": pl.Series(
                [company.SERVICES[row.service].feature for row in rows.rows], dtype=pl.String
            ),
            "replica_id": pl.Series([row.replica_id for row in rows.rows], dtype=pl.String),
            "version": pl.Series([row.version for row in rows.rows], dtype=pl.String),
        }
    )


def build_world(period: Period, requests: int, seed: int, habits: Habits) -> World:
    """The company's `period` with about `requests` model calls; same arguments, same frames."""
    users = company.build_users(seed)
    calendar = events.build_events(period, seed)
    product = requests - int(requests * habits.gateway_bypass)
    actions = behaviour.build_actions(period, product, seed, users)
    steps = behaviour.build_steps(actions, calendar, habits.aborted_streams, seed)
    identity = calls.build_identity(actions, users, habits, seed)
    identity = sightings.find_sampled_traces(identity, habits, seed)
    step_ids = build_hex(np.random.default_rng([seed, 13]), len(steps.node), 16)

    product_calls = calls.build_action_calls(actions, steps, identity, step_ids, seed)
    bypass = calls.build_bypass_calls(period, requests, habits, seed)
    bypass = bypass.with_columns(is_sampled_out=pl.lit(value=False))
    attempts = pl.concat([product_calls, bypass.select(product_calls.columns)])
    attempts = calls.add_ids(attempts, seed)
    attempts = sightings.add_call_sightings(attempts, period, habits, seed)
    spans = calls.build_spans(actions, steps, identity, step_ids)

    workloads = volumes.build_workloads(period, habits)
    hourly = volumes.count_calls(attempts, period)
    return World(
        period=period,
        habits=habits,
        seed=seed,
        calls=attempts,
        spans=sightings.add_span_sightings(spans, period, habits, seed).sort("started_at", "span_id"),
        transfers=volumes.build_transfers(hourly, period, workloads, habits, seed),
        telemetry=volumes.build_telemetry(hourly, period, seed),
        capacity_hours=volumes.build_capacity_hours(attempts, period),
        events=_events_frame(calendar),
        workloads=workloads,
        other_usage=volumes.build_other_usage(period),
        token_prices=prices.build_token_prices(period, habits),
    )
