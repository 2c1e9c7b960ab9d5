"""Random bills through the landing engine: order, repetition, batches and formats change no line and no total."""

from __future__ import annotations

import hashlib
import json
import os
import random
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from unittest import mock

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.common.bills import readers
from connectors.common.bills.contract import BillDelivery
from connectors.common.bills.focus_format import build_focus_format, describe_typing
from connectors.common.bills.landing import BillLanding
from connectors.common.bills.line_digests import ColumnHasher, Seed, build_hex_texts, finish_digests
from connectors.common.bills.nested import build_json_texts
from connectors.common.bills.occurrences import OccurrenceCounter
from connectors.common.contract import LandingContext, SourceReport
from connectors.common.digests import read_file_sha256
from connectors.common.identity import Identity
from connectors.common.parsing import EXACT
from connectors.common.source_files import SourceFile
from connectors.common.source_landing import SourceLanding
from connectors.focus_files.settings import Settings
from tests.contract.focus_bills import LINE, line, write_bill

CLOCK = datetime(2026, 11, 20)
COSTS = st.decimals(min_value=-(10**9), max_value=10**9, places=12).map(lambda number: f"{number:f}")
LINES = st.builds(
    line,
    BilledCost=st.one_of(COSTS, st.sampled_from(["0", "1.10", "NULL"])),
    BillingAccountId=st.sampled_from(["acct-1", "acct|2"]),
    BillingPeriodStart=st.sampled_from(["2026-10-01T00:00:00Z", "2026-09-01T00:00:00Z"]),
    SkuId=st.sampled_from(["a", "b", "", "NULL"]),
    Tags=st.sampled_from(["", '{"team": "x"}', '{"team":"x"}', '{"team": "y", "feature": "z"}']),
)
BILLS = st.lists(LINES, min_size=0, max_size=8)
Bill = list[dict[str, str]]


