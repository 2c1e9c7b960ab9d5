"""Parquet as the ClickHouse exporter shapes its table: the same rows as the same spans in JSON lines."""

from __future__ import annotations

import gzip
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors.common.contract import LandingContext, Severity
from connectors.otel_genai.client import check, land
from connectors.otel_genai.settings import Settings
from tests.contract.test_otel_genai import (
    IDENTITY,
    NOW,
    SECRET,
    START,
    TRACE,
    Company,
    _readable,
    chat,
    company,
    export,
    kinds,
    rows,
    span,
)
from tests.servers.s3 import S3Server

__all__ = ["company"]

MAP = pa.map_(pa.string(), pa.string())
ENTRIES = pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())]))
PROVENANCE = ("x_snapshot_id", "x_source")


def table(spans: list[dict[str, Any]], resource: dict[str, Any], kind: pa.DataType = MAP) -> pa.Table:
    """Return OTLP spans as rows of `otel_traces`, numbers as text."""

    def shape(pairs: list[tuple[str, str]]) -> Any:
        if kind == pa.string():
            return json.dumps(dict(pairs))
        return [{"key": key, "value": value} for key, value in pairs] if kind == ENTRIES else pairs

    def text(value: dict[str, Any]) -> str:
        scalar = next(iter(value.values()))
        return str(scalar).lower() if isinstance(scalar, bool) else str(scalar)

    made = [
        {
            "Timestamp": int(each["startTimeUnixNano"]),
            "TraceId": each["traceId"],
            "SpanId": each["spanId"],
            "ParentSpanId": each["parentSpanId"],
            "TraceState": each.get("traceState", ""),
            "SpanName": each["name"],
            "SpanKind": {2: "Server", 3: "Client"}[each["kind"]],
            "ServiceName": "shop",
            "ResourceAttributes": shape([(key, str(value)) for key, value in resource.items()]),
            "ScopeName": "scope",
            "SpanAttributes": shape([(a["key"], text(a["value"])) for a in each["attributes"]]),
            "Duration": int(each["endTimeUnixNano"]) - int(each["startTimeUnixNano"]),
            "StatusCode": {0: "Unset", 2: "Error"}[each["status"].get("code", 0)],
            "StatusMessage": SECRET,
            "Events": [{"Name": SECRET}],
        }
        for each in spans
    ]
    columns = {
        "Timestamp": pa.timestamp("ns"),
        **dict.fromkeys(
            ("TraceId", "SpanId", "ParentSpanId", "TraceState", "SpanName", "SpanKind"), pa.string()
        ),
        "ServiceName": pa.string(),
        "ResourceAttributes": kind,
        "ScopeName": pa.string(),
        "SpanAttributes": kind,
        "Duration": pa.uint64(),
        "StatusCode": pa.string(),
        "StatusMessage": pa.string(),
        "Events": pa.list_(pa.struct([("Name", pa.string())])),
    }
    return pa.Table.from_pylist(made, schema=pa.schema(list(columns.items())))


