"""Parse one file of JSON lines, in parts, by several processes where it is large.

What belongs here: cutting a file into parts, keeping their order, bounding what is in memory. What must not: JSON.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context

import polars as pl

from connectors.common.source_files import SourceFile
from connectors.otel_genai.lines import read_lines
from connectors.otel_genai.otlp_lines import OtlpReader
from connectors.otel_genai.raw_spans import AttributeNames, ReadNotes

PART_BYTES = 8 * 2**20
"""So many bytes of lines are parsed at once (more where one line is longer)."""
PARALLEL_BYTES = 64 * 2**20
"""A file smaller than this is parsed where we are: processes take a second to begin."""

Lines = list[tuple[int, bytes]]


def parse_file(
    file: SourceFile, names: AttributeNames, workers: int, notes: ReadNotes
) -> Iterator[pl.DataFrame]:
    """Yield the raw spans of a file in its order; `notes` has taken over what was odd when all is read."""
    parts = _read_parts(file, notes)
    if workers == 1 or file.size < PARALLEL_BYTES:
        for part in parts:
            frame, noted = parse_part(part, names)
            notes.add(noted)
            yield frame
        return
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    waiting: deque[Future[tuple[pl.DataFrame, ReadNotes]]] = deque()
    try:
        for part in parts:
            waiting.append(pool.submit(parse_part, part, names))
            if len(waiting) > workers:
                yield _take(waiting, notes)
        while waiting:
            yield _take(waiting, notes)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def parse_part(lines: Lines, names: AttributeNames) -> tuple[pl.DataFrame, ReadNotes]:
    """Return the raw spans of some lines, and what was odd."""
    reader = OtlpReader(names)
    reader.read_lines(lines)
    return reader.take(), reader.notes


def _take(waiting: deque[Future[tuple[pl.DataFrame, ReadNotes]]], notes: ReadNotes) -> pl.DataFrame:
    frame, noted = waiting.popleft().result()
    notes.add(noted)
    return frame


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
