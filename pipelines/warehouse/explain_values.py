"""Values of a dimension as people type them: which one was meant where there is none of that name.

What belongs here: looking up what a release knows of a dimension. What must not: which costs have it (`explain.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

_RELATIONS = {"owners": "core.owners_dim", "cells": "core.cells", "fact": "core.attributed_costs"}
_MOST_VALUES = 5_000


def suggest_values(
    connection: duckdb.DuckDBPyConnection, columns: Mapping[str, str], given: Mapping[str, str]
) -> str:
    """Return a sentence for each value given that the release does not know, with those that are written alike.

    `columns` maps a dimension to its column, such as `owners.feature`; 'none' asks for cost without a value.
    """
    sentences = []
    for name, value in sorted(given.items()):
        alias, _, column = columns[name].partition(".")
        if alias not in _RELATIONS or not column.isidentifier():
            continue
        found = connection.execute(
            f"select distinct {column} from {_RELATIONS[alias]} where {column} is not null "  # noqa: S608 (ours)
            f"order by 1 limit {_MOST_VALUES}"
        ).fetchall()
        known = [str(row[0]) for row in found]
        if value == "none" or value in known:
            continue
        alike = " or ".join(repr(match) for match in get_close_matches(value, known, n=3))
        question = f" Did you mean {alike}?" if alike else ""
        sentences.append(f" It knows no {name.replace('_', ' ')} {value!r}.{question}")
    return "".join(sentences)
