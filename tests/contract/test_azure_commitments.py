"""What Azure's cost lines of commitments are worth where files say odd things, from files to FOCUS rows."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from connectors.azure_cost_exports.client import land
from connectors.common.contract import LandingContext, Severity, SourceReport
from tests.contract.azure_month import EA_LINE, RESERVATION
from tests.contract.test_azure_cost_exports import (
    WINDOW,
    azure,
    kinds,
    pair,
    put,
    rows,
    settings,
    totals,
)
from tests.servers.azurite import AzuriteServer
from tests.sql.chain import Chain, Inputs

__all__ = ["azure"]

_RESERVED = {"PricingModel": "Reservation", "benefitId": RESERVATION, "benefitName": "vm-1y"}


def land_lines(server: AzuriteServer, context: LandingContext, *lines: dict[str, str]) -> SourceReport:
    """Land these lines, each with its cost as `actual` and `amortized` (absent: not in that file)."""

    def of_view(view: str) -> list[dict[str, str]]:
        kept = [line for line in lines if view in line]
        return [
            EA_LINE
            | {name: text for name, text in line.items() if name not in ("actual", "amortized")}
            | {"CostInBillingCurrency": line[view]}
            | {"ProductName": line.get("ProductName", line["OfferId"])}
            for line in kept
        ]

    put(server, *pair(of_view))
    report = land(settings(), context)
    assert kinds(report, Severity.FAULT) == set(), report.findings
    return report


def read_focus(report: SourceReport) -> dict[str, dict[str, Any]]:
    """Return the rows of the FOCUS export by description; the blocking checks of all models hold."""
    lake = {"azure_cost_lines": rows(report, "azure_cost_lines")}
    with Chain(Inputs(lake), WINDOW, ("exports.focus_1_2",)) as chain:
        assert chain.failed_checks() == {}
        return {row["ChargeDescription"]: row for row in chain.rows("select * from exports.focus_1_2")}


def test_usage_on_demand_is_billed_whatever_benefit_stands_beside_it(
    azure: AzuriteServer, lake_context: LandingContext
) -> None:
    """A machine whose hours go beyond its reservation: 3.00 on the invoice, though the line names the benefit."""
    beside = {"PricingModel": "OnDemand", "benefitId": RESERVATION, "ReservationId": "R-1"}
    report = land_lines(
        azure,
        lake_context,
        {"OfferId": "beyond", "actual": "3", "amortized": "3", **beside},
        {"OfferId": "covered", "actual": "0", "amortized": "0.6", **_RESERVED},
        {"OfferId": "bought", "actual": "20", "ChargeType": "Purchase", **_RESERVED},
    )
    assert totals(report, "azure_cost_lines") == {"USD": Decimal(23)}
    found = read_focus(report)
    assert {
        name: (row["BilledCost"], row["EffectiveCost"], row["PricingCategory"], row["CommitmentDiscountId"])
        for name, row in found.items()
    } == {
        "beyond": (Decimal(3), Decimal(3), "Standard", None),
        "covered": (Decimal(0), Decimal("0.6"), "Committed", RESERVATION.lower()),
        "bought": (Decimal(20), Decimal(0), "Standard", RESERVATION.lower()),
    }


def test_covered_usage_has_its_contract_price_and_unused_commitments_have_none(
    azure: AzuriteServer, lake_context: LandingContext
) -> None:
    """10 hours at 1.00 list and 0.90 agreed cost 6.00 by the reservation; what nobody used saved nothing."""
    prices = {"UnitPrice": "0.9", "PayGPrice": "1", "UnitOfMeasure": "1 Hour"}
    report = land_lines(
        azure,
        lake_context,
        {"OfferId": "used", "actual": "0", "amortized": "6", "Quantity": "10", **prices, **_RESERVED},
        {
            "OfferId": "unused",
            "amortized": "54",
            "Quantity": "90",
            "ChargeType": "UnusedReservation",
            **prices,
            **_RESERVED,
        },
    )
    found = read_focus(report)
    assert {
        name: (row["ListCost"], row["ContractedCost"], row["ContractedUnitPrice"], row["EffectiveCost"])
        for name, row in found.items()
    } == {
        "used": (Decimal(10), Decimal(9), Decimal("0.9"), Decimal(6)),
        "unused": (Decimal(54), Decimal(54), None, Decimal(54)),
    }
    assert {name: row["PricingCurrencyListUnitPrice"] for name, row in found.items()} == {
        "used": Decimal(1),
        "unused": None,
    }


def test_a_price_of_zero_is_none_in_either_currency(
    azure: AzuriteServer, lake_context: LandingContext
) -> None:
    """Azure writes 0 where it states no price."""
    report = land_lines(azure, lake_context, {"OfferId": "unpriced", "actual": "2", "amortized": "2"})
    (row,) = read_focus(report).values()
    names = ("ListUnitPrice", "ContractedUnitPrice")
    assert [row[name] for name in names] == [row[f"PricingCurrency{name}"] for name in names] == [None, None]


def test_a_cost_that_is_missing_stays_unknown_and_is_told(
    azure: AzuriteServer, lake_context: LandingContext
) -> None:
    report = land_lines(
        azure,
        lake_context,
        {"OfferId": "empty", "actual": "", "amortized": ""},
        {"OfferId": "whole", "actual": "2", "amortized": "2"},
    )
    assert "null_cost" in kinds(report)
    found = read_focus(report)
    assert {name: (row["BilledCost"], row["EffectiveCost"]) for name, row in found.items()} == {
        "empty": (None, None),
        "whole": (Decimal(2), Decimal(2)),
    }


def test_purchases_are_never_by_usage_and_every_line_is_described(
    azure: AzuriteServer, lake_context: LandingContext
) -> None:
    nothing = {"ProductName": "", "ResourceId": "", "ResourceName": "", "PricingModel": ""}
    report = land_lines(
        azure,
        lake_context,
        {"OfferId": "bought", "actual": "20", "ChargeType": "Purchase", **_RESERVED},
        {"OfferId": "tax", "actual": "3.8", "amortized": "3.8", "ChargeType": "Tax", **nothing},
    )
    found = read_focus(report)
    assert {name: row["ChargeFrequency"] for name, row in found.items()} == {
        "bought": "One-Time",
        "Tax": "Usage-Based",
    }
