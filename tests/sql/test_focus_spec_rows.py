"""The FOCUS specification's example rows of commitments and tokens, from its files through landing to the mart.

What belongs here: what the examples lack to be a bill, and what they say. What must not: its AI examples
(`test_classification`).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from connectors.common.contract import LandingContext, Severity, SourceReport
from connectors.focus_files.client import land
from connectors.focus_files.settings import Settings
from tests.contract.focus_bills import write_bill
from tests.sql.chain import Chain, Inputs, Window

PRODUCT = {
    "BillingAccountId": "payer",
    "BillingCurrency": "USD",
    "InvoiceIssuerName": "Amazon Web Services, Inc.",
    "ProviderName": "AWS",
    "PublisherName": "AWS",
    "ServiceName": "Amazon Elastic Compute Cloud",
    "ServiceCategory": "Compute",
}
"""The commitment examples are excerpts: account, currency, service and provider are left out, and list and contracted
cost (see `complete`). Compute, as their hours of usage are."""

_NO_TIME = {"2023-02-01T30:00:00Z": "2023-02-02T06:00:00Z"}
"""The specification counts hours beyond the day's end; what is meant instead is a time."""

Row = dict[str, Any]


def read_example(folder: Path, name: str) -> list[dict[str, str]]:
    """The rows of one example as its file has them."""
    with (folder / f"{name}.csv").open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def complete(row: Mapping[str, str]) -> dict[str, str]:
    """A commitment's row as a whole line: list and contracted cost of a purchase are what is billed, of usage one
    dollar an hour as the example's commitment is priced, of what nobody used nothing."""
    is_purchase = row["ChargeCategory"] == "Purchase"
    is_used = row.get("ConsumedQuantity") not in (None, "", "null")
    price = row["BilledCost"] if is_purchase else "1.00" if is_used else "0.00"
    costs = {"ListCost": price, "ContractedCost": price}
    return {**PRODUCT, **costs, **{name: _NO_TIME.get(value, value) for name, value in row.items()}}


def land_rows(rows: Sequence[Mapping[str, str]], path: Path, context: LandingContext) -> SourceReport:
    """Land rows as one FOCUS file."""
    write_bill(path, rows, dict.fromkeys(name for row in rows for name in row))
    return land(Settings(name="spec", path=str(path)), context)


def build(report: SourceReport, window: Window) -> tuple[list[Row], list[Row]]:
    """The charges with their driver, and marts.cost_daily by category, driver and reason; no check fails."""
    assert not report.has_fault, report.findings
    charges = [row for file in report.current_files for row in pq.read_table(file.path).to_pylist()]
    deliveries = [
        {
            "source": "spec",
            "billing_account_id": delivery.billing_account_id,
            "billing_period_start": datetime.strptime(delivery.period or "", "%Y-%m"),  # noqa: DTZ007
            "snapshot_id": delivery.snapshot_id,
            "delivered_at": window.as_of,
            "watermark_at": window.as_of,
        }
        for delivery in report.deliveries
    ]
    inputs = Inputs({"charges": charges}, deliveries)
    with Chain(inputs, window, ("core.charges", "marts.cost_daily")) as chain:
        assert not chain.failed_checks()
        lines = chain.rows(
            "select delivered.*, classified.cost_driver from staging.charges as delivered "
            "inner join core.charges as classified using (charge_id) "
            "order by delivered.charge_period_start, delivered.list_cost desc, delivered.effective_cost desc"
        )
        daily = chain.rows(
            "select charge_category, cost_driver, residual_reason, sum(billed_cost) as billed, "
            "sum(effective_cost) as effective from marts.cost_daily group by all order by all"
        )
    return lines, daily


# --- commitments

