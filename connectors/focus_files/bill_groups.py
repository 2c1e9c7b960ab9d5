"""Which files form one delivery, and when it was delivered.

What belongs here: sidecar manifests, delivery times in paths, the rest by what lies in the folder.
What must not: reading bills.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath

from connectors.common.parsing import parse_instant
from connectors.common.source_files import FileFault, SourceFile
from connectors.focus_files.settings import Settings

MANIFEST_SUFFIX = ".manifest.json"
_DIGITS = re.compile(r"\D")


@dataclass(frozen=True)
class BillGroup:
    """Files delivered together; `delivered_at` is None when nothing states it (then mtime counts)."""

    key: str
    files: tuple[SourceFile, ...]
    delivered_at: datetime | None = None

    @property
    def is_stated(self) -> bool:
        """True when a manifest or the path says when it was delivered."""
        return self.delivered_at is not None


@dataclass(frozen=True)
class GroupFault:
    """A manifest or path that cannot be understood."""

    kind: str
    message: str
    file: SourceFile


def build_groups(files: Iterable[SourceFile], settings: Settings) -> tuple[list[BillGroup], list[GroupFault]]:
    """Return the deliveries that the files form, stated ones by time, then the rest.

    In `append` mode each file that states no time is a delivery of its own.
    """
    faults: list[GroupFault] = []
    bills = {file.relative: file for file in files}
    manifests = [bills.pop(name) for name in sorted(bills) if name.endswith(MANIFEST_SUFFIX)]
    groups: list[BillGroup] = []
    for manifest in manifests:
        try:
            group, names = _read_manifest(manifest, bills)
        except FileFault as fault:
            faults.append(GroupFault(fault.kind, str(fault), manifest))
            names = _listed_names(manifest)
        else:
            groups.append(group)
        for name in names:
            bills.pop(name, None)
    if settings.delivered_at_pattern is not None:
        groups += _groups_by_path(bills, re.compile(settings.delivered_at_pattern), faults)
    rest = tuple(bills.values())
    stated = sorted(groups, key=lambda group: (group.delivered_at, group.key))
    if settings.delivery == "append":
        return stated + [BillGroup(file.relative, (file,)) for file in rest], faults
    return stated + ([BillGroup("", rest)] if rest else []), faults


def parse_delivered_at(text: str) -> datetime:
    """Return the time that a path states: ISO 8601, or its digits YYYYMMDD[hhmm[ss]]. Raises ValueError."""
    try:
        return parse_instant(text)
    except ValueError:
        digits = _DIGITS.sub("", text)
        shape = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}.get(len(digits))
        if shape is None:
            raise
        return datetime.strptime(digits, shape)  # noqa: DTZ007 (times in the lake are naive UTC)


def _read_manifest(manifest: SourceFile, bills: dict[str, SourceFile]) -> tuple[BillGroup, list[str]]:
    try:
        content = json.loads(manifest.path.read_bytes())
        delivered_at = parse_instant(content["delivered_at"])
        names = [_resolve(manifest, name) for name in content["files"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        message = 'is not a manifest; write {"delivered_at": "2026-11-01T06:00:00Z", "files": ["bill.csv"]}'
        raise FileFault("unreadable_manifest", message) from error
    absent = [name for name in names if name not in bills]
    if absent:
        message = f"lists {absent[0]!r}, which is not there; deliver all files, the delivery waits for them"
        raise FileFault("missing_file", message)
    return BillGroup(manifest.relative, tuple(bills[name] for name in sorted(names)), delivered_at), names


def _listed_names(manifest: SourceFile) -> list[str]:
    """Return the names that a faulty manifest lists, as far as they can be read: they wait with it."""
    try:
        return [_resolve(manifest, str(name)) for name in json.loads(manifest.path.read_bytes())["files"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _resolve(manifest: SourceFile, name: str) -> str:
    return str(PurePosixPath(manifest.relative).parent / name)


def _groups_by_path(
    bills: dict[str, SourceFile], pattern: re.Pattern[str], faults: list[GroupFault]
) -> list[BillGroup]:
    """Take the files whose path states a delivery time out of `bills` and group them by it."""
    found: dict[datetime, list[SourceFile]] = {}
    for name in list(bills):
        match = pattern.search(name)
        if match is None:
            continue
        file = bills.pop(name)
        try:
            found.setdefault(parse_delivered_at(match["delivered_at"]), []).append(file)
        except (ValueError, TypeError):
            stated = match["delivered_at"]
            message = f"the path states the delivery time {stated!r}, which is no time; correct the pattern"
            faults.append(GroupFault("unparsable_delivered_at", message, file))
    return [BillGroup(f"at {moment.isoformat()}", tuple(files), moment) for moment, files in found.items()]
