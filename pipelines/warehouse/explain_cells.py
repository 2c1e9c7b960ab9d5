"""One cell with its two sides: bill lines that pay for it, who it was attributed to, and by what it was shared.

What belongs here: the queries over one cell. What must not: the selection (`explain.py`), or calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from pipelines.warehouse.explain_rows import EMPTY, Part, Row, read_part, read_rows, with_short_ids

if TYPE_CHECKING:
    import duckdb

_USAGE_METHODS = ("tokens", "list_price", "list_cost", "tool_uses", "requests")


@dataclass(frozen=True)
class CellExplanation:
    """One cell with its two sides: the bill lines that pay for it, and the rows that it was attributed to."""

    cell: Row
    charges: Part
    charged: Row  # Σ over all bill lines of the cell: billed_cost, effective_cost
    attributions: Part
    attributed: Row  # Σ over all fact rows of the cell
    usage: Part  # what it was shared by: usage by owner, measured bytes, hours of capacity, or the cost it follows
    usage_kind: str = "none"  # tokens, bytes, hours or followed
    rates: Part = EMPTY  # of an estimated cell: what it was learned from

    def difference(self, measure: str) -> Decimal | None:
        """Bill side minus attributed side; None for an estimated cell, which no bill line stands behind."""
        if self.cell["cost_state"] == "estimated":
            return None
        return (self.charged[measure] or Decimal(0)) - (self.attributed[measure] or Decimal(0))


def largest_cells(connection: duckdb.DuckDBPyConnection, limit: int) -> tuple[list[tuple[date, str]], int]:
    """Return day and id of the cells of `selected` with the most cost, and how many cells it has."""
    rows = connection.execute(
        "select charge_date, cell_id, count(*) over () from selected group by charge_date, cell_id "
        "order by abs(sum(effective_cost)) desc nulls last, charge_date, cell_id limit ?",
        [limit],
    ).fetchall()
    return [(row[0], row[1]) for row in rows], rows[0][2] if rows else 0


def explain_cell(
    connection: duckdb.DuckDBPyConnection, key: tuple[date, str], charge_id: str | None, limit: int
) -> CellExplanation:
    """Read both sides of a cell; the bill line asked for and the rows selected stand first."""
    parameters = {"day": key[0], "cell_id": key[1]}
    limited = {**parameters, "limit": limit}
    cell = read_rows(
        connection, "select * from core.cells where charge_date = $day and cell_id = $cell_id", parameters
    )[0]
    kind, usage = _shared_by(connection, cell, limit)
    return CellExplanation(
        cell=cell,
        charges=with_short_ids(
            connection, read_part(connection, _CELL_CHARGES, {**limited, "charge_id": charge_id}), "charge_id"
        ),
        charged=read_rows(connection, _SUM_OF.format(relation="core.charge_cells"), parameters)[0],
        attributions=read_part(connection, _CELL_ATTRIBUTIONS, limited),
        attributed=read_rows(connection, _SUM_OF.format(relation="core.attributed_costs"), parameters)[0],
        usage=usage,
        usage_kind=kind,
        rates=_rates(connection, cell, limit),
    )


def _shared_by(connection: duckdb.DuckDBPyConnection, cell: Row, limit: int) -> tuple[str, Part]:
    """Return by what the cell was shared, and its largest parts."""
    parameters = {"day": cell["charge_date"], "limit": limit}
    if cell.get("follows"):
        followed = _FOLLOWED.format(
            relation="core.tax_weights" if cell["follows"] == "invoice" else "core.shared_weights"
        )
        return "followed", read_part(connection, followed, {**parameters, "cell_id": cell["cell_id"]})
    if cell["pool_key"] is None:
        return "none", EMPTY
    parameters["pool_key"] = cell["pool_key"]
    if cell["method_id"] in _USAGE_METHODS:
        return "tokens", read_part(connection, _USAGE, {**parameters, "cell_id": cell["cell_id"]})
    if cell["method_id"] == "capacity_seconds":
        unmeasured = {"unmeasured": cell.get("missing_quantity")}
        return "hours", read_part(connection, _HOURS, parameters | unmeasured)
    return "bytes", read_part(connection, _WEIGHTS, parameters)


def _rates(connection: duckdb.DuckDBPyConnection, cell: Row, limit: int) -> Part:
    """Return what the settled days of the bill taught about an estimated cell."""
    if cell["cost_state"] != "estimated":
        return EMPTY
    names = (
        "bill_of_record",
        "provider",
        "cost_driver",
        "model",
        "token_class",
        "traffic_kind",
        "service_name",
    )
    values = {name: cell[name] for name in names}
    common = {**values, "day": cell["charge_date"], "limit": limit}
    if cell["method_id"] == "run_rate":
        return read_part(connection, _RUN_RATES, common | {"residual_reason": cell["residual_reason"]})
    return read_part(connection, _BILL_RATES, common | {"method_id": cell["method_id"]})


_SUM_OF = """
    select sum(billed_cost) as billed_cost, sum(effective_cost) as effective_cost
    from {relation} where charge_date = $day and cell_id = $cell_id
