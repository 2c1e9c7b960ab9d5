"""What bills said, and why they changed, over whole nights on FOCUS deliveries with stated times."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from pipelines.warehouse.query import QueryError, run_query
from pipelines.warehouse.release import Release
from tests.integration.restating_company import NOW, Restating, changes, charge, write_restating

FIRST, SECOND, THIRD = datetime(2026, 11, 10, 6), datetime(2026, 11, 12, 6), datetime(2026, 12, 6, 6)
PAGE = Path(__file__).parents[2] / "docs/restatements.md"
MORE = {
    "tax": {"ChargeCategory": "Tax"},
    "credit": {"ChargeCategory": "Credit"},
    "a correction of the vendor": {"ChargeClass": "Correction"},
    "the same, of sub account two": {"SubAccountId": "sub-2"},
}
"""What the page says of a line in words."""


def read_table(header: str) -> list[list[str]]:
    """The rows of the table of the page whose header begins so."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    start = next(number for number, text in enumerate(lines) if text.startswith(header))
    rows = []
    for text in lines[start + 2 :]:
        if not text.startswith("|"):
            break
        rows.append([cell.strip().strip("`") for cell in text.strip("|").split("|")])
    assert rows
    return rows


def write_page(company: Restating) -> None:
    """The worked case of the page: a line is a resource; lines that move share their SKU."""
    snapshots: dict[datetime, list[dict[str, str]]] = {FIRST: [], SECOND: []}
    for name, day_number, cost, quantity, next_cost, next_quantity, cause in read_table("| line | day"):
        sku = "moved" if cause == "reallocation" else name
        more = {"SkuId": sku, "ResourceId": name, **MORE.get(cause, {}), **MORE.get(name, {})}
        for moment, amount, used in ((FIRST, cost, quantity), (SECOND, next_cost, next_quantity)):
            if amount:
                snapshots[moment].append(charge(amount, used, int(day_number), **more))
    for moment, lines in snapshots.items():
        company.deliver("aws", moment, lines)


def test_the_worked_case_of_the_page(tmp_path: Path) -> None:
    company = write_restating(tmp_path)
    write_page(company)
    night = company.night()
    found = night.query(
        "select cause, sum(previous_billed_cost), sum(billed_cost), sum(change_billed_cost), "
        "sum(increase_billed_cost) from marts.restatements where previous_snapshot_id is not null group by all"
    )
    expected = {row[0]: [Decimal(cell) for cell in row[1:]] for row in read_table("| cause | before")}
    assert len(expected) == 8
    assert {row.pop("cause"): list(row.values()) for row in found} == expected
    totals = night.query(
        "select sum(previous_billed_cost) as before, sum(billed_cost) as said, sum(change_billed_cost) as change, "
        "sum(lines) as lines from marts.restatements group by delivered_at order by delivered_at"
    )
    assert totals == [
        {"before": Decimal(0), "said": Decimal(33), "change": Decimal(33), "lines": 6},
        {"before": Decimal(33), "said": Decimal("41.30"), "change": Decimal("8.30"), "lines": 10},
    ]
    assert night.billed() == {"aws": Decimal("41.30")}


def test_each_pair_is_compared_once_and_history_comes_out_equal(tmp_path: Path) -> None:
    """Night by night and all in one night tell the same history."""
    slow, fast = write_restating(tmp_path / "slow"), write_restating(tmp_path / "fast")
    told = []
    for number, moment in enumerate((FIRST, SECOND, THIRD)):
        lines = [charge(f"{10 + number}", f"{100 + number}", 1)]
        for company in (slow, fast):
            company.deliver("aws", moment, lines)
        told.append(slow.night(moment))
    written = sorted((tmp_path / "slow/home/lake/ledger/restatements").glob("*.parquet"))
    assert len(written) == 3
    slow.night(NOW)
    assert sorted((tmp_path / "slow/home/lake/ledger/restatements").glob("*.parquet")) == written
    assert changes(told[-1]) == changes(fast.night(NOW))
    assert [row["change"] for row in changes(told[-1])] == [Decimal(10), Decimal(1), Decimal(1)]


def test_a_delivery_that_comes_late_is_told_in_its_place(tmp_path: Path) -> None:
    company = write_restating(tmp_path)
    company.deliver("aws", FIRST, [charge("10", "100")])
    company.deliver("aws", THIRD, [charge("16", "160")])
    before = company.night()
    assert [row["change"] for row in changes(before)] == [Decimal(10), Decimal(6)]
    company.deliver("aws", SECOND, [charge("12", "120")])
    after = company.night(datetime(2026, 12, 21, 3))
    assert [(row["delivered"], row["change"]) for row in changes(after)] == [
        ("11-10", Decimal(10)),
        ("11-12", Decimal(2)),
        ("12-06", Decimal(4)),
    ]
    assert after.billed() == {"aws": Decimal(16)}


def test_deliveries_that_add_up_are_each_told_with_the_whole_bill(tmp_path: Path) -> None:
    company = write_restating(tmp_path, {"gcp": "append"})
    company.deliver("gcp", FIRST, [charge("10", "100", 1), charge("5", "50", 2, ResourceId="b")])
    company.deliver("gcp", SECOND, [charge("3", "30", 3), charge("-1", "-10", 1, ChargeClass="Correction")])
    company.deliver("gcp", THIRD, [charge("2", "20", 3, ResourceId="late")])
    night = company.night()
    said = night.query(
        "select sum(previous_billed_cost) as before, sum(billed_cost) as said, sum(lines) as lines "
        "from marts.restatements group by delivered_at order by delivered_at"
    )
    assert [(row["before"], row["said"], row["lines"]) for row in said] == [
        (Decimal(0), Decimal(15), 2),
        (Decimal(15), Decimal(17), 4),
        (Decimal(17), Decimal(19), 5),
    ]
    assert night.billed() == {"gcp": Decimal(19)}


def test_what_deliveries_changed_can_be_queried_and_no_bill_or_other_file_of_the_ledger(
    tmp_path: Path,
) -> None:
    company = write_restating(tmp_path)
    bill = company.deliver("aws", FIRST, [charge("10", "100")])
    company.night(FIRST)
    company.deliver("aws", SECOND, [charge("12", "120")])
    release = Release(company.night(SECOND).release)
    with run_query(release, "select sum(change_billed_cost) from marts.restatements") as result:
        assert list(result.rows()) == [(Decimal(12),)]
    for name in ("restatements", "ledger_anomalies", "ledger_forecasts", "ledger_budget_forecasts"):
        with run_query(release, f"select count(*) from lake.{name}") as result:
            assert len(list(result.rows())) == 1
    ledger = tmp_path / "home/lake/ledger/restatements"
    written = next(ledger.glob("*.parquet"))
    (ledger / "uncommitted.parquet").write_bytes(written.read_bytes())
    raw = next(path for path in (tmp_path / "home/lake/raw").rglob("*") if path.is_file())
    for path in (ledger / "uncommitted.parquet", raw, bill):
        with (
            pytest.raises(QueryError, match="no other file"),
            run_query(release, f"from read_blob('{path}')"),
        ):
            pass
