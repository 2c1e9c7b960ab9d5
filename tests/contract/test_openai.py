"""The OpenAI connector against a server of OpenAI's published schema: usage, costs, corrections, and bad answers."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow.parquet as pq
import pytest

from connectors.common.contract import LandingContext, Severity, SourceReport
from connectors.openai import schema
from connectors.openai.client import check, land
from connectors.openai.settings import Settings
from tests.servers.openai import GROUPS, OpenAIServer, at, completion, cost
from tests.servers.rest import Disconnect, Reply, Request, RestServer, Route

KEY = "sk-admin-canary-0123456789abcdefghijklmnop"
DAY = "2026-11-18"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> OpenAIServer:
    """An organization that used and paid nothing yet; its key is in the environment."""
    monkeypatch.setenv("OPENAI_ADMIN_KEY", KEY)
    return OpenAIServer(KEY)


@pytest.fixture
def source(server: OpenAIServer, rest: Callable[[Route], RestServer]) -> Callable[..., Settings]:
    """`source(**settings)`: a source of that organization, three days back."""
    url = rest(server).url

    def build(**values: Any) -> Settings:
        given = {"first_day": "2026-11-17", "longest_wait_seconds": 0.01, **values}
        return Settings(name="openai", organization_id="org-test", endpoint=f"{url}/v1", **given)

    return build


def rows_of(report: SourceReport, dataset: str) -> list[dict[str, Any]]:
    """The rows that count now."""
    files = [file for file in report.current_files if file.dataset == dataset]
    return [row for file in files for row in pq.read_table(file.path).to_pylist()]


def tokens(report: SourceReport, kind: str = "tokens") -> dict[tuple[Any, ...], Decimal]:
    """Quantities by day, model and token class."""
    totals: dict[tuple[Any, ...], Decimal] = {}
    for row in rows_of(report, "provider_usage"):
        if row["usage_kind"] == kind:
            key = (row["bucket_start"].date().isoformat(), row["model"], row["token_class"])
            totals[key] = totals.get(key, Decimal(0)) + row["quantity"]
    return totals


def costs(report: SourceReport) -> dict[str, Decimal]:
    """Dollars by UTC day."""
    totals: dict[str, Decimal] = {}
    for row in rows_of(report, "charges"):
        day = row["charge_period_start"].date().isoformat()
        totals[day] = totals.get(day, Decimal(0)) + row["billed_cost"]
    return totals


def kinds(report: SourceReport) -> set[str]:
    return {finding.kind for finding in report.findings}


def later(context: LandingContext, day: str) -> LandingContext:
    return replace(context, now=datetime.fromisoformat(f"{day}T03:00:00"))


def test_completions_are_disjoint_classes_requests_and_modalities(
    server: OpenAIServer, source: Callable[..., Settings], lake_context: LandingContext
) -> None:
    server.data["completions"] = [
        (at(DAY), completion()),
        (at(DAY), completion(batch=True, service_tier=None, user_id="user-bob")),
        (
            at(DAY),
            completion(
                model="gpt-audio", input_text_tokens=400, input_audio_tokens=200, output_audio_tokens=50
            ),
        ),
    ]
    report = land(source(), lake_context)
    assert not report.findings
    assert tokens(report) == {
        (DAY, "gpt-4o-2024-08-06", "uncached_input_tokens"): 1200,
        (DAY, "gpt-4o-2024-08-06", "cache_read_tokens"): 600,
        (DAY, "gpt-4o-2024-08-06", "cache_write_5m_tokens"): 200,
        (DAY, "gpt-4o-2024-08-06", "output_tokens"): 400,
        (DAY, "gpt-audio", "uncached_input_tokens"): 600,
        (DAY, "gpt-audio", "cache_read_tokens"): 300,
        (DAY, "gpt-audio", "cache_write_5m_tokens"): 100,
        (DAY, "gpt-audio", "output_tokens"): 200,
    }
    assert tokens(report, "audio_tokens") == {
        (DAY, "gpt-audio", "uncached_input_tokens"): 200,
        (DAY, "gpt-audio", "output_tokens"): 50,
    }
    assert sum(tokens(report, "requests").values()) == 15
    rows = rows_of(report, "provider_usage")
    assert {row["service_tier"] for row in rows} == {"standard", "batch"}
    ada, bob = (lake_context.identity.pseudonymise(user) for user in ("user-ada", "user-bob"))
    assert {row["user_id"] for row in rows} == {ada, bob}
    assert {row["api_key_id"] for row in rows} == {"key_1"}
    assert {(row["provider"], row["billing_account_id"], row["sub_account_id"]) for row in rows} == {
        ("openai", "org-test", "proj_search")
    }
    assert {(row["bucket_start"], row["bucket_end"]) for row in rows} == {
        (datetime(2026, 11, 18), datetime(2026, 11, 19))
    }


def test_every_report_lands_what_it_counts(
    server: OpenAIServer, source: Callable[..., Settings], lake_context: LandingContext
) -> None:
    who = {"project_id": "p", "user_id": "u", "api_key_id": "k", "model": "m"}
    counted = {
        "embeddings": {"input_tokens": 7, "num_model_requests": 2},
        "moderations": {"input_tokens": 11, "num_model_requests": 3},
        "images": {"images": 4, "num_model_requests": 4},
        "audio_speeches": {"characters": 500, "num_model_requests": 1},
        "audio_transcriptions": {"seconds": 60, "num_model_requests": 1},
        "vector_stores": {"usage_bytes": 2048},
        "code_interpreter_sessions": {"num_sessions": 6},
        "file_search_calls": {"num_requests": 8},
        "web_search_calls": {"num_requests": 9, "num_model_requests": 5},
    }
    for name, fields in counted.items():
        server.data[name] = [(at(DAY), {**who, **fields})]
    server.data["completions"] = [(at(DAY), completion())]
    report = land(source(costs=False), lake_context)
    assert not report.findings
    found = {
        (row["usage_kind"], row["token_class"]): (row["quantity"], row["unit"])
        for row in rows_of(report, "provider_usage")
        if row["model"] != "gpt-4o-2024-08-06" and row["usage_kind"] not in ("tokens", "requests")
    }
    assert found == {
        ("images", None): (4, "images"),
        ("characters", None): (500, "characters"),
        ("seconds", None): (60, "seconds"),
        ("stored_bytes", None): (2048, "bytes"),
        ("sessions", None): (6, "sessions"),
        ("file_searches", None): (8, "searches"),
        ("web_searches", None): (9, "searches"),
    }
    assert tokens(report)[DAY, "m", "uncached_input_tokens"] == 18
    assert tokens(report, "requests") == {(DAY, "m", None): 11, (DAY, "gpt-4o-2024-08-06", None): 5}


@pytest.mark.parametrize("report_name", GROUPS)
def test_every_dimension_of_a_report_is_asked_for_and_lands(
    report_name: str,
    server: OpenAIServer,
    source: Callable[..., Settings],
    lake_context: LandingContext,
) -> None:
    """Two uses that differ in one dimension alone stay two, for each of the report's dimensions."""
    counted = {
        "completions": completion(),
        "embeddings": {"input_tokens": 7, "num_model_requests": 1},
        "moderations": {"input_tokens": 7, "num_model_requests": 1},
        "images": {"images": 1, "num_model_requests": 1},
        "audio_speeches": {"characters": 1, "num_model_requests": 1},
        "audio_transcriptions": {"seconds": 1, "num_model_requests": 1},
        "vector_stores": {"usage_bytes": 1},
        "code_interpreter_sessions": {"num_sessions": 1},
        "file_search_calls": {"num_requests": 1},
        "web_search_calls": {"num_requests": 1, "num_model_requests": 1},
    }[report_name]
    dimensions = GROUPS[report_name]
    first: dict[str, Any] = {name: f"{name}-1" for name in dimensions if name != "batch"}
    others = [{**first, name: True if name == "batch" else f"{name}-2"} for name in dimensions]
    uses = [first, *others]
    server.data[report_name] = [(at(DAY), {**counted, **use}) for use in uses]
    report = land(source(usage=[report_name], costs=False), lake_context)
    assert not report.findings
    columns = ("sub_account_id", "user_id", "api_key_id", "model", "service_tier", "usage_detail")
    found = {tuple(row[name] for name in columns) for row in rows_of(report, "provider_usage")}
    assert len(found) == len(dimensions) + 1
    details = [name for name in dimensions if name in ("size", "source", "vector_store_id", "context_level")]
    assert {row[-1] for row in found} == {
        ",".join(f"{name}={use[name]}" for name in details) or None for use in uses
    }


