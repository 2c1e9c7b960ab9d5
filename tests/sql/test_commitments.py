"""Commitments: what was bought keeps its bill, what it covers costs its users, what nobody used stands under a reason.

What belongs here: who has what of purchases, covered usage, unused parts and negations. What must not: how vendors'
bills become such lines, which connectors' own tests show.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from tests.sql.small_bill import DAY, SONNET_INPUT, call, line, run, tokens

JOIN = "core.attributed_costs as a using (charge_date, owner_id)"
PLAN: dict[str, Any] = {"commitment_discount_id": "plan", "commitment_discount_type": "Savings Plan"}
WORKLOADS = [{"workload_ref": "i-1", "ref_kind": "instance", "feature": "search", "team": "find"}]


def _paid(charges: list[dict[str, Any]], columns: str = "", **lake: Any) -> list[tuple[Any, ...]]:
    """Who has what: user or feature, reason, billed and effective cost of all days."""
    told = (
        f"coalesce(user_id, feature) as who, residual_reason{columns}, "
        "sum(a.billed_cost) as b, sum(a.effective_cost) as e"
    )
    lake.setdefault("workloads", WORKLOADS)
    return run("core.owners_daily", told, join=JOIN, group="all", charges=charges, **lake)


def _purchase(cost: str, **changes: Any) -> dict[str, Any]:
    paid = {"charge_category": "Purchase", "charge_frequency": "One-Time", "effective_cost": Decimal(0)}
    return line("purchase", cost, 24 * 30, service_name="Savings Plans", **(PLAN | paid | changes))


def _covered(effective: str, **changes: Any) -> dict[str, Any]:
    paid: dict[str, Any] = {"billed_cost": Decimal(0), "effective_cost": Decimal(effective)}
    return line("covered", "0", 24, **(PLAN | {"commitment_discount_status": "Used"} | paid | changes))


def _unused(effective: str, **changes: Any) -> dict[str, Any]:
    paid: dict[str, Any] = {"billed_cost": Decimal(0), "effective_cost": Decimal(effective)}
    return line("unused", "0", 24, **(PLAN | {"commitment_discount_status": "Unused"} | paid | changes))


def test_a_purchase_stays_in_the_billed_view_and_what_it_covers_goes_to_its_users() -> None:
    """100 bought, 60 of it used by search, 40 by nobody: billed 100 and effective 100, each once."""
    charges = [_purchase("100"), _covered("60", resource_id="i-1"), _unused("40")]
    assert _paid(charges) == [
        ("search", None, "0", "60"),
        (None, "no_owner", "100", "0"),
        (None, "unused_commitment", "0", "40"),
    ]


def test_covered_tokens_carry_their_effective_cost_to_who_called() -> None:
    covered = _covered("12", consumed_quantity=Decimal(400), consumed_unit="Tokens", **SONNET_INPUT)
    assert _paid([covered], requests=[call("ann", 300), call("bob", 100)]) == [
        ("ann", None, "0", "9"),
        ("bob", None, "0", "3"),
    ]


def test_what_is_unused_of_a_model_is_nobodys_though_there_were_calls_and_a_resource_is_known() -> None:
    """It is in no pool: neither its cost nor its quantity changes what callers pay."""
    status = {"resource_id": "i-1", "consumed_quantity": Decimal(600), "consumed_unit": "Tokens"}
    charges = [tokens("a", "12", 400), _unused("7", **SONNET_INPUT, **status)]
    assert _paid(charges, requests=[call("ann", 400)]) == [
        ("ann", None, "12", "12"),
        (None, "unused_commitment", "0", "7"),
    ]


def test_the_unused_part_of_measured_capacity_is_unused_not_idle() -> None:
    capacity = [
        {
            "x_source": "metrics",
            "x_snapshot_id": "s1",
            "hour_start": datetime(2026, 11, 1, hour),
            "resource_id": "i-1",
            "provider": "vllm",
            "model": "llama",
            "capacity_kind": "gpu_host",
            "provisioned_seconds": 3600,
            "busy_seconds": 0,
        }
        for hour in range(24)
    ]
    charges = [_covered("60", resource_id="i-1"), _unused("40", resource_id="i-1")]
    assert [row[1:] for row in _paid(charges, capacity=capacity)] == [
        ("idle_capacity", "0", "60"),
        ("unused_commitment", "0", "40"),
    ]


def test_a_savings_plans_negation_nets_to_zero_for_whoever_has_the_usage() -> None:
    """AWS bills usage in full and takes it back by a negative line; the plan's own fee is billed beside them."""
    usage = line("usage", "60", resource_id="i-1", effective_cost=Decimal(45), **PLAN)
    negation = line("negation", "-60", resource_id="i-1", effective_cost=Decimal(0), **PLAN)
    fee = _purchase("45", charge_frequency="Recurring", effective_cost=Decimal(0))
    assert _paid([usage, negation, fee]) == [
        ("search", None, "0", "45"),
        (None, "no_owner", "45", "0"),
    ]


def test_a_recurring_fee_stands_on_days_to_come_too() -> None:
    """Delivered on the eleventh: the month's fee is on each of its thirty days, as it is owed already."""
    fee = _purchase("30", charge_frequency="Recurring", effective_cost=Decimal(30))
    found = run(
        "core.cells",
        "count(*) as days, max(charge_date) as last, min(billed_cost) as least, max(billed_cost) as most",
        charges=[fee],
        watermark=datetime(2026, 11, 11),
    )
    assert found == [(30, datetime(2026, 11, 30).date(), "1", "1")]
    assert fee["charge_period_start"] == DAY
