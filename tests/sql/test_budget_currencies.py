"""marts.budget_status never adds, drops or guesses money of a currency it cannot tell."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.sql.harness import run_model

BUDGET = {
    "budget_id": "all",
    "period_start": "2026-11-01",
    "period_end": "2026-12-01",
    "amount": "200",
    "measure": "effective_cost",
}


def _cost(currency: str, own: str, reporting: str | None) -> dict[str, str | None]:
    return {
        "charge_date": "2026-11-03",
        "charge_category": "Usage",
        "cost_driver": "compute",
        "billing_currency": currency,
        "effective_cost": own,
        "effective_cost_reporting": reporting,
        "reporting_currency": "USD",
    }


@pytest.mark.parametrize(
    ("currency", "costs", "actual", "status"),
    [
        ("USD", [_cost("EUR", "100", "110"), _cost("USD", "18", "18")], Decimal(128), "no_forecast"),
        ("EUR", [_cost("EUR", "100", "110")], Decimal(100), "no_forecast"),
        ("EUR", [_cost("EUR", "100", "110"), _cost("USD", "18", "18")], None, "unknown_currency"),
        ("GBP", [_cost("EUR", "100", "110")], None, "unknown_currency"),
        ("USD", [_cost("EUR", "100", None), _cost("USD", "18", "18")], None, "unknown_currency"),
        ("GBP", [], Decimal(0), "no_forecast"),
    ],
    ids=["reporting", "own", "own and another", "a third", "no rate", "no cost"],
)
def test_actual_is_whole_or_unknown(
    currency: str, costs: list[dict[str, str | None]], actual: Decimal | None, status: str
) -> None:
    given = {"core.budgets": [{**BUDGET, "currency": currency}], "marts.cost_daily": costs}
    (row,) = run_model("marts.budget_status", given, {"today": "2026-11-10"})
    assert (row["actual"], row["status"]) == (actual, status)
