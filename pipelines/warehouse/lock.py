"""One writer at a time in a home.

What belongs here: the lock that every writer of a home holds. What must not: what is written under it.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.warehouse.errors import LockedError

LOCK_NAME = ".lock"


@contextmanager
def writer_lock(home: Path, *, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold `<home>/.lock` while the body runs; the kernel frees it when the process dies, however it dies.

    Raises LockedError when another process holds it for longer than `wait_seconds`.
    """
    home.mkdir(parents=True, exist_ok=True)
    path = home / LOCK_NAME
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _acquire(descriptor, path, wait_seconds)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, path: Path, wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                holder = path.read_text().strip() or "unknown"
                message = (
                    f"Another run is writing in {path.parent}: process {holder} holds {path}. "
                    "Wait until it has ended."
                )
                raise LockedError(message) from None
            time.sleep(0.05)
        else:
            return
