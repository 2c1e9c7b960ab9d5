"""The typed records that the weekly report is made of: what was read from released marts, nothing rendered.

What belongs here: frozen dataclasses and plain properties (differences, names of days). What must not:
reading a database, number formats, HTML.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum

_WEEK_NAME = re.compile(r"(\d{4})-W(\d{2})")
_DAY = r"\d{4}-\d{2}-\d{2}"
_PROOF_DAYS = re.compile(rf"On (?:([1-9]\d*) days from ({_DAY}) to ({_DAY})|({_DAY})), ")


class WeeklyReportError(Exception):
    """The report cannot be built: what failed, where, and what to do next."""


@dataclass(frozen=True, order=True)
class Week:
    """An ISO week: Monday (inclusive) to the next Monday (exclusive), in UTC days."""

    start: date

    @classmethod
    def containing(cls, day: date) -> Week:
        """Return the ISO week that holds this day."""
        return cls(day - timedelta(days=day.weekday()))

    @classmethod
    def parse(cls, name: str) -> Week:
        """Return the week called `YYYY-Www`; raises WeeklyReportError when there is no such week."""
        match = _WEEK_NAME.fullmatch(name)
        try:
            if match:
                return cls(date.fromisocalendar(int(match[1]), int(match[2]), 1))
        except ValueError:
            pass
        raise WeeklyReportError(
            f"Weekly report: {name!r} is no ISO week. Write it as YYYY-Www, for example 2026-W47."
        )

    @property
    def end(self) -> date:
        """First day after the week."""
        return self.start + timedelta(days=7)

    @property
    def last_day(self) -> date:
        """The week's Sunday."""
        return self.start + timedelta(days=6)

    @property
    def days(self) -> tuple[date, ...]:
        """The seven days, Monday first."""
        return tuple(self.start + timedelta(days=offset) for offset in range(7))

    @property
    def name(self) -> str:
        """`YYYY-Www`."""
        year, number, _ = self.start.isocalendar()
        return f"{year}-W{number:02d}"


class DayState(StrEnum):
    """How far a day's cost can be trusted."""

    COMPLETE = "complete"
    PARTLY_ESTIMATED = "partly estimated"
    ESTIMATED = "estimated"
    NO_DATA = "no data"


@dataclass(frozen=True)
class Day:
    """One day's effective cost without tax, in the reporting currency; None when nothing is known."""

    charge_date: date
    cost: Decimal | None
    estimated_cost: Decimal
    state: DayState


@dataclass(frozen=True)
class Slice:
    """One day's cost of one chart series; `feature` is None for the rest and for cost without a feature."""

    charge_date: date
    kind: str  # 'key', 'rest' or 'none'
    feature: str | None
    is_estimated: bool
    cost: Decimal


@dataclass(frozen=True)
class Change:
    """One attribution key this week and in the compared days of last week."""

    kind: str  # 'key', 'rest' (all keys below the top, together) or 'none' (no value for this key)
    key: str | None
    this_week: Decimal | None
    same_days: Decimal | None  # of it on the days that last week also holds data for
    last_week: Decimal | None  # on those days, a week before
    key_count: int
    history: tuple[Decimal | None, ...] = ()  # 28 days up to the week's last day

    @property
    def difference(self) -> Decimal | None:
        """This week minus last week on the compared days; a side without rows counts nothing, two are None."""
        if self.same_days is None and self.last_week is None:
            return None
        return (self.same_days or Decimal(0)) - (self.last_week or Decimal(0))


@dataclass(frozen=True)
class CurrencyTotal:
    """The week in one billing currency: attributed + residual = total, exactly; tax stands apart."""

    currency: str
    row_count: int
    attributed: Decimal
    residual: Decimal
    total: Decimal
    estimated: Decimal
    tax: Decimal
    billed: Decimal | None
    unconverted: Decimal | None  # part of total without a rate to the reporting currency; None: all converted
    unpriced_row_count: int  # rows without any effective cost


@dataclass(frozen=True)
class Unconverted:
    """Cost in a currency for which there is no rate: shown apart, added to nothing."""

    currency: str
    this_week: Decimal | None
    last_week: Decimal | None


@dataclass(frozen=True)
class Budget:
    """One budget in one period, as released."""

    budget_id: str
    parent_id: str | None
    owner: str | None
    period_start: date
    period_end: date  # exclusive
    measure: str | None
    budget: Decimal | None
    actual: Decimal | None
    elapsed_share: Decimal | None
    forecast_p10: Decimal | None
    forecast_p50: Decimal | None
    forecast_p90: Decimal | None
    overrun_probability: Decimal | None
    overrun_date: date | None
    variance: Decimal | None  # budget minus expected landing: negative is overrun
    status: str | None
    top_driver: str | None
    currency: str | None
    level: int = 0  # depth under its top-level budget

    @property
    def last_day(self) -> date:
        """The period's last day."""
        return self.period_end - timedelta(days=1)


