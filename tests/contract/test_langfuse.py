"""Langfuse: the newest version of an observation counts once, in whatever files and order; buckets stay disjoint."""

from __future__ import annotations

import csv
import io
import itertools
import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.contract.gateway_company import IDENTITY, GatewayCompany, classes, count_kinds, read_rows, strip

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def company(tmp_path: Path) -> GatewayCompany:
    return GatewayCompany(tmp_path, "langfuse")


def build_observation(**changes: Any) -> dict[str, Any]:
    """Return one generation of the enriched export."""
    row: dict[str, Any] = {
        "id": "b7ad6b7169203331",
        "trace_id": TRACE,
        "project_id": "cm1abc",
        "environment": "production",
        "type": "GENERATION",
        "parent_observation_id": "00f067aa0ba902b7",
        "start_time": "2026-11-19 10:00:00.250000",
        "end_time": "2026-11-19 10:00:02.000000",
        "completion_start_time": "2026-11-19 10:00:00.750000",
        "name": "ChatOpenAI",
        "metadata": {
            "attributes": '{"gen_ai.system": "openai", "gen_ai.response.id": "chatcmpl-CzK3Qd8wB1"}'
        },
        "level": "DEFAULT",
        "status_message": "",
        "provided_model_name": "gpt-4o-2024-08-06",
        "usage_details": {
            "input": 46,
            "input_cached_tokens": 64,
            "output": 12,
            "output_reasoning_tokens": 8,
            "total": 130,
        },
        "total_cost": 0.1 + 0.2,
        "usage_pricing_tier_name": None,
        "created_at": "2026-11-19 10:00:03.000000",
        "updated_at": "2026-11-19 10:00:03.000000",
        "user_id": "Bob@Example.com",
        "session_id": "s-1",
        "trace_name": "answer",
        "tags": ["feature:chat"],
        "input": "Hello",
        "output": "World",
    }
    return row | changes


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows as Langfuse's Parquet holds them: maps, lists, times."""
    path.parent.mkdir(parents=True, exist_ok=True)
    usage = pa.map_(pa.string(), pa.uint64())
    columns: dict[str, pa.Array] = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        if name == "usage_details":
            columns[name] = pa.array([list(value.items()) for value in values], usage)
        elif name == "metadata":
            columns[name] = pa.array(
                [list(value.items()) for value in values], pa.map_(pa.string(), pa.string())
            )
        elif name.endswith(("_time", "_at")):
            moments = [datetime.fromisoformat(value) if value else None for value in values]
            columns[name] = pa.array(moments, pa.timestamp("ms", "UTC"))
        elif name == "total_cost":
            columns[name] = pa.array([Decimal(repr(value)) for value in values], pa.decimal128(30, 17))
        else:
            columns[name] = pa.array(values)
    pq.write_table(pa.table(columns), path)


def write_csv(rows: list[dict[str, Any]]) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    for row in rows:
        writer.writerow({k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in row.items()})
    return out.getvalue().encode()


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz", "json", "csv", "parquet"])
def test_a_generation_is_a_call_in_every_format(company: GatewayCompany, suffix: str) -> None:
    name = f"cm1abc/observations_v2/2026-11-19.{suffix}"
    row = build_observation()
    if suffix == "parquet":
        write_parquet(company.folder / name, [row])
    elif suffix == "csv":
        company.deliver(name, write_csv([row]))
    elif suffix == "json":
        company.deliver(name, json.dumps([row]).encode())
    else:
        company.deliver(name, [row])
    report = company.land()
    assert report.findings == ()
    (landed,) = read_rows(report)
    expected = {
        "request_id": "response:chatcmpl-CzK3Qd8wB1",
        "emitter_kind": "span",
        "provider_request_id": "chatcmpl-CzK3Qd8wB1",
        "trace_id": TRACE,
        "span_id": "b7ad6b7169203331",
        "parent_span_id": "00f067aa0ba902b7",
        "started_at": datetime(2026, 11, 19, 10, 0, 0, 250000),
        "duration_seconds": Decimal("1.750000"),
        "time_to_first_token_seconds": Decimal("0.500000"),
        "provider": "openai",
        "model": "gpt-4o-2024-08-06",
        "status": "ok",
        "reasoning_tokens": 8,
        "usage_source": "reported",
        "reported_cost": Decimal("0.300000000000"),
        "user_id": IDENTITY.pseudonymise("bob@example.com"),
        "feature": "chat",
        "workflow": "answer",
        "environment": "production",
        "session_id": "s-1",
    }
    assert {key: landed[key] for key in expected} == expected
    assert classes(landed) == (46, 64, None, None, 20)


