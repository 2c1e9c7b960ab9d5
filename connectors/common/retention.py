"""Which delivered snapshots of a source may go, and letting them go: their files, never the record of the delivery.

What belongs here: the rule, and removing raw artifacts and typed files that no kept delivery needs. What must not:
what a ledger, a release or a report needs (the caller says it).

Kept are: every snapshot of the last days, then the last of each UTC day, the one that closed the billing period, and
always the current one. Only bills have snapshots; what other sources deliver is kept whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import orjson

from connectors.common.contract import Delivery
from connectors.common.datasets import BILL_DATASETS
from connectors.common.delivery_records import (
    DeliveryRecord,
    mark_current,
    read_named_records,
    read_records,
    write_json,
)
from connectors.common.lateness import Lateness


@dataclass(frozen=True)
class PrunedSnapshot:
    """One delivery whose content goes: its record, the files that nothing else needs, and their bytes."""

    record: DeliveryRecord
    files: tuple[Path, ...]
    bytes: int

    @property
    def delivery(self) -> Delivery:
        """The delivery that stays on record."""
        return self.record.delivery


def plan_pruning(
    lake: Path,
    source: str,
    lateness: Lateness,
    older_than: datetime,
    is_needed: Callable[[DeliveryRecord], bool],
) -> list[PrunedSnapshot]:
    """Return the deliveries of a source that may go, oldest first; nothing is changed.

    `older_than`: younger ones all stay. `is_needed`: what the caller still wants, such as files that a release lists.
    Raises TerminalError for a damaged record.
    """
    folder = lake / "raw" / source / "deliveries"
    records = mark_current(read_named_records(folder, lake, "", with_packed=False).values())
    kept_names = {record.file_name for record in _find_kept(records, lateness, older_than)}
    kept_contents = {r.delivery.snapshot_id for r in records if r.file_name in kept_names}
    goes = [
        record
        for record in records
        if record.file_name not in kept_names
        and record.typed
        and record.delivery.snapshot_id not in kept_contents
        and not is_needed(record)
    ]
    if not goes:
        return []
    records = read_records(folder, lake, "")
    gone_names = {record.file_name for record in goes}
    needed = {file for r in records if r.file_name not in gone_names for file in _files_of(r, lake, source)}
    planned = []
    for record in goes:
        files = tuple(
            file for file in _files_of(record, lake, source) if file not in needed and file.exists()
        )
        needed.update(files)  # two deliveries of one content: their files are counted once
        planned.append(PrunedSnapshot(record, files, sum(file.stat().st_size for file in files)))
    return planned


def prune_snapshot(lake: Path, snapshot: PrunedSnapshot, now: datetime) -> None:
    """Mark the record of a delivery as pruned, then remove its files.

    A record without typed files is what a landing takes for content that it must type anew, should it come back.
    """
    folder = lake / "raw" / snapshot.delivery.source / "deliveries"
    path = folder / snapshot.record.file_name
    content = orjson.loads(path.read_bytes())
    write_json(path, {**content, "typed": [], "pruned_at": now.isoformat()})
    for file in snapshot.files:
        file.unlink(missing_ok=True)


def _find_kept(
    records: Sequence[DeliveryRecord], lateness: Lateness, older_than: datetime
) -> Iterator[DeliveryRecord]:
    scopes: dict[tuple[str, str], list[DeliveryRecord]] = {}
    for record in records:
        scopes.setdefault((record.delivery.dataset, record.delivery.scope), []).append(record)
    for of_scope in scopes.values():
        ordered = sorted(of_scope, key=lambda r: (r.delivery.delivered_at, r.delivery.snapshot_id))
        last_of_day = {record.delivery.delivered_at.date(): record.file_name for record in ordered}
        closing = _find_closing(ordered, lateness)
        for record in ordered:
            delivery = record.delivery
            is_kept = (
                delivery.is_current
                or delivery.dataset not in BILL_DATASETS
                or delivery.period is None
                or delivery.delivered_at >= older_than
                or last_of_day[delivery.delivered_at.date()] == record.file_name
                or record is closing
            )
            if is_kept:
                yield record


def _find_closing(ordered: Iterable[DeliveryRecord], lateness: Lateness) -> DeliveryRecord | None:
    """The first delivery after the billing period was closed, by the vendor's documented lateness."""
    for record in ordered:
        period = record.delivery.period
        if period is not None:
            start = datetime.strptime(period, "%Y-%m")  # noqa: DTZ007 (naive UTC)
            end = (start + timedelta(days=32)).replace(day=1)
            if record.delivery.delivered_at >= end + timedelta(days=lateness.closed_after_days):
                return record
    return None


def _files_of(record: DeliveryRecord, lake: Path, source: str) -> Iterator[Path]:
    for typed in record.typed.values():
        yield from (file.path for file in typed)
    artifacts = lake / "raw" / source / "artifacts"
    for artifact in record.artifacts:
        yield from sorted(artifacts.glob(f"{artifact.sha256}*"))
