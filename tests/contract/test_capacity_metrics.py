"""Metrics of self-hosted models: busy time between samples, counters with resets, gaps, formats, broken files."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from connectors.common import registry
from connectors.common.contract import LandingContext, Severity, SourceReport

START = datetime(2026, 11, 1, 10)
LABELS = 'engine="0",model_name="llama"'


def land(folder: Path, context: LandingContext, **more: Any) -> SourceReport:
    settings = {"name": "metrics", "connector": "capacity_metrics", "path": str(folder), **more}
    return registry.land(registry.load_settings_class("capacity_metrics").model_validate(settings), context)


def read_rows(report: SourceReport) -> list[dict[str, Any]]:
    rows = [
        row
        for file in report.current_files
        for row in pq.read_table(file.path, partitioning=None).to_pylist()
    ]
    return sorted(rows, key=lambda row: (row["hour_start"], row["resource_id"], str(row["replica_id"])))


def kinds(report: SourceReport) -> list[tuple[str, int]]:
    return sorted((finding.kind, finding.count) for finding in report.findings)


def write_scrape(folder: Path, at: datetime, text: str, host: str = "gpu-1") -> Path:
    path = folder / host / f"{at:%Y%m%dT%H%M%SZ}.prom"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def vllm(
    running: float, prompts: float = 0, outputs: float = 0, prefill: float = 0, decode: float = 0
) -> str:
    return (
        "# HELP vllm:num_requests_running Number of requests in model execution batches.\n"
        "# TYPE vllm:num_requests_running gauge\n"
        f"vllm:num_requests_running{{{LABELS}}} {running}\n"
        f"vllm:prompt_tokens_total{{{LABELS}}} {prompts}\n"
        f"vllm:generation_tokens_total{{{LABELS}}} {outputs}\n"
        f'vllm:request_success_total{{{LABELS},finished_reason="stop"}} {prompts / 100}\n'
        f"vllm:request_prefill_time_seconds_sum{{{LABELS}}} {prefill}\n"
        f"vllm:request_prefill_time_seconds_count{{{LABELS}}} 1\n"
        f"vllm:request_decode_time_seconds_sum{{{LABELS}}} {decode}\n"
        f"vllm:kv_cache_usage_perc{{{LABELS}}} 0.25\n"
    )


def minutes(count: int) -> Iterator[tuple[int, datetime]]:
    for number in range(count):
        yield number, START + timedelta(minutes=number)


def test_an_hour_is_busy_while_requests_run(tmp_path: Path, lake_context: LandingContext) -> None:
    for number, at in minutes(61):
        write_scrape(
            tmp_path, at, vllm(2 if number < 20 else 0, 100 * number, 10 * number, number, 2 * number)
        )
    (row,) = read_rows(land(tmp_path, lake_context))
    assert (row["hour_start"], row["resource_id"], row["model"]) == (START, "gpu-1", "llama")
    assert (row["provider"], row["capacity_kind"], row["busy_basis"]) == ("vllm", "gpu_host", "requests")
    # 20 minutes running; then calls of 3 seconds a minute that no sample met
    assert (row["provisioned_seconds"], row["busy_seconds"]) == (3600, 20 * 60 + 40 * 3)
    assert (row["requests"], row["input_tokens"], row["output_tokens"]) == (60, 6000, 600)
    assert (row["prefill_seconds"], row["decode_seconds"]) == (Decimal(60), Decimal(120))
    assert row["kv_cache_share"] == Decimal("0.25")


def test_a_gap_is_unknown_not_idle(tmp_path: Path, lake_context: LandingContext) -> None:
    for number, at in minutes(61):
        if not 20 < number < 40:
            write_scrape(tmp_path, at, vllm(0, 100 * number))
    (row,) = read_rows(land(tmp_path, lake_context))
    assert (row["provisioned_seconds"], row["busy_seconds"]) == (40 * 60, 0)
    assert row["input_tokens"] == 4000


def test_a_counter_that_falls_began_again(tmp_path: Path, lake_context: LandingContext) -> None:
    for (_, at), value in zip(minutes(5), (500, 700, 30, 50, 80), strict=True):
        write_scrape(tmp_path, at, vllm(1, value))
    (row,) = read_rows(land(tmp_path, lake_context))
    assert row["input_tokens"] == 200 + 30 + 20 + 30


def test_what_crosses_an_hour_or_midnight_is_cut_there(tmp_path: Path, lake_context: LandingContext) -> None:
    midnight = datetime(2026, 11, 2)
    for number in range(5):
        write_scrape(tmp_path, midnight + timedelta(minutes=4 * number - 6), vllm(1, 400 * number))
    rows = read_rows(land(tmp_path, lake_context))
    assert [(row["hour_start"].hour, row["busy_seconds"], row["input_tokens"]) for row in rows] == [
        (23, 360, 600),
        (0, 600, 1000),
    ]


def test_late_scrapes_restate_their_day_and_gone_ones_still_count(
    tmp_path: Path, lake_context: LandingContext
) -> None:
    for number, at in minutes(31):
        write_scrape(tmp_path, at, vllm(1, 100 * number))
    first = land(tmp_path, lake_context)
    assert read_rows(first)[0]["busy_seconds"] == 1800
    assert len(land(tmp_path, lake_context).deliveries) == 1
    for path in sorted(tmp_path.rglob("*.prom"))[:20]:
        path.unlink()
    for number, at in minutes(61):
        if number > 30:
            write_scrape(tmp_path, at, vllm(1, 100 * number))
    second = land(tmp_path, replace(lake_context, now=lake_context.now + timedelta(days=1)))
    assert [row["busy_seconds"] for row in read_rows(second)] == [3600]
    assert len(second.deliveries) == 2


def _matrix(series: Mapping[str, list[float]], host: str = "192.0.2.5:8000") -> dict[str, Any]:
    result = [
        {
            "metric": {"__name__": name, "model_name": "llama", "instance": host, "pod": "llama-0"},
            "values": [
                [START.replace(tzinfo=UTC).timestamp() + 60 * n, str(v)] for n, v in enumerate(values)
            ],
        }
        for name, values in series.items()
    ]
    return {"status": "success", "data": {"resultType": "matrix", "result": result}}


SERIES = {"vllm:num_requests_running": [1.0] * 6, "vllm:prompt_tokens_total": [0.0, 10, 20, 30, 40, 50]}


def test_what_prometheus_kept_says_the_same_in_every_shape(
    tmp_path: Path, lake_context: LandingContext
) -> None:
    answer = _matrix(SERIES)
    remote = {
        "results": [
            {
                "timeseries": [
                    {
                        "labels": [{"name": k, "value": v} for k, v in one["metric"].items()],
                        "samples": [
                            {"timestamp": str(int(t * 1000)), "value": float(v)} for t, v in one["values"]
                        ],
                    }
                    for one in answer["data"]["result"]
                ]
            }
        ]
    }
    lines = [
        json.dumps(
            {
                "metric": one["metric"],
                "values": [float(v) for _, v in one["values"]],
                "timestamps": [int(t * 1000) for t, _ in one["values"]],
            }
        )
        for one in answer["data"]["result"]
    ]
    shapes = {
        "range/a.json": json.dumps(answer).encode(),
        "remote/a.json.gz": gzip.compress(json.dumps(remote).encode()),
        "lines/a.jsonl": "\n".join(lines).encode(),
    }
    found = []
    for name, body in shapes.items():
        path = tmp_path / name
        path.parent.mkdir()
        path.write_bytes(body)
        context = replace(lake_context, lake=lake_context.lake / path.parent.name)
        (row,) = read_rows(land(path.parent, context, resources={"192.0.2.5": "i-0abc"}))
        found.append({k: v for k, v in row.items() if not k.startswith("x_")})
    assert found[0] == found[1] == found[2]
    assert (found[0]["resource_id"], found[0]["replica_id"]) == ("i-0abc", "llama-0")
    assert (found[0]["busy_seconds"], found[0]["input_tokens"]) == (300, 50)


def test_sglang_counts_tokens_as_they_are_computed_and_rank_0_only(
    tmp_path: Path, lake_context: LandingContext
) -> None:
    for number, at in minutes(3):
        lines = []
        for rank in "01":
            labels = f'model_name="qwen",tp_rank="{rank}"'
            lines += [
                f"sglang:num_running_reqs{{{labels}}} 1",
                f'sglang:num_running_reqs{{{labels},priority="1"}} 1',
                f'sglang:realtime_tokens_total{{{labels},mode="prefill_compute"}} {300 * number}',
                f'sglang:realtime_tokens_total{{{labels},mode="prefill_cache"}} {500 * number}',
                f'sglang:realtime_tokens_total{{{labels},mode="decode"}} {40 * number}',
                f"sglang:prompt_tokens_total{{{labels}}} {7 * number}",
            ]
        write_scrape(tmp_path, at, "\n".join(lines) + "\n")
    (row,) = read_rows(land(tmp_path, lake_context))
    assert (row["provider"], row["busy_seconds"]) == ("sglang", 120)
    assert (row["input_tokens"], row["cache_read_tokens"], row["output_tokens"]) == (1600, 1000, 80)


def test_dcgm_tells_of_the_host(tmp_path: Path, lake_context: LandingContext) -> None:
    for number, at in minutes(11):
        used = (80, 40) if number < 5 else (0, 0)
        text = "".join(
            f'DCGM_FI_DEV_GPU_UTIL{{gpu="{gpu}",UUID="GPU-{gpu}",Hostname="node-7",pod="llama-0"}} {share}\n'
            for gpu, share in enumerate(used)
        )
        write_scrape(tmp_path, at, text)
    (row,) = read_rows(land(tmp_path, lake_context))
    assert (row["resource_id"], row["replica_id"], row["busy_basis"]) == ("node-7", None, "utilisation")
    assert (row["provisioned_seconds"], row["busy_seconds"]) == (600, 300)
    assert row["utilisation_share"] == Decimal("0.3")


def test_bad_samples_are_refused_alone_and_nan_is_legal(tmp_path: Path, lake_context: LandingContext) -> None:
    for _, at in minutes(3):
        write_scrape(tmp_path, at, vllm(1, 5))
    hostile = vllm(1, 5) + "".join(
        f"{line}\n"
        for line in (
            f"vllm:prompt_tokens_total{{{LABELS}}} NaN",
            f'vllm:prompt_tokens_total{{{LABELS},x="1"}} +Inf',
            f'vllm:prompt_tokens_total{{{LABELS},x="2"}} 1e400',
            f'vllm:prompt_tokens_total{{{LABELS},x="3"}} -5',
            f"vllm:prompt_tokens_total{{{LABELS}}} many",
            f'vllm:prompt_tokens_total{{{LABELS},__proto__="y"}} 5',
            'vllm:prompt_tokens_total{model_name="\'; drop table capacity; --"} 5',
            f'vllm:prompt_tokens_total{{{LABELS},long="{"x" * 2000}"}} 5',
            "\x00\x01 binary",
        )
    )
    write_scrape(tmp_path, START + timedelta(minutes=3), hostile)
    report = land(tmp_path, lake_context)
    assert kinds(report) == [("quarantined_row", count) for count in (1, 1, 2, 3)]
    assert [row["busy_seconds"] for row in read_rows(report)] == [180]
    assert not report.has_fault


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("cut.prom.gz", gzip.compress(vllm(1).encode() * 50)[:-20]),
        ("junk.json", b"\x00\x01{"),
        ("other.json", b'{"items": []}'),
        ("page.prom", b"<html><body>502 Bad Gateway</body></html>\n"),
        ("deep.json", b"[" * 200_000),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_whole(
    tmp_path: Path, lake_context: LandingContext, name: str, body: bytes
) -> None:
    write_scrape(tmp_path, START, vllm(1))
    write_scrape(tmp_path, START + timedelta(minutes=1), vllm(1))
    (tmp_path / "gpu-1" / name).write_bytes(body)
    report = land(tmp_path, lake_context)
    assert [(f.kind, f.severity) for f in report.findings] == [("unreadable_file", Severity.FAULT)]
    assert [row["busy_seconds"] for row in read_rows(report)] == [60]


def test_a_line_of_50_megabytes_is_passed_over(tmp_path: Path, lake_context: LandingContext) -> None:
    write_scrape(tmp_path, START, vllm(1))
    path = write_scrape(tmp_path, START + timedelta(minutes=1), vllm(1))
    with path.open("a") as stream:
        stream.write(f'vllm:prompt_tokens_total{{x="{"y" * 50_000_000}"}} 1\n')
        stream.write(vllm(1))
    report = land(tmp_path, lake_context)
    assert kinds(report) == [("quarantined_row", 1)]
    assert [row["busy_seconds"] for row in read_rows(report)] == [60]


def test_clock_jumps_add_no_time(tmp_path: Path, lake_context: LandingContext) -> None:
    for number, at in minutes(4):
        write_scrape(tmp_path, at, vllm(1, number))
    again = f"vllm:num_requests_running{{{LABELS}}} 3 {int(START.replace(tzinfo=UTC).timestamp() * 1000)}\n"
    write_scrape(tmp_path, START + timedelta(minutes=2, seconds=30), again)
    write_scrape(tmp_path, datetime(2199, 1, 1), vllm(1))
    report = land(tmp_path, lake_context)
    assert [row["busy_seconds"] for row in read_rows(report)] == [180]
    assert [f.kind for f in report.findings] == ["time_problem"]
