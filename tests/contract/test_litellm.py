"""LiteLLM: SpendLogs and payloads become attempts; its own ids, cache, tags and floats are taken for what they are."""

from __future__ import annotations

import base64
import csv
import io
import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from connectors.common.contract import Severity
from connectors.litellm.settings import Settings
from tests.contract.gateway_company import IDENTITY, GatewayCompany, classes, count_kinds, read_rows, strip
from tests.contract.litellm_proxy import KEY_HASH, build_payload, build_spend_log


@pytest.fixture
def company(tmp_path: Path) -> GatewayCompany:
    return GatewayCompany(tmp_path, "litellm")


def land_one(company: GatewayCompany, record: dict[str, Any]) -> dict[str, Any]:
    company.deliver("a.jsonl", [record])
    report = company.land()
    assert not report.has_fault, report.findings
    (row,) = read_rows(report)
    return row


def as_text_row(row: dict[str, Any]) -> dict[str, Any]:
    return {k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in row.items()}


def write_csv(rows: list[dict[str, Any]]) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(as_text_row(row) for row in rows)
    return out.getvalue().encode()


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "jsonl.gz", "json", "parquet"])
def test_a_spend_log_is_one_attempt_in_every_format(company: GatewayCompany, suffix: str) -> None:
    record = build_spend_log()
    if suffix == "csv":
        company.deliver("a.csv", write_csv([record]))
    elif suffix == "parquet":
        pq.write_table(pa.Table.from_pylist([as_text_row(record)]), company.folder / "a.parquet")
    elif suffix == "json":
        company.deliver("a.json", json.dumps([record]).encode())
    else:
        company.deliver(f"a.{suffix}", [record])
    report = company.land()
    assert report.findings == ()
    (row,) = read_rows(report)
    expected = {
        "emitter_kind": "gateway",
        "provider_request_id": "chatcmpl-CzK3Qd8wB1xYpL0aVtRm5nHs",
        "call_id": "5f6b1f2e-0000-4000-8000-000000000001",
        "logical_call_id": None,
        "attempt_number": 1,
        "started_at": datetime(2026, 11, 19, 10, 0, 0, 250000),
        "duration_seconds": Decimal("1.750000"),
        "time_to_first_token_seconds": Decimal("0.500000"),
        "provider": "openai",
        "model": "gpt-4o",
        "request_model": "chat-large",
        "status": "ok",
        "reported_cost": Decimal("0.000225000000"),
        "reported_cost_currency": "USD",
        "user_id": IDENTITY.pseudonymise("bob@example.com"),
        "team": "search",
        "tenant": "acme",
        "feature": "search",
        "api_key_id": KEY_HASH,
        "reasoning_tokens": 8,
    }
    assert {name: row[name] for name in expected} == expected
    assert classes(row) == (46, 64, None, None, 20)


def test_cached_tokens_are_inside_of_the_prompt_for_anthropic_too(company: GatewayCompany) -> None:
    row = land_one(company, build_payload())
    assert classes(row) == (100, 1000, 60, 40, 50)
    assert row["provider"] == "anthropic" and row["model"] == "claude-sonnet-4-5-20250929"
    assert row["request_model"] == "assistant" and row["service_tier"] == "standard"
    assert (row["feature"], row["environment"], row["team"]) == ("triage", "prod", "support")


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("chatcmpl-2299b6a2-82a3-465a-b47c-04e685a2227f", "chatcmpl-2299b6a2-82a3-465a-b47c-04e685a2227f"),
        ("chatcmpl-CzK3Qd8wB1xYpL0aVtRm5nHs", "chatcmpl-CzK3Qd8wB1xYpL0aVtRm5nHs"),
        ("msg_01XFDUDYJgAACzvnptvVoYEL", "msg_01XFDUDYJgAACzvnptvVoYEL"),
        ("gen-1742855151-abcdefghij", "gen-1742855151-abcdefghij"),
        ("5f6b1f2e-0000-4000-8000-000000000003", None),
        (
            "resp_"
            + base64.b64encode(
                b"litellm:custom_llm_provider:openai;model_id:m1;response_id:resp_68a5f3b2c1d0"
            ).decode(),
            "resp_68a5f3b2c1d0",
        ),
        ("resp_68a5f3b2c1d0", "resp_68a5f3b2c1d0"),
        ("d41d8cd98f00b204e9800998ecf8427e", None),
    ],
)
def test_the_id_of_the_answer_is_the_providers_else_the_one_that_the_client_was_given(
    company: GatewayCompany, stated: str, expected: str | None
) -> None:
    row = land_one(company, build_spend_log(request_id=stated))
    assert row["provider_request_id"] == expected
    assert row["call_id"] == "5f6b1f2e-0000-4000-8000-000000000001"


