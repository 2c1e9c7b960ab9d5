"""Anomaly events of a run: episodes of all series with identity, money, cause and a sentence of proof.

Here: from daily tables to events that can be kept in the ledger and told once. Not here: the detector itself
(`anomaly`), the drill (`anomaly_cause`), alert delivery, any I/O or clock.
"""

import hashlib
import json
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np
import polars as pl

from pipelines.domain.anomaly import AnomalySettings, Episode, find_episodes
from pipelines.domain.anomaly_cause import Cause, build_cause, printable

MONEY = pl.Decimal(38, 12)
MONEY_DIGITS = Decimal("0.000000000001")
SERIES_KEYS: tuple[str, ...] = ("scope", "feature", "cost_driver", "metric", "currency")
# The names that a scope's series is about; a null there means cost without that name.
SCOPE_NAMES: dict[str, tuple[str, ...]] = {
    "total": (),
    "feature": ("feature",),
    "feature_driver": ("feature", "cost_driver"),
}
COMPARED_DAYS = 28
# A restated bill may move the first day of an episode; it stays the same event within this many days.
SAME_EVENT_DAYS = 3
ANOMALY_SCHEMA: dict[str, pl.DataType] = {
    "anomaly_id": pl.String(),
    "detected_at": pl.Datetime("us"),
    "started_date": pl.Date(),
    "ended_date": pl.Date(),
    "scope": pl.String(),
    "feature": pl.String(),
    "cost_driver": pl.String(),
    "metric": pl.String(),
    "expected": MONEY,
    "actual": MONEY,
    "impact_cost": MONEY,
    "currency": pl.String(),
    "state": pl.String(),
    "cause": pl.String(),
    "proof": pl.String(),
}
MEASURES = ("cost", "actions", "calls", "tokens")
# A larger change is not told in per cent: against next to nothing the figure says nothing.
MAXIMUM_SHARE = 10
RULE_NAMES = {
    "z": "an unusual day",
    "three_day_mean": "three unusual days together",
    "drift": "a slow rise over weeks",
}


def build_daily_series(leaves: pl.DataFrame, metric: str = "effective_cost") -> pl.DataFrame:
    """The `daily` input of `build_anomaly_events` in the scopes total, feature and feature_driver.

    `leaves`: charge_date, feature, cost_driver, currency, cost (Decimal), completeness (0…1). A sum is only
    as complete as its least complete part, so that a late source never looks like a fall.
    """
    frames = []
    for scope, kept in SCOPE_NAMES.items():
        nulls = [
            pl.lit(None, pl.String).alias(name) for name in ("feature", "cost_driver") if name not in kept
        ]
        summed = leaves.group_by("charge_date", "currency", *kept).agg(
            pl.col("cost").cast(MONEY).sum().alias("value"), pl.col("completeness").min()
        )
        frames.append(
            summed.with_columns(pl.lit(scope).alias("scope"), pl.lit(metric).alias("metric"), *nulls).select(
                "charge_date", *SERIES_KEYS, "value", "completeness"
            )
        )
    return pl.concat(frames).sort(*SERIES_KEYS, "charge_date")


