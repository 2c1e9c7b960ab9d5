"""From series of a day to hours of capacity.

What belongs here: what busy and provisioned time mean, pure. What must not: reading files, landing.

A target is provisioned for as long as it was sampled. It is busy from a sample with running requests to the next one;
where none was running, calls that came and went between two samples count with their prefill and decode seconds, and
never longer than the interval. DCGM tells the same of a device: it is busy while any GPU of the host is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from connectors.capacity_metrics import schema
from connectors.capacity_metrics.settings import Settings
from connectors.common.datasets import CAPACITY
from connectors.common.metrics.prometheus import to_micros
from connectors.common.metrics.samples import (
    DAY,
    UNITS,
    Interval,
    Series,
    merge_gauges,
    split_by_hour,
    sum_by_hour,
)

_COLUMNS = [CAPACITY.schema.field(name) for name in CAPACITY.schema.names if not name.startswith("x_")]
_SECONDS = ("prefill_seconds", "decode_seconds")


@dataclass(frozen=True)
class Target:
    """What one row of an hour is about."""

    resource_id: str
    replica_id: str | None
    model: str | None
    zone: str | None
    family: schema.MetricFamily | None


@dataclass
class _Hour:
    known: int = 0
    busy: int = 0
    weighted: dict[str, int] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)


def build_hours(by_folder: Mapping[str, Sequence[Series]], day: date, settings: Settings) -> pa.Table:
    """Return the rows of a UTC day: one an hour and target."""
    targets: dict[Target, list[Series]] = {}
    for folder, listed in by_folder.items():
        for series in listed:
            if _is_counted(series):
                targets.setdefault(_find_target(series, folder, settings), []).append(series)
    gap = settings.longest_gap // timedelta(microseconds=1)
    start = to_micros(datetime.combine(day, time(), UTC))
    rows: list[dict[str, Any]] = []
    for target in sorted(targets, key=str):
        hours = _measure(target, targets[target], gap)
        rows += [
            _build_row(target, hour, hours[hour], settings)
            for hour in sorted(hours)
            if start <= hour < start + DAY and hours[hour].known >= UNITS
        ]
    return pa.Table.from_pylist(rows, schema=pa.schema(_COLUMNS))


def _is_counted(series: Series) -> bool:
    labels = series.labels
    if any(labels.get(name) for name in schema.SUBSET_LABELS):
        return False
    return all(labels.get(name, "0") in ("", "0") for name in schema.RANK_LABELS)


def _find_target(series: Series, folder: str, settings: Settings) -> Target:
    labels = series.labels
    found = _first(labels, settings.resource_labels)
    resource = found or folder.rpartition("/")[2] or settings.name
    replica = _first(labels, settings.replica_labels)
    if found is not None and found == labels.get("instance"):
        resource = _without_port(found)
    name = settings.resources.get(found or resource) or settings.resources.get(resource) or resource
    family = next((server for server in schema.SERVERS if series.name in server.names), None)
    if series.name == schema.REALTIME_TOKENS:
        family = schema.SGLANG
    zone = _first(labels, settings.zone_labels)
    if family is None:
        return Target(name, None, None, zone, None)
    return Target(name, None if replica == name else replica, labels.get("model_name") or None, zone, family)


def _first(labels: Mapping[str, str], names: Iterable[str]) -> str | None:
    return next((labels[name] for name in names if labels.get(name)), None)


def _without_port(address: str) -> str:
    host, colon, port = address.rpartition(":")
    return host.strip("[]") if colon and port.isdigit() else address


def _measure(target: Target, series: Sequence[Series], gap: int) -> dict[int, _Hour]:
    hours: dict[int, _Hour] = {}
    if target.family is None:
        by_gpu = [one for one in series if one.name == schema.GPU_UTILISATION]
        _measure_devices(by_gpu, gap, hours)
        return hours
    running = _named(series, target.family.running)
    work = _work_between(series, target.family, gap)
    for interval in merge_gauges(running).intervals(gap):
        busy = interval.end - interval.start
        if interval.before == 0:
            busy = min(busy, work.get((interval.start, interval.end), 0))
        _add_time(hours, interval, busy)
    for interval in merge_gauges(_named(series, target.family.kv_cache)).intervals(gap):
        _add_weighted(hours, interval, "kv_cache_share", interval.before)
    for column, names in target.family.counters.items():
        _count(hours, column, _find_counter(series, target.family, column, names), gap)
    return hours


def _named(series: Sequence[Series], names: Sequence[str]) -> list[Series]:
    """The series of the first of these names that there is."""
    for name in names:
        found = [one for one in series if one.name == name]
        if found:
            return found
    return []


def _find_counter(
    series: Sequence[Series], family: schema.MetricFamily, column: str, names: Sequence[str]
) -> list[Series]:
    if family is schema.SGLANG and column in schema.REALTIME_MODES:
        modes = schema.REALTIME_MODES[column]
        realtime = [s for s in series if s.name == schema.REALTIME_TOKENS and s.labels.get("mode") in modes]
        if realtime:
            return realtime
    return _named(series, names)


def _work_between(
    series: Sequence[Series], family: schema.MetricFamily, gap: int
) -> dict[tuple[int, int], int]:
    """Microseconds of work by the two samples between which counters show it: values are in millionths of a second."""
    work: dict[tuple[int, int], int] = {}
    for names in (family.prefill_seconds, family.decode_seconds):
        for one in _named(series, names):
            for interval in one.intervals(gap):
                key = (interval.start, interval.end)
                work[key] = work.get(key, 0) + interval.change
    return work


def _add_time(hours: dict[int, _Hour], interval: Interval, busy: int) -> None:
    for hour, length, part in split_by_hour(interval.start, interval.end, busy):
        one = hours.setdefault(hour, _Hour())
        one.known += length
        one.busy += part


def _add_weighted(hours: dict[int, _Hour], interval: Interval, name: str, value: int) -> None:
    for hour, length, _ in split_by_hour(interval.start, interval.end, 0):
        one = hours.setdefault(hour, _Hour())
        one.weighted[name] = one.weighted.get(name, 0) + length * value
        one.weighted[f"{name} time"] = one.weighted.get(f"{name} time", 0) + length


def _count(hours: dict[int, _Hour], column: str, series: Iterable[Series], gap: int) -> None:
    """Add what counters grew by, cumulatively rounded to ones where they count things, so that hours add up."""
    until = 0
    step = 1 if column in _SECONDS else UNITS
    for hour, amount in sorted(sum_by_hour(series, gap).items()):
        before, until = until, until + amount
        part = (2 * until + step) // (2 * step) - (2 * before + step) // (2 * step)
        hours.setdefault(hour, _Hour()).counted[column] = part


def _measure_devices(series: Sequence[Series], gap: int, hours: dict[int, _Hour]) -> None:
    for interval in merge_gauges(series).intervals(gap):
        _add_time(hours, interval, interval.end - interval.start if interval.before > 0 else 0)
    for one in series:
        for interval in one.intervals(gap):
            _add_weighted(hours, interval, "utilisation_share", interval.before // 100)


def _build_row(target: Target, hour: int, found: _Hour, settings: Settings) -> dict[str, Any]:
    counted = {
        name: Decimal(amount) / UNITS if name in _SECONDS else amount
        for name, amount in found.counted.items()
    }
    provider = settings.provider or (target.family.provider if target.family else None)
    return {
        "hour_start": datetime(1970, 1, 1) + timedelta(microseconds=hour),  # noqa: DTZ001 (naive UTC)
        "provider": provider,
        "resource_id": target.resource_id,
        "replica_id": target.replica_id,
        "capacity_kind": settings.capacity_kind,
        "model": target.model,
        "zone": target.zone,
        "provisioned_seconds": _round(found.known),
        "busy_seconds": _round(found.busy),
        "busy_basis": "requests" if target.family else "utilisation",
        "utilisation_share": _mean(found, "utilisation_share"),
        "kv_cache_share": _mean(found, "kv_cache_share"),
        **counted,
    }


def _round(amount: int) -> int:
    """Millionths to ones, half up."""
    return (2 * amount + UNITS) // (2 * UNITS)


def _mean(found: _Hour, name: str) -> Decimal | None:
    length = found.weighted.get(f"{name} time", 0)
    if not length:
        return None
    share = Decimal(found.weighted[name] // length) / UNITS
    return min(share, Decimal(1))
