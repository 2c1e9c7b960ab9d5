"""Cost that follows other cost: the tables of docs/attribution.md about tax, credits and shared cost, by real models.

What belongs here: who pays such cost in worked examples. What must not: conservation, which tests/property shows.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from pipelines.config.model import Config
from tests.sql.chain import Chain, Inputs, Window
from tests.unit.test_attribution_page import read_page_table

TAXES, NETTED = read_page_table("Tax"), read_page_table("Costs below zero")
CREDITS, SHARED = read_page_table("Credits and refunds"), read_page_table("Shared cost")
WINDOW = Window(date(2026, 11, 1), date(2026, 12, 1), datetime(2026, 12, 20))
COMPUTE, OBJECTS = "Amazon EC2", "Amazon S3"

Paid = Mapping[str, Decimal]


def _line(case: str, cost: str, **more: Any) -> dict[str, Any]:
    """A line of November of a bill, account and invoice of its own."""
    return {
        "x_source": case,
        "x_snapshot_id": "s1",
        "billing_account_id": "payer",
        "sub_account_id": case,
        "billing_currency": "USD",
        "billing_period_start": datetime(2026, 11, 1),
        "billing_period_end": datetime(2026, 12, 1),
        "charge_period_start": datetime(2026, 11, 1),
        "charge_period_end": datetime(2026, 12, 1),
        "service_provider_name": "Amazon Web Services",
        "invoice_issuer_name": "Amazon Web Services",
        "invoice_id": f"invoice {case}",
        "charge_category": "Usage",
        "charge_frequency": "Usage-Based",
        "service_name": COMPUTE,
        "sku_meter": "BoxUsage",
        "billed_cost": Decimal(cost),
        "effective_cost": Decimal(cost),
        "list_cost": Decimal(cost),
        **more,
    }


def _used(case: str, row: Mapping[str, str], *features: str) -> list[dict[str, Any]]:
    return [_line(case, row[feature], x_tag_feature=feature) for feature in features]


def _tax(case: str, cost: str) -> dict[str, Any]:
    return _line(case, cost, charge_category="Tax", service_name="Tax", sku_meter=None)


def _rule(case: str, row: Mapping[str, str]) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "rule_id": case,
        "match": {"account": case.upper(), "cost_driver": "support"},
        "split": row["split"].split()[0],
    }
    parts = re.findall(r"(\d+)", row["split"])
    if parts:
        names = ("search", "chat")
        rule["to"] = [{"feature": name, "percent": part} for name, part in zip(names, parts, strict=True)]
    return rule


def _inputs() -> Inputs:
    lines: list[dict[str, Any]] = []
    for number, row in enumerate(TAXES):
        case = f"tax {number}"
        lines += [*_used(case, row, "search", "chat"), _line(case, row["no_owner"])]
        lines.append(_line(case, row["credit for search"], charge_category="Credit", x_tag_feature="search"))
        lines.append(_tax(case, row["tax"]))
    for number, row in enumerate(NETTED):
        case = f"netted {number}"
        lines += _used(case, row, "search", "chat")
        lines.append(_line(case, row["chat in storage"], x_tag_feature="chat", service_name=OBJECTS))
        lines.append(_tax(case, row["tax"]))
    for number, row in enumerate(CREDITS):
        case = f"credit {number}"
        lines.append(_line(case, "60", x_tag_feature="search", sku_meter="A"))
        lines += [_line(case, "20", x_tag_feature="chat", sku_meter=sku) for sku in ("A", "B")]
        named = {"SKU A": "A", "SKU B": "B"}.get(row["names"])
        service = "Amazon Lightsail" if row["names"] == "another service" else COMPUTE
        lines.append(
            _line(case, row["credit"], charge_category="Credit", sku_meter=named, service_name=service)
        )
    for number, row in enumerate(SHARED):
        case = f"shared {number}"
        lines += _used(case, row, "search", "chat")
        fee = _line(case, row["fee"], service_name="AWS Support", charge_frequency="One-Time")
        lines.append(fee)
    for number, line in enumerate(lines):
        line |= {"charge_id": f"line {number}", "x_line_key": f"line {number}"}
    rules = [_rule(f"shared {number}", row) for number, row in enumerate(SHARED)]
    return Inputs({"charges": lines}, config=Config.model_validate({"shared_costs": rules}))


@pytest.fixture(scope="module")
def paid() -> Mapping[str, Paid]:
    """Case → feature or reason → what it pays of the cost that follows."""
    sql = """
        select bill_of_record, coalesce(a.residual_reason, o.feature) as payer, a.billed_cost
        from core.attributed_costs as a
        join core.cells using (charge_date, cell_id)
        left join core.owners_daily as o using (charge_date, owner_id)
        where follows is not null and not (charge_category = 'Credit' and bill_of_record like 'tax%')
    """
    costs: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    with Chain(_inputs(), WINDOW, ("core.attributed_costs", "core.owners_daily")) as chain:
        assert not chain.failed_checks()
        for row in chain.rows(sql):
            costs[row["bill_of_record"]][row["payer"]] += row["billed_cost"]
    return costs


def _expected(row: Mapping[str, str], **columns: str) -> dict[str, Decimal]:
    amounts = {payer: Decimal(row[column]) for payer, column in columns.items()}
    return {payer: amount for payer, amount in amounts.items() if amount}


@pytest.mark.parametrize("number", range(len(TAXES)))
def test_tax_follows_the_taxed_cost_of_its_invoice(paid: Mapping[str, Paid], number: int) -> None:
    columns = {"search": "search pays", "chat": "chat pays", "no_owner": "under no_owner", "tax": "under tax"}
    assert paid[f"tax {number}"] == _expected(TAXES[number], **columns)


@pytest.mark.parametrize("number", range(len(NETTED)))
def test_costs_below_zero_are_netted_first(paid: Mapping[str, Paid], number: int) -> None:
    columns = {"search": "search pays", "chat": "chat pays", "tax": "under tax"}
    assert paid[f"netted {number}"] == _expected(NETTED[number], **columns)


@pytest.mark.parametrize("number", range(len(CREDITS)))
def test_a_credit_follows_what_it_names(paid: Mapping[str, Paid], number: int) -> None:
    columns = {"search": "search gets", "chat": "chat gets", "credit": "under credit"}
    assert paid[f"credit {number}"] == _expected(CREDITS[number], **columns)


@pytest.mark.parametrize("number", range(len(SHARED)))
def test_a_rule_shares_a_fee(paid: Mapping[str, Paid], number: int) -> None:
    columns = {"search": "search pays", "chat": "chat pays"}
    assert paid[f"shared {number}"] == _expected(SHARED[number], **columns)


def test_a_credit_about_a_day_follows_its_month_where_that_day_has_nothing() -> None:
    """On the first both have cost, so the month decides for the fifth; the second has cost of chat alone."""
    used = [
        _line("day", cost, x_tag_feature=name, charge_period_start=start, charge_period_end=end)
        for name, cost, start, end in (
            ("search", "60", datetime(2026, 11, 1), datetime(2026, 11, 2)),
            ("chat", "10", datetime(2026, 11, 1), datetime(2026, 11, 2)),
            ("chat", "10", datetime(2026, 11, 2), datetime(2026, 11, 3)),
        )
    ]
    credits = [
        _line(
            "day",
            "-8",
            charge_category="Credit",
            charge_period_start=datetime(2026, 11, day),
            charge_period_end=datetime(2026, 11, day + 1),
        )
        for day in (2, 5)
    ]
    lines = [
        line | {"charge_id": f"line {number}", "x_line_key": f"line {number}"}
        for number, line in enumerate([*used, *credits])
    ]
    sql = """
        select charge_date, o.feature, a.residual_reason, a.billed_cost
        from core.attributed_costs as a
        join core.cells using (charge_date, cell_id)
        left join core.owners_daily as o using (charge_date, owner_id)
        where follows is not null order by all
    """
    with Chain(Inputs({"charges": lines}), WINDOW, ("core.attributed_costs", "core.owners_daily")) as chain:
        found = [tuple(row.values()) for row in chain.rows(sql)]
    assert found == [
        (date(2026, 11, 2), "chat", None, Decimal(-8)),
        (date(2026, 11, 5), "chat", None, Decimal(-2)),
        (date(2026, 11, 5), "search", None, Decimal(-6)),
    ]
