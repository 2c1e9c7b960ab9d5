"""Point models of one daily series and their rolling-origin errors, on plain float arrays.

Here: the candidate models and the choice between them. Not here: money types, tables, intervals, totals.
A candidate has to beat the seasonal naive model on the series' own past before it is used.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

SEASON_DAYS = 7
MINIMUM_HISTORY_DAYS = 21
MINIMUM_TRAINING_DAYS = 14
MAXIMUM_TRAINING_DAYS = 365
# Weeks before the origin at which every model is refitted and judged; nine weeks cover a horizon of 62 days.
ORIGIN_WEEKS = (1, 2, 3, 4, 6, 9)
ERROR_DAYS = SEASON_DAYS * max(ORIGIN_WEEKS)

THETA = "dynamic_optimized_theta_7"
SEASONAL_NAIVE = "seasonal_naive_7"
RECENT_MEAN = "mean_28"
PLAIN_MEAN = "plain_mean"


@dataclass(frozen=True)
class SeriesFit:
    """The chosen model of one series: its forecast and the errors it made in the past.

    `errors` has one row an entry of `ORIGIN_WEEKS` and one column a day after that origin
    (actual minus forecast, NaN where nothing was observed or the series was too young).
    """

    model_name: str
    point: np.ndarray
    errors: np.ndarray
    is_low_history: bool


def predict_seasonal_naive(values: np.ndarray, horizon_days: int) -> np.ndarray:
    """Repeat the last seven days."""
    return np.resize(values[-SEASON_DAYS:], horizon_days)


def predict_recent_mean(values: np.ndarray, horizon_days: int) -> np.ndarray:
    """The mean of the last four weeks, as good as anything on sparse series."""
    return np.full(horizon_days, values[-4 * SEASON_DAYS :].mean())


def predict_theta(values: np.ndarray, horizon_days: int) -> np.ndarray:
    """Dynamic optimised theta with a weekly season, fitted on values scaled to a level near one.

    The optimiser has absolute bounds, so scaling makes the forecast independent of the currency's unit.
    A constant series is returned as it is. Importing statsforecast takes seconds, therefore here.
    """
    scale = np.abs(values).mean()
    if scale == 0 or np.ptp(values) <= 1e-9 * scale:
        return np.full(horizon_days, values[-1])
    from statsforecast.models import DynamicOptimizedTheta

    model = DynamicOptimizedTheta(season_length=SEASON_DAYS)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        point = model.forecast(y=values[-MAXIMUM_TRAINING_DAYS:] / scale, h=horizon_days)["mean"]
    if not np.isfinite(point).all():
        return predict_seasonal_naive(values, horizon_days)
    return np.asarray(point, dtype=np.float64) * scale


Predictor = Callable[[np.ndarray, int], np.ndarray]
CANDIDATES: Mapping[str, Predictor] = {
    SEASONAL_NAIVE: predict_seasonal_naive,
    THETA: predict_theta,
    RECENT_MEAN: predict_recent_mean,
}


def fit_series(values: np.ndarray, days_missing_at_end: int, horizon_days: int) -> SeriesFit:
    """Choose, by the errors at several past origins, the model of one series and forecast with it.

    `values` runs without gaps from the first observed day to the last one, which lies
    `days_missing_at_end` days before the origin (bills arrive late). The forecast covers the
    `horizon_days` after the origin. With fewer than 21 days the plain mean is all that can be said.
    """
    floor = 0.0 if values.min() >= 0 else -np.inf
    if len(values) < MINIMUM_HISTORY_DAYS:
        point = np.full(horizon_days, values.mean())
        return SeriesFit(PLAIN_MEAN, point, np.full((len(ORIGIN_WEEKS), ERROR_DAYS), np.nan), True)
    errors = {
        name: _rolling_origin_errors(values, days_missing_at_end, predict, floor)
        for name, predict in CANDIDATES.items()
    }
    name = _choose(errors)
    steps = days_missing_at_end + horizon_days
    point = np.maximum(CANDIDATES[name](values, steps)[days_missing_at_end:], floor)
    return SeriesFit(name, point, errors[name], False)


def _choose(errors: Mapping[str, np.ndarray]) -> str:
    """The seasonal naive model stays unless another one has a strictly smaller mean absolute error."""
    best = SEASONAL_NAIVE
    for name, matrix in errors.items():
        if np.nansum(np.abs(matrix)) < np.nansum(np.abs(errors[best])):
            best = name
    return best


def _rolling_origin_errors(
    values: np.ndarray, days_missing_at_end: int, predict: Predictor, floor: float
) -> np.ndarray:
    """Actual minus forecast, refitted at every past origin; see `SeriesFit.errors` for the shape."""
    matrix = np.full((len(ORIGIN_WEEKS), ERROR_DAYS), np.nan)
    for row, weeks in enumerate(ORIGIN_WEEKS):
        cut = len(values) + days_missing_at_end - SEASON_DAYS * weeks
        if cut < MINIMUM_TRAINING_DAYS:
            continue
        actual = values[cut:]
        forecast = np.maximum(predict(values[:cut], len(actual)), floor)
        matrix[row, : len(actual)] = actual - forecast
    return matrix
