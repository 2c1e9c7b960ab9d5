"""Landing FOCUS files: files → deliveries → `charges`.

What belongs here: which files form one delivery, and what stops it. What must not: reading a bill
(`connectors/common/bills`), or manifests and paths (`bill_groups.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from connectors.common.bills.contract import BillDelivery
from connectors.common.bills.coverage import has_lines, read_scopes
from connectors.common.bills.focus_format import build_focus_format, describe_typing
from connectors.common.bills.landing import BillLanding
from connectors.common.contract import CheckStep, LandingContext, Severity, SourceReport
from connectors.common.datasets import CHARGES
from connectors.common.file_listing import check_stored_files, list_stored_files
from connectors.common.source_files import SourceFile
from connectors.common.source_landing import SourceLanding
from connectors.focus_files.bill_groups import MANIFEST_SUFFIX, BillGroup, build_groups
from connectors.focus_files.settings import Settings

_SUFFIXES = (".csv", ".csv.gz", ".parquet", ".jsonl", ".jsonl.gz", MANIFEST_SUFFIX)
_DATASET = CHARGES.name


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land all FOCUS files of a source; a bad file is a finding, its bills keep the last good snapshot."""
    landing = SourceLanding(settings, context, typing=describe_typing(context.tag_keys, context.identity))
    if landing.is_reading_only:
        return landing.report()
    return _FocusLanding(landing, settings).run()


def check(settings: Settings) -> Iterator[CheckStep]:
    """Yield whether the files can be reached, listed and read."""
    return check_stored_files(settings, _SUFFIXES)


class _FocusLanding:
    """One run over the files of a folder."""

    def __init__(self, landing: SourceLanding, settings: Settings) -> None:
        self._landing = landing
        self._settings = settings
        context = landing.context
        self._bills = BillLanding(landing, build_focus_format(context.tag_keys, context.identity))

    def run(self) -> SourceReport:
        files = list_stored_files(self._landing, self._settings, _DATASET, _SUFFIXES)
        groups, faults = build_groups(files, self._settings)
        for fault in faults:
            message = f"{self._landing.source}: {fault.file.relative}: {fault.message}"
            self._landing.add(_DATASET, fault.kind, message, Severity.FAULT, file=fault.file.relative)
        for group in groups:
            if group.is_stated or self._settings.delivery == "append":
                self._deliver_group(group)
            else:
                self._deliver_undated(group)
        self._bills.finish()
        return self._landing.report()

    def _deliver_group(self, group: BillGroup) -> None:
        """Deliver files that a manifest or path says belong together, or one file that adds lines."""
        self._bills.deliver(
            BillDelivery(
                key=group.key,
                files=group.files,
                delivered_at=group.delivered_at or _newest(group.files),
                mode=self._settings.delivery,
                is_stated=group.is_stated,
                is_complete=False,
                covers=frozenset() if group.is_stated else self._covered_before(group.files),
            )
        )

    def _deliver_undated(self, group: BillGroup) -> None:
        """Deliver the files of each bill: files that share an account and period belong together."""
        if len(group.files) == 1 and not self._landing.unreadable:
            self._deliver_alone(group.files[0])
            return
        unreadable = self._scopes_of_unreadable()
        for files, scopes in _connect({file: self._read_scopes(file) for file in group.files}):
            if not scopes & unreadable:
                self._bills.deliver(_undated(files, scopes))

    def _deliver_alone(self, file: SourceFile) -> None:
        """Deliver the only file; what it covers is known once it has landed, so it is not read for that."""
        known = self._landing.seen.notes.get(f"covers {file.relative}", {})
        is_known = known.get("sha256") == file.sha256
        before = frozenset(known.get("scopes", []))
        covers = before if is_known or not has_lines(file) else frozenset()
        if self._bills.deliver(_undated((file,), covers)) and not is_known:
            scopes = self._bills.find_scopes((file,))
            if scopes:
                self._note_scopes(file, scopes)
            else:
                self._read_scopes(file)

    def _scopes_of_unreadable(self) -> frozenset[str]:
        """The scopes of files that cannot be opened: without them the rest would pass for the whole bill."""
        return frozenset(scope for name in self._landing.unreadable for scope in self._known_scopes(name))

    def _covered_before(self, files: Iterable[SourceFile]) -> frozenset[str]:
        return frozenset(scope for file in files for scope in self._known_scopes(file.relative))

    def _known_scopes(self, relative: str) -> list[str]:
        return self._landing.seen.notes.get(f"covers {relative}", {}).get("scopes", [])

    def _read_scopes(self, file: SourceFile) -> frozenset[str]:
        """Return what a file covers; one without lines, or unreadable, covers what its path covered before."""
        known = self._landing.seen.notes.get(f"covers {file.relative}", {})
        if known.get("sha256") == file.sha256:
            return frozenset(known["scopes"])
        scopes, is_whole = read_scopes(file, "BillingAccountId", "BillingPeriodStart")
        covered = scopes if scopes and is_whole else scopes.union(known.get("scopes", []))
        self._note_scopes(file, covered)
        return covered

    def _note_scopes(self, file: SourceFile, scopes: frozenset[str]) -> None:
        note = {"sha256": file.sha256, "scopes": sorted(scopes)}
        self._landing.seen.write_note(f"covers {file.relative}", note)


def _undated(files: tuple[SourceFile, ...], covers: frozenset[str]) -> BillDelivery:
    return BillDelivery(
        key=files[0].relative if len(files) == 1 else "\n".join(sorted(covers)),
        files=files,
        delivered_at=_newest(files),
        is_stated=False,
        is_complete=False,
        covers=covers,
        may_be_doubled=len(files) > 1,
    )


def _connect(
    coverage: dict[SourceFile, frozenset[str]],
) -> list[tuple[tuple[SourceFile, ...], frozenset[str]]]:
    """Return the files that share a scope with one another, directly or through others, and their scopes."""
    groups: list[tuple[list[SourceFile], frozenset[str]]] = []
    for file, scopes in coverage.items():
        apart = [group for group in groups if not group[1] & scopes]
        joined = [group for group in groups if group[1] & scopes]
        files = [each for group in joined for each in group[0]] + [file]
        groups = [*apart, (files, scopes.union(*(group[1] for group in joined)))]
    return [(tuple(files), scopes) for files, scopes in groups]


def _newest(files: Iterable[SourceFile]) -> datetime:
    return max(file.modified_at for file in files)
