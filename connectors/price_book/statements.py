"""What a user says about prices → price rows: own prices, and contracts that take a percentage off.

What belongs here: settings → rows that stand above the books'. What must not: reading files.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from connectors.price_book.schema import CONTRACT_RANK, OVERRIDE_RANK, round_rate, with_price_id
from connectors.price_book.settings import PriceContract, PriceOverride

EPOCH = datetime(1970, 1, 1)
HUNDRED = Decimal(100)
UNIT_COLUMNS = ("provider", "model", "service_tier", "token_class", "region_id", "price_rank")


def build_override_rows(overrides: Iterable[PriceOverride]) -> list[dict[str, Any]]:
    """Override rows in the columns of `prices`; their snapshot is the digest of the override itself."""
    return [_build_override_row(override) for override in overrides]


def _build_override_row(override: PriceOverride) -> dict[str, Any]:
    content = override.model_dump_json()
    return with_price_id(
        {
            "snapshot_id": hashlib.sha256(content.encode()).hexdigest(),
            "published_at": override.published_at or override.valid_from or EPOCH,
            "valid_from": override.valid_from,
            "valid_to": override.valid_to,
            "provider": override.provider,
            "model": override.model,
            "token_class": override.token_class,
            "service_tier": override.service_tier,
            "context_min_tokens": override.context_min_tokens,
            "region_id": override.region_id,
            "time_of_day_start": None,
            "time_of_day_end": None,
            "price_per_mtok": override.price_per_mtok,
            "currency": override.currency,
            "price_rank": OVERRIDE_RANK,
            "is_override": True,
            "is_wrong_from_start": override.wrong_from_start,
            "price_source": "config",
        }
    )


def build_contract_rows(
    contracts: Sequence[PriceContract], listed: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The listed prices that a contract covers, less its percentage, valid while both are.

    Of the lists published before the contract only the newest of a model counts: what a later list changes,
    the contracted price follows from that list's publication on.
    """
    return [row for contract in contracts for row in _build_rows(contract, listed)]


def _build_rows(contract: PriceContract, listed: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    agreed_at = contract.published_at or contract.valid_from or EPOCH
    units: dict[tuple[Any, ...], list[Mapping[str, Any]]] = defaultdict(list)
    for row in listed:
        if _covers(contract, row):
            units[tuple(row[name] for name in UNIT_COLUMNS)].append(row)
    for rows in units.values():
        published = sorted({row["published_at"] for row in rows})
        base = max((moment for moment in published if moment <= agreed_at), default=published[0])
        for row in rows:
            if row["published_at"] >= base:
                known_at = agreed_at if row["published_at"] == base else row["published_at"]
                yield from _discounted(contract, row, known_at)


def _covers(contract: PriceContract, row: Mapping[str, Any]) -> bool:
    return (
        row["provider"] == contract.provider
        and contract.model in (None, row["model"])
        and contract.service_tier in (None, row["service_tier"])
        and contract.token_class in (None, row["token_class"])
    )


def _discounted(
    contract: PriceContract, row: Mapping[str, Any], known_at: datetime
) -> Iterator[dict[str, Any]]:
    valid_from = max((m for m in (contract.valid_from, row["valid_from"]) if m is not None), default=None)
    valid_to = min((m for m in (contract.valid_to, row["valid_to"]) if m is not None), default=None)
    if valid_from is not None and valid_to is not None and valid_from >= valid_to:
        return
    price = round_rate(row["price_per_mtok"] * (HUNDRED - contract.discount_pct) / HUNDRED)
    yield with_price_id(
        {
            **{name: value for name, value in row.items() if name != "price_id"},
            "snapshot_id": hashlib.sha256(
                f"{row['snapshot_id']} {contract.model_dump_json()}".encode()
            ).hexdigest(),
            "published_at": known_at,
            "valid_from": valid_from,
            "valid_to": valid_to,
            "price_per_mtok": price,
            "price_rank": CONTRACT_RANK,
            "is_override": True,
            "is_wrong_from_start": contract.wrong_from_start,
            "price_source": f"contract {contract.name}: {contract.discount_pct} % off {row['price_source']}",
        }
    )
