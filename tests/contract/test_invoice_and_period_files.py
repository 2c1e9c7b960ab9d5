"""Invoices and billing periods as plain files and in FOCUS 1.4 columns; what cannot be read is refused row by row."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from connectors.billing_period_files.settings import Settings as PeriodSettings
from connectors.common.contract import Delivery, LandingContext, SourceReport
from connectors.common.identity import Identity
from connectors.common.registry import land
from connectors.invoice_files.settings import Settings as InvoiceSettings
from pipelines.night.billing_periods import read_period_statements

NOVEMBER = datetime(2026, 11, 1)


def land_file(folder: Path, connector: str, text: str, name: str = "file.csv") -> SourceReport:
    (folder / "in").mkdir(exist_ok=True)
    (folder / "in" / name).write_text(text)
    kind = InvoiceSettings if connector == "invoice_files" else PeriodSettings
    context = LandingContext(folder / "lake", datetime(2026, 12, 20), Identity.switched_off(), {})
    return land(kind(name="feed", connector=connector, path=folder / "in"), context)


def rows_of(report: SourceReport) -> list[dict[str, object]]:
    return [row for file in report.current_files for row in pq.read_table(file.path).to_pylist()]


@pytest.mark.parametrize(
    "text",
    [
        "invoice_id,issuer,account,period,total,currency\ni-1,AWS,acct,2026-11,10.50,USD\n",
        "InvoiceId,InvoiceIssuerName,BillingAccountId,BillingPeriodStart,BilledCost,BillingCurrency\n"
        "i-1,AWS,acct,2026-11-01T00:00:00Z,10.50,USD\n",
    ],
)
def test_an_invoice_in_plain_and_in_focus_columns(tmp_path: Path, text: str) -> None:
    report = land_file(tmp_path, "invoice_files", text)
    assert not report.findings
    (row,) = rows_of(report)
    assert (row["invoice_id"], row["invoice_issuer_name"], row["billing_account_id"]) == (
        "i-1",
        "AWS",
        "acct",
    )
    assert row["billing_period_start"] == NOVEMBER
    assert (row["invoice_total"], row["billing_currency"]) == (Decimal("10.50"), "USD")
    assert row["is_tax_included"] is True


def test_rows_that_cannot_be_read_are_refused_alone(tmp_path: Path) -> None:
    text = (
        "invoice_id,issuer,period,total,currency,is_tax_included\n"
        "i-1,AWS,2026-11,10,USD,false\ni-2,AWS,November,10,USD,true\ni-3,AWS,2026-11,,USD,true\n"
        "i-4,AWS,2026-11,10,USD,perhaps\n"
    )
    report = land_file(tmp_path, "invoice_files", text)
    assert [(row["invoice_id"], row["is_tax_included"]) for row in rows_of(report)] == [("i-1", False)]
    assert sum(f.count for f in report.findings if f.kind == "quarantined_row") == 3


def test_a_file_without_the_total_is_a_fault(tmp_path: Path) -> None:
    report = land_file(tmp_path, "invoice_files", "invoice_id,issuer,period,currency\ni-1,AWS,2026-11,USD\n")
    assert [finding.kind for finding in report.findings] == ["missing_column"]
    assert "total or BilledCost or invoice_total" in report.findings[0].message


@pytest.mark.parametrize(
    ("header", "column"),
    [
        ("invoice_id,issuer,period,total,currency", "total"),
        ("InvoiceId,InvoiceIssuerName,BillingPeriodStart,BilledCost,BillingCurrency", "BilledCost"),
        (
            "invoice_id,invoice_issuer_name,billing_period_start,invoice_total,billing_currency",
            "invoice_total",
        ),
    ],
)
def test_what_is_wrong_is_told_with_the_names_of_the_file(tmp_path: Path, header: str, column: str) -> None:
    rows = [f"{header}\n", "i-1,AWS,2026-11,10,USD\n", "i-2,AWS,2026-11,ten,USD\n"]
    report = land_file(tmp_path, "invoice_files", "".join(rows))
    assert [f"column {column}, lines 3" in finding.message for finding in report.findings] == [True]
    report = land_file(tmp_path, "invoice_files", "".join(rows).replace("10", "ten"))
    told = [finding.message for finding in report.findings if finding.kind == "type_flip"]
    assert [f"column {column} changed its type" in message for message in told] == [True]


def bill(issuers: tuple[str | None, ...], account: str = "acct") -> Delivery:
    return Delivery(
        "aws",
        "charges",
        f"{account}|2026-11",
        "2026-11",
        "s",
        NOVEMBER,
        NOVEMBER,
        1,
        (),
        invoice_issuers=issuers,
        billing_account_id=account,
    )


def test_what_an_issuer_says_of_a_period(tmp_path: Path) -> None:
    land_file(
        tmp_path,
        "billing_period_files",
        "InvoiceIssuerName,BillingPeriodStart,BillingPeriodStatus,BillingPeriodLastUpdated\n"
        "AWS,2026-11-01T00:00:00Z,Closed,2026-12-05T00:00:00Z\nAWS,2026-11-01T00:00:00Z,Open,2026-12-01T00:00:00Z\n"
        "Google,2026-11-01T00:00:00Z,Open,2026-12-01T00:00:00Z\n",
    )
    report = land_file(
        tmp_path, "billing_period_files", "issuer,account,period,status\nAWS,own,2026-11,open\n", "own.csv"
    )
    said = read_period_statements([report])
    assert said.find_status(bill(("AWS",))) == "closed"
    assert said.find_status(bill(("AWS",), "own")) == "open"
    assert said.find_status(bill(("AWS", "Google"))) == "open"
    assert said.find_status(bill(("AWS", "Oracle"))) is None
    assert said.find_status(bill(("AWS", None))) is None
    assert said.find_status(bill(())) is None


def test_a_status_that_is_none_is_refused(tmp_path: Path) -> None:
    report = land_file(tmp_path, "billing_period_files", "issuer,period,status\nAWS,2026-11,shut\n")
    assert rows_of(report) == []
    assert [finding.kind for finding in report.findings] == ["quarantined_row"]
