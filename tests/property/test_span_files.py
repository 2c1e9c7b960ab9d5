"""However the same spans are split into files, ordered and delivered again: the same requests and spans."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.property.span_trees import MadeSpan, forests, land_files, read_lake, run_models


def _told(factory: pytest.TempPathFactory, files: list[list[str]]) -> dict[str, list[tuple[Any, ...]]]:
    found = run_models(read_lake(land_files(factory.mktemp("files"), files)))
    return {name: found[name] for name in ("staging.requests", "staging.spans")}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(forests(size=9), st.data())
def test_any_partition_in_any_order_delivered_twice_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, spans: list[MadeSpan], data: st.DataObject
) -> None:
    whole = _told(tmp_path_factory, [[each.line() for each in spans]])
    assert sum(map(len, whole.values())) > 0
    shuffled = data.draw(st.permutations(spans))
    cuts = data.draw(st.integers(1, 4))
    files: list[list[str]] = [[] for _ in range(cuts)]
    for each in shuffled:
        files[data.draw(st.integers(0, cuts - 1))].append(each.line())
    again = data.draw(st.lists(st.sampled_from(spans), max_size=6))
    files.append([each.line() for each in again])
    assert _told(tmp_path_factory, [file for file in files if file]) == whole
    assert _told(tmp_path_factory, [[each.line()] for each in spans]) == whole
