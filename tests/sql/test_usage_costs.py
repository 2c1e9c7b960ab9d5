"""core.usage_costs: which list price a day's tokens have, and why some have none."""

from __future__ import annotations

from datetime import datetime
from typing import Any

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


OWN: dict[str, Any] = {"provider": "openai", "model": "Acme-Secret 2", "is_override": True, "price_rank": 1}
CLAUDE: dict[str, Any] = {"provider": "anthropic", "model": "claude-sonnet-4-5"}
AT_OPENAI: dict[str, Any] = {"provider": "openai", "model": "claude-proxy"}


def _named(
    aliases: list[dict[str, str]], prices: list[dict[str, Any]], **changes: Any
) -> list[tuple[Any, ...]]:
    columns = "provider, model, list_cost, unpriced_reason"
    calls = [call("ann", MILLION, **changes)]
    return run("core.usage_costs", columns, requests=calls, prices=prices, model_aliases=aliases)


def test_an_override_prices_a_model_that_no_price_book_knows() -> None:
    """Under the provider it is of, and no other, whatever the case the log writes it in."""
    prices = [price(per_mtok="4", **OWN)]
    found = _named([], prices, provider="openai", model=" acme-secret 2")
    assert found == [("openai", "Acme-Secret 2", "4", None)]
    ((*_, cost, reason),) = _named([], prices, provider="x_ai", model="acme-secret 2")
    assert (cost, reason) == (None, "unknown_model")


def test_an_override_from_noon_prices_the_afternoon_of_a_model_that_no_book_knows() -> None:
    prices = [price(per_mtok="4", published_at=datetime(2026, 11, 1, 12), **OWN)]
    calls = [
        call("ann", MILLION, minute=60 * hour, provider="openai", model="acme-secret 2") for hour in (1, 13)
    ]
    found = run("core.usage_costs", "list_cost", requests=calls, prices=prices)
    assert sorted(found, key=str) == [("4",), (None,)]


def test_an_alias_leads_to_an_override_of_the_same_provider() -> None:
    alias = {"alias": "claude-proxy", "provider": "openai", "model": "Acme-Secret 2"}
    assert _named([alias], [price(per_mtok="4", **OWN)], **AT_OPENAI) == [
        ("openai", "Acme-Secret 2", "4", None)
    ]


def test_an_alias_leads_to_a_model_of_another_provider_when_it_names_that_provider() -> None:
    """Not by the model's name alone: several providers may have a price of it."""
    alias = {"alias": "claude-proxy", "provider": "openai", "model": "anthropic/claude-sonnet-4-5"}
    prices = [price(per_mtok="3", **CLAUDE), price(per_mtok="5")]
    assert _named([alias], prices, **AT_OPENAI) == [("anthropic", "claude-sonnet-4-5", "3", None)]
    own = price(per_mtok="2", provider="openai", model="anthropic/claude-sonnet-4-5")
    assert _named([alias], [*prices, own], **AT_OPENAI) == [
        ("openai", "anthropic/claude-sonnet-4-5", "2", None)
    ]
    bare = alias | {"model": "claude-sonnet-4-5"}
    ((*_, cost, reason),) = _named([bare], prices, **AT_OPENAI)
    assert cost is None and reason is not None


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


HALVES = {
    "night": {"time_of_day_start": "00:00", "time_of_day_end": "08:30"},
    "day": {"time_of_day_start": "08:30", "time_of_day_end": "24:00"},
}


def _at(user: str, hour: int, minute: int, **changes: Any) -> dict[str, Any]:
    return call(user, MILLION, started_at=datetime(2026, 11, 1, hour, minute), **changes)


def test_a_price_of_the_day_and_of_the_night_are_told_apart_to_the_minute() -> None:
    prices = [price(per_mtok="1", **HALVES["night"]), price(per_mtok="2", **HALVES["day"])]
    calls = [_at("ann", 0, 0), _at("ann", 8, 29), _at("bob", 8, 30), _at("bob", 23, 59)]
    found = run("core.usage_costs", "time_of_day_start, list_cost, requests", requests=calls, prices=prices)
    assert found == [("00:00", "2", 2), ("08:30", "4", 2)]


