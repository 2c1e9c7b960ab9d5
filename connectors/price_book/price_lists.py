"""Price lists of clouds, saved as delivered → price rows with their region.

What belongs here: which files, what was not understood. What must not: a vendor's format.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connectors.price_book.settings import PriceListFile


@dataclass
class PriceLists:
    """Rows of all files, and per file the meters that were not understood."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    unread: dict[str, list[str]] = field(default_factory=dict)


def read_price_lists(files: Sequence[PriceListFile], reference: Path) -> PriceLists:
    """Every price that the files state of a model the aliases below `reference` know."""
    return PriceLists()
