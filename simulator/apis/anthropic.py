"""Anthropic's usage and cost reports, as the Admin API reference says (platform.claude.com, read 2026-11).

What belongs here: endpoints, parameters, limits, errors and fields. What must not: who used what (`store`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from simulator.apis.reports import (
    Json,
    Question,
    Refused,
    apply_filters,
    build_amount,
    build_digest,
    build_page,
    read_pairs,
    round_amount,
    sum_by_bucket,
)
from simulator.apis.store import ANTHROPIC_COSTS, ANTHROPIC_USAGE, ApiStore

PREFIX = "/v1/organizations/"
ADMIN_KEY = "sk-ant-admin-demo-key-of-the-sample-company"
USAGE = f"{PREFIX}usage_report/messages"
COSTS = f"{PREFIX}cost_report"
USAGE_GROUPS = (
    "account_id",
    "api_key_id",
    "context_window",
    "inference_geo",
    "model",
    "service_account_id",
    "service_tier",
    "speed",
    "workspace_id",
)
COST_GROUPS = ("workspace_id", "description")
DESCRIBED = (
    "description",
    "context_window",
    "cost_type",
    "model",
    "service_tier",
    "token_type",
    "inference_geo",
)
"""What a cost says of itself when it is grouped by description; else all of it is null."""
COUNTED = (
    "uncached_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_read_tokens",
    "output_tokens",
    "web_searches",
)
_CENT_DIGITS = 10  # units are 1e-12 of a dollar, 1e-10 of a cent
_LIMITS = {"1d": (7, 31), "1h": (24, 168), "1m": (60, 1440)}
_FILTERS = {
    "models": "model",
    "api_key_ids": "api_key_id",
    "workspace_ids": "workspace_id",
    "account_ids": "account_id",
    "service_account_ids": "service_account_id",
    "service_tiers": "service_tier",
    "context_window": "context_window",
    "inference_geos": "inference_geo",
    "speeds": "speed",
}
_PARAMETERS = {"starting_at", "ending_at", "bucket_width", "limit", "page", "group_by"}
_FAST_MODE = "fast-mode-2026-02-01"


def answer(target: str, headers: Mapping[str, str], store: ApiStore) -> Json:
    """Return the answer to a GET request; names of headers are in lower case. Raises Refused."""
    _authorise(headers)
    path = target.partition("?")[0]
    if path == f"{PREFIX}me":
        known = store.organizations["anthropic"]
        return {"id": known["organization_id"], "type": "organization", "name": known["name"]}
    if path not in (USAGE, COSTS):
        raise Refused(404, "Not found", "not_found_error")
    is_cost = path == COSTS
    question = _read_question(target, store, is_cost=is_cost)
    if "speed" in question.groups and _FAST_MODE not in headers.get("anthropic-beta", ""):
        raise Refused(400, f"group_by: speed needs the {_FAST_MODE} beta header")

    def build_results(start: datetime, end: datetime) -> dict[datetime, list[Json]]:
        return (_build_costs if is_cost else _build_usage)(store, question, start, end)

    buckets, following = build_page(question, build_results)
    data = [
        {"starting_at": _instant(start), "ending_at": _instant(end), "results": results}
        for start, end, results in buckets
    ]
    return {"data": data, "has_more": following is not None, "next_page": following}


def build_error(refused: Refused) -> Json:
    """Return the body of a refusal."""
    return {"type": "error", "error": {"type": refused.code, "message": str(refused)}, "request_id": "req_1"}


def _authorise(headers: Mapping[str, str]) -> None:
    if headers.get("anthropic-version") != "2023-06-01":
        raise Refused(400, "anthropic-version: header is required")
    if headers.get("x-api-key") != ADMIN_KEY:
        raise Refused(401, "invalid x-api-key", "authentication_error")


def _read_question(target: str, store: ApiStore, *, is_cost: bool) -> Question:
    pairs = read_pairs(target)
    known = _PARAMETERS | (set() if is_cost else set(_FILTERS))
    for name, _ in pairs:
        if name not in known:
            raise Refused(400, f"{name}: Extra inputs are not permitted")
    single = dict(pairs)
    width = single.get("bucket_width", "1d")
    if width not in _LIMITS or (is_cost and width != "1d"):
        raise Refused(400, f"bucket_width: Input should be '1d', not {width!r}")
    default, most = _LIMITS[width]
    limit = single.get("limit", str(default))
    if not limit.isdigit() or not 1 <= int(limit) <= most:
        raise Refused(400, f"limit: Input should be from 1 to {most}")
    asked = tuple(dict.fromkeys(value for name, value in pairs if name == "group_by"))
    for name in asked:
        if name not in (COST_GROUPS if is_cost else USAGE_GROUPS):
            raise Refused(400, f"group_by: Input should be one of the available options, not {name!r}")
    filters = {
        column: tuple(value for given, value in pairs if given == name)
        for name, column in _FILTERS.items()
        if name in single
    }
    start = _read_time(single, "starting_at", width)
    end = _read_time(single, "ending_at", width) if "ending_at" in single else _find_end(store)
    return Question(start, end, width, int(limit), asked, filters, single.get("page"), build_digest(pairs))


def _find_end(store: ApiStore) -> datetime:
    return store.now or datetime.fromisoformat(store.organizations["ends_at"])


def _read_time(single: dict[str, str], name: str, width: str) -> datetime:
    """Read RFC 3339 and snap to the beginning of the bucket, in UTC."""
    try:
        moment = datetime.fromisoformat(single[name]).astimezone(UTC).replace(tzinfo=None)
    except (KeyError, ValueError) as error:
        raise Refused(400, f"{name}: Field required") from error
    parts: dict[str, dict[str, Any]] = {"1d": {"hour": 0, "minute": 0}, "1h": {"minute": 0}, "1m": {}}
    return moment.replace(second=0, microsecond=0, **parts[width])


def _instant(moment: datetime) -> str:
    return f"{moment.isoformat()}Z"


def _build_usage(
    store: ApiStore, question: Question, start: datetime, end: datetime
) -> dict[datetime, list[Json]]:
    frame = apply_filters(store.read(ANTHROPIC_USAGE, start, end), question.filters)
    found = sum_by_bucket(frame, question.width, question.groups, COUNTED)
    return {at: [_build_message_usage(row) for row in rows] for at, rows in found.items()}


def _build_message_usage(row: Json) -> Json:
    """One row of usage; there is no sum of cache writes, and no count of requests."""
    return {
        **{name: row.get(name) for name in USAGE_GROUPS},
        "uncached_input_tokens": row["uncached_tokens"],
        "cache_creation": {
            "ephemeral_5m_input_tokens": row["cache_write_5m_tokens"],
            "ephemeral_1h_input_tokens": row["cache_write_1h_tokens"],
        },
        "cache_read_input_tokens": row["cache_read_tokens"],
        "output_tokens": row["output_tokens"],
        "server_tool_use": {"web_search_requests": row["web_searches"]},
    }


def _build_costs(
    store: ApiStore, question: Question, start: datetime, end: datetime
) -> dict[datetime, list[Json]]:
    groups = [name for name in question.groups if name != "description"]
    groups += DESCRIBED if "description" in question.groups else ()
    found = sum_by_bucket(store.read(ANTHROPIC_COSTS, start, end), "1d", groups, ("amount",))
    digits = store.organizations["anthropic"]["dollar_digits"]
    return {
        at: [
            {
                "amount": f"{build_amount(round_amount(row['amount'], digits), _CENT_DIGITS):f}",
                "currency": "USD",
                **{name: row.get(name) for name in ("workspace_id", *DESCRIBED)},
            }
            for row in rows
        ]
        for at, rows in found.items()
    }
