"""Rows of a Parquet file in batches whose size in memory is bounded, however long its values are.

What belongs here: how many rows are read at once. What must not: what a column means.

A file tells how large its columns are packed and coded, not what they unpack to: prompts stand in one dictionary entry
and in thousands of rows. So a few rows of each stretch are read first, and tell how many fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from connectors.common.source_files import FileFault

BATCH_BYTES = 128 << 20
"""About so many bytes of values are in memory at once."""

PLAIN_BYTES = 4 << 30
LARGEST_RATIO = 500
"""A file may unpack to so many times its size, and to PLAIN_BYTES beside."""

_PROBED_ROWS = 256
_PROBED_GROUPS = 8
_FEWEST_ROWS = 16


def iterate_batches(
    content: pq.ParquetFile, columns: Sequence[str], most_rows: int, packed_bytes: int
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of the named columns in their order, at most `most_rows` at once; `packed_bytes`: the file's size.

    Raises ArrowException, and FileFault for a file that unpacks to more than any log does.
    """
    left = PLAIN_BYTES + LARGEST_RATIO * packed_bytes
    for groups, rows in _list_stretches(content, most_rows):
        at_once = most_rows
        if rows > _PROBED_ROWS:
            at_once = min(most_rows, _count_fitting(content, groups, columns))
        for batch in content.iter_batches(at_once, row_groups=groups, columns=list(columns)):
            left -= sum(_measure(column) for column in batch.columns)
            if left < 0:
                message = f"unpacks to more than {LARGEST_RATIO} times its size; deliver it in parts"
                raise FileFault("oversized_file", message)
            yield batch


def _list_stretches(content: pq.ParquetFile, most_rows: int) -> Iterator[tuple[list[int], int]]:
    """Yield neighbouring row groups that make about one batch together, and how many rows they have."""
    groups: list[int] = []
    rows = 0
    for number in range(content.num_row_groups):
        own = content.metadata.row_group(number).num_rows
        if groups and rows + own > most_rows:
            yield groups, rows
            groups, rows = [], 0
        groups.append(number)
        rows += own
    if groups:
        yield groups, rows


def _count_fitting(content: pq.ParquetFile, groups: list[int], columns: Sequence[str]) -> int:
    some = groups[:_PROBED_GROUPS]
    probed = next(content.iter_batches(_PROBED_ROWS, row_groups=some, columns=list(columns)), None)
    if probed is None or not probed.num_rows:
        return _PROBED_ROWS
    size = sum(_measure(column) for column in probed.columns)
    return max(_FEWEST_ROWS, BATCH_BYTES * probed.num_rows // max(1, size))


def _measure(column: pa.Array) -> int:
    """The bytes of a column's values, each of them counted as often as it stands there."""
    if not isinstance(column, pa.DictionaryArray):
        return column.nbytes
    if not pa.types.is_string(column.type.value_type):
        return column.nbytes
    lengths = pc.binary_length(column.dictionary).take(column.indices)
    return column.indices.nbytes + (pc.sum(lengths).as_py() or 0)
