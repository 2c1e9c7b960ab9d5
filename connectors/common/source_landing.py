"""The landing of one source: its artifacts, typed files, delivery records, findings and quarantine.

What belongs here: the steps that every source shares. What must not: reading a format, or calling a vendor.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from connectors.common.bill_readings import read_readings, write_reading
from connectors.common.contract import (
    BillReading,
    Delivery,
    Finding,
    LandingContext,
    Severity,
    SourceReport,
    TypedFile,
)
from connectors.common.datasets import Dataset
from connectors.common.delivery_records import (
    Artifact,
    DeliveryRecord,
    complete_records,
    find_file_sha256,
    mark_current,
    read_records,
    set_aside_copies,
    write_json,
    write_records,
)
from connectors.common.digests import build_digest, build_settings_digest
from connectors.common.known_records import KnownRecords
from connectors.common.packed_records import pack_manifests
from connectors.common.parsing import build_whole_text
from connectors.common.settings import SourceSettings
from connectors.common.source_files import KNOWN_SUFFIXES, FileFault, SeenIndex, SourceFile, list_paths
from connectors.common.typed_files import PartitionWriter

_QUARANTINED_ROWS_KEPT = 1000
_LONGEST_MESSAGE = 2000
_FOLDERS = ("artifacts", "deliveries", "deliveries/packed", "quarantine", "readings")
REFUSED_ROWS = "quarantined_row"
CORRECT_FILE = "; correct and deliver again"
"""How a finding about refused rows ends while their file is there to be corrected."""
_FILE_IS_GONE = (
    "; the file is gone from the source, and the rows that it delivered besides count until a file of this name "
    "holds its header alone"
)


@dataclass(frozen=True)
class DeliveryFacts:
    """What a connector says about a delivery besides its rows."""

    dataset: Dataset
    scope: str
    content: str  # digest of the delivered content of this scope
    delivered_at: datetime
    files: tuple[SourceFile, ...] = ()
    period: str | None = None
    billed_totals: Mapping[str, Decimal] = field(default_factory=dict)
    invoice_issuers: tuple[str | None, ...] = ()
    billing_account_id: str | None = None
    schema_seen: tuple[str, ...] = ()
    is_always_recorded: bool = (
        False  # a stated delivery time: keep the record though the content is the current one
    )

    @property
    def snapshot_id(self) -> str:
        """Name of the content within its dataset and scope."""
        return build_digest(self.dataset.name, self.scope, self.content)


class SourceLanding:
    """One run's work on one source: its files, records, typed files, findings and quarantine.

    `typing` holds every setting that changes how content becomes typed rows, the connector's schema version
    among them; identity key and tag keys are the caller's to include where they matter.
    """

    def __init__(
        self,
        settings: SourceSettings,
        context: LandingContext,
        *,
        typing: Mapping[str, object],
        keeps_artifacts: bool = True,
    ) -> None:
        self.settings = settings
        self.context = context
        self.source = settings.name
        self.typing_digest = build_settings_digest(typing)
        self.keeps_artifacts = keeps_artifacts
        self.raw = context.lake / "raw" / settings.name
        self.seen = SeenIndex(self.raw / "seen.json")
        if context.as_of is None:
            self._remove_leftovers()
            complete_records(self.raw / "deliveries")
        self._known = KnownRecords(read_records(self.raw / "deliveries", context.lake, self.typing_digest))
        self._pruned = _find_pruned(self.records)
        self._put_off: dict[Path, Callable[[], object]] = {}
        self._findings: list[Finding] = []
        self._gone: frozenset[str] = frozenset()
        self.unreadable: list[str] = []
        """Files of this run that are there and could not be opened."""

    def _remove_leftovers(self) -> None:
        """Remove what a killed run had half written: there is one writer at a time, and none is at work yet."""
        folders = [self.raw, *(self.raw / name for name in _FOLDERS)]
        for dataset in self.context.lake.glob("*"):
            folders += (dataset / self.source).glob("*") if dataset != self.raw.parent else ()
        for folder in folders:
            for name in os.listdir(folder) if folder.is_dir() else ():
                if name.startswith("_tmp-"):
                    (folder / name).unlink(missing_ok=True)

    @property
    def records(self) -> list[DeliveryRecord]:
        """All delivery records of the source, the one written last at the end."""
        return self._known.list()

    @property
    def is_reading_only(self) -> bool:
        """True when the run asks what was known: nothing is fetched, nothing written."""
        return self.context.as_of is not None

    def list_folder(
        self, root: Path, pattern: str, dataset: str, suffixes: tuple[str, ...] = KNOWN_SUFFIXES
    ) -> list[SourceFile]:
        """Return the matching files under a path by relative path; a missing or empty path is a fault."""
        try:
            found, passed_over = list_paths(root, pattern, suffixes)
        except FileFault as fault:
            self.add(dataset, fault.kind, f"{self.source}: {fault}", Severity.FAULT)
            return []
        if passed_over:
            wanted = ", ".join(suffixes)
            message = f"{self.source}: files of other kinds under {root} are passed over; wanted: {wanted}"
            self.add(dataset, "ignored_file", message, Severity.INFO, count=passed_over)
        if not found:
            message = f"{self.source}: no file matches {pattern!r} under {root}; deliver one or correct it"
            self.add(dataset, "empty_folder", message, Severity.FAULT)
        files, is_folder = [], root.is_dir()
        for relative in found:
            try:
                files.append(self.seen.identify(root, relative, is_folder=is_folder))
            except OSError as error:
                self.unreadable.append(relative)
                message = f"{self.source}: {relative} cannot be read ({error.strerror}); correct or remove it"
                self.add(dataset, "unreadable_file", message, Severity.FAULT, file=relative)
        return files

    def add(
        self,
        dataset: str,
        kind: str,
        message: str,
        severity: Severity,
        *,
        count: int = 1,
        file: str | None = None,
        day: date | None = None,
    ) -> Finding:
        """Report a finding of this run and return it; a name in it, however long or broken, can be kept and shown."""
        told = build_whole_text(message)
        if len(told) > _LONGEST_MESSAGE:
            told = f"{told[: _LONGEST_MESSAGE // 2]} … {told[-_LONGEST_MESSAGE // 2 :]}"
        finding = Finding(self.source, dataset, kind, told, severity, count, file, day)
        self._findings.append(finding)
        return finding

    def note_gone(self, present: Iterable[str]) -> None:
        """Remember which delivered files lie in the source no more, given those that do."""
        self._gone = frozenset(self._known.scopes()) - {*present, *self.unreadable}

    def add_findings(self, findings: Iterable[Finding]) -> None:
        """Report findings that were made, or remembered, elsewhere."""
        self._findings.extend(findings)

    def current_record(self, dataset: str, scope: str, at: datetime | None = None) -> DeliveryRecord | None:
        """Return the record that is current for a scope (as known at a time), None when there is none."""
        own = mark_current(self._known.find_of_scope(dataset, scope), at)
        return next((record for record in own if record.delivery.is_current), None)

    def choose_delivered_at(self, dataset: str, scope: str, modified_at: datetime) -> datetime:
        """Return the delivery time of a file that states none: its mtime when first seen.

        Never after the run's clock unless it must be later than the delivery it follows.
        """
        current = self.current_record(dataset, scope)
        moment = min(modified_at, self.context.now)
        if current is None or moment > current.delivery.delivered_at:
            return moment
        return max(self.context.now, current.delivery.delivered_at + timedelta(microseconds=1))

    def needs_rows(self, facts: DeliveryFacts) -> bool:
        """Tell whether the typed files of this content, under these settings, are still to be written."""
        return not any(self.typing_digest in r.typed for r in self._known.find_of_snapshot(facts.snapshot_id))

    def open_writer(self, facts: DeliveryFacts) -> PartitionWriter:
        """Return the writer of this delivery's rows; hand it to `record` when done, or call its `discard`."""
        lake = self.context.lake
        return PartitionWriter(lake, self.source, facts.dataset, facts.snapshot_id, self.typing_digest)

    def record(
        self, facts: DeliveryFacts, writer: PartitionWriter | None, findings: Iterable[Finding] = ()
    ) -> DeliveryRecord:
        """Keep artifacts, name typed files, write the delivery record; what is already current adds nothing.

        `writer` is None when `needs_rows` said that the rows are there.
        """
        wanted = facts.snapshot_id
        same = self._known.find_of_snapshot(wanted)
        current = self.current_record(facts.dataset.name, facts.scope, facts.delivered_at)
        if writer is not None:
            typed, rows = writer.commit(), writer.rows
        else:
            typed, rows = self._typed_before(same), same[0].delivery.rows
        again = next((r for r in same if r.delivery.delivered_at == facts.delivered_at), None)
        if again is not None:
            return self._add_typing(again, typed, tuple(findings))
        is_repeated = current is not None and current.delivery.snapshot_id == wanted
        if current is not None and is_repeated and not facts.is_always_recorded:
            return self._add_typing(current, typed, tuple(findings))
        delivery = self._build_delivery(facts, rows, typed)
        artifacts = tuple(self.keep_artifact(file) for file in facts.files)
        typed_variants = {self.typing_digest: typed}
        record = DeliveryRecord(delivery, artifacts, facts.schema_seen, tuple(findings), typed_variants)
        self.write_records([record])
        return record

    def write_records(self, records: Iterable[DeliveryRecord]) -> None:
        """Write records that count together: all of them or none."""
        written = {record.file_name: record for record in records}
        write_records(self.raw / "deliveries", written.values(), self.context.lake)
        for record in written.values():
            self._known.put(record)

    def known_issuers(self, dataset: str, scope: str) -> tuple[str | None, ...]:
        """Who issued this scope before: a bill restated to nothing is still this feed's bill, and no other's."""
        known = [record.delivery for record in self._known.find_of_scope(dataset, scope)]
        named = [delivery for delivery in known if delivery.invoice_issuers]
        return max(named, key=lambda delivery: delivery.delivered_at).invoice_issuers if named else ()

    def artifact_path(self, artifact: Artifact) -> Path:
        """Return where the content of a delivered file is kept."""
        suffix = "".join(Path(artifact.relative).suffixes[-2:])
        safe = suffix if suffix.replace(".", "").isalnum() and len(suffix) <= 16 else ""
        return self.raw / "artifacts" / f"{artifact.sha256}{safe}"

    def keep_artifact(self, file: SourceFile) -> Artifact:
        """Keep a file as delivered, once by its content, readable by the owner only."""
        artifact = Artifact(file.relative, file.sha256, file.size)
        target = self.artifact_path(artifact)
        if self.keeps_artifacts and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.with_name(f"_tmp-{uuid.uuid4().hex}")
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                with file.path.open("rb") as source, os.fdopen(descriptor, "wb") as copy:
                    shutil.copyfileobj(source, copy, 1 << 20)
                os.replace(temporary, target)
            except BaseException:
                temporary.unlink(missing_ok=True)  # a full disk needs its room back
                raise
        return artifact

    def is_pruned(self, sha256: str) -> bool:
        """Tell whether retention let this content go: some delivery had it, and none that is kept."""
        return sha256 in self._pruned

    def put_off(self, file: SourceFile, bring: Callable[[], object]) -> None:
        """Remember how to make the file of pruned content, should it be read after all."""
        self._put_off[file.path] = bring

    def bring_back(self, files: Iterable[SourceFile]) -> None:
        """Make the files that were put off and are wanted now. Raises what making them raises."""
        for file in files:
            bring = self._put_off.pop(file.path, None)
            if bring is not None and not file.path.exists():
                bring()

    def quarantine(
        self, file: SourceFile, rows: Iterable[tuple[int | None, str, str | None]], count: int | None = None
    ) -> None:
        """Write down which (line, reason, column) of a file were refused, never their content.

        `count`: how many there are, where `rows` are only the first of them.
        """
        listed = list(rows)
        content = {
            "file": file.relative,
            "sha256": file.sha256,
            "noted_at": self.context.now.isoformat(),
            "count": len(listed) if count is None else count,
            "rows": [
                {"line": line, "reason": reason, "column": column}
                for line, reason, column in listed[:_QUARANTINED_ROWS_KEPT]
            ],
        }
        name = build_digest(file.relative, file.sha256, self.typing_digest)
        write_json(self.raw / "quarantine" / f"{name}.json", content)

    def report(self) -> SourceReport:
        """Save the seen index; return the deliveries known (by `as_of`), the current marked, and findings."""
        if not self.is_reading_only:
            self.seen.save()
            unbilled = (r.file_name for r in self.records if r.delivery.period is None)
            pack_manifests(self.raw / "deliveries", unbilled)  # of bills retention prunes single ones
        ordered = sorted(self.records, key=lambda record: record.file_name)
        known, copies = set_aside_copies(mark_current(ordered, self.context.as_of))
        current = [record for record in known if record.delivery.is_current]
        remembered = [told for record in current for told in self._recall_findings(record)]
        findings = tuple(dict.fromkeys([*self._findings, *copies, *remembered]))
        deliveries = tuple(
            r.delivery if r.delivery.file_sha256 == sha256 else replace(r.delivery, file_sha256=sha256)
            for r in known
            for sha256 in (find_file_sha256(r.delivery.period, r.artifacts),)
        )
        readings = read_readings(self.raw / "readings", self.context.as_of)
        return SourceReport(self.source, self.settings.connector, deliveries, findings, readings)

    def note_bill_reading(self, part: str, read_until: datetime) -> None:
        """Remember that the bill was asked for now; what it is known of is on record before this is called.

        Known to the hour, rounded down: a night that is run again within the hour finds nothing new.
        """
        until = read_until.replace(minute=0, second=0, microsecond=0)
        write_reading(self.raw / "readings", BillReading(part, self.context.now, until))

    def _recall_findings(self, record: DeliveryRecord) -> Iterator[Finding]:
        """What is known of a current delivery; refused rows of a file that is gone are nobody's to correct."""
        for finding in record.findings:
            if finding.kind != REFUSED_ROWS or finding.file not in self._gone:
                yield finding
            elif record.delivery.rows:
                message = finding.message.removesuffix(CORRECT_FILE) + _FILE_IS_GONE
                yield replace(finding, message=message, severity=Severity.INFO)

    def _build_delivery(self, facts: DeliveryFacts, rows: int, typed: tuple[TypedFile, ...]) -> Delivery:
        return Delivery(
            source=self.source,
            dataset=facts.dataset.name,
            scope=facts.scope,
            period=facts.period,
            snapshot_id=facts.snapshot_id,
            delivered_at=facts.delivered_at,
            fetched_at=self.context.now,
            rows=rows,
            typed_files=typed,
            billed_totals=dict(facts.billed_totals),
            invoice_issuers=facts.invoice_issuers or self.known_issuers(facts.dataset.name, facts.scope),
            billing_account_id=facts.billing_account_id,
        )

    def _typed_before(self, same: list[DeliveryRecord]) -> tuple[TypedFile, ...]:
        return next(r.typed[self.typing_digest] for r in same if self.typing_digest in r.typed)

    def _add_typing(
        self, record: DeliveryRecord, typed: tuple[TypedFile, ...], findings: tuple[Finding, ...]
    ) -> DeliveryRecord:
        """Add the typed files of changed settings to a record that is there."""
        if self.typing_digest in record.typed:
            return record
        variants = {**record.typed, self.typing_digest: typed}
        delivery = replace(record.delivery, typed_files=typed)
        changed = replace(record, delivery=delivery, typed=variants, findings=findings)
        self.write_records([changed])
        return changed


def _find_pruned(records: Iterable[DeliveryRecord]) -> frozenset[str]:
    """Digests of the content that only pruned deliveries had: their records list no typing any more."""
    gone, kept = set[str](), set[str]()
    for record in records:
        (kept if record.typed else gone).update(artifact.sha256 for artifact in record.artifacts)
    return frozenset(gone - kept)
