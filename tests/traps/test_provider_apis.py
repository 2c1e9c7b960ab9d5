"""Traps of providers' usage and cost APIs: cents, day boundaries, late days, fields that nobody knows.

What belongs here: one test a trap, through the real connectors and servers of the published schemas. What must not:
other cases of a connector (`tests/contract`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow.parquet as pq
import pytest

from connectors.anthropic import client as anthropic
from connectors.anthropic.settings import Settings as AnthropicSettings
from connectors.common.contract import LandingContext, Severity, SourceReport
from connectors.openai import client as openai
from connectors.openai.settings import Settings as OpenAISettings
from tests.servers.anthropic import AnthropicServer
from tests.servers.anthropic import cost as anthropic_cost
from tests.servers.openai import OpenAIServer, at, completion, cost
from tests.servers.rest import RestServer, Route

KEY = "sk-admin-0123456789"
DAY = "2026-11-18"


@pytest.fixture
def openai_source(
    monkeypatch: pytest.MonkeyPatch, rest: Callable[[Route], RestServer]
) -> tuple[OpenAIServer, OpenAISettings]:
    """OpenAI's server, and a source of it that reads completions and costs."""
    monkeypatch.setenv("OPENAI_ADMIN_KEY", KEY)
    server = OpenAIServer(KEY)
    settings = OpenAISettings(
        name="openai",
        organization_id="org-test",
        endpoint=f"{rest(server).url}/v1",
        first_day=at("2026-11-17").date(),
        usage=("completions",),
        overlap_days=3,
    )
    return server, settings


def rows_of(report: SourceReport, dataset: str) -> list[dict[str, Any]]:
    files = [file for file in report.current_files if file.dataset == dataset]
    return [row for file in files for row in pq.read_table(file.path).to_pylist()]


def later(context: LandingContext, moment: str) -> LandingContext:
    return replace(context, now=datetime.fromisoformat(moment))


@pytest.mark.parametrize(
    ("cents", "dollars"),
    [
        ("123.45", "1.2345"),
        ("123.78912", "1.2378912"),
        ("100", "1"),
        ("-250.5", "-2.505"),
        ("0.0000000001", "0.000000000001"),
        ("0.00000000005", "0.000000000001"),  # half of the last digit: up
        ("123456789012.345678", "1234567890.12345678"),
    ],
)
def test_trap_20_cents_are_not_dollars(
    cents: str,
    dollars: str,
    rest: Callable[[Route], RestServer],
    monkeypatch: pytest.MonkeyPatch,
    lake_context: LandingContext,
) -> None:
    monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", KEY)
    server = AnthropicServer(KEY)
    server.data["costs"] = [(at(DAY), anthropic_cost(cents))]
    settings = AnthropicSettings(
        name="anthropic", endpoint=rest(server).url, usage=False, first_day=at(DAY).date()
    )
    report = anthropic.land(settings, lake_context)
    (line,) = rows_of(report, "charges")
    assert line["billed_cost"] == Decimal(dollars)
    assert line["billing_currency"] == "USD"


def test_trap_21_a_day_is_a_utc_day(
    openai_source: tuple[OpenAIServer, OpenAISettings], lake_context: LandingContext
) -> None:
    """The last moment of a day is of that day, midnight of the next; a bucket across midnight is of no day."""
    server, settings = openai_source
    midnight = datetime(2026, 11, 19)
    moments = [midnight - timedelta(microseconds=1), midnight, midnight + timedelta(hours=23, minutes=59)]
    server.data["completions"] = [(moment, completion(num_model_requests=1)) for moment in moments]
    server.data["costs"] = [(moment, cost("0.01", "gpt-4o, input")) for moment in moments]
    report = openai.land(settings, lake_context)
    requests = [row for row in rows_of(report, "provider_usage") if row["usage_kind"] == "requests"]
    assert sorted((row["bucket_start"], row["bucket_end"], row["quantity"]) for row in requests) == [
        (datetime(2026, 11, 18), datetime(2026, 11, 19), 1),
        (datetime(2026, 11, 19), datetime(2026, 11, 20), 2),
    ]
    charges = rows_of(report, "charges")
    assert sorted((row["charge_period_start"], row["billed_cost"]) for row in charges) == [
        (datetime(2026, 11, 18), Decimal("0.01")),
        (datetime(2026, 11, 19), Decimal("0.02")),
    ]
    turn_of_month = datetime(2026, 12, 1)
    server.data["costs"] = [
        (moment, cost("1", "gpt-4o, input"))
        for moment in (turn_of_month - timedelta(seconds=1), turn_of_month)
    ]
    report = openai.land(settings, later(lake_context, "2026-12-02T03:00:00"))
    periods = {
        (row["charge_period_start"].day, row["billing_period_start"].month)
        for row in rows_of(report, "charges")
        if row["billed_cost"] == 1
    }
    assert periods == {(30, 11), (1, 12)}


def test_trap_22_late_and_partial_days_are_read_again_until_final(
    openai_source: tuple[OpenAIServer, OpenAISettings], lake_context: LandingContext
) -> None:
    server, settings = openai_source
    asked = []
    truth = {"2026-11-20": 2, "2026-11-21": 5, "2026-11-22": 7, "2026-11-23": 11, "2026-11-24": 99}
    for day, requests in truth.items():
        server.data["completions"] = [(at("2026-11-19"), completion(num_model_requests=requests))]
        server.data["costs"] = [(at("2026-11-19"), cost(str(requests), "gpt-4o, input"))]
        report = openai.land(settings, later(lake_context, f"{day}T03:00:00"))
        (row,) = (row for row in rows_of(report, "provider_usage") if row["usage_kind"] == "requests")
        (line,) = rows_of(report, "charges")
        asked.append((row["quantity"], line["billed_cost"], row["is_final"]))
    assert asked == [(2, 2, False), (5, 5, False), (7, 7, False), (11, 11, True), (11, 11, True)]


def test_trap_34_a_field_that_nobody_knows_is_kept_and_warned_of(
    openai_source: tuple[OpenAIServer, OpenAISettings], lake_context: LandingContext
) -> None:
    """The known classes stay as they are, the new number is in the kept answer, and a finding names it."""
    import gzip

    server, settings = openai_source
    server.data["completions"] = [
        (at(DAY), completion(input_cache_write_24h_tokens=77, service_tier="turbo"))
    ]
    report = openai.land(settings, lake_context)
    (finding,) = (finding for finding in report.findings if finding.kind == "unknown_field")
    assert finding.severity is Severity.WARN
    assert "input_cache_write_24h_tokens" in finding.message
    rows = [row for row in rows_of(report, "provider_usage") if row["usage_kind"] == "tokens"]
    assert sum(row["quantity"] for row in rows) == 1200
    assert {row["service_tier"] for row in rows} == {"turbo"}, "a new tier stays what it is"
    kept = [gzip.decompress(path.read_bytes()) for path in lake_context.lake.rglob("*.json.gz")]
    assert sum(b'"input_cache_write_24h_tokens":77' in text for text in kept) == 1
