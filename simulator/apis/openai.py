"""OpenAI's organization usage and costs, as its OpenAPI document says (openai/openai-openapi 2.3.0, 2026-08-21).

What belongs here: endpoints, parameters, limits, errors and fields. What must not: who used what (`store`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from simulator.apis.reports import (
    Json,
    Question,
    Refused,
    apply_filters,
    build_amount,
    build_digest,
    build_page,
    read_pairs,
    sum_by_bucket,
)
from simulator.apis.store import OPENAI_COSTS, OPENAI_USAGE, ApiStore

PREFIX = "/v1/organization/"
ADMIN_KEY = "sk-admin-demo-key-of-the-sample-company"
_FOUR = ("project_id", "user_id", "api_key_id", "model")
GROUPS: dict[str, tuple[str, ...]] = {
    "completions": (*_FOUR, "batch", "service_tier"),
    "embeddings": _FOUR,
    "moderations": _FOUR,
    "images": (*_FOUR, "size", "source"),
    "audio_speeches": _FOUR,
    "audio_transcriptions": _FOUR,
    "vector_stores": ("project_id",),
    "code_interpreter_sessions": ("project_id",),
    "file_search_calls": ("project_id", "user_id", "api_key_id", "vector_store_id"),
    "web_search_calls": (*_FOUR, "context_level"),
}
COST_GROUPS = ("project_id", "line_item", "api_key_id")
COUNTED = ("uncached_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "requests")
_LIMITS = {"1d": (7, 31), "1h": (24, 168), "1m": (60, 1440)}
_FILTERS = {
    "project_ids": "project_id",
    "user_ids": "user_id",
    "api_key_ids": "api_key_id",
    "models": "model",
}
_ONCE = {"start_time", "end_time", "bucket_width", "limit", "page"}


def answer(target: str, headers: Mapping[str, str], store: ApiStore) -> Json:
    """Return the answer to a GET request; names of headers are in lower case. Raises Refused."""
    _authorise(headers, store)
    path = target.partition("?")[0].removeprefix(PREFIX)
    is_cost = path == "costs"
    report = path.removeprefix("usage/")
    if not is_cost and (report not in GROUPS or report == path):
        raise Refused(404, "Unknown request URL", "unknown_url")
    question = _read_question(target, COST_GROUPS if is_cost else GROUPS[report], store, is_cost=is_cost)

    def build_results(start: datetime, end: datetime) -> dict[datetime, list[Json]]:
        if is_cost:
            return _build_costs(store, question, start, end)
        return _build_usage(store, report, question, start, end)

    buckets, following = build_page(question, build_results)
    data = [
        {"object": "bucket", "start_time": _seconds(start), "end_time": _seconds(end), "results": results}
        for start, end, results in buckets
    ]
    return {"object": "page", "data": data, "has_more": following is not None, "next_page": following}


def build_error(refused: Refused) -> Json:
    """Return the body of a refusal."""
    return {
        "error": {"message": str(refused), "type": refused.code, "param": None, "code": refused.code},
    }


def _authorise(headers: Mapping[str, str], store: ApiStore) -> None:
    given = headers.get("authorization", "")
    if given != f"Bearer {ADMIN_KEY}":
        raise Refused(401, "Incorrect API key provided.", "invalid_api_key")
    organization = headers.get("openai-organization")
    if organization not in (None, store.organizations["openai"]["organization_id"]):
        raise Refused(401, "You must be a member of an organization to use the API.", "invalid_organization")


def _read_question(target: str, groups: tuple[str, ...], store: ApiStore, *, is_cost: bool) -> Question:
    pairs = read_pairs(target)
    known = _ONCE | {"group_by"} | set(_FILTERS) | (set() if is_cost else {"batch"})
    for name, _ in pairs:
        if name not in known:
            raise Refused(400, f"Unknown query parameter: '{name}'.", "unknown_parameter")
    single = dict(pairs)
    width = single.get("bucket_width", "1d")
    if width not in _LIMITS or (is_cost and width != "1d"):
        raise Refused(400, f"Invalid bucket_width: '{width}'.", "invalid_value")
    default, most = (7, 180) if is_cost else _LIMITS[width]
    limit = single.get("limit", str(default))
    if not limit.isdigit() or not 1 <= int(limit) <= most:
        raise Refused(400, f"Invalid 'limit': must be between 1 and {most}.", "integer_out_of_range")
    asked = tuple(dict.fromkeys(value for name, value in pairs if name == "group_by"))
    for name in asked:
        if name not in groups:
            raise Refused(400, f"Invalid value: '{name}'. Supported values are: {groups}.", "invalid_value")
    filters = {
        column: tuple(value for given, value in pairs if given == name)
        for name, column in (*_FILTERS.items(), ("batch", "batch"))
        if name in single and column in groups
    }
    start = _read_time(single, "start_time")
    end = _read_time(single, "end_time") if "end_time" in single else _find_end(store)
    step = {"1d": "1d", "1h": "1h", "1m": "1m"}[width]
    return Question(
        _truncate(start, step),
        end,
        width,
        int(limit),
        asked,
        filters,
        single.get("page"),
        build_digest(pairs),
    )


def _truncate(moment: datetime, width: str) -> datetime:
    parts: dict[str, dict[str, Any]] = {"1d": {"hour": 0, "minute": 0}, "1h": {"minute": 0}, "1m": {}}
    return moment.replace(second=0, microsecond=0, **parts[width])


def _find_end(store: ApiStore) -> datetime:
    return store.now or datetime.fromisoformat(store.organizations["ends_at"])


def _read_time(single: dict[str, str], name: str) -> datetime:
    if not single.get(name, "").isdigit():
        raise Refused(400, f"Missing required parameter: '{name}'.", "missing_required_parameter")
    return datetime.fromtimestamp(int(single[name]), UTC).replace(tzinfo=None)


def _seconds(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp())


def _build_usage(
    store: ApiStore, report: str, question: Question, start: datetime, end: datetime
) -> dict[datetime, list[Json]]:
    frame = store.read(OPENAI_USAGE, start, end).filter(pl.col("endpoint") == report)
    frame = apply_filters(frame, question.filters)
    found = sum_by_bucket(frame, question.width, question.groups, COUNTED)
    build = {"completions": _completion, "web_search_calls": _searches}.get(report, _count)
    return {
        at: [
            {
                "object": f"organization.usage.{report}.result",
                **build(row),
                **{name: row.get(name) for name in GROUPS[report]},
            }
            for row in rows
        ]
        for at, rows in found.items()
    }


def _completion(row: Json) -> Json:
    """Input holds cached and cache-write tokens; all of it is text here."""
    uncached, cached, written = row["uncached_tokens"], row["cached_tokens"], row["cache_write_tokens"]
    nothing = dict.fromkeys(
        (
            "input_audio_tokens",
            "input_cached_audio_tokens",
            "output_audio_tokens",
            "input_image_tokens",
            "input_cached_image_tokens",
            "output_image_tokens",
        ),
        0,
    )
    return {
        "input_tokens": uncached + cached + written,
        "input_cached_tokens": cached,
        "input_cache_write_tokens": written,
        "input_uncached_tokens": uncached,
        "output_tokens": row["output_tokens"],
        "input_text_tokens": uncached,
        "output_text_tokens": row["output_tokens"],
        "input_cached_text_tokens": cached,
        **nothing,
        "num_model_requests": row["requests"],
    }


def _searches(row: Json) -> Json:
    return {"num_requests": row["requests"], "num_model_requests": row["requests"]}


def _count(row: Json) -> Json:
    return {"input_tokens": row["uncached_tokens"], "num_model_requests": row["requests"]}


def _build_costs(
    store: ApiStore, question: Question, start: datetime, end: datetime
) -> dict[datetime, list[Json]]:
    frame = apply_filters(store.read(OPENAI_COSTS, start, end), question.filters)
    has_quantity = "line_item" in question.groups
    groups = [*question.groups, *(["quantity_unit"] if has_quantity else [])]
    found = sum_by_bucket(frame, "1d", groups, ("amount", "quantity"))
    return {
        at: [
            {
                "object": "organization.costs.result",
                "amount": {"value": build_amount(row["amount"]), "currency": "usd"},
                "quantity": _count_units(row) if has_quantity else None,
                "quantity_unit": row["quantity_unit"] if has_quantity else None,
                **{name: row.get(name) for name in COST_GROUPS},
            }
            for row in rows
        ]
        for at, rows in found.items()
    }


def _count_units(row: Json) -> Decimal | None:
    """The quantity in its unit; the files count single tokens. Null where no unit is stated."""
    digits = {"tokens": 0, "1000_tokens": 3}.get(row["quantity_unit"])
    return None if digits is None else build_amount(row["quantity"], digits)
