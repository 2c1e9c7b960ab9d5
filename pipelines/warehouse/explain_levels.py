"""Whether a cost adds up, level by level: mart line, fact, cells, bill lines, and the calls behind it.

What belongs here: one sum a level beside the sum of its parts, exact, over temporary tables of `explain.py`. What
must not: single rows, or words for people (`terminal/explanation.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pipelines.warehouse.explain_marts import Mart, render_conditions

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Level:
    """One sum, and the parts that it must be the sum of."""

    name: str  # which step: lines, cells, bill_lines, whole_bill_lines, trace, causes, tokens
    measure: str
    unit: str  # a currency, or what is counted
    whole: Decimal
    parts: tuple[tuple[str, Decimal], ...]

    @property
    def difference(self) -> Decimal:
        """The sum less its parts; zero when they add up."""
        return self.whole - sum((amount for _, amount in self.parts), Decimal(0))


def build_levels(
    connection: duckdb.DuckDBPyConnection, mart: Mart, given: Mapping[str, str] | None
) -> tuple[Level, ...]:
    """Sum what stands in the temporary table `selected` upwards to the mart's lines and downwards to bill lines.

    `given` are the conditions that chose it; None when it was not chosen by a mart's columns.
    """
    levels: list[Level] = []
    for expression, measure in mart.measures:
        if given is not None and _has_columns(connection, mart, given, expression):
            levels += _line_levels(connection, mart, given, expression, measure)
        levels += _cell_levels(connection, measure)
    return tuple(levels)


def _has_columns(
    connection: duckdb.DuckDBPyConnection, mart: Mart, given: Mapping[str, str], expression: str
) -> bool:
    cursor = connection.execute(f"select * from marts.{mart.name} limit 0")  # noqa: S608 (our own names)
    known = {column[0] for column in cursor.description or []}
    return known >= {*given, *expression.split(" + "), mart.currency}


def _line_levels(
    connection: duckdb.DuckDBPyConnection, mart: Mart, given: Mapping[str, str], expression: str, measure: str
) -> list[Level]:
    """What the mart's lines say, beside their rows of the fact and the idle time that is laid on these."""
    condition, parameters = render_conditions({name: f"lines.{name}" for name in given}, given)
    currency = "'all'" if measure.endswith("_reporting") else "billing_currency"
    wholes = _amounts(
        connection,
        f"select {mart.currency}, sum({expression}) from marts.{mart.name} as lines "  # noqa: S608 (our own names)
        f"where {condition} group by all",
        parameters,
    )
    facts = _amounts(connection, f"select {currency}, sum({measure}) from selected group by all")  # noqa: S608
    idle: dict[str, Decimal] = {}
    if mart.name == "cost_daily_fully_loaded":
        idle = _amounts(
            connection,
            f"select selected.billing_currency, sum(shares.{measure}) from core.idle_shares as shares "  # noqa: S608
            "inner join selected using (charge_date, cell_id, row_id) group by all",
        )
    if measure.endswith("_reporting") and facts:
        facts = {reporting_currency(connection): sum(facts.values(), Decimal(0))}
    levels = []
    for name in sorted({*wholes, *facts}):
        parts = [("facts", facts.get(name, Decimal(0)))]
        if name in idle:
            parts.append(("idle", idle[name]))
        levels.append(Level("lines", measure, name, wholes.get(name, Decimal(0)), tuple(parts)))
    return levels


_CHOSEN = "chosen as (select distinct charge_date, cell_id from selected)"