@pytest.mark.parametrize(("width", "buckets"), [("1d", 1), ("1h", 2), ("1m", 3)])
def test_buckets_of_every_width_add_up_to_the_same_day(
    width: str,
    buckets: int,
    server: OpenAIServer,
    source: Callable[..., Settings],
    lake_context: LandingContext,
) -> None:
    midnight = datetime(2026, 11, 18)
    moments = [midnight + timedelta(minutes=minutes) for minutes in (0, 59, 23 * 60 + 59)]
    server.data["completions"] = [(moment, completion()) for moment in moments]
    settings = source(usage=["completions"], costs=False, bucket_width=width, first_day=DAY)
    report = land(settings, lake_context)
    assert tokens(report, "requests") == {(DAY, "gpt-4o-2024-08-06", None): 15}
    assert len({row["bucket_start"] for row in rows_of(report, "provider_usage")}) == buckets


def test_costs_are_a_bill_to_the_last_digit(
    server: OpenAIServer, source: Callable[..., Settings], lake_context: LandingContext
) -> None:
    server.data["costs"] = [
        (
            at(DAY),
            cost("0.06", "gpt-4o-2024-08-06, input", quantity=Decimal("24000"), quantity_unit="tokens"),
        ),
        (
            at(DAY),
            cost("0.1234567890125", "gpt-4o-2024-08-06, output", quantity=5, quantity_unit="1000_tokens"),
        ),
        (at(DAY), cost("1.5", "web search tool calls", project_id=None, api_key_id=None, quantity=150)),
        (at("2026-11-17", 23), cost("0.01", "gpt-4o", amount={"value": "0.01", "currency": "usd"})),
    ]
    report = land(source(usage=[]), lake_context)
    assert not report.has_fault, report.findings
    lines = {row["sku_meter"]: row for row in rows_of(report, "charges")}
    first = lines["gpt-4o-2024-08-06, input"]
    assert {
        name: first[name]
        for name in (
            "billed_cost",
            "effective_cost",
            "list_cost",
            "contracted_cost",
            "billing_currency",
            "billing_account_id",
            "sub_account_id",
            "invoice_issuer_name",
            "service_provider_name",
            "charge_category",
            "consumed_quantity",
            "consumed_unit",
            "resource_id",
            "resource_type",
            "billing_period_start",
            "billing_period_end",
            "charge_period_start",
            "charge_period_end",
        )
    } == {
        **dict.fromkeys(("billed_cost", "effective_cost", "list_cost", "contracted_cost"), Decimal("0.06")),
        "billing_currency": "USD",
        "billing_account_id": "org-test",
        "sub_account_id": "proj_search",
        "invoice_issuer_name": "OpenAI",
        "service_provider_name": "OpenAI",
        "charge_category": "Usage",
        "consumed_quantity": 24000,
        "consumed_unit": "Tokens",
        "resource_id": "key_1",
        "resource_type": "API key",
        "billing_period_start": datetime(2026, 11, 1),
        "billing_period_end": datetime(2026, 12, 1),
        "charge_period_start": datetime(2026, 11, 18),
        "charge_period_end": datetime(2026, 11, 19),
    }
    assert lines["gpt-4o-2024-08-06, output"]["billed_cost"] == Decimal("0.123456789013")
    assert lines["gpt-4o-2024-08-06, output"]["consumed_unit"] == "1000 Tokens"
    tool = lines["web search tool calls"]
    assert (tool["consumed_quantity"], tool["resource_type"], tool["sub_account_type"]) == (None, None, None)
    assert costs(report) == {DAY: Decimal("1.683456789013"), "2026-11-17": Decimal("0.01")}


