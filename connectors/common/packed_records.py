"""Many delivery records in few files: `deliveries/packed/000001.jsonl.gz` beside the manifests of a source.

What belongs here: packing manifests and reading them again. What must not: what a record means
(`delivery_records.py`).

A source of small files makes a manifest a file, and every night reads all of them. Once there are many, they move into
one packed file; packed files are never changed. A manifest that is written anew stands beside them and counts instead
of the packed one. Who finds a manifest gone that was listed finds it packed: it is removed after it was packed.
"""

from __future__ import annotations

import gzip
import os
import uuid
import zlib
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

_FOLDER = "packed"
_PACKED_FROM = 500
_LINES = 10_000


def pack_manifests(folder: Path, names: Iterable[str]) -> int:
    """Pack those of the named manifests of a folder that lie there; return how many, none while they are few.

    Only the writer of a source calls this. A killed run leaves each of them packed, beside, or both, and alike.
    """
    present = {entry.name for entry in os.scandir(folder)} if folder.is_dir() else set()
    wanted = sorted(present.intersection(names))
    if len(wanted) < _PACKED_FROM:
        return 0
    for start in range(0, len(wanted), _LINES):
        some = wanted[start : start + _LINES]
        lines = [
            name.encode() + b"\t" + orjson.dumps(orjson.loads((folder / name).read_bytes())) + b"\n"
            for name in some
        ]
        _write(folder / _FOLDER, b"".join(lines))
        for name in some:
            (folder / name).unlink()
    return len(wanted)


def read_packed(folder: Path, known: Collection[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and content of the packed manifests but those of known names; of one packed twice the newer.

    Raises ValueError or OSError where a packed file is damaged.
    """
    told: set[str] = set()
    for path in sorted(_list(folder / _FOLDER), reverse=True):
        try:
            lines = gzip.decompress(path.read_bytes()).splitlines()
        except (EOFError, zlib.error) as error:
            raise ValueError(f"{path} is damaged") from error
        for line in lines:
            head, _, content = line.partition(b"\t")
            name = head.decode()
            if name not in known and name not in told:
                told.add(name)
                yield name, orjson.loads(content)


def _list(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*.jsonl.gz") if path.name[:1].isdigit()]


def _write(folder: Path, content: bytes) -> None:
    """Write one more packed file, on disk as a whole before anything is removed that it holds."""
    folder.mkdir(exist_ok=True)
    number = max((int(path.name.split(".")[0]) for path in _list(folder)), default=0) + 1
    temporary = folder / f"_tmp-{uuid.uuid4().hex}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(gzip.compress(content, 6, mtime=0))
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, folder / f"{number:06d}.jsonl.gz")
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    for path in (folder, folder.parent):
        _sync_folder(path)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
