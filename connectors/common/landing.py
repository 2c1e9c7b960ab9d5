"""Landing of independent files: one file is one scope, its newest content is current.

What belongs here: what a file connector's `read` function is given, and the loop over files.
What must not: reading a format. Sources that form deliveries of several files (bills) use `SourceLanding`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pyarrow as pa

from connectors.common.contract import (
    ConnectorError,
    Finding,
    LandingContext,
    Severity,
    SourceReport,
)
from connectors.common.datasets import Dataset
from connectors.common.defects import UNEXPECTED, describe_unexpected
from connectors.common.delivery_records import (
    finding_from_json,
    finding_to_json,
)
from connectors.common.file_listing import list_source_files
from connectors.common.settings import FileSourceSettings
from connectors.common.source_files import KNOWN_SUFFIXES, FileFault, SourceFile
from connectors.common.source_landing import CORRECT_FILE, REFUSED_ROWS, DeliveryFacts, SourceLanding
from connectors.common.stores.settings import StoredFileSettings

EXPECTED = (ConnectorError, pa.ArrowException, OSError, UnicodeDecodeError)
"""What a file that cannot be read raises; all else is a defect, and the file is tried again by the next run."""

_LINES_TOLD = 3
_REFUSED_KEPT = 1000


class FileNotes:
    """What is said of one file, or of another part of a source: findings and refused rows, never their content."""

    def __init__(self, landing: SourceLanding, file: SourceFile, dataset: str) -> None:
        self._landing = landing
        self._file = file
        self._main = dataset
        self._refused: list[tuple[int | None, str, str | None]] = []
        self._refused_counts: Counter[tuple[str, str]] = Counter()
        self._refused_lines: dict[tuple[str, str], list[str]] = defaultdict(list)
        self.findings: list[Finding] = []

    @property
    def file(self) -> SourceFile:
        """The file being read."""
        return self._file

    def add(
        self, kind: str, message: str, severity: Severity, *, count: int = 1, day: date | None = None
    ) -> None:
        """Report a finding about this file; `message` need not name the source or the file, it is added."""
        text = f"{self._landing.source}: {self._file.relative}: {message}"
        name = self._landing.source
        self.findings.append(Finding(name, self._main, kind, text, severity, count, self._file.relative, day))

    def quarantine(self, line: int | None, reason: str, column: str | None = None) -> None:
        """Refuse one row: the line number in the file and a reason without any content of the row."""
        told = (reason, column or "")
        self._refused_counts[told] += 1
        if self._refused_counts[told] <= _LINES_TOLD:
            self._refused_lines[told].append(str(line))
        if len(self._refused) < _REFUSED_KEPT:
            self._refused.append((line, reason, column))

    def tell_refused(self) -> None:
        """Write down the refused rows, and sum them up as findings."""
        for (reason, column), count in sorted(self._refused_counts.items()):
            lines = self._refused_lines[reason, column]
            where = f"column {column}, " if column else ""
            more = ", …" if count > len(lines) else ""
            where += f"lines {', '.join(lines)}{more}"
            message = f"{count} rows refused ({where}): {reason}{CORRECT_FILE}"
            self.add(REFUSED_ROWS, message, Severity.WARN, count=count)
        if self._refused:
            self._landing.quarantine(self._file, self._refused, self._refused_counts.total())

    def tell_unreadable(self, error: BaseException) -> None:
        """Say why the file is refused as a whole; nothing else of it counts."""
        kind = error.kind if isinstance(error, FileFault) else "unreadable_file"
        line, column = (error.line, error.column) if isinstance(error, FileFault) else (None, None)
        if isinstance(error, ConnectorError):
            reason = str(error)
        elif isinstance(error, EXPECTED):
            reason = f"cannot be read ({type(error).__name__})"
        else:
            reason = (
                f"holds what is not expected ({describe_unexpected(error)}); nothing of it counts, and the next run "
                "tries it again: report this sentence as a defect of everycent"
            )
        self.findings.clear()
        self.add(kind, reason, Severity.FAULT)
        self._landing.quarantine(self._file, [(line, kind, column)])


class FileDelivery(FileNotes):
    """What a `read` function of `land_files` gets: where rows, findings and refused rows of one file go."""

    def __init__(self, landing: SourceLanding, file: SourceFile, datasets: tuple[Dataset, ...]) -> None:
        super().__init__(landing, file, datasets[0].name)
        delivered_at = landing.choose_delivered_at(datasets[0].name, file.relative, file.modified_at)
        self._facts = {
            d.name: DeliveryFacts(d, file.relative, file.sha256, delivered_at, files=(file,))
            for d in datasets
        }
        self._writers = {name: landing.open_writer(facts) for name, facts in self._facts.items()}
        self._schema_seen: tuple[str, ...] = ()

    @property
    def follows_another(self) -> bool:
        """Whether a file of this name with other content was delivered before."""
        known = self._landing.current_record(self._main, self._file.relative)
        return known is not None and self._file.sha256 not in {a.sha256 for a in known.artifacts}

    def write(self, dataset: str, table: pa.Table) -> None:
        """Add rows of a dataset (any subset of its columns); may be called once a batch."""
        self._writers[dataset].write(table)

    def note_schema(self, columns: Iterable[str]) -> None:
        """Keep which columns the file had."""
        self._schema_seen = tuple(columns)

    def finish(self) -> None:
        """Record the deliveries of this file, one a dataset, and its refused rows as findings."""
        self.tell_refused()
        for name, facts in self._facts.items():
            complete = replace(facts, schema_seen=self._schema_seen)
            findings = self.findings if name == self._main else ()
            self._landing.record(complete, self._writers[name], findings)

    def discard(self) -> None:
        """Forget the rows of a file that is refused as a whole."""
        for writer in self._writers.values():
            writer.discard()


def land_files(
    settings: FileSourceSettings | StoredFileSettings,
    context: LandingContext,
    datasets: tuple[Dataset, ...],
    read: Callable[[SourceFile, FileDelivery], None],
    *,
    typing: Mapping[str, object],
    keeps_artifacts: bool = True,
    suffixes: tuple[str, ...] = KNOWN_SUFFIXES,
) -> SourceReport:
    """Land a folder of independent files: each file is one scope, its newest content is current.

    `read(file, delivery)` writes the file's rows; it raises ConnectorError (FileFault to name the kind) to
    refuse the file as a whole, whose last good content then stays current. Raises ConnectorError when an object
    store cannot be listed or read.
    """
    landing = SourceLanding(settings, context, typing=typing, keeps_artifacts=keeps_artifacts)
    if landing.is_reading_only:
        return landing.report()
    files = list_source_files(landing, settings, datasets[0].name, suffixes)
    for file in files:
        outcome = landing.seen.read_outcome(file, landing.typing_digest)
        if outcome is None:
            landing.bring_back([file])
            outcome = land_file(landing, file, datasets, read)
            note_outcome(landing, file, outcome)
        landing.add_findings(finding_from_json(f) for f in outcome["findings"])
    if files:
        landing.note_gone(file.relative for file in files)
    retype_missing(landing, {file.relative for file in files}, datasets, read)
    return landing.report()


def land_file(
    landing: SourceLanding,
    file: SourceFile,
    datasets: tuple[Dataset, ...],
    read: Callable[[SourceFile, FileDelivery], None],
) -> dict[str, Any]:
    """Read one file into its deliveries; return what `SeenIndex.write_outcome` remembers of it."""
    delivery = FileDelivery(landing, file, datasets)
    try:
        read(file, delivery)
    except UNEXPECTED as error:
        delivery.discard()
        delivery.tell_unreadable(error)
        findings = [finding_to_json(finding) for finding in delivery.findings]
        return (
            {"findings": findings}
            if isinstance(error, EXPECTED)
            else {"findings": findings, _TRY_AGAIN: True}
        )
    delivery.finish()
    return {"findings": [finding_to_json(finding) for finding in delivery.findings]}


_TRY_AGAIN = "try_again"


def note_outcome(landing: SourceLanding, file: SourceFile, outcome: dict[str, Any]) -> None:
    """Remember what came of a file, unless a defect of ours is why: then the next run tries it again."""
    if _TRY_AGAIN not in outcome:
        landing.seen.write_outcome(file, landing.typing_digest, outcome)


def retype_missing(
    landing: SourceLanding,
    present: set[str],
    datasets: tuple[Dataset, ...],
    read: Callable[[SourceFile, FileDelivery], None],
) -> None:
    """Write typed files anew, from the kept artifacts, where settings changed and the file is gone."""
    main = datasets[0].name
    for record in landing.records:
        delivery = record.delivery
        is_wanted = delivery.dataset == main and record.artifacts and delivery.scope not in present
        if not is_wanted or landing.typing_digest in record.typed:
            continue
        current = landing.current_record(main, delivery.scope)
        if current is None or current.file_name != record.file_name:
            continue
        artifact = record.artifacts[0]
        path = landing.artifact_path(artifact)
        if path.exists():
            kept = SourceFile(
                path, artifact.relative, artifact.bytes, path.stat().st_mtime_ns, artifact.sha256
            )
            land_file(landing, kept, datasets, read)
        else:
            message = f"{landing.source}: {artifact.relative} is gone; its rows keep their older settings"
            landing.add(delivery.dataset, "old_typing", message, Severity.INFO, file=artifact.relative)
