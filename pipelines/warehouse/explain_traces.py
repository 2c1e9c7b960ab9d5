"""One root action (a trace): what it cost by driver, and by who worked in it.

What belongs here: the trace's own part of the cost. What must not: what it shares with others (`explain.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from pipelines.warehouse.explain_levels import Level
from pipelines.warehouse.explain_rows import Row, read_rows

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class TraceExplanation:
    """A trace as in marts.traces, its cost by driver, and its steps as in marts.trace_steps."""

    trace: Row | None
    drivers: tuple[Row, ...] = ()
    steps: tuple[Row, ...] = ()
    levels: tuple[Level, ...] = ()


def explain_trace(connection: duckdb.DuckDBPyConnection, trace_id: str) -> TraceExplanation:
    """Read a trace with its parts. The release of an older version may lack the steps; then there are none."""
    given = {"trace_id": trace_id}
    traces = read_rows(connection, "select * from marts.traces where trace_id = $trace_id", given)
    drivers = _rows_if_any(connection, "core", "trace_costs", _DRIVERS, trace_id)
    steps = _rows_if_any(connection, "marts", "trace_steps", _STEPS, trace_id)
    if not traces:
        return TraceExplanation(None, drivers, steps)
    trace = traces[0]
    levels = []
    for name, rows, label, amount in (
        ("trace_drivers", drivers, "cost_driver", "effective_cost_reporting"),
        ("trace_steps", steps, "agent", "self_cost"),
    ):
        if rows:
            parts = tuple((str(row[label] or "no agent"), Decimal(row[amount] or 0)) for row in rows)
            unit = str(trace.get("reporting_currency"))
            levels.append(Level(name, "effective_cost", unit, trace["total_cost"] or Decimal(0), parts))
    return TraceExplanation(trace, drivers, steps, tuple(levels))


def _rows_if_any(
    connection: duckdb.DuckDBPyConnection, schema: str, name: str, sql: str, trace_id: str
) -> tuple[Row, ...]:
    found = connection.execute(
        "select 1 from information_schema.tables where table_schema = ? and table_name = ?", [schema, name]
    ).fetchone()
    return read_rows(connection, sql, {"trace_id": trace_id}) if found else ()


_DRIVERS = """
    select cost_driver, sum(effective_cost_reporting) as effective_cost_reporting
    from core.trace_costs where trace_id = $trace_id
    group by cost_driver order by effective_cost_reporting desc, cost_driver
"""
_STEPS = """
    select * from marts.trace_steps where trace_id = $trace_id
    order by total_cost desc nulls last, parent_agent, agent, agent_step
"""
