"""Records of several rows a call, and of two logs → one row an attempt.

What belongs here: grouping rows by call, joining the gateway's record, the columns. What must not: files
(`client.py`), field names of Azure (`schema.py`), arithmetic on tokens (`usage_payloads`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

from connectors.azure_apim_logs import schema
from connectors.azure_apim_logs.settings import CallerNames, Settings
from connectors.common.gateway_values import read_seconds
from connectors.common.logs.requests import Row, find_text, read_labels
from connectors.common.usage_payloads import ReportedUsage, read_usage

_ABORTED = frozenset({"clientconnectionfailure", "clientdisconnected"})
_CLIENT_CLOSED = 499


@dataclass
class Attempt:
    """The rows of one call to a model: the best one, for a long message is cut into many."""

    line: int
    row: dict[str, Any]
    tokens: int


@dataclass
class Call:
    """All that one correlation id has: attempts by the model's id of the call, and the gateway's record."""

    hour: str
    attempts: dict[str, Attempt] = field(default_factory=dict)
    gateway: dict[str, Any] | None = None
    started_at: datetime | None = None


class Calls:
    """Gathers calls hour by hour; those of past hours are complete."""

    def __init__(self) -> None:
        self._calls: dict[str, Call] = {}

    def add(self, line: int, hour: str, flat: dict[str, Any]) -> bool:
        """Take a record; return False when it is no record of a call."""
        correlation = find_text(flat, ("correlationid",))
        is_model, is_gateway = schema.is_model_call(flat), schema.is_gateway_call(flat)
        if correlation is None or not (is_model or is_gateway):
            return False
        call = self._calls.setdefault(correlation, Call(hour))
        if is_gateway:
            call.gateway = {name: flat[name] for name in schema.GATEWAY_FIELDS if name in flat}
        if is_model:
            _add_row(call, line, {name: flat[name] for name in schema.CALL_FIELDS if name in flat})
        return True

    def take_before(self, hour: str | None) -> Iterator[tuple[str, Call]]:
        """Give and forget the model calls that began before an hour, or all; others of the gateway are let go."""
        done = [key for key, call in self._calls.items() if hour is None or call.hour < hour]
        for correlation in done:
            call = self._calls.pop(correlation)
            if call.attempts:
                yield correlation, call


def _add_row(call: Call, line: int, row: dict[str, Any]) -> None:
    """Keep the row with the tokens of each attempt; the earliest row tells when the call began."""
    moment = schema.read_time(find_text(row, schema.TIMES))
    if moment is not None and (call.started_at is None or moment < call.started_at):
        call.started_at = moment
    request_id = find_text(row, ("requestid",)) or ""
    tokens = _count_tokens(row)
    known = call.attempts.get(request_id)
    if known is None:
        call.attempts[request_id] = Attempt(line, row, tokens)
    elif tokens > known.tokens:
        call.attempts[request_id] = Attempt(line, {**known.row, **row}, tokens)
    else:
        known.row = {**row, **known.row}


def _count_tokens(row: Mapping[str, Any]) -> int:
    """How much a row tells of tokens: the largest count of it; anything but 0 for counts that are none."""
    counts = [row.get(name) for name in schema.TOKENS]
    return max((_read_size(count) for count in counts if count is not None), default=0)


def _read_size(count: object) -> int:
    try:
        return abs(int(str(count)))
    except ValueError:
        return 1


def build_attempts(
    correlation: str, call: Call, settings: Settings, day: date | None
) -> Iterator[tuple[int, Row, ReportedUsage, bool]]:
    """Yield (line, columns, usage, whether cached tokens are unknown) of each attempt, if the call is of the day."""
    if day is not None and call.started_at is not None and call.started_at.date() != day:
        return
    attempts = _join_unnamed(call.attempts)
    common = _build_common(correlation, call, settings)
    for number, (request_id, attempt) in enumerate(attempts.items(), start=1):
        usage, is_unknown = build_usage(attempt.row, request_id)
        own: Row = {
            "provider_request_id": request_id or None,
            "model": find_text(attempt.row, ("modelname", "deploymentname")),
            "request_model": find_text(attempt.row, ("deploymentname",)),
            "from_zone": find_text(attempt.row, ("region", "location")),
        }
        if len(attempts) > 1:
            own |= {"logical_call_id": correlation, "attempt_number": number}
        if str((call.gateway or {}).get("cache", "")).lower() == "hit":
            own |= _build_saved(usage)
            usage, is_unknown = _NOTHING_USED, False
        yield attempt.line, {**common, **own}, usage, is_unknown


_NOTHING_USED: ReportedUsage = {"input_tokens": 0, "output_tokens": 0}


def _build_saved(usage: Mapping[str, Any]) -> Row:
    """What the gateway's own cache answered: nobody bills it."""
    saved = {
        "saved_input_tokens": usage.get("input_tokens"),
        "saved_output_tokens": usage.get("output_tokens"),
    }
    return {name: count for name, count in saved.items() if isinstance(count, int) and 0 <= count < 2**62}


