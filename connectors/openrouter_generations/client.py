"""Land generation records: each file is one scope → rows of `requests` with the cost that OpenRouter took.

What belongs here: what a record becomes. What must not: field names with one fixed meaning (`schema.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

from connectors.common.contract import CheckStep, LandingContext, Severity, SourceReport
from connectors.common.datasets import REQUESTS
from connectors.common.file_listing import check_stored_files
from connectors.common.gateway_values import read_seconds
from connectors.common.json_records import read_json_records
from connectors.common.landing import FileDelivery
from connectors.common.logs.requests import LogRequests, Row, find_text, read_instant
from connectors.common.parsing import round_decimal
from connectors.common.source_files import SourceFile
from connectors.common.stored_landing import land_stored_files
from connectors.common.usage_payloads import read_usage
from connectors.openrouter_generations import schema
from connectors.openrouter_generations.settings import Settings

_SUFFIXES = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".ndjson.gz")
_MOST_DOLLARS = Decimal(10**9)


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land the source's files into `requests`; never raises for bad data."""
    typing = {
        "connector": "openrouter_generations",
        "version": schema.SCHEMA_VERSION,
        "identity": context.identity.key_id,
    }
    read = partial(read_file, settings=settings, context=context)
    return land_stored_files(settings, context, (REQUESTS,), read, typing=typing, suffixes=_SUFFIXES)


def check(settings: Settings) -> Iterator[CheckStep]:
    """Try to reach, list and read the files."""
    yield from check_stored_files(settings, _SUFFIXES)


def read_file(
    file: SourceFile, delivery: FileDelivery, *, settings: Settings, context: LandingContext
) -> None:
    """Write the generations of one file; FileFault when it cannot be read."""
    requests = LogRequests(delivery, context, settings.name, provider=schema.PROVIDER)
    own_key = 0
    for line, record in read_json_records(file.path, delivery.quarantine):
        data = record.get("data", record)
        if not isinstance(data, Mapping):
            delivery.quarantine(line, "malformed_line: not a generation record")
            continue
        own_key += data.get("is_byok") is True
        requests.add(line, build_row(data), read_usage(build_usage(data), "openrouter"))
    requests.finish()
    if own_key:
        message = (
            f"{own_key} calls were paid with an own key: OpenRouter's cost is its fee, the tokens are on the bill of "
            "the provider whose key it is"
        )
        delivery.add("own_key_calls", message, Severity.INFO, count=own_key)


def build_usage(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record's native counts as a response's usage object states them."""
    usage: dict[str, Any] = {}
    for name, path in schema.COUNTS.items():
        if record.get(name) is not None:
            holder = usage if len(path) == 1 else usage.setdefault(path[0], {})
            holder[path[-1]] = record[name]
    return usage


def build_row(record: Mapping[str, Any]) -> Row:
    """Return the columns of one generation besides its counts."""
    started_at = read_instant(find_text(record, ("created_at",)))
    seconds = read_seconds(record.get("generation_time"), digits=3) or read_seconds(
        record.get("latency"), digits=3
    )
    cost = _read_cost(record)
    return {
        "emitter_kind": "provider_log",
        "provider_request_id": find_text(record, ("id",)),
        "call_id": find_text(record, ("upstream_id",)),
        "started_at": started_at,
        "ended_at": started_at + timedelta(seconds=float(seconds)) if started_at and seconds else None,
        "model": find_text(record, ("model",)),
        "service_tier": find_text(record, ("service_tier",)),
        "region_id": find_text(record, ("data_region",)),
        "status": _read_status(record),
        "user_id": find_text(record, ("external_user",)),
        "session_id": find_text(record, ("session_id",)),
        "reported_cost": cost,
        "reported_cost_currency": None if cost is None else schema.CURRENCY,
    }


def _read_status(record: Mapping[str, Any]) -> str:
    if record.get("cancelled") is True:
        return "aborted"
    return "error" if find_text(record, ("finish_reason",)) in schema.FAILED_REASONS else "ok"


def _read_cost(record: Mapping[str, Any]) -> Decimal | None:
    """The credits that the generation took: `total_cost`, also called `usage`."""
    text = find_text(record, ("total_cost", "usage"))
    try:
        cost = None if text is None else Decimal(text)
    except InvalidOperation:
        return None
    is_amount = cost is not None and cost.is_finite() and cost.copy_abs() < _MOST_DOLLARS
    return round_decimal(cost) if cost is not None and is_amount else None
