"""Random bills: line names are unique and depend on content only, sums are exact, twice is once."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.common.contract import LandingContext, SourceReport
from connectors.common.identity import Identity
from connectors.focus_files.client import land
from connectors.focus_files.settings import Settings
from tests.contract.focus_bills import line, write_bill

COSTS = st.decimals(min_value=-(10**9), max_value=10**9, places=12).map(lambda number: f"{number:f}")
LINES = st.builds(
    line,
    BilledCost=st.one_of(COSTS, st.sampled_from(["0", "NULL", "1.10", "1.1"])),
    BillingCurrency=st.sampled_from(["USD", "EUR", "JPY"]),
    BillingAccountId=st.sampled_from(["acct-1", "acct|2"]),
    SkuId=st.sampled_from(["a", "b", "", "NULL"]),
    ServiceName=st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=4),
)
BILLS = st.lists(LINES, min_size=1, max_size=12)
CLOCK = datetime(2026, 11, 20)


def land_split(folder: Path, parts: Sequence[Sequence[dict[str, str]]], day: int = 0) -> SourceReport:
    """Write the parts as one declared delivery of the given day, land it, return the report."""
    names = [f"d{day}-{number}.csv" for number in range(len(parts))]
    for name, part in zip(names, parts, strict=True):
        write_bill(folder / "in" / name, part)
    moment = CLOCK + timedelta(days=day)
    manifest = {"delivered_at": moment.isoformat(), "files": names}
    (folder / "in" / f"d{day}.manifest.json").write_text(json.dumps(manifest))
    context = LandingContext(folder / "lake", moment, Identity.switched_off(), {})
    return land(Settings(name="feed", path=folder / "in"), context)


def read_content(report: SourceReport) -> dict[str, tuple[str, Decimal | None]]:
    """Return charge id → (currency, billed cost) of the current rows; an id given twice fails here."""
    content: dict[str, tuple[str, Decimal | None]] = {}
    for file in report.current_files:
        columns = ["charge_id", "billing_currency", "billed_cost"]
        for row in pq.read_table(file.path, columns=columns, partitioning=None).to_pylist():
            assert row["charge_id"] not in content
            content[row["charge_id"]] = (row["billing_currency"], row["billed_cost"])
    return content


def sum_input(bill: Sequence[dict[str, str]]) -> dict[str, Decimal]:
    totals: dict[str, Decimal] = {}
    for row in bill:
        cost = Decimal(0) if row["BilledCost"] == "NULL" else Decimal(row["BilledCost"])
        totals[row["BillingCurrency"]] = totals.get(row["BillingCurrency"], Decimal(0)) + cost
    return totals


def sum_deliveries(report: SourceReport) -> dict[str, Decimal]:
    totals: dict[str, Decimal] = {}
    for delivery in report.deliveries:
        if delivery.is_current:
            for currency, total in delivery.billed_totals.items():
                totals[currency] = totals.get(currency, Decimal(0)) + total
    return totals


@settings(max_examples=40, deadline=None)
@given(bill=BILLS, data=st.data())
def test_lines_are_named_by_content_alone(bill: list[dict[str, str]], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(bill))
    cut = data.draw(st.integers(0, len(bill)))
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        whole = land_split(Path(one), [bill])
        parts = land_split(Path(two), [shuffled[:cut], shuffled[cut:]])
        assert not whole.has_fault
        assert len(read_content(whole)) == len(bill)
        assert read_content(whole) == read_content(parts)
        assert sum_deliveries(whole) == sum_deliveries(parts) == sum_input(bill)
        assert {d.content for d in whole.deliveries} == {d.content for d in parts.deliveries}
        assert {f.digest for f in whole.current_files} == {f.digest for f in parts.current_files}


@settings(max_examples=25, deadline=None)
@given(first=BILLS, second=BILLS)
def test_a_revert_brings_back_exactly_the_first_bill(
    first: list[dict[str, str]], second: list[dict[str, str]]
) -> None:
    accounts = [line(BillingAccountId="acct-1", SkuId="x"), line(BillingAccountId="acct|2", SkuId="x")]
    first, second = first + accounts, second + accounts
    with tempfile.TemporaryDirectory() as folder:
        reports = [land_split(Path(folder), [bill], day) for day, bill in enumerate([first, second, first])]
        assert read_content(reports[0]) == read_content(reports[2])
        assert sum_deliveries(reports[1]) == sum_input(second)
        assert reports[0].current_files == reports[2].current_files
        context = LandingContext(
            Path(folder) / "lake", CLOCK + timedelta(days=9), Identity.switched_off(), {}
        )
        feed = Settings(name="feed", path=Path(folder) / "in")
        assert land(feed, context).deliveries == reports[2].deliveries
        past = land(feed, replace(context, as_of=CLOCK + timedelta(days=1)))
        assert read_content(past) == read_content(reports[1])
