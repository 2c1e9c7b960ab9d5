"""Landing metrics by UTC day: a day is made of all files that hold samples of it, and replaced when they change.

What belongs here: which files a day is made of, deliveries. What must not: names of metrics, or what rows they become.

Samples of a day lie in many files, and what happened between two of them in two files. So a day is one scope: its rows
are a function of all of its files, and of those within the longest gap around it. A file that is gone from the folder
still counts for the days that it was part of, by the copy in the lake: scrapes are rotated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import pyarrow as pa

from connectors.common.contract import Finding, LandingContext, Severity, SourceReport
from connectors.common.datasets import Dataset
from connectors.common.delivery_records import finding_from_json, finding_to_json
from connectors.common.digests import build_digest
from connectors.common.file_listing import list_stored_files
from connectors.common.metrics.prometheus import MetricFile, to_micros
from connectors.common.metrics.samples import Series
from connectors.common.source_files import FileFault, SourceFile
from connectors.common.source_landing import CORRECT_FILE, REFUSED_ROWS, DeliveryFacts, SourceLanding
from connectors.common.stores.settings import StoredFileSettings

_DAY = timedelta(days=1)
_LONGEST_FILE = timedelta(days=400)

ReadMetrics = Callable[[SourceFile], MetricFile]
BuildRows = Callable[[Mapping[str, list[Series]], date], pa.Table]
"""Series by the folder that their file lies in (of one day and the gap around it) → rows of that day."""


@dataclass(frozen=True)
class _Span:
    """When the samples of a file were taken; both ends belong to it."""

    file: SourceFile
    first: int
    last: int


def land_metric_days(
    settings: StoredFileSettings,
    context: LandingContext,
    dataset: Dataset,
    *,
    read: ReadMetrics,
    build: BuildRows,
    longest_gap: timedelta,
    typing: Mapping[str, object],
    suffixes: tuple[str, ...],
) -> SourceReport:
    """Land files of samples; a file that cannot be read is refused whole, other days go on.

    Raises ConnectorError when an object store cannot be listed or read.
    """
    landing = SourceLanding(settings, context, typing=typing)
    if landing.is_reading_only:
        return landing.report()
    files = list_stored_files(landing, settings, dataset.name, suffixes)
    spans = [span for file in files if (span := _find_span(landing, file, dataset, read)) is not None]
    work = _DayWork(landing, dataset, read, build, longest_gap)
    for day in _find_days(spans, context.now):
        work.land(day, spans)
    return landing.report()


def _find_span(landing: SourceLanding, file: SourceFile, dataset: Dataset, read: ReadMetrics) -> _Span | None:
    """When a file's samples were taken, read once a content; its problems are told again every run."""
    outcome = landing.seen.read_outcome(file, landing.typing_digest)
    if outcome is None:
        findings: list[Finding] = []
        landing.bring_back([file])
        try:
            found = read(file)
            findings += _describe_problems(landing, file, dataset, found)
            span = [found.first, found.last]
        except FileFault as fault:
            message = f"{landing.source}: {file.relative}: {fault}"
            findings.append(
                Finding(landing.source, dataset.name, fault.kind, message, Severity.FAULT, 1, file.relative)
            )
            span = [None, None]
        outcome = {"span": span, "findings": [finding_to_json(finding) for finding in findings]}
        landing.seen.write_outcome(file, landing.typing_digest, outcome)
    landing.add_findings(finding_from_json(told) for told in outcome["findings"])
    first, last = outcome["span"]
    return None if first is None else _Span(file, first, last)


