"""The rule by which a request finds its price: the reference that the SQL models are tested against.

What belongs here: pure functions on price rows. What must not: reading price books, resolving raw
model names, SQL.

Rule, in order:
1. A row fits a request when provider, model, token class, service tier (and region, if the row names one) are
   equal, its [valid_from, valid_to) and time of day hold the request's start, and its `context_min_tokens` is
   not above the request's total input tokens.
2. What the user states (own prices, then contracts) is known from its publication on; one that is wrong from
   the start (a correction) also applies to requests before it.
3. Of what is published as a list (vendors' price lists, then the shipped book) the newest list published at or
   before the request holds, the oldest if none: among the lists that state that model, tier, class and region
   at all. A row of a later list that is wrong from the start restates it.
4. The kind of statement decides first (`price_rank`); within it a row for the request's region before one for
   any, then the newest publication, then the largest `context_min_tokens`: crossing a tier re-prices the whole
   request.
No row is no price: the caller shows NULL and a reason, never zero and never another tier's price.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

TOKENS_PER_PRICE = Decimal(1_000_000)
MONEY_DIGITS = Decimal("0.000000000001")


@dataclass(frozen=True)
class PriceRow:
    """One row of `staging.prices`; times are UTC without zone, None is unbounded or any."""

    price_id: str
    snapshot_id: str
    published_at: datetime
    valid_from: datetime | None
    valid_to: datetime | None
    provider: str
    model: str
    token_class: str
    service_tier: str
    context_min_tokens: int
    region_id: str | None
    time_of_day_start: str | None
    time_of_day_end: str | None
    price_per_mtok: Decimal
    currency: str
    price_rank: int
    is_override: bool
    is_wrong_from_start: bool
    price_source: str


@dataclass(frozen=True)
class PricedUse:
    """What a price is asked for: a token class of one request."""

    started_at: datetime
    provider: str
    model: str
    token_class: str
    service_tier: str
    total_input_tokens: int
    region_id: str | None = None


STATED_RANKS = frozenset({1, 2})
"""Ranks of what the user states: one row is known by itself. The others are lists, known as a whole."""


def find_price(rows: Iterable[PriceRow], use: PricedUse) -> PriceRow | None:
    """The one row that prices this use, or None when nothing states a price for it."""
    of_use = [
        row
        for row in rows
        if (row.provider, row.model, row.token_class, row.service_tier)
        == (use.provider, use.model, use.token_class, use.service_tier)
    ]
    eligible = [row for row in of_use if _fits(row, use) and _is_eligible(row, of_use, use.started_at)]
    return min(eligible, key=_order, default=None)


def build_list_cost(tokens: int, price_per_mtok: Decimal, *parts: tuple[int, Decimal]) -> Decimal:
    """Tokens at a price per million tokens, rounded half up at 12 digits, in the price's currency.

    `parts` are tokens of another kind within the class (audio, images) at their own price.
    """
    value = price_per_mtok * (tokens - sum(count for count, _ in parts))
    value += sum((count * price for count, price in parts), Decimal(0))
    return (value / TOKENS_PER_PRICE).quantize(MONEY_DIGITS, rounding=ROUND_HALF_UP)


def _fits(row: PriceRow, use: PricedUse) -> bool:
    time_of_day = use.started_at.strftime("%H:%M")
    return (
        row.token_class == use.token_class
        and row.service_tier == use.service_tier
        and (row.region_id is None or row.region_id == use.region_id)
        and (row.valid_from is None or row.valid_from <= use.started_at)
        and (row.valid_to is None or use.started_at < row.valid_to)
        and (row.time_of_day_start is None or row.time_of_day_start <= time_of_day)
        and (row.time_of_day_end is None or time_of_day < row.time_of_day_end)
        and row.context_min_tokens <= use.total_input_tokens
    )


def _is_eligible(row: PriceRow, of_use: Sequence[PriceRow], started_at: datetime) -> bool:
    if row.price_rank in STATED_RANKS:
        return row.is_wrong_from_start or row.published_at <= started_at
    lists = {
        other.published_at
        for other in of_use
        if (other.price_rank, other.region_id) == (row.price_rank, row.region_id)
    }
    known = [moment for moment in lists if moment <= started_at]
    newest = max(known) if known else min(lists)
    return row.published_at == newest or (row.is_wrong_from_start and row.published_at > started_at)


def _order(row: PriceRow) -> tuple[int, bool, float, int, str]:
    published = (row.published_at - datetime(1970, 1, 1)).total_seconds()
    return (row.price_rank, row.region_id is None, -published, -row.context_min_tokens, row.price_id)
