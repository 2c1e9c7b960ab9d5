"""Landing Langfuse's export: files of any size and order in, UTC days of the newest versions out.

What belongs here: the order of the steps. What must not: what a field means (`schema.py`), which version counts
(`common/record_versions.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import polars as pl
import pyarrow as pa

from connectors.common.contract import CheckStep, LandingContext, Severity, SourceReport
from connectors.common.datasets import REQUESTS, SPANS
from connectors.common.file_listing import check_stored_files
from connectors.common.gateway_rows import (
    PLACED_COLUMNS,
    GatewayRows,
    build_deleted,
    build_frame,
    is_possible_time,
)
from connectors.common.gateway_values import read_instant, read_text
from connectors.common.record_files import RECORD_SUFFIXES, read_records
from connectors.common.record_versions import FileRecords, VersionedLanding
from connectors.common.request_rows import MAX_TEXT_CHARACTERS, RequestTally, find_time_problems, refuse_rows
from connectors.common.source_files import SourceFile
from connectors.langfuse.schema import (
    SCHEMA_VERSION,
    TRACE_SCHEMA,
    TRACES,
    build_call,
    build_fields,
    build_other,
    find_kind,
    is_deleted,
    read_places,
    read_version,
)
from connectors.langfuse.settings import Settings

_BATCH_ROWS = 50_000
_OTHER_FOLDERS = frozenset({"scores", "manifests"})


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land what is new of the export. Raises ConnectorError when its store cannot be read."""
    typing = {
        "connector": "langfuse",
        "version": SCHEMA_VERSION,
        "identity": context.identity.key_id,
        "settings": settings.model_dump(
            mode="json",
            include={"places", "provider", "provider_places", "response_id_places", "call_id_places"},
        ),
    }
    landing = VersionedLanding(
        settings,
        context,
        (REQUESTS, SPANS),
        typing=typing,
        side=(TRACES, TRACE_SCHEMA),
        enrich=add_trace_values,
    )
    return landing.run(partial(_read_file, settings=settings, context=context), RECORD_SUFFIXES)


def check(settings: Settings) -> Iterator[CheckStep]:
    """Yield whether the export can be reached, listed and read."""
    return check_stored_files(settings, RECORD_SUFFIXES)


def add_trace_values(kind: str, rows: pl.DataFrame, traces: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of a kind with what their traces say where they say nothing themselves."""
    if traces.is_empty():
        return rows
    named = [name for name in PLACED_COLUMNS if name in rows.columns]
    known = traces.select("trace_id", *(pl.col(name).alias(f"trace_{name}") for name in named))
    joined = rows.join(known, on="trace_id", how="left", maintain_order="left")
    return joined.with_columns(pl.coalesce(name, f"trace_{name}").alias(name) for name in named).select(
        rows.columns
    )


def _read_file(
    file: SourceFile, records: FileRecords, *, settings: Settings, context: LandingContext
) -> None:
    """Write the observations and traces of one file; FileFault for one that cannot be read."""
    if _OTHER_FOLDERS & set(file.relative.split("/")[:-1]):
        return
    reader = _ObservationReader(file, records, settings, context)
    for line, record in read_records(file, build_fields(settings), ("id",), records.quarantine):
        reader.add(line, record)
    reader.finish()


class _ObservationReader:
    """Sorts the records of one file: calls, other spans, traces; scores are passed over."""

    def __init__(
        self, file: SourceFile, records: FileRecords, settings: Settings, context: LandingContext
    ) -> None:
        self._records = records
        self._settings = settings
        self._context = context
        self._calls = GatewayRows(
            records,
            partial(records.write, REQUESTS.name),
            context,
            source=settings.name,
            scope=file.relative,
            has_versions=True,
        )
        self._waiting: dict[str, list[dict[str, Any]]] = {SPANS.name: [], TRACES: []}
        self._tally = RequestTally()
        self._counts: Counter[str] = Counter()

    def add(self, line: int, record: Mapping[str, Any]) -> None:
        """Add one record of the file."""
        kind = find_kind(record)
        record_id = read_text(record.get("id"))
        if kind is None or kind == "scores" or record_id is None:
            self._counts["scores" if kind == "scores" else "unknown"] += 1
            return
        if len(record_id) > MAX_TEXT_CHARACTERS:
            self._records.quarantine(line, "oversized_id: the id is too long to be one")
            return
        version = read_version(record)
        at = read_instant(record.get("timestamp" if kind == TRACES else "start_time"))
        if is_deleted(record):
            if at is not None and is_possible_time(at, self._context.now):
                self._records.write(kind, build_deleted(record_id, version, at))
            return
        if kind == REQUESTS.name:
            row, usage = build_call(record, self._settings)
            self._calls.add(line, row, usage, record_id=record_id, version=version)
            return
        row = self._build_side(record, record_id) if kind == TRACES else build_other(record, self._settings)
        stated = {"line": line, "record_id": record_id, "record_version": version, "record_at": at}
        self._waiting[kind].append(row | stated | {"is_deleted": False, "started_at": at})
        if len(self._waiting[kind]) >= _BATCH_ROWS:
            self._flush(kind)

    def finish(self) -> None:
        """Write what is left and tell what was passed over."""
        for kind in self._waiting:
            self._flush(kind)
        self._calls.finish()
        if self._tally.counts["future_clock"]:
            self._tally.report(self._records)
        if self._counts["scores"]:
            message = "scores are passed over; only observations and traces are read here"
            self._records.add("other_records", message, Severity.INFO, count=self._counts["scores"])
        if self._counts["unknown"]:
            message = (
                f"{self._counts['unknown']} records are neither observation nor trace; look at the pattern"
            )
            self._records.add("unknown_records", message, Severity.WARN, count=self._counts["unknown"])

    def _build_side(self, record: Mapping[str, Any], record_id: str) -> dict[str, Any]:
        return {"trace_id": record_id.lower(), **read_places(record, self._settings)}

    def _flush(self, kind: str) -> None:
        rows, self._waiting[kind] = self._waiting[kind], []
        if not rows:
            return
        frame = build_frame(rows, TRACE_SCHEMA if kind == TRACES else SPANS.schema)
        frame = frame.with_columns(self._context.identity.pseudonymise_series(frame["user_id"]))
        timed = frame.with_columns(find_time_problems(frame, self._context.now))
        sound = refuse_rows(timed, "time_problem", self._records, self._tally)
        kept: pa.Table = sound.drop("line").to_arrow()
        self._records.write(kind, kept if kind == SPANS.name else kept.drop_columns(["started_at"]))
