"""A request file → batches of its mapped columns only; what is not mapped is never read into a table.

What belongs here: the three file formats, in batches, with the number of each row. What must not: the
meaning of a value. Messages name columns that look like names, never content: a header can be a prompt too.
"""

from __future__ import annotations

import csv
import io
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from connectors.common.bounded_reading import (
    LONGEST_LINE_BYTES,
    open_bytes,
    read_header_text,
    read_lines,
)
from connectors.common.parquet_batches import iterate_batches
from connectors.common.schema_contract import check_required_columns
from connectors.common.source_files import FileFault, SourceFile
from connectors.request_files.schema import ALWAYS_WRITTEN, USAGE_COLUMN
from connectors.request_files.values import NULL_TEXTS

BATCH_ROWS = 100_000
SUFFIXES = (".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz", ".parquet")
_CSV_BLOCK_BYTES = 8 << 20

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,39}")
_NAMES_TOLD = 30

Refuse = Callable[[int | None, str], None]
Columns = Mapping[str, tuple[str, ...]]
"""Column of `requests` → columns of the file: the first that holds something counts, one at least must be there."""


def read_batches(file: SourceFile, columns: Columns, refuse: Refuse) -> Iterator[pl.DataFrame]:
    """Yield frames with `line` and the mapped columns under their canonical names.

    Rows that cannot be read at all go to `refuse(line, reason)`. Raises FileFault for a file that cannot be
    read or lacks a mapped column.
    """
    suffix = file.suffix
    try:
        if suffix.startswith(".csv"):
            yield from _read_csv(file, columns, refuse)
        elif suffix == ".parquet":
            yield from _read_parquet(file, columns)
        else:
            yield from _read_json_lines(file, columns, refuse)
    except (OSError, EOFError, zlib.error, pa.ArrowException, UnicodeDecodeError) as error:
        message = f"is not readable {suffix.removeprefix('.')} ({type(error).__name__}); deliver it again"
        raise FileFault("unreadable_file", message) from error


def _read_csv(file: SourceFile, columns: Columns, refuse: Refuse) -> Iterator[pl.DataFrame]:
    compression = "gzip" if file.suffix.endswith(".gz") else None
    header = _read_header(file)
    _check_columns(header, columns)
    wanted = _list_wanted(columns, header)
    twice = [name for name in wanted if header.count(name) > 1]
    if twice:
        raise FileFault(
            "duplicate_column", f"has the column {twice[0]!r} twice; keep one", line=1, column=twice[0]
        )

    def refuse_row(row: Any) -> str:
        refuse(row.number, "malformed_row: the number of fields differs from the header")
        return "skip"

    with pa.input_stream(str(file.path), compression=compression) as stream:
        reader = pa_csv.open_csv(
            stream,
            read_options=pa_csv.ReadOptions(use_threads=False, block_size=_CSV_BLOCK_BYTES),
            parse_options=pa_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=refuse_row),
            convert_options=pa_csv.ConvertOptions(
                include_columns=wanted,
                column_types=dict.fromkeys(wanted, pa.string()),
                strings_can_be_null=False,
            ),
        )
        line = 2
        for batch in reader:
            yield _named(batch, columns, line)
            line += batch.num_rows


def _read_header(file: SourceFile) -> list[str]:
    text = read_header_text(file.path, is_packed=file.suffix.endswith(".gz"))
    try:
        header = next(csv.reader(io.StringIO(text, newline="")), [])
    except csv.Error as error:
        raise FileFault(
            "malformed_row", "its header line cannot be read; deliver it again", line=1
        ) from error
    if not any(name.strip() for name in header):
        raise FileFault("empty_file", "is empty: not even a header line; deliver it again", line=1)
    return header


def _read_parquet(file: SourceFile, columns: Columns) -> Iterator[pl.DataFrame]:
    with pq.ParquetFile(file.path) as content:
        _check_columns(content.schema_arrow.names, columns)
        line = 1
        wanted = _list_wanted(columns, content.schema_arrow.names)
        for batch in iterate_batches(content, wanted, BATCH_ROWS, file.size):
            yield _named(batch, columns, line)
            line += batch.num_rows


def _check_columns(present: Sequence[str], columns: Columns) -> None:
    """Raise FileFault for a mapped column that is absent, with what there is instead."""
    try:
        check_required_columns(present, columns.values())
    except FileFault as fault:
        raise FileFault(
            fault.kind, f"{fault}, {_describe_present(present)}", line=fault.line, column=fault.column
        ) from None


