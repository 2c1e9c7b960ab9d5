"""One root action across agents, providers, zones and midnights: who spent what, for whom, and what was in vain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from tests.sql.chain import Chain, Inputs
from tests.sql.harness import run_checks, run_model
from tests.sql.small_bill import ALIASES, COMPLETE, DAY, NOVEMBER, call, line, price, tokens
from tests.unit.test_attribution_page import read_page_table

MILLION = 1_000_000
CALLS = read_page_table("A cascade")
STEPS = read_page_table("Self and delegated")
OPENAI: dict[str, Any] = {
    "service_provider_name": "OpenAI",
    "service_name": "API",
    "service_category": "AI and Machine Learning",
    "sku_meter": "gpt-4o input tokens",
}
WINDOW = {"start": "2026-11-01", "end": "2026-11-02", "reporting_currency": "USD"}
SETTINGS = {"reference.settings": {"loop_min_calls": "BIGINT", "output_token_weight": "BIGINT"}}


def span(span_id: str, parent: str | None, agent: str | None, step: str | None = None, **more: Any) -> Any:
    """A span of trace t that starts at eleven in the evening of the first."""
    started = DAY + timedelta(hours=23)
    return {
        "x_source": "log",
        "x_snapshot_id": "s1",
        "trace_id": "t",
        "span_id": span_id,
        "parent_span_id": parent,
        "span_kind": "agent",
        "started_at": started,
        "ended_at": started + timedelta(minutes=1),
        "status": "ok",
        "agent": agent,
        "agent_step": step,
        **more,
    }


def _page_call(row: Mapping[str, str], number: int) -> dict[str, Any]:
    zones: dict[str, Any] = {"from_zone": "use1-az1", "to_zone": "use1-az4", "request_bytes": 4 * 10**9}
    elsewhere = zones | {"provider": "openai", "model": "gpt-4o"}
    more: dict[str, Any] = elsewhere if row["provider"] == "openai" else {}
    return call(
        "ann",
        int(row["tokens"].replace(",", "")),
        started_at=DAY
        + timedelta(days=int(row["call"] == "5"), hours=23 * int(row["call"] != "5"), minutes=number),
        trace_id="t",
        span_id=f"call{number}",
        parent_span_id=f"{row['agent']} {row['step']}",
        agent=row["agent"],
        agent_step=row["step"],
        status=row["status"],
        logical_call_id="reading" if row["step"] == "read" else None,
        **more,
    )


@cache
def _page_tables() -> dict[str, list[dict[str, Any]]]:
    """The page's cascade, through every model, from bill and log to the marts."""
    parents = {row["step"]: row["called by"] or "server" for row in CALLS}
    agents = {row["step"]: row["agent"] for row in CALLS}
    server = span("server", "gateway", None)
    root = span("gateway", None, None, user_id="ann", feature="reports", ended_at=DAY + timedelta(hours=25))
    spans = [root, server, *(span(f"{agents[s]} {s}", parents[s], agents[s], s) for s in parents)]
    lines = [
        tokens("first", "12", 4 * MILLION),
        tokens("second", "6", 2 * MILLION, charge_period_start=DAY + timedelta(days=1)),
        tokens("other", "2", MILLION, **OPENAI),
        line("bytes", "0.4", sku_meter="DataTransfer-Regional-Bytes"),
        line("tax", "1", charge_category="Tax"),
    ]
    lake = {
        "charges": lines,
        "spans": spans,
        "requests": [_page_call(row, number) for number, row in enumerate(CALLS)],
        "model_aliases": list(ALIASES),
        "prices": [price(per_mtok="3"), price(per_mtok="2", provider="openai", model="gpt-4o")],
    }
    delivery = {
        "source": "bill",
        "billing_account_id": "payer",
        "billing_period_start": DAY,
        "snapshot_id": "s1",
        "delivered_at": COMPLETE,
        "watermark_at": COMPLETE,
    }
    marts = ("marts.traces", "marts.trace_steps", "marts.unit_economics_daily", "marts.cache_economics_daily")
    with Chain(Inputs(lake, [delivery]), NOVEMBER, marts) as chain:
        assert not chain.failed_checks()
        return {name: chain.rows(f"select * from {name} order by all") for name in marts}


def test_the_pages_cascade_is_one_cost_across_providers_zones_and_midnight() -> None:
    (trace,) = _page_tables()["marts.traces"]
    tokens_cost = sum(Decimal(row["tokens cost"]) for row in CALLS)
    bytes_cost = sum(Decimal(row["bytes cost"]) for row in CALLS)
    assert (trace["inference_cost"], trace["egress_cost"]) == (tokens_cost, bytes_cost)
    assert trace["total_cost"] == Decimal("20.40") == tokens_cost + bytes_cost
    assert (trace["attempts"], trace["calls"], trace["calls_per_action"]) == (5, 4, 4)
    assert (trace["providers"], trace["zones"], trace["agents"], trace["depth"]) == (2, 2, 3, 6)
    assert (trace["retry_cost"], trace["failed_cost"], trace["loop_cost"]) == (3, 0, 0)


