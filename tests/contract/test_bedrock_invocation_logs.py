"""Bedrock invocation logs in S3: what a record becomes, which objects are read, and what never leaves a body."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.bedrock_invocation_logs.client import check, land
from connectors.bedrock_invocation_logs.schema import read_model
from connectors.bedrock_invocation_logs.settings import Settings
from connectors.common.contract import Severity, SourceReport
from tests.contract.request_logs import CANARY, IDENTITY, build_context, find_text, kinds, read_rows
from tests.servers.rest import Reply, Request, RestServer, pass_on, run_rest
from tests.servers.s3 import S3Server

NOW = datetime(2026, 11, 20, 6, 0)
ACCOUNT = "111122223333"
REGION = "us-east-1"
BUCKET = "model-logs"
SESSION_ARN = f"arn:aws:sts::{ACCOUNT}:assumed-role/AWSReservedSSO_Dev_0123456789abcdef/Ada@Example.com"
SONNET = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"


def record(number: int = 1, **more: Any) -> dict[str, Any]:
    """One record as Bedrock writes it; the body holds what must never leave it."""
    return {
        "timestamp": f"2026-11-19T10:{number % 60:02d}:30Z",
        "accountId": ACCOUNT,
        "identity": {"arn": SESSION_ARN},
        "region": REGION,
        "requestId": f"00000000-0000-4000-8000-{number:012d}",
        "operation": "InvokeModel",
        "modelId": SONNET,
        "input": {
            "inputContentType": "application/json",
            "inputBodyJson": {"messages": [{"role": "user", "content": CANARY}]},
            "inputTokenCount": 1,
            "cacheReadInputTokenCount": 238604,
            "cacheWriteInputTokenCount": 1314,
        },
        "output": {
            "outputContentType": "application/json",
            "outputBodyJson": {
                "content": [{"type": "text", "text": CANARY}],
                "usage": {"input_tokens": 1, "output_tokens": 900, "service_tier": "standard"},
            },
            "outputTokenCount": 900,
        },
        "requestMetadata": {"user": "ada@example.com", "feature": "search", "traceId": "T-1", CANARY: CANARY},
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
    } | more


def lines(*records: dict[str, Any] | str) -> bytes:
    text = "\n".join(r if isinstance(r, str) else json.dumps(r) for r in records)
    return gzip.compress(text.encode())


class Company:
    """An account with logging switched on, and the lake they land in."""

    def __init__(self, server: S3Server, root: Path) -> None:
        self.root = root
        self.server = server
        self.client = server.client()
        self.client.create_bucket(Bucket=BUCKET)
        self.options: dict[str, Any] = {}

    def put(
        self, content: bytes, name: str = "a.json.gz", hour: str = "2026/11/19/10", region: str = REGION
    ) -> None:
        key = f"logs/AWSLogs/{ACCOUNT}/BedrockModelInvocationLogs/{region}/{hour}/{name}"
        self.client.put_object(Bucket=BUCKET, Key=key, Body=content)

    def settings(self, url: str | None = None) -> Settings:
        values = {"name": "bedrock", "path": f"s3://{BUCKET}/logs", "endpoint": url or self.server.url}
        return Settings.model_validate(values | self.options)

    def land(self, now: datetime = NOW, url: str | None = None, **more: Any) -> SourceReport:
        return land(self.settings(url), build_context(self.root, now, **more))


@pytest.fixture
def company(s3_server: S3Server, tmp_path: Path) -> Company:
    return Company(s3_server, tmp_path)


def test_a_record_lands_with_all_that_it_states(company: Company) -> None:
    company.options = {"session_user_roles": ["AWSReservedSSO_*"]}
    metadata = {"feature": "search", "traceId": "T-1"}
    stated = {
        "inferenceRegion": "us-west-2",
        "requestMetadata": metadata,
        "output": {
            "outputBodyJson": {
                "usage": {"inputTokens": 1, "outputTokens": 900, "cacheReadInputTokens": 238604},
                "metrics": {"latencyMs": 2500},
                "serviceTier": {"type": "priority"},
            },
            "outputTokenCount": 900,
        },
    }
    company.put(lines(record(7, **stated)))
    (row,) = read_rows(company.land())
    expected = {
        "request_id": "response:00000000-0000-4000-8000-000000000007",
        "emitter_kind": "provider_log",
        "provider_request_id": "00000000-0000-4000-8000-000000000007",
        "call_id": "00000000-0000-4000-8000-000000000007",
        "logical_call_id": None,
        "trace_id": "T-1",
        "started_at": datetime(2026, 11, 19, 10, 7, 30),
        "duration_seconds": Decimal("2.500000"),
        "provider": "aws.bedrock",
        "sub_account_id": ACCOUNT,
        "region_id": REGION,
        "to_zone": "us-west-2",
        "request_model": SONNET,
        "model": SONNET,
        "service_tier": "priority",
        "status": "ok",
        "error_type": None,
        "uncached_input_tokens": 1,
        "cache_read_tokens": 238604,
        "cache_write_5m_tokens": 1314,
        "cache_write_1h_tokens": None,
        "output_tokens": 900,
        "usage_source": "reported",
        "principal_id": IDENTITY.pseudonymise(SESSION_ARN),
        "user_id": IDENTITY.pseudonymise("ada@example.com"),
        "feature": "search",
    }
    assert {name: row[name] for name in expected} == expected


def test_metadata_names_the_user_before_the_session_does(company: Company) -> None:
    company.options = {"session_user_roles": ["*"]}
    company.put(
        lines(record(1, requestMetadata={"user": "grace@example.com"}), record(2, requestMetadata={}))
    )
    users = [row["user_id"] for row in read_rows(company.land())]
    assert users == [IDENTITY.pseudonymise("grace@example.com"), IDENTITY.pseudonymise("ada@example.com")]


def test_a_session_is_no_user_unless_the_config_says_so(company: Company) -> None:
    company.options = {"session_user_roles": ["Gateway*"]}
    company.put(lines(record(1, requestMetadata=None)))
    (row,) = read_rows(company.land())
    assert row["user_id"] is None
    assert row["principal_id"] == IDENTITY.pseudonymise(SESSION_ARN)


STREAM = [
    {"type": "message_start", "message": {"usage": {
        "input_tokens": 1, "cache_read_input_tokens": 238604, "cache_creation_input_tokens": 1314,
        "cache_creation": {"ephemeral_5m_input_tokens": 314, "ephemeral_1h_input_tokens": 1000},
        "output_tokens": 1}}},
    {"type": "content_block_delta", "delta": {"text": CANARY}},
    {"type": "message_delta", "usage": {"output_tokens": 900}},
    {"type": "message_stop", "amazon-bedrock-invocationMetrics": {
        "inputTokenCount": 1, "outputTokenCount": 900, "invocationLatency": 3037, "firstByteLatency": 635}},
]  # fmt: skip


def test_a_stream_tells_lifetimes_and_times(company: Company) -> None:
    company.put(lines(record(1, output={"outputBodyJson": STREAM, "outputTokenCount": 900})))
    (row,) = read_rows(company.land())
    assert (row["cache_write_5m_tokens"], row["cache_write_1h_tokens"]) == (314, 1000)
    assert (row["uncached_input_tokens"], row["output_tokens"]) == (1, 900)
    assert row["duration_seconds"] == Decimal("3.037000")
    assert row["time_to_first_token_seconds"] == Decimal("0.635000")


def test_an_error_is_a_call_without_usage(company: Company) -> None:
    failed = record(1, errorCode="ThrottlingException", input={}, output={})
    company.put(lines(failed))
    report = company.land()
    (row,) = read_rows(report)
    assert (row["status"], row["error_type"], row["usage_source"]) == ("error", "ThrottlingException", "none")
    assert row["uncached_input_tokens"] is None
    assert kinds(report) == {"usage_missing": 1}


@pytest.mark.parametrize(
    ("model_id", "model"),
    [
        (SONNET, SONNET),
        ("anthropic.claude-3-haiku-20240307-v1:0", "anthropic.claude-3-haiku-20240307-v1:0"),
        (f"arn:aws:bedrock:us-east-1::foundation-model/{SONNET}", SONNET),
        (
            f"arn:aws:bedrock:eu-west-1:{ACCOUNT}:inference-profile/eu.amazon.nova-pro-v1:0",
            "eu.amazon.nova-pro-v1:0",
        ),
        (
            f"arn:aws-us-gov:bedrock:us-gov-west-1:{ACCOUNT}:inference-profile/us-gov.x.y-v1:0",
            "us-gov.x.y-v1:0",
        ),
        *(
            (f"arn:aws:bedrock:us-east-1:{ACCOUNT}:{kind}/abc123def456",) * 2
            for kind in ("application-inference-profile", "provisioned-model", "imported-model")
        ),
    ],
)
def test_an_arn_names_its_model_or_itself(model_id: str, model: str) -> None:
    assert read_model(model_id) == model


def test_only_logs_of_the_wanted_days_are_fetched(company: Company) -> None:
    company.options = {"account_ids": [ACCOUNT], "regions": [REGION], "first_day": "2026-11-18"}
    company.put(lines(record(1)), hour="2026/11/19/10")
    company.put(lines(record(2)), hour="2026/11/17/10")
    company.put(lines(record(3)), region="eu-west-1")
    company.put(b"a large body", name="data/00000000_output.json.gz")
    company.put(b"", name="amazon-bedrock-logs-permission-check")
    with run_rest(pass_on(company.server.url)) as proxy:
        report = company.land(url=proxy.url)
        asked = [(request.query.get("prefix"), request.path) for request in proxy.log]
    assert [row["call_id"][-1] for row in read_rows(report)] == ["1"]
    listed = {prefix[-11:-1] for prefix, _ in asked if prefix}
    assert listed == {"2026/11/17", "2026/11/18", "2026/11/19", "2026/11/20", "2026/11/21"}
    got = [path for prefix, path in asked if prefix is None]
    assert all("2026/11/19/10/a.json.gz" in path for path in got), got
    assert got


def _downloads(server: RestServer) -> list[str]:
    return [r.path.rsplit("/", 1)[1] for r in server.log if r.method == "GET" and "prefix" not in r.query]


def test_an_hour_that_did_not_change_is_not_read_again(company: Company) -> None:
    company.put(lines(record(1)), hour="2026/11/19/10")
    company.put(lines(record(2)), name="b.json.gz", hour="2026/11/19/11")
    first = company.land()
    with run_rest(pass_on(company.server.url)) as proxy:
        second = company.land(now=datetime(2026, 11, 21, 6), url=proxy.url)
        assert _downloads(proxy) == []
    assert read_rows(second) == read_rows(first)
    company.put(lines(record(3)), name="late.json.gz", hour="2026/11/19/11")
    with run_rest(pass_on(company.server.url)) as proxy:
        third = company.land(now=datetime(2026, 11, 21, 7), url=proxy.url)
        assert sorted(set(_downloads(proxy))) == ["b.json.gz", "late.json.gz"]
    assert [row["call_id"][-1] for row in read_rows(third)] == ["1", "2", "3"]
    known_before = company.land(now=datetime(2026, 11, 21, 8), as_of=datetime(2026, 11, 20, 7))
    assert {d.scope for d in known_before.deliveries} <= {d.scope for d in third.deliveries}


def test_older_hours_stay_when_the_window_moves_on(company: Company) -> None:
    company.options = {"first_day": "2026-11-19"}
    company.put(lines(record(1)))
    company.land()
    later = company.land(now=datetime(2026, 12, 24))
    assert [row["call_id"][-1] for row in read_rows(later)] == ["1"]


def test_a_changed_setting_reads_the_logs_anew(company: Company) -> None:
    company.put(lines(record(1, requestMetadata={"project": "search"})))
    assert read_rows(company.land())[0]["feature"] is None
    company.options = {"attributes": {"feature": ["project"]}}
    assert read_rows(company.land(now=datetime(2026, 11, 25)))[0]["feature"] == "search"


def test_no_body_and_no_unknown_key_reaches_the_lake(company: Company) -> None:
    hostile = {f"{CANARY}-{n}": CANARY for n in range(3)} | {"user": CANARY, "feature": CANARY * 30}
    bodies = [
        record(1),
        record(2, requestMetadata=hostile, operation=CANARY, modelId=f"x {CANARY * 30}"),
        record(
            3, output={"outputBodyJson": [{"message": {"usage": {CANARY: 5}}}, CANARY], "outputTokenCount": 1}
        ),
        json.dumps(record(4))[:-40],
        CANARY,
        json.dumps([CANARY]),
    ]
    company.put(lines(*bodies))
    company.put(gzip.compress(json.dumps(record(9)).encode() * 400)[:-20], name="torn.json.gz")
    company.put(CANARY.encode(), name="junk.json.gz")
    company.put(lines(CANARY, CANARY), name="nothing.json.gz")
    report = company.land()
    assert len(read_rows(report)) == 3
    assert find_text(company.root) == []
    assert CANARY not in "".join(
        finding.message for finding in report.findings if finding.kind != "unknown_count"
    )


def test_bad_input_is_refused_by_object_and_line_and_the_rest_lands(company: Company) -> None:
    good = record(1)
    negative = record(2, input={"inputTokenCount": -1}, output={"outputTokenCount": 1})
    fraction = record(3, input={"inputTokenCount": 1.5}, output={"outputTokenCount": 1})
    huge = json.dumps(record(4)).replace('"outputTokenCount": 900', '"outputTokenCount": 1e400')
    nan = json.dumps(record(5)).replace('"outputTokenCount": 900', '"outputTokenCount": NaN')
    absurd = record(6, input={"inputTokenCount": 10**30}, output={"outputTokenCount": 1})
    early = record(7, timestamp="1999-01-01T00:00:00Z")
    late = record(8, timestamp="2026-11-21T00:00:00Z")
    other = record(9, schemaType="SomethingElse")
    long = json.dumps({"x": "y" * (50 << 20)})
    half = json.dumps(record(10))[:100]
    content = [negative, fraction, huge, nan, absurd, early, late, other, long, half, good, good]
    company.put(lines(*content), name="bad.json.gz")
    company.put(lines(record(11)), name="good.json.gz")
    company.put(lines(record(12))[:-9], name="torn.json.gz")
    report = company.land()
    assert [row["call_id"][-2:] for row in read_rows(report)] == ["01", "11"]
    assert not report.has_fault
    found = kinds(report)
    assert found["quarantined_row"] == 10
    assert found["duplicate_request"] == 1
    assert found["unreadable_file"] == 1
    messages = "\n".join(f.message for f in report.findings if f.kind == "quarantined_row")
    for line, reason in (
        (1, "negative_tokens"),
        (2, "not_a_count"),
        (5, "absurd_tokens"),
        (6, "early_clock"),
    ):
        assert f"bad.json.gz line {line}): {reason}" in messages
    assert "bad.json.gz line 7): future_clock" in messages
    assert "bad.json.gz line 8): other_record" in messages
    assert "bad.json.gz line 9): oversized_line: longer than 16 MB" in messages
    assert "bad.json.gz line 3, bad.json.gz line 4, bad.json.gz line 10): malformed_line" in messages
    torn = next(f for f in report.findings if f.kind == "unreadable_file")
    assert "torn.json.gz" in torn.message


def test_an_hour_of_which_nothing_can_be_read_is_a_fault_and_keeps_what_it_held(company: Company) -> None:
    company.put(lines(record(1)))
    company.land()
    company.put(lines(record(2))[:-9])
    report = company.land(now=datetime(2026, 11, 20, 7))
    assert [row["call_id"][-1] for row in read_rows(report)] == ["1"]
    assert [(f.kind, f.date) for f in report.findings if f.severity is Severity.FAULT] == [
        ("unreadable_group", date(2026, 11, 19))
    ]
    assert "a.json.gz cannot be read" in next(
        f.message for f in report.findings if f.kind == "unreadable_group"
    )
    company.put(lines(record(2)))
    repaired = company.land(now=datetime(2026, 11, 20, 8))
    assert [row["call_id"][-1] for row in read_rows(repaired)] == ["2"]
    assert kinds(repaired) == {"cache_lifetime_assumed": 1}


def test_records_in_one_line_or_one_array_are_read_too(company: Company) -> None:
    company.put(
        gzip.compress(json.dumps(record(1)).encode() + json.dumps(record(2)).encode()), name="one.json.gz"
    )
    company.put(gzip.compress(json.dumps([record(3), record(4)], indent=2).encode()), name="array.json.gz")
    members = gzip.compress(json.dumps(record(5)).encode() + b"\n") + gzip.compress(
        json.dumps(record(6)).encode()
    )
    company.put(members, name="members.json.gz")
    assert [row["call_id"][-1] for row in read_rows(company.land())] == list("123456")


def test_no_log_at_all_is_a_fault(company: Company) -> None:
    report = company.land()
    assert [(f.kind, f.severity) for f in report.findings] == [("empty_folder", Severity.FAULT)]


def test_the_check_says_whether_logs_can_be_read(company: Company) -> None:
    company.put(lines(record(1)))
    assert [step.is_ok for step in check(company.settings())] == [True, True, True]
    company.client.delete_object(
        Bucket=BUCKET,
        Key=f"logs/AWSLogs/{ACCOUNT}/BedrockModelInvocationLogs/{REGION}/2026/11/19/10/a.json.gz",
    )
    steps = list(check(company.settings()))
    assert [step.is_ok for step in steps] == [True, False, None]


def test_a_store_that_breaks_off_keeps_what_was_read_and_the_next_run_goes_on(company: Company) -> None:
    company.put(lines(record(1)), hour="2026/11/19/10")
    company.put(lines(record(2)), hour="2026/11/19/11")
    company.put(lines(record(3)), hour="2026/11/19/12")
    forward = pass_on(company.server.url)

    def route(request: Request) -> Reply:
        denied = Reply(503, "<Error><Code>ServiceUnavailable</Code></Error>")
        return denied if "/11/a.json.gz" in request.path else forward(request)

    with run_rest(route) as proxy:
        report = company.land(url=proxy.url)
        asked = {request.path.rsplit("/", 2)[1] for request in proxy.log if "a.json.gz" in request.path}
    assert [row["call_id"][-1] for row in read_rows(report)] == ["1"]
    assert [f.kind for f in report.findings if f.severity is Severity.FAULT] == ["unreachable_logs"]
    assert asked == {"10", "11"}
    assert [row["call_id"][-1] for row in read_rows(company.land())] == ["1", "2", "3"]


def test_a_sound_record_counts_after_a_broken_one_of_the_same_id(company: Company) -> None:
    company.put(lines(record(1, input={"inputTokenCount": -1}), record(1), record(1)))
    report = company.land()
    assert [row["uncached_input_tokens"] for row in read_rows(report)] == [1]
    assert (kinds(report)["duplicate_request"], kinds(report)["quarantined_row"]) == (1, 1)


def test_a_run_killed_while_it_reads_leaves_no_log_behind_after_the_next(company: Company) -> None:
    company.put(lines(record(1)))
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from connectors.bedrock_invocation_logs import client\n"
        "from connectors.bedrock_invocation_logs.settings import Settings\n"
        "from tests.contract.request_logs import build_context\n"
        "from tests.contract.test_bedrock_invocation_logs import NOW\n"
        "client.read_json_records = lambda path, refuse: os.kill(os.getpid(), 9)\n"
        "client.land(Settings.model_validate_json(sys.argv[1]), build_context(Path(sys.argv[2]), NOW))\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", code, company.settings().model_dump_json(), str(company.root)],
        env=os.environ | {"TMPDIR": str(company.root)},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert len(find_text(company.root)) == 1
    assert len(read_rows(company.land())) == 1
    assert find_text(company.root) == []
