"""One log entry → a row of `requests`.

What belongs here: which field becomes which column. What must not: files (`client.py`), names of Google
(`schema.py`), arithmetic on tokens (`usage_payloads`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import orjson

from connectors.common.gateway_values import read_seconds
from connectors.common.logs.requests import Row, find_text, find_value, read_instant, read_labels
from connectors.common.usage_payloads import ReportedUsage, read_usage
from connectors.vertex_request_logs import schema
from connectors.vertex_request_logs.settings import Settings

_DIGITS = (("ms", 3), ("millis", 3), ("us", 6), ("micros", 6), ("seconds", 0))
_TOKENS = ("prompt_tokens", "answer_tokens", "total_tokens")


@dataclass(frozen=True)
class Entry:
    """A log entry with the values that were looked for, by what they are."""

    entry: Mapping[str, Any]
    payload: Mapping[str, Any]
    values: Mapping[str, Any]
    names: Mapping[str, str]

    def text(self, name: str) -> str | None:
        """Return a value as text."""
        return find_text(self.values, (name,))

    @property
    def is_request(self) -> bool:
        """Whether it tells of a call to a model: a model, with tokens or with how the call ended."""
        has_end = any(name in self.values for name in (*_TOKENS, "error_code", "latency"))
        return "model" in self.values and has_end


def read_entry(record: Mapping[str, Any], settings: Settings) -> Entry | None:
    """Return what a line holds: an entry with a `jsonPayload`, or a bare payload. None for an entry without one."""
    payload = record.get("jsonPayload", record.get("json_payload"))
    if payload is None and not {"logName", "log_name", "protoPayload", "textPayload"} & record.keys():
        payload = record
    if not isinstance(payload, Mapping):
        return None
    index = schema.build_index({**payload, **_read_answer(payload)})
    index |= {k: v for k, v in _read_resource(record).items() if k not in index}
    values: dict[str, Any] = {}
    names: dict[str, str] = {}
    for name, known in schema.NAMES.items():
        configured = getattr(settings.fields, name)
        found = find_value(record, configured) if configured else None
        origin = configured[0] if found is not None else ""
        if found is None:
            origin = next((n for n in known if schema.normalise(n) in index), "")
            found = index.get(schema.normalise(origin)) if origin else None
        if found is not None:
            values[name], names[name] = found, origin
    return Entry(record, payload, values, names)


def _read_answer(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The usage, model version and id of a logged answer (request-response logging), never its text."""
    answer = payload.get("full_response", payload.get("fullResponse"))
    if isinstance(answer, str):
        try:
            answer = orjson.loads(answer)
        except orjson.JSONDecodeError:
            return {}
    parts: Sequence[Any] = answer if isinstance(answer, list) else [answer]
    told: dict[str, Any] = {}
    for part in parts:
        if isinstance(part, Mapping):
            told |= {n: part[n] for n in ("usageMetadata", "modelVersion", "responseId") if n in part}
    return told


def _read_resource(record: Mapping[str, Any]) -> dict[str, Any]:
    resource = record.get("resource")
    labels = resource.get("labels") if isinstance(resource, Mapping) else None
    if not isinstance(labels, Mapping):
        return {}
    wanted = {"model_id": "modelid", "location": "location"}
    return {plain: labels[name] for name, plain in wanted.items() if labels.get(name)}


def build_row(found: Entry, settings: Settings) -> Row:
    """Return the columns of a call besides its counts."""
    entry = found.entry
    started_at = read_instant(found.text("started_at") or find_text(entry, ("timestamp", "logging_time")))
    seconds = _read_latency(found)
    model, _ = schema.read_model(found.text("model") or "")
    status, error = _read_status(found)
    trace = find_text(entry, ("trace",))
    row: Row = {
        "emitter_kind": "provider_log",
        "provider": "gcp.vertex_ai",
        "provider_request_id": found.text("response_id"),
        "call_id": found.text("request_id"),
        "trace_id": trace.rpartition("/")[2] if trace else None,
        "parent_span_id": find_text(entry, ("spanId", "span_id")),
        "started_at": started_at,
        "ended_at": started_at + timedelta(seconds=float(seconds)) if started_at and seconds else None,
        "sub_account_id": _read_project(entry),
        "region_id": found.text("region"),
        "request_model": found.text("model"),
        "model": model or None,
        "service_tier": _read_tier(found),
        "status": status,
        "error_type": error,
    }
    for labels in reversed(list(schema.find_labels(found.payload, entry))):
        row |= read_labels(labels, settings.attributes)
    return row


