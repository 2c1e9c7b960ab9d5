"""The ledger of restatements: what every delivery of a bill said, and what it changed, by cause.

What belongs here: rows of the ledger and which of them hold. What must not: comparing lines (`restatement_lines`), or
the order of deliveries (`restatement_steps`).

A pair of snapshots is compared once and then known. Of two rows about one snapshot the later run's holds; what is
delivered of a bill at one time is one snapshot.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from connectors.common.contract import SourceReport
from pipelines.night.restatement_lines import build_changes
from pipelines.night.restatement_steps import Bill, Moment, Step, find_missing, find_steps
from pipelines.warehouse.relations import Relation
from pipelines.warehouse.runner import Build

KIND = "restatements"
RELATION = "lake.restatements"
SIDE_RUN = "asof"
"""In place of a run's name where a run about the past compares what no night compared; it sorts after all runs."""

_TEXT, _INSTANT, _COUNT, _MONEY = pa.string(), pa.timestamp("us"), pa.int64(), pa.decimal128(38, 12)
_MEASURES = (
    "previous_lines",
    "lines",
    "previous_billed_cost",
    "billed_cost",
    "previous_effective_cost",
    "effective_cost",
    "increase_billed_cost",
)
SCHEMA = pa.schema(
    [
        ("run_id", _TEXT),
        ("source", _TEXT),
        ("dataset", _TEXT),
        ("billing_account_id", _TEXT),
        ("billing_period_start", _INSTANT),
        ("snapshot_id", _TEXT),
        ("delivered_at", _INSTANT),
        ("previous_snapshot_id", _TEXT),
        ("previous_delivered_at", _INSTANT),
        ("service_name", _TEXT),
        ("cost_driver", _TEXT),
        ("billing_currency", _TEXT),
        ("cause", _TEXT),
        *((name, _COUNT if name.endswith("lines") else _MONEY) for name in _MEASURES),
    ]
)
_KEYS = SCHEMA.names[1:9]

Group = tuple[str | None, str | None, str | None]
"""Service, cost driver and currency."""
Totals = Mapping[Group, tuple[int, Decimal, Decimal]]
"""Lines, billed and effective cost by group: what a bill said as a whole."""


@dataclass(frozen=True)
class Told:
    """What the ledger tells: every row that may hold, as known at some moment."""

    rows: pa.Table

    @classmethod
    def read(cls, ledger: Relation, as_of: datetime | None) -> Told:
        """Read the ledger; what was delivered after `as_of` is left out."""
        tables = [pq.read_table(file.path, schema=SCHEMA) for file in ledger.all_files]
        rows = pa.concat_tables(tables) if tables else SCHEMA.empty_table()
        if as_of is not None:
            rows = rows.filter(pc.less_equal(rows["delivered_at"], pa.scalar(as_of, _INSTANT)))
        return cls(rows)

    def moments(self) -> dict[Bill, dict[datetime, tuple[Moment, Moment | None]]]:
        """Per bill and time the snapshot, and the one that it was compared with, as the newest run says."""
        distinct = self.rows.group_by([*_KEYS, "run_id"], use_threads=False).aggregate([])
        known: dict[Bill, dict[datetime, tuple[Moment, Moment | None]]] = {}
        for row in sorted(distinct.to_pylist(), key=lambda row: row["run_id"]):
            before = row["previous_snapshot_id"]
            previous = None if before is None else (before, row["previous_delivered_at"])
            at = row["delivered_at"]
            known.setdefault(_bill_of(row), {})[at] = (row["snapshot_id"], at), previous
        return known

    def totals(self, step: Step) -> Totals:
        """What the bill said with the delivery before this step, as the newest run says."""
        if step.previous_moment is None:
            return {}
        snapshot_id, delivered_at = step.previous_moment
        rows = self.rows.filter(
            (pc.field("source") == step.bill.source)
            & (pc.field("dataset") == step.bill.dataset)
            & (pc.field("snapshot_id") == snapshot_id)
            & (pc.field("delivered_at") == pa.scalar(delivered_at, _INSTANT))
        ).to_pylist()
        newest = max((row["run_id"] for row in rows), default=None)
        return add_up(row for row in rows if row["run_id"] == newest)


def find_untold(reports: Sequence[SourceReport], told: Told) -> list[Step]:
    """Return the steps that must be compared: the ledger lacks them, or knows them with another one before."""
    known = told.moments()
    found = find_steps(reports)
    return [step for bill, steps in found.items() for step in find_missing(steps, known.get(bill, {}))]


