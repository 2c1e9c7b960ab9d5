"""`staging.gcp_charges`: Google's two commitment models, credits, taxes and corrections in FOCUS terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest

from connectors.common.vendor_lines.gcp_billing import CREDIT_COLUMNS
from tests.sql.harness import assert_rows, run_checks, run_model

MODEL = "staging.gcp_charges"
COSTS = ("billed_cost", "effective_cost", "list_cost", "contracted_cost")
MONTH = {
    "billing_period_start": "2026-11-01 07:00:00",
    "billing_period_end": "2026-12-01 08:00:00",
    "charge_period_start": "2026-11-03 10:00:00",
    "charge_period_end": "2026-11-03 11:00:00",
    "export_at": "2026-11-03 15:00:00",
}


def line(charge_id: str, cost: str = "0", **values: Any) -> dict[str, Any]:
    """A line of the export; `billed_cost` is its cost and its credits, as the landing computes it."""
    amounts = [Decimal(cost), *(Decimal(str(values.get(name, 0))) for name in CREDIT_COLUMNS)]
    return {
        "charge_id": charge_id,
        "x_line_key": f"key-{charge_id}",
        "x_source": "gcp",
        "billing_account_id": "01AB",
        "billing_currency": "USD",
        "invoice_issuer_name": "Google Cloud",
        "cost_type": "regular",
        "service_name": "Compute Engine",
        "sku_id": f"sku-{charge_id}",
        "sku_description": "N2 Instance Core running in Americas",
        "project_id": "shop",
        "cost": cost,
        "billed_cost": str(sum(amounts)),
        "is_period_closed": False,
        **dict.fromkeys(CREDIT_COLUMNS, "0"),
        **MONTH,
        **values,
    }


def charges(*lines: Mapping[str, Any], prices: Sequence[Mapping[str, Any]] = ()) -> list[dict[str, Any]]:
    """The charges made of lines; the checks of the model hold on them."""
    given = {
        "lake.gcp_cost_lines": list(lines),
        "reference.gcp_services": SERVICES,
        "staging.sku_prices": list(prices),
    }
    rows = run_model(MODEL, given)
    violations = run_checks(MODEL, {**given, MODEL: rows})
    assert violations and not any(violations.values()), violations
    return rows


SERVICES = [
    {
        "service_name": "compute engine",
        "service_category": "Compute",
        "service_subcategory": "Virtual Machines",
    }
]
FEE = {"sku_description": "Commitment - dollar based v1: GCE for 1 year", "subscription_instance_id": "sub-1"}
FLEX = {
    "consumption_model_id": "D97B-0795-975B",
    "consumption_model_description": "Compute Flexible CUDs 1 Year",
}
DEFAULT = {"consumption_model_id": "7754-699E-0EBF", "consumption_model_description": "Default"}


def test_newer_commitment_model_used_up_and_more() -> None:
    """Google's own example, overutilised: fees are offset, usage carries the discounted price."""
    rows = charges(
        line("fee-ram", "0.046868", fee_utilization_offset_credit="-0.046868", **FEE),
        line("fee-core", "0.025132", fee_utilization_offset_credit="-0.025132", **FEE),
        line("ram-default", "0.109398", **DEFAULT),
        line("ram-flex", "0.046868", **FLEX),
        line("core-default", "0.058648", **DEFAULT),
        line("core-flex", "0.025132", **FLEX),
    )
    expected = [
        ("fee-ram", "Purchase", None, "0", "0"),
        ("fee-core", "Purchase", None, "0", "0"),
        ("ram-default", "Usage", None, "0.109398", "0.109398"),
        ("ram-flex", "Usage", "Used", "0.046868", "0.046868"),
        ("core-default", "Usage", None, "0.058648", "0.058648"),
        ("core-flex", "Usage", "Used", "0.025132", "0.025132"),
    ]
    assert_rows(MODEL, rows, _named(expected))
    assert sum(row["effective_cost"] for row in rows) == Decimal("0.240046")


