"""What tests of request logs share: the rows that landed, and whether a text is anywhere in a lake.

What belongs here: reading what a landing left behind. What must not: records of any vendor.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from connectors.common.contract import LandingContext, SourceReport
from connectors.common.identity import Identity

CANARY = "the-secret-recipe-of-my-grandmother"
IDENTITY = Identity(key=b"a key for tests")


def build_context(root: Path, now: Any, **more: Any) -> LandingContext:
    """A context whose lake lies below `root`."""
    return LandingContext(root / "lake", now, IDENTITY, {}, **more)


def read_rows(
    report: SourceReport, dataset: str = "requests", by: tuple[str, ...] = ("request_id",)
) -> list[dict[str, Any]]:
    """Return the current rows of a dataset."""
    files = [file.path for file in report.current_files if file.dataset == dataset]
    frames = [pl.read_parquet(path, hive_partitioning=False) for path in files]
    return pl.concat(frames).sort(*by).to_dicts() if frames else []


def kinds(report: SourceReport) -> dict[str, int]:
    """Return how many of each kind of finding there are."""
    found: dict[str, int] = {}
    for finding in report.findings:
        found[finding.kind] = found.get(finding.kind, 0) + finding.count
    return found


def find_text(root: Path, text: str = CANARY) -> list[str]:
    """Return the files below `root` that hold a text: as bytes, unpacked, or as a value of a Parquet file."""
    needle = text.encode()
    found = []
    files = [path for path in sorted(root.rglob("*")) if path.is_file()]
    assert files, f"nothing lies below {root}: the search would prove nothing"
    for path in files:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content += gzip.decompress(content)
        if content[:4] == b"PAR1":
            content += str(pq.read_table(path, partitioning=None).to_pylist()).encode()
        if needle in content or text in str(path):
            found.append(str(path.relative_to(root)))
    return found
