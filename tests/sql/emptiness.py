"""Tells of a SELECT, without running it, that it gives no rows because of the relations that hold none.

What belongs here: what follows from FROM, joins, set operations and grouping alone. What must not: anything that
looks at values; where it does not follow, the answer is no.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import sqlglot
from sqlglot import exp

SCALAR_MACROS = frozenset({"IDIV"})
"""Functions of ours that sqlglot does not know and that are no aggregates."""

IsEmpty = Callable[[str], bool]


def gives_no_rows(sql: str, is_empty: IsEmpty) -> bool:
    """True only where a SELECT cannot give a row, `is_empty` telling which relations `layer.name` hold none."""
    return _is_empty(_parse(sql), {}, is_empty)


@cache
def _parse(sql: str) -> exp.Expr:
    return sqlglot.parse_one(sql, read="duckdb")


def _is_empty(node: exp.Expr | None, known: Mapping[str, bool], is_empty: IsEmpty) -> bool:
    if node is None or node.args.get("pivots"):
        return False
    if isinstance(node, exp.Table):
        if not isinstance(node.this, exp.Identifier):
            return False
        return is_empty(f"{node.db}.{node.name}") if node.db else known.get(node.name.lower(), False)
    if isinstance(node, exp.Subquery):
        return not node.args.get("joins") and _is_empty(
            node.this, _read_with(node, known, is_empty), is_empty
        )
    if isinstance(node, exp.SetOperation):
        known = _read_with(node, known, is_empty)
        left, right = (_is_empty(side, known, is_empty) for side in (node.left, node.right))
        if isinstance(node, exp.Union):
            return left and right
        return left or (right and isinstance(node, exp.Intersect))
    if isinstance(node, exp.Select):
        known = _read_with(node, known, is_empty)
        return _keeps_empty(node) and _joins_to_nothing(node, known, is_empty)
    return False


def _read_with(node: exp.Expr, known: Mapping[str, bool], is_empty: IsEmpty) -> Mapping[str, bool]:
    """Which CTEs are empty; one that reads itself starts from nothing."""
    clause = node.args.get("with_") or node.args.get("with")
    if clause is None:
        return known
    found = dict(known)
    for cte in clause.expressions:
        name = cte.alias.lower()
        if clause.recursive:
            found[name] = True
        found[name] = _is_empty(cte.this, found, is_empty)
    return found


def _keeps_empty(select: exp.Select) -> bool:
    """False where a SELECT from nothing gives a row: aggregates without a key, totals of grouping sets."""
    group = select.args.get("group")
    if group is not None:
        totals = group.find(exp.Rollup, exp.Cube, exp.GroupingSets)
        return bool(group.expressions) and not totals and not group.args.get("all")
    if select.args.get("having"):
        return False
    return not any(_may_aggregate(node) for item in select.expressions for node in item.walk())


def _may_aggregate(node: exp.Expr) -> bool:
    if isinstance(node, exp.Anonymous):
        return node.name.upper() not in SCALAR_MACROS
    return isinstance(node, exp.AggFunc) and not isinstance(node.parent, exp.Window)


def _joins_to_nothing(select: exp.Select, known: Mapping[str, bool], is_empty: IsEmpty) -> bool:
    source = select.args.get("from_") or select.args.get("from")
    if source is None:
        return False
    empty = _is_empty(source.this, known, is_empty)
    nested = list(source.this.args.get("joins") or ()) if isinstance(source.this, exp.Table) else []
    for join in [*nested, *(select.args.get("joins") or ())]:
        right, side, kind = _is_empty(join.this, known, is_empty), join.side.upper(), join.kind.upper()
        if kind == "ANTI" or side == "LEFT":
            continue
        if side == "FULL":
            empty = empty and right
        elif side == "RIGHT":
            empty = right
        else:
            empty = empty or right
    return empty
