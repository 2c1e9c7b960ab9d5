"""Point models of one daily series and their rolling-origin errors, on plain float arrays.

Here: the candidate models and the choice between them. Not here: money types, tables, intervals, totals.
The bar is the seasonal naive model. Measured by walking forward over six real series: choosing theta or the
bar by a few past origins is worse than the bar alone (skill -0.02 to 0.01), their mean is better than both
(0.01 to 0.06); the mean is slow after a step of the level, where theta alone is right within two days.
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

# Theta and naive week this far apart (relative to the naive one) mean a step: theta alone follows it.
STEP_SHARE = 0.25
# The bar replaces the challenger when its past error is below this share of the challenger's.
CLEARLY_BETTER_SHARE = 0.9

THETA_NAIVE_MEAN = "theta_naive_mean_7"
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


def predict_theta_naive_mean(values: np.ndarray, horizon_days: int) -> np.ndarray:
    """Mean of theta and the seasonal naive model; theta alone after a step of the level."""
    theta = predict_theta(values, max(horizon_days, SEASON_DAYS))
    naive = predict_seasonal_naive(values, max(horizon_days, SEASON_DAYS))
    theta_week, naive_week = theta[:SEASON_DAYS].mean(), naive[:SEASON_DAYS].mean()
    is_step = abs(theta_week - naive_week) > STEP_SHARE * abs(naive_week)
    return (theta if is_step else (theta + naive) / 2)[:horizon_days]


Predictor = Callable[[np.ndarray, int], np.ndarray]
PREDICTORS: Mapping[str, Predictor] = {
    SEASONAL_NAIVE: predict_seasonal_naive,
    THETA_NAIVE_MEAN: predict_theta_naive_mean,
    RECENT_MEAN: predict_recent_mean,
}


def fit_series(values: np.ndarray, days_missing_at_end: int, horizon_days: int) -> SeriesFit:
    """Choose, by the errors at several past origins, the model of one series and forecast with it.

    The challenger of the bar is the mean of theta and naive, or the recent mean where most days are zero.
    `values` runs without gaps from the first observed day to the last one, which lies
    `days_missing_at_end` days before the origin (bills arrive late). The forecast covers the
    `horizon_days` after the origin. With fewer than 21 days the plain mean is all that can be said.
    """
    floor = 0.0 if values.min() >= 0 else -np.inf
    if len(values) < MINIMUM_HISTORY_DAYS:
        point = np.full(horizon_days, values.mean())
        return SeriesFit(PLAIN_MEAN, point, np.full((len(ORIGIN_WEEKS), ERROR_DAYS), np.nan), True)
    recent = values[-8 * SEASON_DAYS :]
    challenger = RECENT_MEAN if np.count_nonzero(recent) * 2 < len(recent) else THETA_NAIVE_MEAN
    errors = {
        name: _rolling_origin_errors(values, days_missing_at_end, PREDICTORS[name], floor)
        for name in (challenger, SEASONAL_NAIVE)
    }
    bar, challenged = (np.nansum(np.abs(errors[name])) for name in (SEASONAL_NAIVE, challenger))
    name = SEASONAL_NAIVE if bar < CLEARLY_BETTER_SHARE * challenged else challenger
    steps = days_missing_at_end + horizon_days
    point = np.maximum(PREDICTORS[name](values, steps)[days_missing_at_end:], floor)
    return SeriesFit(name, point, errors[name], False)


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
