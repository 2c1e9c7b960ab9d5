"""Landing FOCUS files: files → deliveries by billing account and period → `charges`.

What belongs here: which scopes must be delivered (again) and what stops them. What must not: reading a bill's
columns (`bill_lines.py`), or grouping files (`bill_groups.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pyarrow as pa

from connectors.common.contract import Finding, LandingContext, Severity, SourceReport
from connectors.common.datasets import CHARGES
from connectors.common.delivery_records import finding_from_json, finding_to_json, mark_current
from connectors.common.schema_contract import describe_columns
from connectors.common.source_files import FileFault, SourceFile
from connectors.common.source_landing import SourceLanding
from connectors.common.tabular import read_text_table
from connectors.focus_files import schema
from connectors.focus_files.bill_groups import MANIFEST_SUFFIX, BillGroup, build_groups
from connectors.focus_files.bill_lines import BillLines, Oddity, build_bill_lines, guess_scopes
from connectors.focus_files.bill_scope import build_scope_bill, find_double_delivery
from connectors.focus_files.settings import Settings

_SUFFIXES = (".csv", ".csv.gz", ".parquet", MANIFEST_SUFFIX)
_DATASET = CHARGES.name


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land all FOCUS files of a source; a bad file is a finding, its scopes keep the last good snapshot."""
    typing = {
        "schema": schema.SCHEMA_VERSION,
        "tag_keys": {key: list(names) for key, names in sorted(context.tag_keys.items())},
        "identity": context.identity.key_id,
    }
    landing = SourceLanding(settings, context, typing=typing)
    if landing.is_reading_only:
        return landing.report()
    return _FocusLanding(landing, settings).run()


@dataclass(frozen=True)
class _Coverage:
    """What one file covers: its scopes; a faulty file stops the scopes that it seems to cover."""

    scopes: tuple[str, ...]
    is_faulty: bool


