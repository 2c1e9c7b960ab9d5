"""Letting old snapshots go at the end of a night: what the ledger, releases and reports still need stays.

What belongs here: who needs which files. What must not: the rule itself (`connectors.common.retention`), or removing
files of the warehouse (`pipelines.warehouse.publish.sweep`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from connectors.common.delivery_records import DeliveryRecord
from connectors.common.lateness import find_lateness
from connectors.common.retention import PrunedSnapshot, plan_pruning, prune_snapshot
from pipelines.config.model import Config
from pipelines.night.restatement_steps import Bill
from pipelines.night.restatements import KIND, SCHEMA, Told
from pipelines.warehouse.ledger import read_ledger
from pipelines.warehouse.manifest import read_file_paths
from pipelines.warehouse.relations import duckdb_columns
from pipelines.warehouse.release import MANIFEST_NAME, ReleaseStore
from pipelines.weekly_report import SNAPSHOTS_SUFFIX


def plan_home_pruning(config: Config, home: Path, now: datetime) -> list[PrunedSnapshot]:
    """Return every snapshot of the home that may go at `now` (UTC, naive), oldest first; nothing is changed."""
    listed = set(_listed_files(home))
    told = Told.read(read_ledger(home, KIND, duckdb_columns(SCHEMA)), None).moments()

    def is_needed(record: DeliveryRecord) -> bool:
        delivery = record.delivery
        bill = Bill(delivery.source, delivery.dataset, delivery.billing_account_id, delivery.period or "")
        is_told = delivery.delivered_at in told.get(bill, {})
        files = (str(file.path) for typed in record.typed.values() for file in typed)
        return not is_told or any(file in listed for file in files)

    older_than = now - timedelta(days=config.retention.every_snapshot_days)
    planned = [
        snapshot
        for source in config.sources
        for snapshot in plan_pruning(
            home / "lake", source.name, find_lateness(source.connector), older_than, is_needed
        )
    ]
    return sorted(planned, key=lambda snapshot: (snapshot.delivery.delivered_at, snapshot.delivery.source))


def prune_home(config: Config, home: Path, now: datetime) -> list[PrunedSnapshot]:
    """Let go what may go, and return it. The caller holds the writer lock."""
    planned = plan_home_pruning(config, home.resolve(), now)
    for snapshot in planned:
        prune_snapshot(home.resolve() / "lake", snapshot, now)
    return planned


def _listed_files(home: Path) -> Iterator[str]:
    """Absolute paths of all files that a kept release reads, or that a kept report was made from."""
    for release in ReleaseStore(home).list():
        yield from read_file_paths(release.path / MANIFEST_NAME, home)
    for listing in sorted((home / "reports").glob(f"**/*{SNAPSHOTS_SUFFIX}")):
        if listing.with_name(listing.name.removesuffix(SNAPSHOTS_SUFFIX) + ".html").exists():
            yield from (str(home / path) for path in json.loads(listing.read_text())["files"])
