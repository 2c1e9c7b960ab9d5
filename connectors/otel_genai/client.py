"""Land OTLP trace files: stream the lines, settle what spans know from each other, write both datasets.

What belongs here: the order of the steps, bounded memory. What must not: attribute names (`schema.py`),
what a span becomes (`spans.py`), what spans inherit (`inheritance.py`).

A file is read once, in batches that are set aside on disk; only an index of its spans stays in memory.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from functools import partial
from tempfile import TemporaryFile
from typing import IO

import polars as pl
import pyarrow.parquet as pq

from connectors.common.contract import LandingContext, Severity, SourceReport
from connectors.common.datasets import REQUESTS, SPANS
from connectors.common.landing import FileDelivery, land_files
from connectors.common.request_rows import RequestTally, build_requests, find_time_problems, refuse_rows
from connectors.common.source_files import FileFault, SourceFile
from connectors.otel_genai.inheritance import INDEX_COLUMNS, ResolvedSpans, resolve_spans
from connectors.otel_genai.schema import INHERITED_KEYS
from connectors.otel_genai.settings import Settings
from connectors.otel_genai.spans import MalformedLineError, Row, SpanReader, build_frame

SCHEMA_VERSION = 1
BATCH_ROWS = 50_000
SUFFIXES = (".jsonl", ".json", ".ndjson", ".jsonl.gz", ".json.gz", ".ndjson.gz")


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land the source's files into `requests` and `spans`; never raises for bad data."""
    typing = {
        "connector": "otel_genai",
        "version": SCHEMA_VERSION,
        "identity": context.identity.key_id,
        "attributes": settings.attributes.model_dump(mode="json"),
        "semantics": settings.semantics.model_dump(mode="json"),
    }
    read = partial(read_otlp_file, settings=settings, context=context)
    return land_files(
        settings, context, (REQUESTS, SPANS), read, typing=typing, keeps_artifacts=False, suffixes=SUFFIXES
    )


def read_otlp_file(
    file: SourceFile, delivery: FileDelivery, *, settings: Settings, context: LandingContext
) -> None:
    """Write the requests and spans of one file; FileFault when it cannot be read or holds no OTLP at all."""
    reader = SpanReader(settings)
    context.lake.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=context.lake) as aside:
        index = _set_aside(file, delivery, reader, context, aside)
        if index is None:
            _report_reader(delivery, reader)
            return
        resolved = resolve_spans(index)
        del index
        aside.seek(0)
        tally = RequestTally()
        tally.counts["duplicate_request"] = resolved.repeated
        offset = 0
        for batch in pq.ParquetFile(aside).iter_batches(BATCH_ROWS):
            rows = pl.DataFrame(pl.from_arrow(batch)).drop("is_call")
            rows = rows.hstack(resolved.frame.slice(offset, len(rows)))
            offset += len(rows)
            _write_batch(rows, delivery, settings, context, tally)
    tally.report(delivery)
    _report_reader(delivery, reader)
    _report_resolved(delivery, resolved)


def _set_aside(
    file: SourceFile, delivery: FileDelivery, reader: SpanReader, context: LandingContext, aside: IO[bytes]
) -> pl.DataFrame | None:
    """Parse the file batch by batch into `aside`; return the index of its spans, None when it has none."""
    parts: list[pl.DataFrame] = []
    writer: pq.ParquetWriter | None = None
    for rows in _read_batches(file, delivery, reader):
        frame = build_frame(rows)
        frame = frame.with_columns(
            context.identity.pseudonymise_series(frame["user_id"]),
            pl.from_epoch("start_us", time_unit="us").alias("started_at"),
            pl.from_epoch("end_us", time_unit="us").alias("ended_at"),
            (pl.col("input_tokens").is_not_null() | pl.col("output_tokens").is_not_null()).alias("has_usage"),
        )
        parts.append(frame.select(INDEX_COLUMNS).with_columns(pl.col(INHERITED_KEYS).cast(pl.Categorical)))
        table = frame.drop(*INHERITED_KEYS, "has_usage", "start_us", "end_us").to_arrow()
        if writer is None:
            writer = pq.ParquetWriter(aside, table.schema, compression="zstd")
        writer.write_table(table)
    if writer is None:
        return None
    writer.close()
    return pl.concat(parts).rechunk()