RESOURCE = {
    "deployment.environment.name": "prod",
    "service.instance.id": "pod-1",
    "cloud.availability_zone": "a",
}
SPANS = [
    span(1, kind=2, attributes={"user.id": "Ada", "app.feature": "search"}),
    span(2, 1, attributes={"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "writer"}),
    chat(3, 2, attributes={"gen_ai.usage.cache_read.input_tokens": 30, "gen_ai.response.id": "chatcmpl-1"}),
    chat(4, 2, status={"code": 2}, attributes={"metadata": json.dumps({"tenant": "acme", "x": SECRET})}),
    chat(5, 77, attributes={"gen_ai.prompt.0.content": SECRET, "operation.cost": 0.5}),
    span(6, 3, name="llm_request", attributes={"gen_ai.usage.prompt_tokens": 8}),
]


def landed(company: Company) -> dict[str, list[dict[str, Any]]]:
    report = company.land()
    assert not report.has_fault
    told = {"requests": rows(report), "spans": rows(report, "spans")}
    return {
        name: [{k: v for k, v in row.items() if k not in PROVENANCE} for row in found]
        for name, found in told.items()
    }


def write_parquet(company: Company, content: pa.Table, name: str = "a.parquet", **options: Any) -> None:
    company.deliver(name, "")
    pq.write_table(content, company.folder / name, **options)


@pytest.mark.parametrize("kind", [MAP, ENTRIES, pa.string()])
def test_parquet_lands_as_the_same_spans_in_json_lines(
    company: Company, tmp_path_factory: pytest.TempPathFactory, kind: pa.DataType
) -> None:
    write_parquet(company, table(SPANS, RESOURCE, kind))
    other = Company(tmp_path_factory.mktemp("json"))
    other.deliver("a.jsonl", export(SPANS, RESOURCE))
    expected = landed(other)
    assert [len(found) for found in expected.values()] == [4, 2]
    assert landed(company) == expected


def test_small_row_groups_and_sliced_maps(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.otel_genai.clickhouse.BATCH_ROWS", 3)
    many = [chat(n, attributes={"app.feature": f"f{n}"} if n % 3 else {}) for n in range(1, 30)]
    write_parquet(company, table(many, RESOURCE), row_group_size=7)
    found = landed(company)["requests"]
    assert [row["feature"] for row in found] == [f"f{n}" if n % 3 else None for n in range(1, 30)]
    assert {row["environment"] for row in found} == {"prod"}


@pytest.mark.parametrize("kind", [pa.timestamp("us"), pa.timestamp("ns", tz="UTC"), pa.int64(), pa.string()])
def test_every_kind_of_timestamp(company: Company, kind: pa.DataType) -> None:
    made = table([chat(1)], {})
    column = made["Timestamp"]
    stamps = pa.array(["2026-11-18 11:06:40.000000000"]) if kind == pa.string() else column.cast(kind)
    write_parquet(company, made.set_column(0, "Timestamp", stamps))
    (row,) = landed(company)["requests"]
    assert (row["started_at"], str(row["duration_seconds"])) == (
        datetime(2026, 11, 18, 11, 6, 40),
        "1.500000",
    )
    assert START // 10**9 == int((row["started_at"] - datetime(1970, 1, 1)).total_seconds())


def test_other_shapes_are_faults_that_name_the_column(company: Company) -> None:
    made = table([chat(1)], {})
    write_parquet(company, made.drop(["SpanAttributes"]), "missing.parquet")
    flipped = made.set_column(made.schema.get_field_index("SpanAttributes"), "SpanAttributes", pa.array([5]))
    write_parquet(company, flipped, "flipped.parquet")
    text = made.set_column(0, "Timestamp", pa.array(["yesterday"]))
    write_parquet(company, text, "time.parquet")
    write_parquet(company, made, "good.parquet")
    report = company.land()
    assert len(rows(report)) == 1
    found = {f.file: (f.kind, f.message) for f in report.findings if f.severity is Severity.FAULT}
    assert {name: kind for name, (kind, _) in found.items()} == {
        "missing.parquet": "missing_column", "flipped.parquet": "type_flip", "time.parquet": "type_flip"
    }  # fmt: skip
    assert "SpanAttributes" in found["missing.parquet"][1] and "Timestamp" in found["time.parquet"][1]


def test_rows_that_cannot_be_are_refused_by_their_number(company: Company) -> None:
    spans = [chat(1), chat(2, attributes={"gen_ai.usage.input_tokens": "-4"}), chat(3, startTimeUnixNano="0")]
    write_parquet(company, table(spans, {}))
    report = company.land()
    assert [row["span_id"][-1] for row in rows(report)] == ["1"]
    (entry,) = (company.lake / "raw" / "traces" / "quarantine").iterdir()
    refused = {row["line"]: row["reason"].split(":")[0] for row in json.loads(entry.read_text())["rows"]}
    assert refused == {2: "negative_tokens", 3: "missing_time"}


def test_the_canary_in_parquet(company: Company) -> None:
    hostile = chat(
        1, attributes={f"k {SECRET}": "x", "gen_ai.usage.output_tokens": SECRET, "metadata": SECRET}
    )
    write_parquet(company, table([*SPANS, hostile | {"spanId": f"{9:016x}"}], {SECRET: SECRET}))
    report = company.land()
    assert len(rows(report)) == 4
    assert [path for path, text in _readable(company.lake) if "grandmother" in text] == []
    assert SECRET not in repr(report)


def test_spans_in_s3_land_and_nothing_that_was_fetched_stays(
    s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under `raw` there is the manifest; a run killed while it read leaves nothing for ever either."""
    hostile = chat(1, attributes={"gen_ai.input.messages": SECRET})
    content = gzip.compress(export([hostile, span(2)]).encode())
    s3 = s3_server.client()
    s3.create_bucket(Bucket="traces")
    s3.put_object(Bucket="traces", Key="2026/a.jsonl.gz", Body=content)
    pq.write_table(table([chat(7)], {}), tmp_path / "b.parquet")
    s3.put_object(Bucket="traces", Key="2026/b.parquet", Body=(tmp_path / "b.parquet").read_bytes())
    settings = Settings(
        name="traces",
        connector="otel_genai",
        path="s3://traces/2026",
        endpoint=s3_server.url,
        region="us-east-1",
    )
    assert all(step.is_ok for step in check(settings))
    context = LandingContext(tmp_path / "lake", max(NOW, datetime(2100, 1, 1)), IDENTITY, {})
    left = context.lake / "raw" / "traces" / "incoming" / "killed.part"
    left.parent.mkdir(parents=True)
    left.write_text(SECRET)
    report = land(settings, context)
    assert not report.has_fault
    assert [row["span_id"][-1] for row in rows(report)] == ["1", "7"]
    kept = [str(path.relative_to(context.lake)) for path in context.lake.rglob("*") if path.is_file()]
    assert not [name for name in kept if "artifacts" in name or "incoming" in name]
    assert [path for path, text in _readable(context.lake) if "grandmother" in text] == []
    assert land(settings, context) == report
    assert kinds(report) == {} and rows(report)[0]["trace_id"] == TRACE
