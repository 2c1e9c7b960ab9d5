"""Runs the project's own models one after another, each over the whole window at once, on small given inputs.

What belongs here: a fast stand-in for a build: the same SQL files in the same order, without files, partitions or
reuse. What must not: cases. That the real build gives the same rows is a test of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from typing import Any

import duckdb
import pyarrow as pa

from connectors.common.datasets import DATASETS
from pipelines.config.model import Config
from pipelines.night.inputs import BILL_DELIVERY_SCHEMA, RATE_CARD_DAY_SCHEMA
from pipelines.night.reference import build_reference_tables
from pipelines.warehouse.engine import (
    EngineSettings,
    open_connection,
    quote_relation,
    render_empty,
    render_typed,
)
from pipelines.warehouse.models import ModelSet
from tests.sql.harness import MODELS_ROOT

TARGETS = ("marts.cost_daily", "core.trace_costs", "core.charge_owners", "marts.reconciliation")
"""What a chain ends in unless told otherwise."""

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Window:
    """What a build is told: its days, its clock, and the reporting currency."""

    start: date
    end: date
    as_of: datetime
    reporting_currency: str = "USD"

    @property
    def parameters(self) -> dict[str, object]:
        """The `$name` parameters of every model."""
        return {
            "start": self.start,
            "end": self.end,
            "as_of": self.as_of,
            "today": self.as_of.date(),
            "reporting_currency": self.reporting_currency,
        }


@dataclass(frozen=True)
class Inputs:
    """Rows of `lake.<dataset>` by dataset name, the current bill deliveries, and the config that rules come from."""

    lake: Mapping[str, Rows]
    bill_deliveries: Rows = ()
    config: Config = field(default_factory=Config)
    own_hardware_days: Sequence[date] = ()
    recent_days: Sequence[date] = ()

    def tables(self) -> dict[str, pa.Table]:
        """Every input relation by name, typed; datasets without rows are typed empty tables."""
        strangers = set(self.lake) - set(DATASETS)
        assert not strangers, f"no datasets {sorted(strangers)}"
        tables = {
            f"lake.{name}": pa.Table.from_pylist(list(self.lake.get(name, ())), schema=dataset.schema)
            for name, dataset in DATASETS.items()
        }
        tables["lake.bill_deliveries"] = pa.Table.from_pylist(
            list(self.bill_deliveries), schema=BILL_DELIVERY_SCHEMA
        )
        tables["reference.rate_card_days"] = pa.table(
            {"charge_date": list(self.own_hardware_days)}, RATE_CARD_DAY_SCHEMA
        )
        tables["reference.recent_days"] = pa.table(
            {"charge_date": list(self.recent_days)}, RATE_CARD_DAY_SCHEMA
        )
        return {**tables, **_reference_tables(self.config.model_dump_json(), self.config)}


class Chain:
    """The tables that the models made of some inputs; use as a context manager.

    A model that can give no row as it reads nothing but empty relations is made empty without running it,
    unless `runs_all`.
    """

    def __init__(
        self, inputs: Inputs, window: Window, targets: Sequence[str] = TARGETS, runs_all: bool = False
    ) -> None:
        self.models = load_models()
        self._connection = open_connection(":memory:", EngineSettings(threads=1))
        self._window = window
        self.ran = chain_order(tuple(targets))
        self._runs_all = runs_all
        self._empty: set[str] = set()
        for name, table in inputs.tables().items():
            self._create(name, table)
        for name in self.ran:
            self._run(name)

    def __enter__(self) -> Chain:
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """The rows of one SELECT over what was built."""
        return self._connection.execute(sql).to_arrow_table().to_pylist()

    def table(self, name: str) -> list[tuple[Any, ...]]:
        """All rows of a model, in one order whatever order it was made in."""
        columns = ", ".join(str(n + 1) for n in range(len(self.models[name].columns)))
        return self._connection.execute(f"select * from {quote_relation(name)} order by {columns}").fetchall()

    def must_be_empty(self, name: str) -> bool:
        """Whether a model can give no row over the relations that are empty so far."""
        model = self.models[name]
        return not self._empty.isdisjoint(model.refs) and model.statement.gives_no_rows(
            self._empty.__contains__
        )

    def failed_checks(self) -> dict[str, list[tuple[Any, ...]]]:
        """`model: check` → violating rows of every blocking check of the models that ran."""
        failed = {}
        for name in self.ran:
            model = self.models[name]
            for check in model.checks:
                if not self._runs_all and check.statement.gives_no_rows(self._empty.__contains__):
                    continue
                used = {p: self._window.parameters[p] for p in check.statement.parameters}
                found = self._connection.execute(check.sql, used or None).fetchall()
                if found and check.severity == "fail":
                    failed[f"{model.name}: {check.name}"] = found
        return failed

    def _create(self, name: str, table: pa.Table) -> None:
        self._connection.execute(f"create schema if not exists {name.split('.')[0]}")
        self._connection.register("given_rows", table)
        self._connection.execute(f"create table {quote_relation(name)} as select * from given_rows")
        self._connection.unregister("given_rows")
        if not table.num_rows:
            self._empty.add(name)

    def _run(self, name: str) -> None:
        model = self.models[name]
        used = {parameter: self._window.parameters[parameter] for parameter in model.statement.parameters}
        self._connection.execute(f"create schema if not exists {name.split('.')[0]}")
        created = f"create table {quote_relation(name)} as"
        if not self._runs_all and self.must_be_empty(name):
            self._connection.execute(f"{created} {render_empty(model.columns)}")
            self._empty.add(name)
            return
        try:
            made = self._connection.execute(
                f"{created} {render_typed(model.sql, model.columns)}", used or None
            )
        except duckdb.Error as error:
            raise AssertionError(f"{name}: {error}") from error
        if made.fetchall() == [(0,)]:
            self._empty.add(name)


@cache
def load_models() -> ModelSet:
    """The project's models, parsed once a test run."""
    return ModelSet.load(MODELS_ROOT)


@cache
def chain_order(targets: tuple[str, ...]) -> tuple[str, ...]:
    """The models that the targets need, in build order."""
    models = load_models()
    needed: set[str] = set()
    waiting = list(targets)
    while waiting:
        name = waiting.pop()
        if name in models.models and name not in needed:
            needed.add(name)
            waiting += models[name].dependencies
    return tuple(name for name in models.order if name in needed)


_REFERENCE: dict[str, Mapping[str, pa.Table]] = {}


def _reference_tables(key: str, config: Config) -> Mapping[str, pa.Table]:
    if key not in _REFERENCE:
        _REFERENCE[key] = build_reference_tables(config, MODELS_ROOT / "reference")
    return _REFERENCE[key]
