"""A small full AWS bill, from the delivered file to charges: every cost by hand, and the invoice to the cent."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow.parquet as pq
import pytest

from connectors.aws_data_exports.client import land
from connectors.aws_data_exports.schema import LINE_TYPES
from connectors.aws_data_exports.settings import Settings
from connectors.common.contract import LandingContext, SourceReport
from tests.contract.aws_exports import CUR_COLUMNS, NET_COLUMNS, ExportBucket, Format, Line, cur_line
from tests.golden.aws.month import (
    CALLER,
    EFFECTIVE_TOTAL,
    INVOICE,
    INVOICE_TOTAL,
    MONTH,
    NODE,
    PLAN_A,
    RESERVATION,
)
from tests.servers.s3 import S3Server
from tests.sql.harness import MODELS_ROOT, run_checks, run_model

Row = dict[str, Any]


def read_lines(report: SourceReport, dataset: str = "aws_cur_lines") -> list[Row]:
    """Return the current typed lines of a report."""
    files = [file for file in report.current_files if file.dataset == dataset]
    return [row for file in files for row in pq.read_table(file.path, partitioning=None).to_pylist()]


def build_charges(lines: Sequence[Row]) -> list[Row]:
    """Return the rows of staging.charges that these lines become."""
    services = csv.DictReader((MODELS_ROOT / "reference" / "aws_services.csv").read_text().splitlines())
    given = {"lake.aws_cur_lines": lines, "reference.aws_services": list(services)}
    made = run_model("staging.aws_cur_charges", given)
    return run_model("staging.charges", {"staging.aws_cur_charges": made})


def land_month(
    s3_server: S3Server,
    context: LandingContext,
    lines: Sequence[Line],
    output_format: Format = "parquet",
    columns: Any = CUR_COLUMNS,
) -> list[Row]:
    bucket = ExportBucket(s3_server.client(), output_format=output_format, columns=columns)
    half = len(lines) // 2
    bucket.deliver("2026-10", [lines[:half], lines[half:]])
    settings = Settings(name="aws", export=bucket.export, location=bucket.location, endpoint=s3_server.url)
    report = land(settings, context)
    assert not report.has_fault, report.findings
    return read_lines(report)


@pytest.fixture(params=["parquet", "csv"])
def month(request: pytest.FixtureRequest, s3_server: S3Server, lake_context: LandingContext) -> list[Row]:
    return land_month(s3_server, lake_context, [golden.line for golden in MONTH], request.param)


def named(rows: Sequence[Row], name: str) -> Row:
    (row,) = [row for row in rows if row["charge_description"] == name]
    return row


def test_every_line_costs_what_was_worked_out_by_hand(month: list[Row]) -> None:
    lines = {row["line_item_line_item_description"]: row for row in month}
    assert len(lines) == len(MONTH) == 27
    expected = {
        lines[golden.name]["charge_id"] + suffix: (golden.name, category, *map(Decimal, costs))
        for golden in MONTH
        for suffix, category, *costs in golden.charges
    }
    names = {row["charge_id"]: golden.name for golden in MONTH for row in [lines[golden.name]]}
    actual = {
        row["charge_id"]: (
            names["-".join(row["charge_id"].split("-")[:2])],
            row["charge_category"],
            row["billed_cost"],
            row["effective_cost"],
            row["list_cost"],
        )
        for row in build_charges(month)
    }
    assert actual == expected


def test_the_invoice_and_the_effective_cost_add_up(month: list[Row]) -> None:
    charges = build_charges(month)
    assert sum(row["billed_cost"] for row in month) == INVOICE_TOTAL
    assert sum(row["billed_cost"] for row in charges if row["invoice_id"] == INVOICE) == INVOICE_TOTAL
    assert sum(row["billed_cost"] for row in charges) == INVOICE_TOTAL
    assert sum(row["effective_cost"] for row in charges) == EFFECTIVE_TOTAL


def test_commitments_read_as_focus_asks(month: list[Row]) -> None:
    charges = build_charges(month)
    covered, reserved = named(charges, "covered by plan A"), named(charges, "reserved instance")
    fee = named(charges, "fee of plan A")
    (unused,) = [
        row
        for row in charges
        if row["commitment_discount_status"] == "Unused" and row["commitment_discount_id"] == PLAN_A
    ]
    columns = (
        "commitment_discount_category",
        "commitment_discount_type",
        "commitment_discount_status",
        "commitment_discount_quantity",
        "commitment_discount_unit",
        "pricing_category",
        "charge_frequency",
        "resource_id",
    )

    def tell(row: Row) -> tuple[Any, ...]:
        return tuple(row[column] for column in columns)

    assert tell(covered) == (
        "Spend", "Savings Plan", "Used", Decimal("1.44"), "USD", "Committed", "Usage-Based", "i-0covered",
    )  # fmt: skip
    assert tell(reserved) == (
        "Usage", "Reserved Instance", "Used", Decimal(10), "Hrs", "Committed", "Usage-Based", None,
    )  # fmt: skip
    assert tell(fee) == (
        "Spend",
        "Savings Plan",
        None,
        Decimal("2.4"),
        "USD",
        "Standard",
        "Recurring",
        PLAN_A,
    )
    assert tell(unused) == (
        "Spend", "Savings Plan", "Unused", Decimal("0.96"), "USD", "Committed", "Usage-Based", PLAN_A,
    )  # fmt: skip
    assert unused["consumed_quantity"] is None
    assert {row["commitment_discount_id"] for row in charges if row["charge_category"] == "Usage"} >= {
        PLAN_A,
        RESERVATION,
    }


def test_only_what_amends_a_closed_period_is_a_correction(month: list[Row]) -> None:
    charges = build_charges(month)
    causes = {
        row["charge_description"]: (row["charge_class"], row["x_correction_cause"])
        for row in charges
        if row["charge_class"] or row["x_correction_cause"]
    }
    assert causes == {
        "refund of September": ("Correction", "refund"),
        "refund of October": (None, "refund"),
        "credit": (None, "credit"),
    }


def test_who_sold_who_called_and_where_traffic_went(month: list[Row]) -> None:
    charges = build_charges(month)
    model = named(charges, "marketplace model")
    assert model["service_name"] == "Claude Sonnet 4.5 (Amazon Bedrock Edition)"
    assert (model["x_publisher_name"], model["service_provider_name"]) == ("Anthropic, PBC", "AWS")
    assert model["invoice_issuer_name"] == "Amazon Web Services, Inc."
    categories = {
        (row["service_name"], row["service_category"], row["service_subcategory"]) for row in charges
    }
    assert ("Amazon Bedrock", "AI and Machine Learning", "Generative AI") in categories
    assert (model["service_name"], "AI and Machine Learning", "Generative AI") in categories
    assert ("Example Observability", "Other", "Other (Other)") in categories
    assert len({name for name, _, _ in categories}) == len(categories)
    own = named(charges, "own model")
    assert own["x_principal_id"] == model["x_principal_id"]
    assert str(own["x_principal_id"]).startswith("u_") and CALLER not in str(month)
    assert (own["x_operation"], own["consumed_quantity"], own["consumed_unit"]) == (
        "InvokeModelInference",
        Decimal(1000),
        "1K tokens",
    )
    traffic = named(charges, "between regions")
    assert (traffic["x_from_region_id"], traffic["x_to_region_id"]) == ("us-west-2", "eu-west-1")
    first = named(charges, "on demand")
    assert (first["x_tag_team"], first["tags"], first["region_id"]) == (
        "chat",
        '{"team": "chat"}',
        "us-west-2",
    )
    assert first["invoice_id"] == INVOICE and "s3cret" not in str(month)
    assert named(charges, "spot")["pricing_category"] == "Dynamic"


def test_pods_are_weights_and_no_charges(month: list[Row]) -> None:
    rows = run_model("staging.split_allocations", {"lake.aws_cur_lines": month})
    told = {
        (row["resource_id"], row["namespace"], row["workload_kind"]): (
            row["split_cost"],
            row["unused_split_cost"],
        )
        for row in rows
    }
    assert told == {
        (NODE, "search", "Deployment"): (Decimal("1.2"), Decimal("0.2")),
        (NODE, "chat", None): (Decimal("0.5"), Decimal("0.1")),
        (None, None, None): (Decimal("0.40475"), None),
    }
    node = named(build_charges(month), "node")
    on_node = [row for row in rows if row["resource_id"] == NODE]
    assert sum(row["split_cost"] + row["unused_split_cost"] for row in on_node) == node["billed_cost"]
    assert not any(run_checks("staging.split_allocations", {"lake.aws_cur_lines": month}).values())


def test_net_costs_are_used_for_all_measures(s3_server: S3Server, lake_context: LandingContext) -> None:
    """A tenth off everything: usage 10.00 → 9.00; the plan's 2.40 → 2.16, of which 1.44 → 1.296 were used."""
    lines = [
        cur_line(
            line_item_unblended_cost=10.0, line_item_net_unblended_cost=9.0, pricing_public_on_demand_cost=12.0,
            line_item_line_item_description="usage",
        ),
        cur_line(
            line_item_line_item_type="SavingsPlanCoveredUsage", line_item_unblended_cost=2.304,
            line_item_net_unblended_cost=2.0736, savings_plan_savings_plan_a_r_n=PLAN_A,
            savings_plan_savings_plan_effective_cost=1.44, savings_plan_net_savings_plan_effective_cost=1.296,
        ),
        cur_line(
            line_item_line_item_type="SavingsPlanNegation", line_item_unblended_cost=-2.304,
            line_item_net_unblended_cost=-2.0736, savings_plan_savings_plan_a_r_n=PLAN_A,
        ),
        cur_line(
            line_item_line_item_type="SavingsPlanRecurringFee", line_item_unblended_cost=2.40,
            line_item_net_unblended_cost=2.16, savings_plan_savings_plan_a_r_n=PLAN_A,
            savings_plan_total_commitment_to_date=2.40, savings_plan_used_commitment=1.44,
            savings_plan_recurring_commitment_for_billing_period=74.40,
            savings_plan_net_recurring_commitment_for_billing_period=66.96,
        ),
        cur_line(
            line_item_line_item_type="DiscountedUsage", reservation_reservation_a_r_n=RESERVATION,
            line_item_net_unblended_cost=0.0, reservation_effective_cost=0.80,
            reservation_net_effective_cost=0.72, pricing_public_on_demand_cost=1.26,
        ),
        cur_line(
            line_item_line_item_type="RIFee", reservation_reservation_a_r_n=RESERVATION,
            line_item_unblended_cost=0.75, line_item_net_unblended_cost=0.675,
            reservation_unused_recurring_fee=0.25, reservation_net_unused_recurring_fee=0.225,
            reservation_unused_amortized_upfront_fee_for_billing_period=0.15,
            reservation_net_unused_amortized_upfront_fee_for_billing_period=0.135,
        ),
    ]  # fmt: skip
    month = land_month(s3_server, lake_context, lines, columns={**CUR_COLUMNS, **NET_COLUMNS})
    charges = build_charges(month)
    costs = sorted(
        (row["charge_category"], row["billed_cost"], row["effective_cost"], row["list_cost"])
        for row in charges
    )
    assert costs == [
        ("Purchase", Decimal("0.675"), Decimal(0), Decimal(0)),
        ("Purchase", Decimal("2.16"), Decimal(0), Decimal(0)),
        ("Usage", Decimal(0), Decimal("0.36"), Decimal(0)),
        ("Usage", Decimal(0), Decimal("0.72"), Decimal("1.26")),
        ("Usage", Decimal(0), Decimal("0.864"), Decimal(0)),
        ("Usage", Decimal(0), Decimal("1.296"), Decimal("2.304")),
        ("Usage", Decimal(9), Decimal(9), Decimal(12)),
    ]
    assert (
        sum(row["billed_cost"] for row in charges)
        == sum(row["billed_cost"] for row in month)
        == Decimal("11.835")
    )


