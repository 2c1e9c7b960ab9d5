"""What a model reads and makes: a named relation of immutable Parquet files, by partition.

What belongs here: the types, writing an Arrow table as such a file, DuckDB's names of Arrow types.
What must not: running SQL, deciding what to rebuild.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import file_digest, sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.warehouse.periods import ALL


@dataclass(frozen=True)
class DataFile:
    """One immutable Parquet file. `digest` decides whether a model that reads it must run again.

    `stats` may hold `overlap_start` and `overlap_end` (ISO times, half open): no row's interval lies outside.
    """

    path: Path
    digest: str
    rows: int
    partition: str
    stats: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Relation:
    """A named table: column name → DuckDB type, and its files by partition key.

    `unit` is `day` ('YYYY-MM-DD'), `month` ('YYYY-MM') or None (the one key 'all'). With `is_by_name`
    files may lack columns that came later; these read as NULL.
    """

    name: str
    columns: Mapping[str, str]
    unit: str | None
    files: Mapping[str, tuple[DataFile, ...]]
    is_by_name: bool = False

    @cached_property
    def all_files(self) -> tuple[DataFile, ...]:
        """Every file, in partition order."""
        return tuple(file for key in sorted(self.files) for file in self.files[key])

    @cached_property
    def digest(self) -> str:
        """Changes when any file is added, replaced or removed."""
        return digest_of(sorted(file.digest for file in self.all_files))

    @property
    def rows(self) -> int:
        """Rows of all files."""
        return sum(file.rows for file in self.all_files)


def digest_of(parts: object) -> str:
    """A stable digest of plain values (strings, numbers, lists of them)."""
    return sha256(repr(parts).encode()).hexdigest()


def read_digest(path: Path) -> str:
    """sha256 of a file's bytes."""
    with path.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()


def write_table(folder: Path, name: str, table: pa.Table) -> Relation:
    """Writes an Arrow table as the one file of an unpartitioned relation, named by content; empty means no
    file.

    `folder` is `<home>/warehouse/tables`. Rows are kept in the order given, so give them in a stable one.
    """
    columns = duckdb_columns(table.schema)
    if not table.num_rows:
        return Relation(name, columns, None, {})
    target = folder / name / ALL
    target.mkdir(parents=True, exist_ok=True)
    temporary = target / f"_tmp-{os.getpid()}.parquet"
    pq.write_table(table.combine_chunks(), temporary, compression="zstd")
    file = keep_file(temporary, table.num_rows, ALL)
    return Relation(name, columns, None, {ALL: (file,)})


def keep_file(temporary: Path, rows: int, partition: str, stats: Mapping[str, str] | None = None) -> DataFile:
    """Renames a finished temporary file to its content digest; a file that is already there stays."""
    digest = read_digest(temporary)
    path = temporary.with_name(f"{digest}.parquet")
    if path.exists():
        temporary.unlink()
        os.utime(path)  # in use again: young enough to be left alone by a sweep
    else:
        temporary.replace(path)
    return DataFile(path, digest, rows, partition, dict(stats or {}))


def duckdb_columns(schema: pa.Schema) -> dict[str, str]:
    """Column name → DuckDB type of an Arrow schema; raises TypeError naming a column that has no such
    type."""
    return {column.name: _duckdb_type(column) for column in schema}


_SIMPLE = {
    pa.string(): "VARCHAR",
    pa.large_string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.int32(): "INTEGER",
    pa.bool_(): "BOOLEAN",
    pa.date32(): "DATE",
    pa.float64(): "DOUBLE",
    pa.timestamp("us"): "TIMESTAMP",
}


def _duckdb_type(column: pa.Field) -> str:
    if pa.types.is_decimal(column.type):
        return f"DECIMAL({column.type.precision},{column.type.scale})"
    if column.type not in _SIMPLE:
        raise TypeError(f"column {column.name}: Arrow type {column.type} is not used in the lake; cast it")
    return _SIMPLE[column.type]
