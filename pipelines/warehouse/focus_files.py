"""FOCUS rows as files: Parquet and CSV, in the types and formats that FOCUS asks for.

What belongs here: types, times, numbers and quoting of a FOCUS file. What must not: which rows (`focus_export`),
or which columns (models_sql/exports/).

Times carry UTC, in CSV as `2026-11-01T00:00:00Z`. Costs and quantities are decimals, in CSV without exponent and
without idle zeros. JSON is text. What is not known is null, in CSV empty. CSV is as RFC 4180 has it, in UTF-8;
text that a spreadsheet would run gets a leading apostrophe there, and there only.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from pipelines.warehouse.result_files import neutralise_cell

INSTANT = pa.timestamp("ms", tz="UTC")


def write_focus_file(path: Path, batches: Iterator[pa.RecordBatch], file_format: str) -> None:
    """Write the batches, of which there is at least one, to a new file."""
    FILE_FORMATS[file_format](path, map(_zoned, batches))


def _zoned(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with its times, which are UTC, said to be UTC."""
    for place, field in enumerate(batch.schema):
        if pa.types.is_timestamp(field.type):
            column = batch.column(place).cast(pa.timestamp("ms")).cast(INSTANT)
            batch = batch.set_column(place, pa.field(field.name, INSTANT), column)
    return batch


def _write_parquet(path: Path, batches: Iterator[pa.RecordBatch]) -> None:
    first = next(batches)
    with parquet.ParquetWriter(path, first.schema, compression="zstd") as writer:
        writer.write_batch(first)
        for batch in batches:
            writer.write_batch(batch)


def _write_csv(path: Path, batches: Iterator[pa.RecordBatch]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\r\n")
        for number, batch in enumerate(batches):
            if number == 0:
                writer.writerow(batch.schema.names)
            columns = [map(_cell, column.to_pylist()) for column in batch.columns]
            writer.writerows(zip(*columns, strict=True))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        plain = f"{value:f}"
        return plain.rstrip("0").rstrip(".") if "." in plain else plain
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, date):
        return value.isoformat()
    return neutralise_cell(str(value))


FILE_FORMATS: dict[str, Callable[[Path, Iterator[pa.RecordBatch]], None]] = {
    "parquet": _write_parquet,
    "csv": _write_csv,
}
"""Formats that can be written; the name is also the file's suffix."""
