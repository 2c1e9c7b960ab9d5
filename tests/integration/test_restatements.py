"""What bills said, and why they changed, over whole nights on FOCUS deliveries with stated times."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path

from tests.integration.restating_company import NOW, Restating, changes, charge, write_restating

FIRST, SECOND, THIRD = datetime(2026, 11, 10, 6), datetime(2026, 11, 12, 6), datetime(2026, 12, 6, 6)
TAX = {"ChargeCategory": "Tax", "SkuMeter": "", "SkuId": "tax"}
CREDIT = {"ChargeCategory": "Credit", "SkuId": "credit"}


def write_causes(company: Restating) -> None:
    """The worked example of docs/restatements.md: one line a cause."""
    company.deliver(
        "aws",
        FIRST,
        [
            charge("10.00", "100", 1, ResourceId="kept"),
            charge("8.00", "40", 2, ResourceId="repriced"),
            charge("5.00", "50", 3, ResourceId="grown"),
            charge("6.00", "60", 4, ResourceId="left", SkuId="moved"),
            charge("3.00", "30", 5, ResourceId="dropped"),
            charge("1.00", "1", 1, **TAX),
        ],
    )
    company.deliver(
        "aws",
        SECOND,
        [
            charge("10.00", "100", 1, ResourceId="kept"),
            charge("7.20", "40", 2, ResourceId="repriced"),
            charge("5.50", "55", 3, ResourceId="grown"),
            charge("4.00", "40", 4, ResourceId="left", SkuId="moved"),
            charge("2.00", "20", 4, ResourceId="joined", SkuId="moved", SubAccountId="sub-2"),
            charge("1.10", "1", 1, **TAX),
            charge("-2.00", "0", 1, **CREDIT),
            charge("4.00", "40", 6, ResourceId="forgotten"),
            charge("9.00", "90", 11, ResourceId="kept"),
            charge("0.50", "5", 7, ResourceId="kept", ChargeClass="Correction"),
        ],
    )


def test_every_change_stands_under_its_cause(tmp_path: Path) -> None:
    company = write_restating(tmp_path)
    write_causes(company)
    night = company.night()
    found = {
        row["cause"]: (row["change"], row["increase"])
        for row in changes(night)
        if row["delivered"] == "11-12"
    }
    assert found == {
        "price": (Decimal("-0.80"), Decimal(0)),
        "late_usage": (Decimal("4.50"), Decimal("4.50")),
        "new_usage": (Decimal("9.00"), Decimal("9.00")),
        "reallocation": (Decimal("0.00"), Decimal("2.00")),
        "correction": (Decimal("-2.50"), Decimal("0.50")),
        "tax": (Decimal("0.10"), Decimal("0.10")),
        "credit": (Decimal("-2.00"), Decimal(0)),
    }
    totals = night.query(
        "select strftime(delivered_at, '%m-%d') as delivered, sum(previous_billed_cost) as before, "
        "sum(billed_cost) as said, sum(change_billed_cost) as change, sum(lines) as lines "
        "from marts.restatements group by all order by all"
    )
    assert totals == [
        {"delivered": "11-10", "before": Decimal(0), "said": Decimal(33), "change": Decimal(33), "lines": 6},
        {
            "delivered": "11-12",
            "before": Decimal(33),
            "said": Decimal("41.30"),
            "change": Decimal("8.30"),
            "lines": 10,
        },
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
