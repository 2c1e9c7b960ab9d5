"""What the fields of Helicone's requests mean, in its table and in the answers of its API.

What belongs here: field names, statuses, Helicone's own cache. What must not: reading files.

Sources: the ClickHouse migrations of `request_response_rmt`, `HeliconeRequest` of its API, and
`COST_PRECISION_MULTIPLIER` (1e9) of its cost package.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from connectors.common.gateway_values import (
    find_first,
    read_count,
    read_instant,
    read_mapping,
    read_money,
    read_seconds,
    read_text,
)
from connectors.common.usage_payloads import read_usage
from connectors.helicone.settings import Settings

SCHEMA_VERSION = 1

FIELDS = (
    "request_id",
    "response_id",
    "request_created_at",
    "response_created_at",
    "updated_at",
    "latency",
    "delay_ms",
    "time_to_first_token",
    "status",
    "response_status",
    "model",
    "response_model",
    "request_model",
    "model_override",
    "provider",
    "prompt_tokens",
    "completion_tokens",
    "prompt_cache_write_tokens",
    "prompt_cache_read_tokens",
    "prompt_audio_tokens",
    "completion_audio_tokens",
    "reasoning_tokens",
    "cost",
    "costUSD",
    "properties",
    "request_properties",
    "cache_reference_id",
)
"""What is taken of a record beside what places name: never request_body, response_body, scores, assets."""

USAGE_FIELDS = (
    "prompt_tokens",
    "completion_tokens",
    "prompt_cache_write_tokens",
    "prompt_cache_read_tokens",
    "prompt_audio_tokens",
    "completion_audio_tokens",
    "reasoning_tokens",
)

_NO_CACHE = "00000000-0000-0000-0000-000000000000"
_PROVIDER_ID = re.compile(r"(?:chatcmpl-|cmpl-|resp_|msg_|gen-)[A-Za-z0-9_-]{6,200}")
_PROVIDERS = {"vertex": "gcp.vertex_ai", "googlevertex": "gcp.vertex_ai", "google-ai-studio": "gcp.gemini"}
_CANCELLED = frozenset({499, -3})
_BODIES = frozenset({"request_body", "response_body", "request_prompt", "response_prompt", "assets"})


def build_fields(settings: Settings) -> frozenset[str]:
    """Return the top-level fields that are taken of a record; no other is looked at."""
    named = {place.partition(".")[0] for places in settings.places.model_dump().values() for place in places}
    return frozenset({*FIELDS, *named}) - _BODIES


def read_version(record: Mapping[str, Any]) -> datetime | None:
    """Return when this version of a request was written: the newest counts."""
    return read_instant(find_first(record, ("updated_at", "response_created_at", "request_created_at")))


def build_row(record: Mapping[str, Any], settings: Settings) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """Return the columns of a call, and its usage as `read_usage` gives it."""
    properties = {
        str(name).lower(): value
        for field in ("properties", "request_properties")
        for name, value in read_mapping(record.get(field)).items()
    }
    started = read_instant(record.get("request_created_at"))
    status, error_type = _read_status(record)
    row = settings.places.read({**record, "properties": properties}, {}) | {
        "emitter_kind": "gateway",
        "call_id": read_text(record.get("request_id")),
        "provider": _read_provider(record),
        "model": read_text(find_first(record, ("response_model", "model"))),
        "request_model": read_text(find_first(record, ("model_override", "request_model"))),
        "started_at": started,
        "ended_at": _read_end(record, started),
        "time_to_first_token_seconds": read_seconds(record.get("time_to_first_token"), digits=3),
        "status": status,
        "error_type": error_type,
    }
    row |= _read_cost(record, settings)
    stated = read_text(record.get("response_id"))
    if is_saved(record):
        row["saved_input_tokens"] = read_count(record.get("prompt_tokens"))
        row["saved_output_tokens"] = read_count(record.get("completion_tokens"))
        return row | {"reported_cost": None, "reported_cost_currency": None}, {
            "input_tokens": 0,
            "output_tokens": 0,
        }
    if stated is not None and _PROVIDER_ID.fullmatch(stated):
        row["provider_request_id"] = stated
    return row, _read_usage(record, settings, status)


def is_saved(record: Mapping[str, Any]) -> bool:
    """Tell an answer of Helicone's own cache, which no provider saw."""
    return read_text(record.get("cache_reference_id")) not in (None, _NO_CACHE)


def _read_usage(record: Mapping[str, Any], settings: Settings, status: str) -> Mapping[str, Any]:
    counts = {name: record[name] for name in USAGE_FIELDS if read_text(record.get(name)) is not None}
    if status != "ok" and not any(read_count(count) for count in counts.values()):
        return {}  # columns without a count are zero in the table
    usage = read_usage(counts, "helicone")
    return {**usage, **settings.semantics.model_dump()}


def _read_provider(record: Mapping[str, Any]) -> str | None:
    name = (read_text(record.get("provider")) or "").lower()
    return _PROVIDERS.get(name, name) or None


def _read_end(record: Mapping[str, Any], started: datetime | None) -> datetime | None:
    ended = read_instant(record.get("response_created_at"))
    seconds = read_seconds(find_first(record, ("latency", "delay_ms")), digits=3)
    if ended is not None or started is None or seconds is None or seconds > 10**7:
        return ended
    return started + timedelta(microseconds=int(seconds.scaleb(6)))


def _read_status(record: Mapping[str, Any]) -> tuple[str, str | None]:
    text = read_text(find_first(record, ("response_status", "status")))
    if text is None or not re.fullmatch(r"-?\d{1,4}", text):
        return "ok", None
    code = int(text)
    if 200 <= code < 400:
        return "ok", None
    return ("aborted" if code in _CANCELLED else "error"), f"http_{code}" if code > 0 else None


def _read_cost(record: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """Return what Helicone believes the call cost: dollars of its API, or the scaled integer of its table."""
    cost = read_money(record.get("costUSD"))
    if cost is None and settings.cost_digits is not None:
        scaled = read_count(record.get("cost"))
        cost = None if scaled is None else read_money(f"{scaled}e-{settings.cost_digits}")
    return {"reported_cost": cost, "reported_cost_currency": None if cost is None else "USD"}