def build_anomaly_events(
    daily: pl.DataFrame,
    detected_at: datetime,
    settings: AnomalySettings | None = None,
    breakdown: pl.DataFrame | None = None,
    previous: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Events of all series, ordered by series and start; columns of `ANOMALY_SCHEMA`, one row an episode.

    `daily`: charge_date, scope, feature, cost_driver, metric, currency, value (Decimal), completeness
    (0…1); one row a series and day, missing days inside a series are zero and settled, and so are those after its
    last row up to the last settled day of all: a rise that no further row follows is over. expected, actual and
    impact_cost (actual minus expected, null when the metric is not a `*_cost`) are sums over the unusual
    days. `breakdown`, for causes: charge_date, feature, cost_driver, currency, cost, optionally actions,
    calls, tokens, and any further String columns, which are drilled. `previous` (the same columns) holds
    the events known so far: a known episode keeps its id and detected_at, an open one that is no longer
    seen comes back as closed. A null in feature or cost_driver means cost without one where the scope is about
    it (`SCOPE_NAMES`), else all of them.
    """
    settings = settings or AnomalySettings()
    rows = []
    settled = daily.filter(pl.col("completeness") >= settings.settled_share)["charge_date"].to_list()
    for series in daily.sort(*SERIES_KEYS, "charge_date").partition_by(*SERIES_KEYS, maintain_order=True):
        key = dict(zip(SERIES_KEYS, series.select(SERIES_KEYS).row(0), strict=True))
        start, values, completeness = _fill_days(series)
        ended = start + timedelta(days=len(values) - 1)
        days_after = (max(settled, default=ended) - ended).days
        for episode in find_episodes(start, values, completeness, settings, days_after):
            cause = _find_cause(breakdown, key, episode)
            rows.append(_build_event(key, episode, cause, detected_at))
    events = pl.DataFrame(rows, schema=ANOMALY_SCHEMA, orient="row")
    return events if previous is None else _carry_over(events, previous)


def _fill_days(series: pl.DataFrame) -> tuple[date, np.ndarray, np.ndarray]:
    """First day, values and completeness without gaps."""
    days = series["charge_date"].to_list()
    length = (days[-1] - days[0]).days + 1
    values, completeness = np.zeros(length), np.ones(length)
    positions = [(day - days[0]).days for day in days]
    if len(set(positions)) < len(positions):
        where = series.select(SERIES_KEYS).row(0)
        raise ValueError(
            f"anomaly input has two rows of one day in the series {where}: sum them by day first"
        )
    values[positions] = series["value"].cast(pl.Float64).to_numpy()
    completeness[positions] = series["completeness"].cast(pl.Float64).fill_null(0.0).to_numpy()
    return days[0], values, completeness


def _build_event(
    key: dict[str, str | None], episode: Episode, cause: Cause | None, detected_at: datetime
) -> dict[str, object]:
    """One event row."""
    expected = _to_money(sum(alert.expected for alert in episode.alerts))
    actual = _to_money(sum(alert.actual for alert in episode.alerts))
    is_cost = str(key["metric"]).endswith("_cost")
    return {
        **key,
        "anomaly_id": build_anomaly_id(key, episode.started),
        "detected_at": detected_at,
        "started_date": episode.started,
        "ended_date": episode.ended,
        "expected": expected,
        "actual": actual,
        "impact_cost": actual - expected if is_cost else None,
        "state": "open" if episode.ended is None else "closed",
        "cause": cause.text if cause else None,
        "proof": _render_proof(key, episode, expected, actual, cause),
    }


def build_anomaly_id(key: dict[str, str | None], started: date) -> str:
    """Stable name of an episode: digest of scope, series and first day."""
    parts = json.dumps([*(key[name] for name in SERIES_KEYS), started.isoformat()], ensure_ascii=True)
    return hashlib.sha256(parts.encode()).hexdigest()[:16]


def _find_cause(breakdown: pl.DataFrame | None, key: dict[str, str | None], episode: Episode) -> Cause | None:
    """Drill the mean day of the episode against the mean day of the four weeks before it."""
    if breakdown is None:
        return None
    chosen = breakdown.filter(pl.col("currency") == key["currency"])
    pinned = _pinned_names(key)
    for name in pinned:
        chosen = chosen.filter(pl.col(name).eq_missing(pl.lit(key[name])))
    measures = [name for name in MEASURES if name in chosen.columns]
    dimensions = [
        name
        for name, kind in chosen.schema.items()
        if kind == pl.String and name != "currency" and name not in pinned
    ]
    days = [alert.day for alert in episode.alerts]
    earlier = (pl.col("charge_date") < episode.started) & (
        pl.col("charge_date") >= episode.started - timedelta(days=COMPARED_DAYS)
    )
    frames = []
    for is_wanted, count in ((earlier, COMPARED_DAYS), (pl.col("charge_date").is_in(days), len(days))):
        mean_day = [(pl.col(name).cast(pl.Float64).sum() / count).alias(name) for name in measures]
        frames.append(chosen.filter(is_wanted).group_by(dimensions or [pl.lit(0).alias("all")]).agg(mean_day))
    return build_cause(frames[0], frames[1], dimensions, key["currency"])


def _pinned_names(key: dict[str, str | None]) -> tuple[str, ...]:
    """The names that a series is about: those of its scope; in a scope unknown here, those that it has."""
    named = tuple(name for name in ("feature", "cost_driver") if key[name] is not None)
    return SCOPE_NAMES.get(str(key["scope"]), named)


def _render_proof(
    key: dict[str, str | None], episode: Episode, expected: Decimal, actual: Decimal, cause: Cause | None
) -> str:
    """A few words with the numbers, safe to put into JSON and, escaped, into a page. The days stand first."""
    days = len(episode.alerts)
    last = episode.alerts[-1]
    span = f"On {last.day}" if days == 1 else f"On {days} days from {episode.started} to {last.day}"
    unit = f" {printable(key['currency'])}" if key["currency"] else ""
    change = float(actual - expected)
    share = (
        f" ({abs(change) / float(expected):.0%})"
        if 0 < abs(change) <= float(expected) * MAXIMUM_SHARE
        else ""
    )
    rules = ", ".join(sorted({RULE_NAMES.get(alert.rule, alert.rule) for alert in episode.alerts}))
    return (
        f"{span}, {_render_subject(key)} came to {float(actual):,.2f}{unit}, {abs(change):,.2f}{unit}{share} "
        f"{'more' if change >= 0 else 'less'} than the {float(expected):,.2f}{unit} expected."
        f"{_render_part(cause)}"
        f"{' A day still arriving counts with what is here.' if last.is_partial else ''} Seen by {rules}."
    )


def _render_subject(key: dict[str, str | None]) -> str:
    """What the series is about, such as `cost of chat / inference` or `cost without a feature`."""
    metric = printable(key["metric"]).replace("_", " ")
    metric = "cost" if metric == "effective cost" else metric
    pinned = _pinned_names(key)
    names = " / ".join(printable(key[name]) for name in pinned if key[name] is not None)
    missing = " and ".join(f"a {name.replace('_', ' ')}" for name in pinned if key[name] is None)
    of = f" of {names}" if names else "" if missing else " of everything"
    return f"{metric}{of}{f' without {missing}' if missing else ''}"


def _render_part(cause: Cause | None) -> str:
    """The sentence about the cause."""
    if cause is None:
        return ""
    if cause.dimension is None:
        return f" {cause.text[0].upper()}{cause.text[1:]}."
    share = f"{cause.excess_share:.0%}" if cause.excess_share <= 1.005 else "more than all"
    return f" Largest part: {cause.text}, {share} of the difference."


def _carry_over(events: pl.DataFrame, previous: pl.DataFrame) -> pl.DataFrame:
    """Known episodes keep id and time of detection; open ones that are gone come back closed."""
    known = previous.sort("detected_at", "anomaly_id").rows(named=True)
    taken: set[str] = set()
    rows = []
    for event in events.rows(named=True):
        match = next((one for one in known if one["anomaly_id"] not in taken and _is_same(one, event)), None)
        if match:
            taken.add(match["anomaly_id"])
            event |= {"anomaly_id": match["anomaly_id"], "detected_at": match["detected_at"]}
        rows.append(event)
    for one in known:
        if one["state"] == "open" and one["anomaly_id"] not in taken:
            rows.append({**one, "state": "closed", "ended_date": one["ended_date"] or one["started_date"]})
    table = pl.DataFrame(rows, schema=ANOMALY_SCHEMA, orient="row")
    return table.sort(*SERIES_KEYS, "started_date", "anomaly_id")


def _is_same(known: dict[str, Any], event: dict[str, Any]) -> bool:
    """Same series and direction, starting within `SAME_EVENT_DAYS` of each other."""
    if any(known[name] != event[name] for name in SERIES_KEYS):
        return False
    apart = abs((known["started_date"] - event["started_date"]).days)
    is_up, was_up = event["actual"] >= event["expected"], known["actual"] >= known["expected"]
    return apart <= SAME_EVENT_DAYS and is_up == was_up


def _to_money(value: float) -> Decimal:
    """Half up at 12 digits."""
    return Decimal(repr(float(value))).quantize(MONEY_DIGITS, rounding=ROUND_HALF_UP)
