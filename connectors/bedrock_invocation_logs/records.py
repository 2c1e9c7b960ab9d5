"""One record of an invocation log → the rows of its attempts.

What belongs here: which field becomes which column. What must not: files (`client.py`), field names of AWS
(`schema.py`), arithmetic on tokens (`usage_payloads`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any

from connectors.bedrock_invocation_logs import schema
from connectors.bedrock_invocation_logs.settings import Settings
from connectors.common.gateway_values import read_seconds
from connectors.common.identity import Identity
from connectors.common.logs.requests import (
    Row,
    find_text,
    iterate_attempts,
    pseudonymise,
    read_instant,
    read_labels,
)
from connectors.common.raw_usage import join_raw_usage
from connectors.common.usage_payloads import ReportedUsage, merge_stream, read_usage, read_usages

_COUNTS = {
    "input": ("inputTokenCount", "cacheReadInputTokenCount", "cacheWriteInputTokenCount"),
    "output": ("outputTokenCount",),
}
_LIFETIMES = ("cache_write_5m_tokens", "cache_write_1h_tokens")


def read_record(
    record: Mapping[str, Any], settings: Settings, identity: Identity
) -> Iterator[tuple[Row, Mapping[str, Any]]]:
    """Yield (columns, usage) of each attempt of a record: one, or one a sampling where a body lists several."""
    body = schema.read_body(_part(record, "output").get("outputBodyJson"))
    usages = build_usages(record, body)
    for attempt, usage in iterate_attempts(find_text(record, ("requestId",)), usages):
        yield {**attempt, **_without_model(_read_call(record, body, settings, identity), attempt)}, usage


def _without_model(call: Row, attempt: Row) -> Row:
    """What the record says of the call, but for a model that the sampling states itself."""
    told = {name: value for name, value in call.items() if value is not None}
    return {name: value for name, value in told.items() if name != "model" or "model" not in attempt}


def build_usages(record: Mapping[str, Any], body: schema.BodyNumbers) -> list[ReportedUsage]:
    """Return what the record reports: its counts, with the lifetime of cache writes as the body tells it.

    Input leaves cached tokens out. Where the body lists several samplings, those take the place of the counts: each
    has its own model and price.
    """
    told = {part: {n: _part(record, part).get(n) for n in names} for part, names in _COUNTS.items()}
    usage = read_usage(told, "bedrock_log")
    answered = _merge(body)
    if answered is None:
        return [usage]
    is_converse = "inputTokens" in answered or "outputTokens" in answered
    parts = read_usages(answered, "bedrock_converse" if is_converse else "anthropic")
    if len(parts) > 1:
        return parts
    for name in (*_LIFETIMES, "web_search_count", "service_tier", "reasoning_tokens"):
        if parts[0].get(name) is not None:
            usage.setdefault(name, parts[0][name])
    usage["unknown_counts"] = sorted({*usage["unknown_counts"], *parts[0]["unknown_counts"]})
    usage["raw_usage"] = join_raw_usage(usage.get("raw_usage"), parts[0].get("raw_usage"))
    return [usage]


def _merge(body: schema.BodyNumbers) -> dict[str, Any] | None:
    if body.start_usage is None or body.usage is None:
        return body.usage or body.start_usage
    return merge_stream(body.start_usage, body.usage)


def _read_call(
    record: Mapping[str, Any], body: schema.BodyNumbers, settings: Settings, identity: Identity
) -> Row:
    request_id = find_text(record, ("requestId",))
    model_id = find_text(record, ("modelId",))
    arn = _read_arn(record)
    error = find_text(record, ("errorCode",))
    started_at = read_instant(find_text(record, ("timestamp",)))
    latency = read_seconds(body.latency_milliseconds, digits=3)
    user = _read_session_user(arn, settings)
    return {
        "emitter_kind": "provider_log",
        "call_id": request_id,
        "started_at": started_at,
        "ended_at": started_at + timedelta(seconds=float(latency)) if started_at and latency else None,
        "time_to_first_token_seconds": read_seconds(body.first_byte_milliseconds, digits=3),
        "sub_account_id": find_text(record, ("accountId",)),
        "region_id": find_text(record, ("region",)),
        "to_zone": find_text(record, ("inferenceRegion",)),
        "request_model": model_id,
        "model": schema.read_model(model_id) if model_id else None,
        "service_tier": find_text({"tier": body.service_tier}, ("tier",)),
        "status": "error" if error else "ok",
        "error_type": error,
        "principal_id": pseudonymise(identity, arn),
        **({"user_id": user} if user else {}),
        **read_labels(record.get("requestMetadata"), settings.attributes),
    }


def _read_arn(record: Mapping[str, Any]) -> str | None:
    who = record.get("identity")
    if isinstance(who, list):
        who = who[0] if who else None
    return find_text(who, ("arn",)) if isinstance(who, Mapping) else None


def _read_session_user(arn: str | None, settings: Settings) -> str | None:
    """The session name, where the role is one that is assumed for a person."""
    session = schema.read_session(arn) if arn else None
    if session is None or not any(fnmatchcase(session[0], name) for name in settings.session_user_roles):
        return None
    return session[1]


def _part(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = record.get(name)
    return value if isinstance(value, Mapping) else {}
