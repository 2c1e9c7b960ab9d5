"""The delivered files of a source, and the index of those seen before, so that nothing is hashed twice.

What belongs here: finding files, their digests, `seen.json`. What must not: the meaning of their content.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import orjson

from connectors.common.contract import TerminalError
from connectors.common.delivery_records import write_json
from connectors.common.digests import read_file_sha256

KNOWN_SUFFIXES = (".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".ndjson", ".json", ".parquet", ".yml", ".yaml")
_PASSING_SHARE = 9
"""So many times as long as writing the index took, no other writing of it in passing begins."""


class FileFault(TerminalError):
    """A delivered file that cannot be taken over; `kind` is the finding's kind."""

    def __init__(
        self, kind: str, message: str, *, line: int | None = None, column: str | None = None
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.line = line
        self.column = column


@dataclass(frozen=True)
class SourceFile:
    """One delivered file as found on disk (or in the artifact store, under its first relative path)."""

    path: Path
    relative: str
    size: int
    mtime_ns: int
    sha256: str

    @property
    def modified_at(self) -> datetime:
        """Time of the last change, UTC without zone."""
        return datetime.fromtimestamp(self.mtime_ns / 1e9, UTC).replace(tzinfo=None)

    @property
    def suffix(self) -> str:
        """The known suffix of the name, `.csv.gz` included."""
        return file_suffix(self.relative)


def file_suffix(name: str) -> str:
    """Return the longest known suffix of a file name, else what follows its last dot."""
    lowered = name.lower()
    known = [suffix for suffix in KNOWN_SUFFIXES if lowered.endswith(suffix)]
    return max(known, key=len) if known else Path(lowered).suffix


def list_paths(path: Path, pattern: str, suffixes: tuple[str, ...]) -> tuple[list[str], int]:
    """Return the relative paths of the matching files, sorted, and how many were passed over.

    Hidden files and files with another suffix are passed over. Raises FileFault when the path is missing.
    """
    if not path.exists():
        raise FileFault("missing_path", f"{path} does not exist; create it or correct `path` in the config")
    if not path.is_dir():
        return [path.name], 0
    found: list[str] = []
    passed_over = 0
    for folder, names, files in os.walk(path):
        names[:] = sorted(name for name in names if not name.startswith("."))
        for name in files:
            relative = os.path.relpath(os.path.join(folder, name), path).replace(os.sep, "/")
            if name.startswith(".") or not is_matching(relative, pattern):
                continue
            if not name.lower().endswith(suffixes):
                passed_over += 1
                continue
            found.append(relative)
    return sorted(found), passed_over


def is_matching(relative: str, pattern: str) -> bool:
    """Tell whether a relative path matches a glob; `**/` at its beginning also means no folder at all."""
    return any(fnmatchcase(relative, glob) for glob in (pattern, pattern.removeprefix("**/")))


class SeenIndex:
    """`seen.json`: relative path → size, mtime, digest of a file, and what came of it under which typing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        content = _read_index(path)
        self.files: dict[str, dict[str, Any]] = content.get("files", {})
        self.notes: dict[str, Any] = content.get("notes", {})
        self._is_changed = False
        self._save_again_at = 0.0

    def identify(self, root: Path, relative: str, *, is_folder: bool) -> SourceFile:
        """Return the file with its digest, taken from the index when size and mtime are as last seen.

        `root` is the file itself where it is no folder.
        """
        path = Path(f"{root}/{relative}") if is_folder else root
        stat = path.stat()
        entry = self.files.get(relative)
        if entry is None or (entry["size"], entry["mtime_ns"]) != (stat.st_size, stat.st_mtime_ns):
            sha256 = read_file_sha256(path)
            kept = entry if entry is not None and entry["sha256"] == sha256 else {}
            entry = kept | {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": sha256}
            self.files[relative] = entry
            self._is_changed = True
        return SourceFile(path, relative, stat.st_size, stat.st_mtime_ns, entry["sha256"])

    def read_outcome(self, file: SourceFile, typing_digest: str) -> dict[str, Any] | None:
        """Return what came of this content under these typing settings, None when it was not read yet."""
        entry = self.files.get(file.relative, {})
        outcome = entry.get("outcome")
        is_known = outcome and outcome["typing"] == typing_digest and entry["sha256"] == file.sha256
        return outcome if is_known else None

    def write_outcome(self, file: SourceFile, typing_digest: str, outcome: dict[str, Any]) -> None:
        """Remember what came of a file."""
        entry = self.files.setdefault(file.relative, {})
        entry |= {"size": file.size, "mtime_ns": file.mtime_ns, "sha256": file.sha256}
        entry["outcome"] = outcome | {"typing": typing_digest}
        self._is_changed = True

    def write_note(self, key: str, value: object) -> None:
        """Remember something else of the source under a key (JSON values only)."""
        if self.notes.get(key) != value:
            self.notes[key] = value
            self._is_changed = True

    def save(self) -> None:
        """Write the index when anything changed."""
        if self._is_changed:
            write_json(self._path, {"files": self.files, "notes": self.notes})
            self._is_changed = False

    def save_in_passing(self) -> None:
        """Write the index as `save` does, unless all such writing would take more than a tenth of the time.

        A large index is so written a few times a run, not once for every few files. End with `save`.
        """
        begun = time.monotonic()
        if begun >= self._save_again_at:
            self.save()
            ended = time.monotonic()
            self._save_again_at = ended + _PASSING_SHARE * (ended - begun)


def _read_index(path: Path) -> dict[str, Any]:
    """Return what was saved; a torn index is only slower, for files and delivery records say the same again."""
    try:
        content = orjson.loads(path.read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return {}
    return content if isinstance(content, dict) else {}
