"""Azure's budgets as rows of `budgets`: one a budget and period, and findings about what does not map.

What belongs here: periods, amounts and filters of budgets. What must not: asking for them, writing rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from connectors.azure_cost_exports.management import read_word
from connectors.common.contract import Severity

if TYPE_CHECKING:
    from azure.mgmt.costmanagement.models import Budget

_MONTHS = {
    "Monthly": 1,
    "Quarterly": 3,
    "Annually": 12,
    "BillingMonth": 1,
    "BillingQuarter": 3,
    "BillingAnnual": 12,
}
_KEPT_KEYS = ("feature", "team", "environment")
_MOST_PERIODS = 600


@dataclass(frozen=True)
class BudgetProblem:
    """What of a budget does not map: kind, words, severity."""

    kind: str
    message: str
    severity: Severity


def build_budget_rows(
    budgets: list[Budget], tag_keys: Mapping[str, tuple[str, ...]], today: date
) -> tuple[list[dict[str, Any]], list[BudgetProblem]]:
    """Return the rows of all budgets until a year ahead, and what could not be taken over.

    Azure holds budgets against actual cost, so the measure is the billed cost.
    """
    rows: list[dict[str, Any]] = []
    problems: list[BudgetProblem] = []
    for budget in budgets:
        found = _read_budget(budget, tag_keys, today)
        if isinstance(found, BudgetProblem):
            problems.append(found)
            continue
        rows += found
        if read_word(budget.time_grain).startswith("Billing"):
            message = f"budget {budget.name!r} counts billing months; it is read as calendar months"
            problems.append(BudgetProblem("budget_period", message, Severity.INFO))
    return rows, problems


def _read_budget(
    budget: Budget, tag_keys: Mapping[str, tuple[str, ...]], today: date
) -> list[dict[str, Any]] | BudgetProblem:
    name = f"budget {budget.name!r}"
    months = _MONTHS.get(read_word(budget.time_grain))
    if read_word(budget.category) != "Cost" or months is None:
        message = f"{name} limits no cost ({read_word(budget.category)}): it is left out"
        return BudgetProblem("budget_not_of_cost", message, Severity.INFO)
    currency = _find_currency(budget)
    if budget.amount is None or currency is None:
        message = f"{name} states no amount or no currency yet: it is left out until Azure has evaluated it"
        return BudgetProblem("budget_without_amount", message, Severity.WARN)
    dimensions = _map_filter(budget, tag_keys)
    if dimensions is None:
        message = (
            f"{name} has a filter that no column of budgets can say (only one value of a configured tag): "
        )
        return BudgetProblem(
            "budget_filter", message + "it is left out; state it in a budget file", Severity.WARN
        )
    base = {
        "budget_id": (budget.id or budget.name or "").lower(),
        "amount": Decimal(str(budget.amount)),
        "currency": currency,
        "measure": "billed_cost",
        **dimensions,
    }
    periods = _list_periods(budget, months, today)
    return [{**base, "period_start": start, "period_end": end} for start, end in periods]


def _find_currency(budget: Budget) -> str | None:
    for spend in (budget.current_spend, budget.forecast_spend):
        if spend is not None and spend.unit:
            return str(spend.unit)
    return None


def _map_filter(budget: Budget, tag_keys: Mapping[str, tuple[str, ...]]) -> dict[str, str] | None:
    """Return the columns that a filter means; None when a part of it has no column."""
    wanted = budget.filter
    if wanted is None:
        return {}
    meant = {tag: key for key in _KEPT_KEYS for tag in tag_keys.get(key, ())}
    found: dict[str, str] = {}
    for part in [wanted, *(wanted.and_property or [])]:
        if part.dimensions is not None:
            return None
        if part.tags is None:
            continue
        key = meant.get(part.tags.name)
        values = list(part.tags.values_property or [])
        if key is None or len(values) != 1 or key in found:
            return None
        found[key] = values[0]
    return found or None


def _list_periods(budget: Budget, months: int, today: date) -> Iterator[tuple[date, date]]:
    """Yield the windows of a budget from its start until its end, or until a year from today."""
    start = _as_date(budget.time_period.start_date)
    horizon = date(today.year + 1, today.month, 1)
    end = min(_as_date(budget.time_period.end_date), horizon) if budget.time_period.end_date else horizon
    for _ in range(_MOST_PERIODS):
        if start >= end:
            return
        following = _add_months(start, months)
        yield start, following
        start = following


def _as_date(moment: datetime) -> date:
    return moment.date()


def _add_months(day: date, months: int) -> date:
    count = day.year * 12 + day.month - 1 + months
    return date(count // 12, count % 12 + 1, 1)
