"""Capacity from plain files, OpenCost allocations and Azure Monitor: hours, shares, sizes, broken files."""

from __future__ import annotations

import gzip
import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from connectors.common import registry
from connectors.common.contract import LandingContext, Severity, SourceReport

ACCOUNT = "/subscriptions/s/resourceGroups/g/providers/Microsoft.CognitiveServices/accounts/acme"


def land(connector: str, path: Path, context: LandingContext, **more: Any) -> SourceReport:
    settings = {"name": "capacity", "connector": connector, "path": str(path), **more}
    return registry.land(registry.load_settings_class(connector).model_validate(settings), context)


def read_rows(report: SourceReport) -> list[dict[str, Any]]:
    return [
        row
        for file in report.current_files
        for row in pq.read_table(file.path, partitioning=None).to_pylist()
    ]


def test_plain_capacity(tmp_path: Path, lake_context: LandingContext) -> None:
    good = "2026-11-01T10:00:00Z,i-1,gpu_host,3600,1800,vllm,llama"
    lines = [
        good,
        good.replace("10:00", "10:30"),
        good.replace("3600", "3601"),
        good.replace("1800", "3601"),
        good.replace("1800", "-1"),
        good.replace("gpu_host", "fridge"),
        good.replace("1800", ""),
    ]
    path = tmp_path / "hours.csv"
    names = "hour_start,resource_id,capacity_kind,provisioned_seconds,busy_seconds,provider,model"
    path.write_text("\n".join([names, *lines]))
    report = land("capacity_files", path, lake_context)
    assert [(row["busy_seconds"], row["busy_basis"]) for row in read_rows(report)] == [
        (1800, "stated"),
        (None, "stated"),
    ]
    reasons = sorted(f.message.split("): ")[1].split(";")[0] for f in report.findings)
    assert reasons == [
        "more than 3600",
        "more than provisioned_seconds",
        "negative",
        "not one of gpu_host, endpoint, ptu",
        "not the beginning of an hour (ISO 8601)",
    ]


def allocation(node: str | None, hours: object, **properties: str) -> dict[str, Any]:
    return {
        "properties": {"cluster": "c", **({"node": node} if node else {}), **properties},
        "window": {"start": "2026-11-01T10:00:00Z", "end": "2026-11-01T11:00:00Z"},
        "start": "2026-11-01T10:00:00Z",
        "end": "2026-11-01T11:00:00Z",
        "minutes": 60,
        "gpuCount": 4,
        "gpuHours": hours,
        "gpuCost": 99.5,
    }


def test_pods_reserve_a_part_of_their_node(tmp_path: Path, lake_context: LandingContext) -> None:
    provider = {"providerID": "aws:///us-east-1a/i-0123456789abcdef0"}
    answer = {
        "code": 200,
        "data": [
            {
                "node-1/search-0": allocation("node-1", 3, pod="search-0", **provider),
                "node-1/chat-0": allocation("node-1", 1.5, pod="chat-0"),
                "node-1/__idle__": allocation(None, 3.5),
                "node-2/__idle__": allocation(None, 8),
                "cpu/x": allocation("cpu", 0),
                "bad": allocation("node-1", "1e400"),
                "worse": allocation("node-1", -1),
            }
        ],
    }
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(json.dumps(answer).encode()))
    report = land("opencost_files", tmp_path, lake_context, resources={"node-2": "rack-2"})
    rows = [
        (row["resource_id"], row["provisioned_seconds"], row["busy_seconds"], row["busy_basis"])
        for row in read_rows(report)
    ]
    assert rows == [
        ("i-0123456789abcdef0", 3600, 2025, "allocation"),
        ("rack-2", 3600, 0, "allocation"),
    ]
    assert [(f.kind, f.count) for f in report.findings] == [("quarantined_row", 2)]


def test_without_idle_nothing_is_known_of_use(tmp_path: Path, lake_context: LandingContext) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"data": [{"x": allocation("node-1", 4)}]}))
    report = land("opencost_files", tmp_path, lake_context)
    assert [row["busy_seconds"] for row in read_rows(report)] == [None]
    assert [(f.kind, f.severity) for f in report.findings] == [("idle_not_told", Severity.WARN)]


