"""The calls behind a cost: which usage it was shared by, and the logged calls that make this usage up.

What belongs here: the temporary tables `used` and `calls`, and the largest calls. What must not: cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.warehouse.explain_levels import Level, build_call_levels
from pipelines.warehouse.explain_marts import OWNER_COLUMNS
from pipelines.warehouse.explain_rows import EMPTY, Part, Row, read_part, read_rows, with_short_ids

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Calls:
    """The largest calls behind a selection, what reported them, and whether their tokens add up."""

    largest: Part = EMPTY
    sources: tuple[Row, ...] = ()  # x_sources: calls
    levels: tuple[Level, ...] = ()


_USED = """
    create or replace temp table used as
    with paid as (
        select selected.charge_date, selected.owner_id, cells.pool_key, cells.method_id
        from selected
        inner join core.cells as cells
            on selected.charge_date = cells.charge_date and selected.cell_id = cells.cell_id
        where coalesce(selected.residual_reason, 'unpriced') = 'unpriced'
        union
        select selected.charge_date, tagged.log_owner_id, cells.pool_key, cells.method_id
        from selected
        inner join core.cells as cells
            on selected.charge_date = cells.charge_date and selected.cell_id = cells.cell_id
        inner join core.tagged_owners as tagged
            on selected.charge_date = tagged.charge_date and selected.cell_id = tagged.cell_id
            and selected.owner_id = tagged.owner_id
        where coalesce(selected.residual_reason, 'unpriced') = 'unpriced'
    )
    select distinct usage.charge_date, usage.usage_id, usage.token_class, usage.quantity_tokens
    from core.pooled_usage as usage
    inner join paid
        on usage.charge_date = paid.charge_date and usage.pool_key = paid.pool_key
        and usage.owner_id = paid.owner_id
    where paid.method_id in ('tokens', 'list_price', 'list_cost', 'tool_uses', 'requests')
        and usage.quantity_tokens > 0
"""
_USED_BY_CAPACITY = """
    insert into used
    select distinct usage.charge_date, usage.usage_id, cast(null as varchar), 0
    from core.request_usage as usage
    inner join core.capacity_weights as weights
        on usage.charge_date = weights.charge_date and usage.owner_id = weights.owner_id
        and usage.provider is not distinct from weights.logged_provider
        and usage.model is not distinct from weights.logged_model
    inner join core.cells as cells
        on weights.charge_date = cells.charge_date and weights.pool_key = cells.pool_key
    inner join selected
        on cells.charge_date = selected.charge_date and cells.cell_id = selected.cell_id
        and weights.owner_id = selected.owner_id and selected.residual_reason is null
    where cells.method_id = 'capacity_seconds'
"""
_USED_BY_TRACE = """
    create or replace temp table used as
    select distinct charge_date, usage_id, cast(null as varchar) as token_class, 0 as quantity_tokens
    from core.trace_usage where trace_id = $trace_id
"""
_SAME_USAGE = " and ".join(
    f"requests.{column} is not distinct from usage.{column}"
    for column in (
        "provider",
        "sub_account_id",
        "region_id",
        "model",
        "service_tier",
        "context_min_tokens",
        "time_of_day_start",
        *OWNER_COLUMNS,
        "environment",
        "from_zone",
        "to_zone",
    )
)
_CALLS = f"""
    create or replace temp table calls as
    select usage.usage_id, requests.*
    from core.identified_requests as requests
    inner join core.request_usage as usage
        on requests.charge_date = usage.charge_date and {_SAME_USAGE}
    where (usage.charge_date, usage.usage_id) in (select (used.charge_date, used.usage_id) from used)
        and ($trace_id is null or requests.trace_id = $trace_id)
"""  # noqa: S608 (our own constants)
_LARGEST = """
    with classes as (select distinct charge_date, usage_id, token_class from used)
    select calls.started_at, calls.request_id, calls.trace_id, calls.provider, calls.model, calls.status, calls.feature,
        calls.user_id, calls.uncached_input_tokens, calls.cache_read_tokens, calls.output_tokens, calls.x_sources,
        min(prices.list_cost_currency) as list_cost_currency, sum(prices.list_cost) as list_cost,
        count(*) over () as total_count
    from calls
    left join classes on calls.charge_date = classes.charge_date and calls.usage_id = classes.usage_id
    left join core.priced_requests as prices
        on calls.charge_date = prices.charge_date and calls.request_id = prices.request_id
        and prices.token_class = coalesce(classes.token_class, prices.token_class)
    group by calls.started_at, calls.request_id, calls.trace_id, calls.provider, calls.model, calls.status,
        calls.feature, calls.user_id, calls.uncached_input_tokens, calls.cache_read_tokens, calls.output_tokens,
        calls.x_sources
    order by list_cost desc nulls last, calls.uncached_input_tokens + calls.output_tokens desc nulls last,
        calls.request_id
    limit $limit
"""


def build_calls(connection: duckdb.DuckDBPyConnection, trace_id: str | None, limit: int) -> Calls:
    """Read the calls that what stands in `selected` was shared by; those of the trace, if one was asked for."""
    if trace_id is None:
        connection.execute(_USED)
        connection.execute(_USED_BY_CAPACITY)
    else:
        connection.execute(_USED_BY_TRACE, {"trace_id": trace_id})
    connection.execute(_CALLS, {"trace_id": trace_id})
    return read_calls(connection, limit)


def read_calls(connection: duckdb.DuckDBPyConnection, limit: int) -> Calls:
    """Read what stands in the temporary tables `used` and `calls`."""
    return Calls(
        largest=with_short_ids(connection, read_part(connection, _LARGEST, {"limit": limit}), "trace_id"),
        sources=read_rows(
            connection,
            "select x_sources, count(*) as calls from calls group by x_sources order by calls desc, x_sources",
        ),
        levels=build_call_levels(connection),
    )
