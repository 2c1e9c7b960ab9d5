"""OpenRouter's activity and generation records, asked of a server that follows the published schema."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.common.contract import Severity, SourceReport
from connectors.common.lateness import find_lateness
from connectors.common.registry import check as check_source
from connectors.openrouter.client import check, land
from connectors.openrouter.settings import Settings
from connectors.openrouter_generations.client import land as land_generations
from connectors.openrouter_generations.settings import Settings as GenerationSettings
from tests.contract.request_logs import CANARY, IDENTITY, build_context, find_text, kinds, read_rows
from tests.servers.backends import Backend
from tests.servers.openrouter import KEY, ORDINARY_KEY, OpenRouterServer
from tests.servers.rest import Reply, RestServer, Route

NOW = datetime(2026, 11, 20, 6, 0)
YESTERDAY = date(2026, 11, 19)
StartRest = Callable[[Route], RestServer]


class Company:
    """An account with a management key, and the lake its activity lands in."""

    def __init__(self, root: Path, rest: StartRest) -> None:
        self.root = root
        self.vendor = OpenRouterServer(NOW.date())
        self.server = rest(self.vendor)
        self.options: dict[str, Any] = {"first_day": "2026-11-17"}

    def settings(self) -> Settings:
        endpoint = f"{self.server.url}/api/v1"
        values = {
            "name": "openrouter",
            "account_id": "my-org",
            "endpoint": endpoint,
            "longest_wait_seconds": 0,
        }
        return Settings.model_validate(values | self.options)

    def land(self, now: datetime = NOW, **more: Any) -> SourceReport:
        self.vendor.today = now.date()
        return land(self.settings(), build_context(self.root, now, **more))


@pytest.fixture
def company(tmp_path: Path, rest: StartRest, monkeypatch: pytest.MonkeyPatch) -> Company:
    monkeypatch.setenv("OPENROUTER_MANAGEMENT_KEY", KEY)
    return Company(tmp_path, rest)


def charges(report: SourceReport) -> list[tuple[Any, ...]]:
    rows = read_rows(report, "charges", ("charge_period_start", "sku_meter", "billed_cost"))
    return [(row["charge_period_start"].day, row["sku_meter"], row["billed_cost"]) for row in rows]


def usage(report: SourceReport) -> list[tuple[Any, ...]]:
    rows = read_rows(report, "provider_usage", ("bucket_start", "model", "usage_kind"))
    names = ("usage_kind", "token_class", "quantity", "unit")
    return [(row["bucket_start"].day, *(row[name] for name in names)) for row in rows]


def test_activity_becomes_usage_and_a_bill(company: Company) -> None:
    company.vendor.add(YESTERDAY, "0.015", byok_usage_inference=0.012)
    report = company.land()
    assert usage(report) == [
        (19, "input_tokens", None, Decimal(50), "tokens"),
        (19, "own_key_cost", None, Decimal("0.012"), "USD"),
        (19, "reasoning_tokens", "output_tokens", Decimal(25), "tokens"),
        (19, "requests", None, Decimal(5), "requests"),
        (19, "tokens", "output_tokens", Decimal(125), "tokens"),
    ]
    (charge,) = read_rows(report, "charges", ("charge_id",))
    expected = {
        "billed_cost": Decimal("0.015"),
        "effective_cost": Decimal("0.015"),
        "list_cost": Decimal("0.015"),
        "billing_currency": "USD",
        "billing_account_id": "my-org",
        "billing_period_start": datetime(2026, 11, 1),
        "billing_period_end": datetime(2026, 12, 1),
        "charge_period_start": datetime(2026, 11, 19),
        "charge_period_end": datetime(2026, 11, 20),
        "charge_category": "Usage",
        "invoice_issuer_name": "OpenRouter",
        "service_provider_name": "OpenRouter",
        "host_provider_name": "OpenAI",
        "x_publisher_name": "openai",
        "service_name": "OpenRouter",
        "sku_meter": "openai/gpt-4.1-2025-04-14",
        "resource_id": "550e8400-e29b-41d4-a716-446655440000",
        "consumed_quantity": None,
    }
    assert {name: charge[name] for name in expected} == expected
    assert not report.has_fault


def test_money_is_exact_to_the_last_digit(company: Company) -> None:
    for cost in ("0.1", "0.2", "0.000000000001", "1234567.123456789012"):
        company.vendor.add(YESTERDAY, cost, endpoint_id=cost)
    report = company.land()
    assert sum(row[-1] for row in charges(report)) == Decimal("1234567.423456789013")


def test_equal_items_are_two_lines(company: Company) -> None:
    for _ in range(2):
        company.vendor.add(YESTERDAY, "0.5")
    assert [row[-1] for row in charges(company.land())] == [Decimal("0.5"), Decimal("0.5")]


def test_a_day_that_is_told_late_is_read_again(company: Company) -> None:
    company.vendor.add(date(2026, 11, 18), "1")
    company.vendor.add(YESTERDAY, "2")
    company.vendor.completed = date(2026, 11, 18)
    assert [row[::2] for row in charges(company.land())] == [(18, Decimal(1))]
    company.vendor.completed = None
    assert [row[::2] for row in charges(company.land(now=NOW + timedelta(hours=1)))] == [
        (18, Decimal(1)),
        (19, Decimal(2)),
    ]


def test_a_restated_day_replaces_itself_also_by_nothing(company: Company) -> None:
    company.vendor.add(date(2026, 11, 18), "1")
    company.vendor.add(YESTERDAY, "2")
    company.land()
    company.vendor.items[YESTERDAY] = []
    company.vendor.items[date(2026, 11, 18)] = []
    company.vendor.add(date(2026, 11, 18), "0.75")
    report = company.land(now=NOW + timedelta(hours=1))
    assert [row[::2] for row in charges(report)] == [(18, Decimal("0.75"))]
    assert {row[0] for row in usage(report)} == {18}
    asked = len(company.server.log)
    company.vendor.add(date(2026, 11, 18), "100")
    final = company.land(now=NOW + timedelta(days=10))
    assert len(company.server.log) > asked
    later = company.land(now=NOW + timedelta(days=11))
    assert charges(later) == charges(final)


def test_busy_answers_are_asked_again(company: Company) -> None:
    company.vendor.add(YESTERDAY, "2")
    company.vendor.faults = [
        Reply(429, {"error": {"code": 429}}, {"Retry-After": "0"}),
        Reply(502, b"bad gateway"),
    ]
    report = company.land()
    assert [row[-1] for row in charges(report)] == [Decimal(2)]
    assert len(company.server.log) == 5


def test_a_failure_keeps_the_days_before_it_and_goes_on_from_there(company: Company) -> None:
    company.vendor.add(date(2026, 11, 17), "1")
    company.vendor.add(date(2026, 11, 18), "2")
    company.options["attempts"] = 1
    company.server.route = _fail_on(company.vendor, "2026-11-18")
    report = company.land()
    assert [row[::2] for row in charges(report)] == [(17, Decimal(1))]
    assert [(f.kind, f.severity) for f in report.findings] == [("unreachable_source", Severity.FAULT)]
    company.server.route = company.vendor
    assert [row[::2] for row in charges(company.land())] == [(17, Decimal(1)), (18, Decimal(2))]


def _fail_on(vendor: OpenRouterServer, day: str) -> Route:
    return lambda request: Reply(500, b"") if request.query.get("date") == day else vendor(request)


@pytest.mark.parametrize(
    ("key", "advice"),
    [("sk-or-v1-wrong-0123456789", "does not know the key"), (ORDINARY_KEY, "management key")],
)
def test_a_refused_key_is_told_without_the_key(
    company: Company, monkeypatch: pytest.MonkeyPatch, key: str, advice: str
) -> None:
    company.land()
    monkeypatch.setenv("OPENROUTER_MANAGEMENT_KEY", key)
    report = company.land(now=NOW + timedelta(hours=1))
    (finding,) = report.findings
    assert advice in finding.message
    assert key not in finding.message
    assert [step.is_ok for step in check(company.settings())] == [True, False]
    assert find_text(company.root, key) == []


def test_no_key_at_all_is_told(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENROUTER_MANAGEMENT_KEY")
    report = company.land()
    assert "OPENROUTER_MANAGEMENT_KEY is not set" in report.findings[0].message
    assert [step.is_ok for step in check(company.settings())] == [False, None]


@pytest.mark.parametrize(
    "body",
    ['{"data": null}', '[1]', '{"data": [{"date": "2026-11-01", "usage": 1}]}', '{"data": [{"usage": 1}]}',
     '{"data": [{"date": "2026-11-17", "usage": "x"}]}',
     '{"data": [{"date": "2026-11-17", "usage": 1, "requests": -1}]}',
     '{"data": [{"date": "2026-11-17", "usage": 1, "requests": NaN}]}'],
)  # fmt: skip
def test_a_damaged_answer_lands_nothing_of_its_day(company: Company, body: str) -> None:
    company.vendor.faults = [Reply(200, body, {"Content-Type": "application/json"})]
    company.options |= {"attempts": 1}
    report = company.land()
    assert report.has_fault
    assert charges(report) == []
    assert usage(report) == []


def test_a_field_never_seen_before_is_told_and_kept(company: Company) -> None:
    company.vendor.add(YESTERDAY, "2", cached_tokens=7)
    report = company.land()
    assert kinds(report) == {"new_column": 1, "unknown_field": 1}
    assert any("'cached_tokens' is new" in f.message for f in report.findings)


def test_a_user_that_an_item_names_is_kept_nowhere(company: Company) -> None:
    """The schema of today names none; a newer one may."""
    company.vendor.add(YESTERDAY, "2", user_id=CANARY, api_key_hash="ab12", workspace_id="team-a")
    rows = read_rows(company.land(), "provider_usage", ("usage_kind",))
    told = {(row["user_id"], row["api_key_id"], row["sub_account_id"]) for row in rows}
    assert told == {(IDENTITY.pseudonymise(CANARY), "ab12", "team-a")}
    assert find_text(company.root) == []


def test_an_item_without_a_model_is_money_all_the_same(company: Company) -> None:
    company.vendor.add(YESTERDAY, "2", model_permaslug=None, model=None, endpoint_id=None)
    assert charges(company.land()) == [(19, None, Decimal(2))]


def test_the_bill_can_be_another_sources(company: Company) -> None:
    company.options["costs"] = False
    company.vendor.add(YESTERDAY, "2")
    report = company.land()
    assert charges(report) == []
    assert len(usage(report)) == 4


def test_only_the_days_that_openrouter_tells_of_are_asked_for(company: Company) -> None:
    company.options = {"first_day": "2026-01-01"}
    company.land()
    asked = [request.query["date"] for request in company.server.log]
    assert (asked[0], asked[-1], len(asked)) == ("2026-10-21", "2026-11-19", 30)
    assert not company.land().has_fault


def test_days_tell_how_far_the_bill_is_known() -> None:
    assert find_lateness("openrouter").adds_up


GENERATION = {
    "id": "gen-3bhGkxlo4XFrqiabUM7NDtwDzWwG",
    "upstream_id": "chatcmpl-791bcf62",
    "total_cost": 0.0015,
    "cache_discount": 0.0002,
    "upstream_inference_cost": 0.0012,
    "created_at": "2026-11-19T10:00:00.250000+00:00",
    "model": "openai/gpt-4.1-2025-04-14",
    "streamed": True,
    "cancelled": False,
    "provider_name": "OpenAI",
    "latency": 300,
    "generation_time": 1200,
    "finish_reason": "stop",
    "tokens_prompt": 11,
    "tokens_completion": 24,
    "native_tokens_prompt": 1000,
    "native_tokens_completion": 125,
    "native_tokens_reasoning": 25,
    "native_tokens_cached": 300,
    "usage": 0.0015,
    "is_byok": False,
    "external_user": "Ada@Example.com",
    "service_tier": "priority",
    "data_region": "europe",
    "http_referer": CANARY,
    "user_agent": CANARY,
}  # fmt: skip


def write(path: Path, *records: Any) -> None:
    path.parent.mkdir(exist_ok=True, parents=True)
    text = "\n".join(r if isinstance(r, str) else json.dumps(r) for r in records) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def generations(root: Path, **more: Any) -> SourceReport:
    values = {"name": "generations", "path": str(root / "generations")}
    return land_generations(GenerationSettings.model_validate(values | more), build_context(root, NOW))


def test_a_generation_lands_with_native_tokens_and_its_exact_cost(tmp_path: Path) -> None:
    write(tmp_path / "generations/a.jsonl", {"data": GENERATION})
    (row,) = read_rows(generations(tmp_path))
    expected = {
        "request_id": "response:gen-3bhGkxlo4XFrqiabUM7NDtwDzWwG",
        "emitter_kind": "provider_log",
        "call_id": "chatcmpl-791bcf62",
        "provider": "openrouter",
        "model": "openai/gpt-4.1-2025-04-14",
        "started_at": datetime(2026, 11, 19, 10, 0, 0, 250000),
        "duration_seconds": Decimal("1.200000"),
        "uncached_input_tokens": 700,
        "cache_read_tokens": 300,
        "output_tokens": 125,
        "reasoning_tokens": 25,
        "reported_cost": Decimal("0.0015"),
        "reported_cost_currency": "USD",
        "service_tier": "priority",
        "region_id": "europe",
        "status": "ok",
        "user_id": IDENTITY.pseudonymise("ada@example.com"),
    }
    assert {name: row[name] for name in expected} == expected


def test_the_check_of_generations_reads_one(tmp_path: Path) -> None:
    write(tmp_path / "generations/a.jsonl", GENERATION)
    settings = GenerationSettings.model_validate({"name": "g", "path": str(tmp_path / "generations")})
    assert [step.is_ok for step in check_source(settings)] == [True, True]
    missing = GenerationSettings.model_validate({"name": "g", "path": str(tmp_path / "nothing")})
    assert [step.is_ok for step in check_source(missing)] == [False, None]


def test_generations_of_any_store_land_and_hold_no_text(tmp_path: Path, any_store: Backend) -> None:
    bad = [
        GENERATION | {"id": "gen-2", "cancelled": True, "origin": CANARY},
        GENERATION | {"id": "gen-3", "finish_reason": "error", "native_finish_reason": CANARY},
        GENERATION | {"id": "gen-4", "native_tokens_prompt": -1},
        GENERATION | {"id": "gen-5", "total_cost": "x", "usage": None},
        GENERATION | {"id": "gen-6", "created_at": CANARY},
        GENERATION | {"id": "gen-7", "is_byok": True, "total_cost": 0.00006},
        GENERATION,
        GENERATION,
        json.dumps(GENERATION)[:80],
        f'{{"data": "{CANARY}"}}',
        {"id": CANARY * 20, "created_at": "2026-11-19"},
    ]
    text = "\n".join(b if isinstance(b, str) else json.dumps(b) for b in bad)
    any_store.put("a.jsonl.gz", gzip.compress(text.encode()))
    any_store.put("b.json", json.dumps([GENERATION | {"id": "gen-8"}], indent=1).encode())
    values = any_store.build_values()
    report = generations(tmp_path / "home", path=values.pop("location"), **values)
    rows = {row["provider_request_id"]: row for row in read_rows(report)}
    assert sorted(str(key) for key in rows) == [
        "None", "gen-2", "gen-3", GENERATION["id"], "gen-5", "gen-7", "gen-8",
    ]  # fmt: skip
    assert (rows["gen-2"]["status"], rows["gen-3"]["status"]) == ("aborted", "error")
    assert rows["gen-5"]["reported_cost"] is None
    assert rows["gen-7"]["reported_cost"] == Decimal("0.00006")
    found = kinds(report)
    assert (found["duplicate_request"], found["quarantined_row"], found["own_key_calls"]) == (1, 4, 1)
    assert find_text(tmp_path / "home") == []
    assert CANARY not in "".join(finding.message for finding in report.findings)
