"""Land trace files: read the spans, settle what spans of a file know from each other, write both datasets.

What belongs here: the order of the steps, bounded memory. What must not: attribute names (`schema.py`), formats
(`otlp_lines.py`, `clickhouse.py`), what a span says (`spans.py`), what spans inherit (`inheritance.py`).

A file is read once, in batches that are set aside on disk (`aside.py`); memory does not grow with the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

import polars as pl
import pyarrow as pa

from connectors.common.contract import CheckStep, LandingContext, Severity, SourceReport
from connectors.common.datasets import REQUESTS, SPANS
from connectors.common.file_listing import check_stored_files
from connectors.common.landing import FileDelivery
from connectors.common.request_rows import RequestTally, build_requests, find_time_problems, refuse_rows
from connectors.common.source_files import FileFault, SourceFile
from connectors.common.stored_landing import land_stored_files
from connectors.common.token_usage import normalise_usage
from connectors.otel_genai.aside import Bucket, SetAside
from connectors.otel_genai.clickhouse import read_parquet
from connectors.otel_genai.inheritance import resolve_spans
from connectors.otel_genai.parsing import SpanParser, estimate_size
from connectors.otel_genai.raw_spans import AttributeNames, ReadNotes
from connectors.otel_genai.schema import INHERITED_KEYS, SECONDS_ATTRIBUTES
from connectors.otel_genai.settings import Settings
from connectors.otel_genai.spans import SpanTyper

SCHEMA_VERSION = 3
BATCH_ROWS = 50_000
_JSON = (".jsonl", ".json", ".ndjson")
SUFFIXES = (*_JSON, *(f"{name}{more}" for name in _JSON for more in (".gz", ".zst")), ".parquet", ".binpb")


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land the source's files into `requests` and `spans`; never raises for bad data."""
    typing = {
        "connector": "otel_genai",
        "version": SCHEMA_VERSION,
        "identity": context.identity.key_id,
        "attributes": settings.attributes.model_dump(mode="json"),
        "semantics": settings.semantics.model_dump(mode="json"),
    }
    names = AttributeNames.build(settings)
    with SpanParser(names, settings.workers) as parser:
        read = partial(read_file, settings=settings, context=context, names=names, parser=parser)
        datasets = (REQUESTS, SPANS)
        return land_stored_files(
            settings, context, datasets, read, typing=typing, suffixes=SUFFIXES, expect=parser.expect
        )


def check(settings: Settings) -> Iterator[CheckStep]:
    """Yield whether the files can be reached, listed and read."""
    return check_stored_files(settings, SUFFIXES)


def read_file(
    file: SourceFile,
    delivery: FileDelivery,
    *,
    settings: Settings,
    context: LandingContext,
    names: AttributeNames,
    parser: SpanParser,
) -> None:
    """Write the requests and spans of one file; FileFault when it cannot be read or holds no spans at all."""
    context.lake.mkdir(parents=True, exist_ok=True)
    with SetAside(context.lake, estimate_size(file)) as aside:
        landing = _FileLanding(delivery, settings, context, names, parser)
        landing.set_aside(aside)
        landing.tell_what_was_read()
        buckets = aside.finish()
        for bucket in buckets:
            landing.write(bucket)
    if buckets:
        landing.tell_what_was_found()


