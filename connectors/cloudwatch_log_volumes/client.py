"""Land what log groups took in: hours of a UTC day by log group → `telemetry`.

What belongs here: the order of the steps. What must not: names of metrics (`schema.py`), asking AWS
(`common/metrics/cloudwatch.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pyarrow as pa

from connectors.cloudwatch_log_volumes import schema
from connectors.cloudwatch_log_volumes.settings import Settings
from connectors.common.apis.windows import build_windows
from connectors.common.contract import CheckStep, LandingContext, SourceReport
from connectors.common.datasets import TELEMETRY
from connectors.common.metrics.cloudwatch import AwsRegion, MetricQuery
from connectors.common.metrics.cloudwatch_days import RegionDays, check_regions, land_regions

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
    return land_regions(settings, context, TELEMETRY, partial(_land_days, settings), typing=typing)


def check(settings: Settings) -> Iterator[CheckStep]:
    """Try to sign in, list and read the log groups of every region."""
    yield from check_regions(
        settings, "log groups", lambda aws: _list_groups(aws) | set(settings.log_groups), _build_queries
    )


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


def _land_days(settings: Settings, work: RegionDays) -> None:
    groups = work.remember("log groups", _list_groups(work.aws) | set(settings.log_groups))
    queries = _build_queries(sorted(groups))
    for window in build_windows(work.days, _DAYS_AT_ONCE):
        hours = work.aws.read_values(queries, window.start, window.end)
        for day in window.days:
            rows = pa.Table.from_pylist(build_rows(hours, day, settings.account_id), _SCHEMA)
            work.windows.deliver(TELEMETRY, day, rows, is_final=work.windows.is_final(day))


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
