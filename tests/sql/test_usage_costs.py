"""core.usage_costs: which list price a day's tokens have, and why some have none."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.sql.small_bill import DAY, call, price, run

MILLION = 1_000_000


def test_the_newest_book_published_by_the_day_prices_it() -> None:
    """Not a newer one, and not an older one: 7 is of next year, 3 of the year before."""
    prices = [
        price(per_mtok="3", published_at=datetime(2025, 1, 1)),
        price(per_mtok="5", published_at=datetime(2026, 10, 1)),
        price(per_mtok="7", published_at=datetime(2027, 1, 1)),
    ]
    assert _cost(calls=[call("ann", MILLION)], prices=prices) == [("5", None)]


def test_before_the_first_book_the_oldest_one_prices() -> None:
    prices = [
        price(per_mtok="5", published_at=datetime(2026, 12, 1)),
        price(per_mtok="7", published_at=datetime(2027, 1, 1)),
    ]
    assert _cost(calls=[call("ann", MILLION)], prices=prices) == [("5", None)]


def test_a_price_that_is_over_or_not_yet_valid_prices_nothing() -> None:
    prices = [
        price(per_mtok="5", valid_to=DAY),
        price(per_mtok="7", valid_from=datetime(2026, 11, 2)),
        price(per_mtok="6", valid_from=DAY, valid_to=datetime(2026, 11, 2)),
    ]
    assert _cost(calls=[call("ann", MILLION)], prices=prices) == [("6", None)]


def test_an_override_wins_over_a_newer_book() -> None:
    prices = [
        price(per_mtok="5", published_at=datetime(2026, 10, 30)),
        price(per_mtok="2", published_at=datetime(2026, 1, 1), is_override=True),
    ]
    assert _cost(calls=[call("ann", MILLION)], prices=prices) == [("2", None)]


def test_a_price_that_was_wrong_from_the_start_restates_the_past() -> None:
    prices = [
        price(per_mtok="5"),
        price(per_mtok="4", published_at=datetime(2027, 1, 1), is_wrong_from_start=True),
    ]
    assert _cost(calls=[call("ann", MILLION)], prices=prices) == [("4", None)]


def test_each_call_is_priced_at_the_tier_that_answered() -> None:
    prices = [price(per_mtok="6"), price(per_mtok="3", service_tier="batch")]
    calls = [
        call("ann", MILLION),
        call("bob", MILLION, service_tier="batch"),
        call("cyd", MILLION, service_tier="flex"),
    ]
    assert _cost(calls=calls, prices=prices) == [("3", None), ("6", None), (None, "no_price")]


@pytest.mark.parametrize(
    ("size", "cost", "cost_of_two"), [(199_999, "0.599997", "1.199994"), (200_000, "1.2", "2.4")]
)
def test_a_long_context_has_its_own_price(size: int, cost: str, cost_of_two: str) -> None:
    """The band is decided by the call's own input, not by the sum of the day's calls."""
    prices = [price(per_mtok="3"), price(per_mtok="6", context_min_tokens=200_000)]
    assert _cost(calls=[call("ann", size)], prices=prices) == [(cost, None)]
    twice = _cost(calls=[call("ann", size), call("ann", size, minute=1)], prices=prices)
    assert twice == [(cost_of_two, None)]


def test_each_token_class_has_its_own_price_and_requests_count_once() -> None:
    prices = [price(per_mtok="3"), price("output_tokens", "15"), price("cache_read_tokens", "0.3")]
    calls = [call("ann", MILLION, output_tokens=MILLION, cache_read_tokens=MILLION)]
    found = run("core.usage_costs", "list_cost, requests, quantity_tokens", requests=calls, prices=prices)
    assert found == [("0.3", 0, MILLION), ("3", 0, MILLION), ("15", 1, MILLION)]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model": "nobody-knows"}, "unknown_model"),
        ({"model": None}, "no_model"),
        ({"provider": "elsewhere"}, "unknown_model"),
        ({"uncached_input_tokens": 0, "output_tokens": 5}, "no_price"),
    ],
    ids=["unknown model", "no model", "another provider", "class without price"],
)
def test_what_has_no_price_has_a_reason_not_a_zero(changes: dict[str, object], reason: str) -> None:
    assert _cost(calls=[call("ann", MILLION, **changes)], prices=[price()]) == [(None, reason)]


def test_a_call_without_tokens_is_still_a_call() -> None:
    found = run("core.usage_costs", "requests, quantity_tokens", requests=[call("ann")], prices=[price()])
    assert found == [(1, 0)]


def _cost(calls: list[dict[str, object]], prices: list[dict[str, object]]) -> list[tuple[object, ...]]:
    return run("core.usage_costs", "list_cost, unpriced_reason", requests=calls, prices=prices)
