"""JSON written by whole columns: a million objects as one concatenation of strings.

What belongs here: expressions that become JSON text. What must not: the fields of any vendor.

Texts are not escaped: `check_plain` refuses what would need it, once a column.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl


def check_plain(frame: pl.DataFrame, columns: Iterable[str]) -> None:
    """Raise ValueError when a text column holds what JSON would have to escape."""
    for name in columns:
        if frame.schema[name] == pl.String and frame[name].str.contains(r'["\\\x00-\x1f]').any():
            raise ValueError(f"simulator: column {name} holds a quote, backslash or control character")


def text(value: pl.Expr) -> pl.Expr:
    """A JSON string; null stays null."""
    return pl.concat_str(pl.lit('"'), value, pl.lit('"'))


def number(value: pl.Expr) -> pl.Expr:
    """A JSON number; null stays null."""
    return value.cast(pl.String)


def listed(items: pl.Expr) -> pl.Expr:
    """A JSON list of the items that stand in `items` already, separated by commas."""
    return pl.concat_str(pl.lit("["), items, pl.lit("]"))


def record(members: Mapping[str, pl.Expr]) -> pl.Expr:
    """A JSON object of members that are JSON themselves; a member that is null is left out."""
    parts = [pl.concat_str(pl.lit(f'"{name}":'), value) for name, value in members.items()]
    return pl.concat_str(pl.lit("{"), joined(parts), pl.lit("}"))


def joined(parts: Iterable[pl.Expr]) -> pl.Expr:
    """Those of the parts that are not null, separated by commas."""
    return pl.concat_str(list(parts), separator=",", ignore_nulls=True)


def stamp(value: pl.Expr, *, digits: int = 3) -> pl.Expr:
    """A datetime as ISO 8601 in UTC with `digits` decimals of a second (0, 3 or 6)."""
    point = "" if digits == 0 else f"%.{digits}f"
    return value.dt.strftime(f"%Y-%m-%dT%H:%M:%S{point}Z")
