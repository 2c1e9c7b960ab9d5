"""Daily cost forecasts per feature and cost driver, and their coherent totals.

Here: from a table of daily money to a table of forecast quantiles. Not here: the models
(`forecast_models`), the bands (`conformal`), budgets (`period_totals`), scores (`forecast_scores`), any I/O.
Money enters and leaves as Decimal; floats live only between. The result depends on nothing but the arguments:
rows may come in any order, days after the origin are never looked at.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from importlib.metadata import version

import numpy as np
import polars as pl

from pipelines.domain.conformal import (
    UNKNOWN_ERROR_SHARE,
    ErrorPool,
    build_band,
    build_error_pool,
    mean_absolute_error,
)
from pipelines.domain.forecast_models import SeriesFit, fit_series

MONEY = pl.Decimal(38, 12)
MONEY_DIGITS = Decimal("0.000000000001")
MAXIMUM_HORIZON_DAYS = 62
# A silent end of up to three days is a late bill, a longer one is zero spend.
LATE_DAYS = 3
# A series without any cost for five weeks (longer than a monthly fee's pause) is over and gets no forecast.
DORMANT_DAYS = 35
MODEL_VERSION = f"1+statsforecast-{version('statsforecast')}"
BOTTOM_UP = "bottom_up"
# A sum is called low history when more than this share of its forecast comes from young series.
LOW_HISTORY_SHARE = Decimal("0.2")
QUANTILE_COLUMNS: tuple[str, ...] = ("p05", "p10", "p25", "p50", "p75", "p90", "p95")
FORECAST_SCHEMA: dict[str, pl.DataType] = {
    "forecast_made_at": pl.Datetime("us"),
    "target_date": pl.Date(),
    "scope": pl.String(),
    "feature": pl.String(),
    "cost_driver": pl.String(),
    "zone": pl.String(),
    "measure": pl.String(),
    "currency": pl.String(),
    **dict.fromkeys(QUANTILE_COLUMNS, MONEY),
    "model_name": pl.String(),
    "model_version": pl.String(),
    "is_low_history": pl.Boolean(),
}
HISTORY_KEYS: tuple[str, ...] = ("currency", "feature", "cost_driver", "zone")


@dataclass(frozen=True)
class SeriesKey:
    """What one series is about; None is a row like any other (cost without a feature)."""

    currency: str
    feature: str | None
    cost_driver: str | None
    zone: str | None = None

    def sort_key(self) -> tuple[tuple[bool, str], ...]:
        """A total order in which None stands before every text."""
        return tuple((value is not None, value or "") for value in (self.currency, *self.dimensions))

    @property
    def dimensions(self) -> tuple[str | None, str | None, str | None]:
        """Feature, cost driver and zone."""
        return self.feature, self.cost_driver, self.zone


@dataclass(frozen=True)
class SeriesForecast:
    """One forecast series with what totals need of it: its p50 per day and its errors at past origins."""

    key: SeriesKey
    fit: SeriesFit
    p50: tuple[Decimal, ...]
    error_scale: float
    floor: float


@dataclass(frozen=True)
class ForecastRun:
    """All forecasts made at one origin: the table (columns of `FORECAST_SCHEMA`) and the series behind it."""

    origin_date: date
    horizon_end: date
    table: pl.DataFrame
    series: tuple[SeriesForecast, ...]
    pool: ErrorPool

    def select(
        self, currency: str, feature: str | None = None, cost_driver: str | None = None
    ) -> tuple[SeriesForecast, ...]:
        """The series of one currency, restricted to a feature and cost driver where these are given."""
        return tuple(
            one
            for one in self.series
            if one.key.currency == currency
            and feature in (None, one.key.feature)
            and cost_driver in (None, one.key.cost_driver)
        )


def end_of_next_month(origin_date: date) -> date:
    """Last day of the month after the origin's, at most `MAXIMUM_HORIZON_DAYS` after the origin."""
    first = origin_date.replace(day=1)
    for _ in range(2):
        first = (first + timedelta(days=32)).replace(day=1)
    return min(first - timedelta(days=1), origin_date + timedelta(days=MAXIMUM_HORIZON_DAYS))


