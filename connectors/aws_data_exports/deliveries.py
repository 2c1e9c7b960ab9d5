"""Which deliveries of an export are to be landed, and the objects that form each of them.

What belongs here: choosing manifests, finding the files they name, telling a delivery under way. What must not:
typing lines, or the bcm-data-exports service.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connectors.aws_data_exports.manifests import (
    ManifestFault,
    ManifestObject,
    find_manifests,
    read_manifest,
    read_run_time,
)
from connectors.common.source_files import SeenIndex
from connectors.common.stores.contract import ObjectStore, StoredObject

_QUIET = timedelta(hours=2)
"""Data newer than its manifest for longer than this is no delivery under way: somebody copied the bucket."""


class DeliveryUnderWay(ManifestFault):
    """AWS is writing the files of the next delivery over those of this one."""


@dataclass(frozen=True)
class ExportDelivery:
    """One delivery of one billing period: its objects, the columns that its manifest lists, and its time."""

    period: str
    manifest: StoredObject
    objects: tuple[StoredObject, ...]
    columns: tuple[str, ...]
    delivered_at: datetime


class ExportDeliveries:
    """The deliveries of an export in a store; `seen` remembers those that were landed, where there is one."""

    def __init__(self, store: ObjectStore, export: str, seen: SeenIndex | None, now: datetime) -> None:
        self._store = store
        self._folder = ""
        self._export = export
        self._seen = seen
        self._now = now

    def list_manifests(self) -> list[ManifestObject]:
        """Return all manifests, by period and time: `metadata/` is listed, nothing is read.

        The location holds the export's folder, as AWS delivers it, or is that folder.
        """
        for folder in (f"{self._export}/", ""):
            prefix = f"{folder}metadata/"
            found = find_manifests(self._store.list_objects(prefix), prefix)
            if found:
                self._folder = folder
                return found
        return []

    def read(self, manifest: ManifestObject) -> ExportDelivery:
        """Return what a manifest names; neither it nor `data/` is looked at again while it is unchanged.

        Raises ManifestFault where it cannot be understood or a file is not there, DeliveryUnderWay while AWS is
        overwriting the files.
        """
        note = self._seen.notes.get(_note_key(manifest.stored)) if self._seen else None
        if note is not None:
            return _from_note(manifest, note)
        where = f"{self._store.location}/{manifest.stored.key}"
        content = self._store.read_bytes(manifest.stored.key)
        stated = read_manifest(content, where, self._export, self._folder)
        objects = self._find_objects(stated.files, where)
        self._check_quiet(manifest, objects)
        run_times = {time for key in stated.files if (time := read_run_time(key)) is not None}
        delivered_at = max(run_times) if manifest.is_newest and run_times else manifest.delivered_at
        return ExportDelivery(manifest.period, manifest.stored, objects, stated.columns, delivered_at)

    def is_landed(self, manifest: ManifestObject, typing: str) -> bool:
        """Tell whether this delivery was landed before under the same settings."""
        note = self._seen.notes.get(_note_key(manifest.stored)) if self._seen else None
        return note is not None and note["typing"] == typing

    def remember(self, delivery: ExportDelivery, typing: str) -> None:
        """Note a landed delivery, so that an unchanged manifest costs nothing in the next run."""
        note = {
            "typing": typing,
            "objects": [
                [stored.key, stored.size, stored.modified_at.isoformat(), stored.version]
                for stored in delivery.objects
            ],
            "columns": list(delivery.columns),
            "delivered_at": delivery.delivered_at.isoformat(),
        }
        if self._seen is None:
            return
        own = _note_key(delivery.manifest)
        before = own.split("\n")[0] + "\n"
        for key in [key for key in self._seen.notes if key.startswith(before) and key != own]:
            del self._seen.notes[key]  # what lay under this name before is gone
        self._seen.write_note(own, note)

    def _find_objects(self, keys: Sequence[str], where: str) -> tuple[StoredObject, ...]:
        """Return the objects of these keys; only their own folders are listed, and only what is named is taken."""
        folders = {key.rpartition("/")[0] + "/" for key in keys}
        there = {stored.key: stored for folder in folders for stored in self._store.list_objects(folder)}
        missing = [key for key in keys if key not in there]
        if missing:
            raise ManifestFault(
                f"{where} names {missing[0]} ({len(missing)} of {len(keys)} files), which is not there; the delivery "
                "waits for it. If it was deleted, have AWS deliver the month again"
            )
        return tuple(there[key] for key in dict.fromkeys(keys))

    def _check_quiet(self, manifest: ManifestObject, objects: Sequence[StoredObject]) -> None:
        newest = max((stored.modified_at for stored in objects), default=None)
        if newest is None or newest <= manifest.stored.modified_at or self._now - newest > _QUIET:
            return
        raise DeliveryUnderWay(
            f"{manifest.stored.key}: files are newer than their manifest: AWS is delivering; the last delivery stays"
        )


def choose_manifests(
    manifests: Sequence[ManifestObject], *, first_period: str | None, backfill: bool
) -> list[ManifestObject]:
    """Return the manifests to land, oldest first: the newest a period, or with `backfill` every one.

    The newest is the one that AWS overwrites; where it is absent, the last of the run folders.
    """
    chosen: dict[str, list[ManifestObject]] = {}
    for manifest in manifests:
        if first_period is None or manifest.period >= first_period:
            chosen.setdefault(manifest.period, []).append(manifest)
    result = []
    for period in sorted(chosen):
        newest = max(chosen[period], key=lambda m: (m.is_newest, m.delivered_at, m.stored.key))
        older = [manifest for manifest in chosen[period] if manifest is not newest]
        result += [*older, newest] if backfill else [newest]
    return result


def find_first_period(now: datetime, months: int | None) -> str | None:
    """Return the first billing period of a window of so many months that ends with the present one."""
    if months is None:
        return None
    number = now.year * 12 + now.month - months
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


def describe_absence(location: str, export: str) -> str:
    """Return in words that no manifest was found, and what to do."""
    return (
        f"no manifest below {location}/{export}/metadata/; correct `location` and `export`, or wait: AWS's first "
        "delivery takes up to 24 hours"
    )


def _note_key(stored: StoredObject) -> str:
    """Name a manifest as last written: one that lists the same file names again has the same content."""
    return f"manifest {stored.key}\n{stored.version}\n{stored.modified_at.isoformat()}"


def _from_note(manifest: ManifestObject, note: dict[str, Any]) -> ExportDelivery:
    objects = tuple(
        StoredObject(key, size, datetime.fromisoformat(modified_at), version)
        for key, size, modified_at, version in note["objects"]
    )
    delivered_at = datetime.fromisoformat(note["delivered_at"])
    return ExportDelivery(manifest.period, manifest.stored, objects, tuple(note["columns"]), delivered_at)
