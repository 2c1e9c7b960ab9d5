"""Samples of line keys that tell whether two files hold the same lines.

What belongs here: the sample and its comparison. What must not: what follows from it.
"""

from __future__ import annotations

import numpy as np

from connectors.common.bills.line_digests import Words

_KEPT = 4096


class LineSketch:
    """The smallest distinct words of the line keys of a file: the same sample of equal lines in every file."""

    def __init__(self) -> None:
        self._words: Words = np.zeros(0, np.uint64)

    def add(self, words: Words) -> None:
        """Add lines by a word of their key."""
        self._words = np.unique(np.concatenate([self._words, words]))[:_KEPT]

    def is_doubled_in(self, other: LineSketch) -> bool:
        """Tell whether the two share more than half of the lines of the smaller one (exact up to 4096 lines)."""
        mine, theirs = self._words, other._words
        if len(mine) == _KEPT or len(theirs) == _KEPT:
            ends = [words[-1] for words in (mine, theirs) if len(words) == _KEPT]
            mine, theirs = mine[mine <= min(ends)], theirs[theirs <= min(ends)]
        shared = len(np.intersect1d(mine, theirs, assume_unique=True))
        return 2 * shared > min(len(mine), len(theirs))


def find_doubles(sketches: dict[str, LineSketch]) -> list[tuple[str, str]]:
    """Return (earlier, later by name) pairs of files that share more than half of their lines.

    A file that doubles one is not compared further, so a chain of daily snapshots leaves the first.
    """
    accepted: list[str] = []
    doubled: list[tuple[str, str]] = []
    for name in sorted(sketches):
        twin = next((first for first in accepted if sketches[first].is_doubled_in(sketches[name])), None)
        if twin is None:
            accepted.append(name)
        else:
            doubled.append((twin, name))
    return doubled
