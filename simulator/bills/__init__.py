"""What the company's vendors bill: every line, with the pool of use that it pays for, and the files that deliver them.

What belongs here: one module a vendor for what it sells, one for how it writes lines. What must not: who used what
(`simulator.world`), or any import of the pipeline.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import polars as pl

from simulator.apis.store import write_store
from simulator.bills import aws_monthly, azure, gcp, own
from simulator.bills.lines import name_pools
from simulator.bills.providers import build_lines_of_apis, build_tables
from simulator.world import World


def lines(world: World, today: date | None = None) -> dict[str, pl.DataFrame]:
    """Return the lines of each bill as its newest delivery states them, with `pool`: `bills.lines.SCHEMA` says more.

    The bills are aws, azure, gcp, openai, anthropic and own. Costs are 1e-12 of `currency`. `today` is the morning on
    which one looks, by default the one after the run; the APIs of OpenAI and Anthropic tell all days before it.
    """
    morning = today or world.period.end + timedelta(days=1)
    calls = world.calls.filter(pl.col("day") < pl.lit(morning))
    openai, anthropic = build_lines_of_apis(calls, world.period, world.habits)
    found = {
        "aws": aws_monthly.build_lines_known(world, morning),
        "azure": azure.build_lines_known(world, morning),
        "gcp": gcp.build_lines_known(world, morning),
        "openai": openai,
        "anthropic": anthropic,
        "own": own.build_lines_known(world, morning),
    }
    return {bill: name_pools(frame) for bill, frame in found.items()}


def write_bills(root: Path, world: World, today: date | None = None) -> None:
    """Write what vendors delivered as files below `root`/bills, and what the APIs answer from below `root`/apis.

    `today` is the morning up to which files are there, by default the one after the run: writing one morning after
    another into the same folder delivers day by day. The APIs have a clock of their own (`serve --now`).
    """
    morning = today or world.period.end + timedelta(days=1)
    folder = root / "bills"
    aws_monthly.write_bills(folder / "aws", world, morning)
    azure.write_bills(folder / "azure", world, morning)
    gcp.write_bills(folder / "gcp", world, morning)
    own.write_cards(folder / "own", world)
    tables, organizations = build_tables(world.calls, world.period, world.habits)
    write_store(root, tables, organizations)
