"""The result of `everycent query`, on the terminal or in a file.

What belongs here: choosing the format, and the table form. What must not: running or guarding the SQL.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import typer

from pipelines.terminal.console import error_console, output_console, table_of
from pipelines.warehouse.query import QueryResult, run_query
from pipelines.warehouse.release import Release
from pipelines.warehouse.result_files import as_text, replacing, write_csv, write_json, write_parquet

_TABLE_ROWS = 50
_SUFFIXES = {".csv": "csv", ".json": "json", ".parquet": "parquet"}
_NUMBERS = (
    "DECIMAL",
    "BIGINT",
    "INTEGER",
    "HUGEINT",
    "DOUBLE",
    "FLOAT",
    "SMALLINT",
    "TINYINT",
    "UBIGINT",
    "NUMBER",
)


def write_query(
    release: Release, sql: str, output_format: str | None, out: Path | None, limit: int | None
) -> None:
    """Run a SELECT and write its result; says on the error stream when rows were left out.

    Raises QueryError, and typer.BadParameter for a format that does not fit.
    """
    chosen = output_format or _format_of(out)
    if chosen == "table" and out is not None:
        raise typer.BadParameter(
            "a table goes to the terminal; choose --format csv, json or parquet for --out."
        )
    if out is None and chosen == "parquet" and sys.stdout.isatty():
        raise typer.BadParameter("Parquet is not for a terminal; give --out FILE.")
    with run_query(release, sql) as result:
        if chosen == "table":
            _print_table(result, _TABLE_ROWS if limit is None else limit)
        elif out is None:
            _write(result, chosen, limit, sys.stdout.buffer)
        else:
            with replacing(out) as stream:
                count = _write(result, chosen, limit, stream)
            typer.echo(f"{out}: {count:,} rows", err=True)


def _format_of(out: Path | None) -> str:
    if out is None:
        return "table"
    try:
        return _SUFFIXES[out.suffix.lower()]
    except KeyError:
        message = f"the name {out.name!r} tells no format; add --format csv, json or parquet."
        raise typer.BadParameter(message) from None


def _write(result: QueryResult, chosen: str, limit: int | None, stream: Any) -> int:
    if chosen == "parquet":
        return write_parquet(result, limit, stream)
    rows: Iterable[tuple[Any, ...]] = islice(result.rows(), limit)
    with as_text(stream) as text:
        return write_csv(result, rows, text) if chosen == "csv" else write_json(result, rows, text)


def _print_table(result: QueryResult, limit: int) -> None:
    rows = list(islice(result.rows(batch_size=limit + 1), limit + 1))
    sides = ["right" if kind.upper().startswith(_NUMBERS) else "left" for kind in result.types]
    output_console().print(table_of(list(zip(result.columns, sides, strict=True)), rows[:limit]))
    if len(rows) > limit:
        note = f"The first {limit:,} rows; there are more. Use --limit ROWS or --out FILE."
        error_console().print(note, style="dim")
