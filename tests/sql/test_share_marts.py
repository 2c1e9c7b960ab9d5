"""The marts that set one kind of cost against another: fully loaded, training, monitoring, traffic by pair of zones."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sql.harness import assert_rows, run_checks, run_model

WINDOW = {"start": "2026-11-01", "end": "2026-12-01", "reporting_currency": "USD"}
DAY = {"start": "2026-11-03", "end": "2026-11-04"}
MEASURES = ("billed_cost", "effective_cost", "list_cost")


def cost(driver: str, amount: str, **more: Any) -> dict[str, Any]:
    """A row of marts.cost_daily."""
    return {
        "charge_date": "2026-11-03",
        "provider": "aws",
        "charge_category": "Usage",
        "cost_driver": driver,
        "cost_state": "provisional",
        "billed_cost_reporting": amount,
        "effective_cost_reporting": amount,
        "reporting_currency": "USD",
        **more,
    }


def fact(row: str, amount: str | Decimal, reason: str | None = None, **more: Any) -> dict[str, Any]:
    """A row of the fact in a cell of capacity; all measures are the amount."""
    return {
        "charge_date": "2026-11-03",
        "cell_id": "gpu",
        "row_id": row,
        "owner_id": row,
        "residual_reason": reason,
        "billing_currency": "USD",
        **{measure: amount for name in MEASURES for measure in (name, f"{name}_reporting")},
        **more,
    }


def taken(facts: list[dict[str, Any]]) -> dict[str, Decimal]:
    """Row → the idle cost that it takes, after the model's own checks."""
    given_rows = {"core.direct_costs": facts}
    assert set(run_checks("core.idle_shares", given_rows, DAY).values()) == {0}
    return {row["row_id"]: row["effective_cost"] for row in run_model("core.idle_shares", given_rows, DAY)}


def test_idle_capacity_is_laid_on_those_who_used_it_by_what_they_paid() -> None:
    assert taken([fact("ann", "9"), fact("bob", "3"), fact("idle", "28", "idle_capacity")]) == {
        "ann": Decimal("21"),
        "bob": Decimal("7"),
    }


def test_what_no_log_holds_takes_its_part_and_what_nobody_measured_does_not() -> None:
    found = taken(
        [
            fact("ann", "1"),
            fact("lost", "1", "unlogged_usage"),
            fact("gap", "2", "unmeasured_capacity"),
            fact("idle", "4", "idle_capacity"),
        ]
    )
    assert found == {"ann": Decimal(2), "lost": Decimal(2)}


def test_capacity_that_nobody_used_stays_idle() -> None:
    assert taken([fact("idle", "4", "idle_capacity"), fact("ann", "5", cell_id="other")]) == {}


@settings(max_examples=40, deadline=None)
@given(
    paid=st.lists(st.integers(-(10**21), 10**21), min_size=1, max_size=8),
    idle=st.integers(-(10**21), 10**21),
)
def test_the_parts_of_idle_cost_sum_to_it_whatever_was_paid(paid: list[int], idle: int) -> None:
    unit = Decimal(1).scaleb(-12)
    facts = [fact(f"row{n}", amount * unit) for n, amount in enumerate(paid)]
    assert sum(taken([*facts, fact("idle", idle * unit, "idle_capacity")]).values()) == idle * unit


def test_fully_loaded_cost_keeps_the_total_and_names_the_idle_part() -> None:
    facts = [
        fact("ann", "9"),
        fact("bob", "3"),
        fact("idle", "28", "idle_capacity"),
        fact("solo", "2", cell_id="x"),
    ]
    given_rows = {
        "core.attributed_costs": facts,
        "core.cells": [
            {"charge_date": "2026-11-03", "cell_id": cell, "provider": "aws"} for cell in ("gpu", "x")
        ],
        "core.owners_daily": [
            {"charge_date": "2026-11-03", "owner_id": name, "user_id": name}
            for name in ("ann", "bob", "solo")
        ],
        "core.idle_shares": run_model("core.idle_shares", {"core.direct_costs": facts}, DAY),
        "reference.settings": [{"reporting_currency": "USD"}],
    }
    found = run_model("marts.cost_daily_fully_loaded", given_rows)
    assert_rows(
        "marts.cost_daily_fully_loaded",
        found,
        [
            {"user_id": "ann", "effective_cost": "30", "billed_cost": "30", "idle_cost": "21"},
            {"user_id": "bob", "effective_cost": "10", "billed_cost": "10", "idle_cost": "7"},
            {"user_id": "solo", "effective_cost": "2", "billed_cost": "2", "idle_cost": "0"},
        ],
    )