def build_forecasts(
    history: pl.DataFrame,
    origin_date: date,
    forecast_made_at: datetime,
    horizon_end: date | None = None,
    measure: str = "effective_cost",
) -> ForecastRun:
    """Forecast every series from `history` up to and including `origin_date`.

    `history`: charge_date (Date), feature, cost_driver, currency (String), cost (Decimal) and optionally
    zone; several rows of a series and day add up, a missing day inside a series is zero. `horizon_end`
    defaults to `end_of_next_month`. Totals (scope `feature` and `total`, one per currency) are bottom-up:
    their p50 is the exact sum of the p50 below, their bands come from the errors summed by origin and day
    over the same series, which is what a bootstrap of joint errors by day converges to, without its noise.
    Raises ValueError on missing columns or a horizon that is empty or longer than 62 days.
    """
    horizon_end = horizon_end or end_of_next_month(origin_date)
    horizon_days = (horizon_end - origin_date).days
    if not 1 <= horizon_days <= MAXIMUM_HORIZON_DAYS:
        raise ValueError(
            f"forecast from {origin_date} to {horizon_end}: the horizon is {horizon_days} days, "
            f"choose an end 1 to {MAXIMUM_HORIZON_DAYS} days after the origin"
        )
    arrays = _read_series(history, origin_date)
    fits = {key: fit_series(values, late, horizon_days) for key, (values, late) in arrays.items()}
    levels = [float(np.abs(values).mean()) for values, _ in arrays.values()]
    pool = build_error_pool([fit.errors for fit in fits.values()], levels)
    series = tuple(
        _build_series_forecast(key, fits[key], values, level, pool)
        for (key, (values, _)), level in zip(arrays.items(), levels, strict=True)
    )
    shared = {"forecast_made_at": forecast_made_at, "measure": measure, "model_version": MODEL_VERSION}
    days = [origin_date + timedelta(days=step + 1) for step in range(horizon_days)]
    rows = [row | shared for node in _build_nodes(series) for row in _build_node_rows(*node, days, pool)]
    table = pl.DataFrame(rows, schema=FORECAST_SCHEMA, orient="row")
    return ForecastRun(origin_date, horizon_end, table, series, pool)


def to_money(value: float) -> Decimal:
    """A model's float as money: its shortest decimal, half up at 12 digits."""
    return Decimal(repr(float(value))).quantize(MONEY_DIGITS, rounding=ROUND_HALF_UP)


def sum_errors(series: Sequence[SeriesForecast]) -> np.ndarray:
    """Errors of the sum of series by origin and day; a day that none of them observed stays NaN."""
    stacked = np.stack([one.fit.errors for one in series])
    return np.where(np.isnan(stacked).all(axis=0), np.nan, np.nansum(stacked, axis=0))


def low_history_scale(series: Sequence[SeriesForecast]) -> float:
    """Error of the series without own errors, taken as independent of each other."""
    return float(np.sqrt(sum(one.error_scale**2 for one in series if one.fit.is_low_history)))


def _read_series(history: pl.DataFrame, origin_date: date) -> dict[SeriesKey, tuple[np.ndarray, int]]:
    """Gapless values per series up to the origin, and how many days its end is late, in key order."""
    missing = {"charge_date", "feature", "cost_driver", "currency", "cost"} - set(history.columns)
    if missing:
        raise ValueError(
            f"forecast history lacks the columns {sorted(missing)}; pass them, null where unknown"
        )
    if "zone" not in history.columns:
        history = history.with_columns(zone=pl.lit(None, pl.String))
    daily = (
        history.filter(pl.col("charge_date") <= origin_date)
        .group_by(*HISTORY_KEYS, "charge_date")
        .agg(pl.col("cost").cast(MONEY).sum())
        .sort(*HISTORY_KEYS, "charge_date")
    )
    result = {}
    for group in daily.partition_by(*HISTORY_KEYS, maintain_order=True):
        first_row = group.row(0, named=True)
        key = SeriesKey(*(first_row[name] for name in HISTORY_KEYS))
        values = _fill_days(group["charge_date"].to_list(), group["cost"].to_list(), origin_date)
        if np.any(values[0][-DORMANT_DAYS:] != 0):
            result[key] = values
    return dict(sorted(result.items(), key=lambda item: item[0].sort_key()))


