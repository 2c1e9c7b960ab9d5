"""Bill files → batches of rows, in bounded memory: CSV, CSV.gz, JSON lines (also .gz) and Parquet.

What belongs here: file formats, and what is wrong with a file as a file. What must not: the meaning of a column.

Text comes as dictionary arrays (`columns.py`), other values as the file has them: Parquet's decimals, doubles, times,
numbers and flags are not written out as text. Nested values come as JSON text with sorted keys.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from connectors.common.bills.columns import encode_text
from connectors.common.bills.nested import build_json_texts
from connectors.common.parsing import build_array
from connectors.common.source_files import FileFault, SourceFile
from connectors.common.tabular import build_json_text, build_line_fault, read_json_record

BILL_SUFFIXES = (".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".ndjson", ".parquet")
_CSV_BLOCK_BYTES = 1 << 20
_CSV_ROWS = 16_384
_CSV_BATCH_BYTES = 16 << 20
_PARQUET_ROWS = 131_072
_JSON_COLUMNS = 200
_JSON_CELLS = 20_000 * _JSON_COLUMNS
_JSON_BATCH_BYTES = 32 << 20
_LONGEST_LINE_BYTES = 16 << 20
_LONGEST_HEADER_BYTES = _CSV_BLOCK_BYTES
_MOST_COLUMNS = 10_000


@dataclass(frozen=True)
class RowBatch:
    """Some rows of a file, in file order; `first_line` is what messages call the first of them."""

    columns: Mapping[str, pa.Array]
    rows: int
    first_line: int


def read_batches(
    file: SourceFile, *, numbers: frozenset[str] = frozenset(), wanted: frozenset[str] | None = None
) -> Iterator[RowBatch]:
    """Yield a bill's rows; a file without rows gives one batch with its columns and none.

    `numbers` are columns whose text is mostly distinct: they come as plain text. `wanted` limits the columns
    that are read. Raises FileFault (`unreadable_file`, `malformed_row`, `empty_file`, `duplicate_column`,
    `too_many_columns`, `unknown_format`); messages never hold content.
    """
    suffix = file.suffix
    try:
        if suffix in (".csv", ".csv.gz"):
            yield from _read_csv(file, numbers, wanted)
        elif suffix in (".jsonl", ".jsonl.gz", ".ndjson"):
            yield from _read_json_lines(file)
        elif suffix == ".parquet":
            yield from _read_parquet(file, wanted)
        else:
            known = ", ".join(BILL_SUFFIXES)
            raise FileFault("unknown_format", f"has the unknown suffix {suffix!r}; use one of {known}")
    except (OSError, EOFError) as error:
        what = "gzip" if suffix.endswith(".gz") else suffix.removeprefix(".")
        reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        message = f"is not readable {what} ({reason}); deliver it again"
        raise FileFault("unreadable_file", message) from error
    except (pa.ArrowException, UnicodeDecodeError) as error:
        message = (
            f"is not readable {suffix.removeprefix('.')} in UTF-8 ({type(error).__name__}); deliver it again"
        )
        raise FileFault("unreadable_file", message) from error


def _read_csv(file: SourceFile, numbers: frozenset[str], wanted: frozenset[str] | None) -> Iterator[RowBatch]:
    header = _read_header(file)
    types = {name: pa.string() for name in header}
    included = [name for name in header if wanted is None or name in wanted]
    bad: list[tuple[int | None, int, int]] = []

    def refuse(row: Any) -> str:
        bad.append((row.number, row.expected_columns, row.actual_columns))
        return "error"

    first_line = 2
    with pa.OSFile(str(file.path)) as raw:
        stream = pa.CompressedInputStream(raw, "gzip") if file.suffix.endswith(".gz") else raw
        try:
            reader = pa_csv.open_csv(
                stream,
                read_options=pa_csv.ReadOptions(use_threads=False, block_size=_CSV_BLOCK_BYTES),
                parse_options=pa_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=refuse),
                convert_options=pa_csv.ConvertOptions(
                    column_types=types, include_columns=included, null_values=[], strings_can_be_null=False
                ),
            )
            for table in _gather(reader):
                yield _text_batch(table, first_line, numbers)
                first_line += table.num_rows
            if first_line == 2:
                yield _text_batch(reader.schema.empty_table(), first_line, numbers)
        except pa.ArrowInvalid:
            if not bad:
                raise
            line, expected, actual = bad[0]
            message = (
                f"line {line} has {actual} fields, the header has {expected}; correct it and deliver again"
            )
            raise FileFault("malformed_row", message, line=line) from None


def _gather(reader: pa_csv.CSVStreamingReader) -> Iterator[pa.Table]:
    """Put the small blocks of a CSV together: the reader holds many ahead, so these must be small."""
    gathered: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in reader:
        gathered.append(batch)
        rows += batch.num_rows
        size += batch.nbytes
        if rows >= _CSV_ROWS or size >= _CSV_BATCH_BYTES:
            yield pa.Table.from_batches(gathered)
            gathered, rows, size = [], 0, 0
    if rows:
        yield pa.Table.from_batches(gathered)


def _text_batch(table: pa.Table, first_line: int, numbers: frozenset[str]) -> RowBatch:
    columns = {
        name: build_array(column) if name in numbers else encode_text(column)
        for name, column in zip(table.column_names, table.columns, strict=True)
    }
    return RowBatch(columns, table.num_rows, first_line)


def _open(file: SourceFile) -> gzip.GzipFile | io.BufferedReader:
    return gzip.GzipFile(file.path, "rb") if file.suffix.endswith(".gz") else file.path.open("rb")


def _read_header(file: SourceFile) -> list[str]:
    """Return the column names of a CSV; a file without any, or with one twice, is refused.

    No more of the file is in memory than a header may be long, whatever it unpacks to.
    """
    with _open(file) as stream:
        beginning = stream.read(_LONGEST_HEADER_BYTES)
    text = io.StringIO(codecs.getincrementaldecoder("utf-8-sig")().decode(beginning), newline="")
    try:
        header = next(csv.reader(text), [])
    except csv.Error as error:
        message = "its header line cannot be read; deliver it again"
        raise FileFault("malformed_row", message, line=1) from error
    if len(beginning) == _LONGEST_HEADER_BYTES and not text.read(1):
        message = f"its header line is longer than {_LONGEST_HEADER_BYTES:,} bytes; deliver it again"
        raise FileFault("malformed_row", message, line=1)
    if not [name for name in header if name.strip()]:
        raise FileFault("empty_file", "is empty: not even a header line; deliver it again", line=1)
    _check_names(header)
    return header


def _read_parquet(file: SourceFile, wanted: frozenset[str] | None) -> Iterator[RowBatch]:
    schema = pq.read_schema(file.path)
    _check_names(schema.names)
    texts = [
        field.name
        for field in schema
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
    ]
    with pq.ParquetFile(file.path, read_dictionary=texts, memory_map=True) as parquet:
        columns = None if wanted is None else [name for name in schema.names if name in wanted]
        first_line = 1
        for batch in parquet.iter_batches(_PARQUET_ROWS, columns=columns):
            yield _typed_batch(batch, first_line)
            first_line += batch.num_rows
        if first_line == 1:
            yield _typed_batch(pa.RecordBatch.from_pylist([], schema=parquet.schema_arrow), first_line)


def _check_names(names: Sequence[str]) -> None:
    """Refuse a header that is none: a name twice, or more columns than any bill has."""
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        message = f"has the column {twice[0]!r} twice; keep one"
        raise FileFault("duplicate_column", message, line=1, column=twice[0])
    if len(names) > _MOST_COLUMNS:
        message = f"has {len(names):,} columns, more than {_MOST_COLUMNS:,}; deliver it again"
        raise FileFault("too_many_columns", message, line=1)


def _typed_batch(batch: pa.RecordBatch, first_line: int) -> RowBatch:
    columns: dict[str, pa.Array] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        if pa.types.is_nested(kind):
            columns[name] = encode_text(build_json_texts(column))
        elif (
            pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
        ):
            raise FileFault("unknown_format", "has a binary column; write it as text", column=name)
        elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
            columns[name] = encode_text(column)
        else:
            columns[name] = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
    return RowBatch(columns, batch.num_rows, first_line)


def _read_json_lines(file: SourceFile) -> Iterator[RowBatch]:
    """Yield JSON objects, one a line, as batches with all columns seen so far."""
    records: list[tuple[int, dict[str, Any]]] = []
    names: dict[str, None] = {}
    has_rows, size = False, 0
    with _open(file) as stream:
        for number, line in _read_lines(stream):
            try:
                records.append((number, read_json_record(line)))
            except ValueError as error:
                raise build_line_fault(number, str(error)) from error
            names.update(dict.fromkeys(records[-1][1]))
            size += len(line)
            if len(names) > _MOST_COLUMNS:
                _check_names(list(names))
            if size >= _JSON_BATCH_BYTES or len(records) * max(len(names), _JSON_COLUMNS) >= _JSON_CELLS:
                yield _json_batch(records, list(names))
                records, has_rows, size = [], True, 0
    if records or not has_rows:
        yield _json_batch(records, list(names))


def _read_lines(stream: gzip.GzipFile | io.BufferedReader) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank, with their numbers; one that no memory should hold is refused."""
    number = 0
    while line := stream.readline(_LONGEST_LINE_BYTES + 1):
        number += 1
        if len(line) > _LONGEST_LINE_BYTES:
            message = (
                f"line {number} is longer than {_LONGEST_LINE_BYTES:,} bytes; correct it and deliver again"
            )
            raise FileFault("malformed_row", message, line=number)
        if line.strip():
            yield number, line


def _json_batch(records: list[tuple[int, dict[str, Any]]], names: list[str]) -> RowBatch:
    columns = {
        name: encode_text(pa.array([build_json_text(record.get(name)) for _, record in records], pa.string()))
        for name in names
    }
    return RowBatch(columns, len(records), records[0][0] if records else 1)
