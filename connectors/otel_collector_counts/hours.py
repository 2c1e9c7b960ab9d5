"""From series of a day to hours of telemetry.

What belongs here: what counters of collectors mean, pure. What must not: reading files, landing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pyarrow as pa

from connectors.common.datasets import TELEMETRY
from connectors.common.metrics.prometheus import to_micros
from connectors.common.metrics.samples import DAY, UNITS, Series, sum_by_hour
from connectors.otel_collector_counts import schema
from connectors.otel_collector_counts.settings import Settings

_COLUMNS = [TELEMETRY.schema.field(name) for name in TELEMETRY.schema.names if not name.startswith("x_")]
_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Emitter:
    """What one row of an hour is about."""

    provider: str
    workload_ref: str
    exporter: str
    signal: str | None


def build_hours(by_folder: Mapping[str, Sequence[Series]], day: date, settings: Settings) -> pa.Table:
    """Return the rows of a UTC day: one an hour, emitter, exporter's provider and signal."""
    counts: dict[Emitter, list[Series]] = {}
    volumes: dict[Emitter, list[Series]] = {}
    for folder, listed in by_folder.items():
        for series in listed:
            is_volume = series.name in schema.SENT_BYTES
            emitter = _find_emitter(series, folder, settings)
            (volumes if is_volume else counts).setdefault(emitter, []).append(series)
    gap = settings.longest_gap // timedelta(microseconds=1)
    start = to_micros(datetime.combine(day, time(), UTC))
    found: dict[tuple[int, str, str, str], dict[str, int | None]] = {}
    for emitter in sorted(counts, key=str):
        own = _find_volumes(emitter, counts, volumes)
        volume = _round_hours(own, gap) if own else None
        for hour, count in _round_hours(counts[emitter], gap).items():
            if start <= hour < start + DAY:
                key = (hour, emitter.provider, emitter.workload_ref, emitter.signal or "")
                row = found.setdefault(key, {"volume_count": 0, "volume_bytes": 0})
                row["volume_count"] = (row["volume_count"] or 0) + count
                known = row["volume_bytes"]
                row["volume_bytes"] = None if volume is None or known is None else known + volume.get(hour, 0)
    rows = [_build_row(key, row) for key, row in sorted(found.items()) if row["volume_count"]]
    return pa.Table.from_pylist(rows, schema=pa.schema(_COLUMNS))


def _find_emitter(series: Series, folder: str, settings: Settings) -> Emitter:
    labels = series.labels
    exporter = labels.get("exporter", "")
    kind = exporter.partition("/")[0]
    known = {**schema.PROVIDERS, **settings.providers}
    provider = known.get(exporter) or known.get(kind) or kind or "otel"
    named = next((labels[name] for name in settings.workload_labels if labels.get(name)), None)
    workload = named or folder.rpartition("/")[2] or settings.name
    signal = schema.SENT.get(series.name) or schema.DATA_TYPES.get(labels.get("data_type", ""))
    return Emitter(provider, workload, exporter, signal)


def _find_volumes(
    emitter: Emitter, counts: Mapping[Emitter, object], volumes: Mapping[Emitter, list[Series]]
) -> list[Series]:
    """Bytes of this exporter and signal; bytes that name no signal count where the exporter sends one only."""
    if emitter in volumes:
        return volumes[emitter]
    unnamed = Emitter(emitter.provider, emitter.workload_ref, emitter.exporter, None)
    others = [e for e in counts if (e.workload_ref, e.exporter) == (emitter.workload_ref, emitter.exporter)]
    return volumes.get(unnamed, []) if len(others) == 1 else []


def _round_hours(series: Iterable[Series], gap: int) -> dict[int, int]:
    """Hour → what the counters grew by, cumulatively rounded to ones, so that hours add up."""
    rounded: dict[int, int] = {}
    until = 0
    for hour, amount in sorted(sum_by_hour(series, gap).items()):
        before, until = until, until + amount
        rounded[hour] = (2 * until + UNITS) // (2 * UNITS) - (2 * before + UNITS) // (2 * UNITS)
    return rounded


def _build_row(key: tuple[int, str, str, str], row: Mapping[str, int | None]) -> dict[str, Any]:
    hour, provider, workload, signal = key
    start = datetime(1970, 1, 1) + timedelta(microseconds=hour)  # noqa: DTZ001 (naive UTC)
    return {
        "window_start": start,
        "window_end": start + _HOUR,
        "provider": provider,
        "signal": signal,
        "workload_ref": workload,
        **row,
    }
