"""Landing of request logs whose records come in versions, in any number of files: the newest version counts, once.

What belongs here: which version of a record counts, and the UTC days that come of it. What must not: formats, or what
a record means.

The rule: of all versions of one record, in whatever files and deliveries, the one with the greatest `record_version`
counts; a tie goes to the file that changed last, then to a deletion, then to the file's digest and the place in it.
A deleted version counts as none. So the rows of a day are a function of the set of files, whatever their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta

import polars as pl
import pyarrow as pa

from connectors.common.contract import LandingContext, SourceReport
from connectors.common.datasets import Dataset
from connectors.common.defects import UNEXPECTED
from connectors.common.delivery_records import finding_from_json, finding_to_json
from connectors.common.landing import EXPECTED, FileNotes
from connectors.common.record_batches import (
    RECORD_COLUMNS,
    BatchFile,
    RecordBatch,
    RecordBatchWriter,
    build_record_schema,
    read_batches,
)
from connectors.common.source_files import SourceFile
from connectors.common.source_landing import SourceLanding
from connectors.common.staged_rows import StagedRows
from connectors.common.stored_landing import open_files
from connectors.common.stores.settings import StoredFileSettings

_DAY = timedelta(days=1)
_BATCH_FILES = 10_000
_BATCH_ROWS = 1_000_000
_MERGED = "merged batches"


class FileRecords(FileNotes):
    """What a `read` function gets: where the records, findings and refused rows of one file go."""

    def __init__(
        self, landing: SourceLanding, file: SourceFile, dataset: str, writer: RecordBatchWriter
    ) -> None:
        super().__init__(landing, file, dataset)
        self._writer = writer
        self._position = writer.begin_file(file)

    def write(self, kind: str, table: pa.Table) -> None:
        """Add records of a kind; `record_file` is filled in here."""
        position = pa.repeat(pa.scalar(self._position, pa.int32()), table.num_rows)
        self._writer.write(kind, table.append_column("record_file", position))

    is_unexpected = False
    """Whether a defect of ours is why the file is refused: then the next run tries it again."""

    def refuse(self, error: BaseException) -> None:
        """Refuse the file as a whole; what was read of it before stays."""
        self.is_unexpected = not isinstance(error, EXPECTED)
        self._writer.refuse_file(self._position)
        self.tell_unreadable(error)


Read = Callable[[SourceFile, FileRecords], None]
Enrich = Callable[[str, pl.DataFrame, pl.DataFrame], pl.DataFrame]
"""(kind, rows, the side records around their day) → the rows with what the side records know of them."""


class VersionedLanding:
    """One run over one source of versioned records.

    `datasets` are the kinds that land, one id space: a record may change its kind. `side` is a further kind that lands
    nowhere and is given to `enrich`, such as the traces that spans belong to.
    """

    def __init__(
        self,
        settings: StoredFileSettings,
        context: LandingContext,
        datasets: Sequence[Dataset],
        *,
        typing: Mapping[str, object],
        side: tuple[str, pa.Schema] | None = None,
        enrich: Enrich | None = None,
    ) -> None:
        self._settings = settings
        self._landing = SourceLanding(settings, context, typing=typing, keeps_artifacts=False)
        self._datasets = {dataset.name: dataset for dataset in datasets}
        self._side = side[0] if side else None
        self._enrich = enrich
        self._kinds = {name: build_record_schema(d.schema) for name, d in self._datasets.items()}
        if side:
            self._kinds[side[0]] = build_record_schema(side[1])
        self._folder = self._landing.raw / "records"
        self._sequence = 0

    def run(self, read: Read, suffixes: tuple[str, ...]) -> SourceReport:
        """Read what is new, build the days that it touches. Raises ConnectorError when a store cannot be read."""
        landing = self._landing
        if landing.is_reading_only:
            return landing.report()
        for leftover in self._folder.glob("_tmp-*"):
            leftover.unlink()
        self._sequence = max((batch.sequence for batch in read_batches(self._folder)), default=0)
        try:
            self._read_files(read, suffixes)
        finally:
            self._build_days()
        return landing.report()

    def _read_files(self, read: Read, suffixes: tuple[str, ...]) -> None:
        landing = self._landing
        main = next(iter(self._datasets))
        writer = self._new_writer()
        pending: list[tuple[SourceFile, FileRecords]] = []
        try:
            with open_files(landing, self._settings, main, suffixes) as files:
                for file in files:
                    outcome = landing.seen.read_outcome(file, landing.typing_digest)
                    if outcome is not None:
                        landing.add_findings(finding_from_json(f) for f in outcome["findings"])
                        continue
                    pending.append((file, self._read_file(file, read, main, writer)))
                    if writer.file_count >= _BATCH_FILES or writer.rows >= _BATCH_ROWS:
                        self._commit(writer, pending)
                        writer = self._new_writer()
        finally:
            self._commit(writer, pending)

    def _read_file(self, file: SourceFile, read: Read, main: str, writer: RecordBatchWriter) -> FileRecords:
        records = FileRecords(self._landing, file, main, writer)
        try:
            read(file, records)
        except UNEXPECTED as error:
            records.refuse(error)
        except BaseException:
            writer.discard()
            raise
        else:
            records.tell_refused()
        return records

    def _new_writer(self) -> RecordBatchWriter:
        self._sequence += 1
        return RecordBatchWriter(self._folder, self._kinds, self._sequence)

    def _commit(self, writer: RecordBatchWriter, pending: list[tuple[SourceFile, FileRecords]]) -> None:
        """Keep a batch, then remember its files: a run killed in between reads them again."""
        landing = self._landing
        if writer.commit(landing.typing_digest) is None:
            pending.clear()
        for file, records in pending:
            outcome = {"findings": [finding_to_json(finding) for finding in records.findings]}
            if not records.is_unexpected:
                landing.seen.write_outcome(file, landing.typing_digest, outcome)
            landing.add_findings(records.findings)
        pending.clear()
        landing.seen.save()

    def _build_days(self) -> None:
        batches = read_batches(self._folder)
        merged = set(self._landing.seen.notes.get(_MERGED, ()))
        fresh = [batch for batch in batches if batch.batch_id not in merged]
        if not fresh:
            return
        names = {file.relative for batch in fresh for file in batch.files}
        replaced = [batch for batch in batches if names & {file.relative for file in batch.files}]
        touched = {day for batch in (*fresh, *replaced) for day in batch.days}
        around = {day + step * _DAY for day in touched for step in (-1, 0, 1)}
        known = {day for batch in batches for day in batch.days}
        merge = _Merge(batches, tuple(self._datasets), self._side)
        for day in sorted(around & known):
            self._build_day(day, merge)
        for batch in merge.find_dead():
            batch.remove()
        self._landing.seen.write_note(_MERGED, sorted(batch.batch_id for batch in batches))
        self._landing.seen.save()

    def _build_day(self, day: date, merge: _Merge) -> None:
        """Make a day's newest versions its current content."""
        chosen = merge.choose(day)
        side = merge.read_side(day) if self._side else None
        for name, dataset in self._datasets.items():
            staged = StagedRows(self._landing, dataset)
            try:
                for rows in merge.read_chosen(name, chosen):
                    complete = (
                        rows if side is None or self._enrich is None else self._enrich(name, rows, side)
                    )
                    staged.write(complete.drop(list(RECORD_COLUMNS)).to_arrow())
            except BaseException:
                staged.discard()
                raise
            moment = merge.changed_at(day)
            delivered_at = self._landing.choose_delivered_at(name, day.isoformat(), moment)
            staged.deliver(day.isoformat(), delivered_at)