"""

_CELL_CHARGES = """
    select parts.charge_id, charges.rule_id, charges.charge_category, charges.charge_description, charges.sku_meter,
        charges.resource_id, charges.billed_cost as line_billed_cost, parts.billed_cost,
        parts.effective_cost, charges.x_source_file, count(*) over () as total_count,
        (select count(*) from core.charge_cells as days where days.charge_id = parts.charge_id) as line_days
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
    order by (weights.charge_date, weights.owner_id) in (
            select (charge_date, owner_id) from selected where residual_reason is null) desc,
        weights.bytes desc, weights.weight_id
    limit $limit
"""

_HOURS = """
    with measured as (
        select weights.owner_id, weights.residual_reason, sum(weights.weight) as microseconds,
            sum(weights.requests) as requests
        from core.capacity_weights as weights
        where weights.charge_date = $day and weights.pool_key = $pool_key
        group by weights.owner_id, weights.residual_reason
        union all
        select null, 'unmeasured_capacity', $unmeasured, null where $unmeasured > 0
    )
    select owners.feature, owners.endpoint, owners.user_id, owners.team, measured.residual_reason,
        cast(measured.microseconds as decimal(38, 0)) / 3600000000 as hours, measured.requests,
        count(*) over () as total_count
    from measured
    left join core.owners_dim as owners on measured.owner_id = owners.owner_id
    order by measured.residual_reason is null, measured.microseconds desc, measured.owner_id
    limit $limit
"""

_FOLLOWED = """
    select owners.feature, owners.endpoint, owners.user_id, owners.team, weights.residual_reason, weights.method_id,
        cast(weights.cost_weight as decimal(38, 0)) as weight,
        cast(sum(weights.cost_weight) over () as decimal(38, 0)) as all_weight, count(*) over () as total_count
    from {relation} as weights
    left join core.owners_dim as owners on weights.owner_id = owners.owner_id
    where weights.charge_date = $day and weights.cell_id = $cell_id
    order by weights.row_id in (select row_id from selected where charge_date = $day and cell_id = $cell_id) desc,
        weights.cost_weight desc, weights.row_id
    limit $limit
"""

_SAME_BILL = """rates.bill_of_record = $bill_of_record and rates.provider is not distinct from $provider
        and rates.cost_driver is not distinct from $cost_driver and rates.billing_period_start <= $day"""
_BILL_RATES = f"""
    select rates.rate_level, rates.settled_days_count, rates.logged_rate_ppb, rates.unlogged_rate_ppb,
        rates.billing_period_start, count(*) over () as total_count
    from core.bill_rates as rates
    where {_SAME_BILL} and rates.method_id = $method_id
        and (rates.model is null or rates.model is not distinct from $model)
        and (rates.token_class is null or rates.token_class is not distinct from $token_class)
        and (rates.traffic_kind is null or rates.traffic_kind is not distinct from $traffic_kind)
        and (rates.service_name is null or rates.service_name is not distinct from $service_name)
    order by rates.billing_period_start desc, rates.token_class is null, rates.model is null, rates.rate_key
    limit least($limit, 1)
"""  # noqa: S608 (our own constants)
_RUN_RATES = f"""
    select 'run_rate' as rate_level, rates.settled_days_count, rates.effective_cost,
        rates.billing_period_start, count(*) over () as total_count
    from core.bill_run_rates as rates
    where {_SAME_BILL} and rates.model is not distinct from $model
        and rates.traffic_kind is not distinct from $traffic_kind
        and rates.service_name is not distinct from $service_name
        and rates.residual_reason is not distinct from $residual_reason
        and $token_class is null
    order by rates.billing_period_start desc, rates.direct_owner_id
    limit least($limit, 1)
"""  # noqa: S608 (our own constants)
