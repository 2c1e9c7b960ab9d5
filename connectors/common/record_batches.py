"""Typed records of request logs as they were read, before their versions are weighed: batches beside the lake.

What belongs here: writing and finding batches. What must not: which version of a record counts (`record_versions.py`).

A batch is what one run read of some files: a Parquet file a kind of record, and a manifest that names the files. It
holds the allow-listed projection only. A file that is read again (its content or the settings changed) lives in its
newest batch; what older batches hold of it counts no more.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from connectors.common.contract import TerminalError
from connectors.common.delivery_records import write_json
from connectors.common.digests import build_digest
from connectors.common.source_files import SourceFile

RECORD_COLUMNS = {
    "record_id": pa.string(),  # what its versions share
    "record_version": pa.timestamp("us"),  # the newest counts; null is older than any
    "record_at": pa.timestamp("us"),  # decides its UTC day
    "is_deleted": pa.bool_(),
    "record_file": pa.int32(),  # position of its file in the manifest
}
"""What every record has beside the columns of its kind."""

RECORD_SCHEMA = pa.schema(list(RECORD_COLUMNS.items()))


def build_record_schema(schema: pa.Schema) -> pa.Schema:
    """Return the schema of a kind of record: the columns of its rows, and RECORD_COLUMNS."""
    return pa.schema([*schema, *RECORD_SCHEMA])


@dataclass(frozen=True)
class BatchFile:
    """A file whose records a batch holds; of a refused one nothing counts, and what older batches hold stays."""

    relative: str
    sha256: str
    changed_at: datetime
    is_refused: bool = False


@dataclass(frozen=True)
class RecordBatch:
    """One batch on disk."""

    batch_id: str
    manifest: Path
    sequence: int  # counts the batches of a source: the newest has the greatest
    files: tuple[BatchFile, ...]
    paths: Mapping[str, Path]  # kind → Parquet
    days: frozenset[date]

    def read(self, kind: str, columns: Iterable[str] | None = None) -> Iterator[pl.DataFrame]:
        """Yield the records of a kind, in the order of writing."""
        if kind not in self.paths:
            return
        with pq.ParquetFile(self.paths[kind]) as content:
            for part in content.iter_batches(65_536, columns=None if columns is None else list(columns)):
                yield pl.DataFrame(pl.from_arrow(part))

    def remove(self) -> None:
        """Remove the batch; the manifest goes first, for without it nothing counts."""
        for path in (self.manifest, *self.paths.values()):
            path.unlink(missing_ok=True)


class RecordBatchWriter:
    """Writes one batch; it counts once `commit` has written its manifest."""

    def __init__(self, folder: Path, kinds: Mapping[str, pa.Schema], sequence: int) -> None:
        self._folder = folder
        self._kinds = kinds
        self._sequence = sequence
        self._files: list[SourceFile] = []
        self._refused: set[int] = set()
        self._open: dict[str, tuple[Path, pq.ParquetWriter]] = {}
        self._days: set[date] = set()
        self.rows = 0

    @property
    def file_count(self) -> int:
        """How many files were begun."""
        return len(self._files)

    def begin_file(self, file: SourceFile) -> int:
        """Note the file whose records come next and return its position."""
        self._files.append(file)
        return len(self._files) - 1

    def refuse_file(self, position: int) -> None:
        """Let nothing count that was, or will be, written of a file."""
        self._refused.add(position)

    def write(self, kind: str, table: pa.Table) -> None:
        """Add records: columns of the kind, all of RECORD_COLUMNS among them."""
        if table.num_rows == 0:
            return
        schema = self._kinds[kind]
        columns = [
            table.column(field.name).cast(field.type)
            if field.name in table.column_names
            else pa.nulls(table.num_rows, field.type)
            for field in schema
        ]
        complete = pa.table(columns, schema=schema)
        days = pc.unique(complete.column("record_at").cast(pa.date32(), safe=False)).to_pylist()
        self._days.update(days)
        self._writer(kind).write_table(complete)
        self.rows += complete.num_rows

    def commit(self, typing_digest: str) -> RecordBatch | None:
        """Close and name the files, write the manifest; None when no file was begun."""
        if not self._files:
            return None
        told = [part for file in self._files for part in (file.relative, file.sha256)]
        batch_id = build_digest(typing_digest, *told)
        paths: dict[str, str] = {}
        for kind, (temporary, writer) in self._open.items():
            writer.close()
            paths[kind] = f"{batch_id}-{kind}.parquet"
            temporary.replace(self._folder / paths[kind])
        self._open.clear()
        content = {
            "batch_id": batch_id,
            "sequence": self._sequence,
            "typing": typing_digest,
            "files": [
                [f.relative, f.sha256, f.modified_at.isoformat(), number in self._refused]
                for number, f in enumerate(self._files)
            ],
            "paths": paths,
            "days": sorted(day.isoformat() for day in self._days),
        }
        write_json(self._folder / f"{batch_id}.json", content)
        return build_batch(self._folder, content)

    def discard(self) -> None:
        """Remove what was written without a manifest; nothing is left to commit."""
        self._files.clear()
        for temporary, writer in self._open.values():
            writer.close()
            temporary.unlink(missing_ok=True)
        self._open.clear()

    def _writer(self, kind: str) -> pq.ParquetWriter:
        if kind not in self._open:
            self._folder.mkdir(parents=True, exist_ok=True)
            temporary = self._folder / f"_tmp-{uuid.uuid4().hex}"
            self._open[kind] = (
                temporary,
                pq.ParquetWriter(temporary, self._kinds[kind], compression="zstd"),
            )
        return self._open[kind][1]


def read_batches(folder: Path) -> list[RecordBatch]:
    """Return the batches of a source, oldest first. Raises TerminalError for a damaged manifest."""
    batches = []
    for path in sorted(folder.glob("[0-9a-f]*.json")):
        try:
            batches.append(build_batch(folder, orjson.loads(path.read_bytes())))
        except (ValueError, KeyError, TypeError) as error:
            reason = f"the manifest of read records is damaged ({type(error).__name__})"
            message = f"{path}: {reason}; restore it from a backup"
            raise TerminalError(message) from error
    return sorted(batches, key=lambda batch: batch.sequence)


def build_batch(folder: Path, content: Mapping[str, Any]) -> RecordBatch:
    """Return a batch as its manifest tells it."""
    return RecordBatch(
        batch_id=content["batch_id"],
        manifest=folder / f"{content['batch_id']}.json",
        sequence=content["sequence"],
        files=tuple(
            BatchFile(name, sha256, datetime.fromisoformat(at), is_refused)
            for name, sha256, at, is_refused in content["files"]
        ),
        paths={kind: folder / name for kind, name in content["paths"].items()},
        days=frozenset(date.fromisoformat(day) for day in content["days"]),
    )