def test_other_observations_are_spans_with_their_parents(company: GatewayCompany) -> None:
    kinds = ("AGENT", "TOOL", "CHAIN", "RETRIEVER", "SPAN", "EVENT", "GUARDRAIL")
    rows = [build_observation(id=f"{n:016x}", type=kind, name="get_weather") for n, kind in enumerate(kinds)]
    rows.append(build_observation(id="ffff", type="EMBEDDING"))
    company.deliver("o/observations/1.jsonl", rows)
    report = company.land()
    spans = read_rows(report, "spans")
    assert [span["span_kind"] for span in spans] == ["agent", "tool", "chain", "retrieval", *["other"] * 3]
    assert [span["tool_name"] for span in spans] == [None, "get_weather", *[None] * 5]
    assert {span["parent_span_id"] for span in spans} == {"00f067aa0ba902b7"}
    assert {span["user_id"] for span in spans} == {IDENTITY.pseudonymise("bob@example.com")}
    assert [row["span_id"] for row in read_rows(report)] == ["ffff"]


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"input": 10, "output": 5, "total": 15}, (10, None, None, None, 5)),
        (
            {"input": 10, "cache_read_input_tokens": 90, "cache_creation_input_tokens": 20, "output": 5},
            (10, 90, 20, None, 5),
        ),
        (
            {
                "input": 10,
                "input_cache_creation_5m": 3,
                "input_cache_creation_1h": 4,
                "output": 5,
                "total": 22,
            },
            (10, None, 3, 4, 5),
        ),
        ({"input": 110, "cache_read_input_tokens": 100, "output": 5, "total": 115}, (10, 100, None, None, 5)),
        ({"input": 10, "input_audio_tokens": 7, "output": 5, "total": 22}, (17, None, None, None, 5)),
    ],
)
def test_buckets_share_no_token(
    company: GatewayCompany, usage: dict[str, int], expected: tuple[int | None, ...]
) -> None:
    company.deliver("o/observations/1.jsonl", [build_observation(usage_details=usage)])
    report = company.land()
    (row,) = read_rows(report)
    assert classes(row) == expected
    assert "token_total_mismatch" not in count_kinds(report)


def test_traces_of_other_files_give_their_values(company: GatewayCompany) -> None:
    bare = {"user_id": None, "session_id": None, "trace_name": None, "tags": None, "environment": None}
    observation = {k: v for k, v in (build_observation() | bare).items() if v is not None}
    trace = {
        "id": TRACE.upper(),
        "timestamp": "2026-11-18 23:59:59.000000",
        "name": "answer",
        "user_id": "bob@example.com",
        "tags": ["feature:chat"],
        "metadata": {"tenant": "acme"},
        "environment": "staging",
        "updated_at": "2026-11-19 10:01:00",
    }
    company.deliver("p/observations/1.jsonl", [observation])
    (before,) = read_rows(company.land())
    assert before["user_id"] is None
    company.deliver("p/traces/1.jsonl", [trace], hours_ago=2)
    (after,) = read_rows(company.land())
    assert after["user_id"] == IDENTITY.pseudonymise("bob@example.com")
    assert [after[name] for name in ("feature", "tenant", "workflow", "environment")] == [
        "chat",
        "acme",
        "answer",
        "staging",
    ]
    company.deliver("p/traces/2.jsonl", [trace | {"user_id": "ann", "updated_at": "2026-11-19 11:00:00"}])
    assert read_rows(company.land())[0]["user_id"] == IDENTITY.pseudonymise("ann")


VERSIONS = [
    build_observation(event_ts="2026-11-19 10:00:03", usage_details={"input": 1, "output": 1}),
    build_observation(event_ts="2026-11-19 10:00:05", usage_details={"input": 3, "output": 3}),
    build_observation(event_ts="2026-11-19 10:00:04", usage_details={"input": 2, "output": 2}),
    build_observation(id="dead", event_ts="2026-11-19 10:00:03"),
    build_observation(id="dead", event_ts="2026-11-19 10:00:04", is_deleted=1),
    build_observation(id="back", event_ts="2026-11-19 10:00:04", is_deleted=1),
    build_observation(id="back", event_ts="2026-11-19 10:00:05", is_deleted=0),
    build_observation(id="moved", event_ts="2026-11-19 10:00:03", start_time="2026-11-18 23:59:59"),
    build_observation(id="moved", event_ts="2026-11-19 10:00:04", start_time="2026-11-19 00:00:01"),
    build_observation(id="kind", event_ts="2026-11-19 10:00:03", type="SPAN"),
    build_observation(id="kind", event_ts="2026-11-19 10:00:04", type="GENERATION"),
]


