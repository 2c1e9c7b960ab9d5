"""Numbers of identical lines, in little memory: eight bytes a line, on disk where there are many.

What belongs here: which line is the first, second, … of its digest. What must not: what a digest is.
"""

from __future__ import annotations

import mmap
import tempfile

import numpy as np
import numpy.typing as npt

from connectors.common.bills.line_digests import Words

_LARGEST_RUN = 4_000_000
_SMALLEST_ON_DISK = 1_500_000


class _RunOnDisk:
    """A sorted run in a file without a name; its pages leave the memory after each look."""

    def __init__(self, run: Words) -> None:
        with tempfile.TemporaryFile() as file:
            run.tofile(file)
            file.flush()
            self._pages = mmap.mmap(file.fileno(), run.nbytes, access=mmap.ACCESS_READ)
        self._words = np.frombuffer(self._pages, np.uint64)

    def contains(self, ordered: Words) -> npt.NDArray[np.bool_]:
        """Tell which of some sorted words are in the run."""
        found = _is_in(self._words, ordered)
        if hasattr(mmap, "MADV_DONTNEED"):
            self._pages.madvise(mmap.MADV_DONTNEED)
        return found


class OccurrenceCounter:
    """Counts how often each digest came so far.

    The second words of all digests seen are kept in sorted runs (merged while small, so that there are few); only
    digests whose word was seen before are counted one by one. Two different digests that share that word by
    chance (about n^2 / 2^65: one bill of 20 million lines in 100,000) may be numbered as if they were one: their
    ids stay unique, as each holds its whole digest.
    """

    def __init__(self) -> None:
        self._runs: list[Words] = []
        self._on_disk: list[_RunOnDisk] = []
        self._counts: dict[bytes, int] = {}

    def number(self, digests: Words) -> npt.NDArray[np.int64] | None:
        """Return the occurrence number of each line, None when all are 1."""
        words = digests[1]
        order = np.argsort(words, kind="stable")
        ordered = words[order]
        is_repeated = np.zeros(len(words), bool)
        is_repeated[1:] = ordered[1:] == ordered[:-1]
        for run in self._runs:
            is_repeated |= _is_in(run, ordered)
        for stored in self._on_disk:
            is_repeated |= stored.contains(ordered)
        self._add(ordered)
        if not is_repeated.any():
            return None
        return self._count(digests, order[is_repeated])

    def _count(self, digests: Words, repeated: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Number the lines whose word was there before, in their order."""
        numbers = np.ones(digests.shape[1], np.int64)
        for line in np.sort(repeated).tolist():
            key = digests[:, line].tobytes()
            numbers[line] = self._counts[key] = self._counts.get(key, 1) + 1
        return numbers

    def _add(self, ordered: Words) -> None:
        run = ordered
        while (
            self._runs
            and len(self._runs[-1]) <= 2 * len(run)
            and len(self._runs[-1]) + len(run) <= _LARGEST_RUN
        ):
            run = np.sort(np.concatenate([self._runs.pop(), run]), kind="stable")
        if len(run) < _SMALLEST_ON_DISK:
            self._runs.append(run)
        else:
            self._on_disk.append(_RunOnDisk(run))


def _is_in(run: Words, ordered: Words) -> npt.NDArray[np.bool_]:
    places = np.searchsorted(run, ordered)
    places[places == len(run)] = 0
    return run[places] == ordered
