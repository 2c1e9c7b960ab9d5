"""API Management's logs in Blob storage and as query results: rows put together, callers joined, nothing invented."""

from __future__ import annotations

import csv
import gzip
import io
import json
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.azure_apim_logs.client import check, land
from connectors.azure_apim_logs.settings import Settings
from connectors.common.contract import SourceReport
from tests.contract.request_logs import CANARY, IDENTITY, build_context, find_text, kinds, read_rows
from tests.servers.azurite import AzuriteServer

NOW = datetime(2026, 11, 20, 6, 0)
LLM, GATEWAY = "insights-logs-gatewayllmlogs", "insights-logs-gatewaylogs"
GROUP = "/SUBSCRIPTIONS/00000000-0000-0000-0000-000000000001/RESOURCEGROUPS/AI"
SERVICE = f"{GROUP}/PROVIDERS/MICROSOFT.APIMANAGEMENT/SERVICE/APIM"


def call(
    correlation: str = "c-1", request: str = "chatcmpl-1", time: str = "2026-11-19T10:00:05Z", **more: Any
) -> str:
    """A record of GatewayLlmLogs as a diagnostic setting writes it."""
    properties = {
        "requestId": request,
        "operationName": "ChatCompletions_Create",
        "sequenceNumber": 0,
        "modelName": "gpt-4o-2024-08-06",
        "deploymentName": "chat-prod",
        "promptTokens": 1000,
        "completionTokens": 50,
        "totalTokens": 1050,
        "promptCachedTokens": 600,
        "isStreamCompletion": False,
        "requestMessages": [{"role": "user", "content": CANARY}],
        "responseMessages": [{"role": "assistant", "content": CANARY}],
    } | more
    record = {
        "time": time, "category": "GatewayLlmLogs", "correlationId": correlation, "location": "East US",
        "resourceId": SERVICE, "operationName": "Microsoft.ApiManagement/GatewayLlmLogs", "properties": properties,
    }  # fmt: skip
    return json.dumps(record)


def gateway(correlation: str = "c-1", time: str = "2026-11-19T10:00:05Z", **more: Any) -> str:
    """A record of GatewayLogs."""
    properties = {
        "method": "POST",
        "url": f"https://apim/{CANARY}",
        "responseCode": 200,
        "totalTime": 1500,
        "requestSize": 2000,
        "responseSize": 3000,
        "apiId": "openai",
        "productId": "search",
        "apimSubscriptionId": "team-search",
        "userId": "1",
        "cache": "none",
        "requestHeaders": {"X-User-Id": "Ada@Example.com", "X-Team": "ml", CANARY: CANARY},
        "requestBody": CANARY,
    } | more
    record = {"time": time, "category": "GatewayLogs", "correlationId": correlation, "properties": properties}
    return json.dumps(record | {"callerIpAddress": "10.0.0.1", "resourceId": SERVICE})


class Company:
    """A service whose logs go to a storage account, and the lake they land in."""

    def __init__(self, server: AzuriteServer, root: Path) -> None:
        self.root = root
        self.server = server
        self.client = server.client()
        for container in (LLM, GATEWAY):
            self.client.create_container(container)
        self.options: dict[str, Any] = {}

    def put(self, container: str, *records: str, hour: str = "2026-11-19T10") -> None:
        day, at = hour.split("T")
        year, month, day = day.split("-")
        key = f"resourceId={SERVICE}/y={year}/m={month}/d={day}/h={at}/m=00/PT1H.json"
        blob = self.client.get_blob_client(container, key)
        if not blob.exists():
            blob.create_append_blob()
        blob.append_block(("\n".join(records) + "\n").encode())

    def settings(self) -> Settings:
        values = {
            "name": "apim",
            "path": f"az://{self.server.account}/{LLM}",
            "gateway_path": f"az://{self.server.account}/{GATEWAY}",
            "endpoint": self.server.account_url,
            "account_key_env": "APIM_KEY",
        }
        return Settings.model_validate(values | self.options)

    def land(self, now: datetime = NOW) -> SourceReport:
        return land(self.settings(), build_context(self.root, now))


