"""What collectors sent: Prometheus text and OTLP lines, counters with resets, signals, providers, broken files."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from connectors.common import registry
from connectors.common.contract import LandingContext, Severity, SourceReport

START = datetime(2026, 11, 1, 10)
NAMES = {
    "log": "otelcol_exporter_sent_log_records",
    "metric": "otelcol_exporter_sent_metric_points",
    "trace": "otelcol_exporter_sent_spans",
}


def land(folder: Path, context: LandingContext, **more: Any) -> SourceReport:
    settings = {"name": "collectors", "connector": "otel_collector_counts", "path": str(folder), **more}
    loaded = registry.load_settings_class("otel_collector_counts").model_validate(settings)
    return registry.land(loaded, context)


def read_rows(report: SourceReport) -> list[tuple[Any, ...]]:
    rows = [
        row
        for file in report.current_files
        for row in pq.read_table(file.path, partitioning=None).to_pylist()
    ]
    assert all(row["window_end"] - row["window_start"] == timedelta(hours=1) for row in rows)
    names = ("window_start", "provider", "workload_ref", "signal", "volume_count", "volume_bytes")
    return sorted((tuple(row[name] for name in names) for row in rows), key=str)


def write(folder: Path, minute: int, *lines: str, collector: str = "search") -> None:
    at = START + timedelta(minutes=minute)
    path = folder / collector / f"{at:%Y%m%dT%H%M%SZ}.prom"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


@pytest.mark.parametrize("suffix", ["", "_total"])
def test_counters_of_each_signal(tmp_path: Path, lake_context: LandingContext, suffix: str) -> None:
    for minute, (logs, spans) in enumerate([(100, 5), (150, 9), (20, 10), (40, 10)]):
        write(
            tmp_path,
            minute * 10,
            "# TYPE otelcol_exporter_sent_spans counter",
            f'{NAMES["log"]}{suffix}{{exporter="datadog",service_name="gw"}} {logs}',
            f'{NAMES["trace"]}{suffix}{{exporter="otlphttp/grafana"}} {spans}',
            f'otelcol_exporter_send_failed_spans{suffix}{{exporter="datadog"}} 99',
        )
    report = land(tmp_path, lake_context, providers={"otlphttp/grafana": "grafana"})
    assert report.findings == ()
    assert read_rows(report) == [
        (START, "datadog", "gw", "log", 50 + 20 + 20, None),
        (START, "grafana", "search", "trace", 5, None),
    ]


def test_bytes_count_where_they_are_of_one_signal(tmp_path: Path, lake_context: LandingContext) -> None:
    for minute in range(0, 30, 10):
        write(
            tmp_path,
            minute,
            f'{NAMES["log"]}{{exporter="awscloudwatchlogs"}} {minute}',
            f'otelcol_exporter_queue_batch_send_size_bytes_sum{{exporter="awscloudwatchlogs"}} {minute * 700}',
            f'{NAMES["metric"]}{{exporter="datadog"}} {minute}',
            f'{NAMES["trace"]}{{exporter="datadog"}} {minute}',
            f'otelcol_exporter_queue_batch_send_size_bytes_sum{{exporter="datadog"}} {minute * 5}',
        )
    assert read_rows(land(tmp_path, lake_context)) == [
        (START, "aws", "search", "log", 20, 14000),
        (START, "datadog", "search", "metric", 20, None),
        (START, "datadog", "search", "trace", 20, None),
    ]


def _otlp(minute: int, value: object, *, delta: bool = False, name: str = NAMES["log"]) -> str:
    at = int((START + timedelta(minutes=minute)).replace(tzinfo=UTC).timestamp()) * 10**9
    point = {
        "attributes": [{"key": "exporter", "value": {"stringValue": "datadog"}}],
        "startTimeUnixNano": str(at - 600 * 10**9 if delta else 0),
        "timeUnixNano": str(at),
        "asInt": value,
    }
    temporality = 1 if delta else 2
    metric = {
        "name": name,
        "sum": {"dataPoints": [point], "aggregationTemporality": temporality, "isMonotonic": True},
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "gw"}}]}
    return json.dumps({"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": [metric]}]}]})


@pytest.mark.parametrize("delta", [False, True])
def test_otlp_lines_cumulative_or_delta(tmp_path: Path, lake_context: LandingContext, delta: bool) -> None:
    values = [10, 20, 30] if delta else [10, 30, 60]
    lines = [_otlp(10 * (n + 1), str(v), delta=delta) for n, v in enumerate(values)]
    (tmp_path / "metrics.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    counted = 60 if delta else 50
    assert read_rows(land(tmp_path, lake_context)) == [(START, "datadog", "gw", "log", counted, None)]


def test_broken_lines_are_refused_alone(tmp_path: Path, lake_context: LandingContext) -> None:
    lines = [
        _otlp(0, "10"),
        '{"resourceMetrics": [{"scopeMetrics"',
        _otlp(10, "-5"),
        _otlp(20, "many"),
        json.dumps({"resourceLogs": []}),
        _otlp(10, "25"),
    ]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines))
    report = land(tmp_path, lake_context)
    assert sorted((f.kind, f.count) for f in report.findings) == [("quarantined_row", 1)] * 3
    assert read_rows(report) == [(START, "datadog", "gw", "log", 15, None)]


def test_a_file_cut_short_is_refused_whole(tmp_path: Path, lake_context: LandingContext) -> None:
    for minute in (0, 10):
        write(tmp_path, minute, f'{NAMES["log"]}{{exporter="datadog"}} {minute}')
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(b"x" * 10000)[:-12])
    report = land(tmp_path, replace(lake_context))
    assert [(f.kind, f.severity) for f in report.findings] == [("unreadable_file", Severity.FAULT)]
    assert [row[4] for row in read_rows(report)] == [10]
