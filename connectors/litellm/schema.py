"""What the fields of LiteLLM's records mean: SpendLogs rows and StandardLoggingPayload objects.

What belongs here: field names, ids, LiteLLM's own rules. What must not: reading files or the database.

Sources: `schema.prisma` (LiteLLM_SpendLogs), `spend_tracking_utils.py`, `litellm_logging.py`, `types/utils.py` and
`example_standard_logging_payload.json` of LiteLLM 1.8x to 1.109.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from connectors.common.gateway_values import (
    find_first,
    reach,
    read_count,
    read_instant,
    read_mapping,
    read_money,
    read_plain_name,
    read_tags,
    read_text,
)
from connectors.common.usage_payloads import read_usage
from connectors.litellm.settings import Settings

SCHEMA_VERSION = 1

SPEND_COLUMNS = (
    "request_id",
    "call_type",
    "api_key",
    "spend",
    "total_tokens",
    "prompt_tokens",
    "completion_tokens",
    "startTime",
    "endTime",
    "completionStartTime",
    "model",
    "model_group",
    "custom_llm_provider",
    "user",
    "cache_hit",
    "request_tags",
    "team_id",
    "organization_id",
    "end_user",
    "session_id",
    "status",
    "agent_id",
    "litellm_call_id",
    "updated_at",
)
"""The columns of SpendLogs that are ever selected, `metadata` apart: never messages, response, proxy_server_request."""

REQUIRED_COLUMNS = ("request_id", "startTime", "endTime", "model", "prompt_tokens", "completion_tokens")

METADATA_PATHS = (
    "usage_object",
    "additional_usage_values",
    "attempted_retries",
    "attempted_fallbacks",
    "original_model_group",
    "status",
    "error_information.error_class",
    "error_information.error_code",
    "cost_breakdown.service_tier",
)
"""What is read of `metadata`, beside the paths that the config's `places` name."""

PAYLOAD_FIELDS = (
    "id",
    "trace_id",
    "call_id",
    "response_cost",
    "hidden_params",
    "error_information",
    "cost_breakdown",
    "response",
    "api_requests",
)
"""Further fields of a StandardLoggingPayload; of `response` only id, model, service_tier and usage are looked at.
`api_requests` is no field of a call: it gives a daily roll-up away."""

