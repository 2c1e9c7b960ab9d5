"""Deploys, scale-ups and restarts: plain files and Kubernetes lists, folded events, broken and hostile objects."""

from __future__ import annotations

import gzip
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from connectors.common import registry
from connectors.common.contract import LandingContext, Severity, SourceReport
from connectors.kubernetes_events.schema import find_service

CANARY = "canary-5f1e-prompt-text"


def land(connector: str, path: Path, context: LandingContext) -> SourceReport:
    settings = {"name": "events", "connector": connector, "path": str(path)}
    return registry.land(registry.load_settings_class(connector).model_validate(settings), context)


def read_rows(report: SourceReport) -> list[dict[str, Any]]:
    rows = [
        row
        for file in report.current_files
        for row in pq.read_table(file.path, partitioning=None).to_pylist()
    ]
    return [{k: v for k, v in row.items() if not k.startswith("x_")} for row in rows]


def event(
    kind: str, name: str, reason: str, message: str, at: str = "2026-11-01T10:00:00Z", **more: Any
) -> Any:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{name}.17", "namespace": "prod"},
        "involvedObject": {"kind": kind, "namespace": "prod", "name": name},
        "reason": reason,
        "message": message,
        "firstTimestamp": "2026-11-01T09:00:00Z",
        "lastTimestamp": at,
        "count": 1,
        **more,
    }


def write(path: Path, *items: Any) -> Path:
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": list(items)}))
    return path


def test_plain_events(tmp_path: Path, lake_context: LandingContext) -> None:
    path = tmp_path / "events.csv"
    path.write_text(
        "event_at,event_kind,service,feature,replica_id,detail\n"
        "2026-11-01T10:00:00+01:00,deploy,search,search,,v2\n"
        "2026-11-01T10:00:00Z,explode,search,,,\n"
        "yesterday,restart,search,,search-0,\n"
    )
    report = land("event_files", path, lake_context)
    (row,) = read_rows(report)
    assert (row["event_at"], row["event_kind"], row["detail"]) == (datetime(2026, 11, 1, 9), "deploy", "v2")
    assert sorted((f.kind, f.count) for f in report.findings) == [("quarantined_row", 1)] * 2


def test_kubernetes_events_become_deploys_scale_ups_and_restarts(
    tmp_path: Path, lake_context: LandingContext
) -> None:
    pod = "search-7d9f8b6c5d-x2x9k"
    write(
        tmp_path / "list.json",
        {
            "kind": "ReplicaSet",
            "metadata": {
                "name": "search-7d9f8b6c5d",
                "namespace": "prod",
                "creationTimestamp": "2026-11-01T08:00:00Z",
                "annotations": {"deployment.kubernetes.io/revision": "12"},
                "ownerReferences": [{"kind": "Deployment", "name": "search", "controller": True}],
            },
        },
        event(
            "Deployment", "search", "ScalingReplicaSet", "Scaled up replica set search-7d9f8b6c5d from 2 to 5"
        ),
        event(
            "Deployment", "search", "ScalingReplicaSet", "Scaled up replica set search-7d9f8b6c5d to 3 from 2"
        ),
        event(
            "Deployment",
            "search",
            "ScalingReplicaSet",
            "Scaled down replica set search-7d9f8b6c5d from 5 to 2",
        ),
        event(
            "StatefulSet", "llama", "SuccessfulCreate", "create Pod llama-3 in StatefulSet llama successful"
        ),
        event("Pod", pod, "Killing", "Container app failed liveness probe, will be restarted"),
        event("Pod", pod, "Killing", "Stopping container app"),
        event("Pod", pod, "BackOff", "Back-off restarting failed container app in pod x"),
        event("Pod", pod, "BackOff", "Back-off pulling image x"),
        event("Pod", pod, "Started", "Started container app"),
        event("Pod", pod, "Started", "Started container app", count=4),
        {"kind": "Node", "metadata": {"name": "n"}},
    )
    report = land("kubernetes_events", tmp_path, lake_context)
    assert report.findings == ()
    found = [
        (row["event_kind"], row["service"], row["replica_id"], row["workload_ref"], row["detail"])
        for row in read_rows(report)
    ]
    assert found == [
        ("deploy", "search", None, "prod/search", "revision 12"),
        ("scale_up", "search", None, "prod/search", "2 to 5"),
        ("scale_up", "search", None, "prod/search", "2 to 3"),
        ("scale_up", "llama", "llama-3", "prod/llama-3", None),
        ("restart", "search", pod, f"prod/{pod}", "Killing"),
        ("restart", "search", pod, f"prod/{pod}", "BackOff"),
        ("restart", "search", pod, f"prod/{pod}", "Started"),
    ]


def test_events_of_both_apis_tell_the_same(tmp_path: Path, lake_context: LandingContext) -> None:
    newer = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": "x", "namespace": "prod", "creationTimestamp": "2026-11-01T08:00:00Z"},
        "regarding": {"kind": "Pod", "namespace": "prod", "name": "llama-0"},
        "reason": "BackOff",
        "note": "Back-off restarting failed container",
        "eventTime": "2026-11-01T08:00:00.123456Z",
        "series": {"count": 7, "lastObservedTime": "2026-11-01T11:00:00.000000Z"},
    }
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(json.dumps(newer).encode()))
    (row,) = read_rows(land("kubernetes_events", tmp_path, lake_context))
    assert (row["event_at"], row["service"], row["replica_id"]) == (
        datetime(2026, 11, 1, 11),
        "llama",
        "llama-0",
    )


def test_objects_that_are_no_events_are_refused_alone_and_messages_are_not_kept(
    tmp_path: Path, lake_context: LandingContext
) -> None:
    restart = f"Container app failed liveness probe, will be restarted {CANARY}"
    write(
        tmp_path / "list.json",
        event("Pod", "llama-0", "Killing", restart),
        event("Pod", "llama-0", "Killing", restart, at=f"{CANARY} o'clock"),
        event("Pod", "llama-0", "Started", "x", count=CANARY),
        {"kind": "Event", "involvedObject": CANARY},
        {"kind": "ReplicaSet", "metadata": None},
        event(
            "Deployment",
            "'; drop table events; --",
            "ScalingReplicaSet",
            "Scaled up replica set x from 1 to 2",
        ),
    )
    report = land("kubernetes_events", tmp_path, lake_context)
    assert [(f.kind, f.count) for f in report.findings] == [("quarantined_row", 4)]
    assert [row["service"] for row in read_rows(report)] == ["llama", "'; drop table events; --"]
    files = [path for path in lake_context.lake.rglob("*") if path.is_file()]
    assert files
    assert not any(CANARY.encode() in path.read_bytes() for path in files)
    assert CANARY not in "".join(finding.message for finding in report.findings)


@pytest.mark.parametrize("body", [b"\x00\x01", b'{"items": [', b"[" * 100_000, b'"text"', b"[1, 2]"])
def test_a_file_that_is_no_list_is_refused_whole(
    tmp_path: Path, lake_context: LandingContext, body: bytes
) -> None:
    (tmp_path / "bad.json").write_bytes(body)
    report = land("kubernetes_events", tmp_path, lake_context)
    assert [(f.kind, f.severity) for f in report.findings] == [("unreadable_file", Severity.FAULT)]


@pytest.mark.parametrize(
    ("pod", "service"),
    [("search-7d9f8b6c5d-x2x9k", "search"), ("llama-0", "llama"), ("a-b-12", "a-b"), ("single", "single")],
)
def test_a_pod_names_its_service(pod: str, service: str) -> None:
    assert find_service(pod) == service
