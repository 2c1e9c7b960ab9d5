"""The typed Parquet files of one delivery, one an account and period, written while its lines stream by.

What belongs here: buffering lines by scope, row groups, temporary names until all is well. What must not: typing
lines, or which delivery is current.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from connectors.common.bills.columns import DICTIONARY, decode_text, encode_text, repeat_text
from connectors.common.contract import TerminalError, TypedFile
from connectors.common.datasets import Dataset
from connectors.common.digests import build_digest
from connectors.common.source_files import FileFault
from connectors.common.typed_files import sync_file

_ROW_GROUP = 32_768
_BUFFERED_ROWS = 150_000
_MOST_SCOPES = 20_000
_HEX_COLUMNS = ("charge_id", "x_line_key")


@dataclass
class _Scope:
    snapshot_id: str
    tables: list[pa.Table] = field(default_factory=list)
    buffered: int = 0
    rows: int = 0
    temporary: Path | None = None
    writer: pq.ParquetWriter | None = None


class ScopeFiles:
    """Writes the lines of each scope (`account|YYYY-MM`) into a file of its own, in one background thread."""

    def __init__(
        self,
        lake: Path,
        source: str,
        dataset: Dataset,
        typing_digest: str,
        name_snapshot: Callable[[str], str],
    ) -> None:
        self._folder = lake / dataset.name / source
        self._source = source
        self._dataset = dataset
        self._typing_digest = typing_digest
        self._name_snapshot = name_snapshot
        self._scopes: dict[str, _Scope] = {}
        self._buffered = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="bill-writer")
        self._pending: Future[None] | None = None
        self._schema = pa.schema(
            [pa.field(f.name, DICTIONARY if _is_encoded(f) else f.type, f.nullable) for f in dataset.schema]
        )

    def add(self, scope: str, table: pa.Table) -> None:
        """Take over lines of one scope, in the columns of the dataset (`build_table`)."""
        entry = self._scopes.get(scope)
        if entry is None:
            if len(self._scopes) >= _MOST_SCOPES:
                message = (
                    f"more than {_MOST_SCOPES:,} accounts and periods in one delivery: the billing account is "
                    "probably not one; correct the export"
                )
                raise FileFault("too_many_accounts", message)
            entry = self._scopes[scope] = _Scope(self._name_snapshot(scope))
        snapshot = repeat_text(entry.snapshot_id, table.num_rows)
        place = table.schema.get_field_index("x_snapshot_id")
        entry.tables.append(table.set_column(place, self._schema.field(place), snapshot))
        entry.buffered += table.num_rows
        entry.rows += table.num_rows
        self._buffered += table.num_rows
        if entry.buffered >= _ROW_GROUP:
            self._flush(entry)
        elif self._buffered >= _BUFFERED_ROWS:
            self._flush(max(self._scopes.values(), key=lambda each: each.buffered))

    def snapshot_id(self, scope: str) -> str:
        """Return the snapshot that the lines of a scope name."""
        return self._scopes[scope].snapshot_id

    def build_table(self, columns: dict[str, pa.Array], rows: int) -> pa.Table:
        """Return exactly the dataset's columns, absent ones null; TerminalError for a column it has not."""
        unknown = sorted(set(columns) - set(self._dataset.schema.names))
        if unknown:
            message = f"dataset {self._dataset.name} has no column {unknown[0]!r}; extend datasets.py first"
            raise TerminalError(message)
        return pa.table([self._column(columns, f, rows) for f in self._schema], schema=self._schema)

    def _column(self, columns: dict[str, pa.Array], wanted: pa.Field, rows: int) -> pa.Array:
        column = columns.get(wanted.name)
        if wanted.name == "x_source":
            return repeat_text(self._source, rows)
        if column is None:
            return repeat_text(None, rows) if wanted.type == DICTIONARY else pa.nulls(rows, wanted.type)
        if wanted.type == DICTIONARY:
            return column if column.type == DICTIONARY else column.cast(pa.string()).dictionary_encode()
        column = decode_text(column)
        return column if column.type == wanted.type else column.cast(wanted.type)

    def close(self) -> None:
        """Write what is buffered and close all files; they keep their temporary names."""
        for entry in self._scopes.values():
            if entry.buffered:
                self._flush(entry)
        self._wait()
        for entry in self._scopes.values():
            if entry.writer is not None and entry.temporary is not None:
                entry.writer.close()
                sync_file(entry.temporary)
                entry.writer = None
        self._thread.shutdown()

    def commit(self, scope: str, content: str) -> tuple[TypedFile, ...]:
        """Give the file of a scope its name; nothing when the scope has no lines."""
        entry = self._scopes.pop(scope, None)
        if entry is None or entry.temporary is None:
            return ()
        partition = scope.rpartition("|")[2]
        target = entry.temporary.with_name(f"{entry.snapshot_id}-{self._typing_digest[:8]}.parquet")
        os.replace(entry.temporary, target)
        digest = build_digest(self._dataset.name, partition, scope, content, self._typing_digest)
        return (TypedFile(self._dataset.name, partition, target, entry.rows, digest),)

    def discard(self) -> None:
        """Remove every file that was not committed."""
        self._thread.shutdown(cancel_futures=True)
        for entry in self._scopes.values():
            if entry.writer is not None:
                entry.writer.close()
            if entry.temporary is not None:
                entry.temporary.unlink(missing_ok=True)
        self._scopes.clear()

    def _flush(self, entry: _Scope) -> None:
        tables, entry.tables = entry.tables, []
        self._buffered -= entry.buffered
        entry.buffered = 0
        scope = next(name for name, each in self._scopes.items() if each is entry)
        self._wait()
        self._pending = self._thread.submit(self._write, entry, scope.rpartition("|")[2], tables)

    def _wait(self) -> None:
        if self._pending is not None:
            pending, self._pending = self._pending, None
            pending.result()

    def _write(self, entry: _Scope, partition: str, tables: list[pa.Table]) -> None:
        if entry.writer is None:
            folder = self._folder / partition
            folder.mkdir(parents=True, exist_ok=True)
            entry.temporary = folder / f"_tmp-{uuid.uuid4().hex}"
            entry.writer = pq.ParquetWriter(
                entry.temporary,
                self._schema,
                compression="zstd",
                use_dictionary=[f.name for f in self._schema if f.name not in _HEX_COLUMNS],  # type: ignore[arg-type]
                write_statistics=[f.name for f in self._schema if pa.types.is_timestamp(f.type)],  # type: ignore[arg-type]
                store_schema=False,
            )
        table = tables[0]
        if len(tables) > 1:
            table = pa.concat_tables(tables).unify_dictionaries()
            tables.clear()
        entry.writer.write_table(table, row_group_size=max(1, table.num_rows))
        pa.default_memory_pool().release_unused()


def split_by_scope(table: pa.Table, places: pa.Array) -> pa.Table:
    """Return some lines of a batch; columns with many more distinct values than lines are made anew."""
    part = table.take(places)
    for number, column in enumerate(part.columns):
        chunk = column.chunk(0) if column.num_chunks else None
        if chunk is not None and pa.types.is_dictionary(chunk.type) and len(chunk.dictionary) > len(chunk):
            part = part.set_column(number, part.schema.field(number), encode_text(chunk))
    return part


def _is_encoded(wanted: pa.Field) -> bool:
    return pa.types.is_string(wanted.type) and wanted.name not in _HEX_COLUMNS
