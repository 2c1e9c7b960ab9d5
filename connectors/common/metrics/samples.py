"""What a sample of a metric is, and how counters and gauges add up over hours.

What belongs here: pure arithmetic on samples in integers, times in microseconds since 1970 UTC. What must not: reading
files, names of metrics, landing.

An interval is what lies between two samples of one series that follow each other. One longer than the longest gap is
unknown: it adds nothing, neither busy time nor idle. A counter that is lower than before began again at zero, so all
that it shows is new.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

HOUR = 3_600_000_000
DAY = 24 * HOUR
UNITS = 1_000_000
"""Values are kept in millionths."""


@dataclass(frozen=True)
class Interval:
    """What a series did between two samples: `change` of a counter, `before` is the value at the start."""

    start: int
    end: int
    before: int
    change: int


@dataclass
class Series:
    """One series: its name, its labels and its samples (time, value in millionths) in no order."""

    name: str
    labels: dict[str, str]
    samples: list[tuple[int, int]] = field(default_factory=list)

    def intervals(self, longest_gap: int) -> Iterator[Interval]:
        """Yield the known intervals in order of time.

        Of several samples at one time the highest counts: two scrapers tell of one moment, the later one more.
        """
        last: tuple[int, int] | None = None
        for time, value in sorted(self.samples):
            if last is not None and time > last[0]:
                if time - last[0] <= longest_gap:
                    change = value - last[1] if value >= last[1] else value
                    yield Interval(last[0], time, last[1], change)
            last = (time, value)


def split_by_hour(start: int, end: int, amount: int) -> Iterator[tuple[int, int, int]]:
    """Yield (hour, time in it, part of the amount): parts by time, cumulatively rounded, so that they add up."""
    length, done = end - start, 0
    at = start
    while at < end:
        hour = at - at % HOUR
        until = min(end, hour + HOUR)
        share = amount * (until - start) // length
        yield hour, until - at, share - done
        done = share
        at = until


def sum_by_hour(series: Iterable[Series], longest_gap: int) -> dict[int, int]:
    """Return hour → what counters grew by, in millionths."""
    total: dict[int, int] = {}
    for one in series:
        for interval in one.intervals(longest_gap):
            for hour, _, part in split_by_hour(interval.start, interval.end, interval.change):
                total[hour] = total.get(hour, 0) + part
    return total


def merge_gauges(series: Iterable[Series]) -> Series:
    """Return the sum of gauges of one target at each time that any of them was sampled."""
    at: dict[int, int] = {}
    for one in series:
        own: dict[int, int] = {}
        for time, value in one.samples:
            own[time] = max(value, own.get(time, 0))
        for time, value in own.items():
            at[time] = at.get(time, 0) + value
    return Series("", {}, sorted(at.items()))
