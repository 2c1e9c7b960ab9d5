"""From the lines of a mart that were asked for to the rows of the fact that they are made of.

What belongs here: marts whose lines are no plain sum of the fact (budgets, reconciliation, caches), and reading the
lines themselves. What must not: what is below the fact (`explain_levels.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from pipelines.warehouse.errors import PublishError
from pipelines.warehouse.explain_levels import Level, reporting_currency
from pipelines.warehouse.explain_marts import (
    BUDGET_STATUS,
    COST_DAILY,
    NO_TAX,
    RECONCILIATION,
    Mart,
    find_mart,
    render_conditions,
    value_of,
)
from pipelines.warehouse.explain_rows import EMPTY, Part, Row, read_part, read_rows
from pipelines.warehouse.release import MANIFEST_NAME, Release

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Plan:
    """Which rows of the fact a mart's lines are made of, and which lines these are."""

    mart: Mart
    facts: Mapping[str, str]  # conditions on the fact, by the mart's columns
    lines: Mapping[str, str]  # conditions on the mart's own lines
    since: date | None = None
    until: date | None = None  # the day after the last
    levels: tuple[Level, ...] = ()


def build_plan(
    connection: duckdb.DuckDBPyConnection, release: Release, mart: str, given: Mapping[str, str]
) -> Plan:
    """Return how the lines asked for are made of the fact. Raises PublishError where they cannot be told apart."""
    found = find_mart(mart)
    if found is None:
        return Plan(COST_DAILY, {}, {})
    if not _is_released(connection, mart) and mart != COST_DAILY.name:
        raise PublishError(f"The release {release.name} has no marts.{mart}; the next night builds it.")
    if found is BUDGET_STATUS:
        return _plan_of_budget(connection, release, given)
    if found is RECONCILIATION:
        return _plan_of_causes(connection, given)
    return Plan(found, given, given)


def read_lines(connection: duckdb.DuckDBPyConnection, plan: Plan, limit: int) -> Part:
    """Return the lines of a mart as it shows them; those of cost_daily are read from the fact."""
    if plan.mart is COST_DAILY:
        return EMPTY
    columns = {name: f"lines.{name}" for name in plan.lines}
    condition, parameters = render_conditions(columns, plan.lines)
    order = plan.mart.measures[0][0] or "1"
    return read_part(
        connection,
        f"select *, count(*) over () as total_count from marts.{plan.mart.name} as lines "  # noqa: S608 (our names)
        f"where {condition} order by abs({order}) desc nulls last limit $limit",
        {**parameters, "limit": limit},
    )


def _is_released(connection: duckdb.DuckDBPyConnection, mart: str) -> bool:
    found = connection.execute(
        "select 1 from information_schema.tables where table_schema = 'marts' and table_name = ?", [mart]
    ).fetchone()
    return found is not None


def _plan_of_budget(
    connection: duckdb.DuckDBPyConnection, release: Release, given: Mapping[str, str]
) -> Plan:
    """A budget's scope and days as conditions; its actual counts days before the night's own."""
    condition, parameters = render_conditions({name: f"budgets.{name}" for name in given}, given)
    rows = read_rows(
        connection,
        f"select * from core.budgets as budgets where {condition} order by budget_id, period_start",  # noqa: S608
        parameters,
    )
    if len(rows) != 1:
        raise PublishError(_which_budget(connection, release, rows))
    budget = rows[0]
    scope = {
        name: str(budget[name])
        for name in ("feature", "team", "environment", "cost_driver")
        if budget[name] is not None
    }
    is_reporting = budget["currency"] == reporting_currency(connection)
    currency = {} if is_reporting else {"billing_currency": budget["currency"]}
    measure = f"{budget['measure']}{'_reporting' if is_reporting else ''}"
    mart = replace(
        BUDGET_STATUS,
        measures=(("actual", measure),),
        scope="true" if budget["measure"] == "billed_cost" else NO_TAX,
    )
    manifest = json.loads((release.path / MANIFEST_NAME).read_text(encoding="utf-8"))
    today = value_of("charge_date", manifest["parameters"]["today"])
    lines = {"budget_id": budget["budget_id"], "period_start": budget["period_start"].isoformat()}
    until = min(budget["period_end"], today)
    return Plan(mart, {**scope, **currency}, lines, budget["period_start"], until)


