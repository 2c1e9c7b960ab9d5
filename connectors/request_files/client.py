"""Land request files: mapped columns in, rows of `requests` out, batch by batch.

What belongs here: the order of the steps. What must not: file formats (`reading.py`), values (`values.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

import polars as pl

from connectors.common.api_keys import build_api_key_id
from connectors.common.contract import CheckStep, LandingContext, Severity, SourceReport
from connectors.common.datasets import REQUESTS
from connectors.common.file_listing import check_stored_files
from connectors.common.landing import FileDelivery
from connectors.common.request_rows import (
    MAX_TEXT_CHARACTERS,
    RequestTally,
    build_provider_name,
    build_requests,
)
from connectors.common.source_files import FileFault, SourceFile
from connectors.common.stored_landing import land_stored_files
from connectors.common.token_usage import REPORTED_COUNTS
from connectors.request_files.reading import SUFFIXES, read_batches
from connectors.request_files.schema import (
    COST_COLUMN,
    COUNT_COLUMNS,
    DURATION_COLUMN,
    EMITTER_KINDS,
    ESTIMATED_COLUMNS,
    SECONDS_COLUMNS,
    TEXT_COLUMNS,
    TIME_COLUMNS,
    USAGE_COLUMN,
    USAGE_SOURCES,
)
from connectors.request_files.settings import Settings
from connectors.request_files.usage import FLAGS, add_estimates, add_usage, build_choice
from connectors.request_files.values import (
    build_counts,
    build_decimals,
    build_duration,
    build_instants,
    build_status,
    build_text,
)

SCHEMA_VERSION = 3


@dataclass
class FileState:
    """What batches of one file have in common: values that are there, and those that could not be read."""

    tally: RequestTally = field(default_factory=RequestTally)
    present: Counter[str] = field(default_factory=Counter)
    unreadable: Counter[str] = field(default_factory=Counter)
    oversized: Counter[str] = field(default_factory=Counter)
    rows: int = 0


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land the source's files into `requests`; never raises for bad data."""
    typing = {
        "connector": "request_files",
        "version": SCHEMA_VERSION,
        "identity": context.identity.key_id,
        "columns": settings.columns,
        "constants": settings.constants,
        "semantics": settings.semantics.model_dump(mode="json"),
        "usage": [settings.usage_flavour, settings.usage_flavours],
        "timestamp_format": settings.timestamp_format,
    }
    read = partial(read_request_file, settings=settings, context=context)
    return land_stored_files(settings, context, (REQUESTS,), read, typing=typing, suffixes=SUFFIXES)


def check(settings: Settings) -> Iterator[CheckStep]:
    """Yield whether the files can be reached, listed and read."""
    return check_stored_files(settings, SUFFIXES)


def read_request_file(
    file: SourceFile, delivery: FileDelivery, *, settings: Settings, context: LandingContext
) -> None:
    """Write the requests of one file; raises FileFault when it cannot be read or a mapped column is gone."""
    state = FileState()
    for batch in read_batches(file, settings.sources, delivery.quarantine):
        frame = build_request_frame(batch, settings, context, state)
        table = build_requests(
            frame,
            source=settings.name,
            scope=file.relative,
            now=context.now,
            sink=delivery,
            tally=state.tally,
        )
        delivery.write("requests", table)
    _check_types(settings, state)
    delivery.note_schema(sorted({name for names in settings.sources.values() for name in names}))
    if state.rows == 0:
        delivery.add("no_rows", "holds no rows; that is taken as an empty delivery", Severity.WARN)
    state.tally.report(delivery)
    for name, count in sorted((+state.oversized).items()):
        message = f"{count} values for {name} are too long to be a name and are dropped; check `columns`"
        delivery.add("oversized_value", message, Severity.WARN, count=count)


def build_request_frame(
    batch: pl.DataFrame, settings: Settings, context: LandingContext, state: FileState
) -> pl.DataFrame:
    """Return a batch with typed canonical columns, constants and the meaning of its token counts."""
    state.rows += len(batch)
    frame = batch.select("line", **_build_values(batch, settings))
    _note_unreadable(batch, frame, state)
    frame = _drop_oversized(frame, state)
    frame = frame.with_columns(
        [pl.lit(value, pl.String).alias(name) for name, value in settings.constants.items()]
    )
    for name in ("user_id", "principal_id"):
        if name in frame.columns:
            frame = frame.with_columns(context.identity.pseudonymise_series(frame[name]))
    if "api_key_id" in frame.columns:
        frame = frame.with_columns(_build_api_keys(frame["api_key_id"], context))
    if "status" in frame.columns:
        frame = frame.with_columns(build_status("status").alias("status"))
    for name, choices in (("usage_source", USAGE_SOURCES), ("emitter_kind", EMITTER_KINDS)):
        if name in frame.columns:
            frame = frame.with_columns(build_choice(name, choices))
    if COST_COLUMN in frame.columns and "reported_cost_currency" not in frame.columns:
        currency = pl.when(pl.col(COST_COLUMN).is_not_null()).then(pl.lit("USD"))
        frame = frame.with_columns(currency.alias("reported_cost_currency"))
    if USAGE_COLUMN in batch.columns:
        frame = add_usage(frame, batch[USAGE_COLUMN], settings)
    return _with_semantics(add_estimates(frame), settings)


