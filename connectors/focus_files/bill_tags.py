"""Bill tags: from what vendors write to the configured keys, and the attribution columns they mean.

What belongs here: parsing tag texts, keeping configured keys only, pseudonymising users.
What must not: other columns of a bill.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from connectors.common.datasets import TAGGED_KEYS
from connectors.common.identity import Identity


@dataclass(frozen=True)
class TagColumns:
    """`tags` and `x_tag_*` for every line, and on how many lines the tags could not be read."""

    columns: dict[str, pa.Array]
    unreadable_count: int


def read_tags(text: str) -> dict[str, str | bool] | None:
    """Return the tags of one text, None when it is not readable.

    Understands JSON objects, Azure's objects without braces, lists of {key, value}, and valueless keys
    (boolean true). Null values are left out; a key given twice keeps its last value.
    """
    stripped = text.strip()
    if not stripped.startswith(("{", "[")):
        stripped = "{" + stripped + "}"
    try:
        content = json.loads(stripped, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None
    if isinstance(content, list):
        if not all(isinstance(item, dict) and "key" in item for item in content):
            return None
        content = {str(item["key"]): item.get("value", True) for item in content}
    return {key: _tag_value(value) for key, value in content.items() if value is not None}


def build_tag_columns(
    texts: pa.Array, tag_keys: Mapping[str, tuple[str, ...]], identity: Identity
) -> TagColumns:
    """Return the tag columns of a bill; each distinct text is parsed once."""
    encoded = texts.dictionary_encode()
    user_keys = frozenset(tag_keys.get("user_id", ()))
    rows: list[dict[str, str | None]] = []
    unreadable: list[bool] = []
    for text in encoded.dictionary.to_pylist():
        tags = read_tags(text)
        unreadable.append(tags is None)
        rows.append(_build_row(tags or {}, tag_keys, user_keys, identity))
    names = ("tags", *(f"x_tag_{key}" for key in TAGGED_KEYS))
    columns = {
        name: pa.array([row.get(name) for row in rows], pa.string()).take(encoded.indices) for name in names
    }
    is_unreadable = pa.array(unreadable, pa.bool_()).take(encoded.indices)
    return TagColumns(columns, is_unreadable.true_count)


def _tag_value(value: object) -> str | bool:
    if isinstance(value, str):
        return value
    if value is True:
        return True
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _as_text(value: str | bool | None) -> str | None:
    return "true" if value is True else value or None  # an empty value names nobody


def _build_row(
    tags: Mapping[str, str | bool],
    tag_keys: Mapping[str, tuple[str, ...]],
    user_keys: frozenset[str],
    identity: Identity,
) -> dict[str, str | None]:
    configured = {key for keys in tag_keys.values() for key in keys}
    kept: dict[str, str | bool | None] = {key: value for key, value in tags.items() if key in configured}
    for key in user_keys & kept.keys():
        kept[key] = identity.pseudonymise(_as_text(kept[key]))
    row: dict[str, str | None] = {
        "tags": json.dumps(kept, sort_keys=True, ensure_ascii=False) if kept else None,
    }
    for attribution_key, keys in tag_keys.items():
        values = (_as_text(kept.get(key)) for key in keys)
        row[f"x_tag_{attribution_key}"] = next((value for value in values if value), None)
    return row
