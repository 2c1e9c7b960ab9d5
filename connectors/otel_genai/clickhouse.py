"""Parquet in the shape of the ClickHouse exporter's table `otel_traces`: its rows become raw spans.

What belongs here: the columns of that table, whole columns at once. What must not: what an attribute means.
Source: opentelemetry-collector-contrib, exporter/clickhouseexporter; numbers in its maps are text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from connectors.common.parquet_batches import iterate_batches
from connectors.common.source_files import FileFault, SourceFile
from connectors.otel_genai import schema
from connectors.otel_genai.otlp_lines import read_object
from connectors.otel_genai.raw_spans import (
    FIXED_COLUMNS,
    RESOURCE,
    SPAN,
    AttributeNames,
    ReadNotes,
    is_unknown_usage,
    read_kept_share,
)

_REQUIRED = ("Timestamp", "TraceId", "SpanId", "SpanAttributes")
_OPTIONAL = (
    "ParentSpanId",
    "TraceState",
    "SpanName",
    "SpanKind",
    "ResourceAttributes",
    "ScopeName",
    "Duration",
    "StatusCode",
)
BATCH_ROWS = 50_000
_NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


def read_parquet(file: SourceFile, names: AttributeNames, notes: ReadNotes) -> Iterator[pl.DataFrame]:
    """Yield the spans of a file; `line` is the row number from 1. FileFault for any other shape."""
    try:
        parquet = pq.ParquetFile(file.path)
    except (OSError, pa.ArrowException) as error:
        message = f"is no readable Parquet ({type(error).__name__}); deliver the file again"
        raise FileFault("unreadable_file", message) from error
    present = {name for name in parquet.schema_arrow.names if name in (*_REQUIRED, *_OPTIONAL)}
    for name in _REQUIRED:
        if name not in present:
            message = f"has no column {name}; expected the columns of the ClickHouse exporter's otel_traces"
            raise FileFault("missing_column", message, column=name)
    first = 1
    try:
        for batch in iterate_batches(parquet, sorted(present), BATCH_ROWS, file.size):
            yield _read_batch(pa.table(batch), first, names, notes)
            first += batch.num_rows
    except (OSError, pa.ArrowException) as error:
        message = f"cannot be read to its end ({type(error).__name__}); deliver the file again"
        raise FileFault("unreadable_file", message) from error


def _read_batch(table: pa.Table, first: int, names: AttributeNames, notes: ReadNotes) -> pl.DataFrame:
    rows = table.num_rows
    start = _nanoseconds(table["Timestamp"])
    duration = _column(table, "Duration", pa.int64())
    start_us = pc.floor(pc.divide(start, pa.scalar(1000, pa.int64())))
    end_us = pc.divide(pc.add(start, duration), pa.scalar(1000, pa.int64()))
    is_stated = pc.and_(pc.greater(start_us, 0), pc.is_valid(start_us))
    is_ended = pc.and_(is_stated, pc.greater_equal(pc.fill_null(duration, -1), 0))
    fixed: dict[str, Any] = {
        "line": pl.Series(range(first, first + rows), dtype=pl.Int64),
        "trace_id": _ids(table, "TraceId"),
        "span_id": _ids(table, "SpanId"),
        "parent_span_id": _ids(table, "ParentSpanId"),
        "start_us": pl.from_arrow(pc.if_else(is_stated, start_us.cast(pa.int64()), None)),
        "end_us": pl.from_arrow(pc.if_else(is_ended, end_us.cast(pa.int64()), None)),
        "kind": _text(table, "SpanKind"),
        "status_code": _text(table, "StatusCode"),
        "is_vllm": (_text(table, "SpanName") == schema.VLLM_SPAN_NAME).fill_null(False),
        "scope": _text(table, "ScopeName").str.to_lowercase(),
        "kept_share": _kept_share(_text(table, "TraceState")),
    }
    frame = pl.DataFrame(fixed, schema=FIXED_COLUMNS)
    columns = _read_maps(table["SpanAttributes"], SPAN, names.span, names, notes)
    if "ResourceAttributes" in table.column_names:
        columns += _read_maps(table["ResourceAttributes"], RESOURCE, names.resource, names, ReadNotes())
    return frame.hstack(columns)


def _read_maps(
    column: pa.ChunkedArray, prefix: str, wanted: frozenset[str], names: AttributeNames, notes: ReadNotes
) -> list[pl.Series]:
    """Return one text column an attribute that occurs; the first of several with one key counts."""
    array = column.combine_chunks()
    array = pa.concat_arrays(array.chunks) if isinstance(array, pa.ChunkedArray) else array
    row_of, keys, values = _flatten(array)
    encoded = keys.dictionary_encode()
    listed = encoded.dictionary.to_pylist()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    found: dict[str, pa.Array] = {}
    order = np.argsort(codes, kind="stable")
    bounds = np.searchsorted(codes[order], np.arange(len(listed) + 1))
    for code, name in enumerate(listed):
        entries = order[bounds[code] : bounds[code + 1]]
        if name in wanted:
            position = np.full(len(array), -1, dtype=np.int64)
            position[row_of[entries[::-1]]] = entries[::-1]
            found[name] = values.take(pa.array(position, mask=position < 0))
        elif prefix == SPAN and name in names.objects:
            _read_objects(name, row_of[entries], values.take(pa.array(entries)), len(array), wanted, found)
        elif prefix == SPAN and name is not None and is_unknown_usage(name):
            notes.note_usage(name, len(entries))
    return [pl.Series(prefix + name, pl.from_arrow(found[name]), dtype=pl.String) for name in sorted(found)]


def _read_objects(
    name: str,
    rows: np.ndarray,
    texts: pa.Array,
    count: int,
    wanted: frozenset[str],
    found: dict[str, pa.Array],
) -> None:
    read: dict[str, list[str | None]] = {}
    for row, text in zip(rows.tolist(), texts.to_pylist(), strict=True):
        for key, value in read_object(name, text).items():
            if key in wanted:
                column = read.setdefault(key, [None] * count)
                column[row] = value if column[row] is None else column[row]
    for key, column in read.items():
        stated = pa.array(column, pa.string())
        found[key] = pc.coalesce(found[key], stated) if key in found else stated


def _flatten(array: pa.Array) -> tuple[np.ndarray, pa.Array, pa.Array]:
    """Return row number, key and text of every entry of a map, a list of key and value, or a JSON text column."""
    kind = array.type
    if pa.types.is_map(kind) or (
        (pa.types.is_list(kind) or pa.types.is_large_list(kind)) and pa.types.is_struct(kind.value_type)
    ):
        if pa.types.is_map(kind):
            keys, values = array.keys, array.items
            lengths = pc.subtract(array.offsets[1:], array.offsets[:-1]).to_numpy(zero_copy_only=False)
            start, end = array.offsets[0].as_py(), array.offsets[len(array)].as_py()
            keys, values = keys.slice(start, end - start), values.slice(start, end - start)
        else:
            flat = array.flatten()
            fields = [field.name for field in flat.type]
            names = ("key", "value") if "key" in fields else tuple(fields[:2])
            if len(names) < 2:
                raise _other_shape()
            keys, values = (pc.struct_field(flat, name) for name in names)
            lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
        return np.repeat(np.arange(len(array)), lengths), keys.cast(pa.string()), values.cast(pa.string())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _flatten_json(array)
    raise _other_shape()


def _flatten_json(array: pa.Array) -> tuple[np.ndarray, pa.Array, pa.Array]:
    rows: list[int] = []
    keys: list[str] = []
    values: list[str] = []
    for row, text in enumerate(array.to_pylist()):
        try:
            content = orjson.loads(text) if text else None
        except orjson.JSONDecodeError:
            continue
        for key, value in content.items() if isinstance(content, dict) else ():
            scalar = ("true" if value else "false") if isinstance(value, bool) else value
            if isinstance(scalar, str | int | float):
                rows.append(row)
                keys.append(key)
                values.append(str(scalar))
    return np.array(rows, dtype=np.int64), pa.array(keys, pa.string()), pa.array(values, pa.string())


def _other_shape() -> FileFault:
    message = (
        "attributes are no map, no list of key and value, and no JSON text; export the maps of otel_traces"
    )
    return FileFault("type_flip", message, column="SpanAttributes")


def _column(table: pa.Table, name: str, kind: pa.DataType) -> pa.ChunkedArray:
    if name not in table.column_names:
        return pa.chunked_array([pa.nulls(table.num_rows, kind)])
    try:
        return table[name].cast(kind, safe=False)
    except pa.ArrowException as error:
        message = f"column {name} is {table[name].type}, expected {kind}; export it as otel_traces has it"
        raise FileFault("type_flip", message, column=name) from error


def _nanoseconds(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    try:
        if pa.types.is_timestamp(kind):
            whole = column.cast(pa.int64())
            return pc.multiply(whole, pa.scalar(_NANOSECONDS[kind.unit], pa.int64()))
        if pa.types.is_integer(kind):
            return column.cast(pa.int64(), safe=False)
        text = pc.replace_substring(column.cast(pa.string()), " ", "T")
        return text.cast(pa.timestamp("ns")).cast(pa.int64())
    except pa.ArrowException as error:
        message = f"column Timestamp is {kind} and no time; export it as otel_traces has it"
        raise FileFault("type_flip", message, column="Timestamp") from error


def _text(table: pa.Table, name: str) -> pl.Series:
    column = _column(table, name, pa.string())
    return pl.Series(name, pl.from_arrow(column), dtype=pl.String)


def _ids(table: pa.Table, name: str) -> pl.Series:
    text = _text(table, name).str.strip_chars().str.to_lowercase()
    frame = text.to_frame("text")
    is_id = pl.col("text").str.contains("[^0]") & (pl.col("text").str.len_chars() <= 64)
    return frame.select(pl.when(is_id).then("text")).to_series()


def _kept_share(states: pl.Series) -> pl.Series:
    if not states.str.contains("ot=", literal=True).any():
        return pl.Series([None] * len(states), dtype=pl.Float64)
    shares = [read_kept_share(text[:512]) if text else None for text in states]
    return pl.Series(shares, dtype=pl.Float64)
