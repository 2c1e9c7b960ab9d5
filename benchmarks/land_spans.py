"""Lands a day of spans from OTLP JSON lines and from Parquet, beside a plain parse of the same bytes.

`.venv/bin/python -m benchmarks.land_spans --spans 1000000`

What belongs here: making span files, timing the landing alone. What must not: models. Each landing runs in a process of
its own, so that the peak memory is its own; the plain parse (orjson, one core) is timed in the same run, on the same
files.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from connectors.common.contract import LandingContext
from connectors.common.identity import Identity
from connectors.otel_genai.client import land
from connectors.otel_genai.settings import Settings

CLOCK = datetime(2026, 11, 20)  # noqa: DTZ001 (times in the lake are naive UTC)
START = 1_795_000_000_000_000_000
SPANS_A_TRACE = 5
SPANS_A_LINE = 200
MAP = pa.map_(pa.string(), pa.string())


def main() -> None:
    """Makes the files, lands them and prints one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.land_spans", description=__doc__)
    parser.add_argument("--spans", type=int, default=1_000_000, help="spans of the day")
    parser.add_argument("--files", type=int, default=4, help="files that they are split into")
    parser.add_argument("--workers", type=int, default=2, help="processes that parse JSON lines")
    parser.add_argument("--home", type=Path, help="keep the files here instead of a temporary folder")
    parser.add_argument("--land", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.land:
        print(json.dumps(land_folder(arguments.land, arguments.workers)))
        return
    if arguments.home:
        print(json.dumps(measure(arguments.home, arguments)))
        return
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(Path(folder), arguments)))


