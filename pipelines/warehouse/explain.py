"""From a cost down to what it is made of: lines, cells, bill lines, usage and requests of one release.

What belongs here: the queries and their records. What must not: words for people (`terminal/explanation.py`),
or any figure that is not in the release.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pipelines.warehouse.errors import PublishError
from pipelines.warehouse.explain_ids import ID_NAMES, noun_of, short_ids, whole_id
from pipelines.warehouse.explain_summary import Summary, build_summary
from pipelines.warehouse.explain_values import suggest_values
from pipelines.warehouse.release import Release, ReleaseStore

if TYPE_CHECKING:
    import duckdb

Row = Mapping[str, Any]

_OWNER_COLUMNS = (
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
_DIMENSIONS = {
    **{column: f"owners.{column}" for column in (*_OWNER_COLUMNS, "environment")},
    **{
        column: f"cells.{column}"
        for column in ("provider", "model", "service_name", "cost_driver", "token_class")
    },
    "residual_reason": "fact.residual_reason",
}
_LINE_KEY = (
    "charge_date, cost_driver, provider, service_name, model, token_class, feature, user_id, "
    "residual_reason, method_id, evidence, cost_state, billing_currency"
)
_USAGE_METHODS = ("tokens", "list_price", "list_cost")


@dataclass(frozen=True)
class Selection:
    """Which cost to explain. A dimension's value 'none' means cost without a value there."""

    day: date | None = None
    dimensions: Mapping[str, str] = field(default_factory=dict)
    charge_id: str | None = None
    cell_id: str | None = None
    trace_id: str | None = None

    @property
    def is_empty(self) -> bool:
        """True when it would select everything."""
        return not (self.day or self.dimensions or self.charge_id or self.cell_id or self.trace_id)


@dataclass(frozen=True)
class Part:
    """The largest rows of a table, and how many there are."""

    rows: tuple[Row, ...]
    count: int


@dataclass(frozen=True)
class CellExplanation:
    """One cell with its two sides: the bill lines that pay for it, and the rows that it was attributed to."""

    cell: Row
    charges: Part
    charged: Row  # Σ over all bill lines of the cell: billed_cost, effective_cost
    attributions: Part
    attributed: Row  # Σ over all fact rows of the cell
    usage: Part  # what the weights were: usage by owner, or measured bytes

    def difference(self, measure: str) -> Decimal | None:
        """Bill side minus attributed side; None for an estimated cell, which no bill line stands behind."""
        if self.cell["cost_state"] == "estimated":
            return None
        return (self.charged[measure] or Decimal(0)) - (self.attributed[measure] or Decimal(0))


@dataclass(frozen=True)
class Detail:
    """The parts of what was selected, the largest first."""

    lines: Part
    cells: tuple[CellExplanation, ...]
    cell_count: int
    requests: Part


@dataclass(frozen=True)
class Explanation:
    """What one release knows about the cost selected."""

    release_name: str
    totals: tuple[Row, ...]  # per currency: billed_cost, effective_cost, list_cost of what was selected
    summary: Summary
    trace: Row | None = None
    detail: Detail | None = None


def build_explanation(
    release: Release, selection: Selection, limit: int, *, is_detailed: bool = False
) -> Explanation:
    """Read what stands behind a selection; in detail at most `limit` rows of each table, the largest first.

    The beginning of an id is enough where only one id begins so. Raises PublishError when the release holds
    no such id or cost; a trace that cost nothing is still explained.
    """
    with ReleaseStore(release.home).reading(release) as connection:
        selection = replace(selection, **_whole_ids(connection, release, selection))
        _select_fact_rows(connection, selection)
        totals = _rows(
            connection,
            "select billing_currency, sum(billed_cost) as billed_cost, "
            "sum(effective_cost) as effective_cost, sum(list_cost) as list_cost "
            "from selected group by all order by all",
        )
        if not totals and not selection.trace_id:
            alike = suggest_values(connection, _DIMENSIONS, selection.dimensions)
            raise PublishError(_no_such_cost(release.name, selection, alike))
        return Explanation(
            release_name=release.name,
            totals=totals,
            summary=build_summary(connection),
            trace=_trace(connection, selection.trace_id),
            detail=_build_detail(connection, selection, limit) if is_detailed else None,
        )


