"""Anthropic's usage and cost reports, as the Admin API reference says (platform.claude.com, read 2026-11).

What belongs here: parameters, their limits, errors and answers. What must not: everycent's code.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.servers.rest import Reply, Request
from tests.servers.usage_reports import (
    Refused,
    ReportServer,
    group_results,
    read_query,
    write_exact_reply,
)

USAGE = "/v1/organizations/usage_report/messages"
COSTS = "/v1/organizations/cost_report"
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
    "workspace_id",
    "description",
    "context_window",
    "cost_type",
    "model",
    "service_tier",
    "token_type",
    "inference_geo",
)
_LIMITS = {"1d": (7, 31), "1h": (24, 168), "1m": (60, 1440)}
_PARAMETERS = {"starting_at", "ending_at", "bucket_width", "limit", "page", "group_by"}
_FILTERS = {
    "models",
    "api_key_ids",
    "workspace_ids",
    "account_ids",
    "service_account_ids",
    "service_tiers",
    "context_window",
    "inference_geos",
    "speeds",
}


@dataclass
class AnthropicServer(ReportServer):
    """A route of `RestServer`: `data` maps `usage` and `costs` to what was used when; costs are never added up."""

    organization: str = "11111111-2222-3333-4444-555555555555"

    def __call__(self, request: Request) -> Reply:
        fault = self.take_fault()
        if fault is not None:
            return fault
        try:
            self._authorise(request)
            if request.path == "/v1/organizations/me":
                return Reply(200, {"id": self.organization, "type": "organization", "name": "Test"})
            return write_exact_reply(self._answer(request))
        except Refused as refused:
            error = {"type": refused.code, "message": str(refused)}
            return Reply(refused.status, {"type": "error", "error": error, "request_id": "req_1"})

    def _authorise(self, request: Request) -> None:
        if request.headers.get("anthropic-version") != "2023-06-01":
            raise Refused(400, "anthropic-version: header is required")
        given = request.headers.get("x-api-key", "")
        if given == "sk-ant-api03-ordinary":
            raise Refused(
                403, "This API key does not have permission to use this resource", "permission_error"
            )
        if given != self.key:
            raise Refused(401, "invalid x-api-key", "authentication_error")

    def _answer(self, request: Request) -> dict[str, Any]:
        if request.method != "GET" or request.path not in (USAGE, COSTS):
            raise Refused(404, "Not found", "not_found_error")
        is_cost = request.path == COSTS
        asked = read_query(request)
        unknown = sorted({name for name, _ in asked} - _PARAMETERS - (set() if is_cost else _FILTERS))
        if unknown:
            raise Refused(400, f"{unknown[0]}: Extra inputs are not permitted")
        single = dict(asked)
        width = single.get("bucket_width", "1d")
        if width not in _LIMITS or (is_cost and width != "1d"):
            raise Refused(400, f"bucket_width: Input should be '1d', not {width!r}")
        default, most = _LIMITS[width]
        limit = int(single.get("limit", default))
        if not 1 <= limit <= most:
            raise Refused(400, f"limit: Input should be from 1 to {most}")
        group_by = [value for name, value in asked if name == "group_by"]
        for name in group_by:
            if name not in (COST_GROUPS if is_cost else USAGE_GROUPS):
                raise Refused(400, f"group_by: Input should be one of the available options, not {name!r}")
        if "speed" in group_by and "fast-mode-2026-02-01" not in request.headers.get("anthropic-beta", ""):
            raise Refused(400, "group_by: speed needs the fast-mode-2026-02-01 beta header")
        start, end = (_read_time(single, name, width) for name in ("starting_at", "ending_at"))

        def build_bucket(begin: datetime, finish: datetime) -> dict[str, Any]:
            rows = [
                row for at, row in self.data.get("costs" if is_cost else "usage", []) if begin <= at < finish
            ]
            if is_cost:
                results = [_hide(row, group_by) for row in rows]
            else:
                results = group_results(iter(rows), USAGE_GROUPS, group_by)
            return {
                "starting_at": f"{begin.isoformat()}Z",
                "ending_at": f"{finish.isoformat()}Z",
                "results": results,
            }

        return self.build_page(asked, start, end, width, limit, build_bucket)


def _hide(row: dict[str, Any], group_by: list[str]) -> dict[str, Any]:
    """All but amount, currency and what was asked for is null."""
    shown = set(group_by) | (set(DESCRIBED) - {"workspace_id"} if "description" in group_by else set())
    return {name: (value if name in shown or name not in DESCRIBED else None) for name, value in row.items()}


def _read_time(single: dict[str, str], name: str, width: str) -> datetime:
    """Read RFC 3339 and snap to the beginning of the bucket, in UTC."""
    try:
        moment = datetime.fromisoformat(single[name]).astimezone(UTC).replace(tzinfo=None)
    except (KeyError, ValueError) as error:
        raise Refused(400, f"{name}: Field required") from error
    parts = {"1d": {"hour": 0, "minute": 0}, "1h": {"minute": 0}, "1m": {}}[width]
    return moment.replace(second=0, microsecond=0, **parts)


def message_usage(**fields: Any) -> dict[str, Any]:
    """One use of a model, with every field of the reference; `cache_creation` has no sum beside it."""
    base = {
        "account_id": None,
        "api_key_id": "apikey_1",
        "context_window": "0-200k",
        "inference_geo": "us",
        "model": "claude-sonnet-4-5-20250929",
        "service_account_id": None,
        "service_tier": "standard",
        "speed": None,
        "workspace_id": "wrkspc_search",
        "uncached_input_tokens": 600,
        "cache_creation": {"ephemeral_5m_input_tokens": 70, "ephemeral_1h_input_tokens": 30},
        "cache_read_input_tokens": 300,
        "output_tokens": 200,
        "server_tool_use": {"web_search_requests": 0},
    }
    return {**base, **fields}


def cost(amount: str, token_type: str | None = "uncached_input_tokens", **fields: Any) -> dict[str, Any]:
    """One cost; `amount` is cents as a decimal string."""
    base = {
        "amount": amount,
        "currency": "USD",
        "workspace_id": "wrkspc_search",
        "description": "Claude Sonnet 4.5 Usage - Input Tokens",
        "context_window": "0-200k",
        "cost_type": "tokens",
        "model": "claude-sonnet-4-5-20250929",
        "service_tier": "standard",
        "token_type": token_type,
        "inference_geo": None,
    }
    return {**base, **fields}