def test_a_negation_that_does_not_cancel_stays_on_the_bill(
    s3_server: S3Server, lake_context: LandingContext
) -> None:
    plan = {"savings_plan_savings_plan_a_r_n": PLAN_A}
    lines = [
        cur_line(
            line_item_line_item_type="SavingsPlanCoveredUsage", line_item_unblended_cost=0.1 + number / 10,
            savings_plan_savings_plan_effective_cost=0.05, **plan,
        )
        for number in range(3)
    ]  # fmt: skip
    lines.append(
        cur_line(
            line_item_line_item_type="SavingsPlanNegation", line_item_unblended_cost=-0.5999999999, **plan
        )
    )
    lines.append(cur_line(line_item_usage_start_date=datetime(2026, 9, 30), line_item_unblended_cost=1.0))
    month = land_month(s3_server, lake_context, lines)
    charges = build_charges(month)
    (rest,) = [row for row in charges if row["charge_category"] == "Adjustment"]
    assert rest["billed_cost"] == rest["effective_cost"] == Decimal("0.0000000001")
    assert [row["x_correction_cause"] for row in charges if row["charge_class"]] == ["usage"]
    assert sum(row["billed_cost"] for row in charges) == Decimal("1.0000000001")
    assert len({row["charge_id"] for row in charges}) == len(charges) == 5


