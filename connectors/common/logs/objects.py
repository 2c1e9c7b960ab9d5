"""Request logs that a vendor writes to a store, object by object: landed by group, and never kept.

What belongs here: which objects a run looks at, what of them is new, bringing them here for the moment of reading.
What must not: the content of an object (the connector's `read`), or its rows (`logs/requests.py`).

Such logs hold prompts beside what we take, so an object lies below `lake/raw/<source>` only while it is read; a run
that was killed in between is cleaned up after by the next one. The objects of a group (an hour, a day) are one
delivery: when one is added or grows, all of the group are read again and replace its rows.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from pathlib import Path
from typing import Protocol

from pydantic import Field

from connectors.common.contract import (
    ConnectorError,
    LandingContext,
    Severity,
    SourceReport,
    TransientError,
)
from connectors.common.datasets import REQUESTS
from connectors.common.defects import UNEXPECTED, describe_unexpected
from connectors.common.delivery_records import mark_current
from connectors.common.digests import build_digest
from connectors.common.logs.delivery import LogDelivery, LogFile
from connectors.common.source_files import SourceFile, is_matching
from connectors.common.source_landing import SourceLanding
from connectors.common.stores.contract import ChangedObject, DamagedContent, ObjectStore, StoredObject
from connectors.common.stores.open import open_store
from connectors.common.stores.settings import StoredFileSettings, is_remote

_DAY = timedelta(days=1)
_PARALLEL_DOWNLOADS = 4
_INCOMING = "incoming"


class LogSettings(StoredFileSettings):
    """Base of the settings of a source of request logs: where they lie, and which days are looked at."""

    first_day: date | None = Field(
        default=None,
        description="The oldest UTC day to read. Default: `history_days` before the first run.",
    )
    history_days: int = Field(
        default=35,
        ge=1,
        le=400,
        description="How many days the first run reads where no `first_day` is stated.",
    )
    overlap_days: int = Field(
        default=3,
        ge=1,
        le=60,
        description="How many of the newest days every run lists again, for objects that come late or grow.",
    )


@dataclass(frozen=True)
class LogObject:
    """One object, with the number of the location that it lies in."""

    location: int
    stored: StoredObject

    @property
    def key(self) -> str:
        """Its key below the location."""
        return self.stored.key


@dataclass(frozen=True)
class LogGroup:
    """What belongs together: `scope` names it, `day` is the UTC day that it is of (None: always looked at)."""

    scope: str
    day: date | None


class LogLayout(Protocol):
    """How a vendor names its objects."""

    def list_prefixes(self, location: int, day: date) -> Sequence[str]:
        """Where to list the objects of a UTC day; ("",) where that cannot be told, then all are listed once."""
        ...

    def find_groups(self, key: str) -> Sequence[LogGroup]:
        """The groups that an object is read for; none for an object that is no log."""
        ...

    def order(self, location: int, key: str) -> str:
        """What the objects of a group are read in the order of."""
        ...


Read = Callable[["LogDelivery", Iterable[LogFile]], None]
"""Writes the rows of a group; the files come one by one, each there until the next is asked for."""


def land_logs(
    settings: LogSettings,
    context: LandingContext,
    layout: LogLayout,
    read: Read,
    *,
    typing: dict[str, object],
    locations: Sequence[str] = (),
) -> SourceReport:
    """Land the groups whose objects are new or changed; never raises for bad data.

    `locations` are further places beside `settings.path`. A group that cannot be read keeps its last good content.
    """
    landing = SourceLanding(settings, context, typing=typing, keeps_artifacts=False)
    if not landing.is_reading_only:
        _LogLanding(landing, settings, layout, [settings.path, *locations]).run(read)
    return landing.report()


class _LogLanding:
    """One run over one source of logs."""

    def __init__(
        self, landing: SourceLanding, settings: LogSettings, layout: LogLayout, locations: Sequence[str]
    ) -> None:
        self._landing = landing
        self._settings = settings
        self._layout = layout
        self._folders = [settings.build_store_settings(location) for location in locations]

    def run(self, read: Read) -> None:
        landing = self._landing
        shutil.rmtree(landing.raw / _INCOMING, ignore_errors=True)  # a killed run may have left prompts there
        days = choose_days(landing, self._settings)
        try:
            self._stores = [open_store(folder) for folder in self._folders]
            groups = self._list_groups(days)
        except ConnectorError as error:
            landing.add(REQUESTS.name, "unreachable_logs", f"{landing.source}: {error}", Severity.FAULT)
            return
        if not groups and not landing.records:
            self._report_nothing(days)
        known = {
            (r.delivery.scope, r.delivery.snapshot_id)
            for r in mark_current(landing.records)
            if r.delivery.is_current and landing.typing_digest in r.typed
        }
        is_complete = True
        try:
            for group in sorted(groups, key=lambda g: (g.day or date.min, g.scope)):
                is_complete &= self._land(group, groups[group], known, read)
        except TransientError as error:
            message = (
                f"{landing.source}: {error}; what was read before stays, the next run goes on from there"
            )
            landing.add(REQUESTS.name, "unreachable_logs", message, Severity.FAULT)
            return
        if is_complete:
            landing.seen.write_note(_note_key(landing), max(days).isoformat())

    def _list_groups(self, days: Sequence[date]) -> dict[LogGroup, list[LogObject]]:
        wanted = set(days)
        around = sorted({day + step * _DAY for day in days for step in (-1, 0, 1)})
        groups: dict[LogGroup, list[LogObject]] = defaultdict(list)
        for location, store in enumerate(self._stores):
            for found in self._list_location(location, store, around):
                for group in self._layout.find_groups(found.key):
                    if group.day is None or group.day in wanted:
                        groups[group].append(LogObject(location, found))
        return groups

    def _list_location(self, location: int, store: ObjectStore, days: Sequence[date]) -> list[StoredObject]:
        """The objects below the prefixes of the days, each once; a folder on disk is walked once."""
        prefixes = dict.fromkeys(p for day in days for p in self._layout.list_prefixes(location, day))
        if "" in prefixes or not is_remote(self._folders[location].location):
            prefixes = {"": None}
        found: dict[str, StoredObject] = {}
        for prefix in prefixes:
            for stored in store.list_objects(prefix):
                if is_matching(stored.key, self._settings.pattern):
                    found[stored.key] = stored
        return list(found.values())

    def _land(
        self, group: LogGroup, objects: list[LogObject], known: set[tuple[str, str]], read: Read
    ) -> bool:
        """Land one group unless it is known as it is; return False when it is to be tried again.

        Raises TransientError when the store cannot be reached: then no other group can be read either.
        """
        landing = self._landing
        objects = sorted(objects, key=lambda o: (self._layout.order(o.location, o.key), o.location, o.key))
        file = _describe(group, objects)
        if (group.scope, build_digest(REQUESTS.name, group.scope, file.sha256)) in known:
            return True
        delivery = LogDelivery(landing, file)
        try:
            with self._open_folder() as folder:
                read(delivery, self._bring(objects, folder))
        except UNEXPECTED as error:
            delivery.discard()
            if isinstance(error, TransientError) and not isinstance(error, ChangedObject | DamagedContent):
                raise
            reason = str(error) if isinstance(error, ConnectorError) else describe_unexpected(error)
            is_moving = isinstance(error, ChangedObject)
            kind = "delivery_under_way" if is_moving else "unreadable_group"
            severity = Severity.INFO if is_moving else Severity.FAULT
            message = f"{landing.source}: {group.scope}: {reason}; the next run reads it again"
            landing.add(REQUESTS.name, kind, message, severity, file=group.scope, day=group.day)
            return False
        except BaseException:
            delivery.discard()
            raise
        delivery.finish()
        return True

    @contextmanager
    def _open_folder(self) -> Iterator[Path]:
        """A folder for what is downloaded, readable by the owner only; it is gone when the group is read."""
        folder = self._landing.raw / _INCOMING
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _bring(self, objects: Sequence[LogObject], folder: Path) -> Iterator[LogFile]:
        """Yield each object as a file; what was downloaded is removed when the next one is asked for."""
        with ThreadPoolExecutor(_PARALLEL_DOWNLOADS, thread_name_prefix="logs") as pool:
            for start in range(0, len(objects), _PARALLEL_DOWNLOADS):
                some = objects[start : start + _PARALLEL_DOWNLOADS]
                numbered = list(enumerate(some, start=start))
                paths = list(pool.map(lambda pair: self._download(pair[1], folder / str(pair[0])), numbered))
                for found, path in zip(some, paths, strict=True):
                    yield LogFile(found.key, found.location, path)
                    if path.parent == folder:
                        path.unlink()

    def _download(self, found: LogObject, target: Path) -> Path:
        location = self._folders[found.location].location
        if not is_remote(location):
            root = Path(location)
            return root / found.key if root.is_dir() else root
        self._stores[found.location].download(found.stored, target, lambda count: None)
        return target

    def _report_nothing(self, days: Sequence[date]) -> None:
        landing = self._landing
        message = (
            f"{landing.source}: no log of {min(days)} to {max(days)} below {self._settings.path}; correct `path`, or "
            "look whether the logs are switched on"
        )
        landing.add(REQUESTS.name, "empty_folder", message, Severity.FAULT)


def choose_days(landing: SourceLanding, settings: LogSettings) -> list[date]:
    """Return the UTC days to list: all since the first one on the first run, then the newest ones again."""
    today = landing.context.now.date()
    first = settings.first_day or today - (settings.history_days - 1) * _DAY
    noted = landing.seen.notes.get(_note_key(landing))
    if noted is not None:
        first = max(first, date.fromisoformat(noted) - (settings.overlap_days - 1) * _DAY)
    first = min(first, today)
    return [first + i * _DAY for i in range((today - first).days + 1)]


def _describe(group: LogGroup, objects: Sequence[LogObject]) -> SourceFile:
    """A group as one file: its content is named by the versions of its objects."""
    versions = [part for o in objects for part in (str(o.location), o.key, o.stored.version)]
    newest = max(o.stored.modified_at for o in objects).replace(tzinfo=UTC)
    size = sum(o.stored.size for o in objects)
    return SourceFile(
        Path(group.scope),
        group.scope,
        size,
        int(newest.timestamp()) * 10**9,
        build_digest(group.scope, *versions),
    )


def _note_key(landing: SourceLanding) -> str:
    return f"listed {landing.typing_digest}"
