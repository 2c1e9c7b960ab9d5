"""Field names of Anthropic's usage and cost reports, and what they are in the lake.

What belongs here: names, kinds and units. What must not: calling Anthropic, or arithmetic.

Source: platform.claude.com, Admin API `usage_report/messages` and `cost_report` (read 2026-11).
"""

from __future__ import annotations

from typing import Literal, get_args

SCHEMA_VERSION = 1
"""Raise it when the same answers would be typed differently; what is kept is then typed again."""

PROVIDER = "anthropic"
ISSUER = "Anthropic"
SERVICE_NAME = "Claude API"
API_VERSION = "2023-06-01"
FAST_MODE_BETA = "fast-mode-2026-02-01"
"""What a request that groups by `speed` must say in the header `anthropic-beta`."""

MOST_BUCKETS = {"1d": 31, "1h": 168, "1m": 1440}
BUCKETS_A_DAY = {"1d": 1, "1h": 24, "1m": 1440}

USAGE_PATH = "/v1/organizations/usage_report/messages"
COST_PATH = "/v1/organizations/cost_report"
ORGANIZATION_PATH = "/v1/organizations/me"

DEFAULT_WORKSPACE = "default"
"""What a null workspace means: the organization's default workspace, which has no id."""

CONSOLE = "console"
"""What a null API key means: the Console or its playground."""

NO_ACCOUNT = "no_account"
"""What a null account means: a call with an API key, not signed in by OAuth."""

TOKEN_CLASSES = {
    "uncached_input_tokens": "uncached_input_tokens",
    "cache_read_input_tokens": "cache_read_tokens",
    "output_tokens": "output_tokens",
}
"""Counted field → token class; all classes are disjoint."""

CACHE_WRITES = {
    "ephemeral_5m_input_tokens": "cache_write_5m_tokens",
    "ephemeral_1h_input_tokens": "cache_write_1h_tokens",
}
"""Fields of `cache_creation` → token class."""

SERVER_TOOLS = {"web_search_requests": "web_searches"}
"""Fields of `server_tool_use` → usage kind."""

UsageDimension = Literal[
    "account_id",
    "api_key_id",
    "context_window",
    "inference_geo",
    "model",
    "service_account_id",
    "service_tier",
    "speed",
    "workspace_id",
]
DIMENSIONS: tuple[str, ...] = get_args(UsageDimension)
"""What usage can be told apart by; null unless asked for."""

PRIORITY_TIERS = frozenset({"priority", "priority_on_demand"})
"""Tiers whose dollars are in no cost report."""

COST_TYPES_WITHOUT_USAGE = frozenset({"code_execution", "session_usage"})
"""Costs of what no usage report counts."""

COST_COLUMNS: dict[str, str] = {
    "organization_id": "billing_account_id",
    "bucket_start": "charge_period_start",
    "bucket_end": "charge_period_end",
    "workspace": "sub_account_id",
    "amount_usd": "billed_cost",
    "description": "charge_description",
}
"""Field of a kept cost line → column of `charges`, where it is taken over as it is."""

COST_FIELDS = frozenset(
    {
        "amount",
        "context_window",
        "cost_type",
        "currency",
        "inference_geo",
        "model",
        "service_tier",
        "token_type",
        "workspace_id",
    }
)
"""Fields of a cost that are used besides COST_COLUMNS."""

TOKEN_TYPE_WORDS = {
    "uncached_input_tokens": "input",
    "cache_read_input_tokens": "cache read",
    "cache_creation.ephemeral_5m_input_tokens": "cache write 5m",
    "cache_creation.ephemeral_1h_input_tokens": "cache write 1h",
    "output_tokens": "output",
}
"""`token_type` → how the meter of a charge says it."""
