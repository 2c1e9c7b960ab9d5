"""All prices of a night: the checked-in books, price lists of vendors, and what the user says.

What belongs here: putting the kinds of price rows together, regional uplifts included. What must not: choosing
the price of a request (tests/price_rule.py states that rule), a vendor's file format (price_lists).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from connectors.common.datasets import PRICES
from connectors.price_book.price_lists import read_price_lists
from connectors.price_book.schema import UPLIFTS_FILE, round_rate, with_price_id
from connectors.price_book.settings import Settings
from connectors.price_book.snapshots import read_snapshots
from connectors.price_book.statements import build_contract_rows, build_override_rows


def read_price_book(settings: Settings, as_of: datetime | None = None) -> pa.Table:
    """Every price row of every snapshot below `settings.path`, price lists, contracts and overrides.

    With `as_of` (UTC, naive) only what was published by then is read, the oldest book if none was. Raises
    TerminalError when there is no snapshot, or when a snapshot or a price list is damaged.
    """
    listed = read_snapshots(settings.path)
    listed.extend(build_uplift_rows(settings.path.parent / UPLIFTS_FILE, listed))
    listed.extend(read_price_lists(settings.files, settings.path.parent, settings.aliases).rows)
    rows = listed + build_contract_rows(settings.contracts, listed) + build_override_rows(settings.overrides)
    if as_of is not None:
        oldest = min(row["published_at"] for row in listed)
        rows = [row for row in rows if row["published_at"] <= max(as_of, oldest)]
    columns = [pa.array([row[field.name] for row in rows], type=field.type) for field in PRICES.schema]
    return pa.Table.from_arrays(columns, schema=PRICES.schema)


def build_uplift_rows(path: Path, listed: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Prices of a region that a vendor states as a multiple of its list, such as data residency."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        uplifts = list(csv.DictReader(stream))
    rows: list[dict[str, Any]] = []
    for uplift in uplifts:
        pattern, factor = re.compile(uplift["model_pattern"]), Decimal(uplift["multiplier"])
        for row in listed:
            if row["provider"] == uplift["provider"] and pattern.search(row["model"]):
                rows.append(_uplifted(row, uplift["region_id"], factor))
    return rows


def _uplifted(row: Mapping[str, Any], region_id: str, factor: Decimal) -> dict[str, Any]:
    changes = {
        "region_id": region_id,
        "price_per_mtok": round_rate(row["price_per_mtok"] * factor),
        "price_source": f"{row['price_source']} × {factor} in {region_id}",
    }
    return with_price_id({**{k: v for k, v in row.items() if k != "price_id"}, **changes})