@pytest.fixture
def company(azurite_server: AzuriteServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Company:
    monkeypatch.setenv("APIM_KEY", azurite_server.key)
    return Company(azurite_server, tmp_path)


def test_a_call_lands_with_its_caller(company: Company) -> None:
    company.options = {"region_id": "eastus", "sub_account_id": "sub-1"}
    company.put(LLM, call())
    company.put(GATEWAY, gateway())
    report = company.land()
    (row,) = read_rows(report)
    expected = {
        "request_id": "response:chatcmpl-1",
        "emitter_kind": "gateway",
        "provider_request_id": "chatcmpl-1",
        "call_id": "c-1",
        "logical_call_id": None,
        "provider": "azure.ai.openai",
        "model": "gpt-4o-2024-08-06",
        "request_model": "chat-prod",
        "started_at": datetime(2026, 11, 19, 10, 0, 5),
        "duration_seconds": Decimal("1.500000"),
        "region_id": "eastus",
        "sub_account_id": "sub-1",
        "from_zone": "East US",
        "status": "ok",
        "uncached_input_tokens": 400,
        "cache_read_tokens": 600,
        "output_tokens": 50,
        "api_key_id": "team-search",
        "user_id": IDENTITY.pseudonymise("ada@example.com"),
        "team": "ml",
        "feature": "search",
        "request_bytes": 2000,
        "response_bytes": 3000,
    }
    assert {name: row[name] for name in expected} == expected
    assert report.findings == ()
    assert find_text(company.root) == []


def test_an_unknown_cache_class_is_told_and_never_invented(company: Company) -> None:
    company.put(LLM, call(promptCachedTokens=None))
    company.put(GATEWAY, gateway())
    report = company.land()
    (row,) = read_rows(report)
    assert (row["uncached_input_tokens"], row["cache_read_tokens"]) == (1000, None)
    assert kinds(report) == {"cache_class_unknown": 1}


def test_claude_leaves_cached_tokens_out_of_its_prompt(company: Company) -> None:
    claude = {
        "modelName": "claude-opus-4-6",
        "promptTokens": 26,
        "promptCachedTokens": 48854,
        "totalTokens": 76,
    }
    company.put(LLM, call(request="msg_1", **claude))
    company.put(GATEWAY, gateway())
    report = company.land()
    (row,) = read_rows(report)
    assert (row["uncached_input_tokens"], row["cache_read_tokens"], row["output_tokens"]) == (26, 48854, 50)
    assert kinds(report) == {"cache_class_unknown": 1}


def test_without_the_gateways_log_a_call_stays_and_is_told(company: Company) -> None:
    company.options = {"gateway_path": None}
    company.put(LLM, call())
    report = company.land()
    assert [row["output_tokens"] for row in read_rows(report)] == [50]
    assert kinds(report) == {"gateway_log_missing": 1}


def test_a_blob_that_grows_is_read_again(company: Company) -> None:
    company.put(LLM, call())
    company.put(GATEWAY, gateway())
    company.land()
    company.put(LLM, call("c-2", "chatcmpl-2"))
    company.put(GATEWAY, gateway("c-2"))
    report = company.land(now=NOW + timedelta(hours=1))
    assert [row["provider_request_id"] for row in read_rows(report)] == ["chatcmpl-1", "chatcmpl-2"]


def test_a_call_over_midnight_is_one_call_of_the_day_it_began(company: Company) -> None:
    parts: dict[str, Any] = {"promptTokens": 0, "completionTokens": 0, "totalTokens": 0, "modelName": ""}
    company.put(LLM, call(request="", time="2026-11-18T23:59:59Z", **parts), hour="2026-11-18T23")
    company.put(
        LLM, call(time="2026-11-19T00:00:01Z"), call("c-2", "x", "2026-11-19T00:00:02Z"), hour="2026-11-19T00"
    )
    company.put(GATEWAY, gateway(time="2026-11-18T23:59:59Z"), hour="2026-11-18T23")
    company.put(GATEWAY, gateway("c-2", "2026-11-19T00:00:02Z"), hour="2026-11-19T00")
    report = company.land()
    rows = read_rows(report)
    assert [(row["provider_request_id"], row["started_at"]) for row in rows] == [
        ("chatcmpl-1", datetime(2026, 11, 18, 23, 59, 59)),
        ("x", datetime(2026, 11, 19, 0, 0, 2)),
    ]
    assert [row["team"] for row in rows] == ["ml", "ml"]
    assert "gateway_log_missing" not in kinds(report)


def test_retries_behind_one_call_are_attempts_of_it(company: Company) -> None:
    failed: dict[str, Any] = {"promptTokens": 0, "completionTokens": 0, "totalTokens": 0}
    company.put(LLM, call(request="r-1", **failed), call(request="r-2"))
    company.put(GATEWAY, gateway())
    rows = read_rows(company.land())
    assert [(r["provider_request_id"], r["logical_call_id"], r["attempt_number"]) for r in rows] == [
        ("r-1", "c-1", 1),
        ("r-2", "c-1", 2),
    ]


@pytest.mark.parametrize(
    ("stated", "status", "error"),
    [
        ({"responseCode": 429, "lastErrorReason": "TokenLimitExceeded"}, "error", "TokenLimitExceeded"),
        ({"responseCode": 500}, "error", "500"),
        (
            {"responseCode": 0, "lastErrorReason": "ClientConnectionFailure"},
            "aborted",
            "ClientConnectionFailure",
        ),
        ({"responseCode": 200}, "ok", None),
    ],
)
def test_the_gateway_tells_how_a_call_ended(
    company: Company, stated: dict[str, Any], status: str, error: str | None
) -> None:
    company.put(LLM, call())
    company.put(GATEWAY, gateway(**stated))
    (row,) = read_rows(company.land())
    assert (row["status"], row["error_type"]) == (status, error)


def test_an_answer_of_the_gateways_own_cache_costs_nothing(company: Company) -> None:
    company.put(LLM, call(promptCachedTokens=0))
    company.put(GATEWAY, gateway(cache="hit"))
    (row,) = read_rows(company.land())
    assert (row["uncached_input_tokens"], row["output_tokens"]) == (0, 0)
    assert (row["saved_input_tokens"], row["saved_output_tokens"]) == (1000, 50)


def test_only_the_folders_of_the_days_are_listed(company: Company) -> None:
    company.options = {"resource_ids": [SERVICE.lower()], "first_day": "2026-11-19"}
    company.put(LLM, call())
    company.put(LLM, call("old", "old", "2026-10-01T10:00:00Z"), hour="2026-10-01T10")
    assert [row["provider_request_id"] for row in read_rows(company.land())] == ["chatcmpl-1"]


def test_bad_records_are_refused_and_the_rest_lands(company: Company) -> None:
    bad = [
        call("n", "negative", promptTokens=-5),
        call("f", "fraction", completionTokens=1.5),
        call("m", "mismatch", totalTokens=7),
        call("t", "untimed", time="never"),
        call("k", "long", deploymentName=CANARY * 30, modelName=None),
        call("h", CANARY * 20),
        call()[:200],
        CANARY,
        json.dumps({"category": "Other", "properties": {CANARY: CANARY}}),
        json.dumps({"x": "y" * (50 << 20)}),
        call("nan", "nan").replace("1000", "NaN"),
    ]
    company.client.get_container_client(LLM).upload_blob(
        f"resourceId={SERVICE}/y=2026/m=11/d=19/h=11/m=00/PT1H.json",
        "\n".join([*bad, call(), call()]).encode(),
    )
    company.put(GATEWAY, gateway(), *(gateway(c) for c in ("n", "f", "m", "t", "k", "h")))
    report = company.land()
    ids = {row["provider_request_id"] for row in read_rows(report)}
    assert ids == {"chatcmpl-1", "mismatch", "long", None}
    found = kinds(report)
    assert found["quarantined_row"] == 8
    assert found["token_total_mismatch"] == 1
    assert found["oversized_value"] == 3
    assert find_text(company.root) == []
    assert CANARY not in "".join(finding.message for finding in report.findings)


COLUMNS = ("TimeGenerated [UTC]", "CorrelationId", "RequestId", "SequenceNumber", "DeploymentName", "ModelName",
           "PromptTokens", "CompletionTokens", "TotalTokens", "RequestMessages", "ApimSubscriptionId",
           "ResponseCode")  # fmt: skip
ROWS = [
    ("11/19/2026, 10:00:05.250 AM", "c-1", "r-1", "1", "", "", "0", "0", "0", f"{CANARY},\n{CANARY}", "", ""),
    (
        "11/19/2026, 10:00:05.500 AM",
        "c-1",
        "r-1",
        "0",
        "chat",
        "gpt-4o",
        "1000",
        "50",
        "1050",
        CANARY,
        "team",
        "200",
    ),
]


def test_the_result_of_a_query_lands_as_csv_and_json(tmp_path: Path) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([COLUMNS, *ROWS])
    names = [{"name": name.removesuffix(" [UTC]"), "type": "string"} for name in COLUMNS]
    rows = [
        [f"2026-11-19T10:00:05.{digits}Z", *row[1:]] for digits, row in zip(("250", "500"), ROWS, strict=True)
    ]
    tables = {"tables": [{"name": "PrimaryResult", "columns": names, "rows": rows}]}
    for kind, content in (
        ("csv", text.getvalue().encode()),
        ("csv.gz", gzip.compress(text.getvalue().encode())),
        ("json", json.dumps(tables, indent=1).encode()),
    ):
        folder = tmp_path / kind.replace(".", "-")
        (folder / "logs").mkdir(parents=True)
        (folder / "logs" / f"result.{kind}").write_bytes(content)
        settings = Settings.model_validate({"name": "apim", "path": str(folder / "logs")})
        report = land(settings, build_context(folder / "home", NOW))
        (row,) = read_rows(report)
        told = (
            row["started_at"],
            row["model"],
            row["request_model"],
            row["uncached_input_tokens"],
            row["api_key_id"],
        )
        assert told == (datetime(2026, 11, 19, 10, 0, 5, 250000), "gpt-4o", "chat", 1000, "team"), kind
        assert kinds(report) == {"cache_class_unknown": 1}
        assert find_text(folder / "home") == []


def test_a_csv_without_correlation_is_refused(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "result.csv").write_text(f"ModelName,{CANARY}\ngpt-4o,{CANARY}\n")
    settings = Settings.model_validate({"name": "apim", "path": str(tmp_path / "logs")})
    report = land(settings, build_context(tmp_path / "home", NOW))
    assert report.has_fault
    assert "has no column CorrelationId" in report.findings[0].message
    assert find_text(tmp_path / "home") == []


def test_the_check_tries_both_logs(company: Company) -> None:
    company.put(LLM, call())
    assert [step.is_ok for step in check(company.settings())] == [True, True, True, True, False, None]
    company.put(GATEWAY, gateway())
    assert [step.is_ok for step in check(company.settings())] == [True] * 6