def test_newer_commitment_model_not_used_up() -> None:
    """Google's own example, underutilised: what no usage offset is unused commitment."""
    rows = charges(
        line("fee-ram", "0.125637", fee_utilization_offset_credit="-0.125637", **FEE, sku_id="fee"),
        line("fee-core", "0.067369", fee_utilization_offset_credit="-0.067369", **FEE, sku_id="fee"),
        line("fee-rest", "0.022994", **FEE, sku_id="fee"),
        line("ram", "0.125637", **FLEX),
        line("core", "0.067369", **FLEX),
    )
    expected = [
        ("fee-ram", "Purchase", None, "0", "0"),
        ("fee-core", "Purchase", None, "0", "0"),
        ("fee-rest", "Purchase", None, "0.022994", "0"),
        ("fee-rest-unused", "Usage", "Unused", "0", "0.022994"),
        ("ram", "Usage", "Used", "0.125637", "0.125637"),
        ("core", "Usage", "Used", "0.067369", "0.067369"),
    ]
    assert_rows(MODEL, rows, _named(expected))
    assert sum(row["effective_cost"] for row in rows) == Decimal("0.216")
    unused = next(row for row in rows if row["charge_id"] == "fee-rest-unused")
    assert (unused["commitment_discount_id"], unused["resource_id"]) == ("sub-1", "sub-1")
    assert unused["consumed_quantity"] is None


def test_older_commitment_of_spend_covered_usage_takes_the_fee() -> None:
    """A fee of 6 covers usage of 4 and of 8 at list: they carry 2 and 4 of it; what is not covered costs itself."""
    rows = charges(
        line("fee", "6", **FEE),
        line("a", "4", committed_usage_discount_dollar_base_credit="-4", commitment_names="GCE commitment"),
        line("b", "9", committed_usage_discount_dollar_base_credit="-8", commitment_names="GCE commitment"),
        line("c", "5"),
    )
    expected = [
        ("fee", "Purchase", None, "6", "0"),
        ("a", "Usage", "Used", "0", "2"),
        ("b", "Usage", "Used", "1", "5"),
        ("c", "Usage", None, "5", "5"),
    ]
    assert_rows(MODEL, rows, _named(expected))


def test_a_commitment_of_spend_is_paid_by_its_own_service_or_if_flexible_by_others() -> None:
    """Cloud SQL's fee stays with it; Compute Engine's covers Kubernetes too; nothing used Vertex AI's."""
    credit = "committed_usage_discount_dollar_base_credit"
    rows = charges(
        line("sql-fee", "6", service_name="Cloud SQL", **FEE),
        line("sql", "10", service_name="Cloud SQL", **{credit: "-10"}),
        line("flex-fee", "8", **FEE),
        line("vm", "30", **{credit: "-30"}),
        line("pods", "10", service_name="Kubernetes Engine", **{credit: "-10"}),
        line("vertex-fee", "5", service_name="Vertex AI", **FEE),
    )
    assert {row["charge_id"]: row["effective_cost"] for row in rows if row["effective_cost"]} == {
        "sql": Decimal(6),
        "vm": Decimal(6),
        "pods": Decimal(2),
        "vertex-fee-unused": Decimal(5),
    }


def test_older_commitment_of_cores_leaves_what_was_not_used() -> None:
    """10 core hours committed for 5, 6 used: usage carries 3, 2 are unused; memory is another pool."""
    cores = {"sku_description": "Commitment v1: Cpu in Americas for 1 Year"}
    memory = {"sku_description": "Commitment v1: Ram in Americas for 1 Year"}
    rows = charges(
        line("fee-core", "5", usage_amount_in_pricing_units="10", **cores),
        line("fee-ram", "7", usage_amount_in_pricing_units="10", **memory),
        line("core", "6", usage_amount_in_pricing_units="6", committed_usage_discount_credit="-6"),
    )
    expected = [
        ("fee-core", "Purchase", None, "5", "0"),
        ("fee-core-unused", "Usage", "Unused", "0", "2"),
        ("fee-ram", "Purchase", None, "7", "0"),
        ("fee-ram-unused", "Usage", "Unused", "0", "7"),
        ("core", "Usage", "Used", "0", "3"),
    ]
    assert_rows(MODEL, rows, _named(expected))


