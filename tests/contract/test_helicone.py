"""Helicone: rows of its table and of its API become calls; its own cache bills nothing; versions count once."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.contract.gateway_company import IDENTITY, GatewayCompany, classes, count_kinds, read_rows

REQUEST = "11111111-0000-4000-8000-000000000001"


@pytest.fixture
def company(tmp_path: Path) -> GatewayCompany:
    return GatewayCompany(tmp_path, "helicone")


def build_row(**changes: Any) -> dict[str, Any]:
    """Return one row of `request_response_rmt`."""
    row: dict[str, Any] = {
        "response_id": "22222222-0000-4000-8000-000000000001",
        "response_created_at": None,
        "latency": 1750,
        "status": 200,
        "completion_tokens": 12,
        "reasoning_tokens": 8,
        "prompt_tokens": 46,
        "prompt_cache_write_tokens": 0,
        "prompt_cache_read_tokens": 64,
        "model": "gpt-4o-2024-08-06",
        "request_id": REQUEST,
        "request_created_at": "2026-11-19 10:00:00.250",
        "user_id": "Bob@Example.com",
        "organization_id": "33333333-0000-4000-8000-000000000001",
        "proxy_key_id": "44444444-0000-4000-8000-000000000001",
        "time_to_first_token": 500,
        "provider": "OPENAI",
        "properties": {"Feature": "chat", "Helicone-Session-Id": "s-1"},
        "cache_reference_id": "00000000-0000-0000-0000-000000000000",
        "cost": 225_000,
        "updated_at": "2026-11-19 10:00:03",
        "request_body": "Hello",
        "response_body": "World",
    }
    return row | changes


EXPECTED = {
    "emitter_kind": "gateway",
    "call_id": REQUEST,
    "provider_request_id": None,
    "started_at": datetime(2026, 11, 19, 10, 0, 0, 250000),
    "duration_seconds": Decimal("1.750000"),
    "time_to_first_token_seconds": Decimal("0.500000"),
    "provider": "openai",
    "model": "gpt-4o-2024-08-06",
    "status": "ok",
    "reported_cost": Decimal("0.000225000000"),
    "reported_cost_currency": "USD",
    "user_id": IDENTITY.pseudonymise("bob@example.com"),
    "feature": "chat",
    "session_id": "s-1",
}


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_a_row_of_the_table_is_a_call(company: GatewayCompany, suffix: str) -> None:
    if suffix == "jsonl":
        company.deliver("a.jsonl", [build_row()])
    else:
        properties = pa.array([list(build_row()["properties"].items())], pa.map_(pa.string(), pa.string()))
        table = pa.Table.from_pylist([{k: v for k, v in build_row().items() if k != "properties"}])
        pq.write_table(table.append_column("properties", properties), company.folder / "a.parquet")
    report = company.land()
    assert report.findings == ()
    (row,) = read_rows(report)
    assert {name: row[name] for name in EXPECTED} == EXPECTED
    assert classes(row) == (46, 64, 0, None, 20)


def test_an_answer_of_the_api_is_the_same_call(company: GatewayCompany) -> None:
    stated = build_row()
    record = {
        "request_id": REQUEST,
        "response_id": "chatcmpl-CzK3Qd8wB1",
        "request_created_at": "2026-11-19T10:00:00.250Z",
        "response_created_at": "2026-11-19T10:00:02.000Z",
        "response_status": 200,
        "response_model": "gpt-4o-2024-08-06",
        "request_model": "gpt-4o",
        "request_user_id": "bob@example.com",
        "request_properties": stated["properties"],
        "delay_ms": 1750,
        "time_to_first_token": 500,
        "costUSD": 0.000225,
        "provider": "OPENAI",
        **{name: stated[name] for name in ("prompt_tokens", "completion_tokens", "reasoning_tokens")},
        "prompt_cache_read_tokens": 64,
        "request_body": {"messages": []},
    }
    company.deliver("a.jsonl", [record])
    (row,) = read_rows(company.land())
    expected = EXPECTED | {"provider_request_id": "chatcmpl-CzK3Qd8wB1"}
    assert {name: row[name] for name in expected} == expected
    assert row["request_model"] == "gpt-4o"


def test_older_counts_hold_each_other_when_the_source_says_so(company: GatewayCompany) -> None:
    company.options["semantics"] = {"input_includes_cached": True, "output_includes_reasoning": True}
    company.deliver("a.jsonl", [build_row(prompt_tokens=110, completion_tokens=20)])
    (row,) = read_rows(company.land())
    assert classes(row) == (46, 64, 0, None, 20)


def test_the_column_of_cost_is_left_alone_when_its_scale_is_not_known(company: GatewayCompany) -> None:
    company.options["cost_digits"] = None
    company.deliver("a.jsonl", [build_row()])
    (row,) = read_rows(company.land())
    assert (row["reported_cost"], row["reported_cost_currency"]) == (None, None)


def test_its_own_cache_bills_nothing(company: GatewayCompany) -> None:
    hit = build_row(
        cache_reference_id="55555555-0000-4000-8000-000000000001", response_id="chatcmpl-Original"
    )
    company.deliver("a.jsonl", [hit])
    (row,) = read_rows(company.land())
    assert classes(row) == (0, None, None, None, 0)
    assert (row["saved_input_tokens"], row["saved_output_tokens"]) == (46, 12)
    assert row["provider_request_id"] is None and row["reported_cost"] is None and row["status"] == "ok"


@pytest.mark.parametrize(
    ("status", "expected", "error"),
    [
        (200, "ok", None),
        (429, "error", "http_429"),
        (500, "error", "http_500"),
        (-3, "aborted", None),
        (499, "aborted", "http_499"),
    ],
)
def test_statuses(company: GatewayCompany, status: int, expected: str, error: str | None) -> None:
    zero = {} if status == 200 else {"prompt_tokens": 0, "completion_tokens": 0, "reasoning_tokens": 0}
    changes = zero | ({} if status == 200 else {"prompt_cache_read_tokens": 0})
    company.deliver("a.jsonl", [build_row(status=status, **changes)])
    (row,) = read_rows(company.land())
    assert (row["status"], row["error_type"]) == (expected, error)
    assert row["usage_source"] == ("reported" if status == 200 else "none")


def test_the_newest_version_counts_once_across_files(company: GatewayCompany) -> None:
    company.deliver("1.jsonl", [build_row(cost=1), build_row(cost=3, updated_at="2026-11-19 12:00:00")])
    company.deliver("2.jsonl", [build_row(cost=2, updated_at="2026-11-19 11:00:00")])
    (row,) = read_rows(company.land())
    assert row["reported_cost"] == Decimal("0.000000003")


def test_bad_input_is_refused_alone(company: GatewayCompany) -> None:
    company.deliver("cut.jsonl.gz", b"\x1f\x8b\x08\x00cut")
    company.deliver("other.csv", b"a,b\n1,2\n")
    rows = [
        build_row(request_id=None),
        build_row(request_id="a", prompt_tokens=-1),
        build_row(request_id="b", request_created_at="yesterday"),
        build_row(),
    ]
    company.deliver("rows.jsonl", rows)
    report = company.land()
    assert [row["call_id"] for row in read_rows(report)] == [REQUEST]
    assert {"unreadable_file", "missing_column", "quarantined_row"} <= set(count_kinds(report))
