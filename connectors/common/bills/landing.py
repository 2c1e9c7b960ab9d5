"""Landing bills: a delivery's files become typed lines and one delivery record an account and period.

What belongs here: what a delivery replaces, when it adds nothing, what refuses it. What must not: file formats,
typing of columns, or a vendor.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from connectors.common.bills.contract import BillDelivery, BillFormat
from connectors.common.bills.line_digests import ContentDigest, Seed
from connectors.common.bills.lines import Oddity
from connectors.common.bills.reading import BadFileError, DeliveryReading, ScopeTotals, read_delivery
from connectors.common.bills.scope_files import ScopeFiles
from connectors.common.bills.sketches import find_doubles
from connectors.common.contract import Delivery, Finding, Severity, TypedFile
from connectors.common.delivery_records import (
    Artifact,
    DeliveryRecord,
    finding_from_json,
    finding_to_json,
    is_added,
    mark_current,
)
from connectors.common.digests import build_digest
from connectors.common.schema_contract import describe_columns
from connectors.common.source_files import SourceFile
from connectors.common.source_landing import SourceLanding


@dataclass(frozen=True)
class _Refusal:
    """Why a delivery is not taken over."""

    finding: Finding


class BillLanding:
    """Lands the bills of one source in one format; call `deliver` for each delivery, then `finish`."""

    def __init__(self, landing: SourceLanding, bill_format: BillFormat) -> None:
        self._landing = landing
        self._format = bill_format
        self._dataset = bill_format.dataset

    def deliver(self, delivery: BillDelivery) -> bool:
        """Land a delivery whole, or refuse it with findings; return whether it is (or already was) landed.

        Nothing is read when the same files were delivered before under the same settings. A refused delivery
        leaves the last good bill of all its accounts and periods.
        """
        landing = self._landing
        if landing.is_reading_only:
            return True
        stated = self._describe(delivery)
        note_key = f"delivery {self._dataset.name}\n{delivery.key}\n{stated['delivered_at'] or ''}"
        note: dict[str, Any] | None = landing.seen.notes.get(note_key)
        if note is None or not (note["delivery"] == stated or _is_let_go(delivery, note["delivery"], stated)):
            landing.bring_back(delivery.files)
            findings, is_landed = self._land(delivery, delivery.files)
            note = {
                "delivery": stated,
                "findings": [finding_to_json(finding) for finding in findings],
                "is_landed": is_landed,
            }
            landing.seen.write_note(note_key, note)
        landing.add_findings(finding_from_json(finding) for finding in note["findings"])
        return note["is_landed"]

    def find_scopes(self, files: Iterable[SourceFile]) -> frozenset[str]:
        """Return the accounts and periods (`account|YYYY-MM`) that records of these very files hold lines of."""
        digests = {file.sha256 for file in files}
        return frozenset(
            _plain_scope(record.delivery)
            for record in self._landing.records
            if record.delivery.rows and digests & {artifact.sha256 for artifact in record.artifacts}
        )

    def finish(self) -> None:
        """Type current deliveries anew, from kept artifacts, where settings changed and their files are gone."""
        landing = self._landing
        if landing.is_reading_only:
            return
        untyped: dict[tuple[Artifact, ...], list[DeliveryRecord]] = {}
        for record in mark_current(landing.records):
            is_own = record.delivery.dataset == self._dataset.name
            if is_own and record.delivery.is_current and landing.typing_digest not in record.typed:
                untyped.setdefault(record.artifacts, []).append(record)
        for artifacts, records in untyped.items():
            self._retype(artifacts, records)

    def _describe(self, delivery: BillDelivery) -> dict[str, Any]:
        """What decides whether a delivery was seen before, in JSON values."""
        return {
            "files": sorted([file.relative, file.sha256] for file in delivery.files),
            "typing": self._landing.typing_digest,
            "delivered_at": delivery.delivered_at.isoformat() if delivery.is_stated else None,
            "mode": delivery.mode,
            "expected_rows": delivery.expected_rows,
            "part": delivery.part,
        }

    def _land(self, delivery: BillDelivery, files: tuple[SourceFile, ...]) -> tuple[list[Finding], bool]:
        ordered = sorted(files, key=lambda file: file.relative)
        target = self._open_files(lambda scope: self._name_snapshot(delivery, scope, files))
        try:
            reading = read_delivery(
                ordered, self._format, self._seeds(delivery), target, sketches=delivery.may_be_doubled
            )
            refusal = self._check_rows(delivery, reading)
            if refusal is not None:
                return [refusal.finding], False
            doubled = self._find_doubled(reading) if delivery.may_be_doubled else {}
            if not doubled:
                return self._record(delivery, reading, tuple(ordered)), True
        except BadFileError as bad:
            return [self._refuse(bad)], False
        finally:
            target.discard()
        findings = [self._doubled_finding(*pairs[0], scope) for scope, pairs in doubled.items()]
        if any(self._current(delivery, scope) is not None for scope in doubled):
            return findings, False
        refused = {later for pairs in doubled.values() for _, later in pairs}
        rest = tuple(file for file in files if file.relative not in refused)
        more, _ = self._land(replace(delivery, may_be_doubled=False), rest)
        return [*findings, *more], False

    def _open_files(self, name_snapshot: Any) -> ScopeFiles:
        landing = self._landing
        lake, typing = landing.context.lake, landing.typing_digest
        return ScopeFiles(lake, landing.source, self._dataset, typing, name_snapshot)

    def _seeds(self, delivery: BillDelivery) -> tuple[Seed, Seed]:
        """Begin charge ids with the feed's name; where deliveries add up, also with the delivery's key.

        Without the key, identical lines of two such deliveries would share their names.
        """
        feed = self._landing.source
        own = (feed, delivery.key) if delivery.mode == "append" else (feed,)
        return Seed.of(*own), Seed.of(feed)

    def _name_snapshot(self, delivery: BillDelivery, scope: str, files: Iterable[SourceFile]) -> str:
        digests = sorted(file.sha256 for file in files)
        return build_digest(self._dataset.name, _record_scope(delivery, scope), *digests)

    def _check_rows(self, delivery: BillDelivery, reading: DeliveryReading) -> _Refusal | None:
        expected = delivery.expected_rows
        if expected is None or expected == reading.rows:
            return None
        message = (
            f"{self._landing.source}: {delivery.key}: the files hold {reading.rows:,} lines, the manifest states "
            f"{expected:,}; deliver it again"
        )
        return _Refusal(self._finding("row_count_mismatch", message, Severity.FAULT))

    def _refuse(self, bad: BadFileError) -> Finding:
        fault = bad.fault
        self._landing.quarantine(bad.file, [(fault.line, fault.kind, fault.column)])
        message = f"{self._landing.source}: {bad.file.relative}: {fault}"
        return self._finding(fault.kind, message, Severity.FAULT, file=bad.file.relative)

    def _record(
        self, delivery: BillDelivery, reading: DeliveryReading, files: tuple[SourceFile, ...]
    ) -> list[Finding]:
        """Write the records of all scopes at once; return what is odd about the files."""
        landing = self._landing
        findings = self._describe_files(reading)
        artifacts = tuple(landing.keep_artifact(file) for file in files)
        records = []
        for scope, totals in sorted(reading.scopes.items()):
            own = [*findings, *self._describe_scope(scope, totals)]
            record = self._record_scope(delivery, scope, totals, reading, own)
            if record is not None:
                records.append(replace(record, artifacts=record.artifacts or artifacts))
        for scope in self._vanished_scopes(delivery, reading):
            records.append(replace(self._build_empty(delivery, scope), artifacts=artifacts))
        records += self._emptied_later(delivery, reading)
        landing.write_records(records)
        repeated = [
            odd for scope, totals in reading.scopes.items() for odd in self._describe_scope(scope, totals)
        ]
        return [*findings, *repeated, *self._describe_empty(delivery, reading)]

    def _record_scope(
        self,
        delivery: BillDelivery,
        scope: str,
        totals: ScopeTotals,
        reading: DeliveryReading,
        findings: list[Finding],
    ) -> DeliveryRecord | None:
        """Return the record to write for a scope, None when its lines are already the current ones."""
        landing = self._landing
        typing = landing.typing_digest
        record_scope = _record_scope(delivery, scope)
        content = self._content(delivery, scope, totals.content)
        delivered_at = self._delivered_at(delivery, record_scope)
        own_id = reading.files.snapshot_id(scope)
        wanted = (self._dataset.name, record_scope, content)
        same = [
            r for r in landing.records if (r.delivery.dataset, r.delivery.scope, r.delivery.content) == wanted
        ]
        there = next((r for r in same if r.delivery.delivered_at == delivered_at), None)
        if there is None and not delivery.is_stated:
            current = landing.current_record(self._dataset.name, record_scope)
            there = current if current is not None and current.delivery.content == content else None
        if there is not None:
            if typing in there.typed or there.delivery.snapshot_id != own_id:
                return None
            typed = reading.files.commit(scope, content)
            return _with_typing(there, typing, typed, tuple(findings))
        twin = next((record for record in same if typing in record.typed), None)
        snapshot_id = own_id if twin is None else twin.delivery.snapshot_id
        typed = reading.files.commit(scope, content) if twin is None else twin.typed[typing]
        facts = self._build_delivery(delivery, scope, delivered_at, snapshot_id, content)
        facts = replace(
            facts,
            rows=totals.rows,
            typed_files=typed,
            billed_totals=dict(sorted(totals.billed.items())),
            invoice_issuers=tuple(sorted(totals.issuers, key=lambda name: (name is not None, name or ""))),
        )
        return DeliveryRecord(facts, (), reading.schema_seen, tuple(findings), {typing: typed})

    def _build_delivery(
        self, delivery: BillDelivery, scope: str, delivered_at: datetime, snapshot_id: str, content: str
    ) -> Delivery:
        account, _, period = scope.rpartition("|")
        return Delivery(
            source=self._landing.source,
            dataset=self._dataset.name,
            scope=_record_scope(delivery, scope),
            period=period,
            snapshot_id=snapshot_id,
            delivered_at=delivered_at,
            fetched_at=self._landing.context.now,
            rows=0,
            typed_files=(),
            billing_account_id=account,
            content=content,
            delivery_key=delivery.key,
        )

    def _build_empty(
        self, delivery: BillDelivery, scope: str, delivered_at: datetime | None = None
    ) -> DeliveryRecord:
        """Return the record of a scope without lines, issued by whom it was issued before."""
        record_scope = _record_scope(delivery, scope)
        moment = delivered_at or self._delivered_at(delivery, record_scope)
        content = self._content(delivery, scope, ContentDigest())
        snapshot_id = build_digest(self._dataset.name, record_scope, content)
        empty = self._build_delivery(delivery, scope, moment, snapshot_id, content)
        issuers = self._landing.known_issuers(self._dataset.name, record_scope)
        return DeliveryRecord(
            replace(empty, invoice_issuers=issuers), typed={self._landing.typing_digest: ()}
        )

    def _vanished_scopes(self, delivery: BillDelivery, reading: DeliveryReading) -> list[str]:
        """Scopes that the same key had at that time, and those it is known to cover, without a line now."""
        scopes = set(delivery.covers)
        if delivery.is_complete:
            known = [r.delivery for r in self._landing.records if self._is_of(r, delivery)]
            scopes |= {_plain_scope(d) for d in known}
        vanished = []
        for scope in sorted(scopes - reading.scopes.keys()):
            at = delivery.delivered_at if delivery.is_stated else None
            current = self._landing.current_record(self._dataset.name, _record_scope(delivery, scope), at)
            if (
                current is not None
                and current.delivery.rows
                and (scope in delivery.covers or current.delivery.delivery_key == delivery.key)
            ):
                vanished.append(scope)
        return vanished

    def _emptied_later(self, delivery: BillDelivery, reading: DeliveryReading) -> list[DeliveryRecord]:
        """Records for a newer delivery of the key that was landed first and has not all of these scopes."""
        if not (delivery.is_stated and delivery.is_complete):
            return []
        own = [record for record in self._landing.records if self._is_of(record, delivery)]
        times = {record.delivery.delivered_at for record in own} | self._note_time(delivery)
        later = [moment for moment in times if moment > delivery.delivered_at]
        if not later:
            return []
        moment = min(later)
        there = [record for record in own if record.delivery.delivered_at == moment]
        missing = reading.scopes.keys() - {_plain_scope(record.delivery) for record in there}
        return [
            replace(self._build_empty(delivery, scope, moment), artifacts=there[0].artifacts if there else ())
            for scope in sorted(missing)
        ]

    def _note_time(self, delivery: BillDelivery) -> set[datetime]:
        """Remember when deliveries of a key came, also those that left no record, and return all these times."""
        note_key = f"delivered {self._dataset.name}\n{delivery.key}"
        known: list[str] = self._landing.seen.notes.get(note_key, [])
        times = sorted({*known, delivery.delivered_at.isoformat()})
        self._landing.seen.write_note(note_key, times)
        return {datetime.fromisoformat(moment) for moment in times}

    def _is_of(self, record: DeliveryRecord, delivery: BillDelivery) -> bool:
        key = record.delivery.dataset, record.delivery.delivery_key
        return key == (self._dataset.name, delivery.key)

    def _delivered_at(self, delivery: BillDelivery, record_scope: str) -> datetime:
        if delivery.is_stated:
            return delivery.delivered_at
        return self._landing.choose_delivered_at(self._dataset.name, record_scope, delivery.delivered_at)

    def _content(self, delivery: BillDelivery, scope: str, content: ContentDigest) -> str:
        return build_digest(self._landing.source, _record_scope(delivery, scope), content.hexdigest())

    def _current(self, delivery: BillDelivery, scope: str) -> DeliveryRecord | None:
        return self._landing.current_record(self._dataset.name, _record_scope(delivery, scope))

    def _find_doubled(self, reading: DeliveryReading) -> dict[str, list[tuple[str, str]]]:
        found = {scope: find_doubles(totals.sketches) for scope, totals in reading.scopes.items()}
        return {scope: pairs for scope, pairs in sorted(found.items()) if pairs}

    def _retype(self, artifacts: tuple[Artifact, ...], records: list[DeliveryRecord]) -> None:
        landing = self._landing
        kept = [SourceFile(landing.artifact_path(a), a.relative, a.bytes, 0, a.sha256) for a in artifacts]
        if not all(file.path.exists() for file in kept):
            return
        by_scope = {_plain_scope(record.delivery): record for record in records}
        first = records[0].delivery
        mode = "append" if is_added(first) else "replace"
        as_delivered = BillDelivery(first.delivery_key or "", tuple(kept), first.delivered_at, mode)
        target = self._open_files(lambda scope: by_scope[scope].delivery.snapshot_id)
        try:
            reading = read_delivery(
                kept, self._format, self._seeds(as_delivered), target, only=frozenset(by_scope)
            )
            self._record_typing(reading, by_scope)
        except BadFileError as bad:
            message = (
                f"{landing.source}: {', '.join(sorted(by_scope))}: kept artifact {bad.file.relative}: {bad.fault}; "
                "its rows keep the older settings"
            )
            landing.add_findings([self._finding("old_typing", message, Severity.WARN)])
        finally:
            target.discard()

    def _record_typing(self, reading: DeliveryReading, by_scope: dict[str, DeliveryRecord]) -> None:
        landing = self._landing
        findings = self._describe_files(reading)
        changed = []
        for scope, record in sorted(by_scope.items()):
            totals = reading.scopes.get(scope, ScopeTotals())
            own = (*findings, *self._describe_scope(scope, totals))
            content = build_digest(landing.source, record.delivery.scope, totals.content.hexdigest())
            typed = reading.files.commit(scope, content)
            known = replace(record, delivery=replace(record.delivery, content=content))
            changed.append(_with_typing(known, landing.typing_digest, typed, own))
        landing.write_records(changed)

    def _describe_files(self, reading: DeliveryReading) -> list[Finding]:
        source = self._landing.source
        findings = [
            self._oddity_finding(odd, f"{source}: {relative}", relative)
            for relative, oddities in reading.oddities.items()
            for odd in oddities.list()
        ]
        return findings + self._gone_columns(reading)

    def _describe_scope(self, scope: str, totals: ScopeTotals) -> list[Finding]:
        if not totals.repeated:
            return []
        message = (
            "lines identical to another line are kept: a vendor may bill one thing twice; look if in doubt"
        )
        odd = Oddity("identical_lines", message, Severity.INFO, totals.repeated)
        return [self._oddity_finding(odd, f"{self._landing.source}: {scope}", None)]

    def _describe_empty(self, delivery: BillDelivery, reading: DeliveryReading) -> list[Finding]:
        """Tell of a delivery without any line: what it empties, or that it says nothing."""
        if reading.rows or not delivery.files:
            return []
        emptied = self._emptied_scopes(delivery)
        where = f"{self._landing.source}: {delivery.files[0].relative}"
        message = (
            "has a header and no lines, and never had any: nothing is known about its account and period"
        )
        odd = Oddity("header_only", message, Severity.WARN)
        if emptied:
            message = f"has a header and no lines: {', '.join(emptied)} is now delivered as empty"
            odd = Oddity("header_only", message, Severity.INFO)
        return [self._oddity_finding(odd, where, delivery.files[0].relative)]

    def _emptied_scopes(self, delivery: BillDelivery) -> list[str]:
        own = {_plain_scope(r.delivery) for r in self._landing.records if self._is_of(r, delivery)}
        return sorted(own | delivery.covers if delivery.is_complete else delivery.covers)

    def _gone_columns(self, reading: DeliveryReading) -> list[Finding]:
        """Report known columns that the source's newest bill had and this delivery has not."""
        records = [
            r for r in self._landing.records if r.delivery.dataset == self._dataset.name and r.schema_seen
        ]
        if not records or not reading.oddities:
            return []
        newest = max(records, key=lambda record: record.delivery.delivered_at)
        known = self._format.columns.keys() | self._format.json_columns
        gone = set(newest.schema_seen) & known - set(reading.schema_seen)
        if not gone:
            return []
        message = f"columns of earlier bills are gone: {describe_columns(gone)}; ask the vendor"
        relative = next(iter(reading.oddities))
        odd = Oddity("column_gone", message, Severity.WARN, len(gone))
        return [self._oddity_finding(odd, f"{self._landing.source}: {relative}", relative)]

    def _doubled_finding(self, first: str, second: str, scope: str) -> Finding:
        message = (
            f"{self._landing.source}: {scope}: {first} and {second} share more than half of their lines: two "
            "deliveries of one bill? Declare delivered_at_pattern, write a manifest, or remove one file; until "
            "then the earlier delivery counts"
        )
        return self._finding("ambiguous_delivery", message, Severity.FAULT, file=second)

    def _oddity_finding(self, odd: Oddity, where: str, file: str | None) -> Finding:
        message = f"{where}: {odd.message}"
        return self._finding(odd.kind, message, odd.severity, count=odd.count, file=file)

    def _finding(
        self, kind: str, message: str, severity: Severity, *, count: int = 1, file: str | None = None
    ) -> Finding:
        return Finding(self._landing.source, self._dataset.name, kind, message, severity, count, file)


def _is_let_go(delivery: BillDelivery, noted: dict[str, Any], stated: dict[str, Any]) -> bool:
    """Whether a delivery's content went by retention: changed settings are no reason to bring it back."""
    is_same = noted | {"typing": None} == stated | {"typing": None}
    return is_same and not all(file.path.exists() for file in delivery.files)


def _record_scope(delivery: BillDelivery, scope: str) -> str:
    """Within a record's scope the newest delivery replaces: account, period, and what tells parts apart."""
    own = delivery.key if delivery.mode == "append" else delivery.part
    return f"{scope}|{own}" if own else scope


def _plain_scope(delivery: Delivery) -> str:
    return f"{delivery.billing_account_id}|{delivery.period}"


def _with_typing(
    record: DeliveryRecord, typing: str, typed: tuple[TypedFile, ...], findings: tuple[Finding, ...]
) -> DeliveryRecord:
    variants = {**record.typed, typing: typed}
    delivery = replace(record.delivery, typed_files=typed)
    return replace(record, delivery=delivery, typed=variants, findings=findings)
