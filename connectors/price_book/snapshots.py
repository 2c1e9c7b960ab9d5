"""Reads the checked-in price book snapshots: one row a price of a token class.

What belongs here: snapshot folder → rows, and the refusal of a damaged one. What must not: what a user says
about prices (statements), files of vendors (price_lists), choosing the price of a request.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from connectors.common.contract import TerminalError
from connectors.common.datasets import TOKEN_CLASSES
from connectors.price_book.schema import (
    BOOK_RANK,
    FALLBACK_CLASSES,
    HOUR_WRITE,
    HOUR_WRITE_RATIO,
    KEY_COLUMNS,
    MODALITY_CLASSES,
    PRICE_COLUMNS,
    PRICE_KEYS,
    PRICES_FILE,
    SNAPSHOT_FILE,
    with_price_id,
)

PriceRow = dict[str, Any]


def read_snapshots(path: Path) -> list[PriceRow]:
    """Every price row of every snapshot below `path`, in the columns of `prices`.

    Raises TerminalError when there is no snapshot, or when a snapshot's files are damaged.
    """
    folders = sorted(found.parent for found in path.glob(f"*/{SNAPSHOT_FILE}"))
    if not folders:
        raise TerminalError(
            f"No price book snapshot in {path}: expected <date>/{SNAPSHOT_FILE}; restore the folder "
            "from the repository or build one with `python -m connectors.price_book.build`"
        )
    return [row for folder in folders for row in _read_folder(folder)]


def _read_folder(folder: Path) -> tuple[PriceRow, ...]:
    try:
        stated = (folder / SNAPSHOT_FILE).read_bytes()
        packed = (folder / PRICES_FILE).read_bytes()
    except OSError as error:
        raise TerminalError(
            f"Price book {folder.name} cannot be read ({error}); restore it from the repository"
        ) from error
    return _parse_snapshot(folder.name, stated, packed)


@cache
def _parse_snapshot(name: str, stated: bytes, packed: bytes) -> tuple[PriceRow, ...]:
    """The rows of a snapshot by its bytes: a process reads each only once."""
    try:
        snapshot = json.loads(stated)
        content = gzip.decompress(packed)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise TerminalError(
            f"Price book {name} cannot be read ({error}); restore it from the repository"
        ) from error
    if hashlib.sha256(content).hexdigest() != snapshot["snapshot_id"]:
        raise TerminalError(
            f"Price book {name}: {PRICES_FILE} does not have the digest that {SNAPSHOT_FILE} states; "
            "snapshots are never edited: restore the file, state own prices under `prices.overrides`"
        )
    lines = csv.DictReader(content.decode("utf-8").splitlines())
    expected = (*KEY_COLUMNS, *PRICE_COLUMNS)
    if tuple(lines.fieldnames or ()) != expected:
        raise TerminalError(
            f"Price book {name}: {PRICES_FILE} has columns {lines.fieldnames}, not {expected}"
        )
    return tuple(row for line in lines for row in _build_rows(line, snapshot))


def _build_rows(line: Mapping[str, str], snapshot: Mapping[str, Any]) -> Iterator[PriceRow]:
    is_apart = any(line[name] for name in MODALITY_CLASSES)
    derived = HOUR_WRITE if _is_hour_write_derived(line) else None
    for token_class in PRICE_COLUMNS if is_apart else TOKEN_CLASSES:
        if token_class == derived:
            yield _build_row(line, snapshot, token_class, "uncached_input_tokens", HOUR_WRITE_RATIO)
            continue
        stated = next(
            (name for name in (token_class, *FALLBACK_CLASSES.get(token_class, ())) if line[name]), None
        )
        if stated is not None:
            yield _build_row(line, snapshot, token_class, stated)


def _is_hour_write_derived(line: Mapping[str, str]) -> bool:
    is_stated = bool(line[HOUR_WRITE])
    has_caches = bool(line["cache_write_5m_tokens"] and line["uncached_input_tokens"])
    return not is_stated and has_caches and "claude" in line["model"]


def _build_row(
    line: Mapping[str, str], snapshot: Mapping[str, Any], token_class: str, stated: str, times: int = 1
) -> PriceRow:
    return with_price_id(
        {
            "snapshot_id": snapshot["snapshot_id"],
            "published_at": datetime.fromisoformat(snapshot["published_at"]),
            "valid_from": _read_instant(line["valid_from"]),
            "valid_to": _read_instant(line["valid_to"]),
            "provider": line["provider"],
            "model": line["model"],
            "token_class": token_class,
            "service_tier": line["service_tier"],
            "context_min_tokens": int(line["context_min_tokens"]),
            "region_id": None,
            "time_of_day_start": line["time_of_day_start"] or None,
            "time_of_day_end": line["time_of_day_end"] or None,
            "price_per_mtok": Decimal(line[stated]) * times,
            "currency": snapshot["currency"],
            "price_rank": BOOK_RANK,
            "is_override": False,
            "is_wrong_from_start": False,
            "price_source": f"{snapshot['source']} {PRICE_KEYS[stated]}"
            + (f" x {times}" if times > 1 else ""),
        }
    )


def _read_instant(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
