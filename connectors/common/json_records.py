"""JSON objects out of a log file of any size: lines, concatenated documents, arrays; gzip or plain.

What belongs here: finding the objects, refusing what is none, in bounded memory. What must not: what a field
means. Reasons never hold content: a log's line may be a prompt.
"""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NoReturn, cast

import orjson

from connectors.common.source_files import FileFault

MAX_LINE_BYTES = 16 << 20
"""A longer line is refused: the vendors cut bodies off far below (Bedrock 100 kB, API Management 2 MB)."""

MAX_DOCUMENT_BYTES = 64 << 20
"""A file that is one JSON document is read whole up to here."""

_DEEPEST = 200
TOO_DEEP = f"malformed_line: nested deeper than {_DEEPEST} levels"
_MOST_WAITING = 100_000
_WRAPPERS = ("records", "Records", "value", "events", "data")
_GZIP_MAGIC = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_CHUNK = 1 << 20

Refuse = Callable[[int | None, str], None]
Record = dict[str, Any]


def read_json_records(path: Path, refuse: Refuse) -> Iterator[tuple[int, Record]]:
    """Yield (line, object) of a file; a line with several objects gives each, with the same number.

    A file in which no line is an object is tried as one document: an array, an object that wraps a list
    (`records`, `value` …), objects one after the other; the number is then the object's, from 1. What is no
    object goes to `refuse(line, reason)`. Raises FileFault for a file that cannot be read to its end, before
    anything is yielded, and for one without any object.
    """
    with _open(path) as stream:
        waiting: list[tuple[int, str]] = []
        has_objects = False
        for number, objects in _read_lines(stream):
            if isinstance(objects, str):
                if has_objects:
                    refuse(number, objects)
                    continue
                waiting.append((number, objects))
                if len(waiting) < _MOST_WAITING:
                    continue
                break  # so many lines of nothing are one document, or no log at all
            for line, reason in waiting:
                refuse(line, reason)
            waiting.clear()
            has_objects = has_objects or bool(objects)
            yield from ((number, found) for found in objects)
    if has_objects or not waiting:
        return
    document = _read_document(path)
    if document is None:
        raise FileFault(
            "unreadable_file", "no line is a JSON object, nor is the file one JSON document", line=1
        )
    yield from _number(document, refuse)


def _number(document: list[Any], refuse: Refuse) -> Iterator[tuple[int, Record]]:
    for number, found in enumerate(document, start=1):
        if isinstance(found, dict):
            yield number, found
        else:
            refuse(number, "malformed_line: not a JSON object")


@contextmanager
def _open(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, unpacked if its first bytes say gzip; one that is cut off is refused before it is read."""
    try:
        with path.open("rb") as plain:
            if plain.read(2) != _GZIP_MAGIC:
                plain.seek(0)
                yield plain
                return
        with gzip.open(path, "rb") as whole:
            while whole.read(_CHUNK):
                pass
        with gzip.open(path, "rb") as stream:
            yield cast("IO[bytes]", stream)
    except (OSError, EOFError, zlib.error) as error:
        reason = f"cannot be read to its end ({type(error).__name__}); deliver it again"
        raise FileFault("unreadable_file", reason) from error


def _read_lines(stream: IO[bytes]) -> Iterator[tuple[int, list[Record] | str]]:
    """Yield per line its objects, or why it has none; blank lines are passed over."""
    number = 0
    while line := stream.readline(MAX_LINE_BYTES):
        number += 1
        if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
            if _skip_rest(stream):
                yield number, f"oversized_line: longer than {MAX_LINE_BYTES >> 20} MB"
                continue
        text = line.removeprefix(_BOM).strip() if number == 1 else line.strip()
        if text:
            yield number, _parse_line(text)


def _skip_rest(stream: IO[bytes]) -> bool:
    """Read on to the end of a long line without keeping it; False when it ended just there."""
    is_longer = False
    while rest := stream.readline(_CHUNK):
        is_longer = True
        if rest.endswith(b"\n"):
            break
    return is_longer


def _parse_line(text: bytes) -> list[Record] | str:
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError:
        found = _split_documents(text) if b"}" in text else None
        if not found or not all(isinstance(part, dict) for part in found):
            return "malformed_line: not a JSON object"
        return TOO_DEEP if is_nested_too_deeply(found, text) else _unwrap(found)
    if isinstance(content, dict | list):
        if is_nested_too_deeply(content, text):
            return TOO_DEEP
        found = _unwrap([content])
        if all(isinstance(part, dict) for part in found):
            return found
    return "malformed_line: not a JSON object"


def is_nested_too_deeply(content: object, text: bytes) -> bool:
    """Tell JSON that is nested deeper than any log's, given with its text: walking it would exhaust the stack."""
    if text.count(b"{") + text.count(b"[") <= _DEEPEST:
        return False
    level: list[object] = [content]
    for _ in range(_DEEPEST):
        level = [
            part
            for holder in level
            for part in (holder.values() if isinstance(holder, dict) else holder)  # type: ignore[attr-defined]
            if isinstance(part, dict | list)
        ]
        if not level:
            return False
    return True


def _read_document(path: Path) -> list[Any] | None:
    """The objects of a file that is no JSON lines; None when it is no JSON either, or too large."""
    with _open(path) as stream:
        content = stream.read(MAX_DOCUMENT_BYTES + 1)
    if len(content) > MAX_DOCUMENT_BYTES:
        return None
    found = _split_documents(content.removeprefix(_BOM))
    return None if found is None or is_nested_too_deeply(found, content) else _unwrap(found)


def _unwrap(found: list[Any]) -> list[Any]:
    """Objects in place of the arrays and wrappers that hold them."""
    objects: list[Any] = []
    for part in found:
        wrapped = _find_wrapped(part)
        if wrapped is None:
            objects.append(part)
        else:
            objects.extend(wrapped)
    return objects


def _find_wrapped(part: Any) -> list[Any] | None:
    if isinstance(part, list):
        return part
    if isinstance(part, dict) and len(part) <= 3:
        return next((part[name] for name in _WRAPPERS if isinstance(part.get(name), list)), None)
    return None


def _split_documents(text: bytes) -> list[Any] | None:
    """JSON documents that follow one another; None when something else is among them."""
    try:
        decoded = text.decode("utf-8")
        decoder = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_parse_finite)
        found, position = [], 0
        while position < len(decoded):
            if decoded[position].isspace() or decoded[position] == ",":
                position += 1
                continue
            document, position = decoder.raw_decode(decoded, position)
            found.append(document)
    except (ValueError, RecursionError):
        return None
    return found


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


def _parse_finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number