def test_the_pages_steps_have_their_own_cost_and_that_of_those_they_called() -> None:
    found = {
        (row["parent_agent"] or "", row["agent"], row["agent_step"]): row
        for row in _page_tables()["marts.trace_steps"]
    }
    assert len(found) == len(STEPS)
    for row in STEPS:
        step = found[row["called by"], row["agent"], row["step"]]
        for name in ("calls", "attempts", "self_cost", "delegated_cost", "retry_cost"):
            assert step[name] == Decimal(row[name]), (row, name)
        assert step["total_cost"] == step["self_cost"] + step["delegated_cost"]


def test_an_action_counts_on_the_day_it_began_and_cost_on_the_day_of_the_call() -> None:
    first, second = (
        row for row in _page_tables()["marts.unit_economics_daily"] if row["feature"] == "reports"
    )
    assert (first["total_cost"], second["total_cost"]) == (Decimal("14.4"), Decimal(6))
    assert (first["actions"], second["actions"], second["cost_per_action"]) == (1, 0, None)
    assert first["cost_per_action"] == first["cost_per_successful_outcome"] == Decimal("14.4")
    assert first["cost_per_active_user"] == Decimal("14.4")
    assert first["cost_per_1k_requests"] == Decimal(3600)
    assert (first["inference_cost"], first["egress_cost"], first["other_cost"]) == (14, Decimal("0.4"), 0)
    assert first["uncached_input_cost_per_mtok"] == Decimal("2.8")
    assert first["output_cost_per_mtok"] is None


def _steps_of(spans: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Any, ...]]:
    rows = run_model("core.span_steps", {"staging.spans": spans}, WINDOW)
    return {
        row["span_id"]: (row["parent_agent"], row["agent"], row["agent_step"], row["depth"]) for row in rows
    }


def test_a_span_works_for_the_agent_above_it_until_another_is_named() -> None:
    found = _steps_of(
        [
            span("root", None, None),
            span("a", "root", "planner", "plan"),
            span("tool", "a", None),
            span("again", "tool", "planner", "check"),
            span("b", "again", "researcher"),
            span("a2", "b", "planner", "plan"),
        ]
    )
    assert found == {
        "root": (None, None, None, 1),
        "a": (None, "planner", "plan", 2),
        "tool": (None, "planner", "plan", 3),
        "again": (None, "planner", "check", 4),
        "b": ("planner", "researcher", None, 5),
        "a2": ("researcher", "planner", "plan", 6),
    }


def test_a_lost_parent_ends_the_climb_and_a_loop_leads_nowhere() -> None:
    found = _steps_of([span("child", "lost", "bot"), span("x", "y", "bot"), span("y", "x", "bot")])
    assert found == {"child": (None, "bot", None, None)}


def test_no_chain_of_spans_is_followed_over_more_than_64() -> None:
    spans = [span("0", None, "a0"), *(span(str(n), str(n - 1), f"a{n}") for n in range(1, 80))]
    found = _steps_of(spans)
    assert len(found) == 64
    assert found["63"] == ("a62", "a63", None, 64)


