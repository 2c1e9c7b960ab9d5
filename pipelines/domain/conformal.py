"""Prediction bands from the errors that a set of series made at past origins (pooled split-conformal).

Here: the pool, its growth with the horizon, and the quantiles of one series or sum of series.
Not here: models, tables, money types. Method: facts of this project measured that an 80 % band from few own
errors covers 0.49 to 0.77, and from errors pooled over series, each scaled by its own mean absolute error,
0.77 to 0.82.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SEASON_DAYS = 7
QUANTILES = (0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95)
# Errors at past origins flatter a model that was chosen by them; the factor was measured by walking forward
# over real series (tests/unit/test_forecast.py prints the coverage it leads to).
INFLATION = 1.25
# Mean absolute error relative to the level that is assumed of a series too young to have made errors.
UNKNOWN_ERROR_SHARE = 0.5


@dataclass(frozen=True)
class ErrorPool:
    """What the pooled errors say: quantiles of errors scaled to mean absolute error one, and growth by
    week."""

    deviations: np.ndarray
    growth_by_week: np.ndarray
    error_share: float

    def growth(self, days_ahead: int) -> np.ndarray:
        """Growth of the error for the days 1 … `days_ahead`; past the last observed week as a square root."""
        week = np.arange(days_ahead) // SEASON_DAYS
        known = len(self.growth_by_week)
        beyond = np.sqrt(np.maximum(week + 1, known) / known)
        return self.growth_by_week[np.minimum(week, known - 1)] * beyond


def mean_absolute_error(errors: np.ndarray) -> float:
    """Mean absolute error of the first four weeks after the origins; NaN when there is none."""
    observed = np.abs(errors[:, : 4 * SEASON_DAYS])
    observed = observed[~np.isnan(observed)]
    return float(observed.mean()) if len(observed) else float("nan")


def build_error_pool(errors: Sequence[np.ndarray], levels: Sequence[float]) -> ErrorPool:
    """Pool error matrices (origins x days after the origin) of many series, each scaled by its own error.

    `levels` are the mean absolute values of the series, used to learn the usual error relative to a level.
    Without any error the pool falls back to a normal shape and a stated wide error.
    """
    scales = [mean_absolute_error(matrix) for matrix in errors]
    usable = [
        (matrix / scale, scale / level)
        for matrix, scale, level in zip(errors, scales, levels, strict=True)
        if scale > 0 and level > 0
    ]
    if not usable:
        return ErrorPool(_NORMAL_DEVIATIONS, np.ones(1), UNKNOWN_ERROR_SHARE)
    stacked = np.vstack([matrix for matrix, _ in usable])
    growth = _growth_by_week(stacked)
    repeated = np.repeat(growth, SEASON_DAYS)
    shape = stacked[:, : len(repeated)] / repeated
    deviations = np.quantile(shape[~np.isnan(shape)], QUANTILES, method="linear")
    share = float(np.median([relative for _, relative in usable]))
    return ErrorPool(deviations, growth, max(share, 0.01))


def build_band(point: np.ndarray, scale: float, pool: ErrorPool, floor: float) -> np.ndarray:
    """Quantiles (days x `QUANTILES`) around a point forecast, monotone, p50 equal to the point forecast."""
    width = scale * INFLATION * pool.growth(len(point))
    band = point[:, None] + width[:, None] * pool.deviations[None, :]
    middle = QUANTILES.index(0.50)
    band[:, middle] = point
    band[:, :middle] = np.minimum(band[:, :middle], point[:, None])
    band[:, middle + 1 :] = np.maximum(band[:, middle + 1 :], point[:, None])
    return np.maximum(band, floor)


# Standard normal quantiles divided by its mean absolute value sqrt(2 / pi).
_NORMAL_DEVIATIONS = np.array([-1.644854, -1.281552, -0.674490, 0.0, 0.674490, 1.281552, 1.644854]) * np.sqrt(
    np.pi / 2
)


def _growth_by_week(stacked: np.ndarray) -> np.ndarray:
    """Mean absolute scaled error by week after the origin, never falling, for the weeks observed."""
    growth = []
    for start in range(0, stacked.shape[1], SEASON_DAYS):
        week = np.abs(stacked[:, start : start + SEASON_DAYS])
        week = week[~np.isnan(week)]
        if not len(week):
            break
        growth.append(max(float(week.mean()), growth[-1] if growth else 1e-9))
    return np.array(growth)
