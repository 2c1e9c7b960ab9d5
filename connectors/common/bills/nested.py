"""Nested values of Parquet files → JSON text, each distinct value written once.

What belongs here: maps, lists and structs of any depth. What must not: which of them are tags.
"""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa


def build_json_texts(column: pa.Array) -> pa.Array:
    """Return nested values as JSON with sorted keys; a map becomes an object, null stays null."""
    is_map = pa.types.is_map(column.type)
    texts = [None if value is None else _write_json(value, is_map=is_map) for value in column.to_pylist()]
    return pa.array(texts, pa.string())


def _write_json(value: Any, *, is_map: bool) -> str:
    if is_map:
        value = dict(value)
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
