"""A selected cost in short: what it pays for, which rules decided that, and whether both sides of its cells close.

What belongs here: the queries over `selected`, the temporary table of `explain.py`, and their records. What must not:
words for people (`terminal/explanation.py`), or single cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

Row = Mapping[str, Any]

FIRST_SHIPPED_PRIORITY = 1000
"""Rules of the config come first, by their place in the list; those that are shipped begin here."""


@dataclass(frozen=True)
class Summary:
    """A selection without its parts: its classes and rules, the largest first, and how many of its cells close."""

    classes: tuple[Row, ...]  # driver, category, token class, residual, currency: billed_cost, effective_cost
    methods: tuple[str, ...]  # how what has an owner was shared
    rules: tuple[Row, ...]  # rule_id, charges, reason and is_own; both null where the release lacks the rule
    cell_count: int
    estimated_cells: int  # no bill covers them yet, so there is nothing to close against
    open_cells: int


def build_summary(connection: duckdb.DuckDBPyConnection) -> Summary:
    """Read the summary of what stands in the temporary table `selected`."""
    sides = _rows(connection, _SIDES)[0]
    return Summary(
        classes=_rows(connection, _CLASSES),
        methods=tuple(row["method_id"] for row in _rows(connection, _METHODS)),
        rules=_rows(connection, _RULES),
        cell_count=sides["cell_count"],
        estimated_cells=sides["estimated_cells"],
        open_cells=sides["open_cells"],
    )


_CLASSES = """
    select cost_driver, charge_category, token_class, residual_reason, billing_currency,
        sum(billed_cost) as billed_cost, sum(effective_cost) as effective_cost
    from selected
    group by cost_driver, charge_category, token_class, residual_reason, billing_currency
    order by abs(sum(effective_cost)) desc nulls last, cost_driver, charge_category, token_class, residual_reason,
        billing_currency
"""

_METHODS = """
    select method_id from selected where residual_reason is null and method_id is not null
    group by method_id order by abs(sum(effective_cost)) desc nulls last, method_id
"""

_RULES = f"""
    with chosen as (
        select distinct charge_date, cell_id from selected
    ), decided as (
        select charges.rule_id, count(distinct parts.charge_id) as charges, sum(abs(parts.billed_cost)) as size
        from core.charge_cells as parts
        inner join chosen on parts.charge_date = chosen.charge_date and parts.cell_id = chosen.cell_id
        inner join core.charges as charges on parts.charge_id = charges.charge_id
        group by charges.rule_id
    ), rules as (
        select rule_id, min(priority) as priority, arg_min(reason, priority) as reason
        from reference.classification_rules group by rule_id
    )
    select decided.rule_id, decided.charges, rules.reason, rules.priority < {FIRST_SHIPPED_PRIORITY} as is_own
    from decided left join rules on decided.rule_id = rules.rule_id
    where decided.rule_id is not null
    order by decided.size desc nulls last, decided.rule_id
"""  # noqa: S608 (our own constant)

_SIDES = """
    with chosen as (
        select distinct charge_date, cell_id from selected
    ), charged as (
        select charge_date, cell_id, sum(billed_cost) as billed_cost, sum(effective_cost) as effective_cost
        from core.charge_cells semi join chosen using (charge_date, cell_id) group by charge_date, cell_id
    ), attributed as (
        select charge_date, cell_id, sum(billed_cost) as billed_cost, sum(effective_cost) as effective_cost
        from core.attributed_costs semi join chosen using (charge_date, cell_id) group by charge_date, cell_id
    ), sides as (
        select cells.cost_state = 'estimated' as is_estimated,
            coalesce(charged.billed_cost, 0) = coalesce(attributed.billed_cost, 0)
            and coalesce(charged.effective_cost, 0) = coalesce(attributed.effective_cost, 0) as is_closed
        from chosen
        inner join core.cells as cells
            on chosen.charge_date = cells.charge_date and chosen.cell_id = cells.cell_id
        left join charged on chosen.charge_date = charged.charge_date and chosen.cell_id = charged.cell_id
        left join attributed
            on chosen.charge_date = attributed.charge_date and chosen.cell_id = attributed.cell_id
    )
    select count(*) as cell_count, count(*) filter (where is_estimated) as estimated_cells,
        count(*) filter (where not is_estimated and not is_closed) as open_cells
    from sides
"""


def _rows(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[Row, ...]:
    cursor = connection.execute(sql)
    names = [column[0] for column in cursor.description or []]
    return tuple(dict(zip(names, values, strict=True)) for values in cursor.fetchall())