def test_training_and_inference_stand_side_by_side_by_month() -> None:
    given_rows = {
        "marts.cost_daily": [
            cost("inference", "30", feature="chat"),
            cost("inference", "6", feature="chat", charge_date="2026-11-30", cost_state="estimated"),
            cost("training", "12", feature="chat"),
            cost("storage", "5", feature="chat"),
            cost("inference", "9", feature="chat", charge_category="Tax"),
            cost("training", "8", feature="ranker"),
        ]
    }
    found = run_model("marts.inference_share_monthly", given_rows, WINDOW)
    assert_rows(
        "marts.inference_share_monthly",
        found,
        [
            {
                "charge_month": "2026-11-01",
                "feature": "chat",
                "inference_cost": "36",
                "training_cost": "12",
                "total_cost": "53",
                "estimated_cost": "6",
                "inference_share": "0.75",
            },
            {
                "charge_month": "2026-11-01",
                "feature": "ranker",
                "inference_cost": "0",
                "training_cost": "8",
                "total_cost": "8",
                "estimated_cost": "0",
                "inference_share": "0",
            },
        ],
    )


def test_monitoring_is_held_against_what_it_watches() -> None:
    given_rows = {
        "marts.cost_daily": [
            cost("monitoring", "3", feature="chat", bytes=2_000),
            cost("inference", "2", feature="chat", requests=7),
            cost("monitoring", "1", feature="silent", bytes=0),
            cost("egress", "9", feature="chat"),
        ]
    }
    assert_rows(
        "marts.monitoring_share_daily",
        run_model("marts.monitoring_share_daily", given_rows, WINDOW),
        [
            {
                "feature": "chat",
                "monitoring_cost": "3",
                "monitoring_share": "1.5",
                "bytes": 2000,
                "requests": 7,
            },
            {
                "feature": "silent",
                "monitoring_cost": "1",
                "monitoring_share": None,
                "bytes": 0,
                "requests": 0,
            },
        ],
    )


def test_a_pair_of_zones_has_its_bytes_once_and_both_lines_of_its_cost() -> None:
    pair = {"traffic_kind": "inter_zone", "from_zone": "use1-az1", "to_zone": "use1-az4"}
    transfer = {"charge_date": "2026-11-03", "provider": "aws", "is_used": True, **pair}
    given_rows = {
        "marts.cost_daily": [
            cost("egress", "0.02", bytes=2_000_000_000, **pair),
            cost("egress", "0.02", residual_reason="unknown_workload", **pair),
            cost("egress", "7", traffic_kind="internet"),
        ],
        "core.transfers": [
            {**transfer, "transfer_id": "a", "bytes": 1_500_000_000, "round_trips_count": 3},
            {
                **transfer,
                "transfer_id": "b",
                "bytes": 500_000_000,
                "round_trips_count": 2,
                "min_round_trip_seconds": "0.0012",
            },
            {**transfer, "transfer_id": "c", "bytes": 9, "is_used": False},
            {**transfer, "transfer_id": "d", "bytes": 10, "traffic_kind": "same_zone"},
        ],
    }
    assert_rows(
        "marts.egress_pairs_daily",
        run_model("marts.egress_pairs_daily", given_rows, WINDOW),
        [
            {
                **pair,
                "bytes": 2_000_000_000,
                "effective_cost_reporting": "0.04",
                "unattributed_cost": "0.02",
                "cost_per_gb": "0.02",
                "round_trips_count": 5,
                "min_round_trip_seconds": "0.0012",
            },
            {**pair, "traffic_kind": "same_zone", "bytes": 10, "unattributed_cost": "0"},
            {
                "traffic_kind": "internet",
                "bytes": 0,
                "effective_cost_reporting": "7",
                "unattributed_cost": "0",
            },
        ],
    )


def test_traffic_of_google_cloud_meets_its_bill_whatever_its_flow_logs_call_it() -> None:
    pair = {"traffic_kind": "inter_zone", "from_zone": "us-east1-b", "to_zone": "us-east1-c"}
    flow = {"charge_date": "2026-11-03", "provider": "gcp", "is_used": True, **pair}
    given_rows = {
        "marts.cost_daily": [cost("egress", "0.02", provider="google", **pair)],
        "core.transfers": [
            {**flow, "transfer_id": "flow log", "bytes": 1_500_000_000},
            {**flow, "transfer_id": "file", "bytes": 500_000_000, "provider": "google"},
        ],
    }
    found = run_model("marts.egress_pairs_daily", given_rows, WINDOW)
    assert [(row["provider"], row["bytes"], row["cost_per_gb"]) for row in found] == [
        ("google", 2_000_000_000, Decimal("0.01"))
    ]


@pytest.mark.parametrize("name", ["inference_share_monthly", "monitoring_share_daily", "egress_pairs_daily"])
def test_each_mart_holds_itself_against_cost_daily(name: str) -> None:
    """A row that cost_daily lacks is found by the mart's own check."""
    rows = [cost(driver, "3", traffic_kind="internet") for driver in ("inference", "monitoring", "egress")]
    given_rows: dict[str, list[dict[str, Any]]] = {"marts.cost_daily": rows}
    made = run_model(f"marts.{name}", given_rows, WINDOW)
    assert set(run_checks(f"marts.{name}", given_rows, WINDOW).values()) == {0}
    broken = run_checks(f"marts.{name}", {**given_rows, f"marts.{name}": [*made, made[0]]}, WINDOW)
    assert set(broken.values()) == {1}
