"""A source that is asked for UTC days over and over, until they are final: each day replaces itself.

What belongs here: which days a run asks for, what of an answer is new, the kept answers. What must not: calling a
vendor (`apis/http_api.py`), or what an answer means.

A day is one delivery: the newest replaces, equal content adds nothing, and an empty answer replaces too, for usage
can shrink to nothing. Days that were delivered stay when a later one fails; the next run goes on from there.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from connectors.common.contract import Finding, Severity, TerminalError
from connectors.common.datasets import Dataset
from connectors.common.delivery_records import Artifact, DeliveryRecord, mark_current
from connectors.common.digests import build_digest
from connectors.common.lateness import find_lateness
from connectors.common.source_files import SourceFile
from connectors.common.source_landing import DeliveryFacts, SourceLanding

_DAY = timedelta(days=1)
_NO_ROWS = build_digest()


@dataclass(frozen=True)
class Window:
    """A half-open range of UTC time, whole days: `start` is in it, `end` is not."""

    start: datetime
    end: datetime

    @property
    def days(self) -> list[date]:
        """The UTC days of the window, in order."""
        return [self.start.date() + i * _DAY for i in range((self.end - self.start) // _DAY)]


def build_windows(days: Iterable[date], longest_days: int) -> list[Window]:
    """Return the days as windows of neighbouring days, none longer than `longest_days`, oldest first."""
    windows: list[Window] = []
    for day in sorted(set(days)):
        start = datetime.combine(day, time())
        last = windows[-1] if windows else None
        if last is not None and last.end == start and len(last.days) < longest_days:
            windows[-1] = Window(last.start, start + _DAY)
        else:
            windows.append(Window(start, start + _DAY))
    return windows


class ApiWindows:
    """The days of one source as an API tells them; `part` tells apart what is asked for on its own (an endpoint).

    `first_day`: the oldest day that is asked for. A day is asked for again on every run until it was read
    `overlap_days` after its end; if its numbers only become final later, once more when `final_after_days` have
    passed. `final_after_days=None`: what the overlap has read is final, unless the connector knows better.
    """

    def __init__(
        self,
        landing: SourceLanding,
        *,
        first_day: date,
        overlap_days: int,
        final_after_days: int | None,
        part: str = "",
    ) -> None:
        if "|" in part:
            raise ValueError("the name of a part holds no |")
        self._landing = landing
        self._first_day = first_day
        self._overlap = timedelta(days=overlap_days)
        self._final_after = None if final_after_days is None else timedelta(days=final_after_days)
        self.part = part

    def days_to_read(self, dataset: Dataset) -> list[date]:
        """Return the whole UTC days before now that were never read, or are to be read again; none as of a time."""
        if self._landing.is_reading_only:
            return []
        last = self._landing.context.now.date() - _DAY
        count = (last - self._first_day).days + 1
        days = [self._first_day + i * _DAY for i in range(max(0, count))]
        return [day for day in days if self._is_to_be_read(dataset, day)]

    def is_final(self, day: date) -> bool:
        """Tell whether what is read of a day now is final, as far as its age says."""
        age = self._landing.context.now - _end_of(day)
        return age >= max(self._overlap, self._final_after or self._overlap)

    def deliver(
        self,
        dataset: Dataset,
        day: date,
        rows: pa.Table,
        *,
        is_final: bool,
        pages: Sequence[bytes] = (),
        findings: Sequence[Finding] = (),
    ) -> None:
        """Replace a day's rows, also by none; what is equal to the current content adds nothing.

        `pages` are the day's answers as they are to be kept (without cursors, which differ each time): they decide
        what is equal, else the rows do. `findings` are remembered with the day while it is current.
        """
        landing = self._landing
        if landing.is_reading_only:
            return
        self._check_days(dataset, day, rows)
        told = _digest_pages(pages) if pages else _digest_rows(rows)
        content = _digest_content(told, is_final=is_final)
        scope = self._scope(day)
        delivered_at = landing.choose_delivered_at(dataset.name, scope, landing.context.now)
        files = (self._keep_pages(day, pages),) if pages else ()
        self._record(DeliveryFacts(dataset, scope, content, delivered_at, files=files), rows, findings)
        self.note_read(dataset, day, is_final=is_final)

    def note_read(self, dataset: Dataset, day: date, *, is_final: bool) -> None:
        """Remember that a day was read now; `deliver` does, a connector that delivers by other means says it here."""
        note = {"read_at": self._landing.context.now.isoformat(), "is_final": is_final}
        self._landing.seen.write_note(self._note_key(dataset, day), note)

    def note_bill_reading(self, dataset: Dataset, days: Sequence[date]) -> None:
        """Remember until when the bill is known, now that these days were asked for: up to the first that failed.

        A day that was read before, long enough after its end to be complete, is known although it failed now. The
        readings of days are those of `dataset`, which may be the usage that comes in one answer with the bill.
        """
        now = self._landing.context.now
        unknown = [day for day in days if not self._is_known(dataset, day)]
        if days:
            until = datetime.combine(min(unknown), time()) if unknown else now
            self._landing.note_bill_reading(self.part, until)

    def _is_known(self, dataset: Dataset, day: date) -> bool:
        note = self._find_note(dataset, day)
        if note is None:
            return False
        complete_after = timedelta(hours=find_lateness(self._landing.settings.connector).complete_after_hours)
        read_at = datetime.fromisoformat(note["read_at"])
        return read_at == self._landing.context.now or read_at >= _end_of(day) + complete_after

    def save(self) -> None:
        """Write down which days were read so far, that a killed run need not ask for them again."""
        self._landing.seen.save()

    def has_rows(self, dataset: Dataset, day: date) -> bool:
        """Tell whether what counts now of a day has any row, whoever delivered it of this source and part."""
        return any(
            delivery.rows > 0 and delivery.is_current
            for record in mark_current([r for r in self._landing.records if self._is_of(r, dataset, day)])
            for delivery in (record.delivery,)
        )

    def _is_of(self, record: DeliveryRecord, dataset: Dataset, day: date) -> bool:
        """Tell whether a record is of a day: its own, or a bill's whose part the day is."""
        delivery = record.delivery
        if delivery.dataset != dataset.name:
            return False
        if delivery.period is None:
            return delivery.scope == self._scope(day)
        return delivery.scope.endswith(f"|{day.isoformat()}")

    def retype(self, dataset: Dataset, build: Callable[[date, Sequence[bytes], bool], pa.Table]) -> None:
        """Write the rows of kept answers anew where settings changed what they mean, without asking the API.

        `build(day, pages, is_final)` returns the rows of a day. Days whose answers are not kept keep their rows.
        """
        if self._landing.is_reading_only:
            return
        for day, record in self._current(dataset):
            if self._landing.typing_digest in record.typed:
                continue
            pages = self._read_pages(record)
            facts = None if pages is None else self._find_facts(dataset, record, pages)
            if pages is None or facts is None:
                source, scope = self._landing.source, record.delivery.scope
                message = (
                    f"{source}: {scope}: its answers are not kept, so its rows keep their older settings"
                )
                self._landing.add(dataset.name, "old_typing", message, Severity.INFO, day=day)
                continue
            told = _digest_pages(pages) if pages else _NO_ROWS
            is_final = facts.content == _digest_content(told, is_final=True)
            self._record(facts, build(day, pages, is_final), record.findings)

    def _find_facts(
        self, dataset: Dataset, record: DeliveryRecord, pages: Sequence[bytes]
    ) -> DeliveryFacts | None:
        """Return the facts of a delivery on record, told again from its kept answers."""
        told = _digest_pages(pages) if pages else _NO_ROWS
        for is_final in (True, False):
            content = _digest_content(told, is_final=is_final)
            delivery = record.delivery
            facts = DeliveryFacts(dataset, delivery.scope, content, delivery.delivered_at)
            if facts.snapshot_id == delivery.snapshot_id:
                return facts
        return None

    def _record(self, facts: DeliveryFacts, rows: pa.Table, findings: Sequence[Finding]) -> None:
        landing = self._landing
        writer = None
        if landing.needs_rows(facts):
            writer = landing.open_writer(facts)
            try:
                writer.write(rows)
            except BaseException:
                writer.discard()
                raise
        landing.record(facts, writer, findings)

    def _is_to_be_read(self, dataset: Dataset, day: date) -> bool:
        note = self._find_note(dataset, day)
        if note is None:
            return True
        if note["is_final"]:
            return False
        read_at, end, now = datetime.fromisoformat(note["read_at"]), _end_of(day), self._landing.context.now
        if read_at < end + self._overlap:
            return True
        return self._final_after is not None and read_at < end + self._final_after <= now

    def _find_note(self, dataset: Dataset, day: date) -> dict[str, Any] | None:
        """When a day was read last: as noted, else (the index was lost) when its record was written."""
        note = self._landing.seen.notes.get(self._note_key(dataset, day))
        if note is not None:
            return note
        record = self._landing.current_record(dataset.name, self._scope(day))
        if record is None:
            return None
        return {"read_at": record.delivery.fetched_at.isoformat(), "is_final": False}

    def _current(self, dataset: Dataset) -> Iterator[tuple[date, DeliveryRecord]]:
        prefix = f"{self.part}|" if self.part else ""
        for record in mark_current(self._landing.records):
            delivery = record.delivery
            own, _, day = delivery.scope.rpartition("|")
            if (
                delivery.is_current
                and delivery.dataset == dataset.name
                and (f"{own}|" if own else "") == prefix
            ):
                yield date.fromisoformat(day), record

    def _keep_pages(self, day: date, pages: Sequence[bytes]) -> SourceFile:
        """Keep a day's answers, packed, below their digest among the artifacts."""
        relative = f"{self.part or 'days'}/{day.isoformat()}.json.gz"
        head = orjson.dumps({"part": self.part, "day": day.isoformat(), "pages": len(pages)})
        packed = gzip.compress(b"\n".join([head, *(_one_line(page) for page in pages)]), mtime=0)
        sha256 = hashlib.sha256(packed).hexdigest()
        path = self._landing.artifact_path(Artifact(relative, sha256, len(packed)))
        if not path.exists():
            write_whole(path, packed)
        return SourceFile(path, relative, len(packed), 0, sha256)

    def _read_pages(self, record: DeliveryRecord) -> list[bytes] | None:
        if not record.artifacts:
            return None if record.delivery.rows else []
        path = self._landing.artifact_path(record.artifacts[0])
        try:
            return gzip.decompress(path.read_bytes()).split(b"\n")[1:]
        except (OSError, EOFError):
            return None

    def _check_days(self, dataset: Dataset, day: date, rows: pa.Table) -> None:
        """Refuse rows of another day: they would count twice, there and here."""
        if dataset.partition is None or dataset.partition[1] != "day" or not rows.num_rows:
            return
        name = dataset.partition[0]
        found = pc.unique(rows.column(name).cast(pa.timestamp("us")).cast(pa.date32(), safe=False))
        others = set(found.to_pylist()) - {day}
        if others:
            raise TerminalError(
                f"{self._landing.source}: rows of {min(others)} came with {day} of {dataset.name}"
            )

    def _scope(self, day: date) -> str:
        return f"{self.part}|{day.isoformat()}" if self.part else day.isoformat()

    def _note_key(self, dataset: Dataset, day: date) -> str:
        return f"window {dataset.name}\n{self._scope(day)}"


def _end_of(day: date) -> datetime:
    return datetime.combine(day, time()) + _DAY


def _one_line(page: bytes) -> bytes:
    if b"\n" in page:
        raise ValueError("a kept answer is one line of JSON")
    return page


def _digest_content(told: str, *, is_final: bool) -> str:
    return build_digest(told, "final" if is_final else "open")


def _digest_pages(pages: Sequence[bytes]) -> str:
    return build_digest(*(hashlib.sha256(page).hexdigest() for page in pages))


def _digest_rows(rows: pa.Table) -> str:
    """Digest rows whatever their order: the same rows are the same content."""
    texts = sorted(
        orjson.dumps(row, default=str, option=orjson.OPT_SORT_KEYS).decode() for row in rows.to_pylist()
    )
    return build_digest(*texts)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file as a whole or not at all, readable by the owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"_tmp-{uuid.uuid4().hex}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
