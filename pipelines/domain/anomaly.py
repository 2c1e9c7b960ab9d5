"""Unusual days in daily series: which day, how much money, since when.

Here: the detector on one daily series and the episodes it leads to. Not here: the cause (`anomaly_cause`),
the events of a run and their history (`anomaly_events`), any I/O or clock. Floats only judge; money stays
Decimal.

A day is judged by its distance from the same weekday's usual place around the recent level, in logarithms,
in units of the usual distance (median absolute deviation). Partial days are a lower bound: they may alert
upward, never downward. Added: a rule for small steps, one for slow drift, a memory for monthly fees.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np

SEASON_DAYS = 7
LEVEL_DAYS = 7
MEMORY_DAYS = 8 * SEASON_DAYS
MINIMUM_HISTORY_DAYS = 4 * SEASON_DAYS
MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True)
class AnomalySettings:
    """Thresholds of one scope. Money floors are in the series' own currency or unit."""

    robust_z: float = 5.0
    three_day_z: float = 4.0
    minimum_impact: float = 5.0
    minimum_change_share: float = 0.20
    settled_share: float = 0.90
    scale_floor: float = 0.03
    drift_z: float = 3.0
    drift_quiet_days: int = 28
    judged_days: int = 35
    episode_gap_days: int = 2
    quiet_dates: AbstractSet[date] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Alert:
    """One unusual day: what was expected, which rule saw it (`z`, `three_day_mean` or `drift`)."""

    day: date
    expected: float
    actual: float
    rule: str
    is_partial: bool

    @property
    def direction(self) -> int:
        """1 above what was expected, -1 below."""
        return 1 if self.actual >= self.expected else -1


@dataclass(frozen=True)
class Episode:
    """Consecutive alerts in one direction, told once. `ended` is None while it is open."""

    alerts: tuple[Alert, ...]
    ended: date | None

    @property
    def started(self) -> date:
        """The first unusual day."""
        return self.alerts[0].day


def find_episodes(
    start: date,
    values: np.ndarray,
    completeness: np.ndarray,
    settings: AnomalySettings,
    days_after: int = 0,
) -> list[Episode]:
    """Episodes that touch the last `settings.judged_days` days of a gapless daily series from `start`.

    `completeness` is the share of each day that has arrived, 0…1; a day at or above `settled_share` is
    judged in both directions, scaled up to a whole day. At least four weeks of settled history come before
    a judgement. `days_after` settled days without any cost follow the series: they end a rise, and are not judged.
    """
    series = _Series(start, np.asarray(values, float), np.asarray(completeness, float), settings, days_after)
    alerts: dict[int, Alert] = {}
    for index in range(
        max(MINIMUM_HISTORY_DAYS, len(series.values) - settings.judged_days), len(series.values)
    ):
        for position, alert in _judge_day(series, index, settings).items():
            alerts.setdefault(position, alert)
    episodes = _group(series, [alerts[position] for position in sorted(alerts)], settings)
    return _add_drift(series, episodes, settings)


class _Series:
    """A series with its logarithms, weekday levels and the distances of past days, computed once."""

    def __init__(
        self,
        start: date,
        values: np.ndarray,
        completeness: np.ndarray,
        settings: AnomalySettings,
        days_after: int,
    ) -> None:
        self.start = start
        self.days_after = max(days_after, 0)
        self.values = values
        self.is_settled = completeness >= settings.settled_share
        self.whole = np.where(self.is_settled, values / np.maximum(completeness, 1e-9), values)
        usual = np.median(np.abs(self.whole[-MEMORY_DAYS - settings.judged_days :])) if len(values) else 0.0
        self.log_floor = max(0.01 * usual, 0.01)
        self.logs = np.log(np.maximum(self.whole, self.log_floor))
        self.levels = self._recent_levels()
        self.residuals = np.where(self.is_settled, self.logs - self.levels, np.nan)

    def _recent_levels(self) -> np.ndarray:
        """Median logarithm of the settled days among the seven before each day."""
        padded = np.concatenate([np.full(LEVEL_DAYS, np.nan), np.where(self.is_settled, self.logs, np.nan)])
        windows = np.lib.stride_tricks.sliding_window_view(padded, LEVEL_DAYS)[: len(self.logs)]
        counts = np.count_nonzero(~np.isnan(windows), axis=1)
        levels = np.full(len(self.logs), np.nan)
        if (counts >= 4).any():
            levels[counts >= 4] = np.nanmedian(windows[counts >= 4], axis=1)
        return levels

    def day(self, index: int) -> date:
        """Date of a position."""
        return self.start + timedelta(days=index)