def test_hours_given_back_count_against_what_was_committed_and_what_was_covered() -> None:
    """Of 20 - 5 hours for 15.00, half were used: 10 hours were covered, negated, and covered anew as 7.5."""
    memory = {"sku_description": "N2 Instance Ram running in Americas"}
    fee = {
        "sku_description": "Commitment v1: N2 Ram in Americas for 3 Year",
        "subscription_instance_id": "c-1",
    }
    rows = charges(
        line("fee", "20", usage_amount_in_pricing_units="20", **fee),
        line("refund", "-5", usage_amount_in_pricing_units="-5", **fee),
        line(
            "first", "8", committed_usage_discount_credit="-8", usage_amount_in_pricing_units="10", **memory
        ),
        line(
            "negated",
            "-8",
            committed_usage_discount_credit="8",
            usage_amount_in_pricing_units="-10",
            **memory,
        ),
        line(
            "anew", "6", committed_usage_discount_credit="-6", usage_amount_in_pricing_units="7.5", **memory
        ),
    )
    expected = [
        ("fee", "Purchase", None, "20", "0"),
        ("fee-unused", "Usage", "Unused", "0", "7.5"),
        ("refund", "Purchase", None, "-5", "0"),
        ("first", "Usage", "Used", "0", "4.285714285715"),
        ("negated", "Usage", "Used", "0", "0"),
        ("anew", "Usage", "Used", "0", "3.214285714285"),
    ]
    assert {row["charge_id"]: row["effective_cost"] for row in rows} == {
        name: Decimal(effective) for name, _, _, _, effective in expected
    }
    assert_rows(MODEL, rows, _named(expected))
    assert {row["charge_id"]: row["pricing_category"] for row in rows} == {
        "fee": "Standard",
        "fee-unused": "Committed",
        "refund": "Standard",
        "first": "Committed",
        "negated": "Committed",
        "anew": "Committed",
    }


def test_thirds_of_a_fee_sum_to_the_fee_to_the_last_digit() -> None:
    covered = [line(name, "1", committed_usage_discount_dollar_base_credit="-1") for name in ("a", "b", "c")]
    rows = charges(line("fee", "0.1", **FEE), *covered)
    assert sorted(row["effective_cost"] for row in rows) == [
        Decimal(0),
        Decimal("0.033333333333"),
        Decimal("0.033333333333"),
        Decimal("0.033333333334"),
    ]


def test_amounts_of_currencies_with_many_digits_and_token_counts_fit() -> None:
    """9 billion rupiah a line, thirty lines of covered usage; and 20 trillion tokens, which are in no pool."""
    covered = [
        line(
            f"u{number:02}",
            "9000000000",
            committed_usage_discount_credit="-9000000000",
            usage_amount_in_pricing_units="800000",
        )
        for number in range(30)
    ]
    fees = [
        line(
            f"f{number:02}",
            "7000000000.000000000001",
            sku_description="Commitment v1: Cpu in Jakarta for 3 Years",
            usage_amount_in_pricing_units="900000",
        )
        for number in range(30)
    ]
    tokens = line(
        "t", "5", usage_amount_in_pricing_units="20000000000000", price_list="0.25", cost_at_list=None
    )
    rows = charges(*covered, *fees, tokens)
    assert sum(row["effective_cost"] for row in rows) == sum(row["billed_cost"] for row in rows)
    used = sum(row["effective_cost"] for row in rows if row["commitment_discount_status"] == "Used")
    assert used == Decimal("186666666666.666666666693")
    (counted,) = [row for row in rows if row["charge_id"] == "t"]
    assert (counted["list_cost"], counted["list_unit_price"]) == (None, Decimal("0.25"))


def test_a_promotion_is_a_credit_of_its_own_other_credits_lower_their_line() -> None:
    rows = charges(
        line(
            "a",
            "10",
            promotion_credit="-3",
            sustained_usage_discount_credit="-2",
            promotion_names="Startup program",
            cost_at_list="11",
            cost_at_effective_price_default="10.5",
        )
    )
    expected = [
        {
            "charge_id": "a",
            "charge_category": "Usage",
            "charge_description": "N2 Instance Core running in Americas",
            **dict(zip(COSTS, ("8", "8", "11", "10.5"), strict=True)),
        },
        {
            "charge_id": "a-credit-promotion",
            "charge_category": "Credit",
            "charge_description": "Startup program",
            **dict(zip(COSTS, ("-3", "-3", "-3", "-3"), strict=True)),
        },
    ]
    assert_rows(MODEL, rows, expected)