def metric(name: str, values: dict[str, list[tuple[str, float | None]]], kind: str) -> dict[str, Any]:
    return {
        "id": f"{ACCOUNT}/providers/Microsoft.Insights/metrics/{name}",
        "type": "Microsoft.Insights/metrics",
        "name": {"value": name, "localizedValue": name},
        "unit": "Percent",
        "timeseries": [
            {
                "metadatavalues": [{"name": {"value": "modeldeploymentname"}, "value": deployment}],
                "data": [{"timeStamp": at, **({} if v is None else {kind: v})} for at, v in points],
            }
            for deployment, points in values.items()
        ],
    }


HOUR = "2026-11-01T10:00:00Z"
NEXT = "2026-11-01T11:00:00Z"


def test_throughput_is_busy_by_its_utilisation(tmp_path: Path, lake_context: LandingContext) -> None:
    answer = {
        "interval": "PT1H",
        "value": [
            metric(
                "AzureOpenAIProvisionedManagedUtilizationV2",
                {"chat": [(HOUR, 25.0), (NEXT, None)], "search": [(HOUR, 120.0)]},
                "average",
            ),
            metric("AzureOpenAIRequests", {"chat": [(HOUR, 40.0), (NEXT, 3)]}, "total"),
            metric("ProcessedPromptTokens", {"chat": [(HOUR, 9000.0)]}, "total"),
            metric("Latency", {"chat": [(HOUR, 1.0)]}, "average"),
        ],
    }
    (tmp_path / "ptu.json").write_text(json.dumps(answer))
    sizes = {"chat": {"ptu": 300, "model": "gpt-4o"}, "search": {"ptu": 100}}
    report = land("azure_ptu_metrics", tmp_path, lake_context, deployments=sizes)
    assert report.findings == ()
    first, second = read_rows(report)
    assert (first["resource_id"], first["replica_id"], first["model"]) == (ACCOUNT, "chat", "gpt-4o")
    assert (first["hour_start"], first["capacity_kind"]) == (datetime(2026, 11, 1, 10), "ptu")
    assert (first["provisioned_seconds"], first["busy_seconds"]) == (3600, 900)
    assert (first["requests"], first["input_tokens"]) == (40, 9000)
    assert (second["provisioned_seconds"], second["busy_seconds"]) == (1200, 1200)
    assert (first["utilisation_share"], second["utilisation_share"]) == (Decimal("0.25"), Decimal(1))


def test_deployments_without_sizes_count_alike_and_it_is_told(
    tmp_path: Path, lake_context: LandingContext
) -> None:
    name = "AzureOpenAIProvisionedManagedUtilizationV2"
    values: dict[str, list[tuple[str, float | None]]] = {
        "a": [(HOUR, 50.0)],
        "b": [(HOUR, -1.0)],
        "c": [(HOUR, 5.0)],
    }
    answers = [{"interval": "PT5M", "value": [metric(name, {k: v}, "average") for k, v in values.items()]}]
    (tmp_path / "ptu.json").write_text(json.dumps(answers))
    report = land("azure_ptu_metrics", tmp_path, lake_context)
    assert [(row["replica_id"], row["provisioned_seconds"]) for row in read_rows(report)] == [
        ("a", 300),
        ("c", 300),
    ]
    assert sorted((f.kind, f.count) for f in report.findings) == [
        ("quarantined_row", 1),
        ("unknown_deployment_size", 2),
    ]


@pytest.mark.parametrize("connector", ["opencost_files", "azure_ptu_metrics"])
@pytest.mark.parametrize(
    "body", [b"\x00", b"{", b"[" * 200_000, b'{"data": 5}', b'{"data": ["x"], "value": {}}', b"7"]
)
def test_a_file_of_another_shape_is_refused_whole(
    tmp_path: Path, lake_context: LandingContext, connector: str, body: bytes
) -> None:
    (tmp_path / "bad.json").write_bytes(body)
    report = land(connector, tmp_path, lake_context)
    assert [(f.kind, f.severity) for f in report.findings] == [("unreadable_file", Severity.FAULT)]
