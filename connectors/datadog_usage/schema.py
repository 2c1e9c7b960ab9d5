"""What Datadog's usage metering API answers, and what becomes of it.

What belongs here: names of fields and usage types, pure functions from answers to rows. What must not: asking Datadog.

Source: https://docs.datadoghq.com/api/latest/usage-metering/ ("Get hourly usage by product family" v2, "Get hourly
usage attribution" v1, "Get hourly usage for logs by index" v1). Usage is late by up to 72 hours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from connectors.common.parsing import parse_count, parse_instant

SCHEMA_VERSION = 1
PROVIDER = "datadog"
HOURLY_USAGE = "/api/v2/usage/hourly_usage"
ATTRIBUTION = "/api/v1/usage/hourly-attribution"
LOGS_BY_INDEX = "/api/v1/usage/logs_by_index"
FAMILIES = "logs,ingested_spans,timeseries"
_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Counted:
    """What a usage type counts."""

    signal: str
    column: str


TOTALS = {
    ("logs", "ingested_events_bytes"): Counted("log", "volume_bytes"),
    ("ingested_spans", "ingested_events_bytes"): Counted("trace", "volume_bytes"),
    ("timeseries", "num_custom_timeseries"): Counted("metric", "volume_count"),
}
"""(product family, usage type) → what it counts."""
ATTRIBUTED = {
    "estimated_ingested_logs_usage": Counted("log", "volume_bytes"),
    "estimated_ingested_spans_usage": Counted("trace", "volume_bytes"),
    "custom_timeseries_usage": Counted("metric", "volume_count"),
}
"""Usage type of usage attribution → what it counts."""

Amounts = dict[tuple[datetime, str, str, str, str], int]
"""(hour, organisation, signal, emitter, column) → amount."""


class BadAnswerError(ValueError):
    """An answer is none of the published shape; says which field."""


def read_totals(answer: Mapping[str, Any], amounts: Amounts) -> str | None:
    """Add what an answer of hourly usage counts, emitter empty; return the next record or None."""
    for entry in _list(answer, "data"):
        told = _mapping(entry.get("attributes"), "data.attributes")
        for measured in _list(told, "measurements"):
            counted = TOTALS.get((str(told.get("product_family")), str(measured.get("usage_type"))))
            if counted is not None and measured.get("value") is not None:
                _add(amounts, told, "timestamp", counted, "", measured["value"])
    return _next_record(_mapping(answer.get("meta") or {}, "meta"))


def read_attribution(answer: Mapping[str, Any], amounts: Amounts, counted: Counted, tag: str) -> str | None:
    """Add what an answer of usage attribution counts by tag; untagged usage stays with the organisation."""
    for entry in _list(answer, "usage"):
        values = (entry.get("tags") or {}).get(tag) or []
        emitter = ",".join(sorted(str(value) for value in values))
        if emitter and entry.get("total_usage_sum") is not None:
            _add(amounts, entry, "hour", counted, emitter, entry["total_usage_sum"])
    return _next_record(_mapping(answer.get("metadata") or {}, "metadata"))


def read_indexes(answer: Mapping[str, Any], amounts: Amounts) -> None:
    """Add the events that each log index took in."""
    for entry in _list(answer, "usage"):
        if entry.get("event_count") is not None and entry.get("index_name"):
            _add(
                amounts,
                entry,
                "hour",
                Counted("log", "volume_count"),
                str(entry["index_name"]),
                entry["event_count"],
            )


def build_rows(totals: Amounts, parts: Amounts, day: date) -> list[dict[str, Any]]:
    """Return the rows of a UTC day: one an hour, emitter and signal; what no emitter takes is the organisation's."""
    found: dict[tuple[datetime, str, str, str], dict[str, int]] = {}
    for (hour, organisation, signal, emitter, column), amount in parts.items():
        if hour.date() == day and amount:
            found.setdefault((hour, organisation, signal, emitter), {})[column] = amount
    for (hour, organisation, signal, _, column), amount in totals.items():
        taken = sum(
            value
            for (other, owner, kind, _, what), value in parts.items()
            if (other, owner, kind, what) == (hour, organisation, signal, column)
        )
        by_other_count = any(
            (other, owner, kind) == (hour, organisation, signal) and what != column
            for other, owner, kind, _, what in parts
        )
        if hour.date() == day and amount > taken and not by_other_count:
            found.setdefault((hour, organisation, signal, f"org:{organisation}"), {})[column] = amount - taken
    return [
        {
            "window_start": hour,
            "window_end": hour + _HOUR,
            "provider": PROVIDER,
            "account_id": organisation,
            "signal": signal,
            "workload_ref": emitter,
            "volume_bytes": amounts.get("volume_bytes"),
            "volume_count": amounts.get("volume_count"),
        }
        for (hour, organisation, signal, emitter), amounts in sorted(found.items())
    ]


def _add(
    amounts: Amounts, entry: Mapping[str, Any], time_field: str, counted: Counted, emitter: str, value: object
) -> None:
    try:
        hour = parse_instant(str(entry[time_field])).replace(minute=0, second=0, microsecond=0)
        amount = _round(value)
    except (KeyError, ValueError) as error:
        raise BadAnswerError(f"{time_field} or amount") from error
    key = (hour, str(entry.get("public_id") or "unknown"), counted.signal, emitter, counted.column)
    amounts[key] = amounts.get(key, 0) + amount


def _round(value: object) -> int:
    """Estimates of attribution have fractions; negative ones are no amounts."""
    try:
        amount = Decimal(str(value)).quantize(Decimal(1), ROUND_HALF_UP)
    except InvalidOperation as error:
        raise ValueError("no amount") from error
    if amount < 0:
        raise ValueError("negative")
    return parse_count(str(amount))


def _list(answer: Mapping[str, Any], name: str) -> Iterable[Mapping[str, Any]]:
    listed = answer.get(name)
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise BadAnswerError(name)
    return listed


def _mapping(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BadAnswerError(name)
    return value


def _next_record(meta: Mapping[str, Any]) -> str | None:
    return (meta.get("pagination") or {}).get("next_record_id") or None
