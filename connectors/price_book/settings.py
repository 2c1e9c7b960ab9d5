"""What a user can say about prices: where the snapshots are, and own prices that override them.

What belongs here: validated configuration of the price book. What must not: reading files.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from connectors.price_book.schema import round_rate


def _as_naive_utc(moment: datetime) -> datetime:
    """The same instant without zone; a time that states no offset is UTC."""
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


Instant = Annotated[datetime, AfterValidator(_as_naive_utc)]
TokenClass = Literal[
    "uncached_input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
]
PriceListFormat = Literal["aws_price_list", "azure_retail_prices"]


class PriceOverride(BaseModel):
    """One price of the user's own: a negotiated rate, a model that no book knows, or a correction.

    It applies to requests in [valid_from, valid_to) that were made at or after `published_at` (default:
    `valid_from`, else always), or to all requests in that interval if `wrong_from_start` says that the
    price used until now was wrong.
    """

    model_config = ConfigDict(extra="forbid")

    provider: str
    model: str
    token_class: TokenClass
    price_per_mtok: Annotated[Decimal, Field(ge=0, lt=1_000_000), AfterValidator(round_rate)]
    currency: Annotated[str, Field(min_length=3, max_length=3)] = "USD"
    service_tier: str = "standard"
    context_min_tokens: Annotated[int, Field(ge=0)] = 0
    region_id: str | None = None
    valid_from: Instant | None = None
    valid_to: Instant | None = None
    published_at: Instant | None = None
    wrong_from_start: bool = False

    @model_validator(mode="after")
    def _check_interval(self) -> PriceOverride:
        if self.valid_from is not None and self.valid_to is not None and self.valid_from >= self.valid_to:
            raise ValueError(
                f"price override of {self.provider} {self.model} {self.token_class}: valid_from "
                f"{self.valid_from} is not before valid_to {self.valid_to} (exclusive); swap or drop one"
            )
        return self


class PriceContract(BaseModel):
    """A percentage that a contract takes off a provider's list, of one model or of all."""

    model_config = ConfigDict(extra="forbid")

    name: str
    provider: str
    model: str | None = None
    token_class: TokenClass | None = None
    service_tier: str | None = None
    discount_pct: Annotated[Decimal, Field(ge=0, le=100)]
    valid_from: Instant | None = None
    valid_to: Instant | None = None
    published_at: Instant | None = None
    wrong_from_start: bool = False


class PriceListFile(BaseModel):
    """A price list of a cloud, saved as it was delivered."""

    model_config = ConfigDict(extra="forbid")

    path: Path
    format: PriceListFormat
    deployment: Literal["global", "data_zone", "regional"] = "global"
    published_at: Instant | None = None


class Settings(BaseModel):
    """Where the snapshots lie (one folder each, named by its publication date) and what overrides them."""

    model_config = ConfigDict(extra="forbid")

    path: Path
    overrides: tuple[PriceOverride, ...] = ()
    contracts: tuple[PriceContract, ...] = ()
    files: tuple[PriceListFile, ...] = ()
    aliases: Mapping[tuple[str, str], str] = {}
    """The user's own names of models: (provider, normalised alias) → model."""