@pytest.mark.parametrize("changes", [{"status": "failure"}, {"cache_hit": "True"}])
def test_an_attempt_that_no_provider_answered_has_no_id_of_an_answer(
    company: GatewayCompany, changes: dict[str, Any]
) -> None:
    own = build_spend_log(request_id="chatcmpl-2299b6a2-82a3-465a-b47c-04e685a2227f", **changes)
    assert land_one(company, own)["provider_request_id"] is None


def test_bedrock_is_known_by_the_request_id_of_aws(company: GatewayCompany) -> None:
    headers = {"llm_provider-x-amzn-requestid": "0a1b2c3d-1111-4222-8333-444455556666"}
    payload = build_payload(
        custom_llm_provider="bedrock",
        model="bedrock/anthropic.claude-sonnet-4-5",
        hidden_params={"additional_headers": headers},
        response={},
    )
    row = land_one(company, payload)
    assert row["provider_request_id"] == "0a1b2c3d-1111-4222-8333-444455556666"
    assert (row["provider"], row["model"]) == ("aws.bedrock", "anthropic.claude-sonnet-4-5")


def test_retries_and_fallbacks_are_attempts_of_one_call(company: GatewayCompany) -> None:
    call = "5f6b1f2e-0000-4000-8000-00000000000a"
    failed = build_spend_log(
        request_id=call,
        litellm_call_id=call,
        status="failure",
        spend=0.0,
        prompt_tokens=0,
        completion_tokens=0,
        total_tokens=0,
        metadata={
            "attempted_retries": 0,
            "error_information": {
                "error_class": "RateLimitError",
                "error_code": "429",
                "error_message": "no",
            },
        },
    )
    second = failed | {"startTime": "2026-11-19T10:00:03", "endTime": "2026-11-19T10:00:04"}
    answered = build_spend_log(litellm_call_id=call, startTime="2026-11-19T10:00:05")
    answered["metadata"] |= {
        "attempted_retries": 1,
        "attempted_fallbacks": 1,
        "original_model_group": "primary",
    }
    alone = build_spend_log(request_id="chatcmpl-AloneAloneAlone", startTime="2026-11-19T10:00:06")
    company.deliver("a.jsonl", [failed, second, answered, alone])
    rows = read_rows(company.land())
    assert [row["status"] for row in rows] == ["error", "error", "ok", "ok"]
    assert [row["error_type"] for row in rows] == ["RateLimitError", "RateLimitError", None, None]
    trace = "97311c60-9a61-4f48-a814-70139ee57868"
    assert [row["logical_call_id"] for row in rows] == [trace, trace, trace, None]
    assert [row["attempt_number"] for row in rows] == [1, 1, 3, 1]
    assert rows[2]["request_model"] == "primary"
    assert [row["usage_source"] for row in rows] == ["none", "none", "reported", "reported"]
    assert [row["call_id"] for row in rows] == [None, None, call, alone["litellm_call_id"]]
    company.options["trace_id_means"] = "session"
    again = read_rows(company.land())
    assert [row["logical_call_id"] for row in again] == [None] * 4
    assert {row["session_id"] for row in again} == {trace}


def test_a_disconnected_client_is_no_error(company: GatewayCompany) -> None:
    metadata = {"error_information": {"error_class": "CancelledError", "error_code": "499"}}
    row = land_one(company, build_spend_log(status="failure", metadata=metadata))
    assert row["status"] == "aborted"


