"""Bringing one object to disk: in pieces, from where it stopped, digested as it comes, checked at the end.

What belongs here: what is the same for every store. What must not: a vendor's client.
"""

from __future__ import annotations

import base64
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from hashlib import md5, sha1, sha256
from pathlib import Path
from typing import Protocol
from zlib import crc32

from connectors.common.contract import TransientError
from connectors.common.stores.contract import ChangedObject, DamagedContent, OnBytes, StoredObject

PIECE_BYTES = 4 << 20
"""How much of an object is in memory at most, for each transfer that is under way."""
_FAILURES_IN_A_ROW = 6
_LONGEST_WAIT_SECONDS = 20.0
_LONGEST_SILENCE_SECONDS = 600.0
"""A client waits and asks again by itself too: after so long without a byte it is not asked once more."""

OpenFrom = Callable[[int], Iterator[bytes]]
"""Offset → the content from there on, in pieces. Raises BrokenTransfer when it may be asked again."""


class BrokenTransfer(Exception):
    """The connection broke, or the store is busy; what arrived before is good."""


class Digest(Protocol):
    """What `hashlib` and the CRCs below have in common."""

    def update(self, data: bytes, /) -> None:
        """Take more content."""
        ...

    def digest(self) -> bytes:
        """Return the digest of the content so far."""
        ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


def _build_crc32c() -> Digest:
    from google_crc32c import Checksum

    return Checksum()


_DIGESTS: dict[str, Callable[[], Digest]] = {
    "md5": lambda: md5(usedforsecurity=False),
    "sha1": lambda: sha1(usedforsecurity=False),
    "sha256": sha256,
    "crc32": _Crc32,
    "crc32c": _build_crc32c,
}
KNOWN_CHECKSUMS = frozenset(_DIGESTS)
"""Names of the checksums that `transfer` can compare; values are base64, as the stores write them."""


def read_on(stored: StoredObject, where: str, open_from: OpenFrom, offset: int = 0) -> Iterator[bytes]:
    """Yield the content of an object from `offset`; a connection that breaks is taken up again with backoff.

    `where` names the object in messages. Raises TransientError when nothing comes any more, and what
    `open_from` raises.
    """
    failures, arrived_at = 0, time.monotonic()
    while offset < stored.size:
        before, problem = offset, "it ended too early"
        try:
            for piece in open_from(offset):
                kept = piece[: stored.size - offset]
                offset += len(kept)
                yield kept
                arrived_at = time.monotonic()
        except BrokenTransfer as error:
            problem = str(error)
        if offset >= stored.size:
            return
        failures = 1 if offset > before else failures + 1
        is_silent = time.monotonic() - arrived_at >= _LONGEST_SILENCE_SECONDS
        if failures >= _FAILURES_IN_A_ROW or is_silent:
            raise TransientError(
                f"{where}: the connection broke again and again ({problem}); try again later"
            )
        _wait(failures)


def transfer(
    stored: StoredObject,
    where: str,
    target: Path,
    open_from: OpenFrom,
    checksums: Mapping[str, str],
    on_bytes: OnBytes,
) -> str:
    """Write an object to `target` and return its SHA-256; what `target` has already is not asked for again.

    Raises DamagedContent, and what `read_on` raises; where the object is another one, `target` is removed.
    """
    digests = {name: _DIGESTS[name]() for name in {*checksums, "sha256"} & KNOWN_CHECKSUMS}

    def take(piece: bytes) -> None:
        for digest in digests.values():
            digest.update(piece)
        on_bytes(len(piece))

    descriptor = os.open(target, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with os.fdopen(descriptor, "r+b") as file:
            if os.fstat(file.fileno()).st_size > stored.size:
                file.truncate(0)
            while piece := file.read(PIECE_BYTES):  # what an earlier try wrote
                take(piece)
            for piece in read_on(stored, where, open_from, file.tell()):
                file.write(piece)
                take(piece)
            file.flush()
            os.fsync(file.fileno())
        found = {name: base64.b64encode(digest.digest()).decode() for name, digest in digests.items()}
        for name in sorted(checksums.keys() & KNOWN_CHECKSUMS):
            if found[name] != checksums[name]:
                message = (
                    f"{where}: its {name.upper()} is not the one that the store states; it is fetched again"
                )
                raise DamagedContent(message)
    except (ChangedObject, DamagedContent):
        target.unlink(missing_ok=True)
        raise
    return digests["sha256"].digest().hex()


def _wait(failures: int) -> None:
    longest = min(_LONGEST_WAIT_SECONDS, 0.25 * 2**failures)
    time.sleep(longest * random.uniform(0.5, 1.0))  # noqa: S311 (spreads clients, hides nothing)
