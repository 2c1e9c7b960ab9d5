"""Numbers and times of Google's export have one written form, whatever they were read from."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.common.source_files import FileFault
from connectors.gcp_billing.bill_format import pacific_month
from connectors.gcp_billing.flat_rows import flatten_json_lines, flatten_rows, instant_text, number_text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_doubles_are_their_shortest_decimal_without_exponent(number: float) -> None:
    (text,) = flatten_rows(pa.table({"cost": [number]})).column("cost").to_pylist()
    assert text == number_text(repr(number))
    assert Decimal(text) == Decimal(repr(number)) and "e" not in text.lower()


@given(st.decimals(min_value=-(10**20), max_value=10**20, places=9))
def test_numerics_have_no_needless_zeros(number: Decimal) -> None:
    (text,) = (
        flatten_rows(pa.table({"cost": pa.array([number], pa.decimal128(38, 9))})).column("cost").to_pylist()
    )
    assert text == number_text(str(number)) and Decimal(text) == number


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-11-01 00:00:00 UTC", "2026-11-01T00:00:00Z"),
        ("2026-11-01T00:00:00.5+02:00", "2026-10-31T22:00:00.500000Z"),
        (datetime(2026, 11, 1, 1, tzinfo=UTC), "2026-11-01T01:00:00Z"),
    ],
)
def test_times_are_utc(value: object, expected: str) -> None:
    assert instant_text(value) == expected


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_no_number_is_refused_by_its_column(number: float) -> None:
    with pytest.raises(FileFault, match="column cost"):
        flatten_rows(pa.table({"cost": [number]}))


def test_a_line_that_is_no_object_is_refused_by_its_number() -> None:
    with pytest.raises(FileFault, match="line 7"):
        flatten_json_lines([(7, b"[1]")])


@pytest.mark.parametrize(
    ("month", "start", "end"),
    [
        ("202610", datetime(2026, 10, 1, 7), datetime(2026, 11, 1, 7)),
        ("202611", datetime(2026, 11, 1, 7), datetime(2026, 12, 1, 8)),
        ("202612", datetime(2026, 12, 1, 8), datetime(2027, 1, 1, 8)),
        ("202603", datetime(2026, 3, 1, 8), datetime(2026, 4, 1, 7)),
    ],
)
def test_invoice_months_are_pacific(month: str, start: datetime, end: datetime) -> None:
    """November 2026 begins in daylight saving time and ends in standard time: 30 days and an hour."""
    assert pacific_month(month) == (start, end)


@pytest.mark.parametrize("month", ["2026-11", "202613", "", "20261"])
def test_no_month_is_refused(month: str) -> None:
    with pytest.raises(ValueError):
        pacific_month(month)
