"""Lines of a text log in blocks, in bounded memory, whatever the file holds.

What belongs here: gzip or plain, long lines, line numbers. What must not: what a line means.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from connectors.common.source_files import FileFault

LONGEST_LINE_BYTES = 64 << 10
_BLOCK_BYTES = 4 << 20
_GZIP_MAGIC = b"\x1f\x8b"


def read_line_blocks(
    path: Path, refuse: Callable[[int | None, str], None]
) -> Iterator[tuple[int, list[bytes]]]:
    """Yield (number of the first line, lines without their ends); lines that are too long are refused and empty.

    Raises FileFault for a file that cannot be read to its end.
    """
    number, rest, is_skipping = 1, b"", False
    try:
        with _open(path) as stream:
            while block := stream.read(_BLOCK_BYTES):
                lines = (rest + block).split(b"\n")
                rest = lines.pop()
                if is_skipping and lines:
                    lines[0], is_skipping = b"", False
                if len(rest) > LONGEST_LINE_BYTES or is_skipping:
                    if not is_skipping:
                        refuse(number + len(lines), _TOO_LONG)
                    rest, is_skipping = b"", True
                for position, line in enumerate(lines):
                    if len(line) > LONGEST_LINE_BYTES:
                        refuse(number + position, _TOO_LONG)
                        lines[position] = b""
                if lines:
                    yield number, lines
                number += len(lines)
            if rest:
                yield number, [rest]
    except (OSError, EOFError, zlib.error) as error:
        message = f"cannot be read to its end ({type(error).__name__}); deliver it again"
        raise FileFault("unreadable_file", message) from error


_TOO_LONG = f"a line of more than {LONGEST_LINE_BYTES >> 10} KiB"


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as stream:
        is_packed = stream.read(2) == _GZIP_MAGIC
    return gzip.open(path, "rb") if is_packed else path.open("rb")  # type: ignore[return-value]
