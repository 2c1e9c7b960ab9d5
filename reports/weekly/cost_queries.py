"""Sums of `marts.cost_daily` for one week: the only place that says what the report's cost measure is.

The measure is effective cost, net of credits, without tax. What belongs here: sums of released rows. What
must not: other marts, any cost that is not such a sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import duckdb

from reports.weekly.records import Change, CurrencyTotal, Day, DayState, Slice, Unconverted, Week

TOP_KEYS = 10
ALL_KEYS = 1000
CHART_FEATURES = 5
HISTORY_DAYS = 28
_KEYS = frozenset({"feature", "endpoint", "user_id", "cost_driver", "residual_reason", "evidence"})
_ZERO = Decimal(0)


@dataclass(frozen=True)
class Comparison:
    """The week's days that hold data; of them those that also held data a week before; those days."""

    this_week: tuple[date, ...]
    same_days: tuple[date, ...]
    last_week: tuple[date, ...]

    @classmethod
    def of(cls, days: tuple[Day, ...], days_before: tuple[Day, ...]) -> Comparison:
        """Return the comparison of a week's days with those of the week before, in both directions."""
        held = _days_with_data(days)
        before = _days_with_data(days_before)
        same = tuple(day for day in held if day - timedelta(days=7) in before)
        return cls(held, same, tuple(day - timedelta(days=7) for day in same))

    @property
    def parameters(self) -> dict[str, list[date]]:
        """The three lists as query parameters."""
        return {
            "this_days": list(self.this_week),
            "same_days": list(self.same_days),
            "last_days": list(self.last_week),
        }


def _days_with_data(days: tuple[Day, ...]) -> tuple[date, ...]:
    return tuple(day.charge_date for day in days if day.state is not DayState.NO_DATA)


def build_costs_table(connection: duckdb.DuckDBPyConnection, start: date, end: date) -> None:
    """Read the days [start, end) of `marts.cost_daily` once, into a temporary table in memory."""
    connection.execute(
        """
        create or replace temp table costs as
        select
            charge_date,
            cost_state,
            nullif(cost_driver, '') as cost_driver,
            nullif(feature, '') as feature,
            nullif(endpoint, '') as endpoint,
            nullif(user_id, '') as user_id,
            nullif(residual_reason, '') as residual_reason,
            nullif(evidence, '') as evidence,
            coalesce(billing_currency, '?') as billing_currency,
            reporting_currency,
            coalesce(lower(charge_category) = 'tax', false) as is_tax,
            effective_cost,
            effective_cost_reporting as cost,
            billed_cost
        from marts.cost_daily
        where charge_date >= $start and charge_date < $end
        """,
        {"start": start, "end": end},
    )


def read_reporting_currency(connection: duckdb.DuckDBPyConnection) -> str | None:
    """Return the currency that `_reporting` amounts are in; None for a release without any cost."""
    row = connection.execute("select max(reporting_currency) from marts.cost_daily").fetchone()
    return row[0] if row else None


def read_days(connection: duckdb.DuckDBPyConnection, week: Week) -> tuple[Day, ...]:
    """Return the week's seven days with their cost and how far each is billed."""
    rows = connection.execute(
        """
        select
            charge_date,
            sum(cost),
            coalesce(sum(cost) filter (cost_state = 'estimated'), 0),
            count(*) filter (cost_state = 'estimated'),
            count(*)
        from costs
        where not is_tax and charge_date >= $start and charge_date < $end
        group by charge_date
        """,
        {"start": week.start, "end": week.end},
    ).fetchall()
    known = {row[0]: row for row in rows}
    return tuple(_build_day(day, known.get(day)) for day in week.days)


def _build_day(day: date, row: tuple | None) -> Day:
    if row is None:
        return Day(day, None, _ZERO, DayState.NO_DATA)
    _, cost, estimated_cost, estimated_rows, rows = row
    if estimated_rows == 0:
        state = DayState.COMPLETE
    else:
        state = DayState.ESTIMATED if estimated_rows == rows else DayState.PARTLY_ESTIMATED
    return Day(day, cost, estimated_cost, state)


def read_known_days(connection: duckdb.DuckDBPyConnection, today: date) -> tuple[date, date] | None:
    """Return the first and last day before `today` with any cost in the release; None without one."""
    first, last = connection.execute(
        "select min(charge_date), max(charge_date) from marts.cost_daily where charge_date < $today",
        {"today": today},
    ).fetchone() or (None, None)
    return None if first is None or last is None else (first, last)


def read_last_data_day(connection: duckdb.DuckDBPyConnection, before: date | None) -> date | None:
    """Return the last day with any cost, in the whole window or before the day given."""
    row = connection.execute(
        "select max(charge_date) from costs where $before is null or charge_date < $before",
        {"before": before},
    ).fetchone()
    return row[0] if row else None


def read_month_to_date(connection: duckdb.DuckDBPyConnection, last_day: date) -> Decimal | None:
    """Return the cost from the first of that day's month to that day; None when nothing is known."""
    row = connection.execute(
        "select sum(cost) from costs where not is_tax and charge_date between $first and $last",
        {"first": last_day.replace(day=1), "last": last_day},
    ).fetchone()
    return row[0] if row else None


def read_total(connection: duckdb.DuckDBPyConnection, compared: Comparison, week: Week) -> Change:
    """Return the week's and the compared days' total, with its daily history."""
    row = connection.execute(
        """
        select
            sum(cost) filter (list_contains($this_days, charge_date)),
            sum(cost) filter (list_contains($same_days, charge_date)),
            sum(cost) filter (list_contains($last_days, charge_date))
        from costs
        where not is_tax
        """,
        compared.parameters,
    ).fetchone() or (None, None, None)
    daily = connection.execute(
        "select charge_date, sum(cost) from costs where not is_tax group by 1"
    ).fetchall()
    return Change("total", None, row[0], row[1], row[2], 0, _build_history(dict(daily), week))