_YEAR = Window(date(2023, 1, 1), date(2024, 2, 1), datetime(2024, 3, 1))
COMMITMENTS: Mapping[
    str, tuple[Sequence[tuple[str, str | None, str, str]], Sequence[tuple[str, str, str, str]]]
] = {
    "purchase_scenario_1": (  # all upfront
        [("Purchase", None, "8760", "0")],
        [("Purchase", "no_owner", "8760", "0")],
    ),
    "purchase_scenario_2": (  # no upfront: a fee an hour
        [("Purchase", None, "1", "0")] * 3,
        [("Purchase", "no_owner", "3", "0")],
    ),
    "purchase_scenario_3": (  # half and half
        [("Purchase", None, "4380", "0")] + [("Purchase", None, "0.5", "0")] * 3,
        [("Purchase", "no_owner", "4381.5", "0")],
    ),
    "usage_scenario_1": (  # used up
        [("Usage", "Used", "0", "1")],
        [("Usage", "no_owner", "0", "1")],
    ),
    "usage_scenario_2": (  # not used at all
        [("Usage", "Unused", "0", "1")],
        [("Usage", "unused_commitment", "0", "1")],
    ),
    "usage_scenario_3": (  # three quarters used
        [("Usage", "Used", "0", "0.75"), ("Usage", "Unused", "0", "0.25")],
        [("Usage", "no_owner", "0", "0.75"), ("Usage", "unused_commitment", "0", "0.25")],
    ),
    "usage_scenario_4": (  # used up, and half an hour more at a price
        [("Usage", "Used", "0", "1"), ("Usage", None, "0.5", "0.5")],
        [("Usage", "no_owner", "0.5", "1.5")],
    ),
}
"""Scenario → its charges (category, status, billed, effective) and what the mart says (category, reason, both sums)."""


@pytest.mark.parametrize("name", COMMITMENTS)
def test_commitments_land_and_reach_the_mart(
    name: str, shared_data: Path, lake_context: LandingContext, tmp_path: Path
) -> None:
    """A purchase costs when it is billed, its use when it is used, and what nobody uses is nobody's."""
    example = read_example(shared_data / "focus_spec", f"commitment_discount_{name}")
    report = land_rows([complete(row) for row in example], tmp_path / "bill.csv", lake_context)
    charges, daily = build(report, _YEAR)
    expected, expected_daily = COMMITMENTS[name]
    assert [
        (row["charge_category"], row["commitment_discount_status"], row["billed_cost"], row["effective_cost"])
        for row in charges
    ] == [(*words, Decimal(billed), Decimal(effective)) for *words, billed, effective in expected]
    assert [
        (row["charge_category"], row["residual_reason"], row["billed"], row["effective"]) for row in daily
    ] == [(*words, Decimal(billed), Decimal(effective)) for *words, billed, effective in expected_daily]
    assert {row["cost_driver"] for row in charges} == {"compute"}
    committed = [row for row in example if row["CommitmentDiscountQuantity"] != "null"]
    landed = [row for row in charges if row["commitment_discount_id"] is not None]
    assert {row["commitment_discount_id"] for row in landed} == {"<my-commitment-discount-id>"}
    assert sum(row["commitment_discount_quantity"] for row in landed) == sum(
        Decimal(row["CommitmentDiscountQuantity"]) for row in committed
    )


def test_an_hour_beyond_the_day_is_refused_where_it_stands(
    shared_data: Path, lake_context: LandingContext, tmp_path: Path
) -> None:
    """As the specification's file has it: no guess is made of what T30:00 means."""
    example = read_example(shared_data / "focus_spec", "commitment_discount_purchase_scenario_2")
    path = write_bill(tmp_path / "bill.csv", [{**PRODUCT, **row} for row in example], [*PRODUCT, *example[0]])
    report = land(Settings(name="spec", path=str(path)), lake_context)
    (fault,) = [finding for finding in report.findings if finding.severity is Severity.FAULT]
    assert (fault.kind, report.deliveries) == ("missing_column", ()), "list and contracted cost are mandatory"
    report = land_rows(
        [complete(row) | {"ChargePeriodEnd": row["ChargePeriodEnd"]} for row in example], path, lake_context
    )
    (fault,) = [finding for finding in report.findings if finding.severity is Severity.FAULT]
    assert "line 4, column ChargePeriodEnd" in fault.message
    assert report.deliveries == ()