def test_doubles_are_rounded_without_a_word_and_costs_without_amount_are_told(
    server: OpenAIServer, source: Callable[..., Settings], lake_context: LandingContext
) -> None:
    server.data["costs"] = [
        (at(DAY), cost("0.8958740000000000", "gpt-4o, input")),
        (at(DAY), cost("0.06000000000000001", "gpt-4o, output")),
        (at(DAY), cost("1", "gone", amount=None)),
        (at(DAY), cost("1", "half gone", amount={"value": None, "currency": "usd"})),
    ]
    report = land(source(usage=[]), lake_context)
    assert costs(report) == {DAY: Decimal("0.955874")}
    assert [(finding.kind, finding.count) for finding in report.findings] == [("cost_without_amount", 2)]


def test_pages_of_two_buckets_add_up_to_the_same_days(
    server: OpenAIServer, source: Callable[..., Settings], lake_context: LandingContext
) -> None:
    server.data["completions"] = [
        (at(f"2026-11-{day:02}", hour), completion()) for day in (17, 18, 19) for hour in (0, 23)
    ]
    server.buckets_a_page = 2
    report = land(source(usage=["completions"], costs=False, bucket_width="1h"), lake_context)
    found = tokens(report, "requests")
    assert found == {(f"2026-11-{day}", "gpt-4o-2024-08-06", None): 10 for day in (17, 18, 19)}
    assert len({row["bucket_start"] for row in rows_of(report, "provider_usage")}) == 6


