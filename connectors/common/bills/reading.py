"""One pass over the files of a delivery: typed files by scope, and what the delivery's records will say.

What belongs here: totals, content digests, occurrence numbers, charge ids. What must not: which delivery is current.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from connectors.common.bills.columns import encode_text, repeat_text
from connectors.common.bills.contract import BillFormat
from connectors.common.bills.line_digests import ContentDigest, Seed, Words, build_hex_texts
from connectors.common.bills.lines import FileOddities, LineBatch, LineBuilder
from connectors.common.bills.occurrences import OccurrenceCounter
from connectors.common.bills.readers import RowBatch, read_batches
from connectors.common.bills.scope_files import ScopeFiles, split_by_scope
from connectors.common.bills.sketches import LineSketch
from connectors.common.parsing import EXACT
from connectors.common.source_files import FileFault, SourceFile

_BATCHES_AHEAD = 1


class BadFileError(Exception):
    """A file of the delivery that cannot be taken over, with the fault that was found in it."""

    def __init__(self, file: SourceFile, fault: FileFault) -> None:
        super().__init__(str(fault))
        self.file = file
        self.fault = fault


@dataclass
class ScopeTotals:
    """What a record says about the lines of one scope."""

    content: ContentDigest = field(default_factory=ContentDigest)
    rows: int = 0
    repeated: int = 0
    billed: dict[str, Decimal] = field(default_factory=dict)
    issuers: set[str | None] = field(default_factory=set)
    sketches: dict[str, LineSketch] = field(default_factory=dict)


@dataclass
class DeliveryReading:
    """The outcome of one pass: typed files (uncommitted), totals by scope, what is odd by file."""

    files: ScopeFiles
    scopes: dict[str, ScopeTotals] = field(default_factory=dict)
    oddities: dict[str, FileOddities] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Lines of the whole delivery."""
        return sum(totals.rows for totals in self.scopes.values())

    @property
    def schema_seen(self) -> tuple[str, ...]:
        """Delivered columns of all files."""
        return tuple(dict.fromkeys(name for seen in self.oddities.values() for name in seen.schema_seen))


def read_delivery(
    files: Iterable[SourceFile],
    bill_format: BillFormat,
    seeds: tuple[Seed, Seed],
    target: ScopeFiles,
    *,
    sketches: bool = False,
    only: frozenset[str] | None = None,
) -> DeliveryReading:
    """Type all files into `target`; `seeds` begin charge ids and line keys.

    With `sketches`, line keys are sampled by file and scope. `only` limits what is written to these scopes.
    Raises BadFileError; the caller then discards `target`.
    """
    reading = DeliveryReading(target)
    builder = LineBuilder(bill_format, *seeds)
    counter = OccurrenceCounter()
    for file in files:
        oddities = reading.oddities.setdefault(file.relative, FileOddities())
        try:
            for batch in _read_ahead(lambda file=file: read_batches(file, numbers=builder.numbers)):
                lines = builder.build(batch, oddities)
                _add_lines(reading, bill_format, lines, counter, file, sketches=sketches, only=only)
        except FileFault as fault:
            raise BadFileError(file, fault) from fault
    target.close()
    return reading


def _add_lines(
    reading: DeliveryReading,
    bill_format: BillFormat,
    lines: LineBatch,
    counter: OccurrenceCounter,
    file: SourceFile,
    *,
    sketches: bool,
    only: frozenset[str] | None,
) -> None:
    if lines.rows == 0:
        return
    occurrences = counter.number(lines.digests)
    columns = dict(lines.columns)
    columns["charge_id"] = _name_lines(lines.digests, occurrences)
    columns["x_line_key"] = build_hex_texts(lines.line_keys)
    columns["x_occurrence"] = pa.array(np.ones(lines.rows, np.int64) if occurrences is None else occurrences)
    columns["x_source_file"] = repeat_text(file.relative, lines.rows)
    table = reading.files.build_table(columns, lines.rows)
    for number, scope in enumerate(lines.scopes):
        totals = reading.scopes.setdefault(scope, ScopeTotals())
        part, digests, keys, numbers = table, lines.digests, lines.line_keys, occurrences
        if lines.scope_of_line is not None:
            places = np.flatnonzero(lines.scope_of_line == number)
            part = split_by_scope(table, pa.array(places))
            digests, keys = digests[:, places], keys[:, places]
            numbers = None if occurrences is None else occurrences[places]
        totals.content.add(digests)
        totals.rows += part.num_rows
        totals.repeated += 0 if numbers is None else int((numbers > 1).sum())
        _add_totals(totals, bill_format, part)
        if sketches:
            totals.sketches.setdefault(file.relative, LineSketch()).add(keys[0])
        if only is None or scope in only:
            reading.files.add(scope, part)


def _name_lines(digests: Words, occurrences: npt.NDArray[np.int64] | None) -> pa.Array:
    if occurrences is None:
        return build_hex_texts(digests, b"-1")
    numbers = pa.array(occurrences).cast(pa.string())
    return pc.binary_join_element_wise(build_hex_texts(digests), numbers, "-")


def _add_totals(totals: ScopeTotals, bill_format: BillFormat, part: pa.Table) -> None:
    """Add Σ billed cost by currency (nulls do not count) and the issuers of some lines of one scope."""
    billed = part.column(bill_format.billed_cost)
    currencies = _used_values(part.column(bill_format.currency))
    for currency in currencies:
        values = billed
        if len(currencies) > 1:
            values = billed.filter(pc.equal(part.column(bill_format.currency).cast(pa.string()), currency))
        total = pc.sum(values).as_py() or Decimal(0)
        totals.billed[str(currency)] = EXACT.add(totals.billed.get(str(currency), Decimal(0)), total)
    issuer = bill_format.issuer
    totals.issuers |= {None} if issuer is None else set(_used_values(part.column(issuer)))


def _used_values(column: pa.ChunkedArray) -> list[str | None]:
    found: dict[str | None, None] = {}
    for chunk in column.chunks:
        encoded = chunk if pa.types.is_dictionary(chunk.type) else encode_text(chunk)
        for place in pc.unique(encoded.indices).to_pylist():
            found[None if place is None else encoded.dictionary[place].as_py()] = None
    return list(found)


def _read_ahead(open_batches: Callable[[], Iterator[RowBatch]]) -> Iterator[RowBatch]:
    """Yield what a background thread reads, a few batches ahead; its exceptions are raised here."""
    waiting: queue.Queue[RowBatch | BaseException | None] = queue.Queue(_BATCHES_AHEAD)
    is_stopped = threading.Event()

    def put(item: RowBatch | BaseException | None) -> None:
        while not is_stopped.is_set():
            try:
                waiting.put(item, timeout=0.1)
            except queue.Full:
                continue
            return

    def read() -> None:
        try:
            for batch in open_batches():
                put(batch)
                if is_stopped.is_set():
                    return
            put(None)
        except BaseException as error:  # noqa: BLE001 (handed to the thread that asked)
            put(error)

    thread = threading.Thread(target=read, name="bill-reader", daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        is_stopped.set()
        thread.join()
