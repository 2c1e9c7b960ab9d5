"""Azure's actual and amortized cost of one month, through whole nights: two files, one bill."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from connectors.common.contract import Severity
from tests.contract.azure_exports import Run, write_copy
from tests.contract.azure_month import EA_LINE, RESERVATION
from tests.integration.mini_company import Outcome
from tests.integration.restating_company import NOW, Restating, changes, write_restating

SOURCE = "  - {name: azure, connector: azure_cost_exports, location: azure/bills}"
FIRST, SECOND = datetime(2026, 11, 20, 2), datetime(2026, 11, 22, 2)
SECONDS = timedelta(seconds=41)
MONTH = {"BillingPeriodStartDate": "11/01/2026", "BillingPeriodEndDate": "11/30/2026", "ProductName": "vm"}
RESERVED = {"PricingModel": "Reservation", "benefitId": RESERVATION, "ReservationId": "R-1"}


def write_azure(folder: Path) -> Restating:
    """A company with Azure's exports alone, in a folder named relative to the config."""
    return write_restating(folder, {}, SOURCE)


def deliver(
    company: Restating, export_type: str, moment: datetime, usage: str, purchase: str | None = None
) -> Path:
    """Write one run: usage on demand of 5 November and, in the actual file, a reservation bought that day."""
    lines = [EA_LINE | MONTH | {"Date": "11/05/2026", "CostInBillingCurrency": usage}]
    if purchase is not None:
        bought = {"ChargeType": "Purchase", "Frequency": "OneTime", "CostInBillingCurrency": purchase}
        lines.append(lines[0] | RESERVED | bought)
    run = Run(
        lines,
        export=export_type,
        export_type=export_type,
        month="2026-11",
        submitted=f"{moment.isoformat()}Z",
        run_id=f"{export_type}-{moment:%d%H%M}",
    )
    return write_copy(company.folder / "azure", run)


def deliver_pair(
    company: Restating, moment: datetime, usage: str, purchase: str, apart: timedelta = timedelta(0)
) -> None:
    deliver(company, "AmortizedCost", moment, usage)
    deliver(company, "ActualCost", moment + apart, usage, purchase)


def told(night: Outcome) -> list[tuple[str, str, Decimal, int]]:
    return [(row["delivered"], row["cause"], row["change"], row["lines"]) for row in changes(night)]


def said(night: Outcome) -> list[Decimal]:
    """What each snapshot says of the whole bill, in order of delivery."""
    rows = night.query(
        "select sum(billed_cost) as said from marts.restatements group by delivered_at, snapshot_id "
        "order by delivered_at"
    )
    return [row["said"] for row in rows]


def test_twins_that_were_delivered_together_are_one_snapshot(tmp_path: Path) -> None:
    company = write_azure(tmp_path)
    deliver_pair(company, FIRST, "11.60", "46.50")
    night = company.night(FIRST + timedelta(hours=1))
    assert told(night) == [("11-20", "first", Decimal("58.10"), 2)]
    assert said(night) == [Decimal("58.10")]
    deliver_pair(company, SECOND, "12.60", "46.50")
    night = company.night(SECOND + timedelta(hours=1))
    assert told(night)[1:] == [("11-22", "price", Decimal("1.00"), 1)]
    assert said(night) == [Decimal("58.10"), Decimal("59.10")]
    ledger = sorted((tmp_path / "home/lake/ledger/restatements").glob("*.parquet"))
    company.night(NOW)
    assert sorted((tmp_path / "home/lake/ledger/restatements").glob("*.parquet")) == ledger


def test_twins_that_were_delivered_seconds_apart_restate_nothing(tmp_path: Path) -> None:
    company = write_azure(tmp_path)
    deliver_pair(company, FIRST, "11.60", "46.50", SECONDS)
    night = company.night(FIRST + timedelta(hours=1))
    assert told(night) == [("11-20", "first", Decimal("58.10"), 2)]
    assert said(night) == [Decimal("11.60"), Decimal("58.10")]


def test_a_twin_that_lands_a_night_later_joins_its_snapshot(tmp_path: Path) -> None:
    one, two = write_azure(tmp_path / "one"), write_azure(tmp_path / "two")
    deliver(one, "AmortizedCost", FIRST, "11.60")
    assert said(one.night(FIRST + timedelta(hours=1))) == [Decimal("11.60")]
    deliver(one, "ActualCost", FIRST, "11.60", "46.50")
    deliver_pair(two, FIRST, "11.60", "46.50")
    late, together = one.night(NOW), two.night(NOW)
    assert told(late) == told(together) == [("11-20", "first", Decimal("58.10"), 2)]
    everything = "select * from marts.restatements order by all"
    assert late.query(everything) == together.query(everything)


@pytest.mark.parametrize("export_type", ["AmortizedCost", "ActualCost"])
def test_while_one_twin_is_refused_the_last_pair_stands_whole(tmp_path: Path, export_type: str) -> None:
    """Both are of after the month, whose bill closes on the 6th: neither half of it may be final before the other."""
    company = write_azure(tmp_path)
    early, late = datetime(2026, 11, 29, 2), datetime(2026, 12, 3, 2)
    deliver_pair(company, early, "11.60", "46.50", SECONDS)
    assert company.night(early + timedelta(hours=1)).billed() == {"azure": Decimal("58.10")}
    deliver_pair(company, late, "12.60", "47.50", SECONDS)
    (broken,) = (tmp_path / "azure").glob(f"**/{export_type}-03*/part_0_0001.csv")
    content = broken.read_bytes()
    broken.unlink()
    refused = company.night(datetime(2026, 12, 7))
    assert refused.result.exit_code == 2
    assert refused.billed() == {"azure": Decimal("58.10")}
    warned = {finding.kind for finding in refused.findings if finding.severity is Severity.WARN}
    assert warned - {"bill_is_late"} == {"waits_for_twin"}
    states = "select distinct cost_state from marts.cost_daily"
    assert refused.query(states) == [{"cost_state": "provisional"}]
    broken.write_bytes(content)
    whole = company.night(datetime(2026, 12, 8))
    assert whole.billed() == {"azure": Decimal("60.10")}
    assert whole.query(states) == [{"cost_state": "final"}]
    assert "waits_for_twin" not in {finding.kind for finding in whole.findings}


def test_a_twin_whose_lines_cannot_be_read_holds_the_other_back(tmp_path: Path) -> None:
    company = write_azure(tmp_path)
    deliver_pair(company, FIRST, "11.60", "46.50", SECONDS)
    company.night(FIRST + timedelta(hours=1))
    deliver(company, "AmortizedCost", SECOND, "much")
    deliver(company, "ActualCost", SECOND + SECONDS, "12.60", "47.50")
    night = company.night(SECOND + timedelta(hours=1))
    assert night.result.exit_code == 2
    assert night.billed() == {"azure": Decimal("58.10")}


def test_half_a_bill_that_was_not_delivered_since_the_month_ended_keeps_all_of_it_provisional(
    tmp_path: Path,
) -> None:
    company = write_azure(tmp_path)
    deliver_pair(company, FIRST, "11.60", "46.50")
    deliver(company, "ActualCost", datetime(2026, 12, 3, 2), "11.60", "46.50")
    night = company.night(NOW)
    assert night.query("select distinct cost_state from marts.cost_daily") == [{"cost_state": "provisional"}]
