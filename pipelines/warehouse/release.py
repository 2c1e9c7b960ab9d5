"""The releases of a home: which exist, which one readers get, and going back to an earlier one.

What belongs here: finding, opening and switching releases. What must not: building one (`publish.py`),
or running what a user types (`query.py`).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.warehouse.errors import PublishError
from pipelines.warehouse.lock import writer_lock

if TYPE_CHECKING:
    import duckdb

CATALOGUE_NAME = "everycent.duckdb"
MANIFEST_NAME = "manifest.json"
SIDE_PREFIX = "asof-"
_STAMP = re.compile(r"(\d{8})T?(\d{6})|(\d{4}-\d{2}-\d{2})T(\d{2})[:-]?(\d{2})[:-]?(\d{2})")


@dataclass(frozen=True)
class Release:
    """One published state of the warehouse: a folder that never changes."""

    path: Path
    is_current: bool = False

    @property
    def name(self) -> str:
        """Name of the folder; names sort by the time of publishing."""
        return self.path.name

    @property
    def catalogue(self) -> Path:
        """The DuckDB file with the views that make up the release."""
        return self.path / CATALOGUE_NAME

    @property
    def is_side(self) -> bool:
        """True for an as-of release, which is never current."""
        return self.name.startswith(SIDE_PREFIX)

    @property
    def home(self) -> Path:
        """The home that the release is part of."""
        return self.path.parent.parent.parent

    @property
    def published_at(self) -> datetime | None:
        """When it was published (UTC), as its name tells; None when the name tells no time."""
        found = _STAMP.search(self.name)
        if not found:
            return None
        digits = re.sub(r"\D", "", found[0])
        return datetime.strptime(digits, "%Y%m%d%H%M%S")  # noqa: DTZ007 (UTC without zone, as everywhere)

    def manifest(self) -> dict[str, Any]:
        """Return what the release was built from. Raises PublishError when it cannot be read."""
        path = self.path / MANIFEST_NAME
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            message = (
                f"The release {self.name} has no readable manifest at {path} ({error}). Use another release."
            )
            raise PublishError(message) from None


class ReleaseStore:
    """The releases below `<home>/warehouse`."""

    def __init__(self, home: Path) -> None:
        self.home = home.expanduser().absolute()
        self.releases_folder = self.home / "warehouse" / "releases"
        self.pointer = self.home / "warehouse" / "current"

    def current(self) -> Release:
        """Return the release that readers get. Raises PublishError when there is none."""
        if not self.pointer.is_symlink():
            message = f"There is no release in {self.home}. Publish one with: everycent nightly --config FILE"
            raise PublishError(message)
        release = Release(self.pointer.resolve(), is_current=True)
        if not release.catalogue.is_file():
            message = (
                f"{self.pointer} points to {release.path}, which holds no {CATALOGUE_NAME}. "
                "Choose another with: everycent rollback"
            )
            raise PublishError(message)
        return release

    def list(self) -> tuple[Release, ...]:
        """Return every complete release, newest first; as-of ones, which are never current, at the end."""
        if not self.releases_folder.is_dir():
            return ()
        current = self.pointer.resolve() if self.pointer.is_symlink() else None
        found = (
            Release(path.resolve(), is_current=path.resolve() == current)
            for path in self.releases_folder.iterdir()
            if (path / CATALOGUE_NAME).is_file() and (path / MANIFEST_NAME).is_file()
        )
        return tuple(sorted(found, key=lambda release: (not release.is_side, release.name), reverse=True))

    def find(self, name: str) -> Release:
        """Return the release of that name. Raises PublishError that lists the names there are."""
        releases = self.list()
        for release in releases:
            if release.name == name:
                return release
        known = ", ".join(release.name for release in releases) or "none"
        raise PublishError(f"There is no release {name!r} in {self.releases_folder}. Releases: {known}.")

    def open_read_only(self, release: Release | None = None) -> duckdb.DuckDBPyConnection:
        """Open a release (the current one by default) for trusted reading: reports, exports, alerts."""
        import duckdb

        release = release or self.current()
        return duckdb.connect(str(release.catalogue), read_only=True)

    @contextmanager
    def reading(self, release: Release) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open a release for trusted reading in the block; errors of the engine become PublishError."""
        import duckdb

        try:
            with self.open_read_only(release) as connection:
                yield connection
        except duckdb.Error as error:
            reason = str(error).partition("\n")[0]
            message = (
                f"The release {release.name} cannot be read: {reason}. Publish anew with: everycent nightly "
                "--config FILE, or go back with: everycent rollback"
            )
            raise PublishError(message) from error

    def rollback(self, to: str | None = None) -> Release:
        """Make an earlier release current: the one before the current one, or the one named `to`.

        Readers see either the one or the other, never nothing. Raises PublishError when there is none to go
        to, LockedError while a run is writing.
        """
        with writer_lock(self.home):
            target = self.find(to) if to else self._one_before_current()
            if target.is_side:
                message = (
                    f"{target.name} is an as-of release and cannot be current. "
                    f"Read it with: everycent query --release {target.name}"
                )
                raise PublishError(message)
            self._commit_current()
            self.point_current(target.name)
        return Release(target.path, is_current=True)

    def _commit_current(self) -> None:
        """Make the ledger of the release that is left count, if its run died before it could; a release that
        cannot be read is left as it is, for leaving it is why one rolls back."""
        from pipelines.warehouse.ledger import recover
        from pipelines.warehouse.manifest import read_manifest

        try:
            manifest = read_manifest(self.current().path / MANIFEST_NAME, self.home.resolve())
        except (PublishError, OSError, ValueError, KeyError):
            return
        recover(self.home, manifest)

    def point_current(self, name: str) -> None:
        """Swap `current` to the named release in one step. The caller holds the writer lock."""
        following = self.pointer.with_name("current.next")
        following.unlink(missing_ok=True)
        following.symlink_to(Path("releases") / name, target_is_directory=True)
        os.replace(following, self.pointer)
        folder = os.open(self.pointer.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _one_before_current(self) -> Release:
        releases = [release for release in self.list() if not release.is_side]
        current_name = self.pointer.resolve().name if self.pointer.is_symlink() else None
        earlier = [release for release in releases if current_name is None or release.name < current_name]
        if not earlier:
            place = f"{current_name} in {self.releases_folder}"
            message = f"There is no release before {place}. `current` stays as it is."
            raise PublishError(message)
        return earlier[0]
