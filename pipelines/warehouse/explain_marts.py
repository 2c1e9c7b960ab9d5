"""Which marts a person may ask about, what their columns mean of the fact, and what their lines add up to.

What belongs here: from a mart's line to the condition that selects its rows of the fact. What must not: reading these
rows (`explain.py`), or whether the levels below them add up (`explain_levels.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import Any

OWNER_COLUMNS = (
    "user_id",
    "tenant",
    "customer",
    "team",
    "feature",
    "endpoint",
    "workflow",
    "agent",
    "agent_step",
)
_FACT_COLUMNS = (
    "charge_date",
    "cost_state",
    "from_zone",
    "to_zone",
    "billing_currency",
    "fx_date",
    "evidence",
    "method_id",
    "residual_reason",
)
_CELL_COLUMNS = (
    "provider",
    "billing_account_id",
    "sub_account_id",
    "region_id",
    "service_name",
    "sku_meter",
    "charge_category",
    "cost_driver",
    "traffic_kind",
    "model",
    "token_class",
    "service_tier",
    "bill_of_record",
)
_COST_COLUMNS: Mapping[str, str] = {
    **{name: f"fact.{name}" for name in _FACT_COLUMNS},
    **{name: f"cells.{name}" for name in _CELL_COLUMNS},
    **{name: f"owners.{name}" for name in (*OWNER_COLUMNS, "environment")},
}
_DATE_COLUMNS = frozenset(
    ("charge_date", "fx_date", "charge_month", "root_date", "period_start", "period_end")
)
NO_TAX = "coalesce(cells.charge_category, '') <> 'Tax'"
_IDLE_ELSEWHERE = """not (coalesce(fact.residual_reason, '') = 'idle_capacity' and (fact.charge_date, fact.cell_id) in (
    select (shares.charge_date, shares.cell_id) from core.idle_shares as shares))"""
_BILLED_USAGE = """fact.cost_state <> 'estimated' and ((cells.cost_driver = 'inference'
    and cells.charge_category = 'Usage') or cells.charge_category in ('Tax', 'Credit', 'Adjustment'))"""


class UnknownLineError(ValueError):
    """What was asked for is no mart, no column of it, or no value that the column can have."""


@dataclass(frozen=True)
class Mart:
    """A mart of cost: its columns as those of the fact, and its measures beside the fact's."""

    name: str
    columns: Mapping[str, str]  # a column that may be asked for, as an expression of fact, cells and owners
    measures: tuple[tuple[str, str], ...]  # an expression of the mart, and the fact's measure that it sums
    scope: str = "true"  # which rows of the fact it has
    currency: str = "reporting_currency"


def _some(*names: str, **more: str) -> dict[str, str]:
    return {**{name: _COST_COLUMNS[name] for name in names}, **more}


_CONFIDENT = """(select min(known.confidence) from marts.cost_daily as known
    where known.method_id = fact.method_id and known.evidence = fact.evidence
    and known.residual_reason is not distinct from fact.residual_reason)"""
