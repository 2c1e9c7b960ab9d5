"""Nested values of Parquet files → JSON text, each distinct map written once.

What belongs here: maps, lists and structs of any depth. What must not: which of them are tags.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa

from connectors.common.bills.columns import spread_distinct
from connectors.common.bills.line_digests import Words, mix

_PLACES = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD1B54A32D192ED03))
"""Odd numbers that tell an entry's place in its map, one for each of two independent sums."""


def build_json_texts(column: pa.Array) -> pa.Array:
    """Return nested values as JSON with sorted keys; a map becomes an object, null stays null."""
    kind = column.type
    if pa.types.is_map(kind) and pa.types.is_string(kind.key_type) and pa.types.is_string(kind.item_type):
        distinct = _find_distinct_maps(column)
        if distinct is not None:
            firsts, place_of_row = distinct
            return spread_distinct(_write_texts(column.take(pa.array(firsts))), pa.array(place_of_row))
    return _write_texts(column)


def _write_texts(column: pa.Array) -> pa.Array:
    is_map = pa.types.is_map(column.type)
    texts = [None if value is None else _write_json(value, is_map=is_map) for value in column.to_pylist()]
    return pa.array(texts, pa.string())


def _write_json(value: Any, *, is_map: bool) -> str:
    if is_map:
        value = dict(value)
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


def _find_distinct_maps(column: pa.MapArray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return a row of each distinct map, and for each row which of them it has; None when sums collide."""
    if len(column) == 0:
        return None
    offsets = column.offsets.to_numpy().astype(np.int64)
    first, last = int(offsets[0]), int(offsets[-1])
    keys = column.keys.slice(first, last - first).dictionary_encode()
    items = column.items.slice(first, last - first).dictionary_encode()
    codes = keys.indices.to_numpy().astype(np.uint64) * np.uint64(len(items.dictionary) + 1)
    codes += items.indices.cast(pa.int64()).fill_null(len(items.dictionary)).to_numpy().astype(np.uint64)
    starts, ends = offsets[:-1] - first, offsets[1:] - first
    places = np.arange(last - first) - np.repeat(starts, ends - starts)
    sums: list[Words] = []
    for odd in _PLACES:
        entries = mix(codes + mix((places.astype(np.uint64) + np.uint64(1)) * odd))
        running = np.concatenate([np.zeros(1, np.uint64), np.cumsum(entries, dtype=np.uint64)])
        total = running[ends] - running[starts]
        total[column.is_null().to_numpy(zero_copy_only=False)] = odd
        sums.append(total)
    _, firsts, place_of_row = np.unique(sums[0], return_index=True, return_inverse=True)
    if not (sums[1] == sums[1][firsts][place_of_row]).all():
        return None
    return firsts, place_of_row.astype(np.int32)
