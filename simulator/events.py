"""Deploys and scale-ups: when they happen, and which calls find a cold cache after them.

What belongs here: the operations team's calendar. What must not: tokens or files.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from simulator.company import GPU_HOSTS, SERVICES, Period, midnight

DEPLOY_COLD_US = 25 * 60 * 1_000_000
SCALE_UP_COLD_US = 15 * 60 * 1_000_000
SCALE_UP_COLD_SHARE = 0.5  # of calls in that time land on the new replica


@dataclass(frozen=True)
class Event:
    """Something the operations team did to a service; `version` is what a deploy brought."""

    at_us: int
    kind: str  # deploy | scale_up | restart
    service: str
    replica_id: str
    version: str


@dataclass(frozen=True)
class Events:
    """All events of a run, ordered by time."""

    rows: tuple[Event, ...]

    def find(self, kind: str, service: str) -> np.ndarray:
        """Instants of one kind of event of one service, in microseconds."""
        return np.array(
            [row.at_us for row in self.rows if row.kind == kind and row.service == service], dtype=np.int64
        )


def build_events(period: Period, seed: int) -> Events:
    """A deploy of every service about once a week, a scale-up each busy morning, and two restarts of GPU hosts."""
    rng = np.random.default_rng([seed, 4])
    rows = []
    for number, service in enumerate(SERVICES):
        for index, day in enumerate(period.days):
            base = int(np.datetime64(midnight(day), "us").astype(np.int64))
            at = base + int(rng.integers(9 * 3600, 16 * 3600)) * 1_000_000
            if day.weekday() == number % 5 or (index == 1 and number == 1):
                rows.append(Event(at, "deploy", service, "", f"{day:%Y.%m.%d}.{number}"))
            scale = base + (8 * 3600 + 5 * 60 * number) * 1_000_000
            if day.weekday() < 5 and number in (1, 2, 3, 7):
                rows.append(Event(scale, "scale_up", service, f"{service}-{index % 3 + 3}", ""))
    for host in GPU_HOSTS[:2]:
        day = period.start + timedelta(days=int(rng.integers(0, len(period.days))))
        at = int(np.datetime64(midnight(day), "us").astype(np.int64)) + 3 * 3600 * 1_000_000
        rows.append(Event(at, "restart", "summary-workers", host.replica_id, ""))
    return Events(tuple(sorted(rows, key=lambda row: (row.at_us, row.service, row.kind))))


def _since_last(instants: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Microseconds since the newest of `instants`; a very long time where there was none."""
    if not len(instants):
        return np.full(len(at), np.iinfo(np.int64).max)
    position = np.searchsorted(instants, at, side="right") - 1
    since = at - instants[np.maximum(position, 0)]
    return np.where(position >= 0, since, np.iinfo(np.int64).max)


def find_cold_calls(events: Events, service: np.ndarray, at: np.ndarray, draw: np.ndarray) -> np.ndarray:
    """1 where a deploy emptied the cache that a call would have read, 2 where a scale-up did, else 0."""
    cold = np.zeros(len(service), dtype=np.int64)
    for index, name in enumerate(SERVICES):
        rows = np.flatnonzero(service == index)
        deploy = _since_last(events.find("deploy", name), at[rows]) < DEPLOY_COLD_US
        scale = _since_last(events.find("scale_up", name), at[rows]) < SCALE_UP_COLD_US
        scale &= draw[rows] < SCALE_UP_COLD_SHARE
        cold[rows] = np.where(deploy, 1, np.where(scale, 2, 0))
    return cold
