"""Own hardware and counters: days add up to hours × cost per hour, however cards and scrapes are cut."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Context, Decimal
from fractions import Fraction
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.common.metrics.samples import HOUR, Series, split_by_hour, sum_by_hour
from tests.sql.harness import run_model

START = datetime(2028, 2, 24)
DAYS = 12
"""Over a leap day and into another month."""
EXACT = Context(prec=80, rounding=ROUND_DOWN)
TYPES = {"reference.rate_card_days": {"charge_date": "DATE"}}
_SLOW = (HealthCheck.too_slow,)


def charge(cards: Sequence[dict[str, Any]], first: int = 0, last: int = DAYS) -> list[dict[str, Any]]:
    """The charges of the days from `first` on, before `last`."""
    rows = run_model(
        "staging.rate_cards",
        {
            "lake.rate_cards": [
                {"resource_id": "r", "cost_kind": "capex", "currency": "EUR", **card} for card in cards
            ]
        },
    )
    days = [{"charge_date": (START + timedelta(days=n)).date()} for n in range(first, last)]
    return run_model(
        "staging.rate_card_charges",
        {"staging.rate_cards": rows, "reference.rate_card_days": days},
        {"start": START.date(), "end": (START + timedelta(days=DAYS)).date()},
        TYPES,
    )


def total(rows: Sequence[dict[str, Any]], resource: str = "r") -> Decimal:
    return sum((row["billed_cost"] for row in rows if row["resource_id"] == resource), Decimal(0))


costs = st.decimals(min_value=0, max_value=Decimal("999999999"), places=12, allow_nan=False)


@settings(max_examples=10, deadline=None, suppress_health_check=_SLOW)
@given(
    cost=costs,
    begin=st.integers(0, 24),
    hours=st.integers(1, 24 * 9),
    cuts=st.sets(st.integers(1, 20), max_size=4),
)
def test_days_sum_to_hours_times_cost_however_validity_is_cut(
    cost: Decimal, begin: int, hours: int, cuts: set[int]
) -> None:
    """Whole hours exactly; and the same total when the card is told in pieces that begin anywhere."""
    start = START + timedelta(hours=begin)
    end = start + timedelta(hours=hours)
    seconds = hours * 3600
    borders = sorted({start, *(start + timedelta(seconds=seconds * cut // 21) for cut in cuts), end})
    pieces = list(zip(borders, borders[1:], strict=False))
    told = [
        ("whole", start, end),
        *(("pieces", a, b) for a, b in pieces),
        *(("open", a, None if b < end else b) for a, b in pieces),
    ]
    rows = charge(
        [{"resource_id": r, "cost_per_hour": cost, "valid_from": a, "valid_to": b} for r, a, b in told]
    )
    assert total(rows, "whole") == total(rows, "pieces") == total(rows, "open") == cost * hours


@settings(max_examples=10, deadline=None, suppress_health_check=_SLOW)
@given(
    cost=costs,
    spans=st.lists(st.tuples(st.integers(0, 86400 * 6), st.integers(1, 86400 * 5)), min_size=1, max_size=4),
)
def test_seconds_cost_what_exact_arithmetic_says(cost: Decimal, spans: list[tuple[int, int]]) -> None:
    """An oracle of fractions: cards that begin later end the earlier ones; gaps cost nothing; no day holds two."""
    cards = {START + timedelta(seconds=at): START + timedelta(seconds=at + length) for at, length in spans}
    rows = charge([{"cost_per_hour": cost, "valid_from": a, "valid_to": b} for a, b in cards.items()])
    begins = sorted(cards)
    held = [
        (begin, min(cards[begin], *(later for later in begins if later > begin), cards[begin]))
        for begin in begins
    ]
    seconds = sum(((b - a) // timedelta(seconds=1) for a, b in held if b > a), 0)
    exact = Fraction(cost) * seconds / 3600
    assert abs(Fraction(total(rows)) - exact) <= Fraction(len(held), 10**12)
    by_day: dict[Any, timedelta] = {}
    for row in rows:
        length = row["charge_period_end"] - row["charge_period_start"]
        day = row["charge_period_start"].date()
        by_day[day] = by_day.get(day, timedelta(0)) + length
    assert all(length <= timedelta(days=1) for length in by_day.values())
    assert sum(by_day.values(), timedelta(0)) == timedelta(seconds=seconds)
    assert len({row["charge_id"] for row in rows}) == len(rows)


def test_days_that_are_not_over_cost_nothing_yet() -> None:
    card = [{"cost_per_hour": Decimal(1), "valid_from": START}]
    assert total(charge(card, 0, 10)) == 240
    assert total(charge(card, 3, 10)) == 168


samples = st.lists(st.tuples(st.integers(1, 900), st.integers(0, 5000)), min_size=2, max_size=60)


@settings(max_examples=100, deadline=None)
@given(steps=samples, resets=st.sets(st.integers(0, 59)), kept=st.sets(st.integers(0, 59)))
def test_a_subset_of_scrapes_keeps_the_total_of_what_they_cover(
    steps: list[tuple[int, int]], resets: set[int], kept: set[int]
) -> None:
    """Between resets a counter says the same however seldom it is read; the oracle adds up true growth."""
    time = value = 0
    grown = 0
    points: list[tuple[int, int, int]] = []
    for index, (seconds, amount) in enumerate(steps):
        time += seconds * 1_000_000
        value = amount if index in resets and amount < value else value + amount
        grown += amount
        points.append((time, value, grown))
    gap = 10**12
    full = Series("counter", {}, [(t, v) for t, v, _ in points])
    lost = points[0][2]
    assert sum(sum_by_hour([full], gap).values()) == points[-1][2] - lost
    never_lost = [
        i for i in range(len(points)) if i in kept | {0, len(points) - 1} | {r - 1 for r in resets} | resets
    ]
    part = Series("counter", {}, [points[i][:2] for i in never_lost if i < len(points)])
    assert sum(sum_by_hour([part], gap).values()) == points[-1][2] - lost
    doubled = Series("counter", {}, [*reversed(full.samples), *full.samples])
    assert sum_by_hour([doubled], gap) == sum_by_hour([full], gap)


@settings(max_examples=100, deadline=None)
@given(steps=samples, longest=st.integers(1, 900))
def test_a_gap_counts_nothing(steps: list[tuple[int, int]], longest: int) -> None:
    time = value = 0
    known = 0
    points = []
    for index, (seconds, amount) in enumerate(steps):
        time, value = time + seconds * 1_000_000, value + amount
        known += amount if index and seconds <= longest else 0
        points.append((time, value))
    assert sum(sum_by_hour([Series("counter", {}, points)], longest * 1_000_000).values()) == known


@settings(max_examples=200, deadline=None)
@given(start=st.integers(0, 5 * HOUR), length=st.integers(1, 5 * HOUR), amount=st.integers(0, 10**15))
def test_parts_of_hours_add_up(start: int, length: int, amount: int) -> None:
    parts = list(split_by_hour(start, start + length, amount))
    assert sum(part for _, _, part in parts) == amount
    assert sum(time for _, time, _ in parts) == length
    assert all(part >= 0 and hour % HOUR == 0 and time <= HOUR for hour, time, part in parts)
