"""The one place that talks to DuckDB: settings, named relations over files, writing Parquet.

What belongs here: engine-specific I/O (read_parquet, COPY, SET). What must not: which files a model reads or
which partitions are stale (`selection`, `runner`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb

from pipelines.warehouse.errors import BuildError
from pipelines.warehouse.relations import DataFile, Relation


def _render_idiv() -> str:
    """The macro: an estimate in doubles, made exact by its own remainder, three times.

    With |a| < 2^127 and 0 < b < 2^53 a step leaves a remainder below |a| / 2^51 + b, so what the third step divides
    is exact in a double, and the floor of its quotient is right: two such numbers never round up to an integer that
    they do not reach. What is outside goes the slow way.
    """
    divisor = "case when b between 1 and 9007199254740991 then cast(b as decimal(38, 0)) end"
    rest, quotient = "abs(cast(a as decimal(38, 0)))", []
    for _ in range(3):
        step = f"floor(cast({rest} as double) / cast({divisor} as double))"
        quotient.append(f"cast({step} as hugeint)")
        rest = f"({rest} - cast({step} as decimal(38, 0)) * {divisor})"
    exact = "cast(a as hugeint) // cast(b as hugeint)"
    return f"create or replace macro idiv(a, b) as coalesce(sign(a) * ({' + '.join(quotient)}), {exact})"


IDIV_MACRO = _render_idiv()
"""Integer division truncating toward zero, so that a credit mirrors a charge; NULL when b is 0; |a| < 9e37.

DuckDB divides HUGEINT bit by bit, which takes a microsecond: more than all other work on a row of the fact.
"""


@dataclass(frozen=True)
class EngineSettings:
    """How much of the machine a build may use. `threads` None means all; `temp_directory` None means the
    home's.

    A query covers at most `max_days` days (`max_months` months) and about `max_rows` input rows, whichever
    is less. A model that may keep the order of what it reads (`order_by: as_read`) is still sorted up to
    `sorted_rows` input rows.
    """

    memory_limit: str = "3GB"
    threads: int | None = None
    temp_directory: Path | None = None
    max_days: int = 31
    max_months: int = 12
    max_rows: int = 2_000_000
    sorted_rows: int = 500_000


def quote(name: str) -> str:
    """A column or table name as an identifier."""
    return '"' + name.replace('"', '""') + '"'


def quote_relation(name: str) -> str:
    """`layer.table` as two identifiers."""
    return ".".join(quote(part) for part in name.split(".", 1))


def quote_text(text: str) -> str:
    """A text as a literal: only for paths and comments, where the engine binds no parameter."""
    return "'" + text.replace("'", "''") + "'"


def render_literal(value: object) -> str:
    """A Python value as a typed literal; raises BuildError for a type that no parameter has."""
    if value is None:
        return "null"
    if isinstance(value, datetime) and value.tzinfo is None:
        return f"timestamp {quote_text(value.isoformat(sep=' '))}"
    if isinstance(value, date) and not isinstance(value, datetime):
        return f"date {quote_text(value.isoformat())}"
    if isinstance(value, bool | int):
        return str(value).lower()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, str):
        return quote_text(value)
    raise BuildError(
        f"a parameter is a {type(value).__name__}: give text, a number, a date or a UTC datetime without zone"
    )


def open_connection(path: str, settings: EngineSettings) -> duckdb.DuckDBPyConnection:
    """A connection with our settings: UTC, no extension from the network, spill folder, macro idiv."""
    # The catalogue of a release holds many small tables, each of at least one block.
    blocks = {} if path == ":memory:" else {"default_block_size": 16_384}
    connection = duckdb.connect(
        path,
        config=blocks
        | {
            "memory_limit": settings.memory_limit,
            "threads": settings.threads or os.cpu_count() or 1,
            "temp_directory": str(settings.temp_directory or ""),
            "preserve_insertion_order": "true",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        },
    )
    connection.execute("set timezone = 'UTC'")
    connection.execute("set enable_progress_bar = false")
    connection.execute(IDIV_MACRO)
    return connection


def render_scan(relation: Relation, files: Sequence[DataFile]) -> str:
    """A SELECT over exactly these files, or a typed empty one; columns in the relation's order."""
    names = ", ".join(quote(column) for column in relation.columns)
    if not files:
        return render_empty(relation.columns)
    paths = ", ".join(quote_text(str(file.path)) for file in files)
    if relation.is_by_name:
        scan = f"select * from read_parquet([{paths}], union_by_name = true)"
        return f"select {names} from ({render_empty(relation.columns)} union all by name {scan})"
    return f"select {names} from read_parquet([{paths}])"


def render_empty(columns: Mapping[str, str]) -> str:
    """A SELECT of no rows with these columns and types."""
    typed = ", ".join(f"cast(null as {kind}) as {quote(name)}" for name, kind in columns.items())
    return f"select {typed} where false"


