"""One price as a vendor's list states it, before its model is known by our name.

What belongs here: the shape that readers of price lists share, and how they read units and times. What must
not: a vendor's words.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation


@dataclass(frozen=True)
class ListedPrice:
    """Price of a million tokens of one class; `meter` is how the list names it."""

    meter: str
    model_name: str
    token_class: str
    service_tier: str
    region_id: str | None
    context_min_tokens: int
    price_per_mtok: Decimal
    currency: str
    valid_from: datetime | None


@dataclass
class PriceListContent:
    """The prices of one file, when it was published, and (reason, meter) → how many rows were not read."""

    published_at: datetime
    prices: list[ListedPrice] = field(default_factory=list)
    unread: Counter[tuple[str, str]] = field(default_factory=Counter)


MULTIPLES = {"": 1, "K": 1_000, "M": 1_000_000, "THOUSAND": 1_000, "MILLION": 1_000_000}
_UNIT = re.compile(
    r"^\s*(?P<count>\d+)?\s*(?P<multiple>K|M|thousand|million)?\b(?:[\w ]*\btokens?\b)?\s*$", re.IGNORECASE
)


def read_unit(text: str) -> int | None:
    """How many tokens a unit such as `1K tokens`, `1M` or `Million Input Tokens` is; None if it says none."""
    match = _UNIT.match(text)
    if match is None or (match["count"] is None and match["multiple"] is None):
        return None
    return int(match["count"] or 1) * MULTIPLES[(match["multiple"] or "").upper()]


def read_price(text: object) -> Decimal | None:
    """A price that is a finite number, not below zero."""
    try:
        price = Decimal(str(text))
    except InvalidOperation:
        return None
    return price if price.is_finite() and price >= 0 else None


def read_moment(text: object) -> datetime | None:
    """An ISO time as naive UTC; a time without offset is UTC."""
    try:
        moment = datetime.fromisoformat(str(text).strip())
    except ValueError:
        return None
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
