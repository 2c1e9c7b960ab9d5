"""Reading samples of named metrics from files: Prometheus text, answers of its HTTP API, remote-read dumps.

What belongs here: the formats, line by line or value by value. What must not: which metrics are wanted, and what they
mean.

Formats: the text exposition format (https://prometheus.io/docs/instrumenting/exposition_formats/, parsed by
prometheus_client), `query` and `query_range` answers (https://prometheus.io/docs/prometheus/latest/querying/api/), a
remote-read answer as JSON (prompb.ReadResponse), and lines as VictoriaMetrics exports them. OpenMetrics texts are read
as far as they are text exposition too; exemplars are passed over.
"""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import IO, Any

from prometheus_client.parser import text_string_to_metric_families

from connectors.common.bounded_reading import read_lines
from connectors.common.json_documents import open_content, read_document
from connectors.common.metrics.samples import UNITS, Series
from connectors.common.source_files import FileFault, SourceFile

SUFFIXES = tuple(
    f"{suffix}{packed}"
    for suffix in (".prom", ".txt", ".metrics", ".json", ".jsonl", ".ndjson")
    for packed in ("", ".gz")
)
LONGEST_LINE = 1 << 20
_LARGEST_VALUE = 10**15
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)
_STAMP = re.compile(
    r"(?<!\d)(20\d\d)-?(\d\d)-?(\d\d)[T_-]?(\d\d)[:\-_]?(\d\d)(?:[:\-_]?(\d\d))?(?:\.\d+)?Z?(?!\d)"
)
_UNIX = re.compile(r"(?<!\d)(1[0-9]{9})(\d{3})?(?!\d)")
_LONGEST_LABEL = 1024


class BadSample(ValueError):  # noqa: N818 (a reason, counted; never shown with content)
    """Why a sample is refused, without what it says."""


@dataclass
class MetricFile:
    """What a file said: series by identity, refused lines as (line, reason), how many NaN were passed over."""

    series: dict[tuple[str, tuple[tuple[str, str], ...]], Series] = field(default_factory=dict)
    refused: list[tuple[int | None, str]] = field(default_factory=list)
    not_a_number: int = 0
    first: int | None = None
    last: int | None = None

    def add(self, name: str, labels: Mapping[str, str], time: int, value: float) -> None:
        """Take a sample over; NaN is legal in Prometheus (a series that went away) and says nothing."""
        if math.isnan(value):
            self.not_a_number += 1
            return
        if math.isinf(value) or not 0 <= value <= _LARGEST_VALUE:
            raise BadSample("not a number from 0 to 1e15")
        if any(len(text) > _LONGEST_LABEL for text in labels.values()):
            raise BadSample("a label longer than 1024 characters")
        key = (name, tuple(sorted(labels.items())))
        series = self.series.setdefault(key, Series(name, dict(labels)))
        series.samples.append((time, round(value * UNITS)))
        self.first = time if self.first is None else min(self.first, time)
        self.last = time if self.last is None else max(self.last, time)


def read_metric_file(file: SourceFile, wanted: frozenset[str]) -> MetricFile:
    """Return the samples of the wanted metrics in a file. Raises FileFault for one that cannot be read at all."""
    found = MetricFile()
    name = file.relative.lower().removesuffix(".gz")
    try:
        with open_content(file) as stream:
            if name.endswith((".jsonl", ".ndjson")):
                _read_json_lines(stream, found, wanted)
            elif name.endswith(".json"):
                _read_json(stream, found, wanted)
            else:
                _read_text(stream, found, wanted, find_time(file))
    except (OSError, EOFError, zlib.error) as error:
        message = f"cannot be read to its end ({type(error).__name__}); deliver the file again"
        raise FileFault("unreadable_file", message) from error
    return found


def find_time(file: SourceFile) -> int:
    """Return when a scrape was made: the time in the file's name (or its folder's), else its time of change."""
    for part in reversed(file.relative.split("/")):
        match = _STAMP.search(part)
        if match:
            year, month, day, hour, minute, second = (int(text or 0) for text in match.groups())
            try:
                return to_micros(datetime(year, month, day, hour, minute, second, tzinfo=UTC))
            except ValueError:
                continue
        unix = _UNIX.search(part)
        if unix:
            return int(unix[1]) * 1_000_000 + int(unix[2] or 0) * 1000
    return to_micros(file.modified_at.replace(tzinfo=UTC))