def expect_newest(company: GatewayCompany) -> list[dict[str, Any]]:
    report = company.land()
    rows = read_rows(report)
    assert {row["span_id"]: row["uncached_input_tokens"] for row in rows} == {
        "b7ad6b7169203331": 3,
        "back": 46,
        "moved": 46,
        "kind": 46,
    }
    assert len(rows) == 4 and read_rows(report, "spans") == []
    assert {row["started_at"].day for row in rows} == {19}
    return strip(rows)


@hypothesis_settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    order=st.permutations(range(len(VERSIONS))), cuts=st.sets(st.integers(1, len(VERSIONS) - 1), max_size=4)
)
def test_the_newest_version_wins_in_any_order_and_any_files(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], cuts: set[int]
) -> None:
    company = GatewayCompany(tmp_path_factory.mktemp("order"), "langfuse")
    bounds = [0, *sorted(cuts), len(VERSIONS)]
    for number, (start, end) in enumerate(itertools.pairwise(bounds)):
        rows = [VERSIONS[position] for position in order[start:end]]
        company.deliver(f"p/observations/{number}.jsonl", rows, hours_ago=24 - number)
        if number % 2:
            company.land()
    rows = expect_newest(company)
    assert company.land().deliveries == company.land().deliveries
    company.deliver("p/observations/again.jsonl", [VERSIONS[position] for position in reversed(order)])
    assert expect_newest(company) == rows


def test_scores_and_manifests_are_passed_over(company: GatewayCompany) -> None:
    score = {"id": "1", "timestamp": "2026-11-19", "trace_id": TRACE, "data_type": "NUMERIC", "value": 1}
    company.deliver("p/scores/1.jsonl", [score])
    company.deliver("p/manifests/1.json", json.dumps({"files": ["a"]}).encode())
    company.deliver("p/observations_v2/1.jsonl", [build_observation(), score])
    report = company.land()
    assert len(read_rows(report)) == 1 and count_kinds(report) == {"other_records": 1}


def test_a_bad_file_or_row_stops_nothing_else(company: GatewayCompany) -> None:
    company.deliver("p/observations/cut.jsonl.gz", b"\x1f\x8b\x08\x00cut")
    rows = [
        build_observation(id="minus", usage_details={"input": -1, "output": 1}),
        build_observation(id="late", start_time="2027-01-01 00:00:00"),
        build_observation(id="x" * 10_000),
        build_observation(id="huge", usage_details={"input": 10**18, "output": 1}),
        {"id": "odd"},
        build_observation(),
    ]
    company.deliver("p/observations/rows.jsonl", rows)
    report = company.land()
    assert [row["span_id"] for row in read_rows(report)] == ["b7ad6b7169203331"]
    refused = [finding for finding in report.findings if finding.kind == "quarantined_row"]
    assert sum(finding.count for finding in refused) == 4
    assert {"unreadable_file", "unknown_records", "future_clock"} <= set(count_kinds(report))


def test_a_store_keeps_nothing_but_the_projection(company: GatewayCompany, s3_server: Any) -> None:
    client = s3_server.client()
    client.create_bucket(Bucket="exports")
    body = json.dumps(build_observation(input="the secret recipe")).encode()
    for number in range(6):
        client.put_object(Bucket="exports", Key=f"p/observations_v2/{number}.jsonl", Body=body)
    company.options = {"path": "s3://exports/p", "endpoint": s3_server.url}
    later = datetime(2030, 1, 1)
    assert len(read_rows(company.land(later))) == 1
    gets = company.land(later)
    assert len(read_rows(gets)) == 1
    assert not (company.lake / "raw" / "gateway" / "artifacts").exists()
    client.put_object(Bucket="exports", Key="p/observations_v2/7.jsonl", Body=body.replace(b"b7ad", b"b7ae"))
    assert len(read_rows(company.land(later))) == 2
