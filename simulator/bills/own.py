"""What own hardware costs: a rate card of the machine in Oslo, and what it comes to a day.

What belongs here: the card and its hourly costs. What must not: how busy the machine was.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl

from simulator.bills.lines import build_lines
from simulator.company import GPU_HOSTS
from simulator.prices import as_units
from simulator.world import World

HOURLY = {"capex": "0.52", "power": "0.26", "space": "0.15"}
"""USD an hour: (12,400 − 2,000) ÷ 20,000 hours; 1 kW × 1.3 × 0.20 a kWh; 109.50 a month × 12 ÷ 8,760 hours."""

_COLUMNS = (
    "resource_id,resource_kind,site,zone,currency,valid_from,capex_amount,residual_value,life_hours,power_watts,pue,"
    "price_per_kwh,space_per_month"
)


def write_cards(root: Path, world: World) -> None:
    """Write the rate card of each machine of our own, valid from the first day of the run."""
    root.mkdir(parents=True, exist_ok=True)
    start = f"{world.period.start}T00:00:00Z"
    rows = [
        f"{host.resource_id},gpu_host,oslo,{host.zone},USD,{start},12400,2000,20000,1000,1.3,0.20,109.50"
        for host in GPU_HOSTS
        if host.account == "own_oslo"
    ]
    (root / "own-hardware.csv").write_text("\n".join([_COLUMNS, *rows]) + "\n")


def build_lines_known(world: World, today: date) -> pl.DataFrame:
    """Return a line a machine, kind of cost and day that was over on the morning of `today`."""
    rows = [
        (day, host.resource_id, host.zone, kind, 24 * as_units(amount))
        for day in world.period.days
        if day < today
        for host in GPU_HOSTS
        if host.account == "own_oslo"
        for kind, amount in HOURLY.items()
    ]
    frame = pl.DataFrame(rows, schema=("day", "resource", "zone", "meter", "billed"), orient="row")
    cost = pl.col("billed")
    return build_lines(
        frame.with_columns(cost.alias("list_cost"), cost.alias("effective")), bill="own", use="hours", days=1,
        kind="usage", account="own_oslo", region="oslo", currency="USD", operation="", unit="hours", digits=0,
        quantity=24,
    )  # fmt: skip
