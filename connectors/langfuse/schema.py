"""What the fields of Langfuse's export mean: observations (enriched or not) and traces.

What belongs here: field names, types of observations, versions. What must not: reading files.

Sources: Langfuse's "Blob storage export field reference", its ClickHouse tables `observations` and `traces`
(ReplacingMergeTree over `event_ts`, `is_deleted`), and its handling of usage.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from connectors.common.dataset_types import TEXT
from connectors.common.gateway_rows import PLACED_COLUMNS
from connectors.common.gateway_values import (
    find_first,
    find_text,
    read_instant,
    read_mapping,
    read_money,
    read_plain_name,
    read_seconds,
    read_tags,
    read_text,
)
from connectors.common.usage_payloads import read_usage
from connectors.langfuse.settings import Settings

SCHEMA_VERSION = 1

OBSERVATION_FIELDS = (
    "id",
    "trace_id",
    "type",
    "parent_observation_id",
    "start_time",
    "end_time",
    "name",
    "level",
    "provided_model_name",
    "usage_details",
    "provided_usage_details",
    "total_cost",
    "completion_start_time",
    "usage_pricing_tier_name",
    "tags",
    "created_at",
    "updated_at",
    "event_ts",
    "is_deleted",
)
"""What is taken of an observation beside what places name: never input, output, status_message, tool calls."""

TRACE_FIELDS = ("timestamp", "user_id", "session_id", "environment", "metadata", "trace_name")
SCORE_FIELDS = ("observation_id", "data_type")
"""Fields that give a score away, which is passed over."""

CALL_TYPES = frozenset({"GENERATION", "EMBEDDING"})
SPAN_KINDS = {"AGENT": "agent", "CHAIN": "chain", "TOOL": "tool", "RETRIEVER": "retrieval"}
"""Types of observations that are no calls; further ones (SPAN, EVENT, EVALUATOR, GUARDRAIL) are `other`."""

TRACES = "traces"
TRACE_SCHEMA = pa.schema([("trace_id", TEXT), *((name, TEXT) for name in PLACED_COLUMNS)])

_TIERS = frozenset({"batch", "flex", "priority", "fast", "standard", "default"})
_BODIES = frozenset(
    {"input", "output", "status_message", "tool_calls", "tool_definitions", "model_parameters"}
)


def build_fields(settings: Settings) -> frozenset[str]:
    """Return the top-level fields that are taken of a record; no other is looked at."""
    lists = (
        *settings.places.model_dump().values(),
        settings.provider_places,
        settings.response_id_places,
        settings.call_id_places,
    )
    named = {place.partition(".")[0] for places in lists for place in places if not place.startswith("tag:")}
    return frozenset({*OBSERVATION_FIELDS, *TRACE_FIELDS, *SCORE_FIELDS, *named}) - _BODIES


def find_kind(record: Mapping[str, Any]) -> str | None:
    """Return what a record is: `requests`, `spans`, `traces`; `scores` for a score, None for nothing known."""
    kind = read_text(record.get("type"))
    if kind is not None and "start_time" in record:
        return "requests" if kind.upper() in CALL_TYPES else "spans"
    if "data_type" in record or "observation_id" in record:
        return "scores"
    return TRACES if "timestamp" in record else None


def read_version(record: Mapping[str, Any]) -> datetime | None:
    """Return when this version of a record was written: the newest counts."""
    return read_instant(find_first(record, ("event_ts", "updated_at", "created_at")))


def is_deleted(record: Mapping[str, Any]) -> bool:
    """Tell a version that says that the record is gone."""
    return read_text(str(record.get("is_deleted"))) in ("1", "1.0", "True", "true")


def read_places(record: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """Return who and what an observation, or a trace, was for."""
    named = dict(record)
    if "timestamp" in record and "trace_name" not in record:
        named["trace_name"] = record.get("name")
    return settings.places.read(named, read_tags(record.get("tags")))


def build_span(record: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """Return the columns that a call and any other observation share.

    Ancestors are looked for over all days, not in this file: the tree does not depend on how it was exported.
    """
    parent = _read_id(record.get("parent_observation_id"))
    return read_places(record, settings) | {
        "trace_id": _read_id(record.get("trace_id")),
        "span_id": _read_id(record.get("id")),
        "parent_span_id": parent,
        "unresolved_parent_span_id": parent,
        "started_at": read_instant(record.get("start_time")),
        "ended_at": read_instant(record.get("end_time")),
        "status": "error" if read_text(record.get("level")) == "ERROR" else "ok",
    }


def build_other(record: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """Return the columns of an observation that is no call."""
    kind = (read_text(record.get("type")) or "").upper()
    row = build_span(record, settings) | {"span_kind": SPAN_KINDS.get(kind, "other")}
    if kind == "TOOL":
        row["tool_name"] = read_plain_name(record.get("name"))
    return row


def build_call(record: Mapping[str, Any], settings: Settings) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """Return the columns of a call, and its usage as `read_usage` gives it."""
    cost = read_money(record.get("total_cost"))
    row = build_span(record, settings) | {
        "emitter_kind": "span",
        "provider_request_id": read_plain_name(find_text(record, settings.response_id_places, {})),
        "call_id": read_plain_name(find_text(record, settings.call_id_places, {})),
        "provider": find_text(record, settings.provider_places, {}) or settings.provider,
        "model": read_text(record.get("provided_model_name")),
        "reported_cost": cost,
        "reported_cost_currency": None if cost is None else "USD",
        "time_to_first_token_seconds": _read_first_token(record),
    }
    tier = (read_text(record.get("usage_pricing_tier_name")) or "").lower()
    row["service_tier"] = tier if tier in _TIERS else None
    usage, is_estimated = _read_usage(record)
    if is_estimated:
        row["usage_source"] = "estimated"
    return row, usage


def _read_usage(record: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """Return what the client gave, else what Langfuse's own tokenizer made of the texts, and whether it is that.

    An export without `provided_usage_details` does not tell the two apart; what it has is taken as reported.
    """
    provided = read_mapping(record.get("provided_usage_details"))
    if provided:
        return read_usage(provided, "langfuse"), False
    computed = read_mapping(record.get("usage_details"))
    return read_usage(computed, "langfuse"), "provided_usage_details" in record and bool(computed)


def _read_first_token(record: Mapping[str, Any]) -> Decimal | None:
    started, first = (read_instant(record.get(name)) for name in ("start_time", "completion_start_time"))
    if started is None or first is None or first < started:
        return None
    return read_seconds((first - started) // first.resolution, digits=6)


def _read_id(value: object) -> str | None:
    """Return an id in lower case, as OTel writes it in other exports of the same span."""
    text = read_text(value)
    return None if text is None else text.lower()
