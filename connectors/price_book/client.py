"""Reads the checked-in price book snapshots and the user's overrides as canonical price rows.

What belongs here: files → `prices` in the lake's schema. What must not: choosing the price of a request.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from connectors.common.contract import TerminalError
from connectors.common.datasets import PRICES, TOKEN_CLASSES
from connectors.price_book.schema import (
    FALLBACK_CLASSES,
    KEY_COLUMNS,
    PRICE_COLUMNS,
    PRICE_KEYS,
    PRICES_FILE,
    SNAPSHOT_FILE,
)
from connectors.price_book.settings import PriceOverride, Settings

EPOCH = datetime(1970, 1, 1)
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


def read_price_book(settings: Settings, as_of: datetime | None = None) -> pa.Table:
    """Every price row of every snapshot below `settings.path`, and the overrides, in the schema of `prices`.

    With `as_of` (UTC, naive) only what was published by then is read. Raises TerminalError when there is no
    snapshot, or when a snapshot's files are damaged.
    """
    folders = sorted(path.parent for path in settings.path.glob(f"*/{SNAPSHOT_FILE}"))
    if not folders:
        raise TerminalError(
            f"No price book snapshot in {settings.path}: expected <date>/{SNAPSHOT_FILE}; restore the folder "
            "from the repository or build one with `python -m connectors.price_book.build`"
        )
    rows = [row for folder in folders for row in _read_snapshot(folder)]
    rows.extend(build_override_rows(settings.overrides))
    if as_of is not None:
        rows = [row for row in rows if row["published_at"] <= as_of]
    columns = [pa.array([row[field.name] for row in rows], type=field.type) for field in PRICES.schema]
    return pa.Table.from_arrays(columns, schema=PRICES.schema)


def build_override_rows(overrides: Iterable[PriceOverride]) -> list[dict[str, Any]]:
    """Override rows in the schema of `prices`; their snapshot is the digest of the override itself."""
    return [_build_override_row(override) for override in overrides]


def _build_override_row(override: PriceOverride) -> dict[str, Any]:
    published_at = override.published_at or override.valid_from or EPOCH
    content = override.model_dump_json()
    return _with_price_id(
        {
            "snapshot_id": hashlib.sha256(content.encode()).hexdigest(),
            "published_at": published_at,
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
            "is_override": True,
            "is_wrong_from_start": override.wrong_from_start,
            "price_source": "config",
        }
    )


def _read_snapshot(folder: Path) -> Iterator[dict[str, Any]]:
    try:
        snapshot = json.loads((folder / SNAPSHOT_FILE).read_text(encoding="utf-8"))
        content = (folder / PRICES_FILE).read_bytes()
    except (OSError, ValueError) as error:
        raise TerminalError(
            f"Price book {folder.name} cannot be read ({error}); restore it from the repository"
        ) from error
    if hashlib.sha256(content).hexdigest() != snapshot["snapshot_id"]:
        raise TerminalError(
            f"Price book {folder.name}: {PRICES_FILE} does not have the digest that {SNAPSHOT_FILE} states; "
            "snapshots are never edited: restore the file, state own prices under `prices.overrides`"
        )
    lines = csv.DictReader(content.decode("utf-8").splitlines())
    expected = (*KEY_COLUMNS, *PRICE_COLUMNS)
    if tuple(lines.fieldnames or ()) != expected:
        raise TerminalError(
            f"Price book {folder.name}: {PRICES_FILE} has columns {lines.fieldnames}, not {expected}"
        )
    for line in lines:
        yield from _build_rows(line, snapshot)


def _build_rows(line: Mapping[str, str], snapshot: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    validity = {key: _read_instant(line[key]) for key in ("valid_from", "valid_to")}
    published_at = datetime.fromisoformat(snapshot["published_at"])
    for token_class in TOKEN_CLASSES:
        stated = next(
            (name for name in (token_class, *FALLBACK_CLASSES.get(token_class, ())) if line[name]), None
        )
        if stated is None:
            continue
        yield _with_price_id(
            {
                "snapshot_id": snapshot["snapshot_id"],
                "published_at": published_at,
                **validity,
                "provider": line["provider"],
                "model": line["model"],
                "token_class": token_class,
                "service_tier": line["service_tier"],
                "context_min_tokens": int(line["context_min_tokens"]),
                "region_id": None,
                "time_of_day_start": line["time_of_day_start"] or None,
                "time_of_day_end": line["time_of_day_end"] or None,
                "price_per_mtok": Decimal(line[stated]),
                "currency": snapshot["currency"],
                "is_override": False,
                "is_wrong_from_start": False,
                "price_source": f"{snapshot['source']} {PRICE_KEYS[stated]}",
            }
        )


def _read_instant(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _with_price_id(row: dict[str, Any]) -> dict[str, Any]:
    return {"price_id": _digest([row[column] for column in PRICE_KEY_COLUMNS]), **row}


def _digest(values: Sequence[object]) -> str:
    text = "\x1f".join("\x1e" if value is None else str(value) for value in values)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
