"""Everything that a simulated company's vendors and systems deliver, and its answer key.

What belongs here: the order of the work. What must not: any fact about the company, or a format.
"""

from __future__ import annotations

from pathlib import Path

from simulator.bills import write_bills
from simulator.company import Period
from simulator.habits import Habits
from simulator.logs import write_logs
from simulator.truth import write_truth
from simulator.world import World, build_world


def write_company(
    out: Path, period: Period, requests: int, seed: int, habits: Habits, truth: Path | None = None
) -> World:
    """Simulate `period` and write all deliveries below `out`, and the answer key to `truth` where it is given."""
    world = build_world(period, requests, seed, habits)
    write_bills(out, world)
    write_logs(out, world)
    if truth is not None:
        write_truth(world, truth)
    return world
