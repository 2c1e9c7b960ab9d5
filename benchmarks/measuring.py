"""What a piece of work takes: seconds, CPU seconds, and the resident size of this process.

What belongs here: clocks and memory, shared by the benchmarks. What must not: what is run.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Measured:
    """What one run took; `rss_bytes` is the highest resident size of this whole process during it."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    rss_bytes: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    seconds_by_model: dict[str, float] = field(default_factory=dict)


@contextmanager
def empty_folder(folder: Path) -> Iterator[Path]:
    """A folder without anything in it, gone again afterwards."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def measure() -> Iterator[Measured]:
    """Fills what it gives with what the block took; the memory is looked at fifty times a second."""
    measured, is_done = Measured(), threading.Event()
    watcher = threading.Thread(target=_watch_memory, args=(measured, is_done), daemon=True)
    watcher.start()
    started, cpu_started = time.perf_counter(), time.process_time()
    try:
        yield measured
    finally:
        measured.seconds = time.perf_counter() - started
        measured.cpu_seconds = time.process_time() - cpu_started
        is_done.set()
        watcher.join()


def _watch_memory(measured: Measured, is_done: threading.Event) -> None:
    page = os.sysconf("SC_PAGE_SIZE")
    while not is_done.wait(0.02):
        resident_pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        measured.rss_bytes = max(measured.rss_bytes, resident_pages * page)