@dataclass(frozen=True)
class _Usual:
    """The habits of eight weeks: distance from the recent level by position in the week, and their spread."""

    weekday_distance: np.ndarray
    scale: float


def _learn_usual(series: _Series, last: int, settings: AnomalySettings) -> _Usual | None:
    """Habits of the eight weeks before position `last`; None with fewer than two settled weeks."""
    first = max(0, last - MEMORY_DAYS)
    residuals = series.residuals[first:last]
    known = ~np.isnan(residuals)
    if np.count_nonzero(known) < 2 * SEASON_DAYS:
        return None
    weekdays = np.arange(first, last) % SEASON_DAYS
    medians = np.zeros(SEASON_DAYS)
    for weekday in range(SEASON_DAYS):
        own = np.sort(residuals[known & (weekdays == weekday)])
        medians[weekday] = (own[(len(own) - 1) // 2] + own[len(own) // 2]) / 2 if len(own) >= 2 else 0.0
    distances = (residuals - medians[weekdays])[known]
    scale = MAD_TO_SIGMA * float(np.median(np.abs(distances - np.median(distances))))
    weeks = len(distances) / SEASON_DAYS
    scale *= np.sqrt((weeks + 1) / (weeks - 1))  # the medians were learned from the same few weeks
    return _Usual(medians, max(scale, settings.scale_floor))


def _judge_day(series: _Series, index: int, settings: AnomalySettings) -> dict[int, Alert]:
    """Alerts that become visible on one day, by position: the day itself or, for a small step, three days."""
    usual, level = _learn_usual(series, index, settings), series.levels[index]
    if usual is None or np.isnan(level):
        return {}
    is_settled = bool(series.is_settled[index])
    expected_log = level + usual.weekday_distance[index % SEASON_DAYS]
    jump = float(series.logs[index] - expected_log)
    expected, actual = float(np.exp(expected_log)), float(series.whole[index])
    if jump < 0 and (not is_settled or series.day(index) in settings.quiet_dates):
        return {}
    if abs(jump) > settings.robust_z * usual.scale and _is_material(expected, actual, settings):
        if _is_monthly(series, index, jump, usual):
            return {}
        return {index: Alert(series.day(index), expected, actual, "z", not is_settled)}
    return _judge_three_days(series, index, settings) if is_settled else {}


def _judge_three_days(series: _Series, index: int, settings: AnomalySettings) -> dict[int, Alert]:
    """The last three settled days together, against the level before them: sees a step of a third."""
    days = np.arange(index - 2, index + 1)
    first = int(days[0])
    usual, level = _learn_usual(series, first, settings), series.levels[first]
    if usual is None or np.isnan(level) or not series.is_settled[days].all():
        return {}
    expected_logs = level + usual.weekday_distance[days % SEASON_DAYS]
    jumps = series.logs[days] - expected_logs
    expected, actual = np.exp(expected_logs), series.whole[days]
    is_one_sided = bool((jumps > usual.scale).all() or (jumps < -usual.scale).all())
    if not is_one_sided or abs(jumps.mean()) * np.sqrt(3) <= settings.three_day_z * usual.scale:
        return {}
    if not _is_material(float(expected.mean()), float(actual.mean()), settings):
        return {}
    is_quiet = jumps[0] < 0 and any(series.day(int(day)) in settings.quiet_dates for day in days)
    if is_quiet or any(
        _is_monthly(series, int(day), jump, usual) for day, jump in zip(days, jumps, strict=True)
    ):
        return {}
    return {
        int(day): Alert(
            series.day(int(day)), float(expected[row]), float(actual[row]), "three_day_mean", False
        )
        for row, day in enumerate(days)
    }


def _is_material(expected: float, actual: float, settings: AnomalySettings) -> bool:
    """Above both floors: money and share of what was expected."""
    change = abs(actual - expected)
    return change >= settings.minimum_impact and change >= settings.minimum_change_share * abs(expected)


def _is_monthly(series: _Series, index: int, jump: float, usual: _Usual) -> bool:
    """The same day of month (a weekend may shift it by two days) jumped alike in two earlier months."""
    least = max(0.5 * abs(jump), 3 * usual.scale)
    day, seen = series.day(index), 0
    for months in (1, 2, 3):
        month = day.month - months
        year, month = (day.year, month) if month > 0 else (day.year - 1, month + 12)
        last_day = ((date(year, month, 1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)).day
        position = (date(year, month, min(day.day, last_day)) - series.start).days
        near = np.arange(max(0, position - 2), max(0, min(index, position + 3)))
        past = (series.residuals[near] - usual.weekday_distance[near % SEASON_DAYS]) * np.sign(jump)
        seen += bool((past >= least).any())
    return seen >= 2


def _group(series: _Series, alerts: list[Alert], settings: AnomalySettings) -> list[Episode]:
    """Alerts of one direction with at most `episode_gap_days` quiet days between them are one episode."""
    groups: list[list[Alert]] = []
    for alert in alerts:
        previous = groups[-1][-1] if groups else None
        if (
            previous
            and previous.direction == alert.direction
            and (alert.day - previous.day).days <= settings.episode_gap_days + 1
        ):
            groups[-1].append(alert)
        else:
            groups.append([alert])
    return [_close(series, group, settings) for group in groups]


def _close(series: _Series, alerts: list[Alert], settings: AnomalySettings) -> Episode:
    """An episode ends with its last alert once more than `episode_gap_days` settled days were quiet."""
    last = (alerts[-1].day - series.start).days
    quiet = int(np.count_nonzero(series.is_settled[last + 1 :]))
    if alerts[-1].direction == 1:
        quiet += series.days_after
    return Episode(tuple(alerts), alerts[-1].day if quiet > settings.episode_gap_days else None)


def _add_drift(series: _Series, episodes: list[Episode], settings: AnomalySettings) -> list[Episode]:
    """Slow rises, where no episode upward in the four weeks before explains the higher level already."""
    drift: list[Alert] = []
    first = max(6 * SEASON_DAYS, len(series.values) - settings.judged_days)
    for index in range(first, len(series.values)):
        day = series.day(index)
        explained = any(
            one.alerts[0].direction == 1 and 0 <= (day - one.started).days <= settings.drift_quiet_days
            for one in episodes
        )
        alert = None if explained or not series.is_settled[index] else _judge_drift(series, index, settings)
        if alert:
            drift.append(alert)
    return sorted([*episodes, *_group(series, drift, settings)], key=lambda one: one.started)


def _judge_drift(series: _Series, index: int, settings: AnomalySettings) -> Alert | None:
    """Two rises of trimmed weekly means in a row to at least a fifth above the median of earlier weeks."""
    weeks = min((index + 1) // SEASON_DAYS, 8)
    window = series.whole[index + 1 - weeks * SEASON_DAYS : index + 1].reshape(weeks, SEASON_DAYS)
    settled = series.is_settled[index + 1 - weeks * SEASON_DAYS : index + 1]
    means = np.sort(window, axis=1)[:, 1:-1].mean(axis=1)
    earlier = means[:-2]
    usual = float(np.median(earlier))
    if not settled.all() or usual <= 0 or not means[-1] > means[-2] > means[-3]:
        return None
    spread = MAD_TO_SIGMA * float(np.median(np.abs(earlier - usual))) / usual
    rise = float(np.log(means[-1] / usual))
    expected_day = usual * _weekday_share(window[:-2], SEASON_DAYS - 1)
    change_per_day = float(means[-1]) - usual
    is_large = change_per_day >= settings.minimum_impact and rise >= np.log1p(settings.minimum_change_share)
    if not is_large or rise <= settings.drift_z * max(spread, settings.scale_floor):
        return None
    return Alert(series.day(index), expected_day, expected_day + change_per_day, "drift", False)


def _weekday_share(weeks: np.ndarray, position: int) -> float:
    """The usual value of one position in the week relative to the mean of the week."""
    means = weeks.mean(axis=1)
    usable = means > 0
    return float(np.median(weeks[usable, position] / means[usable])) if usable.any() else 1.0
