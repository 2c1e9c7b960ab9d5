"""marts.nowcast_accuracy: what nights showed of open days, held against the bill once the watermark has passed them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.sql.harness import run_model


def _told(day: int, estimated: str, billed: str = "0", age: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "run_id": f"run {day + age}",
        "nowcast_made_at": "2026-11-20 03:00:00",
        "charge_date": f"2026-11-{day:02}",
        "age_days": str(age),
        "bill_of_record": "bill",
        "provider": "aws",
        "cost_driver": "inference",
        "model": "sonnet",
        "billing_currency": "USD",
        "estimated_effective_cost": estimated,
        "billed_effective_cost": billed,
    } | more


def _cell(day: int, cost: str, **more: Any) -> dict[str, Any]:
    return {
        "charge_date": f"2026-11-{day:02}",
        "bill_of_record": "bill",
        "provider": "aws",
        "cost_driver": "inference",
        "model": "sonnet",
        "billing_currency": "USD",
        "charge_category": "Usage",
        "cost_state": "provisional",
        "effective_cost": cost,
    } | more


def _score(told: list[dict[str, Any]], cells: list[dict[str, Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
    coverage = {
        "billing_period_start": "2026-11-01 00:00:00",
        "bill_of_record": "bill",
        "provider": "aws",
        "watermark_at": "2026-11-05 00:00:00",
    }
    given = {"core.ledger_estimates": told, "core.cells": cells, "core.bill_coverage": [coverage]}
    rows = run_model("marts.nowcast_accuracy", given)
    return {(row["scope"], row["cost_driver"], row["model"], row["age_days"]): row for row in rows}


def test_errors_are_weighed_signed_and_the_worst_is_named() -> None:
    told = [
        _told(1, "8", "3"),  # 11 shown, 10 billed
        _told(2, "6"),  # 6 shown, 10 billed
        _told(2, "1", "8", age=1),
        _told(5, "99"),  # not settled yet
    ]
    cells = [
        _cell(1, "10"),
        _cell(2, "10"),
        _cell(5, "1"),
        _cell(1, "50", cost_state="estimated"),
        _cell(1, "7", charge_category="Credit"),
        _cell(1, "7", bill_of_record="other"),
        _cell(3, "7"),  # no night told of this day
    ]
    scored = _score(told, cells)
    assert {key[3] for key in scored} == {0, 1}
    row = scored["model", "inference", "sonnet", 0]
    names = ("scored_days_count", "nowcast_cost", "estimated_effective_cost", "actual_effective_cost")
    assert [row[name] for name in names] == [2, 17, 14, 20]
    assert (row["wape_share"], row["bias_share"]) == (Decimal("0.25"), Decimal("-0.15"))
    assert (row["worst_error_cost"], str(row["worst_date"])) == (-4, "2026-11-02")
    assert scored["total", None, None, 1]["bias_share"] == Decimal("-0.1")


def test_what_was_never_told_of_or_never_billed_is_an_error_too() -> None:
    """Errors of two models cancel in their driver, and one of a driver stands alone."""
    told = [_told(1, "6"), _told(1, "2", model="ghost")]
    cells = [_cell(1, "6"), _cell(1, "2", model="surprise"), _cell(1, "5", cost_driver="egress", model=None)]
    scored = _score(told, cells)
    errors = {key[:3]: row["worst_error_cost"] for key, row in scored.items()}
    assert errors == {
        ("model", "inference", "sonnet"): 0,
        ("model", "inference", "ghost"): 2,
        ("model", "inference", "surprise"): -2,
        ("model", "egress", None): -5,
        ("cost_driver", "inference", None): 0,
        ("cost_driver", "egress", None): -5,
        ("total", None, None): -5,
    }
    assert scored["model", "inference", "ghost", 0]["wape_share"] is None
