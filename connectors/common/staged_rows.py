"""Rows of one delivery, set aside on disk until it is complete: then its content is known, and it counts whole.

What belongs here: a delivery too large for memory whose content has no digest until its last row came.
What must not: where the rows come from.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Iterator
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq

from connectors.common.contract import Finding
from connectors.common.datasets import Dataset
from connectors.common.source_landing import DeliveryFacts, SourceLanding
from connectors.common.typed_files import build_dataset_table

_BATCH_ROWS = 65_536


class StagedRows:
    """The rows of one scope of a dataset (a UTC day, say). Call `deliver` when all are there, else `discard`."""

    def __init__(self, landing: SourceLanding, dataset: Dataset) -> None:
        self._landing = landing
        self._dataset = dataset
        self._path = landing.raw / f"_tmp-{uuid.uuid4().hex}"
        self._writer: pq.ParquetWriter | None = None
        self.rows = 0

    def write(self, table: pa.Table) -> None:
        """Add rows with any of the dataset's columns."""
        if table.num_rows == 0:
            return
        complete = build_dataset_table(table, self._dataset)
        if self._writer is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(self._path, self._dataset.schema, compression="zstd")
        self._writer.write_table(complete)
        self.rows += complete.num_rows

    def deliver(self, scope: str, delivered_at: datetime, findings: Iterable[Finding] = ()) -> None:
        """Make the rows, also none, the current content of a scope; equal content adds nothing."""
        try:
            self._close()
            facts = DeliveryFacts(self._dataset, scope, self._digest(), delivered_at)
            writer = None
            if self._landing.needs_rows(facts):
                writer = self._landing.open_writer(facts)
                try:
                    for batch in self._read():
                        writer.write(pa.Table.from_batches([batch]))
                except BaseException:
                    writer.discard()
                    raise
            self._landing.record(facts, writer, findings)
        finally:
            self.discard()

    def discard(self) -> None:
        """Remove what was set aside."""
        self._close()
        self._path.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _read(self) -> Iterator[pa.RecordBatch]:
        if self._path.exists():
            with pq.ParquetFile(self._path) as content:
                yield from content.iter_batches(_BATCH_ROWS)

    def _digest(self) -> str:
        """Digest the rows in their order; equal rows in equal order are equal content."""
        hasher = hashlib.blake2b(digest_size=16)
        for batch in self._read():
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, batch.schema) as stream:
                stream.write_batch(batch)
            hasher.update(sink.getvalue())
        return hasher.hexdigest()
