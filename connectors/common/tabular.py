"""Reading CSV, CSV.gz, JSON lines, Parquet and YAML as tables of text, whatever the file holds.

What belongs here: file formats → text columns (null = absent). What must not: the meaning of a column;
text becomes numbers and times in `parsing.py`, so that no reader ever guesses a DOUBLE for a cost.
"""

from __future__ import annotations

import csv
import io
import json
import zlib
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import yaml

from connectors.common.bounded_reading import LONGEST_LINE_BYTES, open_bytes, read_lines, read_whole
from connectors.common.parsing import load_json
from connectors.common.source_files import FileFault, SourceFile

BadLine = Callable[[int | None, str], None]
_BLOCK_BYTES = 16 << 20


def read_text_table(file: SourceFile, on_bad_line: BadLine | None = None) -> pa.Table:
    """Return all rows of a file as text columns, in file order.

    Doubles are given as their shortest decimal, nested values as JSON. A JSON line that cannot be read goes
    to `on_bad_line(line, reason)` when given, else the file is refused. Raises FileFault (`unreadable_file`,
    `malformed_row`, `empty_file`, `unknown_format`); messages never hold content.
    """
    suffix = file.suffix
    try:
        if suffix in (".csv", ".csv.gz"):
            return _read_csv(file)
        if suffix in (".jsonl", ".jsonl.gz", ".ndjson"):
            return _read_json_lines(file, on_bad_line)
        if suffix == ".parquet":
            return build_text_table(pq.ParquetFile(file.path).read())
        if suffix in (".yml", ".yaml"):
            return _read_yaml(file)
    except (OSError, EOFError, zlib.error) as error:
        what = "gzip" if suffix.endswith(".gz") else suffix.removeprefix(".")
        raise FileFault(
            "unreadable_file", f"is not readable {what} ({_reason(error)}); deliver it again"
        ) from error
    except (pa.ArrowException, UnicodeDecodeError) as error:
        kind = suffix.removeprefix(".")
        message = f"is not readable {kind} in UTF-8 ({type(error).__name__}); deliver it again"
        raise FileFault("unreadable_file", message) from error
    raise FileFault(
        "unknown_format", f"has the unknown suffix {suffix!r}; use .csv, .csv.gz, .jsonl or .parquet"
    )


def build_text_table(table: pa.Table) -> pa.Table:
    """Return a table with every column as text; nested values become JSON with sorted keys."""
    columns = [_text_column(table.column(index)) for index in range(table.num_columns)]
    return pa.table(columns, names=table.column_names)


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or type(error).__name__


def _read_csv(file: SourceFile) -> pa.Table:
    content = read_whole(file.path, is_packed=file.suffix.endswith(".gz"))
    header = _read_header(content)
    bad: list[tuple[int | None, int, int]] = []

    def refuse(row: Any) -> str:
        bad.append((row.number, row.expected_columns, row.actual_columns))
        return "skip"

    table = pa_csv.read_csv(
        pa.BufferReader(content),
        read_options=pa_csv.ReadOptions(use_threads=False, block_size=_block_size(len(content))),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=refuse),
        convert_options=pa_csv.ConvertOptions(
            column_types={name: pa.string() for name in header}, null_values=[], strings_can_be_null=False
        ),
    )
    if bad:
        line, expected, actual = bad[0]
        message = f"line {line} has {actual} fields, the header has {expected}; correct it and deliver again"
        raise FileFault("malformed_row", message, line=line)
    return table


def _block_size(size: int) -> int:
    return max(1 << 20, min(_BLOCK_BYTES, size + 1))


def _read_header(content: bytes) -> list[str]:
    """Return the column names of a CSV; a file without any, or with one twice, is refused."""
    first = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="")
    try:
        header = next(csv.reader(first), [])
    except csv.Error as error:
        raise FileFault(
            "malformed_row", "its header line cannot be read; deliver it again", line=1
        ) from error
    if not [name for name in header if name.strip()]:
        raise FileFault("empty_file", "is empty: not even a header line; deliver it again", line=1)
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise FileFault(
            "duplicate_column", f"has the column {twice[0]!r} twice; keep one", line=1, column=twice[0]
        )
    return header


def _read_json_lines(file: SourceFile, on_bad_line: BadLine | None) -> pa.Table:
    columns: dict[str, list[str | None]] = {}
    rows = 0
    with open_bytes(file.path, is_packed=file.suffix.endswith(".gz")) as stream:
        for number, line in read_lines(stream):
            if line is not None and not line.strip():
                continue
            try:
                record = read_json_record(line)
            except ValueError as error:
                if on_bad_line is None:
                    raise build_line_fault(number, str(error)) from error
                on_bad_line(number, str(error))
                continue
            for name, value in record.items():
                column = columns.setdefault(name, [])
                column.extend([None] * (rows - len(column)))
                column.append(build_json_text(value))
            rows += 1
    for column in columns.values():
        column.extend([None] * (rows - len(column)))
    return pa.table({name: pa.array(column, pa.string()) for name, column in columns.items()})


def read_json_record(line: bytes | None) -> dict[str, Any]:
    """Return one line of a file of JSON lines. Raises ValueError that says what it is instead, without its content."""
    if line is None:
        raise ValueError(f"longer than {LONGEST_LINE_BYTES >> 20} MiB")
    try:
        record = load_json(line)
    except ValueError:
        raise ValueError("not readable JSON") from None
    if not isinstance(record, dict):
        raise ValueError("not a JSON object")
    return record


def build_line_fault(number: int, reason: str) -> FileFault:
    """Return the fault of a line that is no record."""
    return FileFault("malformed_row", f"line {number} is {reason}; correct it and deliver again", line=number)


def build_json_text(value: Any) -> str | None:
    """Return a value of JSON as a column's text: text as it is, nested values as JSON with sorted keys."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


def _read_yaml(file: SourceFile) -> pa.Table:
    try:
        # BaseLoader reads every scalar as text and builds no objects: safe, and 0.10 stays "0.10".
        content = yaml.load(file.path.read_bytes(), Loader=yaml.BaseLoader)  # noqa: S506
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else None
        raise FileFault(
            "unreadable_file", f"is not readable YAML near line {line}; correct it", line=line
        ) from error
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise FileFault("unreadable_file", "is not a YAML list of mappings; write `- key: value` entries")
    names = list(dict.fromkeys(str(name) for row in content for name in row))
    return pa.table(
        {n: pa.array([build_json_text(row.get(n)) for row in content], pa.string()) for n in names}
    )


def _text_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_nested(kind):
        texts = [None if value is None else _nested_text(value) for value in column.to_pylist()]
        return pa.chunked_array([pa.array(texts, pa.string())])
    if pa.types.is_timestamp(kind):
        if kind.tz is not None:
            column = column.cast(pa.timestamp(kind.unit, "UTC")).cast(pa.timestamp(kind.unit))
        return pc.strftime(column.cast(pa.timestamp("us"), safe=False), format="%Y-%m-%dT%H:%M:%S")
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        raise FileFault("unknown_format", "has a binary column; write it as text")
    return column.cast(pa.string())


def _nested_text(value: Any) -> str:
    if (
        isinstance(value, list)
        and value
        and all(isinstance(item, tuple) and len(item) == 2 for item in value)
    ):
        value = dict(value)
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
