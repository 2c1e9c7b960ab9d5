"""Where one group of a request log goes: its rows, its findings, and what of which object was refused.

What belongs here: telling refused rows by object and line. What must not: which objects a run looks at
(`logs/objects.py`), or their content.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from connectors.common.contract import Severity
from connectors.common.datasets import REQUESTS
from connectors.common.digests import build_digest
from connectors.common.landing import FileDelivery
from connectors.common.source_files import FileFault, SourceFile
from connectors.common.source_landing import CORRECT_FILE, REFUSED_ROWS, SourceLanding

_LINES_TOLD = 3
_PLACES_KEPT = 1000
_LINES_PER_OBJECT = 10**9


@dataclass(frozen=True)
class LogFile:
    """An object as a file on disk, for as long as it is read."""

    key: str
    location: int
    path: Path


class LogDelivery(FileDelivery):
    """Where the rows, findings and refused rows of one group go; refused rows are told by object and line."""

    def __init__(self, landing: SourceLanding, group: SourceFile) -> None:
        super().__init__(landing, group, (REQUESTS,))
        self._log_landing = landing
        self._objects = [group.relative]
        self._places: dict[tuple[str, str], list[tuple[str, int | None]]] = defaultdict(list)
        self._counts: Counter[tuple[str, str]] = Counter()

    def enter(self, file: LogFile) -> None:
        """Begin the next object of the group."""
        self._objects.append(file.key)

    def number(self, line: int) -> int:
        """Return a number that names a line of the present object among all lines of the group."""
        return (len(self._objects) - 1) * _LINES_PER_OBJECT + line

    def quarantine(self, line: int | None, reason: str, column: str | None = None) -> None:
        """Refuse one row: by a line of the present object, or a `number`."""
        index, place = divmod(line or 0, _LINES_PER_OBJECT)
        key = self._objects[index or -1]
        refused = (reason, column or "")
        self._counts[refused] += 1
        if len(self._places[refused]) < _PLACES_KEPT:
            self._places[refused].append((key, place or None))

    def refuse_file(self, file: LogFile, fault: FileFault) -> None:
        """Leave one object out; the others of its group count."""
        message = f"{_name(file.key)} {fault}; the other objects of its {self.file.relative} count"
        self.add(fault.kind, message, Severity.WARN)
        self._write_down(file.key, [(fault.line, fault.kind, None)])

    def finish(self) -> None:
        """Record the group, and tell what was refused."""
        by_object: dict[str, list[tuple[int | None, str, str | None]]] = defaultdict(list)
        for (reason, column), count in sorted(self._counts.items()):
            places = self._places[reason, column]
            told = ", ".join(f"{_name(key)} line {line}" for key, line in places[:_LINES_TOLD])
            more = ", …" if count > _LINES_TOLD else ""
            where = f"column {column}, {told}{more}" if column else f"{told}{more}"
            message = f"{count} rows refused ({where}): {reason}{CORRECT_FILE}"
            self.add(REFUSED_ROWS, message, Severity.WARN, count=count)
            for key, line in places:
                by_object[key].append((line, reason, column or None))
        for key, rows in by_object.items():
            self._write_down(key, rows)
        super().finish()

    def _write_down(self, key: str, rows: list[tuple[int | None, str, str | None]]) -> None:
        self._log_landing.quarantine(SourceFile(Path(key), key, 0, 0, build_digest(key)), rows)


def read_each(delivery: LogDelivery, files: Iterable[LogFile], read: Callable[[LogFile], None]) -> None:
    """Call `read` with each file; one that cannot be read is left out, and told.

    Raises FileFault, which names the first object, when none can be read.
    """
    faults: list[FileFault] = []
    count = 0
    for file in files:
        count += 1
        delivery.enter(file)
        try:
            read(file)
        except FileFault as fault:
            named = f"{_name(file.key)} {fault}"
            faults.append(FileFault(fault.kind, named, line=fault.line, column=fault.column))
            delivery.refuse_file(file, fault)
    if faults and len(faults) == count:
        raise faults[0]


def _name(key: str) -> str:
    return key.rsplit("/", 1)[-1]
