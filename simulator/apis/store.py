"""The files behind the APIs: who used what in which minute, what it cost, and since when the vendor knows it.

What belongs here: writing and reading those files, and the part of them that a clock and a window let see. What must
not: how a vendor answers.

The files are private to the simulator: no vendor delivers them, and no pipeline reads them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

FOLDER = "apis"
OPENAI_USAGE = "openai_usage"
OPENAI_COSTS = "openai_costs"
ANTHROPIC_USAGE = "anthropic_usage"
ANTHROPIC_COSTS = "anthropic_costs"
TABLES = (OPENAI_USAGE, OPENAI_COSTS, ANTHROPIC_USAGE, ANTHROPIC_COSTS)
_ORGANIZATIONS = "organizations.json"


class MissingFiles(Exception):
    """A folder holds nothing that the APIs could answer from."""


@dataclass(frozen=True)
class ApiStore:
    """Tables by name, each with `at` (minute of use) and `known_at` (since when the vendor tells of it), by `at`."""

    tables: dict[str, pl.DataFrame]
    organizations: dict[str, Any]
    now: datetime | None = None
    """The vendors' clock; None: all that was simulated has happened."""

    def read(self, table: str, start: datetime, end: datetime) -> pl.DataFrame:
        """Return what was used in [start, end), as far as it has happened and the vendor knows of it."""
        frame = self.tables[table]
        first = frame["at"].search_sorted(start)
        last = frame["at"].search_sorted(end)
        seen = frame.slice(first, max(last - first, 0))
        if self.now is None:
            return seen
        return seen.filter((pl.col("at") < self.now) & (pl.col("known_at") <= self.now))


def write_store(root: Path, tables: dict[str, pl.DataFrame], organizations: dict[str, Any]) -> None:
    """Write the files below `root`/apis; `tables` has every name of TABLES."""
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name in TABLES:
        tables[name].sort("at", maintain_order=True).write_parquet(folder / f"{name}.parquet")
    (folder / _ORGANIZATIONS).write_text(json.dumps(organizations, indent=2) + "\n")


def read_store(root: Path, now: datetime | None = None) -> ApiStore:
    """Read the files below `root`/apis. Raises MissingFiles where a run of the simulator left none."""
    folder = root / FOLDER
    try:
        tables = {name: pl.read_parquet(folder / f"{name}.parquet") for name in TABLES}
        organizations = json.loads((folder / _ORGANIZATIONS).read_text())
    except FileNotFoundError as error:
        raise MissingFiles(
            f"{error.filename} is not there; write the sample first: python -m simulator --out {root}"
        ) from error
    return ApiStore(tables, organizations, now)
