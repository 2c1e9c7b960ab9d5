"""Builds the models of one run: decides per partition what can be reused, has the rest written and checked.

What belongs here: the state of one build and the order of its steps. What must not: dagster, connectors, a
clock, publishing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

import duckdb
import pyarrow as pa

from pipelines.warehouse.checks import Checker
from pipelines.warehouse.engine import Engine, EngineSettings
from pipelines.warehouse.errors import BuildError
from pipelines.warehouse.manifest import CheckResult, RelationRecord, ReleaseManifest
from pipelines.warehouse.models import Model, ModelSet, read_statement
from pipelines.warehouse.relations import DataFile, Relation, write_table
from pipelines.warehouse.selection import Selection
from pipelines.warehouse.writer import Writer

RUNNER_VERSION = 1
"""Raise it when the same model and files would give other bytes than before: everything is then rebuilt
once."""

Progress = Callable[[str, int, int], None]
"""Told (model name, partitions done, partitions to do)."""


@dataclass(frozen=True)
class ModelResult:
    """What running one model did. `rows` is None for a view, whose rows are not counted."""

    name: str
    partitions_built: tuple[str, ...]
    partitions_reused: int
    partitions_total: int
    rows: int | None
    seconds: float
    checks: tuple[CheckResult, ...]

    @property
    def is_blocking(self) -> bool:
        """True when a check of severity `fail` has violations: nothing may be published."""
        return any(check.is_blocking for check in self.checks)


class Build:
    """One build in one home: inputs go in, models run in order, `records` is what a release would hold.

    `home` holds `warehouse/`. `previous` is the current release's manifest, for reuse. Use it as a context
    manager or call `close`, which frees the engine's memory.
    """

    def __init__(
        self,
        home: Path,
        models: ModelSet,
        inputs: Mapping[str, Relation],
        parameters: Mapping[str, object],
        previous: ReleaseManifest | None = None,
        engine: EngineSettings | None = None,
        code_version: str = "",
    ) -> None:
        settings = engine or EngineSettings()
        if settings.temp_directory is None:
            settings = replace(settings, temp_directory=home.resolve() / "warehouse" / "tmp")
        self.started = time.time()  # files older than this are no part of this build, for the sweep
        self.home = home.resolve()
        self.models = models
        self.parameters = dict(parameters)
        self.previous = previous
        self.settings = settings
        self.code_version = code_version
        self.records: dict[str, RelationRecord] = {}
        self.results: dict[str, ModelResult] = {}
        engine_major = duckdb.__version__.split(".")[0]
        self._selection = Selection(models, parameters, f"runner {RUNNER_VERSION}, duckdb {engine_major}")
        self._engine = Engine(settings)
        self._writer = Writer(self._engine, self._selection, self.tables, settings)
        self._checker = Checker(self._engine, self._selection, self._writer, previous)
        for relation in inputs.values():
            self.add_input(relation)

    def __enter__(self) -> Build:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.close()

    @property
    def tables(self) -> Path:
        """Where the immutable files of models are."""
        return self.home / "warehouse" / "tables"

    @property
    def failed_checks(self) -> tuple[tuple[str, CheckResult], ...]:
        """(model, check) of every failed check that forbids a release."""
        return tuple(
            (r.name, check) for r in self.results.values() for check in r.checks if check.is_blocking
        )

    def close(self) -> None:
        """Closes the engine and frees its memory and spill files."""
        self._engine.close()

    def add_input(self, relation: Relation) -> None:
        """Gives or replaces an input; an error once a model has read it."""
        name = relation.name
        if name in self.models.models:
            raise BuildError(f"{name} is a model and cannot be given as an input")
        readers = [done for done in self.results if name in self.models[done].dependencies]
        if readers:
            raise BuildError(f"{name} was already read by {readers[0]}; give it before")
        self._selection.add(relation)
        self.records[name] = RelationRecord(relation, "input")

    def add_table(self, name: str, table: pa.Table) -> Relation:
        """Writes rows made by a Python step as an input relation; give them in a stable order."""
        relation = write_table(self.tables, name, table)
        self.add_input(relation)
        return relation

    def run(self, model_name: str, progress: Progress | None = None) -> ModelResult:
        """Brings one model up to date and checks it; what it reads must be there. Raises BuildError.

        A failed check does not raise: see `ModelResult.is_blocking`.
        """
        with _naming_missing_files(model_name):
            return self._run(model_name, progress)

    def _run(self, model_name: str, progress: Progress | None) -> ModelResult:
        started = time.perf_counter()
        model = self.models[model_name]
        record = self._previous_record(model)
        keys = self._selection.partition_keys(model)
        fingerprints = self._selection.fingerprint(model, keys)
        reused = {} if record is None else _reusable(record, fingerprints)
        stale = [key for key in keys if key not in reused]
        files = reused | self._make(model, stale, progress or _say_nothing)
        relation = Relation(model.name, model.columns, model.unit, {k: files[k] for k in keys if files[k]})
        self._selection.add(relation, fingerprints)
        checks = self._checker.run(model, stale, record.checks if record else ())
        kind = "view" if model.is_view else "table"
        self.records[model_name] = RelationRecord(relation, kind, fingerprints, checks, model.code_digest)
        seconds = time.perf_counter() - started
        rows = None if model.is_view else relation.rows
        result = ModelResult(model_name, tuple(stale), len(reused), len(keys), rows, seconds, checks)
        self.results[model_name] = result
        return result

    def fetch(self, sql: str, parameters: Mapping[str, object] | None = None) -> pa.Table:
        """The rows of one SELECT over inputs and models built so far; `$name` parameters are bound."""
        refs = read_statement(sql, "fetch").refs
        for ref in refs:
            self._selection.relation(ref, "fetch")
        with _naming_missing_files("a query over the build"):
            self._writer.register_files(self._selection.expand_whole(refs))
            return self._engine.run(sql, parameters).to_arrow_table()

    def must_be_empty(self, name: str) -> bool:
        """True where a relation of the build holds no rows, as far as its files and its SELECT alone tell."""
        model = self.models.models.get(name)
        if model is None or not model.is_view:
            return not self._selection.relation(name, "must_be_empty").all_files
        return model.statement.gives_no_rows(self.must_be_empty)

    def write(self, sql: str, target: Path) -> int:
        """Writes the rows of one SELECT over inputs and models built so far as one Parquet file; returns how many."""
        refs = read_statement(sql, "write").refs
        with _naming_missing_files("a query over the build"):
            self._writer.register_files(self._selection.expand_whole(refs))
            return self._engine.copy(sql, target)

    def _previous_record(self, model: Model) -> RelationRecord | None:
        record = self.previous.relations.get(model.name) if self.previous else None
        is_same_kind = record is not None and record.kind == ("view" if model.is_view else "table")
        return record if is_same_kind else None

    def _make(self, model: Model, stale: list[str], progress: Progress) -> dict[str, tuple[DataFile, ...]]:
        if not stale:
            return {}
        try:
            if model.is_view:
                self._bind_view(model)
                return dict.fromkeys(stale, ())
            return self._writer.write(model, stale, lambda done, total: progress(model.name, done, total))
        except duckdb.IOException:
            raise
        except duckdb.Error as error:
            raise BuildError(f"{model.path}: {error}") from error

    def _bind_view(self, model: Model) -> None:
        self._writer.register_files(self._selection.expand_whole(model.refs))
        self._writer.check_types(model, {})
        self._engine.register_view(model.name, model.sql, model.columns)


@contextmanager
def _naming_missing_files(reader: str) -> Iterator[None]:
    """Turns the engine's word on a vanished file into what to do about it."""
    try:
        yield
    except duckdb.IOException as error:
        raise BuildError(
            f"{reader} cannot read a file that the lake or the warehouse should hold: {error}. Restore it from a "
            "backup; or move the source's folders below lake/ away, and the next night lands it again from its own "
            "files; for a file below warehouse/tables, run again with --since and its day"
        ) from error


def _reusable(record: RelationRecord, fingerprints: Mapping[str, str]) -> dict[str, tuple[DataFile, ...]]:
    found = {}
    for key, fingerprint in fingerprints.items():
        files = record.relation.files.get(key, ())
        if record.fingerprints.get(key) == fingerprint and all(file.path.exists() for file in files):
            found[key] = files
    return found


def _say_nothing(name: str, done: int, total: int) -> None:
    """The progress of a caller who does not ask."""
