"""What every store does alike, once it can describe an object and read it from an offset.

What belongs here: the methods of the interface that need no vendor. What must not: a vendor's client.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from connectors.common.contract import TerminalError
from connectors.common.stores.contract import OnBytes, StoredObject
from connectors.common.stores.transfer import OpenFrom, read_on, transfer


class RangedStore(ABC):
    """Base of the stores: listing, and one object from an offset, is theirs; the rest is here."""

    location: str

    def read_bytes(self, key: str, limit: int = 64 << 20) -> bytes:
        """Return the content of an object that is no larger than `limit`."""
        with self._in_words("read", key):
            stored = self._describe(key)
            if stored.size > limit:
                message = f"{self._where(key)} has {stored.size} bytes, more than the {limit} expected"
                raise TerminalError(f"{message}; correct the location")
        return b"".join(read_on(stored, self._where(key), self._opener(stored)))

    def read_beginning(self, stored: StoredObject) -> bytes:
        """Return the first bytes of an object."""
        return next(read_on(stored, self._where(stored.key), self._opener(stored)), b"")[:1024]

    def download(self, stored: StoredObject, target: Path, on_bytes: OnBytes) -> str:
        """Bring an object to disk; see the interface."""
        with self._in_words("read", stored.key):
            checksums = self._find_checksums(stored)
        where = self._where(stored.key)
        return transfer(stored, where, target, self._opener(stored), checksums, on_bytes)

    def _opener(self, stored: StoredObject) -> OpenFrom:
        def open_from(offset: int) -> Iterator[bytes]:
            with self._in_words("read", stored.key):
                yield from self._read(stored, offset)

        return open_from

    @abstractmethod
    def _describe(self, key: str) -> StoredObject:
        """Return an object as it is now."""

    @abstractmethod
    def _find_checksums(self, stored: StoredObject) -> Mapping[str, str]:
        """Return what the store states of the whole content: name → base64."""

    @abstractmethod
    def _read(self, stored: StoredObject, offset: int) -> Iterator[bytes]:
        """Yield exactly this version from an offset on; BrokenTransfer when it may be asked again."""

    @abstractmethod
    def _in_words(self, action: str, key: str = "") -> AbstractContextManager[None]:
        """Turn the client's errors into those of a connector."""

    def _where(self, key: str = "") -> str:
        return f"{self.location.rstrip('/')}/{key}" if key else self.location
