"""Maps of Parquet files as JSON: written at once or value by value, the text is the same."""

from __future__ import annotations

import json

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from connectors.common.bills.nested import build_json_texts

MAP = pa.map_(pa.string(), pa.string())
TEXTS = st.text(max_size=4) | st.sampled_from(["", "NULL", 'a"b', "\\", "ä", "user:team"])
ENTRIES = st.lists(st.tuples(TEXTS, st.none() | TEXTS), max_size=4)


@given(st.lists(st.none() | ENTRIES, max_size=8), st.integers(0, 3))
def test_maps_become_json_objects_with_sorted_keys(
    maps: list[list[tuple[str, str | None]] | None], cut: int
) -> None:
    column = pa.array(maps, MAP).slice(min(cut, len(maps)))
    expected = [
        None if entries is None else json.dumps(dict(entries), sort_keys=True, ensure_ascii=False)
        for entries in maps[min(cut, len(maps)) :]
    ]
    assert build_json_texts(column).to_pylist() == expected


def test_other_maps_and_lists_are_written_value_by_value() -> None:
    doubles = pa.array([[("edp", -0.5)], None], pa.map_(pa.string(), pa.float64()))
    assert build_json_texts(doubles).to_pylist() == ['{"edp": -0.5}', None]
    lists = pa.array(
        [[{"key": "team", "value": "a"}], []],
        pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())])),
    )
    assert build_json_texts(lists).to_pylist() == ['[{"key": "team", "value": "a"}]', "[]"]
