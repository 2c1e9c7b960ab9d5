"""The files of a price book snapshot: their names, columns and how they map to the canonical prices.

What belongs here: column names, token class rules and text normalisation. What must not: reading or writing.
"""

from __future__ import annotations

import hashlib
import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from connectors.common.datasets import TOKEN_CLASSES

PRICES_FILE = "prices.csv.gz"
LEFT_OUT_FILE = "left_out.csv"
SNAPSHOT_FILE = "snapshot.json"
PATTERNS_FILE = "model_patterns.csv"
CONTEXT_BANDS_FILE = "context_bands.csv"
UPLIFTS_FILE = "region_uplifts.csv"

OVERRIDE_RANK, CONTRACT_RANK, LIST_RANK, BOOK_RANK = 1, 2, 3, 4
"""Which statement of a price wins: the user's own, a contract, a vendor's price list, the shipped book."""

PRICE_KEY_COLUMNS = (
    "snapshot_id",
    "published_at",
    "provider",
    "model",
    "token_class",
    "service_tier",
    "context_min_tokens",
    "region_id",
    "valid_from",
    "valid_to",
    "time_of_day_start",
    "time_of_day_end",
    "is_override",
)
"""What makes a price row that row: `price_id` is the digest of these."""

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

MODALITY_CLASSES = (
    "uncached_audio_tokens",
    "cache_read_audio_tokens",
    "output_audio_tokens",
    "uncached_image_tokens",
    "cache_read_image_tokens",
    "output_image_tokens",
)
"""Parts of a token class that some models price apart; a book has rows of them only where it does."""

PRICE_COLUMNS = (*TOKEN_CLASSES, *MODALITY_CLASSES)
PATTERN_COLUMNS = ("provider", "model", "priority", "pattern_1", "pattern_2", "pattern_3")

PRICE_KEYS = {
    "uncached_input_tokens": "input_mtok",
    "cache_read_tokens": "cache_read_mtok",
    "cache_write_5m_tokens": "cache_write_mtok",
    "cache_write_1h_tokens": "cache_write_1h_mtok",
    "output_tokens": "output_mtok",
    "uncached_audio_tokens": "input_audio_mtok",
    "cache_read_audio_tokens": "cache_audio_read_mtok",
    "output_audio_tokens": "output_audio_mtok",
    "uncached_image_tokens": "input_image_mtok",
    "cache_read_image_tokens": "cache_image_read_mtok",
    "output_image_tokens": "output_image_mtok",
}
"""Token class → price key of genai-prices that states it."""

FALLBACK_CLASSES = {
    "cache_read_tokens": ("uncached_input_tokens",),
    "cache_write_5m_tokens": ("uncached_input_tokens",),
    "cache_write_1h_tokens": ("cache_write_5m_tokens", "uncached_input_tokens"),
    "uncached_audio_tokens": ("uncached_input_tokens",),
    "cache_read_audio_tokens": ("cache_read_tokens", "uncached_audio_tokens", "uncached_input_tokens"),
    "output_audio_tokens": ("output_tokens",),
    "uncached_image_tokens": ("uncached_input_tokens",),
    "cache_read_image_tokens": ("cache_read_tokens", "uncached_image_tokens", "uncached_input_tokens"),
    "output_image_tokens": ("output_tokens",),
}
"""Where a book states no price for a class, its tokens are billed as the first of these that has one."""

HOUR_WRITE = "cache_write_1h_tokens"
HOUR_WRITE_RATIO = 2
"""What Anthropic asks for a write to a one-hour cache, in prices of its input; older books do not state it.
Every price of such a write that later books state is this one (https://platform.claude.com/docs, "Prompt caching")."""

RATE_DIGITS = Decimal("0.000000000001")


def round_rate(price: Decimal) -> Decimal:
    """The price at the 12 digits that rates are kept with, half up (some books carry float noise beyond)."""
    return price.quantize(RATE_DIGITS, rounding=ROUND_HALF_UP)


def with_price_id(row: dict[str, Any]) -> dict[str, Any]:
    """The row with its `price_id` in front."""
    values = [row[column] for column in PRICE_KEY_COLUMNS]
    text = "\x1f".join("\x1e" if value is None else str(value) for value in values)
    return {"price_id": hashlib.sha256(text.encode()).hexdigest()[:32], **row}


def normalise_alias(name: str) -> str:
    """The key of a name in `model_aliases`: lower case, every run of `-`, `_`, space or `.` is one `-`."""
    return re.sub(r"[-_ .]+", "-", name.strip().lower())