def _join_unnamed(attempts: dict[str, Attempt]) -> dict[str, Attempt]:
    """Rows without the model's id are parts of the only attempt that has one; else an attempt of their own."""
    unnamed = attempts.get("")
    named = {request_id: attempt for request_id, attempt in attempts.items() if request_id}
    if unnamed is None or not named:
        return attempts
    if unnamed.tokens == 0:
        return named
    (first, attempt), *others = named.items()
    if not others and attempt.tokens == 0:
        return {first: Attempt(unnamed.line, {**attempt.row, **unnamed.row}, unnamed.tokens)}
    return attempts


def build_usage(row: Mapping[str, Any], request_id: str) -> tuple[ReportedUsage, bool]:
    """Return the usage of a row, and whether it leaves open how many input tokens came from a cache.

    Only diagnostic records state cached tokens, Log Analytics drops them. Claude's input leaves them out, every other
    model's holds them.
    """
    prompt, answer, total = (row.get(name) for name in schema.TOKENS)
    cached = row.get("promptcachedtokens")
    if not any(count not in (None, 0, "0") for count in (prompt, answer, total)):
        return {}, False
    name = (find_text(row, ("modelname", "deploymentname")) or "").lower()
    if "claude" in name or request_id.startswith("msg_"):
        told = {"input_tokens": prompt, "output_tokens": answer, "cache_read_input_tokens": cached}
        return read_usage(told, "anthropic"), True
    told = {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": total}
    return read_usage(
        {**told, "prompt_tokens_details": {"cached_tokens": cached}}, "openai_chat"
    ), cached is None


def _build_common(correlation: str, call: Call, settings: Settings) -> Row:
    gateway = call.gateway or {}
    seconds = read_seconds(gateway.get("totaltime", gateway.get("durationms")), digits=3)
    started_at = call.started_at
    status, error = _read_status(gateway)
    return {
        "emitter_kind": "gateway",
        "call_id": correlation,
        "started_at": started_at,
        "ended_at": started_at + timedelta(seconds=float(seconds)) if started_at and seconds else None,
        "sub_account_id": settings.sub_account_id,
        "region_id": settings.region_id,
        "status": status,
        "error_type": error,
        "api_key_id": find_text(gateway, ("apimsubscriptionid",)),
        "request_bytes": _read_bytes(gateway.get("requestsize")),
        "response_bytes": _read_bytes(gateway.get("responsesize")),
        **_read_caller(gateway, settings.attributes),
    }


def _read_status(gateway: Mapping[str, Any]) -> tuple[str, str | None]:
    """Tell by the gateway's record whether the call failed; without one it is taken as answered."""
    reason = find_text(gateway, ("lasterrorreason",))
    code = _read_bytes(gateway.get("responsecode"))
    if code == _CLIENT_CLOSED or (reason is not None and reason.lower() in _ABORTED):
        return "aborted", reason or str(code)
    if code is not None and not 200 <= code < 400:
        return "error", reason or str(code)
    if str(gateway.get("isrequestsuccess", "true")).lower() == "false":
        return "error", reason
    return "ok", None


def _read_bytes(value: object) -> int | None:
    try:
        number = int(str(value))
    except ValueError:
        return None
    return number if 0 <= number < 2**62 else None


def _read_caller(gateway: Mapping[str, Any], names: CallerNames) -> Row:
    """Attribution keys by the configured fields and headers, compared in lower case."""
    labels: dict[str, Any] = {}
    for holder in schema.HEADER_FIELDS:
        headers = schema.read_object(gateway.get(holder))
        if headers:
            labels |= {name.lower(): value for name, value in headers.items()}
    labels |= {name: gateway[name] for name in schema.CALLER_FIELDS if name in gateway}
    found = read_labels(labels, _lower(names))
    trace = _read_traceparent(labels.get("traceparent"))
    return {**({"trace_id": trace} if trace else {}), **found}


@lru_cache(maxsize=64)
def _lower(names: CallerNames) -> CallerNames:
    lowered = {key: tuple(n.lower() for n in getattr(names, key)) for key in type(names).model_fields}
    return CallerNames.model_validate(lowered)


def _read_traceparent(value: object) -> str | None:
    """Return the trace id of a W3C `traceparent` header."""
    parts = value.split("-") if isinstance(value, str) else []
    is_trace = len(parts) >= 4 and len(parts[1]) == 32 and set(parts[1]) <= set("0123456789abcdef")
    return parts[1] if is_trace and set(parts[1]) != {"0"} else None
