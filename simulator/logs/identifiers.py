"""Ids that machines make: hex strings and UUIDs, many at once, the same for the same seed.

What belongs here: random looking ids. What must not: ids that mean something.
"""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl
import pyarrow as pa


def random_generator(*parts: object) -> np.random.Generator:
    """A generator whose numbers depend on `parts` only."""
    digest = hashlib.sha256(":".join(map(str, parts)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def hex_ids(name: str, count: int, digits: int, generator: np.random.Generator) -> pl.Series:
    """`count` ids of `digits` hex digits (an even number)."""
    content = generator.bytes(count * digits // 2).hex().encode()
    offsets = pa.py_buffer(np.arange(count + 1, dtype=np.int64) * digits)
    ids = pa.LargeStringArray.from_buffers(count, offsets, pa.py_buffer(content))
    return pl.Series(name, pl.from_arrow(ids))


def uuid(digits: pl.Expr) -> pl.Expr:
    """32 hex digits written as a version 4 UUID."""
    parts = [
        digits.str.slice(0, 8),
        digits.str.slice(8, 4),
        pl.concat_str(pl.lit("4"), digits.str.slice(13, 3)),
        pl.concat_str(pl.lit("a"), digits.str.slice(17, 3)),
        digits.str.slice(20, 12),
    ]
    return pl.concat_str(parts, separator="-")


def key_hash(name: str) -> str:
    """What a gateway keeps of an API key: its SHA-256. The key here is a made-up name."""
    return hashlib.sha256(f"sk-quillworks-{name}".encode()).hexdigest()