def test_a_key_that_was_logged_raw_is_hashed(company: GatewayCompany) -> None:
    row = land_one(company, build_spend_log(api_key="sk-1234567890abcdefghij"))
    assert row["api_key_id"] == IDENTITY.pseudonymise("sk-1234567890abcdefghij")


def test_places_of_the_config_replace_the_default(company: GatewayCompany) -> None:
    company.options["places"] = {"feature": ["tag:team", "metadata.user_api_key_team_alias"], "user_id": []}
    row = land_one(company, build_spend_log())
    assert (row["feature"], row["user_id"]) == ("search", None)


def test_a_call_in_many_files_is_one_and_the_newest_wins_in_any_order(tmp_path: Path) -> None:
    old = build_spend_log(spend=0.1, updated_at="2026-11-19T10:00:03")
    new = build_spend_log(spend=0.2, updated_at="2026-11-19T10:05:00")
    other = build_spend_log(request_id="chatcmpl-OtherOtherOther", startTime="2026-11-19T11:00:00")
    found = []
    for number, order in enumerate(((old, new), (new, old))):
        company = GatewayCompany(_folder(tmp_path, number), "litellm")
        company.deliver("1.jsonl", [order[0], other])
        company.land()
        company.deliver("2.jsonl", [other, order[1], order[1]])
        report = company.land()
        found.append(strip(read_rows(report)))
        assert company.land().deliveries == report.deliveries  # nothing new adds nothing
    assert len(found[0]) == 2 and found[0][0]["reported_cost"] == Decimal("0.2")
    assert found[0] == found[1]


def test_a_file_that_shrinks_takes_its_calls_along(company: GatewayCompany) -> None:
    rows = [build_spend_log(request_id=f"chatcmpl-NumberNumber{n}") for n in range(3)]
    company.deliver("a.jsonl", rows)
    assert len(read_rows(company.land())) == 3
    company.deliver("a.jsonl", rows[:1], hours_ago=1)
    assert [row["provider_request_id"] for row in read_rows(company.land())] == ["chatcmpl-NumberNumber0"]
    company.deliver("a.jsonl", b"\x00\xff not json", hours_ago=0.5)
    report = company.land()
    assert report.has_fault and len(read_rows(report)) == 1  # the last good content stays


def test_daily_roll_ups_are_no_requests(company: GatewayCompany) -> None:
    daily = {
        "id": "8f14e45f",
        "date": "2026-11-19",
        "api_requests": 12,
        "spend": 3.0,
        "prompt_tokens": 5,
        "model": "gpt-4o",
    }
    company.deliver("daily.jsonl", [daily])
    report = company.land()
    assert count_kinds(report) == {"not_requests": 1} and read_rows(report) == []
    with pytest.raises(ValidationError, match="once per tag"):
        Settings.model_validate(
            {"name": "a", "connector": "litellm", "connection_env": "X", "table": "LiteLLM_DailyTagSpend"}
        )


def test_what_is_no_model_call_is_passed_over(company: GatewayCompany) -> None:
    none = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0, "metadata": {}}
    kinds = (
        "call_mcp_tool",
        "list_mcp_tools",
        "acreate_file",
        "afile_content",
        "acreate_batch",
        "avector_store_search",
        "aget_assistants",
        "acreate_fine_tuning_job",
        "asearch",
    )
    calls = (
        "acompletion",
        "aembedding",
        "anthropic_messages",
        "aretrieve_batch",
        "_arealtime",
        "aspeech",
        "arerank",
    )
    rows = [build_spend_log(request_id=f"{kind}-1", call_type=kind, **none) for kind in (*kinds, *calls)]
    rows.append(build_spend_log(call_type="avector_store_search"))  # it used tokens
    company.deliver("a.jsonl", rows)
    report = company.land()
    assert len(read_rows(report)) == len(calls) + 1
    assert count_kinds(report)["other_records"] == len(kinds)


