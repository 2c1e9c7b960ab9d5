"""AWS's manifests: which files form the delivery of a billing period, and when it was delivered.

What belongs here: keys below an export's folder, and the content of a manifest. What must not: asking a store
for anything, or reading bills.

AWS documents that a manifest holds the columns, the list of files and the period of a delivery, that it is
written after all its files, and where it lies:
    <export>/metadata/<partition>/<export>-Manifest.json                              newest delivery
    <export>/metadata/<partition>/<timestamp>-<execution id>/<export>-Manifest.json   each one, in create-new
It does not document the field names. Seen in the wild: `dataFiles` (s3:// URIs), `columns`, `executionId`. Names
are matched without regard to case; files may be URIs, keys of the bucket, or objects that hold one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.common.contract import TerminalError
from connectors.common.parsing import load_json, parse_instant
from connectors.common.stores.contract import StoredObject

_PARTITION = re.compile(r"^billing_period=(\d{4}-(?:0[1-9]|1[0-2]))$", re.IGNORECASE)
_RUN = re.compile(r"^(\d{4}-?\d{2}-?\d{2}T\d{2}:?\d{2}:?\d{2}(?:\.\d+)?Z?)-(.+)$")
_COMPACT = re.compile(r"^(\d{4})-?(\d{2})-?(\d{2})T(\d{2}):?(\d{2}):?(\d{2}(?:\.\d+)?)Z?$")
_FILES = ("datafiles", "reportkeys", "files")
_FILE_KEYS = ("key", "path", "uri", "s3uri", "filepath", "file", "name")
_SUFFIX = "-manifest.json"


class ManifestFault(TerminalError):
    """A manifest that cannot be understood."""


@dataclass(frozen=True)
class ManifestObject:
    """A manifest as it lies in the store: its period, and when its delivery was made."""

    stored: StoredObject
    period: str
    delivered_at: datetime
    execution_id: str | None

    @property
    def is_newest(self) -> bool:
        """True for the manifest that AWS overwrites with every delivery."""
        return self.execution_id is None


@dataclass(frozen=True)
class Manifest:
    """What a manifest says: keys of its files relative to the location, and delivered column names."""

    files: tuple[str, ...]
    columns: tuple[str, ...]
    execution_id: str | None


def find_manifests(objects: Iterable[StoredObject], folder: str) -> list[ManifestObject]:
    """Return the manifests below an export's folder (`…/metadata/`), by period and delivery time."""
    found = []
    for stored in objects:
        parts = stored.key.removeprefix(folder).split("/")
        match = _PARTITION.match(parts[0])
        if match is None or not parts[-1].lower().endswith(_SUFFIX) or len(parts) not in (2, 3):
            continue
        run = _RUN.match(parts[1]) if len(parts) == 3 else None
        run_time = _read_time(run[1]) if run else None
        delivered_at = run_time or stored.modified_at
        execution_id = run[2] if run and run_time else parts[1] if len(parts) == 3 else None
        found.append(ManifestObject(stored, match[1], delivered_at, execution_id))
    return sorted(found, key=lambda manifest: (manifest.period, manifest.delivered_at, manifest.stored.key))


def read_manifest(content: bytes, where: str, export: str, folder: str) -> Manifest:
    """Return what a manifest says; `folder` is the export's folder below the location ('' or ends in '/').

    Raises ManifestFault, naming `where`, for what is no manifest or names a file outside the export.
    """
    try:
        stated = load_json(content)
    except ValueError as error:
        raise ManifestFault(f"{where} is no JSON; wait for AWS's next delivery or write it again") from error
    if not isinstance(stated, dict):
        raise ManifestFault(f"{where} is no manifest: it holds no object")
    fields = {str(name).lower(): value for name, value in stated.items()}
    listed = next((fields[name] for name in _FILES if isinstance(fields.get(name), list)), None)
    if listed is None:
        raise ManifestFault(
            f"{where} names no data files (field dataFiles); is it the manifest of an export?"
        )
    files = tuple(_resolve(_read_name(entry, where), where, export, folder) for entry in listed)
    execution = fields.get("executionid")
    return Manifest(files, _read_columns(fields), execution if isinstance(execution, str) else None)


def read_run_time(key: str) -> datetime | None:
    """Return the time in the run folder of a data file of a create-new export, None in overwrite mode."""
    match = next((match for part in key.split("/")[:-1] if (match := _RUN.match(part))), None)
    return _read_time(match[1]) if match else None


def _read_name(entry: object, where: str) -> str:
    if isinstance(entry, Mapping):
        lowered = {str(name).lower(): value for name, value in entry.items()}
        entry = next((lowered[name] for name in _FILE_KEYS if isinstance(lowered.get(name), str)), None)
    if not isinstance(entry, str) or not entry:
        raise ManifestFault(f"{where} has an entry in dataFiles that names no file")
    return entry


def _resolve(name: str, where: str, export: str, folder: str) -> str:
    """Return the key, below the location, of a file that AWS names by its own bucket and prefix.

    Only what follows the export's own folder is taken: a bucket that is replicated has other names before it.
    """
    path = re.sub(r"^s3[an]?://[^/]+/", "", name)
    marker = f"{export}/data/"
    at = path.rfind(marker)
    is_at_start = at == 0 or (at > 0 and path[at - 1] == "/")
    if not is_at_start or ".." in path.split("/"):
        raise ManifestFault(
            f"{where} names a file outside {marker}: {name!r}; is it the manifest of this export?"
        )
    return f"{folder}data/{path[at + len(marker) :]}"


def _read_columns(fields: Mapping[str, Any]) -> tuple[str, ...]:
    columns = fields.get("columns")
    if not isinstance(columns, list):
        return ()
    names = []
    for column in columns:
        if isinstance(column, Mapping):
            column = next((value for key, value in column.items() if str(key).lower() == "name"), None)
        if isinstance(column, str):
            names.append(column)
    return tuple(names)


def _read_time(text: str) -> datetime | None:
    """Return the time that the name of a run folder begins with, None where its digits are no time."""
    match = _COMPACT.match(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = match.groups()
    try:
        return parse_instant(f"{year}-{month}-{day}T{hour}:{minute}:{float(second):09.6f}")
    except ValueError:
        return None
