"""Files read with a bound on what is in memory: a packed file of megabytes may unpack to terabytes.

What belongs here: bytes and lines, gzip or plain, and what is too large. What must not: formats, or what a line means.
"""

from __future__ import annotations

import codecs
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from connectors.common.source_files import FileFault

LARGEST_FILE_BYTES = 1 << 30
"""A file that is read whole is refused above this, unpacked."""

LONGEST_LINE_BYTES = 16 << 20
_HEADER_BYTES = 1 << 20
_CHUNK = 4 << 20


def open_bytes(path: Path, *, is_packed: bool) -> IO[bytes]:
    """Open a file, unpacked on the way when it is gzip."""
    return cast("IO[bytes]", gzip.open(path, "rb")) if is_packed else path.open("rb")


def read_whole(path: Path, *, is_packed: bool) -> bytes:
    """Return all bytes of a file. Raises FileFault for one above LARGEST_FILE_BYTES, and what opening it raises."""
    parts: list[bytes] = []
    size = 0
    with open_bytes(path, is_packed=is_packed) as stream:
        while part := stream.read(_CHUNK):
            parts.append(part)
            size += len(part)
            if size > LARGEST_FILE_BYTES:
                limit = f"{LARGEST_FILE_BYTES >> 20} MiB"
                raise FileFault("oversized_file", f"is more than {limit} unpacked; deliver it in parts")
    return b"".join(parts)


def read_lines(stream: IO[bytes], longest: int = LONGEST_LINE_BYTES) -> Iterator[tuple[int, bytes | None]]:
    """Yield (number from 1, line with its end); None for a line that is too long, of which nothing is kept."""
    number = 0
    while line := stream.readline(longest):
        number += 1
        if len(line) == longest and not line.endswith(b"\n"):
            while (rest := stream.readline(longest)) and not rest.endswith(b"\n"):
                pass
            yield number, None
        else:
            yield number, line


def read_text_lines(stream: IO[bytes]) -> Iterator[str]:
    """Yield the lines of UTF-8 text with their ends, as `csv.reader` wants them; a byte order mark is left out.

    Raises FileFault for a line that is too long: where a row of CSV ends is not known after it.
    """
    for number, line in read_lines(stream):
        if line is None:
            limit = f"{LONGEST_LINE_BYTES >> 20} MiB"
            raise FileFault("oversized_line", f"line {number} is longer than {limit}", line=number)
        plain = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
        yield from (part.decode("utf-8") for part in plain.splitlines(keepends=True))


def read_header_text(path: Path, *, is_packed: bool) -> str:
    """Return the beginning of a text file, where its header line is. Raises UnicodeDecodeError."""
    with open_bytes(path, is_packed=is_packed) as stream:
        head = stream.read(_HEADER_BYTES)
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    return decoder.decode(head, final=len(head) < _HEADER_BYTES)