@dataclass
class _FileLanding:
    """The work on one file: what was read, what was odd."""

    delivery: FileDelivery
    settings: Settings
    context: LandingContext
    names: AttributeNames
    parser: SpanParser
    tally: RequestTally = field(default_factory=RequestTally)
    notes: ReadNotes = field(default_factory=ReadNotes)
    spans: int = 0
    sampled: int = 0
    adjusted: float = 0
    orphans: int = 0
    loops: int = 0
    nested_calls: int = 0

    def __post_init__(self) -> None:
        self.typer = SpanTyper(self.settings, self.context.identity)

    def set_aside(self, aside: SetAside) -> None:
        """Read the file batch by batch into `aside`."""
        for frame in self._read_typed():
            if len(frame):
                aside.add(frame)

    def _read_typed(self) -> Iterator[pl.DataFrame]:
        for raw in self._read_raw():
            typed = self.typer.build_frame(raw)
            self.spans += len(typed)
            timed = typed.with_columns(find_time_problems(typed, self.context.now))
            sound = refuse_rows(timed, "time_problem", self.delivery, self.tally)
            yield self._with_calls(sound)

    def _read_raw(self) -> Iterator[pl.DataFrame]:
        file = self.delivery.file
        if file.relative.lower().endswith(".parquet"):
            yield from read_parquet(file, self.names, self.notes)
            return
        yield from self.parser.parse(file, self.notes)
        refused = len(self.notes.malformed)
        if refused and refused == self.notes.lines:
            message = "no line is an OTLP trace export; expected one ExportTraceServiceRequest as JSON a line"
            raise FileFault("unreadable_file", message)

    def _with_calls(self, sound: pl.DataFrame) -> pl.DataFrame:
        """Tell calls whose usage contradicts itself: they are refused, and stay in the tree as links of a chain."""
        problem = normalise_usage(sound)["usage_problem"]
        frame = sound.with_columns(
            (pl.col("is_call") & pl.lit(problem.is_null())).alias("is_call"),
            (pl.col("is_call") & pl.lit(problem.is_not_null())).alias("is_refused"),
        ).with_columns(
            pl.when("is_refused").then(pl.lit("chain")).otherwise("span_kind").alias("span_kind"),
            (
                pl.col("is_call")
                & pl.any_horizontal(
                    pl.col(name).is_not_null()
                    for name in ("input_tokens", "uncached_input_tokens", "output_tokens")
                    if name in sound.columns
                )
            ).alias("has_usage"),
        )
        sampled = frame.filter(pl.col("is_call") & (pl.col("kept_share") < 1))
        self.sampled += len(sampled)
        self.adjusted += float((1 / sampled["kept_share"]).sum())
        return frame.drop("kept_share", "is_vllm")

    def write(self, bucket: Bucket) -> None:
        """Settle the trees of a bucket, and write its spans with what each inherits."""
        resolved = resolve_spans(bucket.read_index())
        self.tally.counts["duplicate_request"] += resolved.repeated
        self.orphans += resolved.orphans
        self.loops += resolved.loops
        self.nested_calls += resolved.nested_calls
        offset = 0
        for batch in bucket.read_rows(BATCH_ROWS):
            rows = batch.hstack(resolved.frame.slice(offset, len(batch)))
            offset += len(batch)
            kept = rows.filter(~pl.col("is_repeated")).with_columns(pl.col(INHERITED_KEYS).cast(pl.String))
            self._write_requests(kept.filter(pl.col("is_call") | pl.col("is_refused")))
            others = kept.filter(~pl.col("is_call"))
            columns = [name for name in SPANS.schema.names if name in others.columns]
            self.delivery.write("spans", others.select(columns).to_arrow())

    def _write_requests(self, calls: pl.DataFrame) -> None:
        attempt = (pl.col("resend_count") + 1).alias("attempt_number")
        calls = calls.with_columns(attempt, pl.lit("span").alias("emitter_kind"))
        table = build_requests(
            calls,
            source=self.settings.name,
            scope=self.delivery.file.relative,
            now=self.context.now,
            sink=self.delivery,
            tally=self.tally,
        )
        for name in SECONDS_ATTRIBUTES:
            position = table.schema.get_field_index(name)
            table = table.set_column(position, name, _build_seconds(table[name]))
        self.delivery.write("requests", table)

    def tell_what_was_read(self) -> None:
        """Report refused lines, values and names that were left out."""
        add = self.delivery.add
        for line, reason in sorted(self.notes.malformed):
            self.delivery.quarantine(line, f"malformed_line: {reason}")
        if self.notes.ignored_signals:
            message = (
                f"{self.notes.ignored_signals} lines hold logs, metrics or nothing; only traces are read here"
            )
            add("other_signal", message, Severity.INFO, count=self.notes.ignored_signals)
        for name, count in sorted(self.typer.oversized.items()):
            message = (
                f"{count} values of {name} are too long to be a name and are dropped; check `attributes`"
            )
            add("oversized_value", message, Severity.WARN, count=count)
        if self.notes.unknown_usage:
            total = sum(self.notes.unknown_usage.values())
            named = ", ".join(sorted(self.notes.unknown_usage))
            message = f"{total} usage attributes are not known and not counted: {named}"
            add("unknown_usage", message, Severity.WARN, count=total)

    def tell_what_was_found(self) -> None:
        """Report what is odd about the tree, and whether calls are only a sample."""
        self.tally.report(self.delivery)
        share = f"{100 * self.orphans / max(self.spans, 1):.1f} %"
        found = (
            (
                "orphan_span",
                self.orphans,
                Severity.INFO,
                f"spans ({share}) name a parent that is not in this file; it is looked for in the others",
            ),
            (
                "span_loop",
                self.loops,
                Severity.WARN,
                "spans are their own ancestors; correct the emitter",
            ),
            (
                "nested_call",
                self.nested_calls,
                Severity.INFO,
                "model call spans are inside another one; the deepest that reports usage counts",
            ),
        )
        for kind, count, severity, message in found:
            if count:
                self.delivery.add(kind, f"{count} {message}", severity, count=count)
        if self.sampled:
            message = (
                f"{self.sampled} model call spans are a sample: their samplers kept about one in "
                f"{self.adjusted / self.sampled:.1f}, so about {self.adjusted:.0f} calls were made; what is missing "
                "stays unlogged usage until the calls are exported whole"
            )
            self.delivery.add("sampled_spans", message, Severity.WARN, count=self.sampled)


def _build_seconds(microseconds: pa.ChunkedArray) -> pa.Array:
    """Return whole microseconds as seconds, DECIMAL(18,6)."""
    whole = microseconds.combine_chunks().cast(pa.decimal128(19, 0)).cast(pa.decimal128(18, 0))
    whole = pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole
    return pa.Array.from_buffers(
        pa.decimal128(18, 6), len(whole), whole.buffers(), whole.null_count, whole.offset
    )
