"""Datadog's usage: our client against a server of its published schema."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pyarrow.parquet as pq
import pytest

from connectors.common import registry
from connectors.common.contract import LandingContext, Severity, SourceReport
from tests.servers.datadog import API_KEY, APPLICATION_KEY, Datadog
from tests.servers.rest import Reply, RestServer

NOW = datetime(2026, 11, 20, 3)
HOUR = datetime(2026, 11, 18, 5)
LOGS = ("logs", "ingested_events_bytes")


@pytest.fixture
def vendor() -> Datadog:
    return Datadog(
        totals={
            (HOUR, *LOGS): 1000,
            (HOUR, "logs", "indexed_events_count"): 77,
            (HOUR, "ingested_spans", "ingested_events_bytes"): 500,
            (HOUR, "timeseries", "num_custom_timeseries"): 40,
        },
        by_tag={
            (HOUR, "estimated_ingested_logs_usage", "search"): 600.4,
            (HOUR, "estimated_ingested_logs_usage", "chat"): 300,
            (HOUR, "estimated_ingested_logs_usage", ""): 99,
            (HOUR, "estimated_ingested_spans_usage", "search"): 500,
            (HOUR, "custom_timeseries_usage", "chat"): 10.5,
        },
    )


@pytest.fixture
def server(vendor: Datadog, rest: Callable[[Any], RestServer], monkeypatch: pytest.MonkeyPatch) -> RestServer:
    monkeypatch.setenv("DD_API_KEY", API_KEY)
    monkeypatch.setenv("DD_APPLICATION_KEY", APPLICATION_KEY)
    return rest(vendor.route)


@pytest.fixture
def context(lake_context: LandingContext) -> LandingContext:
    return replace(lake_context, now=NOW)


def build_settings(server: RestServer, **more: Any) -> Any:
    settings = {
        "name": "datadog",
        "connector": "datadog_usage",
        "endpoint": server.url,
        "first_day": "2026-11-18",
        "longest_wait_seconds": 0,
        **more,
    }
    return registry.load_settings_class("datadog_usage").model_validate(settings)


def land(server: RestServer, context: LandingContext, **more: Any) -> SourceReport:
    return registry.land(build_settings(server, **more), context)


def read_rows(report: SourceReport) -> dict[tuple[str, str], tuple[int | None, int | None]]:
    rows = [
        row
        for file in report.current_files
        for row in pq.read_table(file.path, partitioning=None).to_pylist()
    ]
    assert {(row["provider"], row["account_id"]) for row in rows} <= {("datadog", "abc123")}
    return {(row["signal"], row["workload_ref"]): (row["volume_bytes"], row["volume_count"]) for row in rows}


EXPECTED = {
    ("log", "search"): (600, None),
    ("log", "chat"): (300, None),
    ("log", "org:abc123"): (100, None),
    ("trace", "search"): (500, None),
    ("metric", "chat"): (None, 11),
    ("metric", "org:abc123"): (None, 29),
}


def test_volumes_by_service_add_up_to_the_organisation(server: RestServer, context: LandingContext) -> None:
    report = land(server, context)
    assert report.findings == ()
    assert read_rows(report) == EXPECTED


def test_pages_are_read_to_their_end(server: RestServer, vendor: Datadog, context: LandingContext) -> None:
    vendor.page_size = 1
    assert read_rows(land(server, context)) == EXPECTED


def test_a_busy_api_is_asked_again_when_it_says(
    server: RestServer, vendor: Datadog, context: LandingContext
) -> None:
    busy = Reply(429, {"errors": ["Rate limit"]}, {"X-RateLimit-Reset": "2", "X-RateLimit-Remaining": "0"})
    vendor.failures = [busy, Reply(502, b"<html>", {"Content-Type": "text/html"})]
    assert read_rows(land(server, context)) == EXPECTED


def test_late_hours_restate_a_day(server: RestServer, vendor: Datadog, context: LandingContext) -> None:
    land(server, context)
    vendor.totals[HOUR, *LOGS] = 1500
    later = replace(context, now=NOW + timedelta(days=2))
    report = land(server, later)
    assert read_rows(report)["log", "org:abc123"] == (600, None)
    vendor.totals[HOUR, *LOGS] = 9999
    land(server, replace(context, now=NOW + timedelta(days=9)))
    asked = len(server.log)
    report = land(server, replace(context, now=NOW + timedelta(days=9)))
    assert not any("2026-11-18" in request.target for request in server.log[asked:])
    vendor.totals.clear()
    assert read_rows(report)["log", "org:abc123"] == (9099, None)


def test_without_attribution_volumes_are_the_organisations(
    server: RestServer, vendor: Datadog, context: LandingContext
) -> None:
    vendor.is_attributed = False
    report = land(server, context)
    assert read_rows(report) == {
        ("log", "org:abc123"): (1000, None),
        ("trace", "org:abc123"): (500, None),
        ("metric", "org:abc123"): (None, 40),
    }
    assert {(f.kind, f.severity) for f in report.findings} == {("usage_not_attributed", Severity.WARN)}


def test_logs_by_index_are_events(server: RestServer, vendor: Datadog, context: LandingContext) -> None:
    vendor.by_index = {(HOUR, "main"): 70, (HOUR, "audit"): 7}
    rows = read_rows(land(server, context, logs_by="index"))
    assert {key: value for key, value in rows.items() if key[0] == "log"} == {
        ("log", "main"): (None, 70),
        ("log", "audit"): (None, 7),
    }


@pytest.mark.parametrize("body", [{"data": {}}, {"data": [{"attributes": []}]}, [], {"data": ["text"]}])
def test_an_answer_of_another_shape_is_a_fault(
    server: RestServer, vendor: Datadog, context: LandingContext, body: object
) -> None:
    vendor.failures = [Reply(body=body)] * 3
    report = land(server, context)
    (fault,) = [finding for finding in report.findings if finding.severity is Severity.FAULT]
    assert "not of the published shape" in fault.message
    assert read_rows(report) == {}


def test_keys_are_sent_as_headers_and_told_nowhere(
    server: RestServer, vendor: Datadog, context: LandingContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DD_APPLICATION_KEY", "wrong-key-wrong-key-wrong-key")
    report = land(server, context)
    (fault,) = report.findings
    assert "usage_read" in fault.message
    told = fault.message.encode() + b"".join(p.read_bytes() for p in context.lake.rglob("*") if p.is_file())
    assert b"wrong-key" not in told and API_KEY.encode() not in told
    monkeypatch.delenv("DD_API_KEY")
    (fault,) = land(server, context).findings
    assert "DD_API_KEY is not set" in fault.message
    assert all(API_KEY not in request.target for request in server.log)


def test_the_check_tells_what_may_be_read(server: RestServer, vendor: Datadog) -> None:
    steps = [(step.name, step.is_ok) for step in registry.check(build_settings(server))]
    assert steps == [("keys", True), ("usage", True), ("attribution", True)]
    vendor.is_attributed = False
    steps = [(step.name, step.is_ok) for step in registry.check(build_settings(server))]
    assert steps == [("keys", True), ("usage", True), ("attribution", None)]
