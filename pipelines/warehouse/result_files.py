"""Query results as CSV, JSON and Parquet, written by us, never by the engine.

What belongs here: exact numbers, and text that no spreadsheet runs. What must not: running queries.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, TextIO

from pipelines.warehouse.query import QueryResult

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def neutralise_cell(text: str) -> str:
    """Return text that a spreadsheet takes for text: what would start a formula gets a leading apostrophe."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def write_csv(result: QueryResult, rows: Iterable[tuple[Any, ...]], stream: TextIO) -> int:
    """Write a header and the rows; NULL is empty, numbers are exact and untouched. Returns the row count."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([neutralise_cell(column) for column in result.columns])
    count = 0
    for row in rows:
        writer.writerow([_csv_cell(value) for value in row])
        count += 1
    return count


def write_json(result: QueryResult, rows: Iterable[tuple[Any, ...]], stream: TextIO) -> int:
    """Write a JSON array with one object a row; DECIMALs keep every digit. Returns the row count."""
    names = [json.dumps(column, ensure_ascii=False) for column in result.columns]
    count = 0
    stream.write("[")
    for row in rows:
        fields = (f"{name}: {render_json(value)}" for name, value in zip(names, row, strict=True))
        stream.write((",\n " if count else "\n ") + "{" + ", ".join(fields) + "}")
        count += 1
    stream.write("\n]\n" if count else "]\n")
    return count


def write_parquet(result: QueryResult, limit: int | None, stream: IO[bytes]) -> int:
    """Write the rows as Parquet with the types of the query. Returns the row count."""
    from pyarrow import parquet

    reader = result.cursor.to_arrow_reader(100_000)
    count = 0
    with parquet.ParquetWriter(stream, reader.schema, compression="zstd") as writer:
        for batch in reader:
            part = batch if limit is None else batch.slice(0, limit - count)
            writer.write_batch(part)
            count += part.num_rows
            if limit is not None and count >= limit:
                break
    return count


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a file to write that takes the place of `path` only when the block ends well."""
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        with partial.open("wb") as stream:
            yield stream
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def as_text(stream: IO[bytes]) -> Iterator[TextIO]:
    """Give a UTF-8 text face to a binary stream for the time of the block."""
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
    try:
        yield text
        text.flush()
    finally:
        text.detach()


def render_json(value: Any) -> str:
    """Return a value as JSON text: numbers exact, times in ISO 8601, anything unknown as text."""
    if value is None or isinstance(value, bool | int | str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, float):
        return json.dumps(value) if abs(value) < float("inf") else "null"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(render_json(item) for item in value) + "]"
    if isinstance(value, dict):
        pairs = (
            f"{json.dumps(str(key), ensure_ascii=False)}: {render_json(item)}" for key, item in value.items()
        )
        return "{" + ", ".join(pairs) + "}"
    render: Callable[[Any], str] = (
        (lambda moment: moment.isoformat()) if isinstance(value, date | time) else str
    )
    return json.dumps(render(value), ensure_ascii=False)


def render_plain(value: Any) -> str:
    """Return a value as plain text: numbers exact, nothing rounded, NULL empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, list | tuple | dict):
        return render_json(value)
    return str(value)


def _csv_cell(value: Any) -> str:
    text = render_plain(value)
    return text if isinstance(value, bool | int | float | Decimal) else neutralise_cell(text)
