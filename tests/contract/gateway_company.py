"""A lake that gateway files land in, and how tests look at it.

What belongs here: delivering files, landing, reading rows. What must not: a gateway's records.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import polars as pl

from connectors.common.contract import LandingContext, SourceReport
from connectors.common.identity import Identity
from connectors.common.registry import load_settings_class

NOW = datetime(2026, 11, 20, 6, 0)
IDENTITY = Identity(key=b"a key for tests")


class GatewayCompany:
    """One folder of a gateway's files and the lake that it lands in."""

    def __init__(self, root: Path, connector: str) -> None:
        self.root = root
        self.folder = root / "export"
        self.folder.mkdir()
        self.lake = root / "lake"
        self.connector = connector
        self.options: dict[str, Any] = {"path": str(self.folder)}

    def deliver(self, name: str, content: bytes | Iterable[Mapping[str, Any]], hours_ago: float = 24) -> Path:
        """Write a file, records as JSON lines, packed when the name says so."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not isinstance(content, bytes):
            content = "".join(f"{json.dumps(record)}\n" for record in content).encode()
            content = gzip.compress(content) if name.endswith(".gz") else content
        path.write_bytes(content)
        moment = (NOW - timedelta(hours=hours_ago)).timestamp()
        os.utime(path, (moment, moment))
        return path

    def land(self, now: datetime = NOW) -> SourceReport:
        """Land the folder, or what `options` say."""
        config = {"name": "gateway", "connector": self.connector} | self.options
        settings = load_settings_class(self.connector).model_validate(config)
        client = import_module(f"connectors.{self.connector}.client")
        return client.land(settings, LandingContext(self.lake, now, IDENTITY, {}))


def read_rows(report: SourceReport, dataset: str = "requests") -> list[dict[str, Any]]:
    """Return the current rows of a dataset, by time and id."""
    files = [file.path for file in report.current_files if file.dataset == dataset]
    order = ["request_id", "span_id"] if dataset == "requests" else ["span_id"]
    frames = [pl.read_parquet(path) for path in files]
    return pl.concat(frames).sort("started_at", *order).to_dicts() if frames else []


def count_kinds(report: SourceReport) -> dict[str, int]:
    """Return kind of finding → how many rows or files it concerns."""
    return {finding.kind: finding.count for finding in report.findings}


def classes(row: Mapping[str, Any]) -> tuple[int | None, ...]:
    """Return the five token classes of a row."""
    names = (
        "uncached_input_tokens",
        "cache_read_tokens",
        "cache_write_5m_tokens",
        "cache_write_1h_tokens",
        "output_tokens",
    )
    return tuple(row[name] for name in names)


def strip(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return rows without what names their snapshot."""
    return [{name: value for name, value in row.items() if name != "x_snapshot_id"} for row in rows]
