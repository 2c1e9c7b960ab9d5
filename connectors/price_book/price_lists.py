"""Price lists of clouds, saved as delivered → price rows with their region.

What belongs here: which files, names of models, what was not understood. What must not: a vendor's format
(aws_price_list, azure_retail_prices).
"""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from connectors.common.contract import TerminalError
from connectors.price_book.aws_price_list import read_aws_price_list
from connectors.price_book.azure_retail_prices import read_azure_retail_prices
from connectors.price_book.listed_price import ListedPrice, PriceListContent
from connectors.price_book.schema import LIST_RANK, normalise_alias, round_rate, with_price_id
from connectors.price_book.settings import PriceListFile

ALIASES_FILE = "model_aliases.csv"
Reader = Callable[[bytes, PriceListFile], PriceListContent]
_READERS: Mapping[str, tuple[str, Reader]] = {
    "aws_price_list": ("aws", read_aws_price_list),
    "azure_retail_prices": ("azure", read_azure_retail_prices),
}
"""Format → provider whose model names it uses, and what reads it."""


@dataclass
class PriceLists:
    """Rows of all files, and per file what was not understood: reason and meter → how many rows."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    unread: dict[Path, Counter[tuple[str, str]]] = field(default_factory=dict)

    def summaries(self) -> Iterator[tuple[Path, str, str, int]]:
        """(file, reason, first meter by name, how many rows) of what was not read."""
        for path, counted in self.unread.items():
            for reason in sorted({reason for reason, _ in counted}):
                meters = sorted(meter for stated, meter in counted if stated == reason)
                yield path, reason, meters[0], sum(counted[reason, meter] for meter in meters)


def read_price_lists(
    files: Sequence[PriceListFile], reference: Path, own_aliases: Mapping[tuple[str, str], str]
) -> PriceLists:
    """Every price that the files state of a model whose name the aliases below `reference` or the user's know.

    Raises TerminalError for a file that is absent, or no price list of its format.
    """
    found = PriceLists()
    aliases = {**_read_aliases(reference / ALIASES_FILE), **own_aliases} if files else {}
    for file in files:
        provider, reader = _READERS[file.format]
        try:
            content = file.path.read_bytes()
        except OSError as error:
            raise TerminalError(
                f"prices.files: {file.path} cannot be read ({error.strerror}); download it again, or take it "
                "out of the config"
            ) from error
        listed = reader(content, file)
        unread = Counter(listed.unread)
        found.rows.extend(
            _build_rows(listed, file, provider, aliases, hashlib.sha256(content).hexdigest(), unread)
        )
        found.unread[file.path] = unread
    return found


def _read_aliases(path: Path) -> dict[tuple[str, str], str]:
    with path.open(encoding="utf-8", newline="") as stream:
        return {(row["provider"], row["alias"]): row["model"] for row in csv.DictReader(stream)}


def _build_rows(
    listed: PriceListContent,
    file: PriceListFile,
    provider: str,
    aliases: Mapping[tuple[str, str], str],
    digest: str,
    unread: Counter[tuple[str, str]],
) -> Iterator[dict[str, Any]]:
    published_at = file.published_at or _midnight(listed.published_at)
    seen: dict[tuple[Any, ...], Decimal] = {}
    for price in listed.prices:
        model = aliases.get((provider, normalise_alias(price.model_name)))
        key = (model, price.token_class, price.service_tier, price.region_id)
        key += (price.context_min_tokens, price.valid_from)
        if model is None:
            unread["no known model", price.meter] += 1
        elif key not in seen:
            seen[key] = price.price_per_mtok
            yield _build_row(price, model, provider, published_at, digest, file.path.name)
        elif seen[key] != price.price_per_mtok:
            unread["a second price of the same", price.meter] += 1


def _build_row(
    price: ListedPrice, model: str, provider: str, published_at: datetime, digest: str, name: str
) -> dict[str, Any]:
    return with_price_id(
        {
            "snapshot_id": digest,
            "published_at": published_at,
            "valid_from": price.valid_from,
            "valid_to": None,
            "provider": provider,
            "model": model,
            "token_class": price.token_class,
            "service_tier": price.service_tier,
            "context_min_tokens": price.context_min_tokens,
            "region_id": price.region_id,
            "time_of_day_start": None,
            "time_of_day_end": None,
            "price_per_mtok": round_rate(price.price_per_mtok),
            "currency": price.currency,
            "price_rank": LIST_RANK,
            "is_override": False,
            "is_wrong_from_start": False,
            "price_source": f"{name} {price.meter}",
        }
    )


def _midnight(moment: datetime) -> datetime:
    """Lists hold from the UTC day of their publication: no day is cut by a download."""
    return datetime.combine(moment.date(), time())
