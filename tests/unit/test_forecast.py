"""Forecasts, their scores and budget landings: small cases by hand, and accuracy on real series.

Not here: properties over random input (`tests/property/test_forecast_properties.py`).
"""

import csv
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from pipelines.domain.forecast import (
    BOTTOM_UP,
    FORECAST_SCHEMA,
    MODEL_VERSION,
    ForecastRun,
    build_forecasts,
    end_of_next_month,
)
from pipelines.domain.forecast_models import PLAIN_MEAN
from pipelines.domain.forecast_scores import score_forecasts
from pipelines.domain.period_totals import (
    BUDGET_FORECAST_SCHEMA,
    build_budget_forecasts,
    build_period_total_quantiles,
)

MADE_AT = datetime(2026, 6, 1, 3)
ORIGIN = date(2026, 5, 31)
HISTORY_SCHEMA = {
    "charge_date": pl.Date,
    "feature": pl.String,
    "cost_driver": pl.String,
    "currency": pl.String,
    "cost": pl.Decimal(38, 12),
}


def build_history(values: list[str], feature: str = "chat", last: date = ORIGIN) -> pl.DataFrame:
    """One series whose last value falls on `last`; an empty text is a day without a row."""
    rows = [
        (last - timedelta(days=len(values) - 1 - position), feature, "inference", "USD", Decimal(value))
        for position, value in enumerate(values)
        if value
    ]
    return pl.DataFrame(rows, schema=HISTORY_SCHEMA, orient="row")


def leaf(run: ForecastRun, column: str, scope: str = "feature_driver") -> list[object]:
    """One column of one scope in order of days."""
    return run.table.filter(pl.col("scope") == scope).sort("target_date")[column].to_list()


def read_real_history(shared_data: Path) -> pl.DataFrame:
    """The last 500 days of every real series as a feature of its own, scaled to a mean of 100."""
    frames = []
    for path in sorted((shared_data / "series").glob("*.csv")):
        with path.open() as handle:
            values = [Decimal(row["value"]) for row in csv.DictReader(handle) if row["value"]][-500:]
        mean = sum(values) / len(values)
        scaled = [str((value / mean * 100).quantize(Decimal("1e-12"))) for value in values]
        frames.append(build_history(scaled, path.stem))
    assert len(frames) >= 6
    return pl.concat(frames)


def to_actuals(history: pl.DataFrame) -> pl.DataFrame:
    """Daily history as the actuals of every scope."""
    series = history.rename({"charge_date": "target_date"}).with_columns(
        scope=pl.lit("feature_driver"), zone=pl.lit(None, pl.String), measure=pl.lit("effective_cost")
    )
    total = series.with_columns(
        scope=pl.lit("total"), feature=pl.lit(None, pl.String), cost_driver=pl.lit(None, pl.String)
    )
    return pl.concat([series, total])


@pytest.mark.parametrize(
    ("origin", "end"),
    [
        (date(2026, 1, 31), date(2026, 2, 28)),
        (date(2026, 6, 30), date(2026, 7, 31)),
        (date(2026, 12, 15), date(2027, 1, 31)),
        (date(2026, 7, 1), date(2026, 8, 31)),
    ],
)
def test_horizon_is_the_end_of_next_month(origin: date, end: date) -> None:
    assert end_of_next_month(origin) == end
    assert (end - origin).days <= 62


def test_a_constant_series_is_continued_to_the_cent() -> None:
    run = build_forecasts(build_history(["12.34"] * 40), ORIGIN, MADE_AT)
    assert leaf(run, "target_date") == [ORIGIN + timedelta(days=step) for step in range(1, 31)]
    assert set(leaf(run, "p50")) == {Decimal("12.34")}
    assert set(leaf(run, "p05")) == set(leaf(run, "p95")) == {Decimal("12.34")}
    assert dict(run.table.schema) == FORECAST_SCHEMA
    assert set(run.table["model_version"]) == {MODEL_VERSION}
    assert set(leaf(run, "model_name", "total")) == {BOTTOM_UP}


def test_a_weekly_pattern_is_kept() -> None:
    week = ["10", "10", "10", "10", "10", "2", "1"]
    run = build_forecasts(build_history(week * 8), ORIGIN, MADE_AT)
    assert [float(value) for value in leaf(run, "p50")[:14]] == pytest.approx(
        [10, 10, 10, 10, 10, 2, 1] * 2, rel=0.05
    )


