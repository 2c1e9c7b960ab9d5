"""Where a budget period will land: actual to date plus the forecast of the rest, with its uncertainty.

Here: paths of the remaining days by a block bootstrap of past errors, and what they say about a budget.
Not here: daily forecasts (`forecast`), the comparison of actual and budget (marts). Errors of one day persist
into the next, so the band of a month is not the sum of daily variances: whole weeks of errors are drawn, for
all series together, and stay with the same past origin with probability one half. The seed is fixed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl

from pipelines.domain.conformal import INFLATION, SEASON_DAYS, ErrorPool
from pipelines.domain.forecast import (
    MONEY,
    ForecastRun,
    SeriesForecast,
    build_forecasts,
    low_history_scale,
    sum_errors,
    to_money,
)
from pipelines.domain.forecast_models import ORIGIN_WEEKS

PATHS = 2000
SEED = 20_260_101
STAY_SHARE = 0.5
NO_MONEY = Decimal(0)
BUDGET_DIMENSIONS = ("feature", "cost_driver", "team", "environment")
BUDGET_FORECAST_SCHEMA: dict[str, pl.DataType] = {
    "budget_id": pl.String(),
    "forecast_p10": MONEY,
    "forecast_p50": MONEY,
    "forecast_p90": MONEY,
    "overrun_probability": pl.Decimal(18, 12),
    "overrun_date": pl.Date(),
}


@dataclass(frozen=True)
class PeriodTotal:
    """Landing of one period. `overrun_date` is the first day on which the p50 path passes the amount."""

    p10: Decimal
    p50: Decimal
    p90: Decimal
    overrun_probability: Decimal
    overrun_date: date | None


def build_period_total_quantiles(
    run: ForecastRun,
    series: Sequence[SeriesForecast],
    actual_by_date: dict[date, Decimal],
    period_start: date,
    period_end: date,
    amount: Decimal,
) -> PeriodTotal:
    """Quantiles of the total of [`period_start`, `period_end`) and the chance that it passes `amount`.

    `actual_by_date` holds the money of the period's days up to the run's origin, in the same currency and for
    the same selection as `series`. Days past the run's horizon repeat its last week, with growing errors.
    """
    remaining_start = max(period_start, run.origin_date + timedelta(days=1))
    first_step = (remaining_start - run.origin_date).days - 1
    steps = max((period_end - run.origin_date).days - 1, first_step)
    middle = _build_middle(run, series, steps)[first_step:]
    actual = {day: cost for day, cost in actual_by_date.items() if period_start <= day < remaining_start}
    spent = sum(actual.values(), NO_MONEY)
    expected = spent + sum(middle, NO_MONEY)
    path_dates = [remaining_start + timedelta(days=step) for step in range(len(middle))]
    overrun_date = _find_overrun_date(
        [*sorted(actual.items()), *zip(path_dates, middle, strict=True)], amount
    )
    if not middle or not series:
        certain = Decimal(int(expected > amount))
        return PeriodTotal(expected, expected, expected, certain, overrun_date)
    deviations = _draw_deviations(series, run.pool, steps)[:, first_step:]
    paths = np.array([float(value) for value in middle]) + deviations
    if all(one.floor == 0 for one in series):
        paths = np.maximum(paths, 0.0)
    rest = paths.sum(axis=1)
    low, high = (spent + to_money(value) for value in np.quantile(rest, (0.10, 0.90)))
    over = int(np.count_nonzero(rest > float(amount - spent)))
    return PeriodTotal(
        min(low, expected), expected, max(high, expected), Decimal(over) / Decimal(PATHS), overrun_date
    )


def build_budget_forecasts(
    history: pl.DataFrame,
    budgets: pl.DataFrame,
    origin_date: date,
    forecast_made_at: datetime,
    run: ForecastRun | None = None,
) -> pl.DataFrame:
    """Landing of every budget; columns of `BUDGET_FORECAST_SCHEMA`, ordered by budget.

    `history` is that of `build_forecasts`, with team and environment as well where budgets name them.
    `budgets`: budget_id, currency, period_start, period_end (exclusive), amount and the dimensions feature,
    cost_driver, team, environment (absent or null: not restricted). `run` is the forecast of the whole
    history at the same origin, if it exists already; a budget of a team or environment gets its own one.
    One measure a call: pass the history of the measure that the budgets declare. A budget whose selection
    has no cost at all has a forecast of zero; one that names a dimension the history lacks has nulls.
    """
    runs: dict[tuple[str | None, str | None], ForecastRun] = {} if run is None else {(None, None): run}
    rows = []
    for budget in budgets.sort("budget_id").iter_rows(named=True):
        wanted = {name: budget.get(name) for name in BUDGET_DIMENSIONS if budget.get(name) is not None}
        if not wanted.keys() <= set(history.columns):
            rows.append({"budget_id": budget["budget_id"]})
            continue
        group = (wanted.get("team"), wanted.get("environment"))
        if group not in runs:
            owned = {name: value for name, value in wanted.items() if name in ("team", "environment")}
            runs[group] = build_forecasts(_restrict(history, owned), origin_date, forecast_made_at)
        rows.append(_build_budget_row(budget, wanted, history, runs[group]))
    return pl.DataFrame(rows, schema=BUDGET_FORECAST_SCHEMA, orient="row")


def _build_budget_row(
    budget: dict[str, Any], wanted: dict[str, Any], history: pl.DataFrame, run: ForecastRun
) -> dict[str, object]:
    """One budget's landing from the run of its team and environment."""
    start, end, currency = budget["period_start"], budget["period_end"], budget["currency"]
    selected = _restrict(history, {**wanted, "currency": currency}).filter(
        (pl.col("charge_date") >= start) & (pl.col("charge_date") <= min(run.origin_date, end))
    )
    daily = selected.group_by("charge_date").agg(pl.col("cost").cast(MONEY).sum()).sort("charge_date")
    series = run.select(currency, wanted.get("feature"), wanted.get("cost_driver"))
    total = build_period_total_quantiles(run, series, dict(daily.iter_rows()), start, end, budget["amount"])
    return {
        "budget_id": budget["budget_id"],
        "forecast_p10": total.p10,
        "forecast_p50": total.p50,
        "forecast_p90": total.p90,
        "overrun_probability": total.overrun_probability,
        "overrun_date": total.overrun_date,
    }