_BOTH = (("billed_cost", "billed_cost"), ("effective_cost", "effective_cost"))
_BOTH_REPORTING = tuple((f"{name}_reporting", f"{name}_reporting") for name, _ in _BOTH)
_MONTH = "cast(date_trunc('month', fact.charge_date) as date)"
_MARTS = (
    Mart("cost_daily", {**_COST_COLUMNS, "confidence": _CONFIDENT}, _BOTH, currency="billing_currency"),
    Mart("cost_daily_fully_loaded", _COST_COLUMNS, _BOTH, _IDLE_ELSEWHERE, "billing_currency"),
    Mart(
        "unit_economics_daily",
        _some("charge_date", "feature", "environment"),
        (("total_cost", "effective_cost_reporting"),),
        NO_TAX,
    ),
    Mart(
        "inference_share_monthly",
        _some("provider", "team", "feature", charge_month=_MONTH),
        (("total_cost", "effective_cost_reporting"),),
        NO_TAX,
    ),
    Mart(
        "egress_pairs_daily",
        _some("charge_date", "provider", "traffic_kind", "from_zone", "to_zone"),
        _BOTH_REPORTING,
        f"cells.cost_driver = 'egress' and {NO_TAX}",
    ),
    Mart(
        "monitoring_share_daily",
        _some("charge_date", "provider", "feature"),
        (("monitoring_cost + inference_cost", "effective_cost_reporting"),),
        f"cells.cost_driver in ('monitoring', 'inference') and {NO_TAX}",
    ),
)
COST_DAILY = _MARTS[0]
CACHE_ECONOMICS = Mart(
    "cache_economics_daily",
    _some("charge_date", "provider", "model", "feature"),
    (("", "effective_cost"),),
    "cells.cost_driver = 'inference' and cells.token_class is not null",
    "list_cost_currency",
)
RECONCILIATION = Mart(
    "reconciliation",
    _some(
        "charge_date",
        "provider",
        "billing_account_id",
        "model",
        "token_class",
        currency="fact.billing_currency",
    ),
    (("", "billed_cost"),),
    """exists (select 1 from keys where keys.charge_date = cells.charge_date
        and keys.provider is not distinct from cells.provider
        and keys.billing_account_id is not distinct from cells.billing_account_id
        and keys.model is not distinct from cells.model
        and keys.token_class is not distinct from cells.token_class
        and keys.currency = cells.billing_currency) and """
    + _BILLED_USAGE,
    "currency",
)
BUDGET_STATUS = Mart("budget_status", _COST_COLUMNS, (("actual", "effective_cost"),), currency="currency")
_BY_NAME = {mart.name: mart for mart in (*_MARTS, CACHE_ECONOMICS, RECONCILIATION, BUDGET_STATUS)}
_ASKED_BY: Mapping[str, tuple[str, ...]] = {
    "traces": ("trace_id",),
    "trace_steps": ("trace_id",),
    "reconciliation": (*RECONCILIATION.columns, "cause"),
    "budget_status": ("budget_id", "period_start"),
}
MART_NAMES = tuple(dict.fromkeys((*_BY_NAME, *_ASKED_BY)))


def find_mart(name: str) -> Mart | None:
    """Return the mart whose lines are sums of the fact; None for one that is explained another way."""
    return _BY_NAME.get(name)


def check_words(words: list[str]) -> tuple[str, dict[str, str]]:
    """Return the mart and the conditions that words such as `cost_daily feature=search` mean.

    Without a mart's name it is cost_daily. Raises UnknownLineError with the names that are alike.
    """
    mart = COST_DAILY.name
    if words and "=" not in words[0]:
        mart = words[0].removeprefix("marts.")
        words = words[1:]
    if mart not in MART_NAMES:
        raise UnknownLineError(
            f"explain knows no mart {mart!r}.{_alike(mart, MART_NAMES)} It knows {', '.join(MART_NAMES)}."
        )
    given: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name or not value:
            raise UnknownLineError(
                f"{word!r} is no condition; write COLUMN=VALUE, such as feature=search or team=none."
            )
        given[name] = value
    return mart, given


def check_columns(mart: str, given: Mapping[str, str]) -> dict[str, str]:
    """Return the conditions if the mart has such columns. Raises UnknownLineError with those that are alike."""
    known = _ASKED_BY.get(mart) or tuple(_BY_NAME[mart].columns)
    for name in given:
        if name not in known:
            raise UnknownLineError(
                f"marts.{mart} cannot be asked for by {name!r}.{_alike(name, known)} "
                f"It can by {', '.join(sorted(known))}."
            )
        if given[name] != "none":
            value_of(name, given[name])
    return dict(given)


def value_of(name: str, text: str) -> Any:
    """Return what a condition compares a column with: a day where it is one. Raises UnknownLineError for no day."""
    if name not in _DATE_COLUMNS:
        return text
    try:
        return date.fromisoformat(f"{text}-01" if len(text) == 7 else text)
    except ValueError:
        example = "2026-11" if name == "charge_month" else "2026-11-19"
        raise UnknownLineError(f"{name}={text} names no day; write it as {name}={example}.") from None


def render_conditions(
    columns: Mapping[str, str], given: Mapping[str, str], prefix: str = "value"
) -> tuple[str, dict[str, Any]]:
    """Return SQL with bound parameters for conditions; 'none' asks for rows without a value."""
    conditions, parameters = ["true"], dict[str, Any]()
    for index, (name, text) in enumerate(sorted(given.items())):
        if text == "none":
            conditions.append(f"{columns[name]} is null")
        else:
            conditions.append(f"{columns[name]} = ${prefix}_{index}")
            parameters[f"{prefix}_{index}"] = value_of(name, text)
    return " and ".join(conditions), parameters


def _alike(name: str, known: tuple[str, ...]) -> str:
    alike = get_close_matches(name, known, n=3, cutoff=0.5)
    return f" Did you mean {' or '.join(map(repr, alike))}?" if alike else ""
