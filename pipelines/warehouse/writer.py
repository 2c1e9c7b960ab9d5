"""Runs the SELECT of a model over windows of partitions and writes one immutable file per partition.

What belongs here: execution and writing. What must not: deciding which partitions are stale (`runner`),
checks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from pipelines.warehouse.engine import Engine, EngineSettings, quote, quote_text, render_order, render_typed
from pipelines.warehouse.errors import BuildError
from pipelines.warehouse.models import WINDOW_PARAMETERS, Model, Statement
from pipelines.warehouse.periods import ALL, window_of
from pipelines.warehouse.relations import DataFile, keep_file
from pipelines.warehouse.selection import Selection

Files = dict[str, tuple[DataFile, ...]]
_TYPED: set[object] = set()
"""Code, by digest, and the types it reads, of which a build of this process found the types that come out right."""
_STEP = "memory.main.window_rows"
"""Not a temporary table: one is seen by the connection that made it only, and partitions are written side by side."""


class Writer:
    """Turns stale partitions of a model into files below `tables`; partitions without rows get none."""

    def __init__(self, engine: Engine, selection: Selection, tables: Path, settings: EngineSettings) -> None:
        self._engine = engine
        self._selection = selection
        self._tables = tables
        self._settings = settings

    def write(self, model: Model, keys: Sequence[str], report: Callable[[int, int], None]) -> Files:
        """Builds these partitions, window by window; `report` gets (done, total) after each window."""
        written: Files = {}
        for window in self.windows(model, keys):
            needed = self._selection.expand(model, model.refs, window)
            if self.gives_no_rows(model.statement, needed):
                written |= dict.fromkeys(window, ())
                report(len(written), len(keys))
                continue
            self.register_files(needed)
            parameters = self.parameters(model.name, model.statement, window)
            self.check_types(model, parameters)
            write = self._write_one if len(window) == 1 else self._write_many
            written |= write(model, window, parameters)
            report(len(written), len(keys))
        return written

    def windows(self, model: Model, keys: Sequence[str]) -> Iterator[list[str]]:
        """Runs of adjacent partitions, cut where a query would cover too many days or input rows."""
        limit = self._settings.max_days if model.unit == "day" else self._settings.max_months
        window: list[str] = []
        read: dict[Path, int] = {}
        for key in sorted(keys):
            more = self._input_files(model, key)
            is_adjacent = window and key != ALL and window_of(window[-1])[1] == window_of(key)[0]
            rows = sum((read | more).values())
            if window and (not is_adjacent or len(window) >= limit or rows > self._settings.max_rows):
                yield window
                window, read = [], {}
            window.append(key)
            read |= more
        if window:
            yield window

    def _input_files(self, model: Model, key: str) -> dict[Path, int]:
        needed = self._selection.expand(model, self._own_time_refs(model), [key])
        return {file.path: file.rows for files in needed.values() for file in files}

    def _input_rows(self, model: Model, key: str) -> int:
        return sum(self._input_files(model, key).values())

    def _own_time_refs(self, model: Model) -> list[str]:
        whole = {ref for ref, reading in model.header.reads.items() if reading.mode == "all"}
        return [
            ref for ref in model.refs if ref not in whole and self._selection.relations[ref].unit is not None
        ]

    def register(self, model: Model, refs: Sequence[str], keys: Sequence[str]) -> None:
        """Names what these partitions read of these refs."""
        self.register_files(self._selection.expand(model, refs, keys))

    def register_files(self, needed: Mapping[str, tuple[DataFile, ...]]) -> None:
        """Names relations over exactly these files; views after what they read."""
        for name, files in needed.items():
            if self._selection.is_view(name):
                view = self._selection.model(name)
                self._engine.register_view(name, view.sql, view.columns)
            else:
                self._engine.register(self._selection.relations[name], files)

    def gives_no_rows(self, statement: Statement, needed: Mapping[str, Sequence[DataFile]]) -> bool:
        """True where a SELECT over exactly these files cannot give a row, so that it need not run."""

        def is_empty(ref: str) -> bool:
            if self._selection.is_view(ref):
                return self._selection.model(ref).statement.gives_no_rows(is_empty)
            return not needed[ref]

        return statement.gives_no_rows(is_empty)

    def parameters(self, reader: str, statement: Statement, window: Sequence[str]) -> dict[str, Any]:
        """Values of exactly the parameters that the statement contains."""
        values = {p: self._selection.parameter(p, reader) for p in statement.parameters - WINDOW_PARAMETERS}
        bounds = (
            {"start": window_of(window[0])[0], "end": window_of(window[-1])[1]} if window[0] != ALL else {}
        )
        return values | {p: bounds[p] for p in statement.parameters & WINDOW_PARAMETERS}

    def check_types(self, model: Model, parameters: Mapping[str, Any]) -> None:
        """Binds the SELECT and compares what comes out with the header; raises BuildError naming the
        column. Types follow from the code and from the types it reads, so a process checks them once."""
        shapes = tuple(
            (ref, tuple(self._selection.relation(ref, model.name).columns.items())) for ref in model.refs
        )
        key = model.code_digest, shapes
        if key not in _TYPED:
            self._bind(model, parameters)
            _TYPED.add(key)

    def _bind(self, model: Model, parameters: Mapping[str, Any]) -> None:
        found = self._engine.describe(f"select * from (\n{model.sql}\n) as model", parameters)
        if list(found) != list(model.columns):
            odd = sorted(set(found) ^ set(model.columns)) or "their order"
            raise BuildError(f"{model.path}: the SELECT and the header's columns differ in {odd}")
        for column, kind in model.columns.items():
            if found[column] in ("DOUBLE", "FLOAT") and kind not in ("DOUBLE", "FLOAT"):
                raise BuildError(
                    f"{model.path}: column {column} comes out as {found[column]}, declared {kind}; cast it"
                )

    def _write_one(self, model: Model, window: Sequence[str], parameters: Mapping[str, Any]) -> Files:
        key = window[0]
        temporary = self._temporary(model, key)
        query = _render_typed(model)
        if not (model.header.keeps_order and self._input_rows(model, key) > self._settings.sorted_rows):
            query += f" order by {render_order(model.sort_columns)}"
        rows = self._engine.copy(query, temporary, parameters)
        if not rows:
            temporary.unlink()
            return {key: ()}
        facts = self._partition_facts(model, f"read_parquet({quote_text(str(temporary))})", window)
        return {key: (keep_file(temporary, rows, key, facts[key]),)}

    def _write_many(self, model: Model, window: Sequence[str], parameters: Mapping[str, Any]) -> Files:
        types = ", ".join(f"{quote(name)} {kind}" for name, kind in model.columns.items())
        # Created in autocommit before it is filled: DuckDB 2.0 loses rows otherwise (see tests/sql).
        self._engine.execute(f"create or replace table {_STEP} ({types})")
        try:
            # Sorted once, by partition, so that writing a partition reads its own stretch of rows and no other.
            order = ", ".join([*_render_partition(model), render_order(model.sort_columns)])
            self._engine.execute(
                f"insert into {_STEP} select * from ({_render_typed(model)}) order by {order}", parameters
            )
            facts = self._partition_facts(model, _STEP, window)
            return self._write_partitions(model, window, facts)
        finally:
            self._engine.execute(f"drop table if exists {_STEP}")

    def _write_partitions(
        self, model: Model, window: Sequence[str], facts: Mapping[str, dict[str, str]]
    ) -> Files:
        found = [key for key in window if key in facts]
        targets = {key: self._temporary(model, key) for key in found}
        columns = render_order(model.columns)
        queries = [
            (f"select {columns} from {_STEP} where {_render_inside(model, key)}", targets[key])
            for key in found
        ]
        counts = dict(zip(found, self._engine.copy_all(queries), strict=True))
        kept = {key: (keep_file(targets[key], counts[key], key, facts[key]),) for key in found}
        return {key: kept.get(key, ()) for key in window}

    def _partition_facts(self, model: Model, source: str, window: Sequence[str]) -> dict[str, dict[str, str]]:
        """Per partition found in the rows the range of their intervals, empty where none is declared."""
        rows = self._engine.execute(
            f"select {_render_key(model)}, count(*), {_render_range(model)} from {source} group by 1"
        )
        facts = {}
        for key, count, start, end, unbounded in rows:
            if key not in window:
                column = model.header.partition_by.column if model.header.partition_by else ""
                raise BuildError(
                    f"{model.path}: {count} rows have a {column} ({key}) outside {window[0]}..{window[-1]}; "
                    "filter by $start and $end"
                )
            if unbounded:
                columns = " and ".join(model.header.overlap or ())
                raise BuildError(
                    f"{model.path}: {unbounded} rows of {key} have null {columns}; give a default"
                )
            facts[key] = {"overlap_start": start, "overlap_end": end} if model.header.overlap else {}
        return facts

    def _temporary(self, model: Model, key: str) -> Path:
        return self._tables / model.name / key / f"_tmp-{os.getpid()}.parquet"


def _render_partition(model: Model) -> list[str]:
    """What tells partitions apart, and no more: rows of one stand as they do where it is written alone."""
    if model.header.partition_by is None:
        return []
    return [f"date_trunc('{model.unit}', {quote(model.header.partition_by.column)})"]


def _render_typed(model: Model) -> str:
    return render_typed(model.sql, model.columns)


def _render_inside(model: Model, key: str) -> str:
    if model.header.partition_by is None:
        return "true"
    start, end = window_of(key)
    column = quote(model.header.partition_by.column)
    return f"{column} >= {_render_date(start)} and {column} < {_render_date(end)}"


def _render_date(day: date) -> str:
    return f"date '{day.isoformat()}'"


def _render_key(model: Model) -> str:
    if model.header.partition_by is None:
        return f"'{ALL}'"
    pattern = "%Y-%m-%d" if model.unit == "day" else "%Y-%m"
    return f"strftime({quote(model.header.partition_by.column)}, '{pattern}')"


def _render_range(model: Model) -> str:
    if model.header.overlap is None:
        return "null, null, 0"
    start, end = (f"cast({quote(column)} as timestamp)" for column in model.header.overlap)
    first = f"min(coalesce({start}, {end}))"
    last = f"max(greatest(coalesce({end}, {start}), coalesce({start}, {end}) + interval 1 microsecond))"
    pattern = "'%Y-%m-%dT%H:%M:%S.%f'"
    missing = f"count(*) filter (where {start} is null and {end} is null)"
    return f"strftime({first}, {pattern}), strftime({last}, {pattern}), {missing}"
