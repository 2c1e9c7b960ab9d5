"""Parse files of JSON lines, in parts, by several processes where there is much of them.

What belongs here: cutting files into parts, keeping their order, bounding what is in memory. What must not: JSON.

Processes go on with the next files while one is written: many small files are as parallel as one large one. At most
one part more than there are processes is under way, whatever file it is of.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import polars as pl

from connectors.common.source_files import FileFault, SourceFile
from connectors.otel_genai.lines import read_lines
from connectors.otel_genai.otlp_lines import OtlpReader
from connectors.otel_genai.raw_spans import AttributeNames, ReadNotes

PART_BYTES = 8 * 2**20
"""So many bytes of lines are parsed at once (more where one line is longer)."""
PARALLEL_BYTES = 64 * 2**20
"""Less than this is parsed where we are: processes take a second to begin."""

_PACKED = 8
"""How much larger than its file compressed JSON is, about."""

Lines = list[tuple[int, bytes]]


@dataclass
class _Begun:
    """A file of which parts are read: what is under way of it, and how its reading ended."""

    parts: Iterator[Lines]
    notes: ReadNotes
    waiting: deque[Future[tuple[pl.DataFrame, ReadNotes]]] = field(default_factory=deque)
    is_read: bool = False
    fault: FileFault | None = None

    def read_part(self) -> Lines | None:
        """Return the next part, None at the end of the file or where it cannot be read on (`fault`)."""
        try:
            return next(self.parts)
        except StopIteration:
            self.is_read = True
        except FileFault as fault:
            self.is_read, self.fault = True, fault
        return None


class SpanParser:
    """Parses the files of one landing; a context that ends its processes."""

    def __init__(self, names: AttributeNames, workers: int) -> None:
        self._names = names
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None
        self._next: deque[SourceFile] = deque()
        self._begun: dict[tuple[str, str], _Begun] = {}

    def __enter__(self) -> SpanParser:
        return self

    def __exit__(self, *error: object) -> None:
        self._end()

    def expect(self, files: Sequence[SourceFile]) -> None:
        """Take note of files that will be parsed next, in this order; those that are no JSON lines are passed over."""
        lines = [file for file in files if not file.relative.lower().endswith((".parquet", ".binpb"))]
        self._next.extend(lines)
        if sum(map(estimate_size, lines)) >= PARALLEL_BYTES:
            self._start()

    def parse(self, file: SourceFile, notes: ReadNotes) -> Iterator[pl.DataFrame]:
        """Yield the raw spans of a file in its order; `notes` has taken over what was odd when all is read.

        Raises FileFault for a file that cannot be read to its end.
        """
        if estimate_size(file) >= PARALLEL_BYTES:
            self._start()
        if self._pool is None:
            for part in _read_parts(file, notes):
                frame, noted = parse_part(part, self._names)
                notes.add(noted)
                yield frame
            return
        begun = self._take(file)
        try:
            yield from self._parse_together(begun, notes)
        finally:
            for future in begun.waiting:
                future.cancel()
            self._begun.pop(_key(file), None)
        notes.add(begun.notes)
        if begun.fault is not None:
            raise begun.fault

    def _parse_together(self, begun: _Begun, notes: ReadNotes) -> Iterator[pl.DataFrame]:
        while True:
            try:
                self._feed(begun)
                if not begun.waiting:
                    return
                frame, noted = self._wait_for(begun.waiting.popleft())
            except BrokenProcessPool as error:
                self._kill()
                message = "a process that parsed it was killed, often for want of memory; set fewer `workers`"
                raise FileFault("unreadable_file", message) from error
            notes.add(noted)
            yield frame

    def _take(self, file: SourceFile) -> _Begun:
        """Return a file as far as it is begun; what was expected before it and never asked for is forgotten."""
        if _key(file) in self._begun:
            for key in list(self._begun):
                if key == _key(file):
                    break
                del self._begun[key]
        else:
            self._begun = {}
            if file in self._next:
                while self._next.popleft() != file:
                    pass
            self._begin(file)
        return self._begun[_key(file)]

    def _begin(self, file: SourceFile) -> None:
        notes = ReadNotes()
        self._begun[_key(file)] = _Begun(_read_parts(file, notes), notes)

    def _feed(self, current: _Begun) -> None:
        """Give the processes parts of the files that are begun, then of those that come next."""
        assert self._pool is not None  # noqa: S101 (only asked for where there are processes)
        while self._count_waiting() <= self._workers or not (current.waiting or current.is_read):
            begun = next((begun for begun in self._begun.values() if not begun.is_read), None)
            if begun is None:
                if not self._next:
                    return
                self._begin(self._next.popleft())
                continue
            part = begun.read_part()
            if part is not None:
                begun.waiting.append(self._pool.submit(parse_part, part, self._names))

    def _count_waiting(self) -> int:
        return sum(len(begun.waiting) for begun in self._begun.values())

    def _start(self) -> None:
        if self._pool is None and self._workers > 1:
            self._pool = ProcessPoolExecutor(self._workers, mp_context=get_context("spawn"))

    def _kill(self) -> None:
        """End a broken pool. It ends its processes itself, but waits for ever for one that it started meanwhile."""
        for process in list((getattr(self._pool, "_processes", None) or {}).values()):
            process.kill()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = None
        self._begun = {}

    def _wait_for(self, future: Future[tuple[pl.DataFrame, ReadNotes]]) -> tuple[pl.DataFrame, ReadNotes]:
        """Return a result; a pool that breaks may forget a part that was given to it at that moment."""
        while True:
            try:
                return future.result(timeout=1)
            except TimeoutError:
                if not future.done() and getattr(self._pool, "_broken", False):
                    raise BrokenProcessPool("a process ended") from None

    def _end(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = None
        self._begun = {}


def parse_part(lines: Lines, names: AttributeNames) -> tuple[pl.DataFrame, ReadNotes]:
    """Return the raw spans of some lines, and what was odd."""
    reader = OtlpReader(names)
    reader.read_lines(lines)
    return reader.take(), reader.notes


def _key(file: SourceFile) -> tuple[str, str]:
    return file.relative, file.sha256


def estimate_size(file: SourceFile) -> int:
    """Return about how many bytes a file holds when it is unpacked."""
    is_packed = Path(file.relative.lower()).suffix in (".gz", ".zst", ".parquet")
    return file.size * (_PACKED if is_packed else 1)


def _read_parts(file: SourceFile, notes: ReadNotes) -> Iterator[Lines]:
    part: Lines = []
    size = 0

    def refuse(number: int, reason: str) -> None:
        notes.lines += 1
        notes.malformed.append((number, reason))

    for number, line in read_lines(file, refuse):
        part.append((number, line))
        size += len(line)
        if size >= PART_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part
