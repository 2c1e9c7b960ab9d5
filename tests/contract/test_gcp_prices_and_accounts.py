"""List prices, accounts and budgets from Google's billing APIs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow.parquet as pq
import pytest
from google.cloud import billing_v1
from google.cloud.billing import budgets_v1

from connectors.common.contract import LandingContext, SourceReport
from connectors.gcp_billing.client import check, land
from connectors.gcp_billing.settings import Settings
from tests.contract.google_export import ACCOUNT, TABLE, build_table, row
from tests.servers.google_bigquery import BigQueryServer
from tests.servers.google_billing import BillingServer, run_billing

NAME = f"billingAccounts/{ACCOUNT}"
COMPUTE = "6F81-5844-456A"


@pytest.fixture
def billing(google_server: BigQueryServer) -> Iterator[BillingServer]:
    """The billing APIs, beside BigQuery, which signs in."""
    with run_billing() as server:
        server.accounts = [billing_v1.BillingAccount(name=NAME, display_name="Shop Inc.", open=True)]
        yield server


def settings(google: BigQueryServer, billing: BillingServer, **values: Any) -> Settings:
    """A source of the asked parts, at the addresses of the servers."""
    endpoints = {
        "bigquery": google.rest.url,
        "bigquery_storage": google.storage_address,
        "billing": billing.rest.url,
        "budgets": billing.rest.url,
    }
    return Settings(**{"name": "gcp", "connector": "gcp_billing", "endpoints": endpoints, **values})


def rows(report: SourceReport, dataset: str) -> list[dict[str, Any]]:
    """The current rows of a dataset."""
    files = [file for file in report.current_files if file.dataset == dataset]
    return [line for file in files for line in pq.read_table(file.path).to_pylist()]


def sku(sku_id: str, *tiers: tuple[float, int, int], currency: str = "EUR") -> billing_v1.Sku:
    """A SKU with (start, units, nanos) tiers."""
    rates = [
        {
            "start_usage_amount": start,
            "unit_price": {"currency_code": currency, "units": units, "nanos": nanos},
        }
        for start, units, nanos in tiers
    ]
    return billing_v1.Sku(
        name=f"services/{COMPUTE}/skus/{sku_id}",
        sku_id=sku_id,
        description=f"{sku_id} in Belgium",
        category={"service_display_name": "Compute Engine"},
        service_regions=["europe-west1"],
        pricing_info=[
            {
                "effective_time": datetime(2026, 11, 1, tzinfo=UTC),
                "pricing_expression": {
                    "usage_unit": "h",
                    "usage_unit_description": "hour",
                    "tiered_rates": rates,
                },
            }
        ],
    )


def test_list_prices_of_the_billed_services_in_the_bills_currency(
    google_server: BigQueryServer, billing: BillingServer, lake_context: LandingContext
) -> None:
    google_server.tables[TABLE] = build_table([row(1.0, currency="EUR")])
    billing.skus[COMPUTE] = [
        sku("A1", (0, 0, 33_174_000)),
        sku("B2", (0, 0, 0), (100, 1, 500_000_000)),
        sku("C3"),
    ]
    billing.skus["OTHER"] = [sku("D4", (0, 9, 0))]
    billing.failures = [503]
    report = land(settings(google_server, billing, table=TABLE, catalog=True), lake_context)
    assert not report.has_fault, report.findings
    prices = {price["sku_price_id"]: price for price in rows(report, "sku_prices")}
    assert set(prices) == {"A1/0", "B2/0", "B2/100"}
    assert set(billing.currencies) == {"EUR"}
    assert prices["A1/0"]["list_unit_price"] == Decimal("0.033174")
    assert prices["B2/100"]["list_unit_price"] == Decimal("1.5")
    assert prices["B2/100"]["tier_start_quantity"] == Decimal(100)
    assert (prices["A1/0"]["pricing_unit"], prices["A1/0"]["provider"]) == ("hour", "google")
    assert (prices["A1/0"]["region_id"], prices["A1/0"]["currency"]) == ("europe-west1", "EUR")
    assert prices["A1/0"]["effective_at"] == datetime(2026, 11, 1)


def test_accounts_and_their_projects(
    google_server: BigQueryServer, billing: BillingServer, lake_context: LandingContext
) -> None:
    billing.projects[NAME] = [
        billing_v1.ProjectBillingInfo(
            name=f"projects/{name}/billingInfo", project_id=name, billing_account_name=NAME
        )
        for name in ("shop", "search", "logs")
    ]
    report = land(settings(google_server, billing, accounts=True), lake_context)
    found = {line["account_id"]: line for line in rows(report, "accounts")}
    assert set(found) == {ACCOUNT, "shop", "search", "logs"}
    assert (found[ACCOUNT]["account_name"], found[ACCOUNT]["account_type"]) == (
        "Shop Inc.",
        "billing_account",
    )
    assert (found["shop"]["parent_account_id"], found["shop"]["account_type"]) == (ACCOUNT, "project")


def budget(number: int, **values: Any) -> budgets_v1.Budget:
    """A budget of 1,000.50 EUR a month, unless told otherwise."""
    amount = {"specified_amount": {"currency_code": "EUR", "units": 1000, "nanos": 500_000_000}}
    return budgets_v1.Budget(**{"name": f"{NAME}/budgets/b{number}", "amount": amount, **values})


def test_budgets_of_this_period_and_those_that_cannot_be_told_are_counted(
    google_server: BigQueryServer, billing: BillingServer, lake_context: LandingContext
) -> None:
    day = {"year": 2026, "month": 11, "day": 10}
    billing.budgets[NAME] = [
        budget(1),
        budget(2, budget_filter={"calendar_period": "QUARTER", "labels": {"team": ["search"]}}),
        budget(3, budget_filter={"custom_period": {"start_date": day, "end_date": {**day, "month": 12}}}),
        budget(4, budget_filter={"projects": ["projects/1"]}),
        budget(5, amount={"last_period_amount": {}}),
        budget(6, budget_filter={"labels": {"unknown": ["x"]}}),
        budget(7, budget_filter={"calendar_period": "YEAR"}),
    ]
    report = land(settings(google_server, billing, budgets=True, billing_account=ACCOUNT), lake_context)
    found = {line["budget_id"].rpartition("/")[2]: line for line in rows(report, "budgets")}
    assert {name: (line["period_start"], line["period_end"]) for name, line in found.items()} == {
        "b1": (date(2026, 11, 1), date(2026, 12, 1)),
        "b2": (date(2026, 10, 1), date(2027, 1, 1)),
        "b3": (date(2026, 11, 10), date(2026, 12, 11)),
        "b7": (date(2026, 1, 1), date(2027, 1, 1)),
    }
    assert (found["b1"]["amount"], found["b1"]["currency"]) == (Decimal("1000.5"), "EUR")
    assert (found["b2"]["team"], found["b1"]["measure"]) == ("search", "billed_cost")
    left_out = [finding for finding in report.findings if finding.kind == "budget_left_out"]
    assert sum(finding.count for finding in left_out) == 3


def test_a_refusal_stops_its_part_alone_and_says_what_to_grant(
    google_server: BigQueryServer, billing: BillingServer, lake_context: LandingContext
) -> None:
    google_server.tables[TABLE] = build_table([row(1.0)])
    billing.denied = {"budgets"}
    wanted = settings(google_server, billing, table=TABLE, accounts=True, budgets=True)
    report = land(wanted, lake_context)
    faults = [finding for finding in report.findings if finding.severity == "fault"]
    assert [fault.dataset for fault in faults] == ["budgets"] and "billing.budgets.list" in faults[0].message
    assert rows(report, "accounts") and rows(report, "gcp_cost_lines")
    steps = {step.name: step for step in check(wanted)}
    assert steps["billing account"].is_ok and not steps["budgets"].is_ok
    assert "roles/billing.viewer" in steps["budgets"].message


def test_equal_answers_add_nothing(
    google_server: BigQueryServer, billing: BillingServer, lake_context: LandingContext
) -> None:
    wanted = settings(google_server, billing, accounts=True)
    first = land(wanted, lake_context)
    assert land(wanted, lake_context).deliveries == first.deliveries != ()
