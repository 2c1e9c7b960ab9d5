"""The export's table, day of export by day of export, to `gcp_cost_lines`; Google's FOCUS table to `charges`.

What belongs here: which rows a run reads, and what a newer reading replaces. What must not: how they are read
(`table_reader.py`), or what they mean (`bill_format.py`).

Rows are only ever added to the table, each with its time of export, which never falls. A run reads the rows that
were exported since the newest one known, less an overlap, and keeps them by UTC day of export. A day is one
delivery: read again, it replaces itself, so a row at the edge of two runs counts once, whenever it was seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from connectors.common.bills.contract import BillDelivery, BillFormat
from connectors.common.bills.landing import BillLanding
from connectors.common.contract import Severity
from connectors.common.source_files import FileFault, SourceFile
from connectors.common.source_landing import SourceLanding
from connectors.gcp_billing import schema
from connectors.gcp_billing.flat_rows import flatten_rows
from connectors.gcp_billing.settings import Settings
from connectors.gcp_billing.snapshots import Snapshot, SplitWriter, read_snapshot
from connectors.gcp_billing.table_reader import TableFacts, TableReader, Window

_FIRST_MONTH = date(2017, 1, 1)
_PERIOD = "BillingPeriodStart"


class ExportedRows:
    """One run over one table."""

    def __init__(
        self, landing: SourceLanding, settings: Settings, reader: TableReader, bill_format: BillFormat
    ) -> None:
        self._landing = landing
        self._settings = settings
        self._reader = reader
        self._format = bill_format
        self._bills = BillLanding(landing, bill_format)
        self._folder = landing.raw / "artifacts"
        self._note = f"{settings.table} "

    def run(self) -> None:
        """Land what is new. Raises ConnectorError when the table cannot be read; what landed before stays."""
        facts = self._reader.describe()
        if self._settings.kind == "focus":
            self._read_focus(facts)
        else:
            self._read_export(facts)
        if self._reader.is_denied:
            message = (
                f"{self._landing.source}: the BigQuery Storage Read API refused; rows were read by a query over REST, "
                "which is slower and billed as a query. Grant roles/bigquery.readSessionUser, or state "
                "`read_api: query`"
            )
            self._add("storage_api_denied", message, Severity.WARN)
        self._bills.finish()

    @property
    def snapshots(self) -> list[Snapshot]:
        """What is known of the table, by name."""
        notes = self._landing.seen.notes
        return [read_snapshot(notes[key]) for key in sorted(notes) if key.startswith(self._note)]

    def _read_export(self, facts: TableFacts) -> None:
        columns = self._choose_columns(facts)
        known = {snapshot.name: snapshot for snapshot in self.snapshots if self._is_kept(snapshot)}
        for snapshot in known.values():
            if not self._deliver(snapshot):
                return
        start = self._find_start(list(known.values()))
        now = self._landing.context.now
        found: set[str] = set()
        for window in _build_windows(start, now):
            for snapshot in self._read_window(columns, window):
                found.add(snapshot.name)
                if not self._take(snapshot, known.get(snapshot.name)):
                    return
            self._landing.seen.save()
        if self._settings.read == "full":
            first = "" if self._settings.since is None else self._settings.since.isoformat()
            for name in sorted(name for name in known.keys() - found if name >= first):
                self._forget(known[name])

    def _read_window(self, columns: Sequence[str], window: Window) -> list[Snapshot]:
        writer = SplitWriter(self._folder)

        def keep(batch: pa.RecordBatch) -> None:
            rows = flatten_rows(batch)
            writer.write(rows, pc.utf8_slice_codeunits(rows.column("export_time"), 0, 10))

        try:
            self._reader.read(columns, window, keep)
        except FileFault as fault:
            message = f"{self._landing.source}: {self._settings.table}: {fault}"
            self._add(fault.kind, message, Severity.FAULT)
            return []
        else:
            return writer.finish()
        finally:
            writer.discard()

    def _take(self, snapshot: Snapshot, before: Snapshot | None) -> bool:
        """Deliver a day unless it holds the same rows as before; remember it once it is delivered."""
        if before is not None and before.content == snapshot.content:
            if before.sha256 != snapshot.sha256:
                (self._folder / f"{snapshot.sha256}.parquet").unlink(missing_ok=True)
            return True
        if before is not None and before.newest_at >= snapshot.newest_at:
            later = before.delivered_at + timedelta(microseconds=1)
            snapshot = replace(snapshot, newest_at=f"{later.isoformat()}Z")
        if not self._deliver(snapshot):
            return False
        self._landing.seen.write_note(self._note + snapshot.name, snapshot.to_note())
        return True

    def _deliver(self, snapshot: Snapshot) -> bool:
        file = snapshot.build_file(self._folder)
        return self._bills.deliver(self._describe(snapshot.name, (file,), snapshot.delivered_at))

    def _describe(self, name: str, files: tuple[SourceFile, ...], delivered_at: datetime) -> BillDelivery:
        part = "" if self._settings.kind == "focus" else name
        return BillDelivery(f"{self._settings.table} {name}", files, delivered_at, part=part)

    def _forget(self, snapshot: Snapshot) -> None:
        """Deliver a day as empty: a full reading did not find it any more."""
        delivery = self._describe(snapshot.name, (), self._landing.context.now)
        self._bills.deliver(delivery)
        del self._landing.seen.notes[self._note + snapshot.name]
        message = (
            f"{self._landing.source}: the full reading found none of the {snapshot.rows:,} rows of {snapshot.name} any "
            "more, so they count no more. If the table's partitions expire, state `read: incremental`"
        )
        self._add("rows_gone", message, Severity.WARN, snapshot.rows)

    def _is_kept(self, snapshot: Snapshot) -> bool:
        """Tell whether the rows read before still lie in the lake; else they are read again."""
        return (self._folder / f"{snapshot.sha256}.parquet").exists()

    def _find_start(self, known: Sequence[Snapshot]) -> datetime | None:
        """The beginning of the day that the overlap reaches back into; None to read from the beginning."""
        since = self._settings.since
        first = None if since is None else datetime.combine(since, time())
        if not known or self._settings.read == "full":
            return first
        newest = max(snapshot.delivered_at for snapshot in known)
        begin = newest - timedelta(hours=self._settings.overlap_hours)
        again = datetime.combine(begin.date(), time())
        return again if first is None else max(first, again)

    def _choose_columns(self, facts: TableFacts) -> list[str]:
        """Return the columns to ask for; report what is missing, and what is new."""
        missing = [name for name in schema.REQUIRED if name not in facts.columns]
        if missing:
            message = (
                f"has no column {missing[0]!r}: it is no Cloud Billing usage export; state the table that "
                "Billing export writes (gcp_billing_export_resource_v1_…), or table_kind: focus"
            )
            raise FileFault("missing_column", f"{self._settings.table} {message}", column=missing[0])
        lacking = [name for name in schema.DETAILED_ONLY if name not in facts.columns]
        if lacking and self._settings.kind == "detailed":
            message = (
                f"{self._landing.source}: the table is the standard export: lines have no resource, and no labels of "
                "pods; enable the detailed export to tell resources apart, or state table_kind: standard"
            )
            self._add("standard_export", message, Severity.WARN)
        new = sorted(set(facts.columns) - set(schema.TOP_LEVEL_FIELDS))
        if new:
            message = f"{self._landing.source}: columns that are not known are not read: {', '.join(new)}"
            self._add("new_column", message, Severity.INFO, len(new))
        return [name for name in schema.TOP_LEVEL_FIELDS if name in facts.columns]

    def _read_focus(self, facts: TableFacts) -> None:
        """Read the newest billing months again: each replaces what was read of it before."""
        known = {snapshot.name: snapshot for snapshot in self.snapshots if self._is_kept(snapshot)}
        delivered_at = facts.modified_at or self._landing.context.now
        for snapshot in known.values():
            self._deliver(snapshot)
        start = None
        if known and self._settings.read == "incremental":
            months = sorted(known)[-self._settings.focus_months :]
            start = datetime.fromisoformat(f"{months[0]}-01")
        writer = SplitWriter(self._folder)

        def keep(batch: pa.RecordBatch) -> None:
            rows = pa.Table.from_batches([batch])
            writer.write(rows, pc.strftime(rows.column(_PERIOD), format="%Y-%m"))

        if _PERIOD not in facts.columns:
            raise FileFault(
                "missing_column", f"{self._settings.table} has no column {_PERIOD!r}: it is no FOCUS table"
            )
        try:
            self._reader.read(facts.columns, Window(_PERIOD, start, None), keep)
            for snapshot in writer.finish():
                stated = replace(snapshot, newest_at=f"{delivered_at.isoformat()}Z")
                if not self._take(stated, known.get(snapshot.name)):
                    return
        finally:
            writer.discard()

    def _add(self, kind: str, message: str, severity: Severity, count: int = 1) -> None:
        self._landing.add(self._format.dataset.name, kind, message, severity, count=count)


def _build_windows(start: datetime | None, now: datetime) -> list[Window]:
    """Return half-open windows of `export_time` up to now: months, so that a long history lands step by step.

    Without a start the first window is open to the left: nothing that was ever exported is left out.
    """
    begin = start or datetime.combine(_FIRST_MONTH, time())
    edges = []
    month = begin.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while (month := (month + timedelta(days=32)).replace(day=1)) < now:
        edges.append(month)
    if start is None:
        edges = edges[-14:]  # Google back-fills at most two months; older rows are in the first window
    bounds: list[datetime | None] = [start, *edges, now]
    return [Window("export_time", a, b) for a, b in zip(bounds, bounds[1:], strict=False)]