def to_micros(moment: datetime) -> int:
    """Return microseconds since 1970 of a time with zone."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _read_text(stream: IO[bytes], found: MetricFile, wanted: frozenset[str], scraped: int) -> None:
    lines = samples = 0
    for number, line in read_lines(stream, LONGEST_LINE):
        if line is None:
            found.refused.append((number, "a line longer than 1 MiB"))
            continue
        text = line.strip()
        if not text or text.startswith(b"#"):
            continue
        lines += 1
        name = re.split(rb"[{ \t]", text, maxsplit=1)[0]
        if not re.fullmatch(rb"[a-zA-Z_:][a-zA-Z0-9_:]*", name):
            found.refused.append((number, "no metric"))
            continue
        samples += 1
        if name.decode() in wanted:
            _take(found, number, lambda text=text: _parse_text(found, text, scraped))
    if lines and not samples:
        message = "holds no metrics; expected the text that /metrics answers, or JSON in a file named so"
        raise FileFault("unreadable_file", message)


def _parse_text(found: MetricFile, line: bytes, scraped: int) -> None:
    text = line.decode("utf-8").split(" # {")[0]
    for family in text_string_to_metric_families(f"{text}\n"):
        for sample in family.samples:
            time = scraped
            if sample.timestamp is not None:
                time = _check_time(float(sample.timestamp))
            found.add(sample.name, sample.labels, time, float(sample.value))


def _read_json(stream: IO[bytes], found: MetricFile, wanted: frozenset[str]) -> None:
    content = read_document(stream, "ask for shorter ranges")
    known = list(_find_series(content))
    if not known and not _is_answer(content):
        message = (
            "is no answer of Prometheus: expected `data.result` of query_range, or `results` of a remote read"
        )
        raise FileFault("unreadable_file", message)
    for position, (labels, samples) in enumerate(known, start=1):
        _take_series(found, position, labels, samples, wanted)


def _read_json_lines(stream: IO[bytes], found: MetricFile, wanted: frozenset[str]) -> None:
    for number, line in read_lines(stream, LONGEST_LINE):
        if line is None:
            found.refused.append((number, "a line longer than 1 MiB"))
            continue
        if not line.strip():
            continue
        try:
            content = json.loads(line)
        except (ValueError, RecursionError):
            found.refused.append((number, "malformed_line"))
            continue
        known = list(_find_series(content))
        if not known and not _is_answer(content):
            found.refused.append((number, "no series"))
        for labels, samples in known:
            _take_series(found, number, labels, samples, wanted)


def _is_answer(content: Any) -> bool:
    """Whether this is an answer, if an empty one."""
    if not isinstance(content, dict):
        return False
    data = content.get("data")
    return (isinstance(data, dict) and isinstance(data.get("result"), list)) or isinstance(
        content.get("results"), list
    )


def _find_series(content: Any) -> Iterator[tuple[Any, Iterable[Any]]]:
    """Yield (labels, samples as (seconds, value)) of whatever shape of answer this is."""
    if isinstance(content, list):
        for one in content:
            yield from _find_series(one)
        return
    if not isinstance(content, dict):
        return
    if isinstance(content.get("metric"), dict):
        yield content["metric"], _find_samples(content)
        return
    if isinstance(content.get("labels"), list) and isinstance(content.get("samples"), list):
        labels = {
            label.get("name"): label.get("value", "")
            for label in content["labels"]
            if isinstance(label, dict)
        }
        yield (
            labels,
            [
                (_divide(sample.get("timestamp"), 1000), sample.get("value", 0))
                for sample in content["samples"]
                if isinstance(sample, dict)
            ],
        )
        return
    for key in ("data", "result", "results", "timeseries"):
        if isinstance(content.get(key), dict | list):
            yield from _find_series(content[key])


def _find_samples(content: Mapping[str, Any]) -> Iterable[Any]:
    if isinstance(content.get("timestamps"), list) and isinstance(content.get("values"), list):
        return [
            (_divide(time, 1000), value)
            for time, value in zip(content["timestamps"], content["values"], strict=False)
        ]
    if isinstance(content.get("values"), list):
        return content["values"]
    return [content["value"]] if "value" in content else ()


def _divide(number: Any, by: int) -> Any:
    try:
        return float(number) / by
    except (TypeError, ValueError, OverflowError):
        return None


def _take_series(
    found: MetricFile, line: int, labels: Any, samples: Iterable[Any], wanted: frozenset[str]
) -> None:
    name = labels.get("__name__")
    if name not in wanted:
        return
    own = {str(key): str(value) for key, value in labels.items() if key != "__name__"}
    for sample in samples:
        _take(found, line, lambda sample=sample: _add_pair(found, name, own, sample))


def _add_pair(found: MetricFile, name: str, labels: Mapping[str, str], sample: Any) -> None:
    time, value = sample
    found.add(name, labels, _check_time(float(time)), float(value))


def _take(found: MetricFile, line: int, take: Any) -> None:
    try:
        take()
    except BadSample as problem:
        found.refused.append((line, str(problem)))
    except (ValueError, TypeError, KeyError, IndexError, OverflowError, AttributeError):
        found.refused.append((line, "no sample"))


def _check_time(seconds: float) -> int:
    if not _EARLIEST.timestamp() <= seconds < _LATEST.timestamp():
        raise BadSample("a time outside of 2000 to 2100")
    return round(seconds * 1_000_000)
