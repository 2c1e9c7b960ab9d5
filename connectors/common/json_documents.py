"""A delivered file that is one JSON document: an answer of an API that somebody saved.

What belongs here: opening it, reading it whole in bounded memory. What must not: what a field means; files of many
records (`json_records.py`).
"""

from __future__ import annotations

import json
import zlib
from typing import IO, Any

from connectors.common.bounded_reading import open_bytes
from connectors.common.source_files import FileFault, SourceFile

LARGEST_DOCUMENT = 256 << 20


def open_content(file: SourceFile) -> IO[bytes]:
    """Open a delivered file, unpacked where its name ends in `.gz`."""
    return open_bytes(file.path, is_packed=file.relative.lower().endswith(".gz"))


def read_document_file(file: SourceFile, advice: str) -> Any:
    """Return the document of a file. Raises FileFault, which says `advice` of one that is too large."""
    try:
        with open_content(file) as stream:
            return read_document(stream, advice)
    except (OSError, EOFError, zlib.error) as error:
        message = f"cannot be read to its end ({type(error).__name__}); deliver it again"
        raise FileFault("unreadable_file", message) from error


def read_document(stream: IO[bytes], advice: str) -> Any:
    """Return the document of an open file. Raises FileFault, which says `advice` of one that is too large."""
    body = stream.read(LARGEST_DOCUMENT + 1)
    if len(body) > LARGEST_DOCUMENT:
        raise FileFault("unreadable_file", f"is one JSON value of more than 256 MiB; {advice}")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        message = f"is not readable JSON in UTF-8 ({type(error).__name__}); deliver it again"
        raise FileFault("unreadable_file", message) from error
