"""What OpenRouter's activity says, field by field.

What belongs here: names. What must not: calling OpenRouter.

Source: ActivityItem of OpenRouter's OpenAPI document (GET /activity). Credits are US dollars, one for one.
"""

from __future__ import annotations

SCHEMA_VERSION = 1
PROVIDER = "openrouter"
ISSUER = "OpenRouter"
CURRENCY = "USD"
TOLD_DAYS = 30
"""How many completed UTC days the API tells of."""

FIELDS = frozenset(
    {
        "date",
        "model",
        "model_permaslug",
        "endpoint_id",
        "provider_name",
        "usage",
        "byok_usage_inference",
        "requests",
        "prompt_tokens",
        "completion_tokens",
        "reasoning_tokens",
        "api_key_hash",
        "user_id",
        "workspace_id",
    }
)

COUNTS: tuple[tuple[str, str, str | None, str], ...] = (
    ("requests", "requests", None, "requests"),
    ("prompt_tokens", "input_tokens", None, "tokens"),
    ("completion_tokens", "tokens", "output_tokens", "tokens"),
    ("reasoning_tokens", "reasoning_tokens", "output_tokens", "tokens"),
    ("byok_usage_inference", "own_key_cost", None, CURRENCY),
)
"""(field, kind of usage, token class, unit). Prompt tokens hold cached ones and nothing tells them apart, so they are
a kind of their own and of no class; reasoning tokens are part of the output; what is paid to a provider with an own
key is on that provider's bill."""

COST_COLUMNS: dict[str, str] = {
    "account_id": "billing_account_id",
    "day_start": "charge_period_start",
    "day_end": "charge_period_end",
    "model_permaslug": "sku_meter",
    "endpoint_id": "resource_id",
    "provider_name": "host_provider_name",
    "usage": "billed_cost",
}
"""Field of a kept cost line → column of `charges`, where it is taken over as it is."""

COST_FIELDS = FIELDS - COST_COLUMNS.keys()
"""Fields of a cost line that are used, or mean nothing, besides COST_COLUMNS."""