def _which_budget(connection: duckdb.DuckDBPyConnection, release: Release, rows: tuple[Row, ...]) -> str:
    if not rows:
        known = connection.execute(
            "select distinct budget_id from core.budgets order by 1 limit 8"
        ).fetchall()
        names = ", ".join(str(row[0]) for row in known) or "none"
        return f"The release {release.name} holds no such budget. It knows {names}."
    ids = ", ".join(f"{row['budget_id']} of {row['period_start']:%Y-%m-%d}" for row in rows[:3])
    return f"{len(rows)} budgets fit ({ids} …); explain one: budget_id=NAME period_start=DATE."


def _plan_of_causes(connection: duckdb.DuckDBPyConnection, given: Mapping[str, str]) -> Plan:
    """The keys that have the cause asked for, with all of their causes, which add up to billed less priced."""
    columns = {name: f"lines.{name}" for name in given}
    condition, parameters = render_conditions(columns, given)
    connection.execute(_KEYS.format(condition=condition), parameters)
    keys = read_rows(connection, _KEY_SUMS)
    causes = read_rows(connection, _CAUSES)
    cells = {row["currency"]: row["billed_cost"] for row in read_rows(connection, _KEY_CELLS)}
    levels: list[Level] = []
    for key in keys:
        unit, zero = str(key["currency"]), Decimal(0)
        parts = [
            (str(row["cause"]), Decimal(row["difference_cost"] or 0))
            for row in causes
            if row["currency"] == key["currency"]
        ]
        whole = (key["billed_cost"] or zero) - (key["priced_cost"] or zero)
        levels.append(Level("causes", "billed less priced", unit, whole, tuple(parts)))
        billed = (("facts", cells.get(key["currency"]) or zero),)
        levels.append(Level("lines", "billed_cost", unit, key["billed_cost"] or zero, billed))
    facts = {name: value for name, value in given.items() if name in RECONCILIATION.columns}
    return Plan(RECONCILIATION, facts, given, levels=tuple(levels))


_SAME_KEY = " and ".join(
    f"{{0}}.{column} is not distinct from keys.{column}"
    for column in ("charge_date", "provider", "billing_account_id", "model", "token_class")
)
_KEYS = """
    create or replace temp table keys as
    select distinct lines.charge_date, lines.provider, lines.billing_account_id, lines.model, lines.token_class,
        lines.currency
    from marts.reconciliation as lines where lines.invoice_id is null and lines.charge_date is not null and {condition}
"""
_KEY_SUMS = f"""
    select currency, sum(billed_cost) as billed_cost, sum(priced_cost) as priced_cost
    from (
        select keys.*, max(lines.billed_cost) as billed_cost, max(lines.priced_cost) as priced_cost
        from keys inner join marts.reconciliation as lines
            on {_SAME_KEY.format("lines")} and lines.currency = keys.currency
        group by all
    ) group by currency order by currency
"""  # noqa: S608 (our own constants)
_CAUSES = f"""
    select keys.currency, lines.cause, sum(lines.difference_cost) as difference_cost
    from keys inner join marts.reconciliation as lines
        on {_SAME_KEY.format("lines")} and lines.currency = keys.currency
    group by all order by abs(sum(lines.difference_cost)) desc, lines.cause
"""  # noqa: S608 (our own constants)
_KEY_CELLS = f"""
    select cells.billing_currency as currency, sum(cells.billed_cost) as billed_cost
    from core.cells as cells inner join keys
        on {_SAME_KEY.format("cells")} and cells.billing_currency = keys.currency
    where cells.cost_state <> 'estimated' and ((cells.cost_driver = 'inference'
        and cells.charge_category = 'Usage') or cells.charge_category in ('Tax', 'Credit', 'Adjustment'))
    group by all
"""  # noqa: S608 (our own constants)