def test_a_busy_api_is_asked_again_and_then_given_up(
    server: OpenAIServer, source: Callable[..., Settings], lake_context: LandingContext
) -> None:
    server.data["costs"] = [(at(DAY), cost("2", "gpt-4o, input"))]
    server.faults = [Reply(429, b"", {"Retry-After": "0"}), Reply(500), Reply(503), Reply(502)]
    report = land(source(usage=[]), lake_context)
    assert costs(report) == {DAY: 2}
    server.faults = [Reply(500)] * 6
    report = land(source(usage=[]), later(lake_context, "2026-11-21"))
    assert kinds(report) == {"unreachable_source"}
    assert "/organization/costs: answered 500 (6 times)" in report.findings[0].message
    assert costs(report) == {DAY: 2}, "what was known stays"


def test_a_failure_keeps_the_days_before_it_and_the_next_run_goes_on(
    server: OpenAIServer, source: Callable[..., Settings], lake_context: LandingContext
) -> None:
    server.data["costs"] = [
        (at(f"2026-{month}-05"), cost("1", "gpt-4o, input")) for month in ("09", "10", "11")
    ]
    settings = source(usage=[], first_day="2026-09-01", attempts=1)
    server.faults = [None, Reply(500)]
    report = land(settings, lake_context)
    assert report.has_fault
    assert list(costs(report)) == ["2026-09-05"]
    report = land(settings, lake_context)
    assert not report.has_fault
    assert costs(report) == {f"2026-{month}-05": 1 for month in ("09", "10", "11")}


def test_a_restated_day_replaces_itself_also_by_nothing_and_equal_adds_nothing(
    server: OpenAIServer, source: Callable[..., Settings], lake_context: LandingContext
) -> None:
    server.data["costs"] = [(at(DAY), cost("2", "gpt-4o, input")), (at(DAY), cost("3", "gpt-4o, output"))]
    server.data["completions"] = [(at(DAY), completion())]
    settings = source(usage=["completions"])
    first = land(settings, lake_context)
    again = land(settings, later(lake_context, "2026-11-21"))
    assert {d.snapshot_id for d in first.deliveries if d.dataset == "charges"} == {
        d.snapshot_id for d in again.deliveries if d.dataset == "charges"
    }
    server.data["costs"] = [(at(DAY), cost("1.5", "gpt-4o, input"))]
    server.data["completions"] = [(at(DAY), completion(num_model_requests=4))]
    restated = land(settings, later(lake_context, "2026-11-21"))
    assert costs(restated) == {DAY: Decimal("1.5")}
    assert tokens(restated, "requests") == {(DAY, "gpt-4o-2024-08-06", None): 4}
    server.data["costs"] = []
    server.data["completions"] = []
    emptied = land(settings, later(lake_context, "2026-11-21"))
    assert not emptied.has_fault
    assert (costs(emptied), tokens(emptied)) == ({}, {})


