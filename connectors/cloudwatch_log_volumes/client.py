"""Land what log groups took in: hours of a UTC day by log group → `telemetry`.

What belongs here: the order of the steps. What must not: names of metrics (`schema.py`), asking AWS
(`common/cloudwatch.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from connectors.cloudwatch_log_volumes import schema
from connectors.cloudwatch_log_volumes.settings import Settings
from connectors.common.api_windows import ApiWindows, build_windows
from connectors.common.cloudwatch import AwsRegion, MetricQuery
from connectors.common.contract import CheckStep, ConnectorError, LandingContext, Severity, SourceReport
from connectors.common.datasets import TELEMETRY
from connectors.common.source_landing import SourceLanding

_HOUR = timedelta(hours=1)
_DAYS_AT_ONCE = 30
_SCHEMA = pa.schema(
    [TELEMETRY.schema.field(name) for name in TELEMETRY.schema.names if not name.startswith("x_")]
)
Hours = Mapping[MetricQuery, Mapping[datetime, Decimal]]


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land the days of every region that are new or not final; a region that fails does not stop the others."""
    typing = {
        "connector": settings.connector,
        "version": schema.SCHEMA_VERSION,
        "account": settings.account_id,
    }
    landing = SourceLanding(settings, context, typing=typing)
    if not landing.is_reading_only:
        for region in settings.regions:
            try:
                _land_region(landing, settings, region)
            except ConnectorError as error:
                message = f"{landing.source}: {error}"
                landing.add(TELEMETRY.name, "unreachable_api", message, Severity.FAULT)
    return landing.report()


def check(settings: Settings) -> Iterator[CheckStep]:
    """Try to sign in, list and read the log groups of every region."""
    for region in settings.regions:
        try:
            aws = AwsRegion(settings, region)
            groups = _list_groups(aws) | set(settings.log_groups)
        except ConnectorError as error:
            yield CheckStep(f"{region} list", False, str(error))
            yield CheckStep(f"{region} read", None, "not tried without a list")
            continue
        if not groups:
            message = f"no log group of {region} took anything in within two weeks; correct `regions`"
            yield CheckStep(f"{region} list", False, message)
            yield CheckStep(f"{region} read", None, "not tried, for there is nothing to read")
            continue
        yield CheckStep(f"{region} list", True, f"{len(groups):,} log groups")
        try:
            start = datetime(2026, 1, 1)  # noqa: DTZ001 (naive UTC)
            aws.read_values(_build_queries(sorted(groups)[:1]), start, start + _HOUR)
        except ConnectorError as error:
            yield CheckStep(f"{region} read", False, str(error))
        else:
            yield CheckStep(f"{region} read", True, "sums may be read")


def build_rows(hours: Hours, day: date, account_id: str) -> list[dict[str, Any]]:
    """Return the rows of one UTC day: one a log group and hour that took anything in."""
    found: dict[tuple[datetime, str], dict[str, Decimal]] = {}
    for query, values in hours.items():
        group = dict(query.dimensions)[schema.DIMENSION]
        for moment, value in values.items():
            if moment.date() == day and value > 0:
                found.setdefault((moment, group), {})[query.metric] = value
    return [
        {
            "window_start": moment,
            "window_end": moment + _HOUR,
            "provider": schema.PROVIDER,
            "account_id": account_id,
            "signal": schema.SIGNAL,
            "workload_ref": group,
            "volume_bytes": _to_count(values.get(schema.BYTES)),
            "volume_count": _to_count(values.get(schema.EVENTS)),
        }
        for (moment, group), values in sorted(found.items())
    ]


def _land_region(landing: SourceLanding, settings: Settings, region: str) -> None:
    windows = ApiWindows(
        landing,
        first_day=settings.choose_first_day(landing.context.now),
        overlap_days=settings.overlap_days,
        final_after_days=None,
        part=region,
    )
    days = windows.days_to_read(TELEMETRY)
    if not days:
        return
    aws = AwsRegion(settings, region)
    key = f"log groups {region}"
    groups = _list_groups(aws) | set(landing.seen.notes.get(key, ())) | set(settings.log_groups)
    landing.seen.write_note(key, sorted(groups))
    queries = _build_queries(sorted(groups))
    for window in build_windows(days, _DAYS_AT_ONCE):
        hours = aws.read_values(queries, window.start, window.end)
        for day in window.days:
            rows = pa.Table.from_pylist(build_rows(hours, day, settings.account_id), _SCHEMA)
            windows.deliver(TELEMETRY, day, rows, is_final=windows.is_final(day))


def _list_groups(aws: AwsRegion) -> set[str]:
    """Log groups with series of their own; those by log class or of the whole account are sums of these."""
    found: set[str] = set()
    for metric in (schema.BYTES, schema.EVENTS):
        listed = aws.list_metrics(schema.NAMESPACE, metric)
        found |= {one[0][1] for one in listed if len(one) == 1 and one[0][0] == schema.DIMENSION}
    return found


def _build_queries(groups: Sequence[str]) -> list[MetricQuery]:
    return [
        MetricQuery(schema.NAMESPACE, metric, ((schema.DIMENSION, group),))
        for group in groups
        for metric in (schema.BYTES, schema.EVENTS)
    ]


def _to_count(value: Decimal | None) -> int | None:
    return None if value is None else int(value.to_integral_value())
