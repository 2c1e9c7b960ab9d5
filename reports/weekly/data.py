"""Reads what one weekly report shows from a release: opened read-only, `marts.*` only, typed records out.

What belongs here: opening the release, choosing the week, putting the parts together. What must not: numbers
that are no sum or difference of released rows, number formats, HTML.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb

from reports.weekly import cost_queries, outlook_queries, signal_queries
from reports.weekly.records import Week, WeeklyData, WeeklyReportError

CHART_DAYS_BEFORE = 49  # seven weeks before the week itself
CHART_DAYS_AFTER = 14  # known days after the week that the chart still shows


@dataclass(frozen=True)
class Window:
    """The days that a report reads: whole days only, so none from `today` on; `as_of` is the moment of knowledge."""

    week: Week
    as_of: datetime
    today: date

    @property
    def start(self) -> date:
        """First day read: the chart's first day or the first of the week's month, whichever is earlier."""
        return min(self.chart_start, self.week.start.replace(day=1))

    @property
    def chart_start(self) -> date:
        """First day of the chart."""
        return self.week.start - timedelta(days=CHART_DAYS_BEFORE)

    @property
    def end(self) -> date:
        """First day not read."""
        return min(self.week.end + timedelta(days=CHART_DAYS_AFTER), self.today)


@contextmanager
def open_release(release_db: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a release's catalogue read-only; raises WeeklyReportError when that fails."""
    if not release_db.is_file():
        raise WeeklyReportError(f"Weekly report: no release at {release_db}. Run `everycent nightly` first.")
    try:
        connection = duckdb.connect(str(release_db), read_only=True)
    except duckdb.Error as error:
        raise WeeklyReportError(
            f"Weekly report: cannot open the release {release_db}: {error}. "
            "Publish again with `everycent nightly`."
        ) from error
    try:
        connection.execute("set timezone = 'UTC'")
        yield connection
    finally:
        connection.close()


def choose_week(connection: duckdb.DuckDBPyConnection, today: date) -> Week:
    """Return the newest week that is settled to its Sunday, else the newest with any settled day or any row.

    A day is settled when the bill has said something about it (`provisional` or `final`). Without any cost
    the answer is the last whole week before `today`.
    """
    first_settled, last_settled, last_known = connection.execute(
        """
        select
            min(charge_date) filter (cost_state in ('provisional', 'final')),
            max(charge_date) filter (cost_state in ('provisional', 'final')),
            max(charge_date)
        from marts.cost_daily
        where charge_date < $today
        """,
        {"today": today},
    ).fetchone() or (None, None, None)
    if last_settled is None:
        return Week.containing(last_known or today - timedelta(days=7))
    whole = Week.containing(last_settled - timedelta(days=6))
    return whole if first_settled and first_settled < whole.end else Week.containing(last_settled)


def read_weekly_data(
    release_db: Path, week_name: str | None, as_of: datetime, today: date | None = None
) -> WeeklyData:
    """Read everything one report shows.

    Args: the release's `everycent.duckdb`; the ISO week (`YYYY-Www`) or None for the newest settled one; the
    moment of knowledge (naive UTC); the business day, by default that of `as_of`. Raises WeeklyReportError
    with what to do when the release cannot be read.
    """
    with open_release(release_db) as connection:
        try:
            day = today or as_of.date()
            week = Week.parse(week_name) if week_name else choose_week(connection, day)
            if week_name:
                _check_week(connection, week, day)
            return _read_week(connection, Window(week, as_of, day))
        except duckdb.Error as error:
            raise WeeklyReportError(
                f"Weekly report: the release {release_db} does not answer: {error}. "
                "Its marts may be of another version: publish again with `everycent nightly`."
            ) from error


def _check_week(connection: duckdb.DuckDBPyConnection, week: Week, today: date) -> None:
    """Raise WeeklyReportError for a week before the first or after the last day with cost."""
    known = cost_queries.read_known_days(connection, today)
    if known is None:
        raise WeeklyReportError(
            f"Weekly report: no cost is known for {week.name}, nor for any other day before {today}. "
            "Add sources to the config and run `everycent nightly`."
        )
    first, last = (Week.containing(day) for day in known)
    if not first <= week <= last:
        raise WeeklyReportError(
            f"Weekly report: no cost is known for {week.name} ({week.start} to {week.last_day}). "
            f"There is data from {first.name} to {last.name} ({known[0]} to {known[1]}): name one of these weeks."
        )


def _choose_reference_day(connection: duckdb.DuckDBPyConnection, week: Week) -> date:
    """Return the newest day with cost in the month that the week's known days end in; else its Sunday."""
    last_in_week = cost_queries.read_last_data_day(connection, week.end) or week.last_day
    next_month = (last_in_week.replace(day=1) + timedelta(days=31)).replace(day=1)
    return cost_queries.read_last_data_day(connection, next_month) or last_in_week


def _read_week(connection: duckdb.DuckDBPyConnection, window: Window) -> WeeklyData:
    week = window.week
    cost_queries.build_costs_table(connection, window.start, window.end)
    days = cost_queries.read_days(connection, week)
    days_before = cost_queries.read_days(connection, Week(week.start - timedelta(days=7)))
    compared = cost_queries.Comparison.of(days, days_before)
    features = cost_queries.read_changes(connection, "feature", compared, week)
    shown = tuple(change.key for change in features if change.key is not None)[: cost_queries.CHART_FEATURES]
    reference_day = _choose_reference_day(connection, week)
    currency = cost_queries.read_reporting_currency(connection)
    return WeeklyData(
        week=week,
        business_day=window.today,
        reporting_currency=currency,
        days=days,
        compared_days=compared.last_week,
        slices=cost_queries.read_slices(connection, shown, window.chart_start),
        last_data_day=cost_queries.read_last_data_day(connection, None),
        reference_day=reference_day,
        month_to_date=cost_queries.read_month_to_date(connection, reference_day),
        total=cost_queries.read_total(connection, compared, week),
        drivers=cost_queries.read_changes(
            connection, "cost_driver", compared, week, top=cost_queries.ALL_KEYS
        ),
        features=features,
        users=cost_queries.read_changes(connection, "user_id", compared, week),
        endpoints=cost_queries.read_changes(connection, "endpoint", compared, week),
        residuals=cost_queries.read_changes(
            connection, "residual_reason", compared, week, top=cost_queries.ALL_KEYS
        ),
        evidence=cost_queries.read_changes(connection, "evidence", compared, week, top=cost_queries.ALL_KEYS),
        currencies=cost_queries.read_currency_totals(connection, week),
        unconverted=cost_queries.read_unconverted(connection, compared),
        budgets=outlook_queries.read_budgets(connection, window.chart_start, week.end),
        forecast=outlook_queries.read_forecast(connection, currency, window.as_of),
        anomalies=signal_queries.read_anomalies(connection, week, window.as_of),
        traces=signal_queries.read_dearest_traces(connection, week),
        trace_summaries=signal_queries.read_trace_summaries(connection, week),
        reconciliation=signal_queries.read_reconciliation(connection, week),
        sources=signal_queries.read_sources(connection, week),
        findings=signal_queries.read_findings(connection, week),
    )
