"""The lines of a file, and the file's faults: what is no text, cut short, too long or another format.

What belongs here: bytes in, numbered lines out, in bounded memory. What must not: JSON, spans.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

from connectors.common.source_files import FileFault, SourceFile

MAX_LINE_BYTES = 32 * 2**20
"""A longer line is refused: no exporter writes one (a batch of 8,192 spans is a tenth of this)."""

_BLOCK_BYTES = 2**20
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}


def read_lines(file: SourceFile, refuse: Callable[[int, str], None]) -> Iterator[tuple[int, bytes]]:
    """Yield (line number, line) of each line that is not empty; a line that is too long goes to `refuse`.

    Raises FileFault for a file that cannot be read to its end, or that is no JSON lines at all.
    """
    try:
        with file.path.open("rb") as raw:
            check_beginning(raw.read(16), file)
        compression = _COMPRESSIONS.get(Path(file.relative.lower()).suffix)
        with pa.input_stream(file.path, compression=compression) as stream:
            yield from _split(stream, refuse)
    except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
        message = f"cannot be read to its end ({type(error).__name__}); deliver the file again"
        raise FileFault("unreadable_file", message) from error


def check_beginning(head: bytes, file: SourceFile) -> None:
    """Raise FileFault when the first bytes tell of a format that is not read here."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise FileFault("unreadable_file", "is UTF-16 text; OTLP JSON is UTF-8: deliver it so")
    length = int.from_bytes(head[:4], "big")
    if len(head) > 8 and head[0] < 9 and 0 < length <= max(file.size - 4, 0):
        if head[4:8] == _ZSTD_MAGIC:
            message = (
                "holds length-prefixed compressed messages; leave `compression` of the collector's file "
                "exporter away, and compress whole files instead"
            )
            raise FileFault("unreadable_file", message)
        if head[4] == 0x0A:
            message = "holds length-prefixed protobuf; set `format: json` on the collector's file exporter"
            raise FileFault("unreadable_file", message)


def _split(stream: pa.NativeFile, refuse: Callable[[int, str], None]) -> Iterator[tuple[int, bytes]]:
    number = 1
    begun = _BegunLine()
    while block := stream.read(_BLOCK_BYTES):
        *ended, rest = block.split(b"\n")
        for part in ended:
            yield from _end_line(number, begun, part, refuse)
            number += 1
        begun.add(rest)
    yield from _end_line(number, begun, b"", refuse)


def _end_line(
    number: int, begun: _BegunLine, part: bytes, refuse: Callable[[int, str], None]
) -> Iterator[tuple[int, bytes]]:
    line = begun.end(part)
    if line is None:
        refuse(number, _TOO_LONG)
    elif line.strip():
        yield number, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line


class _BegunLine:
    """The beginning of a line whose end is still to come; what is too long is not kept."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > MAX_LINE_BYTES:
            self._parts.clear()
        elif part:
            self._parts.append(part)

    def end(self, part: bytes) -> bytes | None:
        """Return the whole line, None for one that is too long; the next one begins."""
        self.add(part)
        line = None if self._size > MAX_LINE_BYTES else b"".join(self._parts)
        self._parts, self._size = [], 0
        return line


_TOO_LONG = (
    f"oversized_line: longer than {MAX_LINE_BYTES // 2**20} MB; set a smaller batch size in the collector"
)