def _read_batches(file: SourceFile, delivery: FileDelivery, reader: SpanReader) -> Iterator[list[Row]]:
    rows: list[Row] = []
    malformed = lines = 0
    for number, line in enumerate(_read_lines(file), start=1):
        if not line.strip():
            continue
        lines += 1
        try:
            rows.extend(reader.read_line(number, line))
        except MalformedLineError as error:
            malformed += 1
            delivery.quarantine(number, f"malformed_line: {error}")
        if len(rows) >= BATCH_ROWS:
            yield rows
            rows = []
    if malformed and malformed == lines:
        message = "no line is an OTLP trace export; expected one ExportTraceServiceRequest as JSON a line"
        raise FileFault("unreadable_file", message)
    if rows:
        yield rows


def _read_lines(file: SourceFile) -> Iterator[bytes]:
    try:
        if file.relative.lower().endswith(".gz"):
            with gzip.open(file.path, "rb") as stream:
                yield from stream
        else:
            with file.path.open("rb") as stream:
                yield from stream
    except (OSError, EOFError, zlib.error) as error:
        message = f"cannot be read to its end ({type(error).__name__}); deliver the file again"
        raise FileFault("unreadable_file", message) from error


def _write_batch(
    rows: pl.DataFrame,
    delivery: FileDelivery,
    settings: Settings,
    context: LandingContext,
    tally: RequestTally,
) -> None:
    kept = rows.filter(~pl.col("is_repeated")).with_columns(pl.col(INHERITED_KEYS).cast(pl.String))
    attempt = (pl.col("resend_count") + 1).alias("attempt_number")
    calls = kept.filter("is_call").with_columns(attempt, pl.lit("span").alias("emitter_kind"))
    delivery.write(
        "requests",
        build_requests(
            calls,
            source=settings.name,
            scope=delivery.file.relative,
            now=context.now,
            sink=delivery,
            tally=tally,
        ),
    )
    others = kept.filter(~pl.col("is_call"))
    others = refuse_rows(
        others.with_columns(find_time_problems(others, context.now)), "time_problem", delivery, tally
    )
    is_wrapper = pl.col("is_wrapper")
    kind = pl.when(is_wrapper).then(pl.lit("chain")).otherwise("span_kind").alias("span_kind")
    columns = [name for name in SPANS.schema.names if name in others.columns]
    delivery.write("spans", others.with_columns(kind).select(columns).to_arrow())


def _report_reader(delivery: FileDelivery, reader: SpanReader) -> None:
    for line, reason, column in reader.refused:
        delivery.quarantine(line, reason, column)
    if reader.ignored_signals:
        message = f"{reader.ignored_signals} lines hold logs, metrics or nothing; only traces are read here"
        delivery.add("other_signal", message, Severity.INFO, count=reader.ignored_signals)
    for column, count in sorted(reader.oversized.items()):
        message = f"{count} values for {column} are too long to be a name and are dropped; check `attributes`"
        delivery.add("oversized_value", message, Severity.WARN, count=count)


def _report_resolved(delivery: FileDelivery, resolved: ResolvedSpans) -> None:
    found = (
        ("orphan_span", resolved.orphans, Severity.INFO, "spans name a parent that is not in this file"),
        ("span_loop", resolved.loops, Severity.WARN, "spans are their own ancestors; correct the emitter"),
        (
            "nested_call",
            resolved.nested_calls,
            Severity.INFO,
            "model call spans repeat another one above or below; the deepest that reports usage is kept",
        ),
    )
    for kind, count, severity, message in found:
        if count:
            delivery.add(kind, f"{count} {message}", severity, count=count)
