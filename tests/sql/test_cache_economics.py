"""core.cold_usage, marts.cache_economics_daily and marts.unit_economics_daily on small given tables."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.sql.harness import run_checks, run_model
from tests.unit.test_attribution_page import read_page_table

DAY = datetime(2026, 11, 3)
WINDOW = {"start": "2026-11-03", "end": "2026-11-04", "reporting_currency": "USD"}
MILLION = 1_000_000
PAGE = read_page_table("Caches after deploys")
NAMES = [
    {
        "charge_date": "2026-11-03",
        "logged_provider": "p",
        "logged_model": "m",
        "provider": "aws",
        "model": "sonnet",
    }
]
USED = {
    "charge_date": "2026-11-03",
    "provider": "aws",
    "model": "sonnet",
    "service_tier": "standard",
    "context_min_tokens": 0,
    "owner_id": "ann",
    "list_cost_currency": "USD",
}


def request(minute: int, **more: Any) -> dict[str, Any]:
    """A call of the feature chat on the third, minutes after midnight."""
    started = DAY + timedelta(minutes=minute)
    return {
        "charge_date": started.date(),
        "request_id": f"{minute} {more}",
        "started_at": started,
        "provider": "p",
        "model": "m",
        "feature": "chat",
        "uncached_input_tokens": 1,
        **more,
    }


def event(minute: int, **more: Any) -> dict[str, Any]:
    """A deploy minutes after midnight."""
    at = DAY + timedelta(minutes=minute)
    return {"event_id": f"{minute} {more}", "event_at": at, "event_kind": "deploy", **more}


def cold(
    requests: list[dict[str, Any]], events: list[dict[str, Any]], **window: str
) -> list[tuple[Any, ...]]:
    """(feature, events, cold requests, cold input, warm input) of a day."""
    given = {"core.identified_requests": requests, "core.events": events, "core.model_names": NAMES}
    rows = run_model("core.cold_usage", given, {**WINDOW, **window})
    names = ("feature", "cold_events", "cold_requests", "cold_input_tokens", "warm_input_tokens")
    assert all((row["provider"], row["model"]) == ("aws", "sonnet") for row in rows)
    return [tuple(row[name] for name in names) for row in rows]


def test_calls_of_the_half_hour_after_an_event_of_their_feature_are_cold() -> None:
    requests = [request(m, uncached_input_tokens=10**n) for n, m in enumerate((59, 60, 89, 90))]
    requests.append(request(61, feature="search", uncached_input_tokens=7))
    assert cold(requests, [event(60, feature="chat")]) == [("chat", 1, 2, 110, 1001)]


def test_an_event_of_a_replica_that_calls_name_is_that_replicas() -> None:
    requests = [request(61, replica_id="a"), request(62, replica_id="b", uncached_input_tokens=20)]
    assert cold(requests, [event(60, feature="chat", replica_id="a")]) == [("chat", 1, 1, 1, 20)]
    assert cold(requests, [event(60, feature="chat", replica_id="other")]) == [("chat", 1, 2, 21, 0)]


def test_a_call_after_two_events_is_cold_once() -> None:
    assert cold([request(61)], [event(50, feature="chat"), event(60, feature="chat")]) == [
        ("chat", 2, 1, 1, 0)
    ]


def test_the_half_hour_goes_on_over_midnight() -> None:
    late = event(-5, feature="chat")
    assert cold([request(24), request(26), request(-1)], [late]) == [("chat", 1, 1, 1, 1)]
    before = {"start": "2026-11-02", "end": "2026-11-03"}
    names = {"charge_date": "2026-11-02"}
    given = {
        "core.identified_requests": [request(24), request(-1)],
        "core.events": [late],
        "core.model_names": [NAMES[0] | names],
    }
    (row,) = run_model("core.cold_usage", given, before)
    assert (row["charge_date"].day, row["cold_requests"], row["warm_input_tokens"]) == (2, 1, 0)


@pytest.mark.parametrize("known", [{}, {"feature": "other"}, {"replica_id": "unknown"}])
def test_an_event_that_belongs_to_no_call_counts_for_none(known: dict[str, str]) -> None:
    assert cold([request(61)], [event(60, **known)]) == []


def test_a_day_without_events_has_no_row() -> None:
    assert cold([request(61)], [event(60 - 1440, feature="chat")]) == []


def caches(
    usage: list[dict[str, Any]], cold_rows: list[dict[str, Any]], logged: dict[str, int]
) -> dict[str, Any]:
    """The only row of the mart, after its check against the log."""
    day = {"charge_date": "2026-11-03"}
    prices = {"in": "3", "read": "0.3", "write": "3.75"}
    given = {
        "core.usage_costs": usage,
        "core.request_usage": [{**day, "owner_id": "ann", "feature": "chat", **logged}],
        "core.cold_usage": cold_rows,
        "core.dated_prices": [{"price_id": name, "price_per_mtok": price} for name, price in prices.items()],
    }
    assert set(run_checks("marts.cache_economics_daily", given, WINDOW).values()) == {0}
    wrong = given | {"core.request_usage": [given["core.request_usage"][0] | {"requests": 99}]}
    assert run_checks("marts.cache_economics_daily", wrong, WINDOW)["caches_keep_the_log"] == 1
    (row,) = run_model("marts.cache_economics_daily", given, WINDOW)
    return row


def _used(token_class: str, quantity: int, price_id: str | None, cost: str | None, requests: int = 0) -> Any:
    return USED | {
        "token_class": f"{token_class}_tokens",
        "quantity_tokens": quantity,
        "price_id": price_id,
        "list_cost": cost,
        "requests": requests,
    }


def test_the_pages_deploy_cost_what_the_page_says() -> None:
    after, others = (
        {k: int(v.replace(",", "")) for k, v in row.items() if v.replace(",", "").isdigit()} for row in PAGE
    )
    counts = {
        "cold_input_tokens": after["input tokens"],
        "cold_cache_read_tokens": after["read from cache"],
        "cold_cache_write_tokens": after["written"],
        "warm_input_tokens": others["input tokens"],
        "warm_cache_read_tokens": others["read from cache"],
        "warm_cache_write_tokens": others["written"],
    }
    found = {name: USED[name] for name in ("charge_date", "provider", "model")} | {"feature": "chat"}
    reads, writes = (after[name] + others[name] for name in ("read from cache", "written"))
    row = caches(
        [
            _used("uncached_input", 1_200_000, "in", "3.6", 9),
            _used("cache_read", reads, "read", str(Decimal("0.3") * reads / MILLION)),
            _used("cache_write_5m", writes, "write", str(Decimal("3.75") * writes / MILLION)),
        ],
        [found | counts | {"cold_events": 2, "cold_requests": 3}],
        {"requests": 9, "cache_read_tokens": reads},
    )
    assert row["cold_cost"] == Decimal("1.92")
    assert (row["cache_saving_cost"], row["write_premium_cost"]) == (Decimal("19.98"), Decimal("1.05"))
    assert (row["net_saving_cost"], row["list_cost_currency"]) == (Decimal("18.93"), "USD")
    assert (row["cold_events"], row["cold_requests"], row["feature"]) == (2, 3, "chat")
    assert row["cache_read_share"] == Decimal("0.74")


def test_cached_tokens_without_a_price_to_hold_them_against_save_nothing_and_are_told() -> None:
    """The long context has no uncached call that day, so nobody knows what it would have cost."""
    row = caches(
        [
            _used("uncached_input", 1000, "in", "0.003", 2),
            _used("cache_read", 1000, "read", "0.0003"),
            _used("cache_read", 500, "read", "0.00015") | {"context_min_tokens": 200000},
            _used("cache_read", 70, None, None),
        ],
        [],
        {"requests": 2, "cache_read_tokens": 1570},
    )
    assert (row["cache_saving_cost"], row["unpriced_cache_tokens"]) == (Decimal("0.0027"), 570)
    assert (row["cold_cost"], row["cold_events"]) == (0, 0)


def test_nothing_is_divided_by_nothing_and_every_cost_has_a_feature_or_none() -> None:
    spent = {"charge_date": "2026-11-03", "charge_category": "Usage", "cost_state": "provisional"}
    given: dict[str, list[dict[str, Any]]] = {
        "marts.cost_daily": [
            spent | {"cost_driver": "storage", "effective_cost_reporting": "5"},
            spent | {"cost_driver": "inference", "effective_cost_reporting": "9", "charge_category": "Tax"},
            spent | {"feature": "chat", "cost_driver": "inference", "effective_cost_reporting": "3"},
            spent
            | {
                "feature": "chat",
                "cost_driver": "inference",
                "effective_cost_reporting": "4",
                "input_tokens": 2 * MILLION,
            }
            | {"token_class": "cache_read_tokens", "cost_state": "estimated"},
        ],
        "core.request_usage": [
            {
                "charge_date": "2026-11-03",
                "feature": "chat",
                "user_id": user,
                "requests": 4,
                "cache_read_tokens": MILLION,
            }
            for user in ("ann", "ann", "bob", None)
        ],
        "core.traces": [
            {"root_date": "2026-11-03", "trace_id": status, "feature": "chat", "calls": 3, "status": status}
            for status in ("ok", "error", "no_root", "ok")
        ],
    }
    chat, nobody = run_model("marts.unit_economics_daily", given, WINDOW)
    assert set(run_checks("marts.unit_economics_daily", given, WINDOW).values()) == {0}
    broken = {**given, "marts.unit_economics_daily": [chat]}
    assert run_checks("marts.unit_economics_daily", broken, WINDOW)["features_keep_the_mart"] == 1
    assert (nobody["feature"], nobody["total_cost"], nobody["other_cost"]) == (None, 5, 5)
    ratios = [name for name in nobody if name.startswith("cost_per") or name.endswith("_per_mtok")]
    assert len(ratios) == 9 and {nobody[name] for name in ratios} == {None}
    assert (chat["actions"], chat["failed_actions"], chat["successful_outcomes"]) == (4, 1, 2)
    assert (chat["active_users"], chat["requests"], chat["calls_per_action"]) == (2, 16, 3)
    assert (chat["total_cost"], chat["estimated_cost"]) == (7, 4)
    assert (chat["cost_per_action"], chat["cost_per_successful_outcome"]) == (Decimal("1.75"), Decimal("3.5"))
    assert (chat["cost_per_1k_requests"], chat["cache_read_cost_per_mtok"]) == (Decimal("437.5"), 2)
