"""Which accounts and periods a bill file covers, read from two of its columns.

What belongs here: a first look at files of which nothing says what belongs together. What must not: typing lines.
"""

from __future__ import annotations

import pyarrow.compute as pc

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
            months = pc.strftime(starts, format="%Y-%m")
            names = pc.binary_join_element_wise(accounts.dictionary_decode(), months, "|")
            scopes.update(pc.unique(names).drop_null().to_pylist())
    except FileFault:
        return frozenset(scopes), False
    return frozenset(scopes), True