def test_young_series_get_the_plain_mean_and_say_so() -> None:
    run = build_forecasts(build_history(["1", "2", "", "5"]), ORIGIN, MADE_AT)
    assert set(leaf(run, "p50")) == {Decimal(2)}
    assert set(leaf(run, "model_name")) == {PLAIN_MEAN}
    assert leaf(run, "is_low_history")[0] is True
    assert leaf(run, "p10")[0] < Decimal(2) < leaf(run, "p90")[0]
    assert min(leaf(run, "p05")) >= 0


def test_twenty_one_days_are_enough_for_a_model() -> None:
    run = build_forecasts(build_history(["3", "4", "5"] * 7), ORIGIN, MADE_AT)
    assert leaf(run, "is_low_history")[0] is False


def test_a_late_end_is_not_zero_but_a_silent_one_is() -> None:
    late = build_forecasts(build_history(["8"] * 30, last=ORIGIN - timedelta(days=2)), ORIGIN, MADE_AT)
    assert set(leaf(late, "p50")) == {Decimal(8)}
    assert leaf(late, "target_date")[0] == ORIGIN + timedelta(days=1)
    silent = build_forecasts(build_history(["8"] * 30, last=ORIGIN - timedelta(days=20)), ORIGIN, MADE_AT)
    assert leaf(silent, "p50")[-1] < Decimal(4)


def test_a_series_that_ended_five_weeks_ago_is_not_forecast() -> None:
    history = build_history(["8"] * 30, last=ORIGIN - timedelta(days=36))
    assert build_forecasts(history, ORIGIN, MADE_AT).table.is_empty()


def test_currencies_never_meet() -> None:
    dollars = build_history(["10"] * 30)
    euros = dollars.with_columns(currency=pl.lit("EUR"), cost=pl.col("cost") * 2)
    run = build_forecasts(pl.concat([dollars, euros.select(dollars.columns)]), ORIGIN, MADE_AT)
    totals = (
        run.table.filter(pl.col("scope") == "total")
        .group_by("currency")
        .agg(pl.col("p50").max())
        .sort("currency")
    )
    assert totals.rows() == [("EUR", Decimal(20)), ("USD", Decimal(10))]


def test_credits_may_be_forecast_below_zero() -> None:
    run = build_forecasts(build_history(["-5"] * 30), ORIGIN, MADE_AT)
    assert set(leaf(run, "p50")) == {Decimal(-5)}


def test_a_step_two_days_ago_is_followed() -> None:
    values = [str(100 + position % 5) for position in range(118)] + ["203", "204"]
    run = build_forecasts(build_history(values), ORIGIN, MADE_AT)
    first_week = leaf(run, "p50")[:7]
    assert sum(first_week) / 7 > 170


def test_bad_input_is_named() -> None:
    history = build_history(["1"] * 30)
    with pytest.raises(ValueError, match="cost_driver"):
        build_forecasts(history.drop("cost_driver"), ORIGIN, MADE_AT)
    with pytest.raises(ValueError, match="63 days"):
        build_forecasts(history, ORIGIN, MADE_AT, ORIGIN + timedelta(days=63))


def test_scores_by_hand() -> None:
    run = build_forecasts(build_history(["10"] * 30), ORIGIN, MADE_AT, ORIGIN + timedelta(days=2))
    actuals = to_actuals(build_history(["10"] * 30 + ["10", "12"], last=ORIGIN + timedelta(days=2)))
    score = score_forecasts(run.table, actuals).filter(pl.col("scope") == "feature_driver").row(0, named=True)
    assert score["scored_days_count"] == 2
    assert score["wape_share"] == Decimal("0.090909090909")
    assert score["skill_share"] == 0
    assert score["coverage_80_share"] == Decimal("0.5")
    assert score["bias_share"] == Decimal("-0.090909090909")


def test_accuracy_on_real_series(shared_data: Path) -> None:
    """Walk forward over six real series: better than seasonal naive, and an 80 % band that means it."""
    history = read_real_history(shared_data)
    tables = []
    for days_back in range(28, 380, 11):
        origin = ORIGIN - timedelta(days=days_back)
        recent = history.filter(pl.col("charge_date") > origin - timedelta(days=120))
        made_at = datetime.combine(origin, datetime.min.time())
        tables.append(build_forecasts(recent, origin, made_at, origin + timedelta(days=28)).table)
    scores = score_forecasts(pl.concat(tables), to_actuals(history))
    pooled = {row["scope"]: row for row in scores.rows(named=True) if row["scope"].startswith("all_")}
    series = pooled["all_feature_driver"]
    print({name: round(float(value), 3) for name, value in series.items() if isinstance(value, Decimal)})
    assert series["scored_days_count"] == 6 * 28 * len(tables)
    assert 0.65 <= series["coverage_80_share"] <= 0.95
    assert 0.60 <= pooled["all_total"]["coverage_80_share"] <= 0.97
    assert series["skill_share"] > 0  # seasonal naive is hard to beat on single usage series
    assert series["wape_share"] < Decimal("0.2")


