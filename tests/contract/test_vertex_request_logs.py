"""Vertex AI's log entries in Cloud Storage: spellings of a field, two meanings of the counts, labels as owners."""

from __future__ import annotations

import gzip
import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from connectors.common.contract import LandingContext, SourceReport
from connectors.gcp_billing.client import land as land_bill
from connectors.gcp_billing.settings import Settings as BillSettings
from connectors.vertex_request_logs.client import check, land
from connectors.vertex_request_logs.settings import Settings
from pipelines.config.model import Config
from pipelines.night.inputs import write_bill_deliveries
from pipelines.night.reference import build_alias_table
from tests.contract.google_export import TABLE, build_table, labels, row
from tests.contract.request_logs import CANARY, IDENTITY, build_context, find_text, kinds, read_rows
from tests.servers.gcs import GcsServer
from tests.servers.google_bigquery import BigQueryServer
from tests.sql.chain import Chain, Inputs, Window
from tests.sql.harness import MODELS_ROOT
from tests.sql.small_bill import price

NOW = datetime(2026, 11, 20, 6, 0)
BUCKET = "vertex-logs"
LOG = "aiplatform.googleapis.com/inference_requests"
GEMINI = "projects/p-1/locations/us-central1/publishers/google/models/gemini-2.5-pro"


