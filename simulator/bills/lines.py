"""A bill line before its vendor writes it: what was sold to whom on which day, how much of it, and what it costs.

What belongs here: the columns that all vendors' lines have, pricing them, and the pool of use that each pays for. What
must not: a vendor's column names, meters or habits.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from simulator.bills.exact import multiply
from simulator.habits import Habits
from simulator.prices import contract_price

_UNDISCOUNTED = Habits.clean()
SCHEMA: dict[str, Any] = {
    "bill": pl.String,
    "use": pl.String,
    "day": pl.Date,
    "days": pl.Int64,
    "account": pl.String,
    "region": pl.String,
    "zone": pl.String,
    "to_region": pl.String,
    "resource": pl.String,
    "model": pl.String,
    "service_tier": pl.String,
    "context_band": pl.String,
    "token_class": pl.String,
    "route": pl.String,
    "principal": pl.String,
    "api_key_id": pl.String,
    "tags": pl.String,
    "service": pl.String,
    "meter": pl.String,
    "operation": pl.String,
    "description": pl.String,
    "instance_type": pl.String,
    "unit": pl.String,
    "quantity": pl.Int64,
    "digits": pl.Int64,
    "list_price": pl.Int64,
    "price": pl.Int64,
    "kind": pl.String,
    "currency": pl.String,
    "known_at": pl.Datetime("us"),
    "list_cost": pl.Int64,
    "billed": pl.Int64,
    "effective": pl.Int64,
}
"""`use` is the kind of use that a line pays for: tokens, hours, bytes, volume, other_usage, or what follows other cost:
tax, credit, refund, support, commitment, marketplace. `quantity` counts 10^-`digits` of `unit`; prices are 1e-12 of the
currency a unit, costs 1e-12 of it. `kind` is how the vendor counts the line: usage, covered, fee, credit, tax …"""

POOL_PARTS = (
    "use",
    "account",
    "region",
    "zone",
    "to_region",
    "resource",
    "model",
    "service_tier",
    "context_band",
    "token_class",
    "meter",
    "operation",
)
"""What tells pools apart: the level of detail that a vendor's bill reveals, principal and API key aside."""


def build_lines(frame: pl.DataFrame, **values: Any) -> pl.DataFrame:
    """Return a frame with all columns of SCHEMA: its own, then `values` for all rows, then null."""
    given = frame.with_columns(
        pl.lit(value, dtype=SCHEMA[name]).alias(name) for name, value in values.items()
    )
    missing = [
        pl.lit(None, dtype=kind).alias(name) for name, kind in SCHEMA.items() if name not in given.columns
    ]
    return given.with_columns(missing).select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())


def price_lines(lines: pl.DataFrame, cost_digits: int) -> pl.DataFrame:
    """Return lines with costs: quantity × list price, and × contracted price for billed and effective cost."""
    columns = {
        name: multiply(lines["quantity"], lines["digits"], lines[price], cost_digits)
        for name, price in (("list_cost", "list_price"), ("billed", "price"))
    }
    return lines.with_columns(
        columns["list_cost"].alias("list_cost"),
        columns["billed"].alias("billed"),
        columns["billed"].alias("effective"),
    )


def contract_lines(lines: pl.DataFrame, cloud: str, habits: Habits) -> pl.DataFrame:
    """Return lines whose `list_price`, stated in USD, is the bill's, with the price agreed on beside it.

    Lines that have a price keep both.
    """
    pairs = [
        (listed, price)
        if price is not None
        else (contract_price(listed, cloud, day, _UNDISCOUNTED), contract_price(listed, cloud, day, habits))
        for listed, price, day in lines.select("list_price", "price", "day").iter_rows()
    ]
    return lines.with_columns(
        pl.Series("list_price", [listed for listed, _ in pairs], dtype=pl.Int64),
        pl.Series("price", [price for _, price in pairs], dtype=pl.Int64),
    )


def name_pools(lines: pl.DataFrame) -> pl.DataFrame:
    """Return lines with `pool`, the text that names the pool of use that a line pays for; days tell pools apart too."""
    parts = [pl.col(name).fill_null("") for name in ("bill", *POOL_PARTS)]
    return lines.with_columns(pl.concat_str(parts, separator="|").alias("pool"))