def test_either_database_or_files() -> None:
    for wrong in ({}, {"connection_env": "X", "path": "logs"}):
        with pytest.raises(ValidationError, match="either"):
            Settings.model_validate({"name": "a", "connector": "litellm"} | wrong)


@pytest.mark.parametrize("count", ["-5", "1e400", "1e999999999", "NaN", 2.5, 10**15, "many"])
def test_a_count_that_cannot_be_refuses_its_row_alone(company: GatewayCompany, count: object) -> None:
    bad = build_spend_log(request_id="chatcmpl-BadBadBadBad", prompt_tokens=count, metadata={})
    company.deliver("a.jsonl", [bad, build_spend_log()])
    report = company.land()
    assert [row["provider_request_id"] for row in read_rows(report)] == ["chatcmpl-CzK3Qd8wB1xYpL0aVtRm5nHs"]
    assert count_kinds(report) == {"quarantined_row": 1}
    assert "lines 1" in report.findings[0].message


def test_hostile_records_do_no_harm(company: GatewayCompany) -> None:
    keys = {f"key{n}": "v" for n in range(10_000)}
    hostile = {"__proto__": 1, "'; drop table x; --": 2, "a.b": {"c": "d"}}
    wide = build_payload(metadata={**build_payload()["metadata"], **keys, **hostile})
    long_line = build_payload(id="chatcmpl-LongLongLong", messages="x" * (50 << 20))
    no_id = build_spend_log(request_id=None)
    no_time = build_spend_log(request_id="chatcmpl-NoTimeNoTime", startTime=None)
    company.deliver("a.jsonl", [wide, long_line, no_id, no_time])
    report = company.land()
    (row,) = read_rows(report)
    assert row["feature"] == "triage"
    messages = " ".join(finding.message for finding in report.findings)
    assert {f.kind for f in report.findings} == {"quarantined_row"}
    assert all(word in messages for word in ("oversized_line", "missing_id", "missing_time"))
    assert "xxx" not in messages


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("half.jsonl.gz", b"\x1f\x8b\x08\x00garbage"),
        ("junk.jsonl", bytes(range(256)) * 10),
        ("junk.parquet", b"PAR1 no parquet"),
        ("junk.csv", b"request_id,startTime\n\xff\xfe\xfa,x\n"),
        ("empty.csv", b""),
        ("other.csv", b"a,b\n1,2\n"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_alone(
    company: GatewayCompany, name: str, content: bytes
) -> None:
    company.deliver(name, content)
    company.deliver("good.jsonl", [build_spend_log()])
    report = company.land()
    assert len(read_rows(report)) == 1
    (fault,) = [finding for finding in report.findings if finding.severity is Severity.FAULT]
    assert fault.file == name
    assert company.land().findings == report.findings


def test_half_a_line_is_refused_and_the_rest_lands(company: GatewayCompany) -> None:
    whole = json.dumps(build_spend_log()).encode()
    company.deliver("a.jsonl", whole + b"\n" + whole[: len(whole) // 2])
    report = company.land()
    assert len(read_rows(report)) == 1 and count_kinds(report) == {"quarantined_row": 1}


def _folder(root: Path, number: int) -> Path:
    folder = root / str(number)
    folder.mkdir()
    return folder


def test_a_run_that_is_killed_anywhere_loses_and_doubles_nothing(
    company: GatewayCompany, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [build_spend_log(request_id=f"chatcmpl-NumberNumber{n}") for n in range(3)]
    company.deliver("a.jsonl", rows)

    def kill(*given: object, **named: object) -> None:
        raise KeyboardInterrupt

    for place in (
        "connectors.common.record_batches.RecordBatchWriter.commit",
        "connectors.common.source_landing.write_records",
        "connectors.common.staged_rows.StagedRows.deliver",
        "connectors.common.source_files.SeenIndex.save",
    ):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(place, kill)
            company.land()
    report = company.land()
    assert len(read_rows(report)) == 3 and report.findings == ()
    assert not list(company.lake.rglob("_tmp-*"))