def test_days_are_read_again_until_final_and_no_more(
    server: OpenAIServer, source: Callable[..., Settings], lake_context: LandingContext
) -> None:
    server.data["costs"] = [(at(DAY), cost("2", "gpt-4o, input"))]
    settings = source(usage=[], overlap_days=2)
    land(settings, lake_context)
    land(settings, later(lake_context, "2026-11-21"))
    server.data["costs"] = [(at(DAY), cost("9", "gpt-4o, input"))]
    report = land(settings, later(lake_context, "2026-11-22"))
    assert costs(report) == {DAY: 2}, "the day was final when it was read on the 21st"


def test_an_answer_without_a_bucket_takes_nothing_away(
    server: OpenAIServer, source: Callable[..., Settings], lake_context: LandingContext
) -> None:
    server.data["costs"] = [(at(DAY), cost("2", "gpt-4o, input"))]
    server.data["completions"] = [(at(DAY), completion())]
    settings = source(usage=["completions"])
    land(settings, lake_context)
    server.data, server.omits_empty = {}, True
    report = land(settings, later(lake_context, "2026-11-20"))
    assert kinds(report) == {"missing_bucket"}
    assert (costs(report), sum(tokens(report).values())) == ({DAY: 2}, 1200)


def test_an_expired_cursor_begins_again_at_the_first_page(
    server: OpenAIServer, source: Callable[..., Settings], lake_context: LandingContext
) -> None:
    server.data["completions"] = [(at(f"2026-11-{day}"), completion()) for day in (17, 18, 19)]
    server.buckets_a_page, server.expires_after_pages = 1, 1
    report = land(source(usage=["completions"], costs=False), lake_context)
    assert not report.findings
    assert sum(tokens(report, "requests").values()) == 15


def test_a_new_field_is_told_and_a_number_warns(
    server: OpenAIServer, source: Callable[..., Settings], lake_context: LandingContext
) -> None:
    server.data["completions"] = [
        (at(DAY), completion(output_thought_tokens=77, mood="fine", later_tokens=0, api_source=None))
    ]
    server.data["costs"] = [(at(DAY), cost("2", "gpt-4o, input", discount_code="x"))]
    report = land(source(usage=["completions"]), lake_context)
    told = {(f.kind, f.severity, f.dataset) for f in report.findings}
    assert told == {
        ("unknown_field", Severity.WARN, "provider_usage"),
        ("unknown_field", Severity.INFO, "provider_usage"),
        ("unknown_field", Severity.INFO, "charges"),
    }
    assert any("output_thought_tokens" in f.message for f in report.findings)
    again = land(source(usage=["completions"]), lake_context)
    assert {(f.kind, f.severity, f.dataset) for f in again.findings} == told, "remembered with the day"


def test_classes_that_contradict_the_total_leave_the_day_as_it_was(
    server: OpenAIServer, source: Callable[..., Settings], lake_context: LandingContext
) -> None:
    settings = source(usage=["completions"], costs=False)
    server.data["completions"] = [(at(DAY), completion())]
    land(settings, lake_context)
    wrongs: dict[str, tuple[dict[str, Any], ...]] = {
        "usage_mismatch": ({"input_cached_tokens": 1001}, {"input_uncached_tokens": 599}),
        "bad_count": (
            {"output_tokens": -1},
            {"output_tokens": Decimal("1.5")},
            {"num_model_requests": 10**16},
        ),
    }
    for kind, wrong in [(name, one) for name, several in wrongs.items() for one in several]:
        server.data["completions"] = [(at(DAY), completion(**wrong))]
        report = land(settings, later(lake_context, "2026-11-20"))
        assert kinds(report) == {kind} and report.has_fault, wrong
        assert sum(tokens(report).values()) == 1200
    for gone in ("input_tokens", "output_tokens", "num_model_requests"):
        used = completion()
        used[f"{gone}_v2"] = used.pop(gone)
        server.data["completions"] = [(at(DAY), used)]
        report = land(settings, later(lake_context, "2026-11-20"))
        assert kinds(report) == {"missing_field"}, gone
        assert sum(tokens(report).values()) == 1200


