"""Shards of the export that were extracted to Cloud Storage, or copied to disk: Parquet or JSON lines.

What belongs here: which shards form a delivery, and their way to flat rows. What must not: what rows mean.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import pyarrow as pa
import pyarrow.parquet as pq

from connectors.common.bills.contract import BillDelivery, BillFormat
from connectors.common.bills.landing import BillLanding
from connectors.common.contract import Severity
from connectors.common.fetching import ArtifactFetcher
from connectors.common.schema_contract import check_required_columns
from connectors.common.source_files import FileFault, SourceFile
from connectors.common.source_landing import SourceLanding
from connectors.common.stores.contract import ObjectStore, StoredObject
from connectors.gcp_billing import schema
from connectors.gcp_billing.flat_rows import flatten_json_lines, flatten_rows
from connectors.gcp_billing.settings import Settings
from connectors.gcp_billing.snapshots import SnapshotWriter, read_snapshot

SUCCESS_MARKER = "_SUCCESS"
_PARQUET = (".parquet",)
_JSON = (".json", ".json.gz", ".jsonl", ".jsonl.gz", ".ndjson")
_ROWS = 20_000


@dataclass(frozen=True)
class ShardGroup:
    """Shards that were extracted together; a newer group of the same `key` replaces the older one."""

    name: str
    key: str
    objects: tuple[StoredObject, ...]

    @property
    def delivered_at(self) -> datetime:
        """When its newest shard was written, UTC."""
        return max(stored.modified_at for stored in self.objects)


def build_groups(objects: Iterable[StoredObject], settings: Settings) -> tuple[list[ShardGroup], int]:
    """Return the deliveries that objects form, oldest first, and how many objects are of other kinds.

    Without a pattern a folder is a delivery and its key. With `success_marker` folders without one wait.
    """
    listed = list(objects)
    folders = {stored.key.rpartition("/")[0] for stored in listed if _base(stored.key) == SUCCESS_MARKER}
    pattern = re.compile(settings.delivery_pattern) if settings.delivery_pattern else None
    found: dict[tuple[str, str], list[StoredObject]] = {}
    passed_over = 0
    for stored in listed:
        folder = stored.key.rpartition("/")[0]
        match = pattern.search(stored.key) if pattern else None
        if _base(stored.key) == SUCCESS_MARKER:
            continue
        if not stored.key.lower().endswith((*_PARQUET, *_JSON)) or (pattern and match is None):
            passed_over += 1
        elif not settings.success_marker or folder in folders:
            found.setdefault(_name_group(folder, match), []).append(stored)
    groups = [ShardGroup(name, key, tuple(members)) for (name, key), members in found.items()]
    return sorted(groups, key=lambda group: (group.delivered_at, group.name)), passed_over


def _base(key: str) -> str:
    return key.rpartition("/")[2]


def _name_group(folder: str, match: re.Match[str] | None) -> tuple[str, str]:
    if match is None:
        return folder, folder
    name = "|".join(text or "" for text in match.groups())
    return name, match.groupdict().get("key") or name


class ExtractedFiles:
    """One run over one location."""

    def __init__(
        self, landing: SourceLanding, settings: Settings, store: ObjectStore, bill_format: BillFormat
    ) -> None:
        self._landing = landing
        self._settings = settings
        self._store = store
        self._dataset = bill_format.dataset.name
        self._bills = BillLanding(landing, bill_format)
        self._folder = landing.raw / "artifacts"
        self._empty = 0

    def run(self) -> None:
        """Land every delivery that is there. Raises ConnectorError when the location cannot be read."""
        groups, passed_over = build_groups(self._store.list_objects(), self._settings)
        if passed_over:
            message = f"{self._landing.source}: objects that are no shards of the export are passed over"
            self._landing.add(self._dataset, "ignored_file", message, Severity.INFO, count=passed_over)
        if not groups:
            message = (
                f"{self._landing.source}: no extracted shard lies under {self._store.location}; extract the table "
                "there, or correct `location`"
            )
            self._landing.add(self._dataset, "empty_folder", message, Severity.FAULT)
        fetcher = ArtifactFetcher(self._landing, self._store)
        for group in groups:
            self._deliver(group, fetcher.fetch(group.objects))
            self._landing.seen.save()
        if self._empty:
            message = f"{self._landing.source}: shards without rows are skipped: BigQuery writes some"
            self._landing.add(self._dataset, "empty_shard", message, Severity.INFO, count=self._empty)
        self._bills.finish()

    def _deliver(self, group: ShardGroup, files: list[SourceFile]) -> None:
        """Deliver a group whole; a shard that cannot be read refuses it, and what was delivered before stays."""
        flat: list[SourceFile] = []
        for file in files:
            try:
                rows = self._flatten(file)
            except FileFault as fault:
                message = f"{self._landing.source}: {file.relative}: {fault}"
                self._landing.quarantine(file, [(fault.line, fault.kind, fault.column)])
                self._landing.add(self._dataset, fault.kind, message, Severity.FAULT, file=file.relative)
                return
            flat += [rows] if rows is not None else []
        is_added = self._settings.delivery == "append"
        key = f"{self._settings.location} {group.name if is_added else group.key}"
        part = "" if is_added else group.key
        mode = "append" if is_added else "replace"
        self._bills.deliver(BillDelivery(key, tuple(flat), group.delivered_at, mode, part=part))

    def _flatten(self, file: SourceFile) -> SourceFile | None:
        """Return the flat rows of a shard, written once; None for a shard without rows."""
        note = f"flat {file.sha256} {file.relative}"
        known = self._landing.seen.notes.get(note)
        if known is not None:
            if not known["rows"]:
                self._empty += 1
                return None
            flat = read_snapshot(known).build_file(self._folder)
            is_pruned = self._landing.is_pruned(flat.sha256)
            if is_pruned:
                self._landing.put_off(flat, lambda: self._write_flat(file, note))
            if is_pruned or flat.path.exists():
                return flat
        return self._write_flat(file, note)

    def _write_flat(self, file: SourceFile, note: str) -> SourceFile | None:
        folder, _, name = file.relative.rpartition("/")
        writer = SnapshotWriter(self._folder, f"{folder}/{name.replace('.', '_')}")  # its one suffix follows
        try:
            for rows in read_shard(file):
                writer.write(rows)
            snapshot = writer.finish()
        finally:
            writer.discard()
        if snapshot is None:
            self._landing.seen.write_note(note, {"rows": 0})
            self._empty += 1
            return None
        self._landing.seen.write_note(note, snapshot.to_note())
        return snapshot.build_file(self._folder)


def read_shard(file: SourceFile) -> Iterator[pa.Table]:
    """Yield the flat rows of a shard batch by batch. Raises FileFault, for missing columns before any row."""
    is_first = True
    for rows in _read_rows(file):
        if is_first and rows.num_rows:
            _check_filled(rows)
        is_first = is_first and not rows.num_rows
        yield rows


def _check_filled(rows: pa.Table) -> None:
    """Refuse rows of which none has a value that every line needs: JSON leaves out what is null."""
    filled = [name for name in rows.column_names if rows.column(name).null_count < rows.num_rows]
    check_required_columns(filled, schema.NOT_NULL)


def _read_rows(file: SourceFile) -> Iterator[pa.Table]:
    try:
        if file.relative.lower().endswith(_PARQUET):
            with pq.ParquetFile(file.path) as parquet:
                check_required_columns(parquet.schema_arrow.names, schema.REQUIRED)
                for batch in parquet.iter_batches(_ROWS):
                    yield flatten_rows(batch)
            return
        opener = gzip.open if file.relative.lower().endswith(".gz") else open
        with opener(file.path, "rb") as stream:
            lines = ((number, line) for number, line in enumerate(stream, start=1) if line.strip())
            while chunk := list(islice(lines, _ROWS)):
                yield flatten_json_lines(chunk)
    except (OSError, EOFError, pa.ArrowException) as error:
        message = f"is not readable ({type(error).__name__}); extract the table again"
        raise FileFault("unreadable_file", message) from error
