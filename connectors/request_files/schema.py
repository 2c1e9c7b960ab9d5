"""Which columns of `requests` a plain file may fill, and how their text is read.

What belongs here: the columns that a mapping may name, and what values mean. What must not: reading files.
"""

from __future__ import annotations

from connectors.common.datasets import ATTRIBUTION_KEYS
from connectors.common.token_usage import REPORTED_COUNTS

TIME_COLUMNS = ("started_at", "ended_at")
TEXT_COLUMNS = (
    "provider_request_id",
    "call_id",
    "logical_call_id",
    "trace_id",
    "span_id",
    "parent_span_id",
    "emitter_kind",
    "provider",
    "sub_account_id",
    "region_id",
    "request_model",
    "model",
    "service_tier",
    "status",
    "error_type",
    *ATTRIBUTION_KEYS,
    "session_id",
    "api_key_id",
    "principal_id",
    "usage_source",
    "reported_cost_currency",
    "from_zone",
    "to_zone",
    "replica_id",
)
COUNT_COLUMNS = (
    "attempt_number",
    "web_search_count",
    "saved_input_tokens",
    "saved_output_tokens",
    "request_bytes",
    "response_bytes",
)
DURATION_COLUMN = "duration_seconds"
SECONDS_COLUMNS = ("time_to_first_token_seconds", "prefill_seconds", "decode_seconds")
COST_COLUMN = "reported_cost"

USAGE_COLUMN = "usage"
"""The provider's own usage object: JSON in a text, an object in JSON lines, a struct or map in Parquet."""

ESTIMATED_COLUMNS = {"estimated_input_tokens": "input_tokens", "estimated_output_tokens": "output_tokens"}
"""Counts of somebody's own tokenizer: taken only where nothing was reported, an explicit 0 included."""

CANONICAL_COLUMNS = (
    *TIME_COLUMNS,
    DURATION_COLUMN,
    *TEXT_COLUMNS,
    *REPORTED_COUNTS,
    *ESTIMATED_COLUMNS,
    USAGE_COLUMN,
    *COUNT_COLUMNS,
    *SECONDS_COLUMNS,
    COST_COLUMN,
)
"""What the keys of `columns` may be."""

_IDS = ("provider_request_id", "call_id", "logical_call_id", "trace_id", "span_id", "parent_span_id")

CONSTANT_COLUMNS = tuple(name for name in TEXT_COLUMNS if name not in _IDS)
"""What the keys of `constants` may be: a value that is the same for all calls of a source."""

ALWAYS_WRITTEN = ("started_at", "input_tokens", "uncached_input_tokens", "output_tokens")
"""Mapped columns that JSON lines must hold somewhere in the file; others may be left out where null."""

STATUS_WORDS = {
    **dict.fromkeys(("ok", "success", "succeeded", "successful", "completed", "true", "200"), "ok"),
    **dict.fromkeys(("aborted", "cancelled", "canceled", "client_disconnected", "499"), "aborted"),
}
"""Status texts of gateways → ours; any other text is an error."""

EMITTER_KINDS = ("file", "gateway", "provider_log", "span")
USAGE_SOURCES = ("reported", "estimated", "none")

EPOCH_DIGITS = {10: 1_000_000, 13: 1_000, 16: 1}
"""Digits of a Unix time between 2001 and 2286 → microseconds in its unit (s, ms, µs)."""
NANOSECOND_DIGITS = 19
