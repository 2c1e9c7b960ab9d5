"""Invoices and billing periods from their files, through whole nights."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from tests.integration.mini_company import Outcome, write_csv
from tests.integration.restating_company import charge, write_restating

ISSUER = "Amazon Web Services, Inc."
SOURCES = """  - {{name: invoices, connector: invoice_files, path: invoices}}
  - {{name: periods, connector: billing_period_files, path: periods}}""".replace("{{", "{").replace("}}", "}")
DELIVERED = datetime(2026, 12, 2, 6)
STATES = "select cost_state, sum(billed_cost) as billed from marts.cost_daily group by all"


def test_lines_meet_the_invoice_and_the_issuer_closes_the_period(tmp_path: Path) -> None:
    company = write_restating(tmp_path, extra=SOURCES)
    bill = [charge("10.25", "100", 1, InvoiceId="i-1"), charge("4.75", "50", 2, InvoiceId="i-1")]
    company.deliver("aws", DELIVERED, bill)
    detail = {
        "InvoiceId": "i-1",
        "InvoiceIssuerName": ISSUER,
        "BillingPeriodStart": "2026-11-01T00:00:00Z",
        "BillingCurrency": "USD",
    }
    rows = [
        {**detail, "InvoiceDetailId": "1", "BilledCost": "10.00"},
        {**detail, "InvoiceDetailId": "2", "BilledCost": "5.00"},
    ]
    write_csv(tmp_path / "invoices/detail.csv", rows, rows[0])
    plain = {"issuer": ISSUER, "period": "2026-11", "currency": "USD", "total": "7", "invoice_id": "i-2"}
    write_csv(tmp_path / "invoices/plain.csv", [plain], plain)
    period = {"issuer": ISSUER, "period": "2026-11", "status": "Open", "updated_at": "2026-12-01T00:00:00Z"}
    write_csv(tmp_path / "periods/periods.csv", [period], period)

    night = company.night()
    assert night.result.exit_code == 0
    invoices = (
        "select invoice_id, cause, billed_cost, invoice_total from marts.reconciliation "
        "where invoice_id is not null"
    )
    assert night.query(invoices + " order by invoice_id") == [
        {"invoice_id": "i-1", "cause": "invoice_matched", "billed_cost": 15, "invoice_total": 15},
        {"invoice_id": "i-2", "cause": "invoice_without_lines", "billed_cost": None, "invoice_total": 7},
    ]
    assert any(
        warning.startswith("invoice_without_lines: Invoice i-2 of Amazon")
        for warning in night.result.warnings
    )
    assert night.query(STATES) == [{"cost_state": "provisional", "billed": Decimal(15)}]

    write_csv(
        tmp_path / "periods/closed.csv", [{**period, "status": "Closed", "updated_at": "2026-12-03"}], period
    )
    company.deliver("aws", datetime(2026, 12, 2, 8), [*bill, charge("2", "20", 3, InvoiceId="i-1")])
    closed = company.night(datetime(2026, 12, 21))
    assert closed.query(STATES) == [{"cost_state": "final", "billed": Decimal(17)}]
    assert closed.query(invoices + " and cause = 'invoice_difference'")[0]["billed_cost"] == 17


def test_a_correction_after_closing_stays_final_and_is_told(tmp_path: Path) -> None:
    """Nobody states the period: FOCUS files are final four days after the month's end."""
    company = write_restating(tmp_path)
    company.deliver("aws", datetime(2026, 12, 1), [charge("10", "100", 1)])
    assert company.night(datetime(2026, 12, 4, 23)).query(STATES)[0]["cost_state"] == "provisional"
    assert company.night(datetime(2026, 12, 5)).query(STATES)[0]["cost_state"] == "final"
    company.deliver(
        "aws",
        datetime(2026, 12, 9),
        [charge("10", "100", 1), charge("-3", "-30", 2, ChargeClass="Correction")],
    )
    night = company.night(datetime(2026, 12, 22))
    assert night.query(STATES) == [{"cost_state": "final", "billed": Decimal(7)}]
    told = night.query(
        "select change_billed_cost as change from marts.restatements where cause = 'correction'"
    )
    assert told == [{"change": Decimal(-3)}]


def test_a_bill_that_nobody_delivered_since_its_month_ended_stays_provisional(tmp_path: Path) -> None:
    company = write_restating(tmp_path)
    company.deliver("aws", datetime(2026, 11, 30, 23, 59), [charge("10", "100", 1)])
    assert company.night(datetime(2027, 3, 1)).query(STATES)[0]["cost_state"] == "provisional"


def test_deliveries_that_add_up_are_closed_by_the_newest(tmp_path: Path) -> None:
    company = write_restating(tmp_path, {"aws": "append"})
    company.deliver("aws", datetime(2026, 11, 10), [charge("10", "100", 1)])
    company.deliver("aws", datetime(2026, 12, 1), [charge("2", "20", 30)])
    assert company.night(datetime(2026, 12, 21)).query(STATES) == [
        {"cost_state": "final", "billed": Decimal(12)}
    ]


def test_only_the_month_that_closes_is_built_again(tmp_path: Path) -> None:
    october = {
        "BillingPeriodStart": "2026-10-01T00:00:00Z",
        "BillingPeriodEnd": "2026-11-01T00:00:00Z",
        "ChargePeriodStart": "2026-10-07T00:00:00Z",
        "ChargePeriodEnd": "2026-10-08T00:00:00Z",
    }
    company = write_restating(tmp_path)
    company.deliver("aws", DELIVERED, [charge("10", "100", 1), charge("5", **october)])
    before = find_months(company.night(datetime(2026, 12, 3)))
    assert find_months(company.night(datetime(2026, 12, 4))) == before
    after = find_months(company.night(datetime(2026, 12, 5)))
    assert before.keys() == after.keys() == {"2026-10", "2026-11"}
    assert [month for month in before if before[month] != after[month]] == ["2026-11"]


def find_months(night: Outcome) -> dict[str, list[str]]:
    """The files of `core.charges` by month."""
    manifest = json.loads((night.release / "manifest.json").read_text())
    partitions = manifest["relations"]["core.charges"]["partitions"]
    return {month: [file["path"] for file in part["files"]] for month, part in partitions.items()}
