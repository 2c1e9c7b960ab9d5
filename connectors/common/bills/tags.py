"""Bill tags: from what vendors write to the configured keys, and the attribution columns they mean.

What belongs here: parsing tag texts, keeping configured keys only, pseudonymising users.
What must not: other columns of a bill.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import pyarrow as pa

from connectors.common.bills.columns import encode_text, spread_distinct
from connectors.common.datasets import TAGGED_KEYS
from connectors.common.identity import Identity
from connectors.common.parsing import load_json

_TAG_COLUMNS = ("tags", *(f"x_tag_{key}" for key in TAGGED_KEYS))
_KNOWN_TEXTS = 10_000


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
        content = load_json(stripped)
    except ValueError:
        return None
    if isinstance(content, list):
        if not all(isinstance(item, dict) and "key" in item for item in content):
            return None
        content = {str(item["key"]): item.get("value", True) for item in content}
    return {key: _tag_value(value) for key, value in content.items() if value is not None}


@lru_cache(maxsize=10_000)
def write_canonical_json(text: str) -> str:
    """Return JSON text (also tags as `read_tags` understands them) with sorted keys; other text as it is."""
    content = read_tags(text)
    return text if content is None else json.dumps(content, sort_keys=True, ensure_ascii=False)


class TagReader:
    """Builds tag columns batch by batch and remembers what distinct texts gave."""

    def __init__(self, tag_keys: Mapping[str, tuple[str, ...]], identity: Identity) -> None:
        self._tag_keys = tag_keys
        self._identity = identity
        self._user_keys = frozenset(tag_keys.get("user_id", ()))
        self._known: dict[str, tuple[str | None, ...] | None] = {}

    def build_columns(self, texts: pa.Array) -> TagColumns:
        """Return `tags` and `x_tag_*` of tag texts (JSON, plain or dictionary array)."""
        encoded = encode_text(texts)
        if len(self._known) > _KNOWN_TEXTS:
            self._known.clear()
        rows = [self._read(text) for text in encoded.dictionary.to_pylist()]
        columns = {
            name: spread_distinct(
                pa.array([row[place] if row else None for row in rows], pa.string()), encoded.indices
            )
            for place, name in enumerate(_TAG_COLUMNS)
        }
        is_unreadable = pa.array([row is None for row in rows], pa.bool_()).take(encoded.indices)
        return TagColumns(columns, is_unreadable.true_count)

    def _read(self, text: str) -> tuple[str | None, ...] | None:
        if text not in self._known:
            tags = read_tags(text)
            row = None if tags is None else _build_row(tags, self._tag_keys, self._user_keys, self._identity)
            self._known[text] = None if row is None else tuple(row.get(name) for name in _TAG_COLUMNS)
        return self._known[text]


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
