"""Where a generation record keeps what is taken, and what nothing else ever leaves it.

What belongs here: field names. What must not: reading files.

Source: GenerationResponseData of OpenRouter's OpenAPI document (GET /generation). `native_tokens_*` are the provider's
own counts, which are billed; the prompt holds cached tokens, the completion the reasoning.
"""

from __future__ import annotations

SCHEMA_VERSION = 1
PROVIDER = "openrouter"
CURRENCY = "USD"

COUNTS = {
    "native_tokens_prompt": ("prompt_tokens",),
    "native_tokens_completion": ("completion_tokens",),
    "native_tokens_cached": ("prompt_tokens_details", "cached_tokens"),
    "native_tokens_reasoning": ("completion_tokens_details", "reasoning_tokens"),
}
"""Count of a record → where a response's usage object holds it."""

FAILED_REASONS = frozenset({"error", "content_filter_error"})