def test_a_capacity_reservation_is_no_commitment(s3_server: S3Server, lake_context: LandingContext) -> None:
    """AWS names it in the column of reserved instances; its hours and their refund cost what is billed."""
    held = "arn:aws:ec2:us-west-2:444455556666:capacity-reservation/cr-0aaa"
    common = {"line_item_usage_type": "USW2-UnusedBox:m5.large", "reservation_reservation_a_r_n": held}
    lines = [
        cur_line(line_item_unblended_cost=0.5, pricing_public_on_demand_cost=0.5, **common),
        cur_line(line_item_line_item_type="Refund", line_item_unblended_cost=-0.2, **common),
    ]
    charges = build_charges(land_month(s3_server, lake_context, lines))
    assert sorted(
        (row["charge_category"], row["billed_cost"], row["effective_cost"], row["commitment_discount_id"])
        for row in charges
    ) == [("Usage", Decimal("-0.2"), Decimal("-0.2"), None), ("Usage", Decimal("0.5"), Decimal("0.5"), None)]
    assert {row["capacity_reservation_id"] for row in charges} == {held}


def test_a_list_price_of_zero_beside_a_cost_is_none(
    s3_server: S3Server, lake_context: LandingContext
) -> None:
    """What others sell has no public price: the list cost is what is billed. What is free has the price 0."""
    lines = [
        cur_line(
            line_item_unblended_cost=cost, pricing_public_on_demand_cost=0.0, pricing_public_on_demand_rate="0.0000"
        )
        for cost in (2.0, 0.0)
    ]  # fmt: skip
    charges = build_charges(land_month(s3_server, lake_context, lines))
    assert sorted((row["list_cost"], row["list_unit_price"] is None) for row in charges) == [
        (Decimal(0), False),
        (Decimal(2), True),
    ]


