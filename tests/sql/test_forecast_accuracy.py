"""marts.forecast_accuracy: published forecasts scored once their days are billed, never before."""

from __future__ import annotations

from tests.sql.harness import assert_rows, run_model


def _forecast(target: str, p10: str, p50: str, p90: str, **other: str) -> dict[str, str]:
    return {
        "scope": "feature",
        "feature": "chat",
        "measure": "effective_cost",
        "currency": "USD",
        "forecast_made_at": "2026-11-01 03:00:00",
        "target_date": target,
        "p10": p10,
        "p50": p50,
        "p90": p90,
        **other,
    }


def _cost(
    day: str, cost: str, state: str = "provisional", category: str = "Usage", bill: str | None = "bill"
) -> dict[str, str | None]:
    return {
        "bill_of_record": bill,
        "charge_date": day,
        "feature": "chat",
        "cost_driver": "inference",
        "charge_category": category,
        "cost_state": state,
        "effective_cost_reporting": cost,
    }


def test_billed_days_are_scored_and_open_ones_are_not() -> None:
    forecasts = [
        _forecast("2026-11-02", "90", "100", "110"),
        _forecast("2026-11-03", "90", "100", "110"),
        _forecast("2026-11-04", "90", "100", "110"),  # this day is still estimated
        _forecast("2026-11-09", "90", "100", "110"),  # looks eight days ahead
        _forecast("2026-11-30", "90", "100", "110"),  # has not come yet
        _forecast("2026-11-01", "90", "100", "110"),  # the day it was made is no forecast
    ]
    costs = [
        _cost("2026-11-01", "100"),
        _cost("2026-11-02", "80"),
        _cost("2026-11-02", "30"),
        _cost("2026-11-02", "7000", category="Tax"),
        _cost("2026-11-03", "60"),
        _cost("2026-11-03", "10", state="estimated", bill=None),  # no bill ever names it
        _cost("2026-11-04", "5", state="estimated"),
        _cost("2026-11-09", "125"),
        _cost("2026-11-10", "1"),
    ]
    rows = run_model(
        "marts.forecast_accuracy",
        {"core.ledger_forecasts": forecasts, "marts.cost_daily": costs},
        {"today": "2026-11-11"},
    )
    assert_rows(
        "marts.forecast_accuracy",
        rows,
        [
            # errors 100-110 and 100-70: (10 + 30) / 180, (-10 + 30) / 180; one of two days in the band
            {
                "feature": "chat",
                "horizon": "1 week",
                "scored_days_count": "2",
                "actual": "180",
                "wape_share": "0.222222",
                "bias_share": "0.111111",
                "coverage_80_share": "0.5",
            },
            {
                "feature": "chat",
                "horizon": "4 weeks",
                "scored_days_count": "1",
                "actual": "125",
                "wape_share": "0.2",
                "bias_share": "-0.2",
                "coverage_80_share": "0",
            },
        ],
    )


def test_a_scope_without_cost_on_a_billed_day_cost_nothing() -> None:
    rows = run_model(
        "marts.forecast_accuracy",
        {
            "core.ledger_forecasts": [_forecast("2026-11-02", "1", "2", "3", feature="gone")],
            "marts.cost_daily": [_cost("2026-11-02", "50")],
        },
        {"today": "2026-11-11"},
    )
    assert [(row["actual"], row["wape_share"], row["scored_days_count"]) for row in rows] == [(0, None, 1)]
