"""OpenAI's organization usage and costs, as its OpenAPI document says (openai/openai-openapi 2.3.0, 2026-08-21).

What belongs here: parameters, their limits, errors and answers. What must not: everycent's code.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.servers.rest import Reply, Request
from tests.servers.usage_reports import (
    Refused,
    ReportServer,
    group_results,
    read_query,
    write_exact_reply,
)

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
_LIMITS = {"1d": (7, 31), "1h": (24, 168), "1m": (60, 1440)}
_FILTERS = {"project_ids", "user_ids", "api_key_ids", "models", "batch"}
_KNOWN = {"start_time", "end_time", "bucket_width", "group_by", "limit", "page"} | _FILTERS


@dataclass
class OpenAIServer(ReportServer):
    """A route of `RestServer`: `data` maps `completions`, …, `costs` to what was used when."""

    organization: str = "org-test"

    def __call__(self, request: Request) -> Reply:
        fault = self.take_fault()
        if fault is not None:
            return fault
        try:
            self._authorise(request)
            return write_exact_reply({"object": "page", **self._answer(request)})
        except Refused as refused:
            error = {"message": str(refused), "type": refused.code, "param": None, "code": refused.code}
            return Reply(refused.status, {"error": error})

    def _authorise(self, request: Request) -> None:
        given = request.headers.get("Authorization", "")
        if given == "Bearer sk-proj-ordinary":
            raise Refused(
                403, "You have insufficient permissions. Missing scopes: api.usage.read", "missing_scope"
            )
        if given != f"Bearer {self.key}":
            raise Refused(401, f"Incorrect API key provided: {given[7:]}.", "invalid_api_key")

    def _answer(self, request: Request) -> dict[str, Any]:
        report = request.path.removeprefix("/v1/organization/").removeprefix("usage/")
        is_cost = request.path == "/v1/organization/costs"
        if request.method != "GET" or not (is_cost or report in GROUPS):
            raise Refused(404, "Unknown request URL", "unknown_url")
        asked = read_query(request)
        unknown = sorted({name for name, _ in asked} - _KNOWN)
        if unknown:
            raise Refused(400, f"Unknown query parameter: '{unknown[0]}'.", "unknown_parameter")
        single = dict(asked)
        width = single.get("bucket_width", "1d")
        limit = _read_limit(single, width, is_cost=is_cost)
        groups = COST_GROUPS if is_cost else GROUPS[report]
        group_by = [value for name, value in asked if name == "group_by"]
        for name in group_by:
            if name not in groups:
                raise Refused(
                    400, f"Invalid value: '{name}'. Supported values are: {groups}.", "invalid_value"
                )
        start, end = _read_time(single, "start_time"), _read_time(single, "end_time")

        def build_bucket(begin: datetime, finish: datetime) -> dict[str, Any]:
            used = (row for at, row in self.data.get(report, []) if begin <= at < finish)
            results = group_results(used, groups, group_by)
            if is_cost:
                results = [_hide_quantity(result, group_by) for result in results]
            name = "organization.costs.result" if is_cost else f"organization.usage.{report}.result"
            return {
                "object": "bucket",
                "start_time": _seconds(begin),
                "end_time": _seconds(finish),
                "results": [{"object": name, **result} for result in results],
            }

        return self.build_page(asked, start, end, width, limit, build_bucket)


def _read_limit(single: dict[str, str], width: str, *, is_cost: bool) -> int:
    if width not in _LIMITS or (is_cost and width != "1d"):
        raise Refused(400, f"Invalid bucket_width: '{width}'.", "invalid_value")
    default, most = (7, 180) if is_cost else _LIMITS[width]
    limit = int(single.get("limit", default))
    if not 1 <= limit <= most:
        raise Refused(400, f"Invalid 'limit': must be between 1 and {most}.", "integer_out_of_range")
    return limit


def _read_time(single: dict[str, str], name: str) -> datetime:
    if name not in single or not single[name].isdigit():
        raise Refused(400, f"Missing required parameter: '{name}'.", "missing_required_parameter")
    return datetime.fromtimestamp(int(single[name]), UTC).replace(tzinfo=None)


def _seconds(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp())


def _hide_quantity(result: dict[str, Any], group_by: list[str]) -> dict[str, Any]:
    """Quantities are of line items only."""
    return result if "line_item" in group_by else {**result, "quantity": None, "quantity_unit": None}


def completion(**fields: Any) -> dict[str, Any]:
    """One use of a model, with every field of the document."""
    base = {
        "input_tokens": 1000,
        "input_cached_tokens": 300,
        "input_cache_write_tokens": 100,
        "input_uncached_tokens": 600,
        "output_tokens": 200,
        "input_text_tokens": 600,
        "output_text_tokens": 200,
        "input_cached_text_tokens": 300,
        "input_audio_tokens": 0,
        "input_cached_audio_tokens": 0,
        "output_audio_tokens": 0,
        "input_image_tokens": 0,
        "input_cached_image_tokens": 0,
        "output_image_tokens": 0,
        "num_model_requests": 5,
        "project_id": "proj_search",
        "user_id": "user-ada",
        "api_key_id": "key_1",
        "model": "gpt-4o-2024-08-06",
        "batch": False,
        "service_tier": "default",
    }
    return {**base, **fields}


def cost(value: str, line_item: str, **fields: Any) -> dict[str, Any]:
    """One cost; `value` is dollars, digit by digit."""
    base = {
        "amount": {"value": Decimal(value), "currency": "usd"},
        "line_item": line_item,
        "project_id": "proj_search",
        "api_key_id": "key_1",
        "quantity": None,
        "quantity_unit": None,
    }
    return {**base, **fields}


def at(day: str, hour: int = 12) -> datetime:
    """A moment of a UTC day."""
    return datetime.fromisoformat(day) + timedelta(hours=hour)
