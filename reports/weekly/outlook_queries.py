"""Budgets and the forecast of one week's report, as released in their marts.

What belongs here: choosing rows, adding up one forecast's series. What must not: forecasting, other marts.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import duckdb

from reports.weekly.records import Budget, Forecast, ForecastDay

_TOTAL_SCOPES = ("total", "all")
_QUANTILES = ("p05", "p10", "p25", "p50", "p75", "p90", "p95")


def read_budgets(connection: duckdb.DuckDBPyConnection, start: date, end: date) -> tuple[Budget, ...]:
    """Return the budgets whose period touches [start, end), children under their parents."""
    rows = connection.execute(
        """
        select
            budget_id, parent_id, owner, cast(period_start as date), cast(period_end as date), measure,
            cast(budget as decimal(38, 12)), cast(actual as decimal(38, 12)),
            cast(elapsed_share as decimal(18, 12)),
            cast(forecast_p10 as decimal(38, 12)), cast(forecast_p50 as decimal(38, 12)),
            cast(forecast_p90 as decimal(38, 12)), cast(overrun_probability as decimal(18, 12)),
            cast(overrun_date as date), cast(variance as decimal(38, 12)), status, top_driver, currency
        from marts.budget_status
        where period_start < $end and period_end > $start
        order by period_start desc, period_end desc, budget_id
        """,
        {"start": start, "end": end},
    ).fetchall()
    return _order_as_tree([Budget(*row) for row in rows])


def _order_as_tree(budgets: list[Budget]) -> tuple[Budget, ...]:
    """Put each budget under its parent of an overlapping period; without its parent it is top level."""
    placed: list[Budget] = []
    waiting = list(budgets)

    def place(budget: Budget, level: int) -> None:
        waiting.remove(budget)
        placed.append(replace(budget, level=level))
        for child in [b for b in waiting if b.parent_id == budget.budget_id]:
            if (
                child in waiting
                and child.period_start < budget.period_end
                and child.period_end > budget.period_start
            ):
                place(child, level + 1)

    known = {budget.budget_id for budget in budgets}
    for budget in budgets:
        if budget in waiting and (budget.parent_id is None or budget.parent_id not in known):
            place(budget, 0)
    while waiting:
        place(waiting[0], 0)
    return tuple(placed)


def read_forecast(
    connection: duckdb.DuckDBPyConnection, currency: str | None, as_of: datetime
) -> Forecast | None:
    """Return the newest forecast made by `as_of` in the reporting currency and the default measure, or None.

    The scope named total is taken when there is one. Otherwise one scope's series are added up, quantile by
    quantile: that is right only if they move together, so such a band is the widest, and marked.
    """
    chosen = _choose_scope(connection, currency, as_of)
    if chosen is None:
        return None
    scope, made_at, series_count = chosen
    sums = ", ".join(f"sum(cast({quantile} as decimal(38, 12)))" for quantile in _QUANTILES)
    rows = connection.execute(
        f"""
        select
            cast(target_date as date), {sums},
            max(model_name), bool_or(coalesce(is_low_history, false))
        from marts.forecast_daily
        where scope is not distinct from $scope and forecast_made_at = $made_at
            and currency = $currency and measure = 'effective_cost'
        group by 1
        having sum(p50) is not null
        order by 1
        """,  # noqa: S608 - quantile names are our own constants
        {"scope": scope, "made_at": made_at, "currency": currency},
    ).fetchall()
    if not rows:
        return None
    days = tuple(ForecastDay(*row[:8]) for row in rows)
    return Forecast(made_at.date(), rows[0][8], series_count > 1, any(row[9] for row in rows), days)


def _choose_scope(
    connection: duckdb.DuckDBPyConnection, currency: str | None, as_of: datetime
) -> tuple[str | None, datetime, int] | None:
    rows = connection.execute(
        """
        with made as (
            select scope, max(forecast_made_at) as made_at
            from marts.forecast_daily
            where currency = $currency and measure = 'effective_cost'
                and cast(forecast_made_at as date) <= $today
            group by scope
        )
        select
            made.scope,
            made.made_at,
            count(distinct concat_ws(
                '|', coalesce(feature, ''), coalesce(cost_driver, ''), coalesce(zone, '')
            )),
            bool_or(feature is not null),
            bool_or(zone is not null)
        from made
        inner join marts.forecast_daily as daily
            on made.scope is not distinct from daily.scope and made.made_at = daily.forecast_made_at
        where daily.currency = $currency and daily.measure = 'effective_cost'
        group by 1, 2
        order by 1
        """,
        {"currency": currency, "today": as_of.date()},
    ).fetchall()
    if not rows:
        return None
    best = min(rows, key=lambda row: (row[0] not in _TOTAL_SCOPES, row[4], not row[3], row[0] or ""))
    return best[0], best[1], best[2]
