"""The result of `everycent query`, on the terminal or in a file.

What belongs here: choosing the format, and the table form. What must not: running or guarding the SQL.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from pipelines.terminal.console import error_console, output_console, safe_text, table_of
from pipelines.warehouse.query import QueryResult, is_list, run_query
from pipelines.warehouse.release import Release
from pipelines.warehouse.result_files import as_text, replacing, write_csv, write_json, write_parquet

_TABLE_ROWS = 50
_LIST_ROWS = 10_000
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
            _print_table(result, _choose_limit(sql) if limit is None else limit)
        elif out is None:
            _write(result, chosen, limit, sys.stdout.buffer)
        else:
            with replacing(out) as stream:
                count = _write(result, chosen, limit, stream)
            typer.echo(f"{out}: {count:,} rows", err=True)


def _choose_limit(sql: str) -> int:
    """Return how many rows a table shows unasked: lists of tables and columns are not cut."""
    return _LIST_ROWS if is_list(sql) else _TABLE_ROWS


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
    console = output_console()
    if not rows:
        console.print(Text(f"0 rows; the columns: {', '.join(map(safe_text, result.columns))}"))
    elif _natural_width(result.columns, rows[:limit]) <= console.width:
        sides = ["right" if kind.upper().startswith(_NUMBERS) else "left" for kind in result.types]
        console.print(table_of(list(zip(result.columns, sides, strict=True)), rows[:limit]))
    else:
        _print_records(result.columns, rows[:limit], console)
    if len(rows) > limit:
        note = f"The first {limit:,} rows; there are more. Use --limit ROWS or --out FILE."
        error_console().print(note, style="dim")


def _natural_width(columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> int:
    """Return how wide the table would be; long text counts as 32 columns, since it may wrap."""
    widths = [
        min(32, max(len(safe_text(value)) for value in values)) for values in zip(columns, *rows, strict=True)
    ]
    return sum(width + 2 for width in widths)


def _print_records(columns: Sequence[str], rows: Sequence[tuple[Any, ...]], console: Console) -> None:
    """Print one block a row, one line a column: for rows too wide for a table."""
    label_width = max(len(safe_text(column)) for column in columns)
    for number, row in enumerate(rows, start=1):
        console.print(Text(f"row {number:,}", style="bold"))
        for column, value in zip(columns, row, strict=True):
            label = safe_text(column).ljust(label_width)
            console.print(Text.assemble((label, "dim"), "  ", safe_text(value)), soft_wrap=True)