def _fill_days(days: list[date], costs: list[Decimal], origin_date: date) -> tuple[np.ndarray, int]:
    """Zeros for the days without a row, to the last observed day or, past the late days, to the origin."""
    late = (origin_date - days[-1]).days
    if late > LATE_DAYS:
        late = 0
    values = np.zeros((origin_date - days[0]).days + 1 - late)
    for day, cost in zip(days, costs, strict=True):
        values[(day - days[0]).days] = float(cost)
    return values, late


def _build_series_forecast(
    key: SeriesKey, fit: SeriesFit, values: np.ndarray, level: float, pool: ErrorPool
) -> SeriesForecast:
    """Attach the error scale: the series' own, or the usual share of the level while it is young."""
    scale = mean_absolute_error(fit.errors)
    if np.isnan(scale):
        scale = level * max(UNKNOWN_ERROR_SHARE, pool.error_share)
    floor = 0.0 if values.min() >= 0 else -np.inf
    return SeriesForecast(key, fit, tuple(to_money(value) for value in fit.point), scale, floor)


Node = tuple[str, SeriesKey, tuple[SeriesForecast, ...]]


def _build_nodes(series: Sequence[SeriesForecast]) -> list[Node]:
    """Every published line with the series it sums: the series, the features and the total of a currency."""
    nodes: list[Node] = [("feature_driver", one.key, (one,)) for one in series]
    for scope in ("feature", "total"):
        groups: dict[SeriesKey, list[SeriesForecast]] = {}
        for one in series:
            feature = one.key.feature if scope == "feature" else None
            groups.setdefault(SeriesKey(one.key.currency, feature, None), []).append(one)
        nodes += [(scope, key, tuple(members)) for key, members in groups.items()]
    return nodes


def _build_node_rows(
    scope: str, key: SeriesKey, members: tuple[SeriesForecast, ...], days: list[date], pool: ErrorPool
) -> list[dict[str, object]]:
    """Quantiles of the sum of `members` for every day; the p50 is summed in Decimal."""
    middle = [sum((one.p50[step] for one in members), Decimal(0)) for step in range(len(days))]
    own = mean_absolute_error(sum_errors(members))
    scale = float(np.hypot(0.0 if np.isnan(own) else own, low_history_scale(members)))
    floor = 0.0 if all(one.floor == 0 for one in members) else -np.inf
    band = build_band(np.array([float(value) for value in middle]), scale, pool, floor)
    shared = {
        "scope": scope,
        "feature": key.feature,
        "cost_driver": key.cost_driver,
        "zone": key.zone,
        "currency": key.currency,
        "model_name": members[0].fit.model_name if scope == "feature_driver" else BOTTOM_UP,
        "is_low_history": _is_low_history(members),
    }
    rows = []
    for step, day in enumerate(days):
        quantiles = dict(zip(QUANTILE_COLUMNS, (to_money(value) for value in band[step]), strict=True))
        quantiles["p50"] = middle[step]
        rows.append({"target_date": day, **_hold_order(quantiles), **shared})
    return rows


def _is_low_history(members: Sequence[SeriesForecast]) -> bool:
    """Whether young series carry more than `LOW_HISTORY_SHARE` of the forecast money."""
    money = [(abs(sum(one.p50, Decimal(0))), one.fit.is_low_history) for one in members]
    young = sum((amount for amount, is_low in money if is_low), Decimal(0))
    total = sum((amount for amount, _ in money), Decimal(0))
    return young > LOW_HISTORY_SHARE * total or all(is_low for _, is_low in money)


def _hold_order(quantiles: dict[str, Decimal]) -> dict[str, Decimal]:
    """Quantiles in order around the exact p50, which rounding may have moved past its neighbours."""
    middle = quantiles["p50"]
    return {
        name: min(value, middle) if name < "p50" else max(value, middle) for name, value in quantiles.items()
    }
