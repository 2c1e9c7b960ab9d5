"""From a cost down to what it is made of: lines, cells, bill lines, usage and calls of one release.

What belongs here: the selection, and the order of the steps; each step is a module of its own beside this one. What
must not: words for people (`terminal/explanation.py`), or any figure that is not in the release.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING

from pipelines.warehouse.errors import PublishError
from pipelines.warehouse.explain_calls import Calls, build_calls
from pipelines.warehouse.explain_cells import CellExplanation, explain_cell, largest_cells
from pipelines.warehouse.explain_ids import ID_NAMES, noun_of, whole_id
from pipelines.warehouse.explain_levels import Level, build_levels
from pipelines.warehouse.explain_marts import (
    COST_DAILY,
    check_columns,
    render_conditions,
)
from pipelines.warehouse.explain_plans import Plan, build_plan, read_lines
from pipelines.warehouse.explain_rows import EMPTY, Part, Row, read_part, read_rows
from pipelines.warehouse.explain_summary import Summary, build_summary
from pipelines.warehouse.explain_traces import TraceExplanation, explain_trace
from pipelines.warehouse.explain_values import suggest_values
from pipelines.warehouse.release import Release, ReleaseStore

if TYPE_CHECKING:
    import duckdb

_LINE_KEY = (
    "charge_date, cost_driver, provider, service_name, model, token_class, feature, user_id, "
    "residual_reason, method_id, evidence, cost_state, billing_currency"
)


@dataclass(frozen=True)
class Selection:
    """Which cost to explain: lines of a mart by their columns. 'none' means cost without a value there."""

    day: date | None = None
    dimensions: Mapping[str, str] = field(default_factory=dict)
    charge_id: str | None = None
    cell_id: str | None = None
    trace_id: str | None = None
    mart: str = COST_DAILY.name

    @property
    def is_empty(self) -> bool:
        """True when it would select everything."""
        return not (self.day or self.dimensions or self.charge_id or self.cell_id or self.trace_id)


@dataclass(frozen=True)
class Detail:
    """The parts of what was selected, the largest first."""

    lines: Part
    cells: tuple[CellExplanation, ...]
    cell_count: int


@dataclass(frozen=True)
class Explanation:
    """What one release knows about the cost selected."""

    release_name: str
    mart: str
    totals: tuple[Row, ...]  # per currency: billed_cost, effective_cost, list_cost of what was selected
    summary: Summary
    levels: tuple[Level, ...]  # each with the sum that its parts must add up to
    lines: Part = EMPTY  # of a mart other than cost_daily
    trace: TraceExplanation | None = None
    detail: Detail | None = None
    calls: Calls = Calls()

    @property
    def open_levels(self) -> tuple[Level, ...]:
        """Levels that do not add up."""
        return tuple(level for level in (*self.levels, *self.calls.levels) if level.difference)

    @property
    def is_closed(self) -> bool:
        """True when every level and every cell adds up to the last digit."""
        return not self.open_levels and not self.summary.open_cells


def build_explanation(
    release: Release, selection: Selection, limit: int, *, is_detailed: bool = False
) -> Explanation:
    """Read what stands behind a selection; in detail at most `limit` rows of each table, the largest first.

    The beginning of an id is enough where only one id begins so. Raises PublishError when the release holds
    no such id, line or cost, UnknownLineError when the mart has no such column. A trace that cost nothing is still
    explained.
    """
    with ReleaseStore(release.home).reading(release) as connection:
        selection = replace(selection, **_whole_ids(connection, release, selection))
        given = check_columns(selection.mart, _conditions(selection))
        plan = build_plan(connection, release, selection.mart, given)
        _select_fact_rows(connection, selection, plan)
        totals = read_rows(connection, _TOTALS)
        lines = read_lines(connection, plan, limit)
        if not totals and not lines.count and not selection.trace_id:
            alike = suggest_values(connection, plan.mart.columns, plan.facts)
            raise PublishError(_no_such_cost(release.name, selection, alike))
        return _explain(connection, release.name, selection, plan, totals, lines, limit, is_detailed)


def _explain(
    connection: duckdb.DuckDBPyConnection,
    release_name: str,
    selection: Selection,
    plan: Plan,
    totals: tuple[Row, ...],
    lines: Part,
    limit: int,
    is_detailed: bool,
) -> Explanation:
    has_ids = bool(selection.charge_id or selection.cell_id or selection.trace_id)
    trace = explain_trace(connection, selection.trace_id) if selection.trace_id else None
    levels = build_levels(connection, plan.mart, None if has_ids else plan.lines)
    return Explanation(
        release_name=release_name,
        mart=plan.mart.name,
        totals=totals,
        summary=build_summary(connection),
        levels=(*(trace.levels if trace else ()), *plan.levels, *levels),
        lines=lines,
        trace=trace,
        detail=_build_detail(connection, selection, limit) if is_detailed else None,
        calls=build_calls(connection, selection.trace_id, limit),
    )


_TOTALS = """
    select billing_currency, sum(billed_cost) as billed_cost, sum(effective_cost) as effective_cost,
        sum(list_cost) as list_cost
    from selected group by all order by all