def entry(number: int = 1, payload: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A LogEntry; the payload is as Gemini's own usage names its fields unless given."""
    usual: dict[str, Any] = {
        "model": GEMINI,
        "location": "us-central1",
        "usageMetadata": {
            "promptTokenCount": 1000,
            "cachedContentTokenCount": 300,
            "candidatesTokenCount": 50,
            "thoughtsTokenCount": 200,
            "totalTokenCount": 1250,
            "trafficType": "ON_DEMAND",
        },
        "latencyMs": 1500,
        "errorCode": 0,
        "requestId": f"req-{number}",
        "responseId": f"resp-{number}",
        "headerLabels": {"team": "header-team", "feature": "header-feature"},
        "requestLabels": {"feature": "search", "user": "ada", CANARY: CANARY},
    }
    return {
        "insertId": f"i-{number}",
        "logName": f"projects/p-1/logs/{LOG.replace('/', '%2F')}",
        "resource": {"type": "aiplatform.googleapis.com/PublisherModel", "labels": {"project_id": "p-1"}},
        "timestamp": f"2026-11-19T10:{number % 60:02d}:30.123456789Z",
        "severity": "INFO",
        "trace": "projects/p-1/traces/0af7651916cd43dd8448eb211c80319c",
        "spanId": "b7ad6b7169203331",
        "jsonPayload": usual if payload is None else payload,
    } | more


class Company:
    """A project whose log sink writes to a bucket, and the lake it lands in."""

    def __init__(self, server: GcsServer, root: Path) -> None:
        self.server = server
        self.root = root
        self.bucket = server.client().create_bucket(BUCKET)
        self.options: dict[str, Any] = {}

    def put(
        self,
        *entries: dict[str, Any] | str | bytes,
        name: str = "10:00:00_10:59:59_S0.json",
        day: str = "2026/11/19",
    ) -> None:
        lines = [
            e if isinstance(e, bytes) else e.encode() if isinstance(e, str) else json.dumps(e).encode()
            for e in entries
        ]
        key = f"{LOG}/{day}/{name}" if day else name
        self.bucket.blob(key).upload_from_string(b"\n".join(lines) + b"\n")

    def settings(self) -> Settings:
        values = {"name": "vertex", "path": f"gs://{BUCKET}", "endpoint": self.server.url, "anonymous": True}
        return Settings.model_validate(values | self.options)

    def land(self, now: datetime = NOW) -> SourceReport:
        return land(self.settings(), build_context(self.root, now))


@pytest.fixture
def company(gcs_server: GcsServer, tmp_path: Path) -> Company:
    return Company(gcs_server, tmp_path)


def test_an_entry_lands_with_all_that_it_states(company: Company) -> None:
    company.put(entry(7))
    report = company.land()
    (row,) = read_rows(report)
    expected = {
        "request_id": "response:resp-7",
        "emitter_kind": "provider_log",
        "provider_request_id": "resp-7",
        "call_id": "req-7",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "span_id": None,
        "parent_span_id": "b7ad6b7169203331",
        "provider": "gcp.vertex_ai",
        "sub_account_id": "p-1",
        "region_id": "us-central1",
        "request_model": GEMINI,
        "model": "gemini-2.5-pro",
        "service_tier": "standard",
        "started_at": datetime(2026, 11, 19, 10, 7, 30, 123456),
        "duration_seconds": Decimal("1.500000"),
        "status": "ok",
        "uncached_input_tokens": 700,
        "cache_read_tokens": 300,
        "output_tokens": 250,
        "reasoning_tokens": 200,
        "provider_total_tokens": 1250,
        "user_id": IDENTITY.pseudonymise("ada"),
        "feature": "search",
        "team": "header-team",
    }
    assert {name: row[name] for name in expected} == expected
    assert report.findings == ()
    assert find_text(company.root) == []


SNAKE = {
    "model_id": "gemini-2.5-pro", "region": "us-central1", "token_counts": {
        "input_tokens": 1000, "output_tokens": 50, "thought_tokens": 200, "cached_tokens": 300, "total_tokens": 1250},
    "latency": "1.5s", "status_code": 200, "response_id": "resp-1",
}  # fmt: skip
OWN = {
    "engine": "gemini-2.5-pro",
    "t": {"in": 1000, "out": 50, "think": 200, "hit": 300},
    "took_ms": 1500,
    "where": "us-central1",
}
OWN_FIELDS = {
    "prompt_tokens": ["jsonPayload.t.in"], "answer_tokens": ["jsonPayload.t.out"], "region": ["jsonPayload.where"],
    "thought_tokens": ["jsonPayload.t.think"], "cached_tokens": ["jsonPayload.t.hit"], "model": ["jsonPayload.engine"],
    "latency": ["jsonPayload.took_ms"],
}  # fmt: skip


@pytest.mark.parametrize(("payload", "fields"), [(SNAKE, {}), (OWN, OWN_FIELDS)])
def test_other_names_of_the_same_fields_give_the_same_counts(
    company: Company, payload: dict[str, Any], fields: dict[str, Any]
) -> None:
    company.options = {"fields": fields}
    company.put(entry(1, payload))
    (row,) = read_rows(company.land())
    counts = [
        row[n] for n in ("uncached_input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens")
    ]
    assert counts == [700, 300, 250, 200]
    assert (row["model"], row["region_id"], row["duration_seconds"]) == (
        "gemini-2.5-pro",
        "us-central1",
        Decimal("1.5"),
    )


def test_names_that_nobody_knows_are_told_with_what_to_do(company: Company) -> None:
    company.put(entry(1, OWN | {"model": "gemini-2.5-pro", "errorCode": "OK"}))
    report = company.land()
    assert [row["usage_source"] for row in read_rows(report)] == ["none"]
    assert kinds(report) == {"unread_tokens": 1, "usage_missing": 1}


def test_thoughts_inside_the_output_are_not_added_again(company: Company) -> None:
    inside = {
        "model": "gemini-2.5-pro",
        "inputTokens": 1000,
        "outputTokens": 250,
        "thoughtTokens": 200,
        "latencyMs": 1,
    }
    company.put(entry(1, inside | {"totalTokens": 1250}), entry(2, inside))
    assert [row["output_tokens"] for row in read_rows(company.land())] == [250, 450]
    company.options = {"output_includes_thoughts": True}
    assert [row["output_tokens"] for row in read_rows(company.land(NOW + timedelta(hours=1)))] == [250, 250]


def test_claude_leaves_cached_tokens_out_of_its_input(company: Company) -> None:
    claude = {
        "model": "publishers/anthropic/models/claude-sonnet-4-5@20250929",
        "inputTokens": 3,
        "outputTokens": 900,
        "cacheReadInputTokens": 238604,
        "cacheCreationInputTokens": 1314,
        "cacheCreation": {"ephemeral_5m_input_tokens": 314, "ephemeral_1h_input_tokens": 1000},
        "responseId": "msg_vrtx_1",
    }
    company.put(entry(1, claude))
    (row,) = read_rows(company.land())
    names = (
        "uncached_input_tokens",
        "cache_read_tokens",
        "cache_write_5m_tokens",
        "cache_write_1h_tokens",
        "output_tokens",
    )
    assert [row[name] for name in names] == [3, 238604, 314, 1000, 900]
    assert row["model"] == "claude-sonnet-4-5@20250929"


@pytest.mark.parametrize(
    ("stated", "tier"),
    [
        ({"trafficType": "PROVISIONED_THROUGHPUT"}, "provisioned"),
        ({"traffic_type": "ON_DEMAND_PRIORITY"}, "priority"),
        ({"provisionedThroughputBurndown": 1720}, "provisioned"),
        ({"provisionedThroughputBurndown": 0}, None),
        ({}, None),
    ],
)
def test_throughput_that_is_paid_by_the_hour_shows_in_the_tier(
    company: Company, stated: dict[str, Any], tier: str | None
) -> None:
    company.put(entry(1, {"model": "gemini-2.5-pro", "inputTokens": 1, "outputTokens": 1, **stated}))
    assert [row["service_tier"] for row in read_rows(company.land())] == [tier]


def test_errors_are_calls_without_usage(company: Company) -> None:
    failed = {"model": GEMINI, "errorCode": 429, "latencyMs": 12}
    company.put(entry(1, failed), entry(2, {"model": GEMINI, "latencyMs": 12}, severity="ERROR"))
    rows = read_rows(company.land())
    assert [(row["status"], row["error_type"], row["usage_source"]) for row in rows] == [
        ("error", "429", "none"),
        ("error", "ERROR", "none"),
    ]


def test_a_sample_is_told(company: Company) -> None:
    logged = {
        "model": "gemini-2.5-pro",
        "samplingRate": 0.25,
        "full_request": {"contents": [CANARY]},
        "full_response": json.dumps(
            {"candidates": [CANARY], "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2}}
        ),
    }
    company.put(entry(1, logged))
    report = company.land()
    assert [(r["uncached_input_tokens"], r["output_tokens"]) for r in read_rows(report)] == [(5, 2)]
    assert kinds(report) == {"sampled_log": 1}
    assert "a sample of 0.25 of the requests" in report.findings[0].message
    assert find_text(company.root) == []


def test_the_logging_config_beside_a_log_tells_its_sampling(company: Company) -> None:
    company.put(
        json.dumps({"loggingConfig": {"enabled": True, "samplingRate": 0.1}}), name="config.json", day=""
    )
    company.put(entry(1))
    report = company.land()
    assert len(read_rows(report)) == 1
    assert kinds(report) == {"sampled_log": 1}


def test_late_shards_and_doubled_entries_join_their_hour(company: Company) -> None:
    company.put(entry(1), entry(1))
    first = company.land()
    assert kinds(first) == {"duplicate_request": 1}
    company.put(entry(1), entry(2), name="10:00:00_10:59:59_A0:1.json")
    second = company.land(NOW + timedelta(hours=1))
    assert [row["call_id"] for row in read_rows(second)] == ["req-1", "req-2"]


def test_only_the_days_that_matter_are_listed(company: Company) -> None:
    company.options = {"logs": [LOG], "first_day": "2026-11-19"}
    company.put(entry(1))
    company.put(entry(2, timestamp="2026-10-01T10:00:00Z"), day="2026/10/01")
    assert [row["call_id"] for row in read_rows(company.land())] == ["req-1"]


def test_bad_entries_are_refused_and_the_rest_lands(company: Company) -> None:
    usage = {"model": GEMINI}
    bad: list[Any] = [
        entry(2, usage | {"inputTokens": -1, "outputTokens": 1}),
        entry(3, usage | {"inputTokens": 1.5, "outputTokens": 1}),
        entry(4, usage | {"inputTokens": 10, "cachedTokens": 11, "outputTokens": 1}),
        entry(5, timestamp="never"),
        entry(6, timestamp="2026-11-25T00:00:00Z"),
        json.dumps(entry(7)).replace("1000", "NaN"),
        json.dumps(entry(8)).replace("1000", "1e400"),
        json.dumps(entry(9))[:99],
        CANARY,
        b"\x00\xff\xfe" + CANARY.encode("utf-16"),
        json.dumps({"x": "y" * (50 << 20)}),
        entry(10, {"text": CANARY}),
        {"textPayload": CANARY, "logName": "x"},
        {"protoPayload": {"request": CANARY}, "logName": "x"},
        entry(
            11,
            {"model": CANARY * 30, "inputTokens": 1, "outputTokens": 1, "labels": {"'; drop table": CANARY}},
        ),
    ]
    company.put(*bad, entry(1))
    company.put(gzip.compress(json.dumps(entry(12)).encode())[:-9], name="11:00:00_11:59:59_S0.json")
    report = company.land()
    assert [row["call_id"] for row in read_rows(report)] == ["req-1", None]
    found = kinds(report)
    assert (found["quarantined_row"], found["other_log"], found["oversized_value"]) == (11, 3, 2)
    assert found["unreadable_group"] == 1
    assert find_text(company.root) == []
    assert CANARY not in "".join(finding.message for finding in report.findings)


def test_the_check_says_whether_logs_can_be_read(company: Company) -> None:
    company.put(entry(1))
    assert [step.is_ok for step in check(company.settings())] == [True, True, True]


def test_a_request_label_on_the_bill_owns_its_line(
    google_server: BigQueryServer, lake_context: LandingContext, tmp_path: Path
) -> None:
    """A request label reaches the bill, and names the feature of its line, of which the log knows the user only; header
    labels split the line without a label by the calls' tokens."""
    tokens = {"amount": 1e6, "unit": "count", "amount_in_pricing_units": 1e6, "pricing_unit": "count"}
    vertex = {"service": {"id": "C7E2-9256-1C43", "description": "Vertex AI"}, "usage": tokens}
    pro = "Gemini 2.5 Pro Text Input - Predictions"
    flash = "Gemini 2.5 Flash Text Input - Predictions"
    labelled = row(0.3, flash, labels=labels(feature="search"), **vertex)
    plain = row(1.25, pro, **vertex)
    google_server.tables[TABLE] = build_table([labelled, plain])
    endpoints = {"bigquery": google_server.rest.url, "bigquery_storage": google_server.storage_address}
    bill = land_bill(
        BillSettings.model_validate(
            {"name": "gcp", "connector": "gcp_billing", "table": TABLE, "endpoints": endpoints}
        ),
        lake_context,
    )

    def call(number: int, model: str, count: int, **labels: Any) -> dict[str, Any]:
        told = {
            "model": model,
            "location": "us-central1",
            "promptTokenCount": count,
            "candidatesTokenCount": 0,
            **labels,
        }
        project = {"labels": {"project_id": "shop"}}
        return entry(number, told, timestamp=f"2026-11-03T10:{number:02d}:00Z", resource=project)

    calls = [
        call(1, "gemini-2.5-flash", 1000000, requestLabels={"user": "ada"}),
        call(2, "gemini-2.5-pro", 800000, headerLabels={"feature": "chat"}),
        call(3, "gemini-2.5-pro", 200000, headerLabels={"feature": "mail"}),
    ]
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "calls.jsonl").write_text("\n".join(json.dumps(c) for c in calls))
    log = land(Settings.model_validate({"name": "vertex", "path": str(tmp_path / "logs")}), lake_context)
    lines = read_rows(bill, "gcp_cost_lines", ("charge_id",))
    assert {line["x_tag_feature"] for line in lines} == {"search", None}
    relation = write_bill_deliveries(tmp_path / "tables", [bill], lake_context.now)
    bills = [b for files in relation.files.values() for f in files for b in pq.read_table(f.path).to_pylist()]
    window = Window(date(2026, 11, 1), date(2026, 12, 1), lake_context.now)
    models = ("gemini-2.5-flash", "gemini-2.5-pro")
    prices = [price(provider="google", model=model) for model in models]
    aliases = build_alias_table(Config(), MODELS_ROOT / "reference").to_pylist()
    lake = {"gcp_cost_lines": lines, "requests": read_rows(log), "prices": prices, "model_aliases": aliases}
    with Chain(Inputs(lake, bills), window, ("core.owners_daily", "core.attributed_costs")) as chain:
        found = chain.rows(
            "select o.feature, o.user_id is not null as has_user, sum(a.effective_cost) as cost, a.evidence, "
            "a.residual_reason from core.attributed_costs as a "
            "inner join core.owners_daily as o using (charge_date, owner_id) "
            "where a.billed_cost is not null group by all order by all"
        )
        assert not chain.failed_checks()
    assert [tuple(line.values()) for line in found] == [
        ("chat", False, Decimal(1), "allocated", None),
        ("mail", False, Decimal("0.25"), "allocated", None),
        ("search", True, Decimal("0.3"), "allocated", None),
    ]