BROKEN: dict[str, Reply] = {
    "half an answer": Reply(200, '{"data": [{"start_time": 17', {"Content-Type": "application/json"}),
    "a page of a proxy": Reply(200, "<html>sign in</html>", {"Content-Type": "text/html"}),
    "no report": Reply(200, {"object": "page"}),
    "not a number": Reply(200, '{"data": [], "has_more": NaN}', {"Content-Type": "application/json"}),
    "deep": Reply(200, "[" * 100_000, {"Content-Type": "application/json"}),
    "a loop": Reply(200, {"data": [], "has_more": True, "next_page": None}),
    "no bucket": Reply(200, {"data": [{"start_time": "noon"}], "has_more": False}),
    "across midnight": Reply(
        200,
        {"data": [{"start_time": 1795003200, "end_time": 1795089600, "results": []}], "has_more": False},
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_answer_is_a_fault_and_changes_nothing(
    name: str, server: OpenAIServer, source: Callable[..., Settings], lake_context: LandingContext
) -> None:
    server.data["costs"] = [(at(DAY), cost("2", "gpt-4o, input"))]
    settings = source(usage=[], attempts=2)
    land(settings, lake_context)
    reply = BROKEN[name]
    if name == "across midnight":
        entry = {"start_time": 1794985200, "end_time": 1795071600, "results": []}
        reply = Reply(200, {"data": [entry], "has_more": False})
    server.faults = [reply] * 2
    report = land(settings, lake_context)
    assert report.has_fault, name
    assert costs(report) == {DAY: 2}


def test_the_key_goes_nowhere(
    server: OpenAIServer,
    source: Callable[..., Settings],
    lake_context: LandingContext,
    rest: Callable[[Route], RestServer],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not with a redirect to another host, and into no file, finding or log, also where the vendor repeats it."""
    caplog.set_level(0)
    server.data["completions"] = [(at(DAY), completion())]
    land(source(), lake_context)
    stolen: list[Request] = []

    def thief(request: Request) -> Reply:
        stolen.append(request)
        return Reply(200, {"data": [], "has_more": False})

    server.faults = [Reply(302, b"", {"Location": f"{rest(thief).url}/v1/organization/costs"})]
    report = land(source(usage=[]), lake_context)
    assert not stolen
    assert "no redirect is followed" in report.findings[0].message
    monkeypatch.setenv("OPENAI_ADMIN_KEY", f"{KEY}x")
    refused = land(source(usage=["completions"]), lake_context)
    assert "Admin API key" in refused.findings[0].message
    server.faults = [Reply(400, {"error": {"message": f"bad key {KEY}x in request", "code": KEY}})]
    echoed = land(source(usage=[]), lake_context)
    told = caplog.text + str(report.findings) + str(refused.findings) + str(echoed.findings)
    kept = [path.read_bytes() for path in lake_context.lake.rglob("*") if path.is_file()]
    assert "canary" not in told
    assert kept and not any(b"canary" in text for text in kept)


def test_users_are_in_no_file(
    server: OpenAIServer, source: Callable[..., Settings], lake_context: LandingContext
) -> None:
    server.data["completions"] = [(at(DAY), completion(user_id="user-canary"))]
    land(source(costs=False), lake_context)
    files = [path for path in lake_context.lake.rglob("*") if path.is_file()]
    artifacts = [gzip.decompress(path.read_bytes()) for path in files if path.suffix == ".gz"]
    assert any(b"num_model_requests" in text for text in artifacts)
    assert not any(b"user-canary" in text for text in [*artifacts, *(path.read_bytes() for path in files)])
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in files if path.suffix == ".gz")


def test_answers_are_typed_anew_from_what_is_kept(
    server: OpenAIServer,
    source: Callable[..., Settings],
    lake_context: LandingContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A newer version of everycent reads the same answers otherwise, and asks nobody."""
    server.data["completions"] = [(at(DAY), completion())]
    server.data["costs"] = [(at(DAY), cost("2", "gpt-4o, input"))]
    land(source(usage=["completions"]), lake_context)
    monkeypatch.setattr(schema, "SCHEMA_VERSION", 2)
    monkeypatch.setattr(schema, "SERVICE_TIERS", {"default": "usual"})
    server.faults = [Reply(401)] * 9
    report = land(source(usage=["completions"]), later(lake_context, "2026-11-21"))
    assert {row["service_tier"] for row in rows_of(report, "provider_usage")} == {"usual"}
    assert (sum(tokens(report).values()), costs(report)) == (1200, {DAY: 2})
    assert not [f for f in report.findings if f.kind == "old_typing"]


def test_another_organization_is_another_account_from_its_first_day(
    server: OpenAIServer, source: Callable[..., Settings], lake_context: LandingContext
) -> None:
    server.data["completions"] = [(at(DAY), completion())]
    server.data["costs"] = [(at(DAY), cost("2", "gpt-4o, input"))]
    settings = source(usage=["completions"])
    land(settings, lake_context)
    other = settings.model_copy(update={"organization_id": "org-other"})
    server.data["costs"] = [(at(DAY), cost("7", "gpt-4o, input"))]
    report = land(other, later(lake_context, "2026-11-29"))
    assert (sum(tokens(report).values()), costs(report)) == (1200, {DAY: 7})
    assert {row["billing_account_id"] for row in rows_of(report, "charges")} == {"org-other"}
    back = land(settings, later(lake_context, "2026-11-29"))
    assert {row["billing_account_id"] for row in rows_of(back, "charges")} == {"org-test"}
    assert costs(back) == {DAY: 7}


def test_a_run_as_of_a_time_asks_nobody(
    server: OpenAIServer, source: Callable[..., Settings], lake_context: LandingContext
) -> None:
    server.data["costs"] = [(at(DAY), cost("2", "gpt-4o, input"))]
    settings = source(usage=["completions"])
    land(settings, lake_context)
    server.data["costs"] = [(at(DAY), cost("5", "gpt-4o, input"))]
    land(settings, later(lake_context, "2026-11-21"))
    server.faults = [Reply(500)] * 50
    report = land(settings, replace(lake_context, as_of=datetime(2026, 11, 20, 12)))
    assert costs(report) == {DAY: 2}
    assert len(server.faults) == 50


def test_without_a_key_the_source_says_what_to_set(
    source: Callable[..., Settings], lake_context: LandingContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_ADMIN_KEY")
    report = land(source(), lake_context)
    assert kinds(report) == {"missing_key"}
    assert "OPENAI_ADMIN_KEY" in report.findings[0].message
    assert [(step.name, step.is_ok) for step in check(source())] == [
        ("key", False),
        ("usage", None),
        ("costs", None),
    ]


def test_check_says_which_right_is_missing(
    server: OpenAIServer, source: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [(step.name, step.is_ok) for step in check(source())] == [
        ("key", True),
        ("usage", True),
        ("costs", True),
    ]
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "sk-proj-ordinary")
    steps = list(check(source()))
    assert [step.is_ok for step in steps] == [True, False, False]
    assert "403 (missing_scope); the key may not read usage; make an Admin API key" in steps[1].message
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "sk-admin-unknown-to-them")
    steps = list(check(source()))
    assert "401 (invalid_api_key); OpenAI does not know the key" in steps[1].message


def test_a_dripping_answer_is_given_up(
    server: OpenAIServer, source: Callable[..., Settings], lake_context: LandingContext
) -> None:
    import time

    def drip() -> Any:
        for _ in range(100):
            time.sleep(0.05)
            yield b" "
        raise Disconnect

    headers = {"Content-Type": "application/json", "Content-Length": "1000"}
    server.faults = [Reply(200, drip(), headers)]
    settings = source(usage=[], attempts=1, answer_seconds=0.2)
    report = land(settings, lake_context)
    assert "the answer took longer than" in report.findings[0].message


def test_the_config_refuses_a_key_and_plain_http() -> None:
    for wrong in (
        {"api_key_env": KEY},
        {"endpoint": "http://api.openai.com/v1"},
        {"endpoint": "https://me:pw@api.openai.com/v1"},
        {"usage": ["chats"]},
        {"usage": [], "costs": False},
        {"cost_group_by": ["project_id"]},
    ):
        with pytest.raises(ValueError):
            Settings(name="openai", organization_id="org-test", **wrong)  # type: ignore[arg-type]