@dataclass(frozen=True)
class ForecastDay:
    """The forecast of one day's total in the reporting currency, by quantile."""

    target_date: date
    p05: Decimal | None
    p10: Decimal | None
    p25: Decimal | None
    p50: Decimal
    p75: Decimal | None
    p90: Decimal | None
    p95: Decimal | None


@dataclass(frozen=True)
class Forecast:
    """The newest forecast that was known; `is_summed` when its days add up several series' quantiles."""

    made_on: date
    model_name: str | None
    is_summed: bool
    is_low_history: bool
    days: tuple[ForecastDay, ...]


@dataclass(frozen=True)
class Anomaly:
    """One anomaly that was open during the week."""

    anomaly_id: str
    detected_on: date | None
    started_date: date | None
    ended_date: date | None
    scope: str | None  # total, feature or feature_driver
    feature: str | None
    cost_driver: str | None
    metric: str | None
    expected: Decimal | None
    actual: Decimal | None
    impact_cost: Decimal | None
    currency: str | None
    state: str | None
    cause: str | None
    proof: str | None = None

    @property
    def unusual_days(self) -> tuple[int, date, date] | None:
        """How many days were unusual, the first and the last, as the proof begins; None where it does not."""
        match = _PROOF_DAYS.match(self.proof or "")
        if match is None:
            return None
        count, first, last, only = match.groups()
        days = (only, only) if only else (first, last)
        return (int(count or 1), date.fromisoformat(days[0]), date.fromisoformat(days[1]))

    @property
    def impact_per_day(self) -> Decimal | None:
        """The mean excess of its unusual days; None where they are not known."""
        days = self.unusual_days
        return None if days is None or self.impact_cost is None else self.impact_cost / days[0]

    def overlaps(self, other: Anomaly) -> bool:
        """True when both were open on a common day."""
        return (self.started_date or date.min) <= (other.ended_date or date.max) and (
            other.started_date or date.min
        ) <= (self.ended_date or date.max)


@dataclass(frozen=True)
class Trace:
    """One agent cascade: a root action and every call it caused."""

    trace_id: str
    feature: str | None
    endpoint: str | None
    user_id: str | None
    calls: int | None
    attempts: int | None
    depth: int | None
    agents: str | None
    duration_seconds: Decimal | None
    inference_cost: Decimal | None
    egress_cost: Decimal | None
    monitoring_cost: Decimal | None
    total_cost: Decimal | None
    is_loop: bool
    status: str | None


@dataclass(frozen=True)
class TraceSummary:
    """All root actions that started in the week, in one reporting currency."""

    currency: str | None
    trace_count: int
    call_count: int
    loop_count: int
    total_cost: Decimal | None
    loop_cost: Decimal | None


@dataclass(frozen=True)
class ReconciliationCause:
    """Why bill and logs differ, the week's rows of one cause and currency added up."""

    cause: str | None
    currency: str | None
    row_count: int
    billed_cost: Decimal | None
    priced_cost: Decimal | None
    difference_cost: Decimal | None
    is_total: bool = False  # all causes of a currency, every charge counted once


@dataclass(frozen=True)
class SourceState:
    """How fresh one dataset of a source is."""

    source: str
    dataset: str | None
    newest_date: date | None
    state: str | None
    age_hours: Decimal | None
    row_count: int | None
    expected_share: Decimal | None
    is_dated: bool = True  # False: its rows have no days, so `row_count` is all of them


@dataclass(frozen=True)
class SourceFinding:
    """What is wrong with a source, in the words of the run."""

    source: str
    dataset: str | None
    severity: str | None  # fault, warn or info
    finding: str
    message: str | None
    finding_count: int | None


@dataclass(frozen=True)
class WeeklyData:
    """Everything the report shows; costs are effective, without tax, in the reporting currency."""

    week: Week
    business_day: date  # days before it are over
    reporting_currency: str | None
    days: tuple[Day, ...]  # the seven days of the week
    compared_days: tuple[date, ...]  # last week's days that hold data, as do the same weekdays of the week
    slices: tuple[Slice, ...]  # the chart: weeks before, the week, and what is known after it
    last_data_day: date | None  # the newest day with cost that the chart shows
    reference_day: date  # the newest day known in the month that the week ends in
    month_to_date: Decimal | None  # cost of that month up to the reference day
    total: Change
    drivers: tuple[Change, ...]
    features: tuple[Change, ...]
    users: tuple[Change, ...]
    endpoints: tuple[Change, ...]
    residuals: tuple[Change, ...]
    evidence: tuple[Change, ...]
    currencies: tuple[CurrencyTotal, ...]
    unconverted: tuple[Unconverted, ...]
    budgets: tuple[Budget, ...]  # all periods that the chart touches
    forecast: Forecast | None
    anomalies: tuple[Anomaly, ...]
    traces: tuple[Trace, ...]
    trace_summaries: tuple[TraceSummary, ...]
    reconciliation: tuple[ReconciliationCause, ...]
    sources: tuple[SourceState, ...]
    findings: tuple[SourceFinding, ...]