def render_typed(sql: str, columns: Mapping[str, str]) -> str:
    """A model's SELECT with every column cast to its declared type, in the declared order."""
    typed = ", ".join(f"cast({quote(name)} as {kind}) as {quote(name)}" for name, kind in columns.items())
    return f"select {typed} from (\n{sql}\n) as model"


class Engine:
    """A DuckDB in memory in which the relations of one build are named views over files."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._registered: dict[str, str] = {}
        self._schemas: set[str] = set()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.close()

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """Opened at first use: a build with nothing to do opens none."""
        if self._connection is None:
            if self._settings.temp_directory:
                self._settings.temp_directory.mkdir(parents=True, exist_ok=True)
            self._connection = open_connection(":memory:", self._settings)
        return self._connection

    def close(self) -> None:
        """Frees memory and spill files."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            self._registered.clear()
            self._schemas.clear()

    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Runs one statement with bound parameters and gives its rows."""
        return self.run(sql, parameters).fetchall()

    def run(self, sql: str, parameters: Mapping[str, Any] | None = None) -> duckdb.DuckDBPyConnection:
        """Runs one statement with bound parameters; the answer gives `description`, rows or an Arrow table.

        Parameters go through PREPARE and EXECUTE: given Python values, DuckDB imports pandas, for seconds.
        """
        if not parameters:
            return self.connection.execute(sql)
        self.connection.execute(f"prepare step as {sql}")
        values = ", ".join(f"{quote(name)} := {render_literal(value)}" for name, value in parameters.items())
        return self.connection.execute(f"execute step({values})")

    def register(self, relation: Relation, files: Sequence[DataFile]) -> None:
        """Names these files of the relation; a column of another type than declared is an error."""
        if self._create_view(relation.name, render_scan(relation, files)) and files:
            found = self.describe(f"from {quote_relation(relation.name)}")
            self.expect_columns(relation.name, found, relation.columns)

    def register_view(self, name: str, sql: str, columns: Mapping[str, str]) -> None:
        """Names a view model; what it reads is registered before."""
        self._create_view(name, render_typed(sql, columns))

    def describe(self, query: str, parameters: Mapping[str, Any] | None = None) -> dict[str, str]:
        """Column name → type of a query, without running it."""
        return {row[0]: row[1] for row in self.execute(f"describe {query}", parameters)}

    @staticmethod
    def expect_columns(name: str, found: Mapping[str, str], declared: Mapping[str, str]) -> None:
        """Raises BuildError naming the first column whose type is not the declared one."""
        for column, kind in declared.items():
            if found.get(column) != kind:
                was = f"is {found[column]}" if column in found else "is missing"
                raise BuildError(f"{name}: column {column} {was} in its files, declared {kind}; rebuild them")

    def copy(self, query: str, target: Path, parameters: Mapping[str, Any] | None = None) -> int:
        """Writes the rows of a query, in its order, as one Parquet file; returns how many."""
        target.parent.mkdir(parents=True, exist_ok=True)
        return self.execute(_render_copy(query, target), parameters)[0][0]

    def copy_all(self, copies: Sequence[tuple[str, Path]]) -> list[int]:
        """Like `copy` for many small (query, file), as many at once as there are threads; row counts in order.

        One file is written by one thread, so that files written one by one leave the other threads idle. Each query
        keeps to the thread that asks, as threads that help each other with small files take a quarter longer.
        """
        for folder in {target.parent for _, target in copies}:
            folder.mkdir(parents=True, exist_ok=True)
        connection = self.connection

        def write(part: tuple[str, Path]) -> int:
            with connection.cursor() as cursor:
                return cursor.execute(_render_copy(*part)).fetchall()[0][0]

        threads = self._settings.threads or os.cpu_count() or 1
        with self._one_thread_a_query(threads), ThreadPoolExecutor(threads) as pool:
            return list(pool.map(write, copies))

    @contextmanager
    def _one_thread_a_query(self, threads: int) -> Iterator[None]:
        self.connection.execute("set threads = 1")
        try:
            yield
        finally:
            self.connection.execute(f"set threads = {threads}")

    def _create_view(self, name: str, sql: str) -> bool:
        if self._registered.get(name) == sql:
            return False
        schema = name.split(".", 1)[0]
        if schema not in self._schemas:
            self.execute(f"create schema if not exists {quote(schema)}")
            self._schemas.add(schema)
        self.execute(f"create or replace view {quote_relation(name)} as {sql}")
        self._registered[name] = sql
        return True


def _render_copy(query: str, target: Path) -> str:
    return (
        f"copy ({query}) to {quote_text(str(target))} (format parquet, compression zstd, compression_level 1)"
    )


def render_order(columns: Iterable[str]) -> str:
    """An ORDER BY list of column names."""
    return ", ".join(quote(column) for column in columns)