def measure(home: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of both formats and of the plain parse."""
    folders = {"json_lines": home / "json_lines", "parquet": home / "parquet"}
    make_files(folders, arguments.spans, arguments.files)
    size = sum(path.stat().st_size for path in folders["json_lines"].iterdir())
    parse_seconds = time_plain_parse(folders["json_lines"])
    figures: dict[str, Any] = {
        "spans": arguments.spans,
        "json_bytes": size,
        "parse_seconds": round(parse_seconds, 2),
    }
    for name, folder in folders.items():
        command = [sys.executable, "-m", "benchmarks.land_spans", "--land", str(folder)]
        command += ["--workers", str(arguments.workers)]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        figures |= {f"{name}_{key}": value for key, value in json.loads(told.splitlines()[-1]).items()}
    seconds = figures["json_lines_seconds"]
    return figures | {
        "spans_per_second": round(arguments.spans / seconds),
        "bytes_per_second": round(size / seconds),
        "peak_rss_gb": max(figures["json_lines_peak_rss_gb"], figures["parquet_peak_rss_gb"]),
        "ratio_to_parse": round(seconds / parse_seconds, 2),
    }


def land_folder(folder: Path, workers: int) -> dict[str, Any]:
    """Land a folder into a temporary lake; return seconds, peak memory of all processes together, and rows."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as lake:
        settings = Settings(
            name="traces", connector="otel_genai", path=str(folder), pattern="**/*", workers=workers
        )
        started = time.perf_counter()
        report = land(settings, LandingContext(Path(lake), CLOCK, Identity(key=b"benchmark"), {}))
        seconds = time.perf_counter() - started
        if report.has_fault:
            raise SystemExit([finding.message for finding in report.findings])
        rows = {
            name: sum(d.rows for d in report.deliveries if d.dataset == name)
            for name in ("requests", "spans")
        }
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {
        "seconds": round(seconds, 2),
        "cpu_seconds": round(sum(each.ru_utime + each.ru_stime for each in (own, children)), 2),
        "peak_rss_gb": round((own.ru_maxrss + workers * children.ru_maxrss) / 2**20, 2),
    } | rows


def time_plain_parse(folder: Path) -> float:
    """Return how long reading the lines and parsing each with orjson takes."""
    started = time.perf_counter()
    for path in sorted(folder.iterdir()):
        with path.open("rb") as stream:
            for line in stream:
                orjson.loads(line)
    return time.perf_counter() - started


def make_files(folders: dict[str, Path], spans: int, files: int) -> None:
    """Write the same spans in both formats, unless files of this number of spans are there."""
    if all(folder.is_dir() for folder in folders.values()):
        return
    for folder in folders.values():
        folder.mkdir(parents=True)
    chooser = random.Random(7)  # noqa: S311 (made-up data)
    for number in range(files):
        lines = folders["json_lines"] / f"{number:03d}.jsonl"
        with lines.open("wb") as stream, _ParquetFile(folders["parquet"] / f"{number:03d}.parquet") as table:
            for batch in _batches(_traces(chooser, spans // files, number)):
                stream.write(orjson.dumps(_export(batch)) + b"\n")
                table.write(batch)


def _batches(spans: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for span in spans:
        batch.append(span)
        if len(batch) == SPANS_A_LINE:
            yield batch
            batch = []
    if batch:
        yield batch


def _traces(chooser: random.Random, spans: int, file: int) -> Iterator[dict[str, Any]]:
    """A request, an agent, a tool and two calls that carry 2 kB of messages: children come before parents."""
    text = " ".join(chooser.choice(("alpha", "beta", "gamma", "delta")) for _ in range(150))
    for number in range(spans // SPANS_A_TRACE):
        trace = f"{file:08x}{number:024x}"
        start = START + number * 50_000
        ids = [f"{chooser.getrandbits(64) | 1:016x}" for _ in range(SPANS_A_TRACE)]
        for position in (3, 4, 2, 1, 0):
            attributes = _call(chooser, text, number, position) if position > 2 else _other(number, position)
            yield {
                "trace": trace,
                "span": ids[position],
                "parent": "" if position == 0 else ids[0 if position == 1 else 1],
                "name": f"span {position}",
                "kind": 2 if position == 0 else 3,
                "start": start + position * 1_000_000,
                "duration": 1_500_000_000,
                "attributes": attributes,
            }


def _call(chooser: random.Random, text: str, number: int, position: int) -> dict[str, str | int]:
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5",
        "gen_ai.request.temperature": 1,
        "gen_ai.request.max_tokens": 4096,
        "gen_ai.response.model": "gpt-5-2025-08-07",
        "gen_ai.response.id": f"chatcmpl-{number:x}-{position}-{chooser.getrandbits(64):016x}",
        "gen_ai.usage.input_tokens": chooser.randrange(500, 9000),
        "gen_ai.usage.cache_read.input_tokens": 256,
        "gen_ai.usage.output_tokens": chooser.randrange(20, 900),
        "gen_ai.input.messages": text,
        "gen_ai.output.messages": text,
        "server.address": "api.openai.com",
        "server.port": 443,
    }


def _other(number: int, position: int) -> dict[str, str | int]:
    if position == 0:
        return {
            "user.id": f"user-{number % 5000}@example.com",
            "app.feature": f"feature {number % 20}",
            "http.route": "/answer",
            "http.response.status_code": 200,
        }
    operation = "invoke_agent" if position == 1 else "execute_tool"
    return {"gen_ai.operation.name": operation, "gen_ai.agent.name": f"agent {number % 7}"}


def _export(batch: list[dict[str, Any]]) -> dict[str, Any]:
    spans = [
        {
            "traceId": each["trace"],
            "spanId": each["span"],
            "parentSpanId": each["parent"],
            "name": each["name"],
            "kind": each["kind"],
            "startTimeUnixNano": str(each["start"]),
            "endTimeUnixNano": str(each["start"] + each["duration"]),
            "attributes": [
                {
                    "key": key,
                    "value": {"stringValue": value} if isinstance(value, str) else {"intValue": str(value)},
                }
                for key, value in each["attributes"].items()
            ],
            "status": {},
        }
        for each in batch
    ]
    described = [{"key": key, "value": {"stringValue": value}} for key, value in _RESOURCE.items()]
    scoped = {"scope": {"name": "opentelemetry.instrumentation.openai"}, "spans": spans}
    return {"resourceSpans": [{"resource": {"attributes": described}, "scopeSpans": [scoped]}]}


_RESOURCE = {
    "service.name": "shop",
    "deployment.environment.name": "prod",
    "cloud.availability_zone": "us-east-1a",
}


class _ParquetFile:
    """The same spans in the columns of the ClickHouse exporter's `otel_traces`."""

    def __init__(self, path: Path) -> None:
        columns = dict.fromkeys(("TraceId", "SpanId", "ParentSpanId", "SpanName", "SpanKind"), pa.string())
        columns |= {"Timestamp": pa.timestamp("ns"), "Duration": pa.uint64(), "StatusCode": pa.string()}
        columns |= {"ResourceAttributes": MAP, "SpanAttributes": MAP}
        self._writer = pq.ParquetWriter(path, pa.schema(list(columns.items())), compression="zstd")
        self._rows: list[dict[str, Any]] = []

    def __enter__(self) -> _ParquetFile:
        return self

    def __exit__(self, *error: object) -> None:
        self._flush()
        self._writer.close()

    def write(self, batch: list[dict[str, Any]]) -> None:
        """Add spans."""
        for each in batch:
            self._rows.append(
                {
                    "TraceId": each["trace"],
                    "SpanId": each["span"],
                    "ParentSpanId": each["parent"],
                    "SpanName": each["name"],
                    "SpanKind": "Server" if each["kind"] == 2 else "Client",
                    "Timestamp": each["start"],
                    "Duration": each["duration"],
                    "StatusCode": "Unset",
                    "ResourceAttributes": list(_RESOURCE.items()),
                    "SpanAttributes": [(key, str(value)) for key, value in each["attributes"].items()],
                }
            )
        if len(self._rows) >= 20_000:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._writer.schema))
        self._rows = []


if __name__ == "__main__":
    main()
