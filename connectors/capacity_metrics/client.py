"""Landing metrics of self-hosted models.

What belongs here: the call of the common lander. What must not: names of metrics (`schema.py`), what an hour is
(`hours.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from connectors.capacity_metrics.hours import build_hours
from connectors.capacity_metrics.schema import SCHEMA_VERSION, WANTED
from connectors.capacity_metrics.settings import Settings
from connectors.common.contract import CheckStep, LandingContext, SourceReport
from connectors.common.datasets import CAPACITY
from connectors.common.file_listing import check_stored_files
from connectors.common.metrics.day_files import land_metric_days
from connectors.common.metrics.prometheus import SUFFIXES, read_metric_file


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land all scrapes of a source, day by day; never raises for bad data."""
    typing = {"version": SCHEMA_VERSION, **settings.describe_typing()}
    return land_metric_days(
        settings,
        context,
        CAPACITY,
        read=partial(read_metric_file, wanted=WANTED),
        build=partial(build_hours, settings=settings),
        longest_gap=settings.longest_gap,
        typing=typing,
        suffixes=SUFFIXES,
    )


def check(settings: Settings) -> Iterator[CheckStep]:
    """Yield whether the files can be reached, listed and read."""
    return check_stored_files(settings, SUFFIXES)
