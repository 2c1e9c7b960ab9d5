"""Which accounts and periods a bill file covers, read from two of its columns.

What belongs here: a first look at files of which nothing says what belongs together. What must not: typing lines.
"""

from __future__ import annotations

from itertools import islice

import pyarrow.compute as pc

from connectors.common.bills.lines import build_scopes
from connectors.common.bills.readers import read_batches
from connectors.common.bills.values import read_text, read_values
from connectors.common.datasets import INSTANT
from connectors.common.source_files import FileFault, SourceFile


def read_scopes(file: SourceFile, account: str, period_start: str) -> tuple[frozenset[str], bool]:
    """Return the scopes (`account|YYYY-MM`) of a file as far as they can be read, and whether all of it could be.

    `account` and `period_start` are delivered columns.
    """
    scopes: set[str] = set()
    try:
        for batch in read_batches(file, wanted=frozenset({account, period_start})):
            if account not in batch.columns or period_start not in batch.columns:
                return frozenset(), False
            accounts = read_text(batch.columns[account])
            starts = read_values(batch.columns[period_start], INSTANT).values
            is_whole = pc.and_(accounts.is_valid(), starts.is_valid())
            found, _ = build_scopes(accounts.filter(is_whole), starts.filter(is_whole))
            scopes.update(found)
    except FileFault:
        return frozenset(scopes), False
    return frozenset(scopes), True


def has_lines(file: SourceFile) -> bool:
    """Tell whether a file has any line (True where that cannot be read: who lands it will say)."""
    try:
        return any(batch.rows for batch in islice(read_batches(file), 1))
    except FileFault:
        return True