def _describe_problems(
    landing: SourceLanding, file: SourceFile, dataset: Dataset, found: MetricFile
) -> Iterable[Finding]:
    reasons: dict[str, int] = {}
    for _, reason in found.refused:
        reasons[reason] = reasons.get(reason, 0) + 1
    if found.refused:
        landing.quarantine(file, [(line, reason, None) for line, reason in found.refused])
    for reason, count in sorted(reasons.items()):
        message = (
            f"{landing.source}: {file.relative}: {count} samples or lines refused: {reason}{CORRECT_FILE}"
        )
        yield Finding(
            landing.source, dataset.name, REFUSED_ROWS, message, Severity.WARN, count, file.relative
        )
    if found.first is not None and found.last is not None:
        if timedelta(microseconds=found.last - found.first) > _LONGEST_FILE:
            message = "holds samples of more than 400 days: a clock was wrong; correct it and deliver again"
            raise FileFault("time_problem", message)
        if found.last > to_micros(landing.context.now.replace(tzinfo=UTC)) + 86_400_000_000:
            message = "holds samples of the future: a clock was wrong; correct it and deliver again"
            raise FileFault("time_problem", message)


def _find_days(spans: Iterable[_Span], now: datetime) -> list[date]:
    days: set[date] = set()
    for span in spans:
        day, last = _to_day(span.first), min(_to_day(span.last), now.date())
        while day <= last:
            days.add(day)
            day += _DAY
    return sorted(days)


@dataclass
class _DayWork:
    """What making a day's rows needs; files that neighbouring days share are read once."""

    landing: SourceLanding
    dataset: Dataset
    read: ReadMetrics
    build: BuildRows
    longest_gap: timedelta

    def __post_init__(self) -> None:
        self._read: dict[str, MetricFile] = {}

    def land(self, day: date, spans: Iterable[_Span]) -> None:
        """Deliver a day, if any of its files is new or another."""
        start = to_micros(datetime.combine(day, time(), UTC))
        gap = self.longest_gap // timedelta(microseconds=1)
        files = {
            span.file.relative: span.file
            for span in spans
            if span.first < start + 86_400_000_000 + gap and span.last >= start - gap
        }
        current = self.landing.current_record(self.dataset.name, day.isoformat())
        for artifact in current.artifacts if current is not None else ():
            kept = self.landing.artifact_path(artifact)
            if artifact.relative not in files and kept.exists():
                changed = self.landing.seen.files.get(artifact.relative, {}).get("mtime_ns", 0)
                files[artifact.relative] = SourceFile(
                    kept, artifact.relative, artifact.bytes, changed, artifact.sha256
                )
        listed = [files[name] for name in sorted(files)]
        content = build_digest(*(part for file in listed for part in (file.relative, file.sha256)))
        newest = max(file.modified_at for file in listed)
        facts = DeliveryFacts(
            self.dataset,
            day.isoformat(),
            content,
            self.landing.choose_delivered_at(self.dataset.name, day.isoformat(), newest),
            files=tuple(listed),
        )
        writer = None
        if self.landing.needs_rows(facts):
            writer = self.landing.open_writer(facts)
            try:
                writer.write(self.build(self._gather(listed), day))
            except BaseException:
                writer.discard()
                raise
        self.landing.record(facts, writer)

    def _gather(self, files: Iterable[SourceFile]) -> dict[str, list[Series]]:
        """The series of these files, those of one folder with one name and labels made one."""
        merged: dict[tuple[str, str, tuple[tuple[str, str], ...]], Series] = {}
        wanted = {file.sha256 + file.relative for file in files}
        self._read = {key: found for key, found in self._read.items() if key in wanted}
        for file in files:
            key = file.sha256 + file.relative
            if key not in self._read:
                self.landing.bring_back([file])
                self._read[key] = self.read(file)
            found = self._read[key]
            folder = file.relative.rpartition("/")[0]
            for (name, labels), series in found.series.items():
                own = merged.setdefault((folder, name, labels), Series(name, dict(labels)))
                own.samples += series.samples
        by_folder: dict[str, list[Series]] = {}
        for (folder, _, _), series in sorted(merged.items(), key=lambda entry: entry[0]):
            by_folder.setdefault(folder, []).append(series)
        return by_folder


def _to_day(micros: int) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)).date()
