"""Metrics as OTLP JSON lines, as the collector's file exporter writes them.

What belongs here: reading sums and histogram sums of the wanted metrics. What must not: what they mean.

Source: opentelemetry-proto `metrics/v1/metrics.proto`, JSON as the OTLP specification encodes it (64-bit numbers as
text). Cumulative sums are samples; delta sums are added up to such.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from connectors.common.bounded_reading import read_lines
from connectors.common.json_documents import open_content
from connectors.common.metrics.prometheus import LONGEST_LINE, BadSample, MetricFile
from connectors.common.source_files import FileFault, SourceFile

_DELTA = (1, "1", "AGGREGATION_TEMPORALITY_DELTA")
_EARLIEST, _LATEST = 946_684_800, 4_102_444_800


def is_otlp(file: SourceFile) -> bool:
    """Tell whether a file of lines begins with an export of OTLP metrics. Raises FileFault for one cut short."""
    try:
        with open_content(file) as stream:
            return b'"resourceMetrics"' in stream.read(4096)
    except (OSError, EOFError, zlib.error) as error:
        message = f"cannot be read to its end ({type(error).__name__}); deliver the file again"
        raise FileFault("unreadable_file", message) from error


def read_otlp_file(file: SourceFile, wanted: frozenset[str]) -> MetricFile:
    """Return the samples of the wanted metrics. Raises FileFault for a file that cannot be read at all."""
    found = MetricFile()
    deltas: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    try:
        with open_content(file) as stream:
            for number, line in read_lines(stream, LONGEST_LINE):
                if line is None:
                    found.refused.append((number, "a line longer than 1 MiB"))
                elif line.strip():
                    _read_line(found, deltas, number, line, wanted)
    except (OSError, EOFError, zlib.error) as error:
        message = f"cannot be read to its end ({type(error).__name__}); deliver the file again"
        raise FileFault("unreadable_file", message) from error
    return found


def _read_line(
    found: MetricFile,
    deltas: dict[tuple[str, tuple[tuple[str, str], ...]], float],
    number: int,
    line: bytes,
    wanted: frozenset[str],
) -> None:
    try:
        points = list(_find_points(json.loads(line), wanted))
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        found.refused.append((number, "malformed_line"))
        return
    for name, labels, is_delta, point in points:
        try:
            time, value = _read_point(point)
            if is_delta:
                key = (name, tuple(sorted(labels.items())))
                if key not in deltas and (begin := int(point.get("startTimeUnixNano") or 0) // 1000):
                    found.add(name, labels, begin, 0)
                deltas[key] = value = deltas.get(key, 0) + value
            found.add(name, labels, time, value)
        except BadSample as problem:
            found.refused.append((number, str(problem)))
        except (ValueError, TypeError, KeyError, OverflowError, AttributeError):
            found.refused.append((number, "no sample"))


def _find_points(
    content: Any, wanted: frozenset[str]
) -> Iterator[tuple[str, dict[str, str], bool, Mapping[str, Any]]]:
    for resource in content.get("resourceMetrics") or ():
        own = _read_attributes((resource.get("resource") or {}).get("attributes"))
        for scope in resource.get("scopeMetrics") or ():
            for metric in scope.get("metrics") or ():
                name = metric.get("name")
                if name not in wanted:
                    continue
                body = metric.get("sum") or metric.get("histogram") or {}
                is_delta = body.get("aggregationTemporality") in _DELTA
                for point in body.get("dataPoints") or ():
                    labels = {**own, **_read_attributes(point.get("attributes"))}
                    yield name, labels, is_delta, point


def _read_attributes(listed: Any) -> dict[str, str]:
    """Attributes as labels: names as Prometheus writes them, values as text."""
    found = {}
    for attribute in listed or ():
        value = attribute.get("value") or {}
        text = next((value[kind] for kind in ("stringValue", "intValue", "boolValue") if kind in value), None)
        if text is not None:
            found[str(attribute["key"]).replace(".", "_")] = str(text)
    return found


def _read_point(point: Mapping[str, Any]) -> tuple[int, float]:
    time = int(point["timeUnixNano"]) // 1000
    if not _EARLIEST <= time // 1_000_000 < _LATEST:
        raise BadSample("a time outside of 2000 to 2100")
    value = next(point[kind] for kind in ("asInt", "asDouble", "sum") if kind in point)
    return time, float(value)
