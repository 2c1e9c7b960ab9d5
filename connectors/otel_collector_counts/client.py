"""Landing metrics of collectors.

What belongs here: the call of the common lander. What must not: names of metrics (`schema.py`), what an hour is
(`hours.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from connectors.common.contract import CheckStep, LandingContext, SourceReport
from connectors.common.datasets import TELEMETRY
from connectors.common.file_listing import check_stored_files
from connectors.common.metrics.day_files import land_metric_days
from connectors.common.metrics.prometheus import SUFFIXES, MetricFile, read_metric_file
from connectors.common.source_files import SourceFile
from connectors.otel_collector_counts.hours import build_hours
from connectors.otel_collector_counts.otlp import is_otlp, read_otlp_file
from connectors.otel_collector_counts.schema import SCHEMA_VERSION, WANTED
from connectors.otel_collector_counts.settings import Settings

_LINES = (".jsonl", ".ndjson", ".json")


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land all files of a source, day by day; never raises for bad data."""
    typing = {"version": SCHEMA_VERSION, **settings.describe_typing()}
    return land_metric_days(
        settings,
        context,
        TELEMETRY,
        read=_read,
        build=partial(build_hours, settings=settings),
        longest_gap=settings.longest_gap,
        typing=typing,
        suffixes=SUFFIXES,
    )


def check(settings: Settings) -> Iterator[CheckStep]:
    """Yield whether the files can be reached, listed and read."""
    return check_stored_files(settings, SUFFIXES)


def _read(file: SourceFile) -> MetricFile:
    name = file.relative.lower().removesuffix(".gz")
    if name.endswith(_LINES) and is_otlp(file):
        return read_otlp_file(file, WANTED)
    return read_metric_file(file, WANTED)