"""


def _conditions(selection: Selection) -> dict[str, str]:
    day = {"charge_date": selection.day.isoformat()} if selection.day else {}
    return {**selection.dimensions, **day}


def _build_detail(connection: duckdb.DuckDBPyConnection, selection: Selection, limit: int) -> Detail:
    keys, cell_count = largest_cells(connection, limit)
    return Detail(
        lines=_largest_lines(connection, limit),
        cells=tuple(explain_cell(connection, key, selection.charge_id, limit) for key in keys),
        cell_count=cell_count,
    )


def _whole_ids(
    connection: duckdb.DuckDBPyConnection, release: Release, selection: Selection
) -> dict[str, str]:
    given = {name: getattr(selection, name) for name in ID_NAMES if getattr(selection, name)}
    return {name: whole_id(connection, release.name, name, value) for name, value in given.items()}


def _no_such_cost(release_name: str, selection: Selection, alike: str) -> str:
    """Say what would help: other values for a dimension, other days for an id that costs nothing there."""
    names = [name for name in ID_NAMES if getattr(selection, name)]
    if names and (selection.day or selection.dimensions):
        noun = noun_of(names[0])
        return (
            f"The release {release_name} holds this {noun}, but none of its cost fits the other options; "
            "leave out --date and the dimensions."
        )
    if names:
        noun = noun_of(names[0])
        return f"The release {release_name} holds this {noun}, but no cost was attributed through it."
    return (
        f"The release {release_name} holds no such cost.{alike} See which values there are: everycent query "  # noqa: S608
        '"select distinct feature, cost_driver from marts.cost_daily"'
    )


def _select_fact_rows(connection: duckdb.DuckDBPyConnection, selection: Selection, plan: Plan) -> None:
    """Put the fact rows that the selection means into the temporary table `selected`."""
    condition, parameters = render_conditions(plan.mart.columns, plan.facts)
    conditions = [condition, plan.mart.scope]
    for name, value in (("since", plan.since), ("until", plan.until)):
        if value is not None:
            conditions.append(f"fact.charge_date {'>=' if name == 'since' else '<'} ${name}")
            parameters[name] = value
    parameters["trace_id"] = selection.trace_id
    for name, entry in _ENTRY_POINTS.items():
        if value := getattr(selection, name):
            conditions.append(entry)
            parameters[name] = value
    connection.execute(_SELECTED.format(conditions=" and ".join(conditions)), parameters)


_ENTRY_POINTS = {
    "cell_id": "fact.cell_id = $cell_id",
    "charge_id": """(fact.charge_date, fact.cell_id) in (
        select (charge_date, cell_id) from core.charge_cells where charge_id = $charge_id)""",
    "trace_id": """coalesce(fact.residual_reason, 'unpriced') = 'unpriced'
        and case when cells.method_id in ('tokens', 'list_price')
            then (fact.charge_date, cells.pool_key, fact.owner_id, coalesce(fact.from_zone, chr(30)),
                coalesce(fact.to_zone, chr(30))) in (
                select (used.charge_date, used.pool_key, used.owner_id, used.from_zone, used.to_zone)
                from trace_pools as used)
            else (fact.charge_date, fact.owner_id) in (
                select (used.charge_date, used.owner_id) from trace_owners as used)
        end""",
}

# A trace's rows are those that core.trace_costs splits over it. The logs name the trace's owners; a bill's tag
# may have given the row to another owner (core.tagged_owners), so both count.
_SELECTED = """
    create or replace temp table selected as
    with logged as (
        select distinct costs.charge_date, costs.pool_key, costs.owner_id,
            coalesce(costs.from_zone, chr(30)) as from_zone, coalesce(costs.to_zone, chr(30)) as to_zone
        from core.trace_usage as used
        inner join core.pooled_usage as costs
            on used.charge_date = costs.charge_date and used.usage_id = costs.usage_id
        where used.trace_id = $trace_id
            and case costs.token_class
                when 'uncached_input_tokens' then used.uncached_input_tokens
                when 'cache_read_tokens' then used.cache_read_tokens
                when 'cache_write_5m_tokens' then used.cache_write_5m_tokens
                when 'cache_write_1h_tokens' then used.cache_write_1h_tokens
                when 'output_tokens' then used.output_tokens
            end > 0
    ), trace_pools as (
        select charge_date, pool_key, owner_id, from_zone, to_zone from logged
        union
        select logged.charge_date, logged.pool_key, tagged.owner_id, logged.from_zone, logged.to_zone
        from logged inner join core.tagged_owners as tagged
            on logged.charge_date = tagged.charge_date and logged.pool_key = tagged.pool_key
            and logged.owner_id = tagged.log_owner_id
    ), trace_owners as (
        select charge_date, owner_id from logged
        union
        select logged.charge_date, tagged.owner_id
        from logged inner join core.tagged_owners as tagged
            on logged.charge_date = tagged.charge_date and logged.owner_id = tagged.log_owner_id
    )
    select fact.*, cells.cost_driver, cells.charge_category, cells.provider, cells.service_name, cells.model,
        cells.token_class, owners.feature, owners.user_id
    from core.attributed_costs as fact
    inner join core.cells as cells on fact.charge_date = cells.charge_date and fact.cell_id = cells.cell_id
    left join core.owners_dim as owners on fact.owner_id = owners.owner_id
    where {conditions}
"""


def _largest_lines(connection: duckdb.DuckDBPyConnection, limit: int) -> Part:
    sql = (
        f"select {_LINE_KEY}, sum(billed_cost) as billed_cost, "  # noqa: S608 (our own constants)
        "sum(effective_cost) as effective_cost, sum(requests) as requests, "
        "count(*) over () as total_count from selected "
        f"group by {_LINE_KEY} order by abs(sum(effective_cost)) desc nulls last, {_LINE_KEY} limit $limit"
    )
    return read_part(connection, sql, {"limit": limit})