_CACHE_HIT = re.compile(r"_cache_hit\d+(?:\.\d+)?$")
_OWN_ID = re.compile(r"(?:chatcmpl|cmpl)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
_PROVIDER_ID = re.compile(r"(?:chatcmpl-|cmpl-|resp_|msg_|gen-|embd-)[A-Za-z0-9_-]{6,200}")
_RESPONSE_ID = re.compile(r"response_id:([A-Za-z0-9_-]{6,200})$")
_AWS_HEADERS = (
    "hidden_params.additional_headers.llm_provider-x-amzn-requestid",
    "hidden_params.additional_headers.llm_provider_x_amzn_requestid",
    "hidden_params.additional_headers.x-amzn-requestid",
)
_AWS_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
_PROVIDERS = {
    "bedrock_converse": "aws.bedrock",
    "bedrock_mantle": "aws.bedrock",
    "azure_text": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "text-completion-openai": "openai",
    "anthropic_text": "anthropic",
    "codestral": "mistral_ai",
}
_OTHER_CALL = re.compile(
    r"(?:call_mcp_tool|list_mcp_tools|a?search|a?(?:create|cancel|list)_batch(?:es)?|a?list_input_items|"
    r"a?(?:\w+_)?(?:files?|vector_stores?|assistants?|threads?|fine_tuning_jobs?|containers?)(?:_\w+)?)"
)
_MOST_ATTEMPTS = 10_000
_DISCONNECTS = frozenset({"ClientDisconnect", "ClientDisconnected", "CancelledError"})


def build_fields(settings: Settings) -> frozenset[str]:
    """Return the top-level fields that are taken of a record in a file; no other is looked at."""
    named = (
        place.partition(".")[0]
        for places in settings.places.model_dump().values()
        for place in places
        if not place.startswith("tag:")
    )
    return frozenset({*SPEND_COLUMNS, *PAYLOAD_FIELDS, "metadata", *named}) - {
        "messages",
        "proxy_server_request",
    }


def build_row(record: Mapping[str, Any], settings: Settings) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """Return the columns of a call, and its usage as `read_usage` gives it."""
    call = _open_parts(record)
    tags = read_tags(call.get("request_tags"))
    stated_id = read_text(find_first(call, ("request_id", "id")))
    is_saved = read_text(call.get("cache_hit")) in ("True", "true") or call.get("cache_hit") is True
    status, error_type = _read_status(call)
    row = settings.places.read(call, tags) | {
        "emitter_kind": "gateway",
        "provider_request_id": None if is_saved else _read_answer_id(call, stated_id, status),
        "call_id": _read_call_id(call, stated_id, status),
        "trace_id": read_text(find_first(call, ("trace_id", "session_id"))),
        "provider": _read_provider(call),
        "status": status,
        "error_type": error_type,
        "reported_cost": read_money(find_first(call, ("spend", "response_cost"))),
        **_read_models(call),
        **_read_times(call),
        **_read_attempt(call, settings, status),
    }
    row["reported_cost_currency"] = None if row["reported_cost"] is None else "USD"
    tier = find_first(
        {
            "answered": reach(call, "response.service_tier"),
            "billed": reach(call, "cost_breakdown.service_tier"),
            "stored": reach(call, "metadata.cost_breakdown.service_tier"),
        },
        ("answered", "billed", "stored"),
    )
    row["service_tier"] = "batch" if call.get("call_type") == "aretrieve_batch" else read_text(tier)
    if is_saved:
        row["saved_input_tokens"] = read_count(call.get("prompt_tokens"))
        row["saved_output_tokens"] = read_count(call.get("completion_tokens"))
        return row, {"input_tokens": 0, "output_tokens": 0}
    usage = _read_usage(call, status)
    if row["service_tier"] is not None:
        usage = {name: value for name, value in usage.items() if name != "service_tier"}
    return row, usage


def build_record_id(record: Mapping[str, Any]) -> tuple[str | None, datetime | None]:
    """Return what the versions of a record share, and its version.

    A failed attempt is named by LiteLLM's id of the call, which the next attempt has too: its start tells it apart.
    """
    stated = read_text(find_first(record, ("request_id", "id")))
    if stated is not None and read_text(record.get("status")) == "failure":
        stated = f"{stated}|{read_text(str(record.get('startTime')))}"
    return stated, read_instant(find_first(record, ("updated_at", "endTime")))


def is_roll_up(record: Mapping[str, Any]) -> bool:
    """Tell a row of LiteLLM's daily tables from a call."""
    return "api_requests" in record and record.get("startTime") is None


def is_other_call(record: Mapping[str, Any]) -> bool:
    """Tell what LiteLLM logs beside model calls: tools of MCP servers, files, batch jobs; only what used no token."""
    if not _OTHER_CALL.fullmatch(read_text(record.get("call_type")) or ""):
        return False
    return not any(read_count(record.get(name)) for name in ("prompt_tokens", "completion_tokens"))


def _read_answer_id(call: Mapping[str, Any], stated: str | None, status: str) -> str | None:
    """Return the provider's id of the call, else the one LiteLLM made for it and answered the client with.

    The client's span holds the latter. A failed attempt was never answered: it has none.
    """
    known = read_provider_id(call, stated)
    if known is not None or status != "ok":
        return known
    seen = (stated, read_text(reach(call, "response.id")))
    return next((text for text in seen if text is not None and _OWN_ID.fullmatch(text)), None)


def read_provider_id(call: Mapping[str, Any], stated: str | None) -> str | None:
    """Return the id by which the provider knows the call; None where the record holds LiteLLM's own.

    LiteLLM makes `chatcmpl-<UUID>` where a provider has no id of this shape, and wraps ids of the Responses API in
    base64 with the deployment's.
    """
    if (read_text(call.get("custom_llm_provider")) or "").startswith("bedrock"):
        named = next((text for path in _AWS_HEADERS if (text := read_text(reach(call, path)))), None)
        return named if named is not None and _AWS_ID.fullmatch(named) else None
    for text in (stated, read_text(reach(call, "response.id"))):
        if text is None:
            continue
        plain = _unwrap(_CACHE_HIT.sub("", text))
        if _PROVIDER_ID.fullmatch(plain) and not _OWN_ID.fullmatch(plain):
            return plain
    return None


def _unwrap(text: str) -> str:
    """Return the provider's id inside of LiteLLM's id of a response; other ids as they are."""
    if not text.startswith("resp_") or len(text) > 2_000:
        return text
    try:
        inner = base64.b64decode(text[5:] + "=" * (-len(text[5:]) % 4), validate=True).decode("utf-8")
    except ValueError:
        return text
    match = _RESPONSE_ID.search(inner) if inner.startswith("litellm:") else None
    return match[1] if match else text


def _open_parts(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record with its nested parts opened, and of a response nothing but what is looked at."""
    call = dict(record)
    for name in ("metadata", "hidden_params", "error_information", "cost_breakdown"):
        call[name] = read_mapping(record.get(name))
    for name in ("usage_object", "additional_usage_values"):
        if isinstance(call["metadata"].get(name), str):
            call["metadata"] = {**call["metadata"], name: read_mapping(call["metadata"][name])}
    response = record.get("response")
    kept = ("id", "model", "service_tier", "usage")
    call["response"] = (
        {name: response[name] for name in kept if name in response} if isinstance(response, dict) else {}
    )
    return call


def _read_call_id(call: Mapping[str, Any], stated: str | None, status: str) -> str | None:
    """Return LiteLLM's id of the call, which a client sees as `x-litellm-call-id`; none for a failed attempt.

    The attempts of one call share this id, and only one of them was answered.
    """
    if status != "ok":
        return None
    named = read_text(find_first(call, ("litellm_call_id", "call_id")))
    return named or stated


def _read_provider(call: Mapping[str, Any]) -> str | None:
    name = (read_text(call.get("custom_llm_provider")) or "").lower()
    if name.startswith("vertex_ai"):
        return "gcp.vertex_ai"
    return _PROVIDERS.get(name, name) or None


def _read_models(call: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the model that answered and the one that was asked for (a group of deployments, before fallbacks)."""
    prefix = f"{read_text(call.get('custom_llm_provider')) or ''}/"
    answered = read_text(reach(call, "response.model")) or read_text(call.get("model"))
    asked = read_text(reach(call, "metadata.original_model_group")) or read_text(call.get("model_group"))
    return {"model": answered.removeprefix(prefix) if answered else None, "request_model": asked}


def _read_times(call: Mapping[str, Any]) -> dict[str, Any]:
    started, ended, first = (
        read_instant(call.get(name)) for name in ("startTime", "endTime", "completionStartTime")
    )
    times: dict[str, Any] = {"started_at": started, "ended_at": ended}
    if started and ended and first and started <= first < ended:
        seconds = Decimal((first - started) // (ended.resolution)).scaleb(-6)
        times["time_to_first_token_seconds"] = seconds
    return times


def _read_attempt(call: Mapping[str, Any], settings: Settings, status: str) -> dict[str, Any]:
    """Return which attempt of which logical call it is: retries and fallbacks share LiteLLM's trace."""
    retries = read_count(reach(call, "metadata.attempted_retries"))
    fallbacks = read_count(reach(call, "metadata.attempted_fallbacks"))
    is_known = retries is not None or fallbacks is not None
    before = (retries or 0) + (fallbacks or 0)
    is_known = is_known and before <= _MOST_ATTEMPTS
    is_alone = is_known and before == 0 and status == "ok"
    trace = read_text(find_first(call, ("trace_id", "session_id")))
    has_logical = settings.trace_id_means == "logical_call" and not is_alone
    return {
        "attempt_number": before + 1 if is_known else None,
        "logical_call_id": trace if has_logical else None,
    }


def _read_status(call: Mapping[str, Any]) -> tuple[str, str | None]:
    stated = read_text(call.get("status")) or read_text(reach(call, "metadata.status"))
    error = read_plain_name(reach(call, "error_information.error_class")) or read_plain_name(
        reach(call, "metadata.error_information.error_class")
    )
    code = read_text(reach(call, "error_information.error_code")) or read_text(
        reach(call, "metadata.error_information.error_code")
    )
    if stated != "failure":
        return "ok", None
    if code == "499" or error in _DISCONNECTS:
        return "aborted", error
    return "error", error or (f"http_{code}" if code and code.isdigit() and len(code) == 3 else None)


def _read_usage(call: Mapping[str, Any], status: str) -> Mapping[str, Any]:
    """Return what the provider answered, else the row's own counts with what else LiteLLM was told.

    A failed call without an answer has zeros by default: nothing was reported.
    """
    for path in ("metadata.usage_object", "response.usage"):
        found = reach(call, path)
        if isinstance(found, Mapping) and found:
            return read_usage(found, "litellm")
    own = {
        name: call[name]
        for name in ("prompt_tokens", "completion_tokens", "total_tokens")
        if read_text(call.get(name)) is not None
    }
    if status != "ok" and not any(read_count(count) for count in own.values()):
        return {}
    added = reach(call, "metadata.additional_usage_values")
    return read_usage({**(added if isinstance(added, Mapping) else {}), **own}, "litellm")