def _cell_levels(connection: duckdb.DuckDBPyConnection, measure: str) -> list[Level]:
    """From the fact to its cells, from these to bill lines, and from what a line gives them to the whole line."""
    is_reporting = measure.endswith("_reporting")
    reporting = reporting_currency(connection) if is_reporting else ""

    def read(sql: str, alias: str) -> dict[str, Decimal]:
        currency = "'all'" if is_reporting else f"{alias}.billing_currency"
        found = _amounts(connection, f"with {_CHOSEN} {sql}".format(measure=measure, currency=currency))
        return {reporting: sum(found.values(), Decimal(0))} if is_reporting and found else found

    selected = read("select {currency}, sum(rows.{measure}) from selected as rows group by all", "rows")
    others = read(_OTHERS, "rows")
    cells = read(_CELLS.replace("CONDITION", "true"), "cells")
    estimated = read(_CELLS.replace("CONDITION", "cells.cost_state = 'estimated'"), "cells")
    charged = read(_CHARGED, "parts")
    lines = read(_LINES, "charges")
    elsewhere = read(_ELSEWHERE, "parts")
    zero = Decimal(0)
    levels = []
    for unit in sorted({*selected, *others, *cells, *charged}):
        parts = [("facts", selected.get(unit, zero)), ("others", others.get(unit, zero))]
        levels.append(Level("cells", measure, unit, cells.get(unit, zero), tuple(parts)))
        parts = [("bill_lines", charged.get(unit, zero))]
        if estimated.get(unit):
            parts.append(("estimated", estimated[unit]))
        levels.append(Level("bill_lines", measure, unit, cells.get(unit, zero), tuple(parts)))
        if unit in lines:
            parts = [("here", charged.get(unit, zero)), ("elsewhere", elsewhere.get(unit, zero))]
            levels.append(Level("whole_bill_lines", measure, unit, lines[unit], tuple(parts)))
    return levels


_OTHERS = """
    select {currency}, sum(rows.{measure})
    from core.attributed_costs as rows semi join chosen using (charge_date, cell_id)
    where (rows.charge_date, rows.cell_id, rows.row_id) not in (
        select (selected.charge_date, selected.cell_id, selected.row_id) from selected)
    group by all
"""
_CELLS = """
    select {currency}, sum(cells.{measure}) from core.cells as cells semi join chosen using (charge_date, cell_id)
    where CONDITION group by all
"""
_CHARGED = """
    select {currency}, sum(parts.{measure})
    from core.charge_cells as parts semi join chosen using (charge_date, cell_id)
    group by all
"""
_LINES = """, charged as (
        select distinct parts.charge_id from core.charge_cells as parts semi join chosen using (charge_date, cell_id)
    )
    select {currency}, sum(charges.{measure}) from core.charges as charges semi join charged using (charge_id)
    group by all
"""
_ELSEWHERE = """, charged as (
        select distinct parts.charge_id from core.charge_cells as parts semi join chosen using (charge_date, cell_id)
    )
    select {currency}, sum(parts.{measure}) from core.charge_cells as parts semi join charged using (charge_id)
    where (parts.charge_date, parts.cell_id) not in (select (charge_date, cell_id) from chosen)
    group by all
"""


def build_call_levels(connection: duckdb.DuckDBPyConnection) -> tuple[Level, ...]:
    """Tokens that the cells were shared by, beside those of the calls in the temporary tables `used` and `calls`."""
    wholes = _amounts(
        connection,
        "select token_class, sum(quantity_tokens) from used where token_class is not null group by all",
    )
    parts = _amounts(connection, _CALL_TOKENS)
    return tuple(
        Level("tokens", name, "tokens", whole, (("calls", parts.get(name, Decimal(0))),))
        for name, whole in sorted(wholes.items())
        if whole or parts.get(name)
    )


_CALL_TOKENS = """
    select used.token_class, sum(case used.token_class
            when 'uncached_input_tokens' then calls.uncached_input_tokens
            when 'cache_read_tokens' then calls.cache_read_tokens
            when 'cache_write_5m_tokens' then calls.cache_write_5m_tokens
            when 'cache_write_1h_tokens' then calls.cache_write_1h_tokens
            when 'output_tokens' then calls.output_tokens
        end)
    from used inner join calls on used.charge_date = calls.charge_date and used.usage_id = calls.usage_id
    where used.token_class is not null group by all
"""


def reporting_currency(connection: duckdb.DuckDBPyConnection) -> str:
    """Return the currency that the release reports in."""
    (row,) = connection.execute("select reporting_currency from reference.settings").fetchall()
    return str(row[0])


def _amounts(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, Any] | None = None
) -> dict[str, Decimal]:
    """Return the sums of a query of two columns by the first one."""
    rows = connection.execute(sql, parameters or None).fetchall()
    return {str(row[0]): Decimal(row[1] or 0) for row in rows}
