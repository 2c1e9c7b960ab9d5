"""The four figures at the head of the report, from records already read: pure, without clock or I/O.

What belongs here: choosing and adding released figures. What must not: SQL, number formats, HTML.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from reports.weekly.records import Anomaly, Budget, WeeklyData

_FULL_COVERAGE = Decimal("0.95")
_STALE_FORECAST_DAYS = 21


@dataclass(frozen=True)
class BudgetPosition:
    """All comparable top-level budgets of the week's period against their share of the time elapsed."""

    budget: Decimal
    pro_rata: Decimal
    actual: Decimal
    count: int
    other_count: int  # top-level budgets in another currency or measure: in the table only
    coverage_share: Decimal | None  # of the month's cost; None when the periods are no calendar month

    @property
    def difference(self) -> Decimal:
        """Actual minus budget pro rata: positive is over."""
        return self.actual - self.pro_rata

    @property
    def covers_everything(self) -> bool:
        """True unless it is known that much cost lies outside these budgets."""
        return self.coverage_share is None or self.coverage_share >= _FULL_COVERAGE


@dataclass(frozen=True)
class MonthEnd:
    """What the month will cost: known so far plus forecast, with the 80 % band."""

    last_day: date
    p10: Decimal | None
    p50: Decimal
    p90: Decimal | None
    basis: (
        str  # 'budget': its own forecast; 'days': known cost plus the days' forecasts; 'known': month is over
    )
    is_complete: bool  # False when the forecast does not reach the month's end


@dataclass(frozen=True)
class DailyBudget:
    """Budget per day over a period, for the line in the chart."""

    start: date
    end: date
    amount: Decimal


@dataclass(frozen=True)
class Headline:
    """What the cards say."""

    position: BudgetPosition | None
    month_end: MonthEnd | None
    riskiest: Budget | None  # the active top-level budget most likely to be overrun
    daily_budgets: tuple[DailyBudget, ...]
    assumed: AssumedAnomalies | None  # what the forecast takes for the new normal


@dataclass(frozen=True)
class AssumedAnomalies:
    """Open anomalies that the forecast was made with; `per_day` None where it is not known what they add."""

    count: int
    per_day: Decimal | None


def build_headline(data: WeeklyData) -> Headline:
    """Build the head figures of a week; parts that the marts say nothing about are None."""
    reference = data.reference_day
    active = [b for b in data.budgets if b.period_start <= reference < b.period_end]
    position = _build_position(data, active, reference)
    risky = [b for b in active if b.overrun_probability is not None]
    risky = [b for b in risky if b.level == 0] or risky
    return Headline(
        position=position,
        month_end=_build_month_end(data, active, reference),
        riskiest=min(risky, key=lambda b: (-(b.overrun_probability or 0), b.budget_id), default=None),
        daily_budgets=_build_daily_budgets(data) if position and position.covers_everything else (),
        assumed=_build_assumed(data),
    )


def _build_assumed(data: WeeklyData) -> AssumedAnomalies | None:
    """Open anomalies of cost that began before the forecast was made, each told in one view only."""
    made_on = data.forecast.made_on if data.forecast else None
    found = [
        one
        for one in distinct_anomalies(data.anomalies)
        if one.state == "open"
        and one.metric == "effective_cost"
        and one.currency == data.reporting_currency
        and made_on is not None
        and (one.started_date or date.max) <= made_on
    ]
    found = [one for one in found if one.scope != "total"] or found
    if not found:
        return None
    per_day = [one.impact_per_day for one in found if one.impact_per_day is not None]
    return AssumedAnomalies(len(found), sum(per_day, Decimal(0)) if len(per_day) == len(found) else None)


def distinct_anomalies(anomalies: Sequence[Anomaly]) -> tuple[Anomaly, ...]:
    """Leave out the coarser and finer views of an anomaly that its feature already shows."""
    features = [anomaly for anomaly in anomalies if anomaly.scope == "feature"]

    def is_a_view(anomaly: Anomaly) -> bool:
        return anomaly.scope in ("total", "feature_driver") and any(
            other.overlaps(anomaly) and (anomaly.scope == "total" or other.feature == anomaly.feature)
            for other in features
            if other.metric == anomaly.metric and other.currency == anomaly.currency
        )

    return tuple(anomaly for anomaly in anomalies if not is_a_view(anomaly))


