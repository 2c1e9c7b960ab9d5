"""core.traces and core.trace_costs: one root action, whole, however its spans arrive."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.sql.small_bill import DAY, call, line, price, run, tokens

MILLION = 1_000_000
TRACE = {"trace_id": "t"}


def _span(span_id: str, parent: str | None = None, hour: int = 1, **changes: Any) -> dict[str, Any]:
    started = DAY + timedelta(hours=hour)
    return {
        "x_source": "log",
        "x_snapshot_id": "s1",
        "trace_id": "t",
        "span_id": span_id,
        "parent_span_id": parent,
        "started_at": started,
        "ended_at": started + timedelta(minutes=1),
        "status": "ok",
    } | changes


def _traces(columns: str, **lake: Any) -> list[tuple[Any, ...]]:
    return run("core.traces", columns, **({"prices": [price(per_mtok="3")]} | lake))


def test_a_retry_costs_and_is_an_attempt_not_a_call() -> None:
    calls = [
        call("ann", MILLION, span_id="1", status="error", **TRACE),
        call("ann", MILLION, minute=1, span_id="2", **TRACE),
    ]
    assert _traces("attempts, calls, error_requests, total_cost, status", requests=calls) == [
        (2, 1, 1, "6", "ok")
    ]


def test_a_trace_across_midnight_is_one_and_belongs_to_its_roots_day() -> None:
    """Each call's cost stays on its own day; the trace has both, once."""
    root = _span("root", hour=23, ended_at=datetime(2026, 11, 2, 1))
    calls = [
        call(
            "ann", MILLION, started_at=DAY + timedelta(hours=23, minutes=50), parent_span_id="root", **TRACE
        ),
        call(
            "ann",
            2 * MILLION,
            started_at=DAY + timedelta(hours=24, minutes=10),
            parent_span_id="root",
            **TRACE,
        ),
    ]
    lake: dict[str, Any] = {"spans": [root], "requests": calls, "prices": [price(per_mtok="3")]}
    found = run("core.traces", "root_started_at, attempts, total_cost, duration_seconds", **lake)
    assert found == [(DAY + timedelta(hours=23), 2, "9", "7200")]
    days = run("core.trace_costs", "day(charge_date) as day, effective_cost_reporting", **lake)
    assert days == [(1, "3"), (2, "6")]


@pytest.mark.parametrize(
    ("started", "seconds", "expected"),
    [
        (datetime(2026, 11, 1, 1, 0, 0, 900_000), "1.726719", "1.726719"),
        (datetime(2026, 11, 1, 1, 0, 0), "0.562412", "0.562412"),
        (datetime(2026, 11, 1, 1, 0, 0, 500_000), "0.5", "0.5"),
        (datetime(2026, 11, 1, 23, 59, 59, 999_999), "0.000002", "0.000002"),
        (datetime(2026, 11, 1, 1, 59, 59, 250_000), "3.674771", "3.674771"),
        (datetime(2026, 11, 1, 1), "0", "0"),
    ],
)
def test_a_trace_lasts_as_long_as_it_did_to_the_microsecond(
    started: datetime, seconds: str, expected: str
) -> None:
    """Not the whole seconds that the clock passed meanwhile."""
    ended = started + timedelta(microseconds=int(Decimal(seconds) * 1_000_000))
    calls = [call("ann", MILLION, started_at=started, ended_at=ended, **TRACE)]
    assert _traces("duration_seconds", requests=calls) == [(expected,)]


def test_a_call_without_a_user_takes_its_roots() -> None:
    calls = [
        call(None, MILLION, parent_span_id="root", **TRACE),
        call("bob", MILLION, parent_span_id="root", **TRACE),
    ]
    found = run(
        "core.owners_daily",
        "user_id, feature, effective_cost",
        join="core.attributed_costs using (charge_date, owner_id)",
        spans=[_span("root", user_id="ann", feature="search")],
        requests=calls,
        prices=[price(per_mtok="3")],
    )
    assert found == [("ann", "search", "3"), ("bob", "search", "3")]


def test_a_trace_whose_parent_never_arrives_has_no_root_and_its_cost() -> None:
    calls = [call("ann", MILLION, span_id="c", parent_span_id="child", **TRACE)]
    found = _traces("status, depth, total_cost", spans=[_span("child", "lost")], requests=calls)
    assert found == [("no_root", 1, "3")]


def test_a_trace_without_any_span_starts_with_its_first_call() -> None:
    calls = [call("ann", MILLION, minute=7, **TRACE), call("ann", MILLION, minute=3, **TRACE)]
    found = _traces("root_started_at, status, depth, total_cost", requests=calls)
    assert found == [(DAY + timedelta(minutes=3), "ok", 1, "6")]


def test_parents_that_loop_end() -> None:
    spans = [_span("a", "b"), _span("b", "a"), _span("self", "self")]
    calls = [call("ann", MILLION, parent_span_id="a", **TRACE)]
    assert _traces("status, depth, total_cost", spans=spans, requests=calls) == [("no_root", 1, "3")]


def test_a_span_delivered_twice_with_two_parents_does_not_multiply_the_tree() -> None:
    """Each pair points at both spans of the next: without a bound there would be 2^64 ways down."""
    spans = [_span("root")]
    for level in range(12):
        above = ("root",) if level == 0 else (f"a{level - 1}", f"b{level - 1}")
        spans += [_span(f"{side}{level}", parent) for side in "ab" for parent in above]
    spans += [_span("a0", "a11"), _span("b0", "b11"), _span("a0", "b11"), _span("b0", "a11")]
    calls = [call("ann", MILLION, parent_span_id="a11", **TRACE)]
    found = _traces("attempts, total_cost", spans=spans, requests=calls)
    assert found == [(1, "3")]


def test_depth_counts_spans_from_the_root_and_the_call() -> None:
    spans = [_span("root"), _span("agent", "root"), _span("tool", "agent")]
    calls = [call("ann", MILLION, parent_span_id="tool", **TRACE)]
    assert _traces("depth, status", spans=spans, requests=calls) == [(4, "ok")]


@pytest.mark.parametrize(("repeats", "is_loop"), [(11, False), (12, True)])
def test_a_step_called_a_dozen_times_is_a_loop(repeats: int, is_loop: bool) -> None:
    calls = [call("ann", 1, minute=n, agent="bot", agent_step="plan", **TRACE) for n in range(repeats)]
    calls.append(call("ann", 1, minute=59, agent="bot", agent_step="answer", **TRACE))
    assert _traces("repeated_calls, is_loop", requests=calls) == [(repeats, is_loop)]


def test_billed_inference_is_split_over_traces_by_their_tokens_of_the_cell() -> None:
    """The traces share ann's money by ann's tokens; what nobody logged stands with no trace."""
    calls = [call("ann", 300, trace_id="t"), call("ann", 100, trace_id="u"), call("bob", 400, trace_id="v")]
    found = run(
        "core.trace_costs",
        "trace_id, effective_cost_reporting",
        charges=[tokens("a", "20", 1000)],
        requests=calls,
    )
    assert found == [("t", "6"), ("u", "2"), ("v", "8"), (None, "4")]


def test_what_a_trace_did_not_cause_stands_with_no_trace() -> None:
    found = run(
        "core.trace_costs",
        "trace_id, cost_driver, effective_cost_reporting",
        charges=[line(cost="5"), tokens("a", "20", 400)],
        requests=[call("ann", 400, trace_id="t")],
    )
    assert found == [("t", "inference", "20"), (None, "compute", "5")]
