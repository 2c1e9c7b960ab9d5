"""A folder on disk as an object store.

What belongs here: files behind the interface of `contract.py`. What must not: anything of a network.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from connectors.common.contract import TerminalError
from connectors.common.stores.contract import ChangedObject, ObjectAbsent, StoredObject
from connectors.common.stores.ranged import RangedStore
from connectors.common.stores.settings import StoreSettings
from connectors.common.stores.transfer import PIECE_BYTES


class LocalStore(RangedStore):
    """The files below a folder; hidden ones are passed over. A location that is a file holds it alone."""

    def __init__(self, settings: StoreSettings) -> None:
        self.location = settings.location
        self._root = Path(settings.location).expanduser()

    def find_credentials(self) -> str:
        """Return that none are needed."""
        return "a folder on this machine, read as the present user"

    def list_objects(self, prefix: str = "") -> Iterator[StoredObject]:
        """Yield the files whose relative path begins with `prefix`, by path."""
        if not self._root.exists():
            raise TerminalError(f"{self.location} does not exist; create it or correct the location")
        for key in sorted(self._keys()):
            if key.startswith(prefix):
                yield self._describe(key)

    def _keys(self) -> Iterator[str]:
        if not self._root.is_dir():
            yield self._root.name
            return
        for folder, names, files in os.walk(self._root):
            names[:] = [name for name in names if not name.startswith(".")]
            for name in files:
                if not name.startswith("."):
                    yield os.path.relpath(os.path.join(folder, name), self._root).replace(os.sep, "/")

    def _path(self, key: str) -> Path:
        if ".." in key.split("/") or key.startswith("/"):
            raise ObjectAbsent(f"{self._where(key)} is outside of the folder")
        return self._root / key if self._root.is_dir() else self._root

    def _describe(self, key: str) -> StoredObject:
        try:
            stat = self._path(key).stat()
        except FileNotFoundError as error:
            raise ObjectAbsent(f"{self._where(key)} does not exist") from error
        except OSError as error:
            raise TerminalError(
                f"{self._where(key)} cannot be read ({error.strerror}); correct that"
            ) from error
        modified_at = datetime.fromtimestamp(stat.st_mtime_ns / 1e9, UTC).replace(tzinfo=None)
        return StoredObject(key, stat.st_size, modified_at, f"{stat.st_size}-{stat.st_mtime_ns}")

    def _read(self, stored: StoredObject, offset: int) -> Iterator[bytes]:
        self._check_unchanged(stored)
        try:
            with self._path(stored.key).open("rb") as file:
                file.seek(offset)
                while piece := file.read(PIECE_BYTES):
                    self._check_unchanged(stored)
                    yield piece
        except OSError as error:
            where = self._where(stored.key)
            raise TerminalError(
                f"{where} cannot be read ({error.strerror}); correct its permissions"
            ) from error

    def _find_checksums(self, stored: StoredObject) -> Mapping[str, str]:
        return {}

    def _check_unchanged(self, stored: StoredObject) -> None:
        if self._describe(stored.key).version != stored.version:
            where = self._where(stored.key)
            raise ChangedObject(f"{where} changed since it was listed; the next run takes the new one")

    @contextmanager
    def _in_words(self, action: str, key: str = "") -> Iterator[None]:
        yield
