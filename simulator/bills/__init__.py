"""What the company's vendors bill: every line, with the pool of use that it pays for, and the files that deliver them.

What belongs here: one module a vendor for what it sells, one for how it writes lines. What must not: who used what
(`simulator.world`), or any import of the pipeline.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from simulator.apis.store import write_store
from simulator.bills import aws_monthly, azure, gcp, own
from simulator.bills.lines import name_pools
from simulator.bills.providers import build_lines_of_apis, build_tables
from simulator.world import World


def lines(world: World) -> dict[str, pl.DataFrame]:
    """Return the lines of each bill as its newest delivery states them, with `pool`: `bills.lines.SCHEMA` says more.

    The bills are aws, azure, gcp, openai, anthropic and own. Costs are 1e-12 of `currency`.
    """
    openai, anthropic = build_lines_of_apis(world.calls, world.period, world.habits)
    found = {
        "aws": aws_monthly.build_final_lines(world),
        "azure": azure.build_final_lines(world),
        "gcp": gcp.build_final_lines(world),
        "openai": openai,
        "anthropic": anthropic,
        "own": own.build_final_lines(world),
    }
    return {bill: name_pools(frame) for bill, frame in found.items()}


def write_bills(root: Path, world: World) -> None:
    """Write what vendors deliver as files below `root`/bills, and what the APIs answer from below `root`/apis."""
    folder = root / "bills"
    aws_monthly.write_bills(folder / "aws", world)
    azure.write_bills(folder / "azure", world)
    gcp.write_bills(folder / "gcp", world)
    own.write_cards(folder / "own", world)
    tables, organizations = build_tables(world.calls, world.period, world.habits)
    write_store(root, tables, organizations)
