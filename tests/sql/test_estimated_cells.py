"""core.estimated_cells: what stands for usage until its bill is complete, and when nothing does any more."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.sql.harness import run_model

DAY = "2026-11-20"
WINDOW = {"start": DAY, "end": "2026-11-21", "reporting_currency": "USD"}
CHEAP, DEAR = "usage-cheap", "usage-dear"


def _usage(pool: str, tokens: str, cost: str | None, currency: str | None = "USD") -> dict[str, Any]:
    return {
        "charge_date": DAY,
        "usage_id": pool,
        "token_class": "output_tokens",
        "provider": "aws",
        "model": pool,
        "service_tier": "standard",
        "pool_key": pool,
        "leaf_pool_key": pool,
        "quantity_tokens": tokens,
        "list_cost": cost,
        "list_cost_currency": currency,
    }


def _billed(pool: str, cost: str) -> dict[str, Any]:
    return {
        "charge_date": DAY,
        "cell_id": pool,
        "provider": "aws",
        "cost_driver": "inference",
        "charge_category": "Usage",
        "pool_key": pool,
        "effective_cost_reporting": cost,
    }


def _coverage(watermark: str) -> dict[str, Any]:
    month = {"billing_period_start": "2026-11-01 00:00:00", "bill_of_record": "bill", "provider": "aws"}
    return {**month, "watermark_at": watermark}


def _run(**given: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    names = {"usage": "core.pooled_usage", "billed": "core.billed_cells", "coverage": "core.bill_coverage"}
    names |= {"rates": "core.bill_rates", "fx": "staging.fx_rates"}
    rows = run_model("core.estimated_cells", {names[key]: value for key, value in given.items()}, WINDOW)
    return {row["pool_key"]: row for row in rows}


def test_usage_that_no_bill_ever_covers_stands_at_list_price() -> None:
    cells = _run(usage=[_usage(CHEAP, "1000", "0.3"), _usage(DEAR, "10", "0.7")])
    assert {key: row["effective_cost"] for key, row in cells.items()} == {
        CHEAP: Decimal("0.3"),
        DEAR: Decimal("0.7"),
    }
    assert {row["billed_cost"] for row in cells.values()} == {None}
    assert all(row["is_pool_first"] for row in cells.values())


def test_a_complete_day_leaves_nothing_to_estimate() -> None:
    usage = [_usage(CHEAP, "1000", "0.3")]
    assert _run(usage=usage, coverage=[_coverage("2026-11-21 00:00:00")]) == {}
    assert set(_run(usage=usage, coverage=[_coverage("2026-11-20 23:59:59")])) == {CHEAP}


def test_a_half_billed_day_is_filled_up_to_the_estimate() -> None:
    cells = _run(
        usage=[_usage(CHEAP, "1000", "40"), _usage(DEAR, "10", "60")],
        billed=[_billed(CHEAP, "25")],
        coverage=[_coverage("2026-11-20 06:00:00")],
    )
    # 25 of 100 are billed: three quarters of each estimate are open
    assert cells[CHEAP]["effective_cost"] == Decimal(30)
    assert cells[DEAR]["effective_cost"] == Decimal(45)
    assert (cells[CHEAP]["is_pool_first"], cells[CHEAP]["logged_quantity"]) == (False, 0)
    assert (cells[DEAR]["is_pool_first"], cells[DEAR]["logged_quantity"]) == (True, 10)


def test_nothing_is_added_once_the_bill_exceeds_the_estimate() -> None:
    cells = _run(usage=[_usage(CHEAP, "1000", "40")], billed=[_billed(CHEAP, "41")])
    assert cells == {}


def test_the_months_bill_shows_the_discount() -> None:
    rate = {
        "billing_period_start": "2026-11-01 00:00:00",
        "provider": "aws",
        "model": CHEAP,
        "token_class": "output_tokens",
        "effective_per_list_ppm": "950000",
    }
    cells = _run(usage=[_usage(CHEAP, "1000", "40")], rates=[rate])
    assert (cells[CHEAP]["list_cost"], cells[CHEAP]["effective_cost"]) == (40, 38)


def test_a_price_in_another_currency_is_converted_or_left_unknown() -> None:
    rate = {"from_currency": "EUR", "to_currency": "USD", "rate_date": "2026-11-01", "rate": "1.1"}
    older = {**rate, "rate_date": "2026-10-01", "rate": "9"}
    cell = _run(usage=[_usage(CHEAP, "1000", "40", "EUR")], fx=[rate, older])[CHEAP]
    assert (cell["billing_currency"], cell["effective_cost"], cell["effective_cost_reporting"]) == (
        "EUR",
        40,
        44,
    )
    cell = _run(usage=[_usage(CHEAP, "1000", "40", "EUR")])[CHEAP]
    assert (cell["effective_cost"], cell["effective_cost_reporting"]) == (40, None)


def test_usage_without_a_price_has_no_cost_but_is_there() -> None:
    cell = _run(usage=[_usage(CHEAP, "1000", None, None)])[CHEAP]
    assert (cell["effective_cost"], cell["residual_reason"], cell["logged_quantity"]) == (
        None,
        "unpriced",
        1000,
    )
