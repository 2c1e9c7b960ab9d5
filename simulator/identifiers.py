"""Random identifiers for a million rows at once.

What belongs here: hex texts of a length, straight from random bytes. What must not: which id a vendor uses.
"""

from __future__ import annotations

import binascii

import numpy as np
import polars as pl
import pyarrow as pa


def build_hex(rng: np.random.Generator, rows: int, length: int) -> pl.Series:
    """`rows` random texts of `length` (even) hexadecimal digits."""
    digits = binascii.hexlify(rng.bytes(rows * length // 2))
    offsets = np.arange(rows + 1, dtype=np.int64) * length
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(digits)]
    return pl.Series(values=pa.Array.from_buffers(pa.large_string(), rows, buffers))


def as_uuid(column: str) -> pl.Expr:
    """32 hexadecimal digits written as a UUID."""
    text = pl.col(column)
    parts = ((0, 8), (8, 4), (12, 4), (16, 4), (20, 12))
    return pl.concat_str([text.str.slice(start, size) for start, size in parts], separator="-")