def test_a_type_of_line_that_no_rule_knows_is_told(s3_server: S3Server, lake_context: LandingContext) -> None:
    bucket = ExportBucket(s3_server.client(), columns=CUR_COLUMNS)
    kinds = ("Brand New", "EdpDiscount", *LINE_TYPES)
    bucket.deliver("2026-10", [[cur_line(line_item_line_item_type=kind) for kind in kinds]])
    settings = Settings(name="aws", export=bucket.export, location=bucket.location, endpoint=s3_server.url)
    report = land(settings, lake_context)
    (found,) = [finding for finding in report.findings if finding.kind == "unknown_charge_type"]
    assert found.count == 1
    charges = build_charges(read_lines(report))
    assert len([row for row in charges if row["charge_category"] == "Adjustment"]) == 2


def test_a_purchase_that_names_no_unit_has_no_quantity(
    s3_server: S3Server, lake_context: LandingContext
) -> None:
    fee = {"line_item_line_item_type": "Fee", "line_item_unblended_cost": 5.0}
    lines = [cur_line(pricing_unit=unit, **fee) for unit in ("", "Months")]
    charges = build_charges(land_month(s3_server, lake_context, lines))
    assert sorted((row["pricing_unit"] or "", row["pricing_quantity"]) for row in charges) == [
        ("", None),
        ("Months", Decimal(1)),
    ]


def test_every_service_has_one_category() -> None:
    rows = list(csv.DictReader((MODELS_ROOT / "reference" / "aws_services.csv").read_text().splitlines()))
    assert len({row["x_service_code"] for row in rows}) == len(rows) > 100
    categories = {(row["service_name"], row["service_category"], row["service_subcategory"]) for row in rows}
    assert len({name for name, _, _ in categories}) == len(categories)
