"""The rule by which a request finds its price: the reference that the SQL models are tested against.

What belongs here: pure functions on price rows. What must not: reading price books, resolving raw
model names, SQL.

Rule, in order:
1. A row fits a request when provider, model, token class, service tier (and region, if the row names one) are
   equal, its [valid_from, valid_to) and time of day hold the request's start, and its `context_min_tokens` is
   not above the request's total input tokens.
2. Overrides that fit win: the newest published at or before the request; one that is wrong from the start (a
   correction) also applies to requests before its publication.
3. Else the newest snapshot published at or before the request; for a model that no such snapshot knows, the
   oldest one that does. A row of a later snapshot that is wrong from the start restates it.
4. Within what remains, a row for the request's region before one for any, then the largest
   `context_min_tokens`: crossing a tier re-prices the whole request.
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


def find_price(rows: Iterable[PriceRow], use: PricedUse) -> PriceRow | None:
    """The one row that prices this use, or None when the book states no price for it."""
    rows_of_model = [row for row in rows if row.provider == use.provider and row.model == use.model]
    fitting = [row for row in rows_of_model if _fits(row, use)]
    overrides = [row for row in fitting if row.is_override and _is_known(row, use)]
    if overrides:
        newest = max(row.published_at for row in overrides)
        return _most_specific([row for row in overrides if row.published_at == newest])
    snapshot_at = _published_of_snapshot(
        [row for row in rows_of_model if not row.is_override], use.started_at
    )
    if snapshot_at is None:
        return None
    book = [row for row in fitting if not row.is_override]
    corrected_at = max((r.published_at for r in book if r.is_wrong_from_start), default=snapshot_at)
    if corrected_at > snapshot_at:
        return _most_specific([r for r in book if r.published_at == corrected_at and r.is_wrong_from_start])
    return _most_specific([row for row in book if row.published_at == snapshot_at])


def build_list_cost(tokens: int, price_per_mtok: Decimal) -> Decimal:
    """Tokens at a price per million tokens, rounded half up at 12 digits, in the price's currency."""
    return (price_per_mtok * tokens / TOKENS_PER_PRICE).quantize(MONEY_DIGITS, rounding=ROUND_HALF_UP)


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


def _is_known(row: PriceRow, use: PricedUse) -> bool:
    return row.is_wrong_from_start or row.published_at <= use.started_at


def _published_of_snapshot(rows: Sequence[PriceRow], started_at: datetime) -> datetime | None:
    published = {row.published_at for row in rows}
    known = [moment for moment in published if moment <= started_at]
    return max(known) if known else min(published, default=None)


def _most_specific(rows: Sequence[PriceRow]) -> PriceRow | None:
    return max(
        rows,
        key=lambda row: (row.region_id is not None, row.context_min_tokens, row.price_id),
        default=None,
    )
