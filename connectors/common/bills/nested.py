"""Nested values of Parquet files → JSON text.

What belongs here: maps, lists and structs of any depth. What must not: which of them are tags.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def build_json_texts(column: pa.Array) -> pa.Array:
    """Return nested values as JSON with sorted keys; a map becomes an object, null stays null."""
    if isinstance(column, pa.MapArray):
        texts = _build_map_texts(column)
        if texts is not None:
            return texts
    is_map = pa.types.is_map(column.type)
    texts = [None if value is None else _write_json(value, is_map=is_map) for value in column.to_pylist()]
    return pa.array(texts, pa.string())


def _build_map_texts(column: pa.MapArray) -> pa.Array | None:
    """Return maps of text to text as JSON, each distinct key and value written once.

    None for other maps, slices, and where a key stands twice in one map.
    """
    kind = column.type
    if column.offset or not (pa.types.is_string(kind.key_type) and pa.types.is_string(kind.item_type)):
        return None
    offsets = column.offsets.to_numpy()
    first, count = int(offsets[0]), int(offsets[-1] - offsets[0])
    keys = column.keys.slice(first, count).dictionary_encode()
    items = column.items.slice(first, count).dictionary_encode()
    rows = np.repeat(np.arange(len(column)), np.diff(offsets))
    names = keys.dictionary.to_pylist()
    rank_of_name = np.empty(len(names), np.int64)
    rank_of_name[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    ranks = rank_of_name[keys.indices.to_numpy()]
    order = np.lexsort((ranks, rows))
    is_again = (rows[order][1:] == rows[order][:-1]) & (ranks[order][1:] == ranks[order][:-1])
    if is_again.any():
        return None
    entries = pc.binary_join_element_wise(_write_texts(keys), _write_texts(items), ": ").take(pa.array(order))
    lists = pa.ListArray.from_arrays(pa.array(offsets - first, pa.int32()), entries)
    texts = pc.binary_join_element_wise("{", pc.binary_join(lists, ", "), "}", "")
    return pc.if_else(column.is_valid(), texts, pa.scalar(None, pa.string()))


def _write_texts(column: pa.DictionaryArray) -> pa.Array:
    written = pa.array(
        [json.dumps(text, ensure_ascii=False) for text in column.dictionary.to_pylist()], pa.string()
    )
    return pc.fill_null(written.take(column.indices), "null")


def _write_json(value: Any, *, is_map: bool) -> str:
    if is_map:
        value = dict(value)
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
