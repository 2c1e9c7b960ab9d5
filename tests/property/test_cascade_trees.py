"""Whatever the tree of agents: the steps of a trace cost what the trace does, and traces what the fact does."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.sql.harness import run_checks, run_model

DAY = datetime(2026, 11, 3)
WINDOW = {"start": "2026-11-01", "end": "2026-12-01", "reporting_currency": "USD"}
TYPES = {"reference.settings": {"loop_min_calls": "BIGINT", "output_token_weight": "BIGINT"}}
SETTINGS = [{"loop_min_calls": 3, "output_token_weight": 2}]
AGENTS = st.sampled_from([None, "a", "b", "c"])
STEPS = st.sampled_from([None, "plan", "do"])

Row = dict[str, Any]
spans = st.lists(st.tuples(st.integers(-2, 9), AGENTS, STEPS, st.integers(0, 30)), max_size=10)
calls = st.lists(
    st.tuples(st.integers(-1, 9), AGENTS, STEPS, st.integers(1, 10**6), st.booleans(), st.integers(0, 30)),
    min_size=1,
    max_size=8,
)
"""Spans and calls: the number of the span above (none, a lost one, or itself), agent, step, tokens, failed, hours."""


def _spans(drawn: list[tuple[int, str | None, str | None, int]]) -> list[Row]:
    return [
        {
            "trace_id": "t",
            "span_id": f"s{n}",
            "parent_span_id": None if above < -1 else f"s{above}",
            "started_at": DAY + timedelta(hours=hour),
            "agent": agent,
            "agent_step": step,
            "status": "ok",
        }
        for n, (above, agent, step, hour) in enumerate(drawn)
    ]


def _requests(drawn: list[tuple[int, str | None, str | None, int, bool, int]]) -> list[Row]:
    return [
        {
            "charge_date": (DAY + timedelta(hours=hour)).date(),
            "request_id": f"r{n}",
            "trace_id": "t" if above >= 0 else f"r{n}",
            "parent_span_id": None if above < 0 else f"s{above}",
            "started_at": DAY + timedelta(hours=hour),
            "status": "error" if is_failed else "ok",
            "provider": "aws",
            "model": "m",
            "agent": agent,
            "agent_step": step,
            "uncached_input_tokens": count,
        }
        for n, (above, agent, step, count, is_failed, hour) in enumerate(drawn)
    ]


def _costs(usage: list[Row], odd: Decimal) -> dict[str, list[Row]]:
    """A millionth of a dollar a token, and an odd amount that each owner has of something else."""
    owners: dict[tuple[Any, str, str], int] = defaultdict(int)
    for row in usage:
        owners[row["charge_date"], row["usage_id"], row["owner_id"]] += row["uncached_input_tokens"]
    facts, pooled = [], []
    for (day, usage_id, owner), count in owners.items():
        known = {"charge_date": day, "owner_id": owner}
        facts += [
            known | {"cell_id": "tokens", "effective_cost_reporting": Decimal(count).scaleb(-6)},
            known | {"cell_id": "whole", "effective_cost_reporting": odd},
        ]
        token_class = {"usage_id": usage_id, "token_class": "uncached_input_tokens", "quantity_tokens": count}
        pooled.append(known | token_class | {"pool_key": "pool", "requests": 1})
    cells = [
        {"charge_date": day, "cell_id": name, "method_id": method, "cost_driver": driver, "pool_key": "pool"}
        for day in {row["charge_date"] for row in usage}
        for name, method, driver in (("tokens", "tokens", "inference"), ("whole", "bill_tag", "database"))
    ]
    return {
        "core.attributed_costs": facts,
        "core.cells": [cell | {"charge_category": "Usage"} for cell in cells],
        "core.pooled_usage": pooled,
        "core.usage_costs": [{k: v for k, v in row.items() if k != "pool_key"} for row in pooled],
    }


def _levels(row: Row, by_id: dict[str, Row]) -> list[tuple[str | None, str | None]]:
    """Agent and step of every level from the root down to a call; none where parents loop."""
    chain = [row]
    while (above := by_id.get(chain[-1]["parent_span_id"] or "")) is not None:
        chain.append(above)
        if len(chain) > 70:
            return []
    agent = step = None
    levels: list[tuple[str | None, str | None]] = []
    for part in reversed(chain):
        if part["agent"] is not None and agent is not None and part["agent"] != agent:
            levels.append((agent, step))
            agent, step = part["agent"], part["agent_step"]
        else:
            agent, step = part["agent"] or agent, part["agent_step"] or step
    return [*levels, (agent, step)]


@settings(max_examples=12, deadline=None)
@given(drawn_spans=spans, drawn_calls=calls, odd=st.integers(-(10**15), 10**15))
def test_steps_keep_the_trace_and_traces_the_fact(drawn_spans: Any, drawn_calls: Any, odd: int) -> None:
    given_spans, requests = _spans(drawn_spans), _requests(drawn_calls)
    span_steps = run_model("core.span_steps", {"staging.spans": given_spans}, WINDOW)
    logged = {"core.identified_requests": requests, "core.span_steps": span_steps}
    usage = run_model("core.trace_usage", logged, WINDOW)
    spent = {
        **_costs(usage, Decimal(odd).scaleb(-12)),
        "core.trace_usage": usage,
        "reference.settings": SETTINGS,
    }
    assert set(run_checks("core.trace_costs", spent, WINDOW, TYPES).values()) == {0}
    costs = run_model("core.trace_costs", spent, WINDOW, TYPES)
    whole = {
        "core.trace_usage": usage,
        "core.trace_costs": costs,
        "core.span_steps": span_steps,
    }
    seen = {**whole, "staging.spans": given_spans, "reference.settings": SETTINGS}
    traces = run_model("core.traces", seen, WINDOW, TYPES)
    walked = {**whole, "core.traces": traces}
    assert set(run_checks("core.trace_steps", walked, WINDOW).values()) == {0}
    steps = run_model("core.trace_steps", walked, WINDOW)
    fact = sum(row["effective_cost_reporting"] for row in spent["core.attributed_costs"])
    assert sum(row["total_cost"] for row in traces) == fact == sum(row["self_cost"] for row in steps)
    assert sum(row["retry_cost"] for row in traces) == sum(row["retry_cost"] for row in steps)
    assert sum(row["attempts"] for row in traces) == len(requests) == sum(row["attempts"] for row in steps)


@settings(max_examples=12, deadline=None)
@given(drawn_spans=spans, drawn_calls=calls)
def test_each_level_above_a_call_has_its_cost_delegated_once(drawn_spans: Any, drawn_calls: Any) -> None:
    """Held against a walk up the tree, call by call; all on one day, at a millionth of a dollar a token."""
    given_spans: list[Row] = [row | {"started_at": DAY} for row in _spans(drawn_spans)]
    requests = [row | {"started_at": DAY, "charge_date": DAY.date()} for row in _requests(drawn_calls)]
    by_id: dict[str, Row] = {row["span_id"]: row for row in given_spans}
    own: dict[Any, Decimal] = defaultdict(Decimal)
    delegated: dict[Any, Decimal] = defaultdict(Decimal)
    for row in requests:
        levels = _levels(row, by_id)
        assume(levels)
        places = [
            (row["trace_id"], levels[n - 1][0] if n else None, *level) for n, level in enumerate(levels)
        ]
        own[places[-1]] += Decimal(row["uncached_input_tokens"]).scaleb(-6)
        for place in set(places[:-1]) - {places[-1]}:
            delegated[place] += Decimal(row["uncached_input_tokens"]).scaleb(-6)
    span_steps = run_model("core.span_steps", {"staging.spans": given_spans}, WINDOW)
    logged = {"core.identified_requests": requests, "core.span_steps": span_steps}
    usage = run_model("core.trace_usage", logged, WINDOW)
    spent = {**_costs(usage, Decimal(0)), "core.trace_usage": usage, "reference.settings": SETTINGS}
    costs = run_model("core.trace_costs", spent, WINDOW, TYPES)
    traces = [{"root_date": DAY.date(), "trace_id": name} for name in {row["trace_id"] for row in requests}]
    whole = {"core.trace_usage": usage, "core.trace_costs": costs, "core.span_steps": span_steps}
    steps = run_model("core.trace_steps", {**whole, "core.traces": traces}, WINDOW)
    names = ("trace_id", "parent_agent", "agent", "agent_step")
    found = {tuple(row[name] for name in names): row for row in steps}
    assert {k: v["self_cost"] for k, v in found.items() if v["self_cost"]} == own
    assert {k: v["delegated_cost"] for k, v in found.items() if v["delegated_cost"]} == delegated
