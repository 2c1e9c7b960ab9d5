"""The one rounding rule, told twice: in SQL by the fact's model, here in plain Python integers.

The rule: split in whole units of 1e-12, in key order, each part the difference of two cumulative shares, truncated
toward zero; weights whose total reaches 1e15 are scaled below it first, and none is scaled to nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from hashlib import md5

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.sql.harness import run_model

LARGEST_AMOUNT = 10**22 - 1
LARGEST_POOL = 10**15
LARGE_POOL_PARTS = 100_000
DAY = "2026-11-01"
fixed = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)

amounts = st.one_of(
    st.sampled_from([0, 1, -1, 7, LARGEST_AMOUNT, -LARGEST_AMOUNT]),
    st.integers(-LARGEST_AMOUNT, LARGEST_AMOUNT),
)
weights = st.one_of(
    st.sampled_from([0, 1, 2, 10**6, LARGEST_POOL - 1, LARGEST_POOL, 2**62]), st.integers(0, 2**62)
)


def scale_weights(weights: Sequence[int]) -> list[int]:
    """Weights whose total fits 15 digits: as they are where it does, else each at least 1 unless it was 0.

    Where all are zero all are equal: what nothing weighs is still somebody's.
    """
    total = sum(weights)
    if total == 0:
        return [1] * len(weights)
    if total < LARGEST_POOL:
        return list(weights)
    room = LARGEST_POOL - 1 - len(weights)
    return [max(1, weight * room // total) if weight else 0 for weight in weights]


def split_amount(amount: int, weights: Sequence[int]) -> list[int]:
    """An amount of units over weights, in their order."""
    scaled = scale_weights(weights)
    total = sum(scaled)
    sign = -1 if amount < 0 else 1
    parts, before = [], 0
    for weight in scaled:
        until = before + weight
        parts.append(sign * (abs(amount) * until // total - abs(amount) * before // total))
        before = until
    return parts


@fixed
@given(amounts, amounts, st.lists(weights, min_size=1, max_size=9))
@example(LARGEST_AMOUNT, -LARGEST_AMOUNT, [1, 10**6])
@example(LARGEST_AMOUNT, -LARGEST_AMOUNT, [1, 10**9])
@example(7, -LARGEST_AMOUNT, [10**9, 1, 0])
@example(LARGEST_AMOUNT, -1, [1, 10**18])
@example(10, -LARGEST_AMOUNT, [0, 0, 0])
@example(LARGEST_AMOUNT, -1, [1, 2**62, 2**62])
@example(10, -10, [1, 1, 1])
def test_sql_splits_as_the_rule_says(billed: int, effective: int, drawn: list[int]) -> None:
    owners = {f"owner {number}": weight for number, weight in enumerate(drawn)}
    rows = _split_in_sql(billed, effective, owners)
    ordered = sorted(owners, key=_row_id)
    assert [row["owner_id"] for row in rows] == ordered
    ordered_weights = [owners[owner] for owner in ordered]
    for measure, amount in (("billed_cost", billed), ("effective_cost", effective)):
        parts = split_amount(amount, ordered_weights)
        assert sum(parts) == amount
        assert [row[measure] for row in rows] == [_money(part) for part in parts]


@fixed
@given(amounts, st.lists(weights, min_size=1, max_size=200))
def test_the_rule_itself_keeps_sum_sign_and_bound(amount: int, drawn: list[int]) -> None:
    parts = split_amount(amount, drawn)
    scaled = scale_weights(drawn)
    assert sum(parts) == amount
    assert sum(scaled) < LARGEST_POOL
    assert split_amount(-amount, drawn) == [-part for part in parts]
    for part, weight, size in zip(parts, drawn, scaled, strict=True):
        assert part * amount >= 0
        assert (part == 0) or weight > 0 or not any(drawn)
        assert abs(abs(part) * sum(scaled) - abs(amount) * size) < sum(scaled), "off by a unit or more"


def test_a_pool_of_a_hundred_thousand_parts_is_split_to_the_last_unit() -> None:
    """Weights from 1 to 1e12, some zero, together beyond 15 digits; a refund of less than a unit each."""
    sizes = [0, 1, 10**3, 10**6, 10**9, 10**12]
    owners = {f"owner {number}": sizes[number % len(sizes)] for number in range(LARGE_POOL_PARTS)}
    billed, effective = 123_456_789_012_345_678, 1 - LARGE_POOL_PARTS
    rows = _split_in_sql(billed, effective, owners)
    ordered = sorted(owners, key=_row_id)
    assert [row["owner_id"] for row in rows] == ordered
    for measure, amount in (("billed_cost", billed), ("effective_cost", effective)):
        parts = split_amount(amount, [owners[owner] for owner in ordered])
        assert sum(parts) == amount
        assert [row[measure] for row in rows] == [_money(part) for part in parts]


def _split_in_sql(billed: int, effective: int, owners: Mapping[str, int]) -> Sequence[Mapping[str, object]]:
    cell = {
        "charge_date": DAY,
        "cell_id": "cell",
        "method_id": "bytes",
        "pool_key": "pool",
        "billed_cost": f"{_money(billed):f}",
        "effective_cost": f"{_money(effective):f}",
        "is_pool_first": "true",
        "missing_quantity": "0",
    }
    pool = [
        {"charge_date": DAY, "pool_key": "pool", "owner_id": owner, "weight": weight, "bytes": 0}
        for owner, weight in owners.items()
    ]
    given_rows = {"core.cells": [cell], "core.physical_weights": pool}
    window = {"start": DAY, "end": "2026-11-02"}
    return run_model("core.direct_costs", given_rows, window)


def _row_id(owner: str) -> str:
    return md5("\x1f".join([owner, "\x1e", "\x1e", "\x1e"]).encode(), usedforsecurity=False).hexdigest()


def _money(units: int) -> Decimal:
    return Decimal((int(units < 0), tuple(int(digit) for digit in str(abs(units))), -12))
