"""The typed spans of one file, set aside on disk in buckets of whole traces, each bucket in the order of the file.

What belongs here: where spans lie between reading a file and settling its trees, in bounded memory. What must not:
what spans say, or what they inherit.

Nothing in a file is settled across traces, so a bucket is settled by itself: memory grows with the largest bucket and
not with the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import polars as pl
import pyarrow.parquet as pq

from connectors.otel_genai.inheritance import GIVEN_KEYS, INDEX_COLUMNS
from connectors.otel_genai.schema import INHERITED_KEYS

BUCKET_BYTES = 256 * 2**20
"""A file has a bucket for so many bytes of JSON, or of what Parquet holds unpacked."""
MOST_BUCKETS = 32
BUFFER_ROWS = 16_384
"""So many spans of a bucket are written at once."""

_UNUSED = ("start_us", "scope")
_INDEX_ONLY = frozenset((*INHERITED_KEYS, *GIVEN_KEYS, "has_usage", "end_us"))


class SetAside:
    """Takes the spans of a file, then gives them bucket by bucket; a context that removes them."""

    def __init__(self, folder: Path, size: int) -> None:
        self._files = ExitStack()
        count = min(MOST_BUCKETS, max(1, -(-size // BUCKET_BYTES)))
        buffer = BUFFER_ROWS if count > 1 else 1
        self._buckets = [
            Bucket(self._files.enter_context(TemporaryFile(dir=folder)), buffer) for _ in range(count)
        ]

    def __enter__(self) -> SetAside:
        return self

    def __exit__(self, *error: object) -> None:
        self._files.close()

    def add(self, frame: pl.DataFrame) -> None:
        """Set typed spans aside, those of one trace together."""
        frame = frame.drop(_UNUSED)
        if len(self._buckets) == 1:
            self._buckets[0].add(frame)
            return
        number = frame["trace_id"].hash() % len(self._buckets)
        for part in frame.with_columns(number.alias("_bucket")).partition_by("_bucket", maintain_order=True):
            self._buckets[part["_bucket"][0]].add(part.drop("_bucket"))

    def finish(self) -> list[Bucket]:
        """Return the buckets that hold spans."""
        return [bucket for bucket in self._buckets if bucket.finish()]


class Bucket:
    """Some whole traces of a file."""

    def __init__(self, file: IO[bytes], buffer_rows: int) -> None:
        self._file = file
        self._buffer_rows = buffer_rows
        self._waiting: list[pl.DataFrame] = []
        self._rows = 0
        self._writer: pq.ParquetWriter | None = None

    def add(self, frame: pl.DataFrame) -> None:
        """Add spans behind those that are there."""
        self._waiting.append(frame)
        self._rows += len(frame)
        if self._rows >= self._buffer_rows:
            self._write()

    def finish(self) -> bool:
        """Write what waits; return whether there is anything."""
        self._write()
        if self._writer is not None:
            self._writer.close()
        return self._writer is not None

    def read_index(self) -> pl.DataFrame:
        """Return what settling the trees needs of each span, in order."""
        self._file.seek(0)
        table = pq.ParquetFile(self._file).read(columns=list(INDEX_COLUMNS))
        categories = pl.col(INHERITED_KEYS).cast(pl.Categorical), pl.col(GIVEN_KEYS).cast(pl.Categorical)
        return pl.DataFrame(pl.from_arrow(table)).select(INDEX_COLUMNS).with_columns(*categories)

    def read_rows(self, batch_rows: int) -> Iterator[pl.DataFrame]:
        """Yield the spans in order without what only the index needs."""
        self._file.seek(0)
        source = pq.ParquetFile(self._file)
        columns = [name for name in source.schema_arrow.names if name not in _INDEX_ONLY]
        for batch in source.iter_batches(batch_rows, columns=columns):
            yield pl.DataFrame(pl.from_arrow(batch))

    def _write(self) -> None:
        if not self._rows:
            return
        table = pl.concat(self._waiting, how="vertical_relaxed").to_arrow()
        self._waiting, self._rows = [], 0
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._file, table.schema, compression="lz4")
        self._writer.write_table(table.cast(self._writer.schema))