class _FocusLanding:
    """One run: reads each new file once and keeps its lines until the deliveries are written."""

    def __init__(self, landing: SourceLanding, settings: Settings) -> None:
        self._landing = landing
        self._settings = settings
        self._lines: dict[tuple[str, str], BillLines] = {}

    def run(self) -> SourceReport:
        files = self._landing.list_files(_DATASET, _SUFFIXES)
        groups, faults = build_groups(files, self._settings)
        for fault in faults:
            message = f"{self._landing.source}: {fault.file.relative}: {fault.message}"
            self._landing.add(_DATASET, fault.kind, message, Severity.FAULT, file=fault.file.relative)
        for group in groups:
            self._land_group(group)
        self._retype_missing()
        return self._landing.report()

    def _land_group(self, group: BillGroup) -> None:
        coverage = {file: self._read_coverage(file) for file in group.files}
        stopped = {scope for covered in coverage.values() if covered.is_faulty for scope in covered.scopes}
        stopped |= self._scopes_of_unreadable()
        if group.is_stated and any(covered.is_faulty for covered in coverage.values()):
            return
        by_scope: dict[str, list[SourceFile]] = {}
        for file, covered in coverage.items():
            for scope in () if covered.is_faulty else covered.scopes:
                by_scope.setdefault(scope, []).append(file)
        for scope in sorted(by_scope.keys() - stopped):
            self._land_scope(group, scope, sorted(by_scope[scope], key=lambda file: file.relative))

    def _scopes_of_unreadable(self) -> set[str]:
        """The scopes of files that cannot be opened: without them the rest would pass for the whole bill."""
        notes = self._landing.seen.notes
        return {scope for name in self._landing.unreadable for scope in notes.get(f"path {name}", [])}

    def _land_scope(self, group: BillGroup, scope: str, files: list[SourceFile]) -> None:
        """Deliver a scope unless exactly these files were delivered before under the same settings."""
        landing = self._landing
        key = f"{scope}\n{group.key}"
        delivered_from = {file.relative: file.sha256 for file in files}
        note = landing.seen.notes.get(key)
        if not note or (note["files"], note["typing"]) != (delivered_from, landing.typing_digest):
            findings = self._deliver(group, scope, files)
            note = {
                "files": delivered_from,
                "typing": landing.typing_digest,
                "findings": [finding_to_json(finding) for finding in findings],
            }
            landing.seen.write_note(key, note)
        landing.add_findings(finding_from_json(finding) for finding in note["findings"])

    def _deliver(self, group: BillGroup, scope: str, files: list[SourceFile]) -> list[Finding]:
        """Write the delivery of one scope; return findings that stand beside its record."""
        landing = self._landing
        record_scope = f"{scope}|{group.key}" if self._settings.delivery == "append" else scope
        problems: list[Finding] = []
        chosen = [(file, self._read_lines(file)) for file in files]
        if not group.is_stated:
            doubled = find_double_delivery(scope, chosen)
            if doubled:
                problems.append(self._double_delivery_finding(scope, *doubled[0]))
                if landing.current_record(_DATASET, record_scope) is not None:
                    return problems
                refused = {second for _, second in doubled}
                chosen = [(file, lines) for file, lines in chosen if file not in refused]
        delivered_at = group.delivered_at or self._choose_delivered_at(record_scope, files)
        self._record(record_scope, scope, chosen, delivered_at, is_stated=group.is_stated)
        return problems

    def _record(
        self,
        record_scope: str,
        scope: str,
        chosen: list[tuple[SourceFile, BillLines]],
        delivered_at: datetime,
        *,
        is_stated: bool,
    ) -> None:
        landing = self._landing
        bill = build_scope_bill(scope, chosen, delivered_at)
        facts = replace(bill.facts, scope=record_scope, is_always_recorded=is_stated)
        findings = [self._build_finding(oddity, scope) for oddity in bill.oddities]
        for file, _ in chosen:
            outcome = landing.seen.read_outcome(file, landing.typing_digest)
            findings += [finding_from_json(f) for f in outcome["findings"]] if outcome else []
        if not landing.needs_rows(facts):
            landing.record(facts, None, findings)
            return
        writer = landing.open_writer(facts)
        try:
            writer.write(bill.table)
        except BaseException:
            writer.discard()
            raise
        landing.record(facts, writer, findings)

    def _choose_delivered_at(self, scope: str, files: Iterable[SourceFile]) -> datetime:
        newest = max(file.modified_at for file in files)
        return self._landing.choose_delivered_at(_DATASET, scope, newest)

    def _read_coverage(self, file: SourceFile) -> _Coverage:
        """Return what a file covers, from the seen index or by reading it; its findings are reported."""
        landing = self._landing
        outcome = landing.seen.read_outcome(file, landing.typing_digest)
        if outcome is None:
            outcome = self._read_file(file)
            landing.seen.write_outcome(file, landing.typing_digest, outcome)
        landing.add_findings(finding_from_json(finding) for finding in outcome["findings"])
        return _Coverage(tuple(outcome["scopes"]), outcome["is_faulty"])

    def _read_file(self, file: SourceFile) -> dict[str, Any]:
        """Read a new file; an empty or unreadable one covers what its path covered before."""
        landing = self._landing
        path_key = f"path {file.relative}"
        before: list[str] = landing.seen.notes.get(path_key, [])
        text: pa.Table | None = None
        try:
            text = read_text_table(file)
            lines = self._build_lines(file, text)
        except FileFault as fault:
            finding = self._build_finding(Oddity(fault.kind, str(fault), Severity.FAULT), file.relative, file)
            landing.quarantine(file, [(fault.line, fault.kind, fault.column)])
            guessed = guess_scopes(text) if text is not None else []
            scopes = sorted({*before, *guessed})
            return {"scopes": scopes, "is_faulty": True, "findings": [finding_to_json(finding)]}
        findings = [self._build_finding(oddity, file.relative, file) for oddity in lines.oddities]
        scopes = sorted(set(lines.scopes.to_pylist()))
        if scopes:
            landing.seen.write_note(path_key, scopes)
            findings += self._gone_columns(file, lines)
        else:
            scopes = before
            findings.append(self._header_only_finding(file, before))
        return {"scopes": scopes, "is_faulty": False, "findings": [finding_to_json(f) for f in findings]}

    def _read_lines(self, file: SourceFile) -> BillLines:
        cached = self._lines.get((file.relative, file.sha256))
        return cached if cached is not None else self._build_lines(file, read_text_table(file))

    def _build_lines(self, file: SourceFile, text: pa.Table) -> BillLines:
        context = self._landing.context
        first_line = 1 if file.suffix == ".parquet" else 2
        lines = build_bill_lines(
            text, self._landing.source, context.tag_keys, context.identity, first_line=first_line
        )
        self._lines[file.relative, file.sha256] = lines
        return lines

    def _retype_missing(self) -> None:
        """Type current deliveries anew, from kept artifacts, where settings changed and files are gone."""
        landing = self._landing
        for record in mark_current(landing.records):
            delivery = record.delivery
            if not delivery.is_current or landing.typing_digest in record.typed:
                continue
            kept = [
                SourceFile(landing.artifact_path(a), a.relative, a.bytes, 0, a.sha256)
                for a in record.artifacts
            ]
            if not kept or not all(file.path.exists() for file in kept):
                continue
            scope = f"{delivery.billing_account_id}|{delivery.period}"
            try:
                chosen = [(file, self._read_lines(file)) for file in kept]
            except FileFault as fault:
                message = (
                    f"{landing.source}: {scope}: kept artifact: {fault}; its rows keep the older settings"
                )
                landing.add(_DATASET, "old_typing", message, Severity.WARN)
                continue
            self._record(delivery.scope, scope, chosen, delivery.delivered_at, is_stated=False)

    def _build_finding(self, oddity: Oddity, where: str, file: SourceFile | None = None) -> Finding:
        name = self._landing.source
        message = f"{name}: {where}: {oddity.message}"
        relative = file.relative if file else None
        return Finding(name, _DATASET, oddity.kind, message, oddity.severity, oddity.count, relative)

    def _gone_columns(self, file: SourceFile, lines: BillLines) -> list[Finding]:
        """Report FOCUS columns that the source's newest bill had and this file has not."""
        records = self._landing.records
        if not records:
            return []
        newest = max(records, key=lambda record: record.delivery.delivered_at)
        gone = set(newest.schema_seen) & (schema.COLUMNS.keys() | {"Tags"}) - set(lines.schema_seen)
        if not gone:
            return []
        message = f"columns of earlier bills are gone: {describe_columns(gone)}; ask the vendor"
        oddity = Oddity("column_gone", message, Severity.WARN, len(gone))
        return [self._build_finding(oddity, file.relative, file)]

    def _header_only_finding(self, file: SourceFile, before: list[str]) -> Finding:
        if before:
            message = f"has a header and no lines: {', '.join(before)} is now delivered as empty"
            severity = Severity.INFO
        else:
            message = (
                "has a header and no lines, and never had any: nothing is known about its account and period"
            )
            severity = Severity.WARN
        return self._build_finding(Oddity("header_only", message, severity), file.relative, file)

    def _double_delivery_finding(self, scope: str, first: SourceFile, second: SourceFile) -> Finding:
        message = (
            f"{first.relative} and {second.relative} share more than half of their lines: two deliveries of "
            "one bill? Declare delivered_at_pattern, write a manifest, or remove one file; until then the "
            "earlier delivery counts"
        )
        return self._build_finding(Oddity("ambiguous_delivery", message, Severity.FAULT), scope, second)
