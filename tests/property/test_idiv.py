"""Property test of the macro idiv: equal to Python's integer division, toward zero, over all sizes of operands.

What belongs here: the engine's fast division. What must not: where the models use it.
"""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.warehouse.engine import EngineSettings, open_connection

LARGEST = 9 * 10**37
DIVISORS = st.one_of(
    st.integers(1, 2**64),
    st.sampled_from([1, 2, 3, 10**15 - 1, 10**15, 2**53 - 1, 2**53, 2**53 + 1, 10**18]),
)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with open_connection(":memory:", EngineSettings(threads=1)) as opened:
        yield opened


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, LARGEST), DIVISORS, st.integers(-2, 2), st.booleans()), max_size=50))
def test_idiv_is_exact_next_to_multiples_and_anywhere(
    connection: duckdb.DuckDBPyConnection, drawn: list[tuple[int, int, int, bool]]
) -> None:
    pairs = [(0, 1)]
    for number, divisor, distance, is_credit in drawn:
        near_multiple = max(number // divisor * divisor + distance, 0)
        for dividend in (number, min(near_multiple, LARGEST)):
            pairs.append((-dividend if is_credit else dividend, divisor))
    values = ", ".join(f"({dividend}::hugeint, {divisor}::hugeint)" for dividend, divisor in pairs)
    found = connection.execute(
        "select idiv(a, b), idiv(cast(a as decimal(38, 0)), cast(b as decimal(38, 0))) "
        f"from (values {values}) as pairs (a, b)"
    ).fetchall()
    expected = [abs(a) // b * (-1 if a < 0 else 1) for a, b in pairs]
    assert found == [(quotient, quotient) for quotient in expected]