def read_changes(
    connection: duckdb.DuckDBPyConnection, key: str, compared: Comparison, week: Week, top: int = TOP_KEYS
) -> tuple[Change, ...]:
    """Return the dearest values of a key, all others as one row, and cost without a value."""
    if key not in _KEYS:
        raise ValueError(f"Weekly report: {key!r} is no key of the costs table; one of {sorted(_KEYS)} is")
    rows = connection.execute(
        f"""
        with by_key as (
            select
                {key} as key,
                sum(cost) filter (list_contains($this_days, charge_date)) as this_week,
                sum(cost) filter (list_contains($same_days, charge_date)) as same_days,
                sum(cost) filter (list_contains($last_days, charge_date)) as last_week
            from costs
            where not is_tax
            group by 1
        ),
        ranked as (
            select
                *,
                row_number() over (
                    partition by key is null
                    order by coalesce(this_week, 0) desc, coalesce(last_week, 0) desc, key
                ) as position
            from by_key
            where this_week is not null or last_week is not null
        )
        select
            case when key is null then 'none' when position <= $top then 'key' else 'rest' end as kind,
            case when position <= $top then key end as shown_key,
            sum(this_week),
            sum(same_days),
            sum(last_week),
            count(*),
            min(position)
        from ranked
        group by 1, 2
        order by case kind when 'key' then 0 when 'rest' then 1 else 2 end, min(position)
        """,  # noqa: S608 - the key is one of our own column names, checked above
        {**compared.parameters, "top": top},
    ).fetchall()
    shown = [row[1] for row in rows if row[1] is not None]
    histories = _read_histories(connection, key, shown, week)
    return tuple(
        Change(kind, name, week_cost, same_days, before, count, histories.get(name, ()) if name else ())
        for kind, name, week_cost, same_days, before, count, _ in rows
    )


def _read_histories(
    connection: duckdb.DuckDBPyConnection, key: str, shown: list[str], week: Week
) -> dict[str, tuple[Decimal | None, ...]]:
    rows = connection.execute(
        f"""
        select {key}, charge_date, sum(cost)
        from costs
        where not is_tax and list_contains($shown, {key})
        group by 1, 2
        """,  # noqa: S608 - the key is one of our own column names, checked by the caller
        {"shown": shown or [""]},
    ).fetchall()
    by_key: dict[str, dict[date, Decimal | None]] = {}
    for name, day, cost in rows:
        by_key.setdefault(name, {})[day] = cost
    return {name: _build_history(daily, week) for name, daily in by_key.items()}


def _build_history(daily: dict[date, Decimal | None], week: Week) -> tuple[Decimal | None, ...]:
    first = week.end - timedelta(days=HISTORY_DAYS)
    return tuple(daily.get(first + timedelta(days=offset)) for offset in range(HISTORY_DAYS))


def read_slices(
    connection: duckdb.DuckDBPyConnection, shown: tuple[str, ...], start: date
) -> tuple[Slice, ...]:
    """Return the daily chart: the features shown, all others together, and cost without a feature."""
    rows = connection.execute(
        """
        select
            charge_date,
            case
                when feature is null then 'none'
                when list_contains($shown, feature) then 'key'
                else 'rest'
            end as kind,
            case when list_contains($shown, feature) then feature end as shown_feature,
            cost_state = 'estimated' as is_estimated,
            sum(cost) as cost
        from costs
        where not is_tax and cost is not null and charge_date >= $start
        group by 1, 2, 3, 4
        order by 1, 2, 3 nulls last, 4
        """,
        {"shown": list(shown) or [""], "start": start},
    ).fetchall()
    return tuple(
        Slice(day, kind, feature, bool(estimated), cost) for day, kind, feature, estimated, cost in rows
    )


def read_currency_totals(connection: duckdb.DuckDBPyConnection, week: Week) -> tuple[CurrencyTotal, ...]:
    """Return the week per billing currency, split into attributed cost and named residuals."""
    rows = connection.execute(
        """
        select
            billing_currency,
            count(*),
            coalesce(sum(effective_cost) filter (not is_tax and residual_reason is null), 0),
            coalesce(sum(effective_cost) filter (not is_tax and residual_reason is not null), 0),
            coalesce(sum(effective_cost) filter (not is_tax), 0),
            coalesce(sum(effective_cost) filter (not is_tax and cost_state = 'estimated'), 0),
            coalesce(sum(effective_cost) filter (is_tax), 0),
            sum(billed_cost),
            sum(effective_cost) filter (not is_tax and cost is null),
            count(*) filter (effective_cost is null)
        from costs
        where charge_date >= $start and charge_date < $end
        group by billing_currency
        order by billing_currency
        """,
        {"start": week.start, "end": week.end},
    ).fetchall()
    return tuple(CurrencyTotal(*row) for row in rows)


def read_unconverted(connection: duckdb.DuckDBPyConnection, compared: Comparison) -> tuple[Unconverted, ...]:
    """Return cost without a rate to the reporting currency, each currency on its own."""
    rows = connection.execute(
        """
        select
            billing_currency,
            sum(effective_cost) filter (list_contains($this_days, charge_date)) as this_week,
            sum(effective_cost) filter (list_contains($last_days, charge_date)) as last_week
        from costs
        where not is_tax and cost is null and effective_cost is not null
        group by billing_currency
        having this_week is not null or last_week is not null
        order by billing_currency
        """,
        {"this_days": list(compared.this_week), "last_days": list(compared.last_week)},
    ).fetchall()
    return tuple(Unconverted(*row) for row in rows)