def used(trace: str, **more: Any) -> dict[str, Any]:
    """A row of core.trace_usage of owner ann."""
    names = ("uncached_input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
    zero = {f"{name}_tokens": 0 for name in names} | {"request_bytes": 0, "response_bytes": 0}
    return {
        "charge_date": "2026-11-01",
        "trace_id": trace,
        "usage_id": "u",
        "step_id": "s",
        "is_retry": False,
        "owner_id": "ann",
        "provider": "aws",
        "model": "m",
        "requests": 1,
        "web_searches": 0,
        **zero,
        **more,
    }


def _split(
    method: str, usage: list[dict[str, Any]], amount: Any = "8", **lists: Any
) -> dict[str | None, Decimal]:
    """Trace → its part of a cell of one method that ann has whole."""
    day = {"charge_date": "2026-11-01"}
    pooled = {**day, "usage_id": "u", "pool_key": "pool", "owner_id": "ann", "requests": 2}
    fact = {**day, "cell_id": "c", "owner_id": "ann", "effective_cost_reporting": amount}
    given = {
        "core.attributed_costs": [fact | lists.pop("fact", {})],
        "core.cells": [
            {**day, "cell_id": "c", "pool_key": "pool", "method_id": method, "charge_category": "Usage"}
        ],
        "core.trace_usage": usage,
        "core.usage_costs": [{**day, "usage_id": "u", "owner_id": "ann", "token_class": "output_tokens"}],
        "core.pooled_usage": [
            {**pooled, "token_class": "output_tokens", "quantity_tokens": 100, "list_cost": "10"},
            {
                **pooled,
                "token_class": "cache_read_tokens",
                "quantity_tokens": 900,
                "list_cost": "1",
                "requests": 0,
            },
        ],
        "reference.settings": [{"loop_min_calls": 12, "output_token_weight": 2}],
        **lists,
    }
    assert set(run_checks("core.trace_costs", given, WINDOW, SETTINGS).values()) == {0}
    found: dict[str | None, Decimal] = {}
    for row in run_model("core.trace_costs", given, WINDOW, SETTINGS):
        found[row["trace_id"]] = found.get(row["trace_id"], Decimal(0)) + row["effective_cost_reporting"]
    return found


MIXED = [
    used("a", output_tokens=75, cache_read_tokens=225, web_searches=1, requests=3),
    used("b", output_tokens=25, cache_read_tokens=675, web_searches=3, requests=1),
]


@pytest.mark.parametrize(
    ("method", "a", "b"),
    [
        ("tokens", "2.4", "5.6"),
        ("cached_tokens", "2.4", "5.6"),
        ("list_price", "2.4", "5.6"),
        ("list_cost", "5.636363636363", "2.363636363637"),
        ("tool_uses", "2", "6"),
        ("requests", "6", "2"),
        ("telemetry_bytes", "2.4", "5.6"),
        ("bill_tag", "2.4", "5.6"),
        ("proportional", "2.4", "5.6"),
    ],
)
def test_each_method_is_split_over_traces_by_what_it_goes_by(method: str, a: str, b: str) -> None:
    """Trace a has the dear output, trace b the cheap reads; the rest of a coin goes by the order of traces."""
    assert _split(method, MIXED) == {"a": Decimal(a), "b": Decimal(b)}


def test_time_of_a_resource_is_split_by_tokens_of_the_models_it_served() -> None:
    usage = [
        used("a", model="llama", output_tokens=10, uncached_input_tokens=20),
        used("b", model="llama", output_tokens=20, uncached_input_tokens=80),
        used("b", model="other", usage_id="v", uncached_input_tokens=10**9),
    ]
    served = {
        "charge_date": "2026-11-01",
        "pool_key": "pool",
        "logged_provider": "aws",
        "logged_model": "llama",
    }
    found = _split("capacity_seconds", usage, **{"core.capacity_weights": [served]})
    assert found == {"a": Decimal(2), "b": Decimal(6)}


def test_bytes_are_split_by_those_between_the_same_zones_that_way() -> None:
    zones = {"from_zone": "x", "to_zone": "y", "request_bytes": 10}
    usage = [
        used("a", **zones, uncached_input_tokens=1),
        used(
            "b", **(zones | {"from_zone": "y", "to_zone": "x", "response_bytes": 30}), uncached_input_tokens=1
        ),
        used("c", uncached_input_tokens=9),
    ]
    there = {"from_zone": "x", "to_zone": "y"}
    assert _split("bytes", usage, fact=there) == {"a": Decimal(2), "b": Decimal(6)}
    elsewhere = {"from_zone": "x", "to_zone": "z"}
    assert _split("bytes", usage, "11", fact=elsewhere) == {"a": 1, "b": 1, "c": 9}


def test_tax_and_what_no_log_holds_stand_with_no_trace() -> None:
    assert _split("tokens", MIXED, fact={"residual_reason": "unlogged_usage"}) == {None: Decimal(8)}
    assert _split("tokens", []) == {None: Decimal(8)}
    tax = {"charge_date": "2026-11-01", "cell_id": "c", "method_id": "taxed_cost", "charge_category": "Tax"}
    assert _split("taxed_cost", MIXED, **{"core.cells": [tax]}) == {None: Decimal(8)}


def test_a_loop_costs_what_its_calls_beyond_the_twelfth_do_and_a_failed_action_all_of_it() -> None:
    usage = [
        used("t", step_id="plan", requests=16, calls=16, uncached_input_tokens=16),
        used("t", step_id="answer", requests=2, calls=1, error_requests=1, uncached_input_tokens=2),
    ]
    started = {"first_started_at": "2026-11-01 10:00:00", "last_ended_at": "2026-11-01 10:05:00"}
    day = {"charge_date": "2026-11-01", "trace_id": "t", "cost_driver": "inference"}
    costs = [
        {**day, "step_id": "plan", "is_retry": False, "effective_cost_reporting": "8"},
        {**day, "step_id": "answer", "is_retry": True, "effective_cost_reporting": "1"},
        {
            **day,
            "step_id": "answer",
            "is_retry": False,
            "effective_cost_reporting": "5",
            "cost_driver": "database",
        },
    ]
    given = {
        "core.trace_usage": [row | started for row in usage],
        "core.trace_costs": costs,
        "staging.spans": [
            span("root", None, None, started_at=DAY + timedelta(hours=9, minutes=59), status="error")
        ],
        "reference.settings": [{"loop_min_calls": 12, "output_token_weight": 2}],
    }
    (trace,) = run_model("core.traces", given, WINDOW, SETTINGS)
    assert (trace["is_loop"], trace["repeated_calls"], trace["loop_cost"]) == (True, 16, 2)
    assert (trace["retry_cost"], trace["other_cost"], trace["total_cost"], trace["failed_cost"]) == (
        1,
        5,
        14,
        14,
    )
    assert (trace["status"], trace["calls_per_action"]) == ("error", 17)