class Feed:
    """One source in a folder of its own, landed run by run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs = 0

    def open(self, as_of: datetime | None = None) -> tuple[SourceLanding, BillLanding]:
        identity = Identity.switched_off()
        context = LandingContext(self.folder / "lake", CLOCK + timedelta(days=self.runs), identity, {}, as_of)
        feed = Settings(name="feed", path=str(self.folder))
        landing = SourceLanding(feed, context, typing=describe_typing({}, identity))
        return landing, BillLanding(landing, build_focus_format({}, identity))

    def land(self, *deliveries: BillDelivery) -> SourceReport:
        """One run: all of these deliveries must land."""
        landing, bills = self.open()
        self.runs += 1
        for delivery in deliveries:
            assert bills.deliver(delivery), [finding.message for finding in landing.report().findings]
        bills.finish()
        return landing.report()

    def write(self, name: str, bill: Sequence[dict[str, str]]) -> SourceFile:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".parquet":
            pq.write_table(_typed(bill), path)
        else:
            write_bill(path, list(bill))
        return SourceFile(path, name, path.stat().st_size, 0, read_file_sha256(path))

    def deliver(self, day: int, *parts: Sequence[dict[str, str]], key: str = "bill") -> BillDelivery:
        """A stated delivery of some files, written now."""
        files = tuple(self.write(f"{key}/d{day}-{number}.csv", part) for number, part in enumerate(parts))
        return BillDelivery(key, files, CLOCK + timedelta(days=day))


@contextmanager
def open_feed() -> Iterator[Feed]:
    with tempfile.TemporaryDirectory() as folder:
        yield Feed(Path(folder))


def read_state(report: SourceReport) -> dict[str, tuple[Decimal | None, int]]:
    """Return charge id → (billed cost, occurrence) of the current lines; an id given twice fails here."""
    state: dict[str, tuple[Decimal | None, int]] = {}
    for file in report.current_files:
        for row in pq.read_table(file.path, partitioning=None).to_pylist():
            assert row["charge_id"] not in state
            state[row["charge_id"]] = (row["billed_cost"], row["x_occurrence"])
    return state


def read_totals(report: SourceReport) -> dict[str, Decimal]:
    """Return Σ billed cost of the current records by scope, scopes without lines left out."""
    current = [delivery for delivery in report.deliveries if delivery.is_current and delivery.rows]
    return {d.scope: d.billed_totals["USD"] for d in current}


def sum_lines(bill: Bill) -> dict[str, Decimal]:
    totals: dict[str, Decimal] = {}
    for row in bill:
        scope = f"{row['BillingAccountId']}|{row['BillingPeriodStart'][:7]}"
        cost = Decimal(0) if row["BilledCost"] == "NULL" else Decimal(row["BilledCost"])
        totals[scope] = totals.get(scope, Decimal(0)) + cost
    return totals


def _typed(bill: Sequence[dict[str, str]]) -> pa.Table:
    """A bill as Parquet with native decimals and times."""
    columns: dict[str, pa.Array] = {}
    for name in LINE:
        texts = [None if row[name] in ("", "NULL") else row[name] for row in bill]
        if name.endswith(("Cost", "Quantity")):
            columns[name] = pa.array(
                [None if t is None else Decimal(t) for t in texts], pa.decimal128(30, 12)
            )
        elif name.endswith(("Start", "End")):
            moments = [None if t is None else datetime.fromisoformat(t).replace(tzinfo=None) for t in texts]
            columns[name] = pa.array(moments, pa.timestamp("ns"))
        else:
            columns[name] = pa.array(texts, pa.string())
    return pa.table(columns)


@settings(max_examples=30, deadline=None)
@given(
    bill=BILLS, cuts=st.lists(st.integers(0, 8), max_size=2), seed=st.integers(0, 99), rows=st.integers(1, 5)
)
def test_order_files_and_batches_change_nothing(bill: Bill, cuts: list[int], seed: int, rows: int) -> None:
    shuffled = random.Random(seed).sample(bill, len(bill))  # noqa: S311 (no secret)
    ends = sorted(cuts) + [len(bill)]
    parts = [shuffled[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    with open_feed() as one, open_feed() as two, open_feed() as three:
        whole = one.land(one.deliver(0, bill))
        with mock.patch.multiple(readers, _CSV_ROWS=rows, _CSV_BLOCK_BYTES=1 << 12, _PARQUET_ROWS=rows):
            split = two.land(two.deliver(0, *parts))
            parquet = three.write("bill.parquet", shuffled)
            native = three.land(BillDelivery("bill", (parquet,), CLOCK))
        assert read_totals(whole) == read_totals(split) == read_totals(native) == sum_lines(bill)
        assert read_state(whole) == read_state(split) == read_state(native)
        assert len(read_state(whole)) == len(bill)
        contents = [{d.content for d in report.deliveries} for report in (whole, split, native)]
        assert contents[0] == contents[1] == contents[2]


@settings(max_examples=25, deadline=None)
@given(bills=st.lists(BILLS, min_size=1, max_size=4), data=st.data())
def test_deliveries_in_any_order_and_repeated_end_in_the_newest(
    bills: list[Bill], data: st.DataObject
) -> None:
    """A newer delivery replaces the whole older one: what it no longer has becomes empty."""
    days = data.draw(st.permutations(range(len(bills))))
    repeated = data.draw(st.lists(st.sampled_from(days), max_size=3))
    with open_feed() as feed, open_feed() as plain:
        deliveries = [feed.deliver(day, bill) for day, bill in enumerate(bills)]
        for day in [*days, *repeated]:
            report = feed.land(deliveries[day])
        expected = plain.land(plain.deliver(0, bills[-1]))
        assert read_totals(report) == read_totals(expected) == sum_lines(bills[-1])
        assert read_state(report) == read_state(expected)


@settings(max_examples=20, deadline=None)
@given(bill=BILLS.filter(bool), copies=st.integers(1, 4))
def test_identical_lines_are_numbered_from_one(bill: Bill, copies: int) -> None:
    with open_feed() as feed:
        report = feed.land(feed.deliver(0, *[bill] * copies))
        state = read_state(report)
        assert len(state) == len(bill) * copies
        numbers: dict[str, list[int]] = {}
        for charge_id, (_, occurrence) in state.items():
            digest, _, number = charge_id.rpartition("-")
            assert int(number) == occurrence
            numbers.setdefault(digest, []).append(occurrence)
        assert all(sorted(found) == list(range(1, len(found) + 1)) for found in numbers.values())
        assert all(len(found) % copies == 0 for found in numbers.values())


@settings(max_examples=15, deadline=None)
@given(bill=BILLS.filter(bool))
def test_a_bill_goes_down_to_nothing_and_back(bill: Bill) -> None:
    with open_feed() as feed:
        first = feed.land(feed.deliver(0, bill))
        empty = feed.land(feed.deliver(1, []))
        assert read_state(empty) == {} == read_totals(empty)
        current = [d for d in empty.deliveries if d.is_current]
        assert {(d.scope, d.rows, tuple(d.billed_totals)) for d in current} == {
            (s, 0, ()) for s in sum_lines(bill)
        }
        back = feed.land(feed.deliver(2, bill))
        assert read_state(back) == read_state(first)
        assert back.current_files == first.current_files


@settings(max_examples=30, deadline=None)
@given(first=BILLS.filter(bool), second=BILLS, moment=st.integers(1, 14))
def test_a_landing_killed_anywhere_shows_the_old_or_the_new(first: Bill, second: Bill, moment: int) -> None:
    with open_feed() as feed, open_feed() as plain:
        old = read_state(feed.land(feed.deliver(0, first)))
        new = read_state(plain.land(plain.deliver(0, second)))
        delivery = feed.deliver(1, second)
        with pytest.raises(_Killed), _kill_at(moment):
            feed.land(delivery)
            raise _Killed
        landing, _ = feed.open(as_of=CLOCK + timedelta(days=99))
        assert read_state(landing.report()) in (old, new)
        assert read_state(feed.land(delivery)) == new


class _Killed(BaseException):
    """The process ends here."""


@contextmanager
def _kill_at(number: int) -> Iterator[None]:
    """End at the so many-th time that a file gets its name."""
    replace, calls = os.replace, iter(range(1, 10_000))

    def stop(*paths: object) -> None:
        if next(calls) == number:
            raise _Killed
        replace(*paths)  # type: ignore[arg-type]

    with mock.patch("os.replace", stop):
        yield


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(st.one_of(st.none(), st.text(max_size=6)), min_size=1, max_size=6),
    numbers=st.lists(st.one_of(st.none(), st.integers(-(2**100), 2**100)), min_size=6, max_size=6),
)
def test_digests_are_what_is_written_down(texts: list[str | None], numbers: list[int | None]) -> None:
    """The definition of `line_digests`, once more in plain Python."""
    rows = len(texts)
    sums = np.zeros((2, rows), np.uint64)
    ColumnHasher("Text").add_text(pa.array(texts, pa.string()).dictionary_encode(), (sums,))
    decimals = [None if n is None else EXACT.scaleb(Decimal(n), -12) for n in numbers[:rows]]
    ColumnHasher("Number").add_numbers(pa.array(decimals, pa.decimal128(38, 12)), (sums,))
    found = build_hex_texts(finish_digests(sums, Seed.of("feed")), b"-1").to_pylist()
    assert found == [_digest(text, number) for text, number in zip(texts, numbers, strict=False)]


def _digest(text: str | None, number: int | None) -> str:
    total = [0, 0]
    if text is not None:
        _add(total, _words(hashlib.blake2b(text.encode(), digest_size=16, person=_person("Text")).digest()))
    if number is not None:
        k0, k1, k2, k3 = _words(hashlib.blake2b(b"keys", digest_size=32, person=_person("Number")).digest())
        low, high = number & _MASK, (number >> 64) & _MASK
        _add(total, [_mix(_mix(low ^ k0) + (high ^ k1)), _mix(_mix(low ^ k2) + (high ^ k3))])
    s0, s1 = _words(hashlib.blake2b(b"4:feed;", digest_size=16).digest())
    a, b = (total[0] + s0) & _MASK, (total[1] + s1) & _MASK
    words = (_mix(a + _mix(b ^ s1)), _mix(b + _mix(a ^ s0)))
    return b"".join(word.to_bytes(8, "little") for word in words).hex() + "-1"


_MASK = 2**64 - 1


def _person(name: str) -> bytes:
    return hashlib.blake2b(name.encode(), digest_size=16).digest()


def _words(content: bytes) -> list[int]:
    return [int.from_bytes(content[at : at + 8], "little") for at in range(0, len(content), 8)]


def _add(total: list[int], words: list[int]) -> None:
    total[:] = [(so_far + word) & _MASK for so_far, word in zip(total, words, strict=True)]


def _mix(x: int) -> int:
    x &= _MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return x ^ (x >> 31)


@settings(max_examples=30, deadline=None)
@given(drawn=st.lists(st.integers(0, 12), max_size=80), batch=st.integers(1, 9), on_disk=st.integers(2, 20))
def test_occurrences_count_every_digest(drawn: list[int], batch: int, on_disk: int) -> None:
    values = np.random.default_rng(7).integers(0, 2**63, size=(2, 13)).astype(np.uint64)
    seen: Counter[int] = Counter()
    with mock.patch.multiple(
        "connectors.common.bills.occurrences", _SMALLEST_ON_DISK=on_disk, _LARGEST_RUN=30
    ):
        counter = OccurrenceCounter()
        for start in range(0, len(drawn), batch):
            part = drawn[start : start + batch]
            numbers = counter.number(np.ascontiguousarray(values[:, part]))
            for place, value in enumerate(part):
                seen[value] += 1
                assert (1 if numbers is None else numbers[place]) == seen[value]


MAPS = st.one_of(
    st.none(), st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["x", "y", "", None])), max_size=4)
)


@settings(max_examples=60, deadline=None)
@given(maps=st.lists(MAPS, max_size=12), start=st.integers(0, 6))
def test_maps_become_the_json_of_each_row(
    maps: list[list[tuple[str, str | None]] | None], start: int
) -> None:
    column = pa.array(maps, pa.map_(pa.string(), pa.string())).slice(start)
    expected = [None if m is None else json.dumps(dict(m), sort_keys=True) for m in maps[start:]]
    assert build_json_texts(column).to_pylist() == expected