def build_usage(found: Entry, settings: Settings) -> ReportedUsage:
    """Return the usage of a call: Gemini's meaning of the counts, or Anthropic's for Claude.

    Gemini's prompt holds cached tokens, and its thoughts stand beside the output; Claude's input leaves them out.
    """
    value = found.values.get
    model, publisher = schema.read_model(found.text("model") or "")
    if publisher == "anthropic" or "claude" in model.lower():
        told = {
            "input_tokens": value("prompt_tokens"),
            "output_tokens": value("answer_tokens"),
            "cache_read_input_tokens": value("cached_tokens"),
            "cache_creation_input_tokens": value("cache_write_tokens"),
            "cache_creation": {
                "ephemeral_5m_input_tokens": value("cache_write_5m_tokens"),
                "ephemeral_1h_input_tokens": value("cache_write_1h_tokens"),
            },
        }
        return read_usage(told, "anthropic")
    told = {
        "promptTokenCount": value("prompt_tokens"),
        "candidatesTokenCount": value("answer_tokens"),
        "thoughtsTokenCount": value("thought_tokens"),
        "cachedContentTokenCount": value("cached_tokens"),
        "toolUsePromptTokenCount": value("tool_tokens"),
        "totalTokenCount": value("total_tokens"),
    }
    usage = read_usage(told, "gemini")
    usage["output_includes_reasoning"] = _includes_thoughts(usage, settings)
    return usage


def _includes_thoughts(usage: Mapping[str, Any], settings: Settings) -> bool:
    if settings.output_includes_thoughts is not None:
        return settings.output_includes_thoughts
    prompt, answer, total = (usage.get(n) for n in ("input_tokens", "output_tokens", "provider_total_tokens"))
    return prompt is not None and answer is not None and total == prompt + answer


def _read_latency(found: Entry) -> Decimal | None:
    """Return seconds: a duration as text (`1.5s`), or a number whose name tells its unit; else nothing is known."""
    value = found.values.get("latency")
    if isinstance(value, str) and value.endswith("s"):
        return read_seconds(value.removesuffix("s"))
    name = schema.normalise(found.names.get("latency", ""))
    digits = next((digits for ending, digits in _DIGITS if name.endswith(ending)), None)
    return None if digits is None else read_seconds(value, digits=digits)


def _read_tier(found: Entry) -> str | None:
    """Return the tier: as the traffic type says, else provisioned where the call burnt down throughput."""
    kind = found.text("traffic_type")
    if kind is not None:
        return schema.TRAFFIC_TIERS.get(kind.upper(), kind)
    burnt = read_seconds(found.values.get("burndown"))
    return "provisioned" if burnt else None


def _read_status(found: Entry) -> tuple[str, str | None]:
    code = found.text("error_code")
    if code is not None:
        return ("ok", None) if code in schema.GOOD_CODES else ("error", code)
    return ("error", "ERROR") if found.entry.get("severity") in ("ERROR", "CRITICAL") else ("ok", None)


def _read_project(entry: Mapping[str, Any]) -> str | None:
    project = find_text(entry, ("resource.labels.project_id", "resource.labels.resource_container"))
    name = find_text(entry, ("logName", "log_name"))
    if project is None and name is not None and name.startswith("projects/"):
        project = name.split("/")[1]
    return project.removeprefix("projects/") if project else None