def build_restatements(build: Build, steps: Sequence[Step], told: Told, run_id: str) -> pa.Table:
    """Return the ledger rows of these steps, in the order of bills and deliveries."""
    if not steps:
        return SCHEMA.empty_table()
    changes: dict[int, list[dict[str, Any]]] = {}
    folder = build.home / "warehouse" / "tmp" / f"restatements-{run_id}"
    for row in build_changes(build, steps, folder).to_pylist():
        changes.setdefault(row.pop("step_id"), []).append(row)
    rows: list[dict[str, Any]] = []
    said: dict[tuple[Bill, Moment], Totals] = {}
    for number, step in enumerate(steps):
        own = changes.get(number, [])
        if not step.is_whole:
            before = said.get((step.bill, step.previous_moment)) if step.previous_moment else {}
            own = [*_merge(own, _untouched(own, told.totals(step) if before is None else before))]
        said[step.bill, step.moment] = add_up(own)
        rows += [{**_step_columns(step, run_id), **row} for row in own or [_nothing()]]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def add_up(rows: Iterable[Mapping[str, Any]]) -> dict[Group, tuple[int, Decimal, Decimal]]:
    """Return lines, billed and effective cost by service, driver and currency after the step of these rows."""
    totals: dict[Group, tuple[int, Decimal, Decimal]] = {}
    for row in rows:
        if row["billed_cost"] is not None:
            lines, billed, effective = totals.get(_group_of(row), (0, Decimal(0), Decimal(0)))
            totals[_group_of(row)] = (
                lines + row["lines"],
                billed + row["billed_cost"],
                effective + row["effective_cost"],
            )
    return totals


def _untouched(rows: Sequence[Mapping[str, Any]], before: Totals) -> Iterator[dict[str, Any]]:
    """What stands beside the delivery of a step, where deliveries add up: what was said, less what it replaces."""
    left = dict(before)
    for row in rows:
        lines, billed, effective = left.get(_group_of(row), (0, Decimal(0), Decimal(0)))
        left[_group_of(row)] = (
            lines - row["previous_lines"],
            billed - row["previous_billed_cost"],
            effective - row["previous_effective_cost"],
        )
    for (service, driver, currency), (lines, billed, effective) in left.items():
        if lines or billed or effective:
            yield {
                "service_name": service,
                "cost_driver": driver,
                "billing_currency": currency,
                "cause": "unchanged",
                "previous_lines": lines,
                "lines": lines,
                "previous_billed_cost": billed,
                "billed_cost": billed,
                "previous_effective_cost": effective,
                "effective_cost": effective,
                "increase_billed_cost": Decimal(0),
            }


def _merge(*parts: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows of one group and cause as one."""
    merged: dict[tuple[Group, str], dict[str, Any]] = {}
    for row in (row for part in parts for row in part):
        known = merged.setdefault((_group_of(row), row["cause"]), {**row, **dict.fromkeys(_MEASURES, 0)})
        for name in _MEASURES:
            known[name] += row[name]
    yield from merged.values()


def _group_of(row: Mapping[str, Any]) -> Group:
    return row["service_name"], row["cost_driver"], row["billing_currency"]


def _bill_of(row: Mapping[str, Any]) -> Bill:
    period = f"{row['billing_period_start']:%Y-%m}"
    return Bill(row["source"], row["dataset"], row["billing_account_id"], period)


def _step_columns(step: Step, run_id: str) -> dict[str, Any]:
    snapshot_id, delivered_at = step.moment
    previous_id, previous_at = step.previous_moment or (None, None)
    return {
        "run_id": run_id,
        "source": step.bill.source,
        "dataset": step.bill.dataset,
        "billing_account_id": step.bill.billing_account_id,
        "billing_period_start": datetime.strptime(step.bill.period, "%Y-%m"),  # noqa: DTZ007 (naive UTC)
        "snapshot_id": snapshot_id,
        "delivered_at": delivered_at,
        "previous_snapshot_id": previous_id,
        "previous_delivered_at": previous_at,
    }


def _nothing() -> dict[str, Any]:
    """A bill without a line, before and after: known, and without any cost."""
    return {"cause": "unchanged", "previous_lines": 0, "lines": 0}


def as_relation(ledger: Relation) -> Relation:
    """The ledger's rows as the input of the models."""
    return replace(ledger, name=RELATION)