def fan_days(data: WeeklyData) -> tuple:
    """Return the forecast days that follow the known ones; none when the forecast belongs to another time."""
    if data.forecast is None or data.last_data_day is None:
        return ()
    last = data.last_data_day
    days = tuple(day for day in data.forecast.days if day.target_date > last)
    is_stale = not days or days[0].target_date > data.week.end + timedelta(days=_STALE_FORECAST_DAYS)
    horizon = data.week.end + timedelta(days=45)
    return () if is_stale else tuple(day for day in days if day.target_date < horizon)


def _is_comparable(budget: Budget, data: WeeklyData) -> bool:
    return (
        budget.level == 0
        and budget.currency == data.reporting_currency
        and budget.measure in (None, "effective_cost")
        and None not in (budget.budget, budget.actual, budget.elapsed_share)
    )


def _month_of(day: date) -> tuple[date, date]:
    first = day.replace(day=1)
    return first, first + timedelta(days=monthrange(day.year, day.month)[1])


def _build_position(data: WeeklyData, active: list[Budget], reference: date) -> BudgetPosition | None:
    comparable = [b for b in active if _is_comparable(b, data)]
    if not comparable:
        return None
    actual = sum((b.actual or Decimal(0) for b in comparable), Decimal(0))
    is_monthly = {(b.period_start, b.period_end) for b in comparable} == {_month_of(reference)}
    coverage = actual / data.month_to_date if is_monthly and data.month_to_date else None
    return BudgetPosition(
        budget=sum((b.budget or Decimal(0) for b in comparable), Decimal(0)),
        pro_rata=sum(
            ((b.budget or Decimal(0)) * (b.elapsed_share or Decimal(0)) for b in comparable), Decimal(0)
        ),
        actual=actual,
        count=len(comparable),
        other_count=sum(1 for b in active if b.level == 0) - len(comparable),
        coverage_share=coverage,
    )


def _build_month_end(data: WeeklyData, active: list[Budget], reference: date) -> MonthEnd | None:
    first, end = _month_of(reference)
    last_day = end - timedelta(days=1)
    whole = [
        b
        for b in active
        if _is_comparable(b, data)
        and (b.period_start, b.period_end) == (first, end)
        and b.actual == data.month_to_date
    ]
    if len(whole) == 1 and whole[0].forecast_p50 is not None:
        return MonthEnd(
            last_day, whole[0].forecast_p10, whole[0].forecast_p50, whole[0].forecast_p90, "budget", True
        )
    if data.month_to_date is not None and reference == last_day:
        return MonthEnd(last_day, None, data.month_to_date, None, "known", True)
    if data.month_to_date is None or data.forecast is None:
        return None
    coming = [day for day in data.forecast.days if reference < day.target_date < end]
    if not coming:
        return None
    is_complete = len(coming) == (last_day - reference).days
    low = [day.p10 for day in coming if day.p10 is not None]
    high = [day.p90 for day in coming if day.p90 is not None]
    has_band = len(low) == len(high) == len(coming)
    return MonthEnd(
        last_day=last_day,
        p10=sum(low, data.month_to_date) if has_band else None,
        p50=sum((day.p50 for day in coming), data.month_to_date),
        p90=sum(high, data.month_to_date) if has_band else None,
        basis="days",
        is_complete=is_complete,
    )


def _build_daily_budgets(data: WeeklyData) -> tuple[DailyBudget, ...]:
    totals: dict[tuple[date, date], Decimal] = {}
    for budget in data.budgets:
        if _is_comparable(budget, data) and budget.budget is not None:
            period = (budget.period_start, budget.period_end)
            totals[period] = totals.get(period, Decimal(0)) + budget.budget
    return tuple(
        DailyBudget(*period, amount / (period[1] - period[0]).days)
        for period, amount in sorted(totals.items())
    )