def _build_api_keys(column: pl.Series, context: LandingContext) -> pl.Series:
    names = {
        text: build_api_key_id(text, context.identity) for text in column.drop_nulls().unique().to_list()
    }
    return pl.Series(column.name, [names.get(text) for text in column.to_list()], dtype=pl.String)


def _build_values(batch: pl.DataFrame, settings: Settings) -> dict[str, pl.Expr]:
    types = batch.schema
    values: dict[str, pl.Expr] = {}
    problems: list[pl.Expr] = []
    for name in settings.columns:
        if name in TIME_COLUMNS:
            values[name] = pl.lit(build_instants(batch[name], settings.timestamp_format))
        elif name in TEXT_COLUMNS:
            text = build_text(name, types[name])
            values[name] = (
                text.str.to_lowercase() if name in ("trace_id", "span_id", "parent_span_id") else text
            )
        elif name in SECONDS_COLUMNS:
            values[name] = pl.lit(build_decimals(batch[name], 6))
        elif name == COST_COLUMN:
            values[name] = pl.lit(build_decimals(batch[name], 12))
        elif name in REPORTED_COUNTS or name in ESTIMATED_COLUMNS:
            values[name], problem = build_counts(name, types[name])
            problems.append(problem)
        elif name in COUNT_COLUMNS:
            values[name] = build_counts(name, types[name])[0]
    if DURATION_COLUMN in settings.columns and "ended_at" not in settings.columns:
        values["ended_at"] = values["started_at"] + build_duration(DURATION_COLUMN, types[DURATION_COLUMN])
    values["usage_problem"] = pl.coalesce(*problems, pl.lit(None, pl.String))
    return values


def _note_unreadable(batch: pl.DataFrame, frame: pl.DataFrame, state: FileState) -> None:
    """Count, per time and token column, the values that are there and could not be read."""
    for name in ("started_at", *REPORTED_COUNTS):
        if name in batch.columns:
            is_present = batch.select(build_text(name, batch.schema[name]).is_not_null()).to_series()
            state.present[name] += int(is_present.sum())
            state.unreadable[name] += int((is_present & frame[name].is_null()).sum())


def _drop_oversized(frame: pl.DataFrame, state: FileState) -> pl.DataFrame:
    """Drop and count texts that are too long to be a name or an id."""
    texts = [name for name in TEXT_COLUMNS if name in frame.columns]
    for name in texts:
        state.oversized[name] += int((frame[name].str.len_chars() > MAX_TEXT_CHARACTERS).sum())
    return frame.with_columns(
        [
            pl.when(pl.col(name).str.len_chars() <= MAX_TEXT_CHARACTERS).then(pl.col(name)).alias(name)
            for name in texts
        ]
    )


def _with_semantics(frame: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    semantics = settings.semantics
    exclusive = [build_provider_name(name) for name in semantics.exclusive_providers]
    includes = pl.lit(semantics.input_includes_cached)
    if exclusive and "provider" in frame.columns:
        providers = [name for name in frame["provider"].unique() if build_provider_name(name) in exclusive]
        includes = includes & ~pl.col("provider").is_in(providers).fill_null(False)
    stated = {
        "input_includes_cached": includes,
        "output_includes_reasoning": pl.lit(semantics.output_includes_reasoning),
    }
    return frame.with_columns(
        pl.coalesce(name, stated[name]).alias(name) if name in frame.columns else stated[name].alias(name)
        for name in FLAGS
    )


def _check_types(settings: Settings, state: FileState) -> None:
    """Refuse a file in which a column holds no value of its type at all: it was renamed or turned."""
    for name, count in state.unreadable.items():
        if count and count == state.present[name]:
            expected = "a time" if name == "started_at" else "a whole number"
            column = settings.sources[name][0]
            message = (
                f"column {column} changed its type: no value is {expected}; deliver it again as {expected}"
            )
            raise FileFault("type_flip", message, column=column)
