"""The files of a price book snapshot: their names, columns and how they map to the canonical prices.

What belongs here: column names, token class rules and text normalisation. What must not: reading or writing.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal

from connectors.common.datasets import TOKEN_CLASSES

PRICES_FILE = "prices.csv"
LEFT_OUT_FILE = "left_out.csv"
SNAPSHOT_FILE = "snapshot.json"
PATTERNS_FILE = "model_patterns.csv"
CONTEXT_BANDS_FILE = "context_bands.csv"
TIME_BANDS_FILE = "time_of_day_bands.csv"

KEY_COLUMNS = (
    "provider",
    "model",
    "service_tier",
    "valid_from",
    "valid_to",
    "time_of_day_start",
    "time_of_day_end",
    "context_min_tokens",
)
"""What selects a row of `prices.csv`; the others are one price in USD per million tokens a token class."""

PRICE_COLUMNS = TOKEN_CLASSES
PATTERN_COLUMNS = ("provider", "model", "priority", "pattern_1", "pattern_2", "pattern_3")

PRICE_KEYS = {
    "uncached_input_tokens": "input_mtok",
    "cache_read_tokens": "cache_read_mtok",
    "cache_write_5m_tokens": "cache_write_mtok",
    "cache_write_1h_tokens": "cache_write_1h_mtok",
    "output_tokens": "output_mtok",
}
"""Token class → price key of genai-prices that states it."""

FALLBACK_CLASSES = {
    "cache_read_tokens": ("uncached_input_tokens",),
    "cache_write_5m_tokens": ("uncached_input_tokens",),
    "cache_write_1h_tokens": ("cache_write_5m_tokens", "uncached_input_tokens"),
}
"""Where a book states no price for a class, its tokens are billed as the first of these that has one."""

RATE_DIGITS = Decimal("0.000000000001")


def round_rate(price: Decimal) -> Decimal:
    """The price at the 12 digits that rates are kept with, half up (some books carry float noise beyond)."""
    return price.quantize(RATE_DIGITS, rounding=ROUND_HALF_UP)


def normalise_alias(name: str) -> str:
    """The key of a name in `model_aliases`: lower case, every run of `-`, `_`, space or `.` is one `-`."""
    return re.sub(r"[-_ .]+", "-", name.strip().lower())
