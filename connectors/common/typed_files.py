"""Typed Parquet files of the lake: one table goes in, one immutable file a partition comes out.

What belongs here: bringing a table into its dataset's schema, splitting it by partition, writing it.
What must not: where the rows come from, or which delivery is current.
"""

from __future__ import annotations

import os
import re
import uuid
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from connectors.common.contract import TerminalError, TypedFile
from connectors.common.datasets import Dataset
from connectors.common.digests import build_digest

_PARTITION = re.compile(r"\d{4}-\d{2}(-\d{2})?|all")


def build_dataset_table(table: pa.Table, dataset: Dataset) -> pa.Table:
    """Return the table with exactly the dataset's columns, in order and cast; absent columns are null.

    Raises TerminalError for a column the dataset does not have: that is a fault in a connector.
    """
    unknown = sorted(set(table.column_names) - set(dataset.schema.names))
    if unknown:
        raise TerminalError(f"dataset {dataset.name} has no column {unknown[0]!r}; extend datasets.py first")
    columns = []
    for field in dataset.schema:
        if field.name in table.column_names:
            column = table.column(field.name)
            columns.append(column if column.type == field.type else column.cast(field.type))
        else:
            columns.append(pa.nulls(table.num_rows, field.type))
    return pa.table(columns, schema=dataset.schema)


def build_partition_tables(table: pa.Table, dataset: Dataset) -> dict[str, pa.Table]:
    """Return partition name → its rows, in their order; TerminalError when a row has no partition."""
    if dataset.partition is None:
        return {"all": table} if table.num_rows else {}
    name, unit = dataset.partition
    column = table.column(name)
    if column.null_count:
        raise TerminalError(
            f"{dataset.name}: {column.null_count} rows without {name}, which decides their partition"
        )
    days = column.cast(pa.timestamp("us")).cast(pa.date32(), safe=False)
    keys = days if unit == "day" else pc.floor_temporal(column, unit="month").cast(pa.date32(), safe=False)
    length = 10 if unit == "day" else 7
    distinct = sorted(pc.unique(keys).to_pylist())
    if len(distinct) == 1:
        return {distinct[0].isoformat()[:length]: table}
    return {day.isoformat()[:length]: table.filter(pc.equal(keys, pa.scalar(day))) for day in distinct}


class PartitionWriter:
    """Streams tables of one snapshot into one Parquet file a partition.

    Files are written as `_tmp*` and take their names in `commit`, so a killed run leaves no half file.
    The name holds the snapshot and the typing settings: the same content typed the same way is the same file.
    """

    def __init__(
        self, lake: Path, source: str, dataset: Dataset, snapshot_id: str, typing_digest: str
    ) -> None:
        self.rows = 0
        self._folder = lake / dataset.name / source
        self._source = source
        self._dataset = dataset
        self._snapshot_id = snapshot_id
        self._file_name = f"{snapshot_id}-{typing_digest[:8]}.parquet"
        self._typing_digest = typing_digest
        self._open: dict[str, tuple[Path, pq.ParquetWriter]] = {}
        self._rows: dict[str, int] = {}

    def write(self, table: pa.Table) -> None:
        """Add rows with any of the dataset's columns; `x_source` and `x_snapshot_id` are filled in here."""
        if table.num_rows == 0:
            return
        landing = {"x_source": self._source, "x_snapshot_id": self._snapshot_id}
        for column, value in landing.items():
            filled = pa.repeat(pa.scalar(value, pa.string()), table.num_rows)
            position = table.schema.get_field_index(column)
            table = (
                table.append_column(column, filled)
                if position < 0
                else table.set_column(position, column, filled)
            )
        complete = build_dataset_table(table, self._dataset)
        for partition, rows in build_partition_tables(complete, self._dataset).items():
            self._writer(partition).write_table(rows)
            self._rows[partition] = self._rows.get(partition, 0) + rows.num_rows
        self.rows += table.num_rows

    def commit(self) -> tuple[TypedFile, ...]:
        """Close the files, give them their names and return them ordered by partition."""
        files = []
        for partition in sorted(self._open):
            temporary, writer = self._open[partition]
            writer.close()
            sync_file(temporary)
            target = self._folder / partition / self._file_name
            os.replace(temporary, target)
            digest = build_digest(self._dataset.name, partition, self._snapshot_id, self._typing_digest)
            files.append(TypedFile(self._dataset.name, partition, target, self._rows[partition], digest))
        self._open.clear()
        return tuple(files)

    def discard(self) -> None:
        """Close and remove what was written so far."""
        for temporary, writer in self._open.values():
            writer.close()
            temporary.unlink(missing_ok=True)
        self._open.clear()

    def _writer(self, partition: str) -> pq.ParquetWriter:
        if partition not in self._open:
            if not _PARTITION.fullmatch(partition):
                raise TerminalError(f"{self._dataset.name}: {partition!r} is not a partition name")
            folder = self._folder / partition
            folder.mkdir(parents=True, exist_ok=True)
            temporary = folder / f"_tmp-{uuid.uuid4().hex}"
            writer = pq.ParquetWriter(temporary, self._dataset.schema, compression="zstd")
            self._open[partition] = (temporary, writer)
        return self._open[partition][1]


def sync_file(path: Path) -> None:
    """Wait until the content is on disk: the delivery's record, which names the file, must not outlive it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