def _describe_present(present: Sequence[str]) -> str:
    """Say what else helps: `columns`, and the names there are, unless one of them may be no name but content."""
    names = list(dict.fromkeys(present))
    is_plain = len(names) > 1 and len(names) == len(present) and all(map(_PLAIN_NAME.fullmatch, names))
    if not is_plain:
        return (
            "or correct `columns` of the source; what stands in the place of names is not shown, for it may be content"
        )
    listed = ", ".join(names[:_NAMES_TOLD])
    more = f" and {len(names) - _NAMES_TOLD} more" if len(names) > _NAMES_TOLD else ""
    return f"or correct `columns` of the source; the columns there are: {listed}{more}"


def _list_wanted(columns: Columns, present: Sequence[str]) -> list[str]:
    """Return the columns of the file that are read, each once."""
    named = dict.fromkeys(name for names in columns.values() for name in names)
    return [name for name in named if name in present]


def _named(batch: pa.RecordBatch, columns: Columns, first_line: int) -> pl.DataFrame:
    frame = pl.DataFrame(pl.from_arrow(batch))
    named = frame.select([_first_of(frame, names).alias(name) for name, names in columns.items()])
    return named.with_row_index("line", first_line).with_columns(pl.col("line").cast(pl.Int64))


def _first_of(frame: pl.DataFrame, names: tuple[str, ...]) -> pl.Expr:
    """Return the one column as it is, or the first text of several."""
    present = [name for name in names if name in frame.columns]
    if len(present) == 1:
        return pl.col(present[0])
    texts = [pl.col(name).cast(pl.String) for name in present]
    return pl.coalesce([pl.when(~text.str.strip_chars().is_in(NULL_TEXTS)).then(text) for text in texts])


def _read_json_lines(file: SourceFile, columns: Columns, refuse: Refuse) -> Iterator[pl.DataFrame]:
    present: set[str] = set()
    values: dict[str, list[str | None]] = {name: [] for name in columns}
    lines: list[int] = []
    first: dict[str, Any] = {}
    rows = 0
    with open_bytes(file.path, is_packed=file.suffix.endswith(".gz")) as stream:
        for number, line in read_lines(stream):
            record = None if line is None else _parse_record(line)
            if record is None:
                if line is None:
                    refuse(number, f"oversized_line: longer than {LONGEST_LINE_BYTES >> 20} MiB")
                elif line.strip():
                    refuse(number, "malformed_line: not a JSON object")
                continue
            rows += 1
            first = first or record
            lines.append(number)
            for name, sources in columns.items():
                found = (_text(_reach(record, source), name) for source in sources)
                text = next((text for text in found if text is not None), None)
                values[name].append(text)
                if text is not None:
                    present.add(name)
            if len(lines) >= BATCH_ROWS:
                yield _text_frame(values, lines)
                values, lines = {name: [] for name in columns}, []
    absent = [columns[name][0] for name in ALWAYS_WRITTEN if name in columns and name not in present]
    if rows and absent:
        message = (
            f"the required column {absent[0]} is missing in every row; deliver it again with this column, "
            f"{_describe_present(list(first))}"
        )
        raise FileFault("missing_column", message, column=absent[0])
    if lines:
        yield _text_frame(values, lines)


def _parse_record(line: bytes) -> dict[str, Any] | None:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return record if isinstance(record, dict) else None


def _reach(record: dict[str, Any], source: str) -> object:
    if source in record:
        return record[source]
    here: object = record
    for part in source.split("."):
        here = here.get(part) if isinstance(here, dict) else None
    return here


_NO_USAGE = "nested too deeply"
"""Stands where a usage object would, and is none."""


def _text(value: object, name: str) -> str | None:
    """Return a scalar as text, an object of usage as its JSON; other objects and lists are nothing for a column."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict) and name == USAGE_COLUMN:
        try:
            return orjson.dumps(value).decode()
        except TypeError:  # nested deeper than orjson writes, so no usage of anybody
            return _NO_USAGE
    return str(value) if isinstance(value, str | int | float) else None


def _text_frame(values: dict[str, list[str | None]], lines: list[int]) -> pl.DataFrame:
    schema = dict.fromkeys(values, pl.String)
    return pl.DataFrame(values, schema=schema).with_columns(pl.Series("line", lines, dtype=pl.Int64))
