"""Invoices against bill lines: what matches within FOCUS's tolerance, what does not, and what has no partner."""

from __future__ import annotations

import csv
from typing import Any

import pytest

from tests.sql.harness import MODELS_ROOT, assert_rows, run_model

ISSUER = "Amazon Web Services, Inc."


def read_subunits() -> list[dict[str, str]]:
    with (MODELS_ROOT / "reference/currency_subunits.csv").open() as stream:
        return [{k: row[k] for k in ("currency", "subunit_units")} for row in csv.DictReader(stream)]


def reconcile(lines: list[dict[str, Any]], invoices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    known = {"invoice_issuer_name": ISSUER, "invoice_id": "i-1", "billing_currency": "USD"}
    given = {
        "core.invoice_lines": [{**known, "provider": "aws", "tax_cost": "0", **line} for line in lines],
        "staging.invoices": [{**known, "is_tax_included": "true", **invoice} for invoice in invoices],
        "reference.currency_subunits": read_subunits(),
    }
    return run_model("core.reconciled_invoices", given)


@pytest.mark.parametrize(
    ("currency", "lines", "billed", "total", "cause"),
    [
        ("USD", 10, "101.00", "100.00", "invoice_matched"),  # 100 cents
        ("USD", 10, "99.00", "100.00", "invoice_matched"),
        ("USD", 10, "101.000000000001", "100.00", "invoice_difference"),
        ("USD", 1_000_000, "105.00", "100.00", "invoice_matched"),  # 0.5 · √1e6 · 0.01 = 5.00
        ("USD", 1_000_000, "105.000000000001", "100.00", "invoice_difference"),
        ("USD", 999_999, "105.00", "100.00", "invoice_difference"),
        ("JPY", 10, "1100", "1000", "invoice_matched"),  # 100 yen
        ("JPY", 10, "1100.000000000001", "1000", "invoice_difference"),
        ("BHD", 10, "100.1", "100", "invoice_matched"),  # 100 fils
        ("BHD", 10, "100.100000000001", "100", "invoice_difference"),
        ("USD", 100_000_000_000, "9999999999", "0", "invoice_difference"),
        ("USD", 4, "-100.50", "-100.00", "invoice_matched"),
    ],
)
def test_the_tolerance_is_exact(currency: str, lines: int, billed: str, total: str, cause: str) -> None:
    rows = reconcile(
        [{"billing_currency": currency, "lines": lines, "billed_cost": billed}],
        [{"billing_currency": currency, "invoice_total": total}],
    )
    assert [row["cause"] for row in rows] == [cause]


def test_the_examples_of_the_page_hold() -> None:
    lines = (MODELS_ROOT.parent / "docs/restatements.md").read_text(encoding="utf-8").splitlines()
    start = next(number for number, text in enumerate(lines) if text.startswith("| currency | lines"))
    cases = [
        [cell.strip().strip("`") for cell in text.strip("|").split("|")]
        for text in lines[start + 2 :]
        if text.startswith("|")
    ]
    assert len(cases) == 6
    for currency, count, billed, total, cause in cases:
        rows = reconcile(
            [{"billing_currency": currency, "lines": count, "billed_cost": billed}],
            [{"billing_currency": currency, "invoice_total": total}],
        )
        assert [row["cause"] for row in rows] == [cause], (currency, count, billed, total)


def test_parts_of_a_bill_add_up_and_partners_that_miss_are_shown() -> None:
    rows = reconcile(
        [
            {"billing_period_start": "2026-10-01", "lines": 3, "billed_cost": "2.5"},
            {"billing_period_start": "2026-11-01", "lines": 4, "billed_cost": "7.5", "tax_cost": "1"},
            {"invoice_id": "i-2", "lines": 1, "billed_cost": "4"},
            {"invoice_id": None, "lines": 2, "billed_cost": "6"},
            {"invoice_issuer_name": "Somebody", "lines": 1, "billed_cost": "1"},
        ],
        [{"invoice_total": "10"}, {"invoice_id": "i-3", "invoice_total": "30"}],
    )
    expected = [
        {
            "invoice_id": "i-1",
            "lines": 7,
            "billed_cost": "10",
            "invoice_total": "10",
            "cause": "invoice_matched",
        },
        {"invoice_id": "i-2", "lines": 1, "billed_cost": "4", "cause": "lines_without_invoice"},
        {"invoice_id": "i-3", "invoice_total": "30", "cause": "invoice_without_lines"},
        {"invoice_id": None, "lines": 2, "billed_cost": "6", "cause": "lines_without_invoice"},
    ]
    assert_rows("core.reconciled_invoices", rows, expected)


MONTH = {"invoice_id": None, "billing_account_id": "a", "billing_period_start": "2026-10-01"}


def test_a_bill_that_names_no_invoice_meets_those_of_its_account_and_month() -> None:
    rows = reconcile(
        [
            {**MONTH, "lines": 3, "billed_cost": "40.00"},
            {**MONTH, "billing_account_id": "b", "lines": 2, "billed_cost": "7.00"},
            {**MONTH, "billing_account_id": "c", "lines": 2, "billed_cost": "5.00"},
            {**MONTH, "billing_period_start": "2026-09-01", "lines": 1, "billed_cost": "50.00"},
        ],
        [
            {**MONTH, "invoice_id": "i-1", "invoice_total": "30.00"},
            {**MONTH, "invoice_id": "i-2", "invoice_total": "8.50"},
            {**MONTH, "invoice_id": "i-3", "billing_account_id": None, "invoice_total": "12.00"},
        ],
    )
    expected = [
        {
            "invoice_id": "i-1 and 1 more",
            "billing_account_id": "a",
            "lines": 3,
            "billed_cost": "40",
            "invoice_total": "38.50",
            "cause": "invoice_difference",
        },
        {
            "invoice_id": "i-3",
            "billing_account_id": "b",
            "lines": 4,
            "billed_cost": "12",
            "invoice_total": "12",
            "cause": "invoice_matched",
        },
        {
            "invoice_id": None,
            "billing_account_id": "a",
            "lines": 1,
            "billed_cost": "50",
            "cause": "not_invoiced_yet",
        },
    ]
    assert_rows("core.reconciled_invoices", rows, expected)


def test_a_bill_that_names_its_invoices_is_not_matched_by_month() -> None:
    rows = reconcile(
        [
            {**MONTH, "invoice_id": "i-1", "lines": 1, "billed_cost": "10"},
            {**MONTH, "lines": 1, "billed_cost": "2"},
        ],
        [{**MONTH, "invoice_id": "i-2", "invoice_total": "12"}],
    )
    assert sorted(row["cause"] for row in rows) == [
        "invoice_without_lines",
        "lines_without_invoice",
        "lines_without_invoice",
    ]


def test_an_open_month_is_not_invoiced_yet() -> None:
    rows = reconcile(
        [
            {"lines": 1, "billed_cost": "10"},
            {"invoice_id": "i-2", "lines": 1, "billed_cost": "4", "cost_state": "provisional"},
            {"invoice_id": None, "lines": 1, "billed_cost": "3", "cost_state": "provisional"},
            {"invoice_id": "i-3", "lines": 1, "billed_cost": "5", "cost_state": "final"},
        ],
        [{"invoice_total": "10"}],
    )
    assert {row["invoice_id"]: row["cause"] for row in rows} == {
        "i-1": "invoice_matched",
        "i-2": "not_invoiced_yet",
        None: "not_invoiced_yet",
        "i-3": "lines_without_invoice",
    }


def test_an_invoice_without_tax_is_compared_without_tax() -> None:
    rows = reconcile(
        [{"lines": 2, "billed_cost": "119", "tax_cost": "19"}],
        [{"invoice_total": "98", "is_tax_included": "false"}],
    )
    expected = [{"billed_cost": "100", "difference_cost": "2", "cause": "invoice_difference"}]
    assert_rows("core.reconciled_invoices", rows, expected)


def test_parts_of_an_invoice_add_up_and_a_part_stated_twice_counts_once() -> None:
    part = {
        "invoice_issuer_name": ISSUER,
        "invoice_id": "i-1",
        "billing_currency": "USD",
        "x_snapshot_id": "a",
    }
    rows = run_model(
        "staging.invoices",
        {
            "lake.invoices": [
                {
                    **part,
                    "invoice_detail_id": "1",
                    "invoice_total": "10",
                    "invoice_last_updated_at": "2026-12-01",
                },
                {
                    **part,
                    "invoice_detail_id": "2",
                    "invoice_total": "5",
                    "invoice_last_updated_at": "2026-12-01",
                },
                {
                    **part,
                    "x_snapshot_id": "b",
                    "invoice_detail_id": "1",
                    "invoice_total": "12",
                    "invoice_last_updated_at": "2026-12-03",
                },
                {**part, "invoice_id": "i-2", "invoice_total": "1.25"},
                {**part, "invoice_id": "i-2", "invoice_total": "1.25"},
            ]
        },
    )
    expected = [{"invoice_id": "i-1", "invoice_total": "17"}, {"invoice_id": "i-2", "invoice_total": "2.50"}]
    assert_rows("staging.invoices", rows, expected)


def test_the_statement_updated_last_holds() -> None:
    said = {"invoice_issuer_name": ISSUER, "billing_period_start": "2026-11-01"}
    rows = run_model(
        "staging.billing_periods",
        {
            "lake.billing_periods": [
                {**said, "billing_period_status": "Closed", "billing_period_last_updated_at": "2026-12-10"},
                {**said, "billing_period_status": "Open", "billing_period_last_updated_at": "2026-12-01"},
                {**said, "billing_account_id": "a", "billing_period_status": "Open"},
            ]
        },
    )
    expected = [
        {"billing_account_id": None, "period_status": "closed"},
        {"billing_account_id": "a", "period_status": "open"},
    ]
    assert_rows("staging.billing_periods", rows, expected)
