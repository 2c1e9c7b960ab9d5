"""Flat rows on disk: one Parquet file a day of export, kept in the lake before anything is typed.

What belongs here: splitting rows by the UTC day they were exported, writing them, telling equal content. What
must not: asking Google, or what a row means.
"""

from __future__ import annotations

import os
import uuid
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from connectors.common.bills.nested import build_json_texts
from connectors.common.digests import build_digests, read_file_sha256
from connectors.common.parsing import parse_instant
from connectors.common.source_files import SourceFile

_BUFFERED_ROWS = 65_536


@dataclass(frozen=True)
class Snapshot:
    """Rows of one day (or of one extracted file) on disk.

    `content` is a digest of the rows whatever their order; `newest_at` the newest time of export.
    """

    name: str
    sha256: str
    size: int
    rows: int
    content: str
    newest_at: str
    services: tuple[str, ...] = ()
    currencies: tuple[str, ...] = ()

    @property
    def delivered_at(self) -> datetime:
        """The newest time of export, UTC without zone."""
        return parse_instant(self.newest_at)

    def build_file(self, folder: Path) -> SourceFile:
        """Return the file as a delivery names it."""
        return SourceFile(
            folder / f"{self.sha256}.parquet", f"{self.name}.parquet", self.size, 0, self.sha256
        )

    def to_note(self) -> dict[str, Any]:
        """Return what to remember, as JSON values."""
        return {**asdict(self), "services": list(self.services), "currencies": list(self.currencies)}


def remove_leftovers(folder: Path) -> None:
    """Remove what a run that was killed had half written; one run at a time writes there."""
    for path in folder.glob("_tmp-*"):
        path.unlink(missing_ok=True)


def read_snapshot(note: dict[str, Any]) -> Snapshot:
    """Return what `to_note` wrote."""
    lists = {name: tuple(note[name]) for name in ("services", "currencies")}
    return Snapshot(**{**note, **lists})


class SnapshotWriter:
    """Writes the rows of one snapshot; `finish` names the file by its digest."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._name = name
        self._path = folder / f"_tmp-{uuid.uuid4().hex}"
        os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        self._writer: pq.ParquetWriter | None = None
        self._sum = 0
        self._newest = ""
        self._seen: dict[str, set[str]] = {"service.id": set(), "currency": set()}
        self.rows = 0

    def write(self, rows: pa.Table) -> None:
        """Add rows."""
        if rows.num_rows == 0:
            return
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, rows.schema, compression="zstd")
        self._writer.write_table(rows)
        self.rows += rows.num_rows
        self._sum = (self._sum + _sum_digests(rows)) % (1 << 128)
        if "export_time" in rows.column_names:
            self._newest = max(self._newest, pc.max(rows.column("export_time")).as_py() or "")
        for name, seen in self._seen.items():
            if name in rows.column_names:
                seen.update(pc.unique(rows.column(name)).drop_null().to_pylist())

    def finish(self) -> Snapshot | None:
        """Close the file and return what it holds; None, and no file, when it holds nothing."""
        if self._writer is None:
            self.discard()
            return None
        self._writer.close()
        sha256 = read_file_sha256(self._path)
        size = self._path.stat().st_size
        os.replace(self._path, self._folder / f"{sha256}.parquet")
        content = f"{self.rows}-{self._sum:032x}"
        services, currencies = (tuple(sorted(self._seen[name])) for name in ("service.id", "currency"))
        return Snapshot(self._name, sha256, size, self.rows, content, self._newest, services, currencies)

    def discard(self) -> None:
        """Remove what was written."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._path.unlink(missing_ok=True)


class SplitWriter:
    """Splits rows by a key each, in bounded memory, into one snapshot a key: a day of export, a billing month."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[str, SnapshotWriter] = {}
        self._waiting: dict[str, list[pa.Table]] = {}
        self._rows = 0

    def write(self, rows: pa.Table, keys: pa.Array | pa.ChunkedArray) -> None:
        """Add rows; `keys` has one entry a row."""
        for key in pc.unique(keys).to_pylist():
            self._waiting.setdefault(key, []).append(rows.filter(pc.equal(keys, key)))
        self._rows += rows.num_rows
        if self._rows >= _BUFFERED_ROWS:
            self._flush()

    def finish(self) -> list[Snapshot]:
        """Return the snapshots by key."""
        self._flush()
        finished = (self._writers[key].finish() for key in sorted(self._writers))
        return [snapshot for snapshot in finished if snapshot is not None]

    def discard(self) -> None:
        """Remove what was written and not finished."""
        for writer in self._writers.values():
            writer.discard()

    def _flush(self) -> None:
        for key in sorted(self._waiting):
            if key not in self._writers:
                self._writers[key] = SnapshotWriter(self._folder, key)
            self._writers[key].write(pa.concat_tables(self._waiting[key]).combine_chunks())
        self._waiting.clear()
        self._rows = 0


def _sum_digests(rows: pa.Table) -> int:
    """Return the sum of a digest of each row: the same for the same rows in any order."""
    pieces = [pc.fill_null(column.cast(pa.string()), "\x00") for column in _leaves(rows)]
    texts = pc.binary_join_element_wise(*pieces, "\x1f").cast(pa.binary())
    total = 0
    for chunk in texts.chunks:
        total += sum(int(digest[:32], 16) for digest in build_digests(chunk.to_pylist(), "row"))
    return total


def _leaves(rows: pa.Table) -> list[pa.ChunkedArray]:
    """Return the columns, nested ones as JSON text."""
    return [
        pa.chunked_array([build_json_texts(chunk) for chunk in column.chunks])
        if pa.types.is_nested(column.type)
        else column
        for column in rows.columns
    ]