@pytest.mark.parametrize(
    ("values", "category", "correction", "cause"),
    [
        ({"cost_type": "tax"}, "Tax", None, None),
        ({"cost_type": "rounding_error"}, "Adjustment", None, None),
        ({"cost_type": "adjustment", "adjustment_type": "GOODWILL"}, "Adjustment", None, "credit"),
        ({"adjustment_type": "USAGE_CORRECTION"}, "Usage", None, "usage"),
        (
            {"adjustment_type": "PRICE_CORRECTION", "is_period_closed": True},
            "Usage",
            "Correction",
            "price",
        ),
        ({"is_period_closed": True}, "Usage", None, None),
        ({"adjustment_type": "GENERAL_ADJUSTMENT", "is_period_closed": True}, "Usage", "Correction", "other"),
    ],
)
def test_category_class_and_cause(
    values: dict[str, Any], category: str, correction: str | None, cause: str | None
) -> None:
    (row,) = charges(line("a", "-2", **values))
    assert (row["charge_category"], row["charge_class"], row["x_correction_cause"]) == (
        category,
        correction,
        cause,
    )
    assert row["billed_cost"] == row["effective_cost"] == Decimal(-2)


def test_list_price_of_the_catalogue_fills_what_the_export_lacks_without_doubling_a_line() -> None:
    usage = {"sku_id": "A1", "usage_amount_in_pricing_units": "4", "price_tier_start_quantity": "100"}
    tier = {"provider": "google", "sku_id": "A1", "currency": "USD"}
    prices = [
        {**tier, "sku_price_id": "A1/0", "list_unit_price": "9"},
        {**tier, "sku_price_id": "A1/100", "list_unit_price": "0.25"},
        {**tier, "sku_price_id": "A1/100", "list_unit_price": "7", "currency": "EUR"},
    ]
    rows = charges(
        line("a", "0.8", **usage),
        line("b", "0.8", **usage, price_list="0.3", cost_at_list="1.2"),
        prices=prices,
    )
    expected = [
        {"charge_id": "a", "sku_price_id": "A1/100", "list_unit_price": "0.25", "list_cost": "1"},
        {"charge_id": "b", "sku_price_id": "A1/100", "list_unit_price": "0.3", "list_cost": "1.2"},
    ]
    assert_rows(MODEL, rows, expected)


def test_price_of_a_block_is_a_price_of_one() -> None:
    """0.40 for a million requests is 0.0000004 each: the block size is no quantity."""
    (row,) = charges(
        line(
            "a",
            "2",
            price_list="0.40",
            price_unit_quantity="1000000",
            usage_amount_in_pricing_units="5000000",
        )
    )
    assert (row["list_unit_price"], row["pricing_quantity"]) == (Decimal("0.0000004"), Decimal(5000000))


def test_marketplace_seller_and_org_level_lines() -> None:
    rows = charges(
        line("a", "1", transaction_type="THIRD_PARTY_RESELLER", seller_name="Acme DB"),
        line("b", "1", project_id=None, service_name="Support", transaction_type="GOOGLE"),
    )
    expected = [
        {
            "charge_id": "a",
            "x_publisher_name": "Acme DB",
            "service_provider_name": "Google Cloud",
            "sub_account_id": "shop",
            "sub_account_type": "Project",
            "service_category": "Compute",
        },
        {
            "charge_id": "b",
            "x_publisher_name": "Google Cloud",
            "service_provider_name": "Google Cloud",
            "sub_account_id": None,
            "sub_account_type": None,
            "service_category": "Other",
        },
    ]
    assert_rows(MODEL, rows, expected)


def _named(rows: list[tuple[str, str, str | None, str, str]]) -> list[dict[str, Any]]:
    names = ("charge_id", "charge_category", "commitment_discount_status", "billed_cost", "effective_cost")
    return [dict(zip(names, row, strict=True)) for row in rows]
