"""Partition keys and the half-open date windows they stand for.

What belongs here: pure arithmetic on 'YYYY-MM-DD', 'YYYY-MM' and 'all'. What must not: a clock, files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta

ALL = "all"
Window = tuple[date, date]


def window_of(key: str) -> Window:
    """The half-open window of a day or month key: '2026-11' is (2026-11-01, 2026-12-01)."""
    if len(key) == 7:
        first = date(int(key[:4]), int(key[5:]), 1)
        return first, next_month(first)
    day = date.fromisoformat(key)
    return day, day + timedelta(days=1)


def next_month(first: date) -> date:
    """The first day of the month after the one that begins on `first`."""
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)


def keys_between(unit: str, start: date, end: date) -> Iterator[str]:
    """Keys of the days or months that the half-open window touches, in order."""
    if unit == "day":
        day = start
        while day < end:
            yield day.isoformat()
            day += timedelta(days=1)
        return
    month = start.replace(day=1)
    while month < end:
        yield month.isoformat()[:7]
        month = next_month(month)


def convert_key(key: str, unit: str) -> Iterable[str]:
    """The keys of `unit` that cover a day or month key."""
    if (len(key) == 10) == (unit == "day"):
        return (key,)
    return (key[:7],) if unit == "month" else keys_between(unit, *window_of(key))
