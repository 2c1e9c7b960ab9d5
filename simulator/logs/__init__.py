"""What observers of the simulated company deliver: spans, gateway and provider logs, measurements, inventories.

What belongs here: each emitter's own file format, and which call stands in which file. What must not: who did what
(`simulator.world`), money (`simulator.bills`), or any import of the pipeline.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import polars as pl

from simulator.company import midnight
from simulator.logs.inventories import write_inventories
from simulator.logs.measurements import write_measurements
from simulator.logs.otlp import write_lines, write_parquet
from simulator.logs.requests import write_request_logs
from simulator.logs.sightings import EMITTERS, delivered
from simulator.logs.spans import iterate_spans
from simulator.world import World

__all__ = ["EMITTERS", "LARGE_WORLD_CALLS", "delivered", "write_logs"]

LARGE_WORLD_CALLS = 200_000
"""From so many calls on spans are written as Parquet of the ClickHouse exporter, which holds the same in a fortieth."""


def write_logs(
    root: Path,
    world: World,
    *,
    today: date | None = None,
    spans_format: str = "auto",
    file_period: str = "1w",
    hours_per_object: int = 24,
) -> None:
    """Write all that is no bill below `root`.

    `today` is the morning up to which emitters have delivered (default: all is there); one morning after another
    written into one folder delivers day by day, and leaves files alone to which nothing came.
    `spans_format`: `json` (the collector's file exporter), `parquet` (ClickHouse exporter) or `auto` by size; a span
    stands in the file of the UTC day on which it ended. `file_period` and `hours_per_object` say how much time
    measurements, and objects of clouds' request logs, hold: vendors write smaller ones (`1d`, 1).
    Raises ValueError for another format.
    """
    if spans_format not in ("auto", "json", "parquet"):
        raise ValueError(f"spans_format is {spans_format!r}; it is one of auto, json, parquet")
    is_large = len(world.calls) >= LARGE_WORLD_CALLS
    is_parquet = spans_format == "parquet" or (spans_format == "auto" and is_large)
    known = world if today is None else _see_until(world, midnight(today))
    for day, spans in iterate_spans(known):
        if is_parquet:
            write_parquet(root / "traces" / f"{day}.parquet", spans)
        else:
            write_lines(root / "traces" / f"{day}.jsonl", spans)
    write_request_logs(root, known, hours_per_object=hours_per_object)
    write_measurements(root, known, file_period=file_period)
    write_inventories(root, known)


def _see_until(world: World, now: datetime) -> World:
    """The world as far as it has happened: what ended, was measured or was done before `now`."""
    return replace(
        world,
        calls=world.calls.filter(pl.col("ended_at") < now),
        spans=world.spans.filter(pl.col("ended_at") < now),
        transfers=world.transfers.filter(pl.col("window_end") <= now),
        telemetry=world.telemetry.filter(pl.col("day") < now.date()),
        capacity_hours=world.capacity_hours.filter(pl.col("hour") < now),
        events=world.events.filter(pl.col("event_at") < now),
    )