def _restrict(history: pl.DataFrame, wanted: dict[str, Any]) -> pl.DataFrame:
    """Rows that carry exactly the wanted values."""
    for name, value in wanted.items():
        history = history.filter(pl.col(name) == value)
    return history


def _build_middle(run: ForecastRun, series: Sequence[SeriesForecast], steps: int) -> list[Decimal]:
    """Summed p50 for `steps` days after the origin; past the horizon the last whole week repeats."""
    known = (run.horizon_end - run.origin_date).days
    sums = [sum((one.p50[step] for one in series), NO_MONEY) for step in range(min(known, steps))]
    while len(sums) < steps:
        sums.append(sums[-SEASON_DAYS] if len(sums) >= SEASON_DAYS else sums[-1])
    return sums


def _find_overrun_date(path: Sequence[tuple[date, Decimal]], amount: Decimal) -> date | None:
    """First day on which the running sum is above the amount."""
    running = NO_MONEY
    for day, cost in path:
        running += cost
        if running > amount:
            return day
    return None


def _draw_deviations(series: Sequence[SeriesForecast], pool: ErrorPool, steps: int) -> np.ndarray:
    """Error paths (`PATHS` x `steps`) of the sum of the series, with a random sign a block.

    The sign makes the paths centred on the p50: a few past origins cannot tell a lasting bias from chance.
    Series without own errors add an error that persists over the whole path.
    """
    generator = np.random.default_rng(SEED)
    errors = sum_errors(series)
    weeks = -(-steps // SEASON_DAYS)
    deviations = np.zeros((PATHS, weeks * SEASON_DAYS))
    usable = {row for row, matrix_row in enumerate(errors) if not np.isnan(matrix_row[0])}
    longest = max((ORIGIN_WEEKS[row] for row in usable), default=0)
    row = np.full(PATHS, -1)
    sign = np.zeros(PATHS)
    for week in range(weeks if usable else 0):
        source = min(week, longest - 1)
        fitting = np.array(sorted(one for one in usable if ORIGIN_WEEKS[one] > source))
        redraw = (generator.random(PATHS) >= STAY_SHARE) | ~np.isin(row, fitting)
        row = np.where(redraw, generator.choice(fitting, PATHS), row)
        sign = np.where(redraw, generator.choice((-1.0, 1.0), PATHS), sign)
        block = np.nan_to_num(errors[:, source * SEASON_DAYS : (source + 1) * SEASON_DAYS])
        growth = np.sqrt((week + 1) / (source + 1))
        deviations[:, week * SEASON_DAYS : (week + 1) * SEASON_DAYS] = (sign * growth)[:, None] * block[row]
    young = low_history_scale(series) * np.sqrt(np.pi / 2) * generator.standard_normal(PATHS)
    growth_by_day = pool.growth(weeks * SEASON_DAYS)
    return (INFLATION * deviations + young[:, None] * growth_by_day)[:, :steps]
