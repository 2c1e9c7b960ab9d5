"""core.telemetry: one source an emitter. core.events: one row an event, with the feature that the inventory knows."""

from __future__ import annotations

from typing import Any

from tests.sql.harness import run_checks, run_model

WINDOW = {"start": "2026-11-01", "end": "2026-11-02"}
TYPES = {"reference.source_ranks": {"source": "VARCHAR", "source_rank": "BIGINT"}}
RANKS = [{"source": "vendor", "source_rank": 1}, {"source": "collector", "source_rank": 2}]


def volume(
    emitter: str, source: str, volume_bytes: int | None, count: int | None = None, **more: Any
) -> dict[str, Any]:
    return {
        "x_source": source,
        "window_start": "2026-11-01 10:00:00",
        "window_end": "2026-11-01 11:00:00",
        "provider": "datadog",
        "signal": "log",
        "workload_ref": emitter,
        "volume_bytes": volume_bytes,
        "volume_count": count,
        **more,
    }


def telemetry(rows: list[dict[str, Any]]) -> tuple[list[tuple[Any, ...]], dict[str, int]]:
    given = {"staging.telemetry": rows, "reference.source_ranks": RANKS}
    found = run_model("core.telemetry", given, WINDOW, TYPES)
    checks = run_checks("core.telemetry", given, WINDOW, TYPES)
    names = ("workload_ref", "x_source", "weight", "is_used")
    return sorted(tuple(row[name] for name in names) for row in found), checks


def test_of_two_sources_the_one_declared_first_counts() -> None:
    rows = [
        volume("search", "collector", 70),
        volume("search", "vendor", 100),
        volume("search", "vendor", 5, window_start="2026-11-01 12:00:00"),
        volume("chat", "collector", 30),
        volume("search", "collector", 9, signal="trace"),
    ]
    found, checks = telemetry(rows)
    assert found == [
        ("chat", "collector", 30, True),
        ("search", "collector", 9, True),
        ("search", "collector", 70, False),
        ("search", "vendor", 105, True),
    ]
    assert checks == {
        "one_source_per_emitter": 0,
        "one_source_tells_of_an_emitter": 1,
        "volume_is_known": 0,
    }


def test_counts_weigh_as_items_of_their_signal_do() -> None:
    rows = [
        volume("search", "vendor", 1000, 10),
        volume("chat", "collector", None, 7),
        volume("x", "vendor", None, None),
    ]
    assert telemetry(rows)[0] == [
        ("chat", "collector", 700, True),
        ("search", "vendor", 1000, True),
        ("x", "vendor", 0, True),
    ]
    assert telemetry(rows)[1]["volume_is_known"] == 1  # x: no share of the cost, and told
    assert telemetry([volume("chat", "collector", None, 7)])[0] == [("chat", "collector", 7, True)]


def test_volumes_of_a_large_company_are_no_overflow() -> None:
    rows = [
        volume("search", "vendor", 35_657_053_707, 28_095_709),
        volume("chat", "collector", None, 28_095_709),
    ]
    assert telemetry(rows)[0][0] == ("chat", "collector", 35_657_053_707, True)


def event(**more: Any) -> dict[str, Any]:
    return {"event_at": "2026-11-01 10:00:00", "event_kind": "restart", "service": "search", **more}


def events(rows: list[dict[str, Any]], workloads: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    found = run_model("core.events", {"staging.events": rows, "staging.workloads": workloads}, WINDOW)
    names = ("event_kind", "service", "feature", "replica_id")
    return sorted((tuple(row[name] for name in names) for row in found), key=str)


def test_an_event_counts_once_however_often_it_was_delivered() -> None:
    rows = [event(x_snapshot_id=n, replica_id="search-0") for n in "abc"] + [event(replica_id="search-1")]
    assert events(rows, []) == [
        ("restart", "search", None, "search-0"),
        ("restart", "search", None, "search-1"),
    ]


def test_a_replica_has_the_feature_it_had_then() -> None:
    workloads = [
        {"workload_ref": "prod/search-0", "feature": "old", "valid_to": "2026-11-01 09:00:00"},
        {"workload_ref": "prod/search-0", "feature": "search", "valid_from": "2026-11-01 09:00:00"},
        {"workload_ref": "prod/chat-0", "service": "chat", "feature": "talk"},
        {"workload_ref": "prod/both-0", "service": "both", "feature": "a"},
        {"workload_ref": "prod/both-1", "service": "both", "feature": "b"},
    ]
    rows = [
        event(workload_ref="prod/search-0", replica_id="search-0"),
        event(service="chat", event_kind="deploy"),
        event(service="both", event_kind="deploy"),
        event(feature="stated", workload_ref="prod/search-0", event_kind="scale_up"),
    ]
    assert events(rows, workloads) == [
        ("deploy", "both", None, None),
        ("deploy", "chat", "talk", None),
        ("restart", "search", "search", "search-0"),
        ("scale_up", "search", "stated", None),
    ]