def test_landing_of_a_finished_period_is_certain() -> None:
    run = build_forecasts(build_history(["10"] * 40), ORIGIN, MADE_AT)
    actual = {date(2026, 5, day): Decimal(10) for day in range(1, 32)}
    landing = build_period_total_quantiles(
        run, run.select("USD"), actual, date(2026, 5, 1), date(2026, 6, 1), Decimal(300)
    )
    assert landing.p10 == landing.p50 == landing.p90 == Decimal(310)
    assert landing.overrun_probability == 1
    assert landing.overrun_date == date(2026, 5, 31)


def test_budget_forecasts_add_actual_and_rest() -> None:
    history = pl.concat(
        [build_history(["10", "11", "9", "10", "12", "8", "10"] * 8), build_history(["5"] * 56, "search")]
    )
    budgets = pl.DataFrame(
        {
            "budget_id": ["all", "chat", "nobody", "search", "team"],
            "feature": [None, "chat", "none such", "search", None],
            "team": [None, None, None, None, "core"],
            "currency": ["USD"] * 5,
            "period_start": [date(2026, 5, 18)] * 5,
            "period_end": [date(2026, 6, 15)] * 5,
            "amount": [Decimal(x) for x in ("500", "100", "10", "140", "10")],
        }
    )
    rows = build_budget_forecasts(history, budgets, ORIGIN, MADE_AT)
    assert dict(rows.schema) == BUDGET_FORECAST_SCHEMA
    by_id = {row["budget_id"]: row for row in rows.rows(named=True)}
    run = build_forecasts(history, ORIGIN, MADE_AT)
    p50 = run.table.filter((pl.col("scope") == "total") & (pl.col("target_date") < date(2026, 6, 15)))[
        "p50"
    ].sum()
    assert by_id["all"]["forecast_p50"] == Decimal(15 * 14) + p50
    assert by_id["all"]["forecast_p10"] <= by_id["all"]["forecast_p50"] <= by_id["all"]["forecast_p90"]
    assert by_id["all"]["overrun_probability"] == 0
    assert by_id["chat"]["overrun_probability"] == 1
    assert by_id["chat"]["overrun_date"] == date(2026, 5, 28)
    assert by_id["search"]["forecast_p50"] == Decimal(140)
    assert by_id["search"]["overrun_date"] is None
    assert by_id["nobody"]["forecast_p50"] == 0
    assert by_id["team"]["forecast_p50"] is None


def test_a_team_budget_is_forecast_from_the_team_only() -> None:
    history = pl.concat(
        [
            build_history(["10"] * 40).with_columns(team=pl.lit("core")),
            build_history(["90"] * 40).with_columns(team=pl.lit("other")),
        ]
    )
    budgets = pl.DataFrame(
        {
            "budget_id": ["core june"],
            "team": ["core"],
            "currency": ["USD"],
            "period_start": [date(2026, 6, 1)],
            "period_end": [date(2026, 7, 1)],
            "amount": [Decimal(299)],
        }
    )
    row = build_budget_forecasts(history, budgets, ORIGIN, MADE_AT).row(0, named=True)
    assert row["forecast_p50"] == Decimal(300)
    assert row["overrun_date"] == date(2026, 6, 30)


def test_month_landing_covers_real_months(shared_data: Path) -> None:
    """The p10 … p90 band of 28-day totals holds most of what really came."""
    history = read_real_history(shared_data)
    inside = trials = 0
    for days_back in range(28, 309, 28):
        origin = ORIGIN - timedelta(days=days_back)
        end = origin + timedelta(days=29)
        recent = history.filter(pl.col("charge_date") > origin - timedelta(days=120))
        run = build_forecasts(recent, origin, MADE_AT, end)
        for one in run.series:
            period = (pl.col("charge_date") > origin) & (pl.col("charge_date") < end)
            truth = history.filter(period & (pl.col("feature") == one.key.feature))["cost"].sum()
            landing = build_period_total_quantiles(
                run, [one], {}, origin + timedelta(days=1), end, Decimal(1)
            )
            inside += landing.p10 <= truth <= landing.p90
            trials += 1
    print({"month totals inside p10..p90": inside, "of": trials})
    assert trials == 66
    assert 0.6 <= inside / trials <= 0.98
