"""Whole nights on what OpenAI and Anthropic bill and count, beside a request log that holds a part of the calls."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.integration.mini_company import Company
from tests.servers.anthropic import AnthropicServer, message_usage
from tests.servers.anthropic import cost as anthropic_cost
from tests.servers.openai import OpenAIServer, at, completion, cost
from tests.servers.rest import RestServer, Route

DAY = "2026-11-01"
KEY = "sk-admin-0123456789"
CONFIG = """
home: home
identity: {{pseudonymise: false}}
sources:
  - {{name: openai, connector: openai, organization_id: org-test, endpoint: "{openai}/v1",
      first_day: 2026-10-30, overlap_days: 60, usage: [completions]}}
  - {{name: anthropic, connector: anthropic, endpoint: "{anthropic}", first_day: 2026-10-30, overlap_days: 60}}
  - name: calls
    connector: request_files
    path: calls
    columns: {{started_at: time, provider: provider, model: model, user_id: user, feature: feature,
              input_tokens: input, output_tokens: output}}
"""
OPENAI_COSTS = [
    (at(DAY), cost("2.5", "gpt-4o-2024-08-06, input", quantity=1_000_000, quantity_unit="tokens")),
    (at(DAY), cost("1", "gpt-4o-2024-08-06, output", quantity=100, quantity_unit="1000_tokens")),
    (at(DAY), cost("0.5", "web search tool calls")),
    (at(DAY), cost("0.25", "an item of tomorrow")),
]
UNCACHED = {"input_cached_tokens": 0, "input_cache_write_tokens": 0}
CALLS = [
    {"user": "ann", "input": "300000", "output": "30000"},
    {"user": "ann", "input": "100000", "output": "10000"},
    {"user": "bob", "input": "50000", "output": "5000"},
    {"user": "bob", "input": "50000", "output": "5000"},
    {"user": "ann", "provider": "anthropic", "model": "claude-sonnet-4-5", "input": "250000", "output": "0"},
]


@pytest.fixture
def openai(monkeypatch: pytest.MonkeyPatch) -> OpenAIServer:
    """An organization that counts ten calls of a million tokens, of which the log holds four of the half."""
    monkeypatch.setenv("OPENAI_ADMIN_KEY", KEY)
    server = OpenAIServer(KEY)
    used = completion(
        input_tokens=1_000_000,
        input_uncached_tokens=1_000_000,
        output_tokens=100_000,
        num_model_requests=10,
        **UNCACHED,
    )
    server.data = {"costs": OPENAI_COSTS, "completions": [(at(DAY), used)]}
    return server


@pytest.fixture
def anthropic(monkeypatch: pytest.MonkeyPatch) -> AnthropicServer:
    """An organization whose bill states no quantity, and whose report counts four times what the log holds."""
    monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", KEY)
    server = AnthropicServer(KEY)
    used = message_usage(
        uncached_input_tokens=1_000_000,
        cache_read_input_tokens=0,
        cache_creation={"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        output_tokens=0,
    )
    server.data = {"usage": [(at(DAY), used)], "costs": [(at(DAY), anthropic_cost("300.00"))]}
    return server


@pytest.fixture
def company(
    openai: OpenAIServer,
    anthropic: AnthropicServer,
    rest: Callable[[Route], RestServer],
    tmp_path: Path,
) -> Company:
    """A company that uses both, and logs a part of its calls."""
    config = CONFIG.format(openai=rest(openai).url, anthropic=rest(anthropic).url)
    (tmp_path / "everycent.yml").write_text(config)
    company = Company(tmp_path)
    company.write_calls(CALLS)
    return company


def by(rows: list[dict[str, Any]], *keys: str) -> dict[tuple[Any, ...], Any]:
    """Rows by these columns, the rest as one value where it is one."""
    found = {}
    for row in rows:
        rest = [value for name, value in row.items() if name not in keys]
        found[tuple(row[key] for key in keys)] = rest[0] if len(rest) == 1 else tuple(rest)
    return found


def test_bill_counts_and_log_meet_and_a_restated_day_reaches_the_marts(
    company: Company, openai: OpenAIServer
) -> None:
    first = company.night()
    assert [finding for finding in first.findings if finding.severity == "fault"] == []
    assert first.billed() == {"openai": Decimal("4.25"), "anthropic": Decimal(3)}
    costs = first.query(
        "select c.provider, coalesce(c.user_id, c.residual_reason, c.cost_driver) as whose, "
        "sum(c.effective_cost) as cost from marts.cost_daily as c group by all"
    )
    assert by(costs, "provider", "whose") == {
        ("openai", "ann"): Decimal("1.4"),
        ("openai", "bob"): Decimal("0.35"),
        ("openai", "unlogged_usage"): Decimal("1.75"),
        ("openai", "no_owner"): Decimal("0.75"),
        ("anthropic", "ann"): Decimal("0.75"),
        ("anthropic", "unlogged_usage"): Decimal("2.25"),
    }
    reconciled = first.query(
        "select provider, model, token_class, billed_quantity, provider_quantity, logged_quantity, coverage_share "
        "from marts.reconciliation where cause = 'unlogged'"
    )
    assert by(reconciled, "provider", "model", "token_class") == {
        ("openai", "gpt-4o", "uncached_input_tokens"): (10**6, 10**6, 500_000, Decimal("0.5")),
        ("openai", "gpt-4o", "output_tokens"): (10**5, 10**5, 50_000, Decimal("0.5")),
        ("anthropic", "claude-sonnet-4-5", "uncached_input_tokens"): (
            None,
            10**6,
            250_000,
            Decimal("0.25"),
        ),
    }
    (coverage,) = first.query("select * exclude (charge_date) from core.request_coverage")
    assert coverage == {
        "provider": "openai",
        "model": "gpt-4o",
        "provider_requests": 10,
        "logged_requests": 4,
        "logged_share": Decimal("0.4"),
        "is_under_logged": True,
        "has_more_logged": False,
        "is_final": False,
    }
    assert ("unclassified_charges", "ok") in first.completeness("classification")

    openai.data["costs"] = [(at(DAY), cost("2", "gpt-4o-2024-08-06, input")), *OPENAI_COSTS[1:]]
    second = company.night()
    assert second.billed() == {"openai": Decimal("3.75"), "anthropic": Decimal(3)}
    changes = second.query(
        "select sum(change_billed_cost) as change from marts.restatements where previous_snapshot_id is not null"
    )
    assert changes == [{"change": Decimal("-0.5")}]
    openai.data["costs"] = []
    third = company.night()
    assert third.billed() == {"anthropic": Decimal(3)}
