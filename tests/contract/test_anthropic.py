"""The Anthropic connector against a server of the published schema: usage, costs in cents, nulls with a meaning."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow.parquet as pq
import pytest

from connectors.anthropic import schema
from connectors.anthropic.client import check, land
from connectors.anthropic.settings import Settings
from connectors.common.contract import LandingContext, Severity, SourceReport
from tests.servers.anthropic import USAGE_GROUPS, AnthropicServer, cost, message_usage
from tests.servers.openai import at
from tests.servers.rest import Reply, Request, RestServer, Route

KEY = "sk-ant-admin01-canary-0123456789abcdefghijklmnop"
DAY = "2026-11-18"
SONNET = "claude-sonnet-4-5-20250929"
Build = Callable[..., Settings]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> AnthropicServer:
    """An organization that used and paid nothing yet; its key is in the environment."""
    monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", KEY)
    return AnthropicServer(KEY)


@pytest.fixture
def running(server: AnthropicServer, rest: Callable[[Route], RestServer]) -> RestServer:
    """The server, listening; `log` holds what it was asked."""
    return rest(server)


@pytest.fixture
def source(running: RestServer) -> Build:
    """`source(**settings)`: a source of that organization, three days back."""

    def build(**values: Any) -> Settings:
        given = {"first_day": "2026-11-17", "longest_wait_seconds": 0.01, **values}
        return Settings(name="anthropic", endpoint=running.url, **given)

    return build


def rows_of(report: SourceReport, dataset: str) -> list[dict[str, Any]]:
    """The rows that count now."""
    files = [file for file in report.current_files if file.dataset == dataset]
    return [row for file in files for row in pq.read_table(file.path).to_pylist()]


def tokens(report: SourceReport) -> dict[str, Decimal]:
    """Tokens by class."""
    totals: dict[str, Decimal] = {}
    for row in rows_of(report, "provider_usage"):
        if row["usage_kind"] == "tokens":
            totals[row["token_class"]] = totals.get(row["token_class"], Decimal(0)) + row["quantity"]
    return totals


def dollars(report: SourceReport) -> Decimal:
    return sum((row["billed_cost"] for row in rows_of(report, "charges")), Decimal(0))


def kinds(report: SourceReport) -> set[str]:
    return {finding.kind for finding in report.findings}


def later(context: LandingContext, day: str) -> LandingContext:
    return replace(context, now=datetime.fromisoformat(f"{day}T03:00:00"))


def test_usage_is_disjoint_with_both_lifetimes_of_cache_writes(
    server: AnthropicServer, source: Build, lake_context: LandingContext
) -> None:
    server.data["usage"] = [
        (at(DAY), message_usage(server_tool_use={"web_search_requests": 4})),
        (at(DAY), message_usage(service_tier="batch", context_window="200k-1M")),
    ]
    report = land(source(costs=False), lake_context)
    assert not report.findings
    assert tokens(report) == {
        "uncached_input_tokens": 1200,
        "cache_read_tokens": 600,
        "cache_write_5m_tokens": 140,
        "cache_write_1h_tokens": 60,
        "output_tokens": 400,
    }
    rows = rows_of(report, "provider_usage")
    assert [row["quantity"] for row in rows if row["usage_kind"] == "web_searches"] == [4]
    assert {(row["service_tier"], row["context_band"]) for row in rows} == {
        ("standard", "0-200k"),
        ("batch", "200k-1M"),
    }
    assert {(row["region_id"], row["model"], row["billing_account_id"]) for row in rows} == {
        ("us", SONNET, server.organization)
    }
    assert {(row["bucket_start"], row["bucket_end"]) for row in rows} == {
        (datetime(2026, 11, 18), datetime(2026, 11, 19))
    }


@pytest.mark.parametrize("name", USAGE_GROUPS)
def test_every_dimension_is_asked_for_and_lands(
    name: str, server: AnthropicServer, source: Build, lake_context: LandingContext
) -> None:
    """Two uses that differ in one dimension alone stay two where it was asked for, and are one where it was not."""
    server.data["usage"] = [(at(DAY), message_usage(**{name: value})) for value in ("one", "two")]
    for group_by, rows in (((name,), 2), (("model",) if name != "model" else ("service_tier",), 1)):
        day = "2026-11-19" if rows == 2 else "2026-11-20"
        settings = source(costs=False, group_by=group_by)
        report = land(settings, later(lake_context, day))
        assert not report.findings
        outputs = [r for r in rows_of(report, "provider_usage") if r["token_class"] == "output_tokens"]
        assert len(outputs) == rows
        told = ("sub_account_id", "api_key_id", "user_id", "model", "region_id", "service_tier")
        keys = {tuple(row[column] for column in (*told, "context_band", "usage_detail")) for row in outputs}
        assert len(keys) == rows


@pytest.mark.parametrize(("width", "buckets"), [("1d", 1), ("1h", 2), ("1m", 3)])
def test_buckets_of_every_width_add_up_to_the_same_day(
    width: str, buckets: int, server: AnthropicServer, source: Build, lake_context: LandingContext
) -> None:
    midnight = datetime(2026, 11, 18)
    moments = [midnight + timedelta(minutes=minutes) for minutes in (0, 59, 23 * 60 + 59)]
    server.data["usage"] = [(moment, message_usage()) for moment in moments]
    report = land(source(costs=False, bucket_width=width, first_day=DAY), lake_context)
    assert tokens(report)["output_tokens"] == 600
    assert len({row["bucket_start"] for row in rows_of(report, "provider_usage")}) == buckets


def test_nulls_say_what_they_mean_where_they_were_asked_for(
    server: AnthropicServer, source: Build, lake_context: LandingContext
) -> None:
    nobody = {"workspace_id": None, "api_key_id": None, "account_id": None}
    server.data["usage"] = [
        (at(DAY), message_usage(**nobody)),
        (at(DAY), message_usage(account_id="user_ada")),
    ]
    report = land(source(costs=False), lake_context)
    ada = lake_context.identity.pseudonymise("user_ada")
    found = {(r["sub_account_id"], r["api_key_id"], r["user_id"]) for r in rows_of(report, "provider_usage")}
    assert found == {("default", "console", "no_account"), ("wrkspc_search", "apikey_1", ada)}
    report = land(source(costs=False, group_by=["model"]), later(lake_context, "2026-11-20"))
    found = {(r["sub_account_id"], r["api_key_id"], r["user_id"]) for r in rows_of(report, "provider_usage")}
    assert found == {(None, None, None)}, "not asked for: unknown"


def test_costs_are_cents_and_say_what_they_are_for(
    server: AnthropicServer, source: Build, lake_context: LandingContext
) -> None:
    server.data["costs"] = [
        (at(DAY), cost("123.45")),
        (at(DAY), cost("123.78912", "cache_creation.ephemeral_1h_input_tokens", workspace_id=None)),
        (at(DAY), cost("0.00000000005", "output_tokens", service_tier="batch", context_window="200k-1M")),
        (at(DAY), cost("1000", None, cost_type="web_search", model=None, description="Web Search Usage")),
    ]
    report = land(source(usage=False), lake_context)
    assert not report.has_fault, report.findings
    found = {row["sku_meter"]: row for row in rows_of(report, "charges")}
    assert {meter: row["billed_cost"] for meter, row in found.items()} == {
        f"{SONNET}, input": Decimal("1.2345"),
        f"{SONNET}, cache write 1h": Decimal("1.2378912"),
        f"{SONNET}, output, batch, context 200k-1M": Decimal("0.000000000001"),
        "web search": Decimal(10),
    }
    first = found[f"{SONNET}, input"]
    assert (first["billing_currency"], first["sub_account_id"], first["invoice_issuer_name"]) == (
        "USD",
        "wrkspc_search",
        "Anthropic",
    )
    assert first["charge_description"] == "Claude Sonnet 4.5 Usage - Input Tokens"
    assert found[f"{SONNET}, cache write 1h"]["sub_account_id"] == "default"
    assert first["billing_period_start"] == datetime(2026, 11, 1)
    assert first["effective_cost"] == first["list_cost"] == first["contracted_cost"] == first["billed_cost"]
    assert first["billing_account_id"] == server.organization


def test_a_cost_in_another_currency_or_without_a_number_leaves_its_day_alone(
    server: AnthropicServer, source: Build, lake_context: LandingContext
) -> None:
    """Other days land: one bad day does not stop the rest."""
    settings = source(usage=False)
    server.data["costs"] = [(at(DAY), cost("100")), (at("2026-11-19"), cost("200"))]
    land(settings, lake_context)
    for wrong in (
        {"currency": "JPY"},
        {"currency": None},
        {"amount": "1e400"},
        {"amount": "NaN"},
        {"amount": None},
    ):
        server.data["costs"] = [(at(DAY), {**cost("999"), **wrong}), (at("2026-11-19"), cost("200"))]
        report = land(settings, lake_context)
        assert report.has_fault, wrong
        assert dollars(report) == 3
    server.data["costs"] = [(at(DAY), cost("400")), (at("2026-11-19"), cost("500"))]
    assert dollars(land(settings, lake_context)) == 9


def test_what_the_reports_leave_out_of_each_other_is_told(
    server: AnthropicServer, source: Build, lake_context: LandingContext
) -> None:
    server.data["usage"] = [(at(DAY), message_usage(service_tier="priority"))]
    server.data["costs"] = [
        (
            at(DAY),
            cost("250", None, cost_type="code_execution", model=None, description="Code Execution Usage"),
        )
    ]
    report = land(source(), lake_context)
    told = {finding.kind: finding for finding in report.findings}
    assert told.keys() == {"priority_tier_unbilled", "cost_without_usage"}
    assert "1,200 tokens of Priority Tier on 1 days" in told["priority_tier_unbilled"].message
    assert told["priority_tier_unbilled"].severity is Severity.WARN
    assert "2.50 USD of code execution" in told["cost_without_usage"].message
    assert [row["sku_meter"] for row in rows_of(report, "charges")] == ["code execution"]
    server.data["usage"] = [(at(DAY), message_usage())]
    report = land(source(), later(lake_context, "2026-11-20"))
    assert kinds(report) == {"cost_without_usage"}, "the restated day has no Priority Tier any more"


def test_speed_is_asked_for_with_its_beta_header_alone(
    server: AnthropicServer, source: Build, running: RestServer, lake_context: LandingContext
) -> None:
    server.data["usage"] = [
        (at(DAY), message_usage(speed="fast")),
        (at(DAY), message_usage(speed="standard")),
    ]
    report = land(source(costs=False, group_by=["model", "speed", "service_tier"]), lake_context)
    assert not report.findings
    assert {row["service_tier"] for row in rows_of(report, "provider_usage")} == {"fast", "standard"}
    land(source(costs=False), later(lake_context, "2026-11-21"))
    headers = {"speed" in r.target: r.headers.get("anthropic-beta") for r in running.log if "usage" in r.path}
    assert headers == {True: "fast-mode-2026-02-01", False: None}


def test_pages_an_expired_cursor_and_a_busy_api(
    server: AnthropicServer, source: Build, running: RestServer, lake_context: LandingContext
) -> None:
    server.data["usage"] = [(at(f"2026-11-{day}"), message_usage()) for day in (17, 18, 19)]
    server.data["costs"] = [(at(f"2026-11-{day}"), cost("100")) for day in (17, 18, 19)]
    server.buckets_a_page, server.expires_after_pages = 1, 1
    server.faults = [
        Reply(529, {"type": "error", "error": {"type": "overloaded_error"}}),
        Reply(429, b"", {"Retry-After": "0"}),
        Reply(500),
    ]
    report = land(source(), lake_context)
    assert not report.findings
    assert (sum(tokens(report).values()), dollars(report)) == (3600, 3)
    pages = [request.query.get("page") for request in running.log if "cost_report" in request.path]
    assert pages.count(None) >= 2, "the expired window began again at its first page"


def test_a_cursor_that_always_expires_is_given_up(
    server: AnthropicServer, source: Build, lake_context: LandingContext
) -> None:
    server.data["costs"] = [(at(DAY), cost("100"))]
    gone = Reply(410, {"type": "error", "error": {"type": "expired", "message": "gone"}})
    server.faults = [None, gone, gone, gone]
    report = land(source(usage=False), lake_context)
    assert kinds(report) == {"expired_cursor"}


def test_a_restated_day_replaces_itself_also_by_nothing(
    server: AnthropicServer, source: Build, lake_context: LandingContext
) -> None:
    settings = source()
    server.data = {"usage": [(at(DAY), message_usage())], "costs": [(at(DAY), cost("700"))]}
    land(settings, lake_context)
    server.data = {"usage": [(at(DAY), message_usage(output_tokens=1))], "costs": [(at(DAY), cost("650"))]}
    report = land(settings, later(lake_context, "2026-11-21"))
    assert (tokens(report)["output_tokens"], dollars(report)) == (1, Decimal("6.5"))
    count = len(report.deliveries)
    assert len(land(settings, later(lake_context, "2026-11-21")).deliveries) == count, "equal adds nothing"
    server.data = {}
    report = land(settings, later(lake_context, "2026-11-21"))
    assert (tokens(report), dollars(report)) == ({}, 0)


def test_new_fields_are_told_also_inside_objects(
    server: AnthropicServer, source: Build, lake_context: LandingContext
) -> None:
    creation = {
        "ephemeral_5m_input_tokens": 1,
        "ephemeral_1h_input_tokens": 2,
        "ephemeral_24h_input_tokens": 3,
    }
    server.data["usage"] = [
        (
            at(DAY),
            message_usage(cache_creation=creation, server_tool_use={"web_fetch_requests": 5}, product="x"),
        )
    ]
    report = land(source(costs=False), lake_context)
    told = {
        (finding.severity, name)
        for finding in report.findings
        for name in finding.message.split("'")
        if "_" in name or name == "product"
    }
    assert told >= {
        (Severity.WARN, "cache_creation.ephemeral_24h_input_tokens"),
        (Severity.WARN, "server_tool_use.web_fetch_requests"),
        (Severity.INFO, "product"),
    }
    assert tokens(report)["cache_write_1h_tokens"] == 2


def test_counts_that_are_none_leave_their_day_alone(
    server: AnthropicServer, source: Build, lake_context: LandingContext
) -> None:
    settings = source(costs=False)
    server.data["usage"] = [(at(DAY), message_usage())]
    land(settings, lake_context)
    renamed = message_usage()
    renamed["uncached_tokens"] = renamed.pop("uncached_input_tokens")
    wrongs = {
        "missing_field": [renamed],
        "bad_count": [
            message_usage(cache_creation=[70, 30]),
            message_usage(cache_creation={"ephemeral_5m_input_tokens": "many"}),
            message_usage(output_tokens=-1),
            message_usage(output_tokens="1.5"),
            message_usage(cache_read_input_tokens=10**24),
            message_usage(server_tool_use=4),
        ],
    }
    for kind, wrong in [(name, one) for name, several in wrongs.items() for one in several]:
        server.data["usage"] = [(at(DAY), wrong)]
        report = land(settings, lake_context)
        assert kinds(report) == {kind}, wrong
        assert sum(tokens(report).values()) == 1200
    server.data["usage"] = [(at(DAY), message_usage(cache_creation=None, server_tool_use=None))]
    assert sum(tokens(land(settings, lake_context)).values()) == 1100, "null is none"


def test_another_organizations_key_is_refused(
    server: AnthropicServer, source: Build, lake_context: LandingContext
) -> None:
    server.data["costs"] = [(at(DAY), cost("100"))]
    land(source(usage=False), lake_context)
    server.organization = "99999999-other"
    report = land(source(usage=False), later(lake_context, "2026-11-21"))
    assert kinds(report) == {"other_organization"}
    assert dollars(report) == 1


def test_the_key_and_accounts_are_in_no_file_finding_or_log(
    server: AnthropicServer,
    source: Build,
    lake_context: LandingContext,
    rest: Callable[[Route], RestServer],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(0)
    server.data = {
        "usage": [(at(DAY), message_usage(account_id="user_canary"))],
        "costs": [(at(DAY), cost("1"))],
    }
    reports = [land(source(), lake_context)]
    stolen: list[Request] = []

    def thief(request: Request) -> Reply:
        stolen.append(request)
        return Reply(200, {})

    server.faults = [Reply(307, b"", {"Location": f"{rest(thief).url}/v1/organizations/me"})] * 2
    reports.append(land(source(), later(lake_context, "2026-11-21")))
    server.faults = [Reply(400, {"error": {"type": KEY, "message": f"the key {KEY} is bad"}})] * 2
    reports.append(land(source(), later(lake_context, "2026-11-22")))
    monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", f"{KEY}-wrong")
    reports.append(land(source(), later(lake_context, "2026-11-23")))
    assert [report.has_fault for report in reports] == [False, True, True, True]
    assert not stolen
    files = [path.read_bytes() for path in lake_context.lake.rglob("*") if path.is_file()]
    files += [gzip.decompress(text) for text in files if text[:2] == b"\x1f\x8b"]
    assert len(files) > 5
    assert not any(b"canary" in text for text in files)
    assert "canary" not in caplog.text + str([report.findings for report in reports])


def test_check_says_whose_key_it_is_and_which_right_is_missing(
    server: AnthropicServer, source: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = list(check(source()))
    assert [(step.name, step.is_ok) for step in steps] == [
        ("key", True),
        ("organization", True),
        ("usage", True),
        ("costs", True),
    ]
    assert server.organization in steps[1].message
    monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", "sk-ant-api03-ordinary")
    steps = list(check(source()))
    assert [step.is_ok for step in steps] == [True, False, False, False]
    assert "403 (permission_error); the key may not read reports; an organization admin" in steps[2].message
    monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", "sk-ant-unknown-to-them")
    assert "401 (authentication_error)" in list(check(source()))[1].message
    monkeypatch.delenv("ANTHROPIC_ADMIN_KEY")
    assert [step.is_ok for step in check(source())] == [False, None, None, None]


def test_answers_are_typed_anew_from_what_is_kept(
    server: AnthropicServer, source: Build, lake_context: LandingContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.data = {"usage": [(at(DAY), message_usage(workspace_id=None))], "costs": [(at(DAY), cost("100"))]}
    land(source(), lake_context)
    monkeypatch.setattr(schema, "SCHEMA_VERSION", 2)
    monkeypatch.setattr(schema, "DEFAULT_WORKSPACE", "the default one")
    server.faults = [Reply(401)] * 9
    report = land(source(), later(lake_context, "2026-11-21"))
    assert {row["sub_account_id"] for row in rows_of(report, "provider_usage")} == {"the default one"}
    assert dollars(report) == 1
    assert not [finding for finding in report.findings if finding.kind == "old_typing"]