class _Merge:
    """All batches of a source, asked for the versions that count."""

    def __init__(self, batches: Sequence[RecordBatch], kinds: tuple[str, ...], side: str | None) -> None:
        self._batches = batches
        self._kinds = kinds
        self._side = side
        self._newest = {
            file.relative: number
            for number, batch in enumerate(batches)
            for file in batch.files
            if not file.is_refused
        }
        self._live = [
            pl.DataFrame(
                {
                    "record_file": range(len(batch.files)),
                    "file_changed_at": [file.changed_at for file in batch.files],
                    "file_sha256": [file.sha256 for file in batch.files],
                    "is_live": [self._is_live(number, file) for file in batch.files],
                },
                schema={
                    "record_file": pl.Int32,
                    "file_changed_at": pl.Datetime("us"),
                    "file_sha256": pl.String,
                    "is_live": pl.Boolean,
                },
            )
            for number, batch in enumerate(batches)
        ]

    def changed_at(self, day: date) -> datetime:
        """When the newest file that holds something of a day changed."""
        near = [batch for batch in self._batches if day in batch.days]
        return max(file.changed_at for batch in near for file in batch.files)

    def find_dead(self) -> list[RecordBatch]:
        """Return the batches of which nothing counts: newer ones hold all of their files."""
        return [
            batch
            for number, batch in enumerate(self._batches)
            if not any(self._is_live(number, file) for file in batch.files)
        ]

    def _is_live(self, number: int, file: BatchFile) -> bool:
        return not file.is_refused and self._newest[file.relative] == number

    def choose(self, day: date) -> pl.DataFrame:
        """Return (batch, kind, row) of the versions that count on a day; neighbours may hold a newer one elsewhere."""
        start = datetime.combine(day, time())
        found = self._index(self._kinds, start - _DAY, start + 2 * _DAY)
        ranked = found.sort(
            "record_version",
            "file_changed_at",
            "is_deleted",
            "file_sha256",
            "row",
            nulls_last=False,
        ).unique("record_id", keep="last", maintain_order=True)
        return ranked.filter(
            ~pl.col("is_deleted"), pl.col("record_at") >= start, pl.col("record_at") < start + _DAY
        ).select("batch", "kind", "row")

    def read_chosen(self, kind: str, chosen: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """Yield the chosen records of a kind, in the order of their batches."""
        own = chosen.filter(pl.col("kind") == kind)
        wanted = own.partition_by("batch", as_dict=True)
        for number in sorted(own["batch"].unique().to_list()):
            rows = wanted[(number,)].select("row")
            first = 0
            for part in self._batches[number].read(kind):
                numbered = part.with_columns(
                    pl.int_range(first, first + len(part), dtype=pl.Int64).alias("row")
                )
                first += len(part)
                found = numbered.join(rows, on="row", how="semi", maintain_order="left").drop("row")
                if len(found):
                    yield found

    def read_side(self, day: date) -> pl.DataFrame:
        """Return the newest versions of the side records from the day before to the day after."""
        assert self._side is not None  # noqa: S101 (the caller asks only where there is a side kind)
        start = datetime.combine(day, time())
        found = self._index((self._side,), start - _DAY, start + 2 * _DAY)
        ranked = found.sort(
            "record_version", "file_changed_at", "is_deleted", "file_sha256", "row", nulls_last=False
        ).unique("record_id", keep="last", maintain_order=True)
        chosen = ranked.filter(~pl.col("is_deleted")).select("batch", "kind", "row")
        parts = list(self.read_chosen(self._side, chosen))
        return pl.concat(parts) if parts else pl.DataFrame()

    def _index(self, kinds: Iterable[str], start: datetime, end: datetime) -> pl.DataFrame:
        wanted = {start.date() + step * _DAY for step in range((end - start) // _DAY)}
        parts = []
        for number, batch in enumerate(self._batches):
            if batch.days.isdisjoint(wanted):
                continue
            for kind in kinds:
                parts += list(self._index_kind(number, batch, kind, start, end))
        return pl.concat(parts) if parts else pl.DataFrame(schema=_INDEX)

    def _index_kind(
        self, number: int, batch: RecordBatch, kind: str, start: datetime, end: datetime
    ) -> Iterator[pl.DataFrame]:
        first = 0
        for part in batch.read(kind, RECORD_COLUMNS):
            rows = part.with_columns(
                pl.int_range(first, first + len(part), dtype=pl.Int64).alias("row"),
                pl.lit(number, pl.Int64).alias("batch"),
                pl.lit(kind, pl.String).alias("kind"),
            )
            first += len(part)
            near = rows.filter((pl.col("record_at") >= start) & (pl.col("record_at") < end))
            yield (
                near.join(self._live[number], on="record_file", how="left")
                .filter("is_live")
                .select(list(_INDEX))
            )


_INDEX = {
    "record_id": pl.String,
    "record_version": pl.Datetime("us"),
    "record_at": pl.Datetime("us"),
    "is_deleted": pl.Boolean,
    "file_changed_at": pl.Datetime("us"),
    "file_sha256": pl.String,
    "row": pl.Int64,
    "batch": pl.Int64,
    "kind": pl.String,
}
