"""Until when a bill is known that is asked for day by day: a file a reading, written once and never changed.

What belongs here: keeping readings, and which were known at a time. What must not: asking a vendor, or what follows
for a bill (`pipelines.night.inputs`). An equal answer delivers nothing, so deliveries alone do not tell.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import orjson

from connectors.common.contract import BillReading, TerminalError
from connectors.common.delivery_records import write_json
from connectors.common.digests import build_digest


def write_reading(folder: Path, reading: BillReading) -> None:
    """Write a reading down, unless one of its time or before says as much."""
    if any(
        known.part == reading.part and known.read_until >= reading.read_until
        for known in read_readings(folder, reading.read_at)
    ):
        return
    content = {
        "part": reading.part,
        "read_at": reading.read_at.isoformat(),
        "read_until": reading.read_until.isoformat(),
    }
    name = f"{reading.read_at:%Y%m%dT%H%M%S%f}-{build_digest(*content.values())}"
    write_json(folder / f"{name}.json", content)


def read_readings(folder: Path, known_at: datetime | None) -> tuple[BillReading, ...]:
    """Return the readings made by a time (None: all), oldest first. Raises TerminalError where one is damaged."""
    readings = []
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        try:
            content = orjson.loads(path.read_bytes())
            times = (datetime.fromisoformat(content[name]) for name in ("read_at", "read_until"))
            reading = BillReading(str(content["part"]), *times)
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise TerminalError(
                f"{path} is damaged; remove it: the next run reads the bill again, and says until when it is known"
            ) from error
        if known_at is None or reading.read_at <= known_at:
            readings.append(reading)
    return tuple(readings)