def _build_detail(connection: duckdb.DuckDBPyConnection, selection: Selection, limit: int) -> Detail:
    keys, cell_count = _largest_cells(connection, limit)
    return Detail(
        lines=_largest_lines(connection, limit),
        cells=tuple(_explain_cell(connection, key, selection.charge_id, limit) for key in keys),
        cell_count=cell_count,
        requests=_largest_requests(connection, selection, limit),
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


def _select_fact_rows(connection: duckdb.DuckDBPyConnection, selection: Selection) -> None:
    """Put the fact rows that the selection means into the temporary table `selected`."""
    conditions: list[str] = ["true"]
    parameters: dict[str, Any] = {}
    if selection.day:
        conditions.append("fact.charge_date = $day")
        parameters["day"] = selection.day
    for index, (name, value) in enumerate(sorted(selection.dimensions.items())):
        column = _DIMENSIONS[name]
        if value == "none":
            conditions.append(f"{column} is null")
        else:
            conditions.append(f"{column} = $value_{index}")
            parameters[f"value_{index}"] = value
    parameters["trace_id"] = selection.trace_id
    for name, condition in _ENTRY_POINTS.items():
        if value := getattr(selection, name):
            conditions.append(condition)
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
    select fact.*, cells.cost_driver, cells.provider, cells.service_name, cells.model, cells.token_class,
        owners.feature, owners.user_id
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
    return _part(connection, sql, {"limit": limit})


def _largest_cells(connection: duckdb.DuckDBPyConnection, limit: int) -> tuple[list[tuple[date, str]], int]:
    rows = connection.execute(
        "select charge_date, cell_id, count(*) over () from selected group by charge_date, cell_id "
        "order by abs(sum(effective_cost)) desc nulls last, charge_date, cell_id limit ?",
        [limit],
    ).fetchall()
    return [(row[0], row[1]) for row in rows], rows[0][2] if rows else 0


def _explain_cell(
    connection: duckdb.DuckDBPyConnection, key: tuple[date, str], charge_id: str | None, limit: int
) -> CellExplanation:
    parameters = {"day": key[0], "cell_id": key[1]}
    limited = {**parameters, "limit": limit}
    cell = _rows(
        connection, "select * from core.cells where charge_date = $day and cell_id = $cell_id", parameters
    )[0]
    return CellExplanation(
        cell=cell,
        charges=_with_short_ids(
            connection, _part(connection, _CELL_CHARGES, {**limited, "charge_id": charge_id}), "charge_id"
        ),
        charged=_rows(connection, _SUM_OF.format(relation="core.charge_cells"), parameters)[0],
        attributions=_part(connection, _CELL_ATTRIBUTIONS, limited),
        attributed=_rows(connection, _SUM_OF.format(relation="core.attributed_costs"), parameters)[0],
        usage=_usage_of(connection, cell, limit),
    )


_SUM_OF = """
    select sum(billed_cost) as billed_cost, sum(effective_cost) as effective_cost
    from {relation} where charge_date = $day and cell_id = $cell_id
"""

_CELL_CHARGES = """
    select parts.charge_id, charges.rule_id, charges.charge_category, charges.charge_description, charges.sku_meter,
        charges.resource_id, charges.billed_cost as line_billed_cost, parts.billed_cost,
        parts.effective_cost, charges.x_source_file, count(*) over () as total_count
    from core.charge_cells as parts
    inner join core.charges as charges on parts.charge_id = charges.charge_id
    where parts.charge_date = $day and parts.cell_id = $cell_id
    order by coalesce(parts.charge_id = $charge_id, false) desc, abs(parts.effective_cost) desc nulls last,
        parts.charge_id
    limit $limit
"""

_CELL_ATTRIBUTIONS = """
    select owners.feature, owners.user_id, owners.team, owners.endpoint, owners.environment, fact.from_zone,
        fact.to_zone, fact.residual_reason, fact.method_id, fact.evidence, fact.billed_cost,
        fact.effective_cost, fact.requests, fact.input_tokens, fact.output_tokens, fact.bytes,
        count(*) over () as total_count
    from core.attributed_costs as fact
    left join core.owners_dim as owners on fact.owner_id = owners.owner_id
    where fact.charge_date = $day and fact.cell_id = $cell_id
    order by
        fact.row_id in (select row_id from selected where charge_date = $day and cell_id = $cell_id) desc,
        abs(fact.effective_cost) desc nulls last, fact.row_id
    limit $limit
"""

_USAGE = """
    select owners.feature, owners.user_id, usage.model, usage.token_class, usage.service_tier,
        usage.quantity_tokens, usage.list_cost, usage.list_cost_currency, usage.unpriced_reason,
        usage.price_id, count(*) over () as total_count
    from core.pooled_usage as usage
    left join core.owners_dim as owners on usage.owner_id = owners.owner_id
    where usage.charge_date = $day and usage.pool_key = $pool_key
        and usage.owner_id in (
            select owner_id from selected where charge_date = $day and cell_id = $cell_id
            union all
            select tagged.log_owner_id from core.tagged_owners as tagged
            inner join selected
                on tagged.charge_date = selected.charge_date and tagged.cell_id = selected.cell_id
                and tagged.owner_id = selected.owner_id
            where tagged.charge_date = $day and tagged.cell_id = $cell_id
        )
    order by usage.quantity_tokens desc, usage.usage_id, usage.token_class
    limit $limit
"""

_WEIGHTS = """
    select weights.feature, owners.user_id, weights.endpoint, weights.from_zone, weights.to_zone,
        weights.residual_reason, weights.bytes, count(*) over () as total_count
    from core.physical_weights as weights
    left join core.owners_dim as owners on weights.owner_id = owners.owner_id
    where weights.charge_date = $day and weights.pool_key = $pool_key
    order by weights.bytes desc, weights.weight_id
    limit $limit
"""


def _usage_of(connection: duckdb.DuckDBPyConnection, cell: Row, limit: int) -> Part:
    """Return what the logs say about the cell's owners: usage by token class, or measured bytes."""
    parameters = {"day": cell["charge_date"], "limit": limit}
    if cell["method_id"] not in _USAGE_METHODS:
        if cell["pool_key"] is None:
            return Part((), 0)
        return _part(connection, _WEIGHTS, {**parameters, "pool_key": cell["pool_key"]})
    parameters["cell_id"] = cell["cell_id"]
    return _part(connection, _USAGE, parameters | {"pool_key": cell["pool_key"]})


_REQUESTS = """
    with log_owners as (
        select charge_date, owner_id from selected where method_id in ('tokens', 'list_price', 'list_cost')
        union
        select selected.charge_date, tagged.log_owner_id
        from selected inner join core.tagged_owners as tagged
            on selected.charge_date = tagged.charge_date and selected.cell_id = tagged.cell_id
            and selected.owner_id = tagged.owner_id
        where selected.method_id in ('tokens', 'list_price', 'list_cost')
    ), owners as (
        select log_owners.charge_date, owners.*
        from log_owners inner join core.owners_dim as owners on log_owners.owner_id = owners.owner_id
    )
    select requests.started_at, requests.request_id, requests.trace_id, requests.provider, requests.model,
        requests.status, requests.feature, requests.user_id, requests.uncached_input_tokens,
        requests.cache_read_tokens, requests.output_tokens, requests.x_sources, count(*) over () as total_count
    from core.identified_requests as requests
    where {condition}
    order by requests.uncached_input_tokens + requests.output_tokens desc nulls last, requests.request_id
    limit $limit
"""
_SAME_OWNER = " and ".join(
    f"owners.{column} is not distinct from requests.{column}" for column in (*_OWNER_COLUMNS, "environment")
)


def _largest_requests(connection: duckdb.DuckDBPyConnection, selection: Selection, limit: int) -> Part:
    """Return the largest requests of the owners selected, on their days; of the trace, if one was given."""
    parameters: dict[str, Any] = {"limit": limit}
    if selection.trace_id:
        condition = "requests.trace_id = $trace_id"
        parameters["trace_id"] = selection.trace_id
    else:
        same_day = "owners.charge_date = requests.charge_date"
        condition = f"exists (select 1 from owners where {same_day} and {_SAME_OWNER})"  # noqa: S608 (constants)
    part = _part(connection, _REQUESTS.format(condition=condition), parameters)
    return _with_short_ids(connection, part, "trace_id")


def _trace(connection: duckdb.DuckDBPyConnection, trace_id: str | None) -> Row | None:
    if trace_id is None:
        return None
    rows = _rows(connection, "select * from marts.traces where trace_id = $trace_id", {"trace_id": trace_id})
    return rows[0] if rows else None


def _with_short_ids(connection: duckdb.DuckDBPyConnection, part: Part, name: str) -> Part:
    """Add `short_id` to the rows: what a person may paste for the id `name`."""
    short = short_ids(connection, name, [row[name] for row in part.rows])
    rows = tuple({**row, "short_id": value} for row, value in zip(part.rows, short, strict=True))
    return Part(rows, part.count)


def _part(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, Any]) -> Part:
    rows = _rows(connection, sql, parameters)
    return Part(rows, rows[0]["total_count"] if rows else 0)


def _rows(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, Any] | Sequence[Any] = ()
) -> tuple[Row, ...]:
    cursor = connection.execute(sql, parameters or None)
    names = [column[0] for column in cursor.description or []]
    return tuple(dict(zip(names, values, strict=True)) for values in cursor.fetchall())
