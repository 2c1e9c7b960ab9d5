"""Rows of a release as records, and the largest of many.

What belongs here: running a query of ours with bound values. What must not: any query.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.warehouse.explain_ids import short_ids

if TYPE_CHECKING:
    import duckdb

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Part:
    """The largest rows of a table, and how many there are."""

    rows: tuple[Row, ...]
    count: int


EMPTY = Part((), 0)


def read_part(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, Any]) -> Part:
    """Return the rows of a query whose column `total_count` says how many there are without its limit."""
    rows = read_rows(connection, sql, parameters)
    return Part(rows, rows[0]["total_count"] if rows else 0)


def read_rows(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, Any] | Sequence[Any] = ()
) -> tuple[Row, ...]:
    """Return the rows of a query by column name."""
    cursor = connection.execute(sql, parameters or None)
    names = [column[0] for column in cursor.description or []]
    return tuple(dict(zip(names, values, strict=True)) for values in cursor.fetchall())


def with_short_ids(connection: duckdb.DuckDBPyConnection, part: Part, name: str) -> Part:
    """Add `short_id` to the rows: what a person may paste for the id `name`."""
    short = short_ids(connection, name, [row[name] for row in part.rows])
    rows = tuple({**row, "short_id": value} for row, value in zip(part.rows, short, strict=True))
    return Part(rows, part.count)