# --- virtual currencies

_APRIL = Window(date(2025, 4, 1), date(2025, 11, 1), datetime(2026, 6, 1))
TOKENS = {
    "a1": [("Purchase", "USD", "200000", "0", "200000", "0", "USD 2")],
    "a2": [
        ("Usage", "Token", "0", "720", "720", "360", "Token 3"),
        ("Usage", "Token", "0", "490", "490", "245", "Token 1"),
        ("Usage", "Token", "0", "20", "20", "10", "Token 2"),
    ],
    "b1": [("Purchase", "USD", "100000", "0", "200000", "0", "USD 1")],
    "b2": [
        ("Usage", "Token", "0", "360", "720", "360", "Token 3"),
        ("Usage", "Token", "0", "245", "490", "245", "Token 1"),
        ("Usage", "Token", "0", "10", "20", "10", "Token 2"),
    ],
    "b3": [
        ("Usage", "Token", "0", "245", "490", "245", "Token 1"),
        ("Usage", "Token", "0", "240", "720", "240", "Token 2"),
        ("Usage", "Token", "0", "10", "20", "10", "Token 2"),
    ],
    "c": [
        ("Purchase", "USD", "50000", "0", "50000", "0", "USD 2"),
        ("Purchase", "USD", "3000", "0", "3000", "0", "USD 2"),
    ],
}
"""Example → category, pricing currency, billed, effective, list; effective and price in the pricing currency."""


def test_a_date_that_may_be_read_two_ways_is_refused(shared_data: Path, lake_context: LandingContext) -> None:
    """The examples of tokens were saved by a spreadsheet: 4/1/25 is April or January, and FOCUS asks for ISO 8601."""
    paths = sorted((shared_data / "focus_spec").glob("virtual_currency_*.csv"))
    assert len(paths) == len(TOKENS)
    for path in paths:
        report = land(Settings(name=path.stem, path=str(path)), lake_context)
        (fault,) = [finding for finding in report.findings if finding.severity is Severity.FAULT]
        assert "a time (ISO 8601)" in fault.message or "ServiceCategory" in fault.message
        assert report.deliveries == ()


@pytest.mark.parametrize("name", TOKENS)
def test_tokens_bought_and_used_keep_both_currencies(
    name: str, shared_data: Path, lake_context: LandingContext, tmp_path: Path
) -> None:
    """With the dates as ISO 8601 says them, the month first: so each billing period is a month."""
    example = read_example(shared_data / "focus_spec", f"virtual_currency_pricing_model_{name}")
    periods = ("BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd")
    rows = [row | {column: _month_first(row[column]) for column in periods} for row in example]
    charges, daily = build(land_rows(rows, tmp_path / "bill.csv", lake_context), _APRIL)
    found = [
        (
            row["charge_category"],
            row["pricing_currency"],
            row["billed_cost"],
            row["effective_cost"],
            row["list_cost"],
            row["pricing_currency_effective_cost"],
            f"{row['pricing_currency']} {row['pricing_currency_contracted_unit_price'].normalize():f}",
        )
        for row in sorted(charges, key=lambda row: (-row["billed_cost"], -row["effective_cost"]))
    ]
    assert found == [
        (category, currency, *map(Decimal, amounts), price)
        for category, currency, *amounts, price in TOKENS[name]
    ]
    assert {row["billing_currency"] for row in charges} == {"USD"}
    assert sum(row["billed"] for row in daily) == sum(Decimal(row[2]) for row in TOKENS[name])
    assert sum(row["effective"] for row in daily) == sum(Decimal(row[3]) for row in TOKENS[name])


def _month_first(text: str) -> str:
    return datetime.strptime(text, "%m/%d/%y").strftime("%Y-%m-%dT00:00:00Z")  # noqa: DTZ007
