"""Records of a log in any of the formats that gateways export: CSV, JSON lines or documents, Parquet.

What belongs here: the formats, and taking no more of a record than the named fields. What must not: what they mean.
"""

from __future__ import annotations

import csv
import zlib
from collections.abc import Callable, Collection, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from connectors.common.bounded_reading import open_bytes, read_text_lines
from connectors.common.json_records import read_json_records
from connectors.common.parquet_batches import iterate_batches
from connectors.common.schema_contract import check_required_columns
from connectors.common.source_files import FileFault, SourceFile

RECORD_SUFFIXES = (
    ".csv",
    ".csv.gz",
    ".jsonl",
    ".jsonl.gz",
    ".ndjson",
    ".ndjson.gz",
    ".json",
    ".json.gz",
    ".parquet",
)
_LONGEST_FIELD = 16 << 20
_PARQUET_ROWS = 8_192

Refuse = Callable[[int | None, str], None]
Record = dict[str, Any]


def read_records(
    file: SourceFile, fields: Collection[str], required: Collection[str | tuple[str, ...]], refuse: Refuse
) -> Iterator[tuple[int, Record]]:
    """Yield (line, the named top-level fields that the record has) of a file.

    CSV gives texts, JSON and Parquet what they hold. Lines that are no record go to `refuse(line, reason)`. Raises
    FileFault for a file that cannot be read, or lacks a required field (in JSON: in every record).
    """
    name = file.relative.lower()
    try:
        if name.endswith((".csv", ".csv.gz")):
            yield from _read_csv(file, fields, required, refuse)
        elif name.endswith(".parquet"):
            yield from _read_parquet(file, fields, required)
        else:
            yield from _read_json(file, fields, required, refuse)
    except (OSError, EOFError, zlib.error, pa.ArrowException, UnicodeDecodeError, csv.Error) as error:
        reason = f"is not readable as {name.rpartition('.')[2]} ({type(error).__name__}); deliver it again"
        raise FileFault("unreadable_file", reason) from error


def _read_json(
    file: SourceFile, fields: Collection[str], required: Collection[str | tuple[str, ...]], refuse: Refuse
) -> Iterator[tuple[int, Record]]:
    seen: set[str] = set()
    rows = 0
    for line, content in read_json_records(file.path, refuse):
        record = {name: content[name] for name in fields if name in content}
        seen.update(record)
        rows += 1
        yield line, record
    if rows:
        check_required_columns(seen, required)


def _read_parquet(
    file: SourceFile, fields: Collection[str], required: Collection[str | tuple[str, ...]]
) -> Iterator[tuple[int, Record]]:
    with pq.ParquetFile(file.path) as content:
        names = content.schema_arrow.names
        check_required_columns(names, required)
        line = 0
        wanted = [name for name in names if name in fields]
        for batch in iterate_batches(content, wanted, _PARQUET_ROWS, file.size):
            for record in _list_records(batch):
                line += 1
                yield line, record


def _list_records(batch: pa.RecordBatch) -> list[Record]:
    try:
        return batch.to_pylist()
    except (ValueError, OverflowError, KeyError) as error:  # years beyond 9999, time zones that are none
        reason = f"holds a value that is none of its column's type ({type(error).__name__}); deliver it again"
        raise FileFault("unreadable_file", reason) from error


def _read_csv(
    file: SourceFile, fields: Collection[str], required: Collection[str | tuple[str, ...]], refuse: Refuse
) -> Iterator[tuple[int, Record]]:
    csv.field_size_limit(_LONGEST_FIELD)
    with open_bytes(file.path, is_packed=file.relative.lower().endswith(".gz")) as stream:
        rows = csv.reader(read_text_lines(stream))
        header = next(rows, [])
        if not any(name.strip() for name in header):
            raise FileFault("empty_file", "is empty: not even a header line; deliver it again", line=1)
        check_required_columns(header, required)
        wanted = [(position, name) for position, name in enumerate(header) if name in fields]
        if len({name for _, name in wanted}) < len(wanted):
            raise FileFault("duplicate_column", "has a column twice; keep one", line=1)
        line = rows.line_num + 1
        for row in rows:
            if len(row) == len(header):
                yield line, {name: row[position] for position, name in wanted}
            elif row:
                refuse(line, "malformed_row: the number of fields differs from the header")
            line = rows.line_num + 1
