"""What a connector may ask of an object store, wherever it is.

What belongs here: the interface and its records. What must not: a vendor's client, or what objects mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from connectors.common.contract import TerminalError, TransientError

OnBytes = Callable[[int], None]
"""Told how many bytes arrived since it was last called."""


@dataclass(frozen=True)
class StoredObject:
    """One object as the store lists it.

    `key` is relative to the location, with '/' between its parts. `version` changes whenever the content does
    (ETag, generation, MD5; size and mtime on disk): equal key and version need no second download.
    `modified_at` is UTC without zone.
    """

    key: str
    size: int
    modified_at: datetime
    version: str


class ObjectStore(Protocol):
    """A folder of objects. Methods raise TransientError or TerminalError in words for the source's owner.

    Implementations retry throttling, 5xx and broken connections with backoff before they raise.
    """

    location: str
    """The location as the config states it, without secrets: for messages."""

    def list_objects(self, prefix: str = "") -> Iterator[StoredObject]:
        """Yield the objects whose key begins with `prefix`, in key order."""
        ...

    def read_bytes(self, key: str, limit: int = 64 << 20) -> bytes:
        """Return the content of a small object; TerminalError when it is absent or larger than `limit`."""
        ...

    def download(self, stored: StoredObject, target: Path, on_bytes: OnBytes) -> str:
        """Write exactly this version of an object to `target`, going on where an earlier try stopped.

        Returns the SHA-256 of the content. Memory is bounded whatever the size; the file is readable by its
        owner only. Raises ChangedObject when the object changed meanwhile, and DamagedContent when the bytes
        do not match the store's checksum; `target` is then removed.
        """
        ...

    def find_credentials(self) -> str:
        """Return in words which credentials are used; TerminalError when there are none. Never a secret."""
        ...

    def read_beginning(self, stored: StoredObject) -> bytes:
        """Return the first bytes of an object, to prove that it may be read."""
        ...


class ChangedObject(TransientError):
    """The object is not the one that was listed any more."""


class DamagedContent(TransientError):
    """What arrived is not what the store's checksum says."""


class ObjectAbsent(TerminalError):
    """There is no such object."""