def test_only_models_priced_by_the_clock_have_a_time_of_day_in_their_segment() -> None:
    prices = [price(per_mtok="1", model="timed", **HALVES["night"]), price(per_mtok="3")]
    calls = [_at("ann", 1, 0), _at("ann", 12, 0)]
    assert run("core.usage_costs", "time_of_day_start, list_cost", requests=calls, prices=prices) == [
        (None, "6")
    ]
    assert run("core.timed_names", "model", requests=calls, prices=prices) == []


@pytest.mark.parametrize("kind", ["override", "contract", "list"])
def test_a_price_that_begins_at_noon_prices_the_afternoon(kind: str) -> None:
    noon = datetime(2026, 11, 1, 12)
    rank = {"override": 1, "contract": 2, "list": 3}[kind]
    prices = [
        price(per_mtok="3"),
        price(per_mtok="2", valid_from=noon, published_at=DAY, price_rank=rank, is_override=rank < 3),
    ]
    assert _cost(calls=[_at("ann", 11, 59), _at("ann", 12, 0)], prices=prices) == [("2", None), ("3", None)]


def test_an_own_price_told_at_noon_leaves_the_morning_alone() -> None:
    told = datetime(2026, 11, 1, 12)
    prices = [price(per_mtok="3"), price(per_mtok="2", published_at=told, price_rank=1, is_override=True)]
    assert _cost(calls=[_at("ann", 11, 59), _at("ann", 12, 0)], prices=prices) == [("2", None), ("3", None)]


def test_a_region_has_its_own_price_and_others_that_of_any() -> None:
    prices = [price(per_mtok="3"), price(per_mtok="3.3", region_id="us")]
    calls = [call("ann", MILLION), call("bob", MILLION, region_id="us"), call("cyd", MILLION, region_id="eu")]
    assert _cost(calls=calls, prices=prices) == [("3", None), ("3", None), ("3.3", None)]


def test_audio_and_images_within_a_class_have_prices_of_their_own() -> None:
    """600 text, 300 audio and 100 images in 1,000; the cache has audio too, and nothing says its price."""
    prices = [
        price(per_mtok="3"),
        price("uncached_audio_tokens", "40"),
        price("uncached_image_tokens", "5"),
        price("cache_read_tokens", "1"),
        price("output_tokens", "10"),
        price("output_audio_tokens", "80"),
    ]
    modal = {"uncached_audio_tokens": 300, "uncached_image_tokens": 100, "cache_read_audio_tokens": 7}
    calls = [
        call("ann", 1000, cache_read_tokens=10, output_tokens=20, output_audio_tokens=15, **modal),
    ]
    columns = "token_class, quantity_tokens, list_cost, audio_price_id, image_price_id"
    assert run("core.usage_costs", columns, requests=calls, prices=prices) == [
        ("cache_read_tokens", 10, "0.00001", None, None),
        ("output_tokens", 20, "0.00125", "output_audio_tokens 80", None),
        ("uncached_input_tokens", 1000, "0.0143", "uncached_audio_tokens 40", "uncached_image_tokens 5"),
    ]


def test_a_request_costs_what_its_part_of_the_roll_up_does() -> None:
    prices = [
        price(per_mtok="1", **HALVES["night"]),
        price(per_mtok="2", **HALVES["day"]),
        price("uncached_audio_tokens", "40", **HALVES["day"]),
    ]
    calls = [_at("ann", 1, 0), _at("ann", 9, 0, uncached_audio_tokens=100_000), _at("bob", 10, 0)]
    found = run("core.priced_requests", "time_of_day_start, list_cost", requests=calls, prices=prices)
    assert found == [("00:00", "1"), ("08:30", "2"), ("08:30", "5.8")]
    assert _cost(calls=calls, prices=prices) == [("1", None), ("2", None), ("5.8", None)]
