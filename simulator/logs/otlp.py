"""Spans as collectors write them: OTLP JSON lines (file exporter) or Parquet (ClickHouse exporter's `otel_traces`).

What belongs here: the two formats. What must not: which spans exist or what they say (`spans`).

A span frame has the fixed columns below and one column an attribute, named as OpenTelemetry names it: text,
number, truth value or list of texts. A null is no attribute.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from simulator.logs.json_text import check_plain, joined, listed, record, text
from simulator.logs.line_files import put_file

SCHEMA_URL = "https://opentelemetry.io/schemas/1.41.0"
SCOPE_NAME = "quillworks.agents"
SCOPE_VERSION = "2.3.1"
SPANS_PER_LINE = 512

FIXED = (
    "resource",  # row of the resources
    "trace_id",
    "span_id",
    "parent_span_id",
    "span_name",
    "span_kind",  # internal | server | client
    "start_ns",
    "end_ns",
    "is_error",
    "trace_state",
)
_KINDS = {"internal": 1, "server": 2, "client": 3}
_SCOPE = f'{{"name":"{SCOPE_NAME}","version":"{SCOPE_VERSION}"}}'


@dataclass(frozen=True)
class Spans:
    """Spans in the order in which the collector got them, and the resources that sent them (column `resource`)."""

    frame: pl.DataFrame
    resources: pl.DataFrame


def write_lines(path: Path, spans: Spans) -> None:
    """Write one `ExportTraceServiceRequest` a line, up to SPANS_PER_LINE spans in it."""
    check_plain(spans.frame, [name for name in spans.frame.columns if not name.endswith("_id")])
    resources = spans.resources.select(
        "resource", record({"attributes": _attributes(spans.resources, ("resource",))}).alias("resource_text")
    )
    written = spans.frame.select("resource", _span(spans.frame).alias("span")).with_row_index("row")
    batches = written.group_by(
        (pl.col("row") // SPANS_PER_LINE).alias("batch"), "resource", maintain_order=True
    ).agg(pl.col("span").str.join(","))
    parts = batches.join(resources, on="resource", how="left", maintain_order="left").with_columns(
        _resource_spans().alias("part")
    )
    lines = parts.group_by("batch", maintain_order=True).agg(pl.col("part").str.join(","))
    content = lines.select(record({"resourceSpans": listed(pl.col("part"))}).str.join("\n")).item()
    put_file(path, content.encode() + b"\n")


def _resource_spans() -> pl.Expr:
    scope = record(
        {"scope": pl.lit(_SCOPE), "spans": listed(pl.col("span")), "schemaUrl": pl.lit(f'"{SCHEMA_URL}"')}
    )
    return record(
        {
            "resource": pl.col("resource_text"),
            "scopeSpans": listed(scope),
            "schemaUrl": pl.lit(f'"{SCHEMA_URL}"'),
        }
    )


def _span(frame: pl.DataFrame) -> pl.Expr:
    kind = pl.col("span_kind").replace_strict({name: str(code) for name, code in _KINDS.items()})
    return record(
        {
            "traceId": text(pl.col("trace_id")),
            "spanId": text(pl.col("span_id")),
            "parentSpanId": text(pl.col("parent_span_id")),
            "traceState": text(pl.col("trace_state")),
            "name": text(pl.col("span_name")),
            "kind": kind,
            "startTimeUnixNano": text(pl.col("start_ns").cast(pl.String)),
            "endTimeUnixNano": text(pl.col("end_ns").cast(pl.String)),
            "attributes": _attributes(frame, FIXED),
            "status": pl.when("is_error").then(pl.lit('{"code":2}')).otherwise(pl.lit("{}")),
        }
    )


def _attributes(frame: pl.DataFrame, fixed: tuple[str, ...]) -> pl.Expr:
    """OTLP key/value pairs; whole numbers travel as strings."""
    pairs = []
    for name, kind in frame.schema.items():
        if name in fixed or frame[name].null_count() == len(frame):
            continue
        column = pl.col(name)
        if kind == pl.Boolean:
            value = record({"boolValue": _truth(column)})
        elif kind.is_integer():
            value = pl.concat_str(pl.lit('{"intValue":"'), column.cast(pl.String), pl.lit('"}'))
        elif kind.is_float():
            value = record({"doubleValue": column.cast(pl.String)})
        elif isinstance(kind, pl.List):
            items = column.list.eval(record({"stringValue": text(pl.element())})).list.join(",")
            value = record({"arrayValue": record({"values": listed(items)})})
            value = pl.when(column.is_not_null()).then(value)
        else:
            value = pl.concat_str(pl.lit('{"stringValue":"'), column, pl.lit('"}'))
        pairs.append(pl.concat_str(pl.lit(f'{{"key":"{name}","value":'), value, pl.lit("}")))
    return listed(joined(pairs))


def _truth(column: pl.Expr) -> pl.Expr:
    """`true` or `false`; null stays null."""
    return column.replace_strict({True: "true", False: "false"}, return_dtype=pl.String)


_STATUS = {True: "Error", False: "Unset"}


def write_parquet(path: Path, spans: Spans) -> None:
    """Write one file in the columns of the ClickHouse exporter."""
    maps = _text_map(spans.resources, ("resource",))
    row_of = {resource: row for row, resource in enumerate(spans.resources["resource"].to_list())}
    frame = spans.frame
    rows = frame["resource"].replace_strict(row_of, return_dtype=pl.Int64).to_arrow()
    table = pa.table(
        {
            "Timestamp": frame["start_ns"].cast(pl.Datetime("ns")).to_arrow(),
            "TraceId": frame["trace_id"].to_arrow(),
            "SpanId": frame["span_id"].to_arrow(),
            "ParentSpanId": frame["parent_span_id"].fill_null("").to_arrow(),
            "TraceState": frame["trace_state"].fill_null("").to_arrow(),
            "SpanName": frame["span_name"].to_arrow(),
            "SpanKind": frame["span_kind"].str.to_titlecase().to_arrow(),
            "ResourceAttributes": maps.take(rows),
            "ScopeName": pa.repeat(SCOPE_NAME, len(frame)).dictionary_encode(),
            "SpanAttributes": _text_map(frame, FIXED),
            "Duration": (frame["end_ns"] - frame["start_ns"]).to_arrow(),
            "StatusCode": frame["is_error"].replace_strict(_STATUS).to_arrow(),
        }
    )
    content = io.BytesIO()
    pq.write_table(table, content, compression="lz4")
    put_file(path, content.getvalue())


def _text_map(frame: pl.DataFrame, fixed: tuple[str, ...]) -> pa.Array:
    """All attributes as one map of texts a row, as ClickHouse keeps them; a list becomes its JSON."""
    names, columns = [], []
    for name, kind in frame.schema.items():
        if name in fixed or frame[name].null_count() == len(frame):
            continue
        column = frame[name]
        if isinstance(kind, pl.List):
            items = pl.col(name).list.eval(text(pl.element())).list.join(",")
            column = frame.select(pl.when(pl.col(name).is_not_null()).then(listed(items))).to_series()
        if kind == pl.Boolean:
            column = frame.select(_truth(pl.col(name))).to_series()
        names.append(name)
        columns.append(column.cast(pl.String))
    is_there = np.column_stack([column.is_not_null().to_numpy() for column in columns])
    attribute, row = np.nonzero(is_there.T)
    order = np.argsort(row, kind="stable")
    values = pa.concat_arrays([column.drop_nulls().to_arrow().cast(pa.string()) for column in columns])
    offsets = np.concatenate(([0], np.cumsum(is_there.sum(axis=1)))).astype(np.int32)
    keys = pa.array(names).take(pa.array(attribute[order]))
    return pa.MapArray.from_arrays(pa.array(offsets), keys, values.take(pa.array(order)))
