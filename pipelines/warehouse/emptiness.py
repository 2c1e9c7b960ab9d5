"""Tells of a SELECT, without running it, when it gives no rows because of the relations that hold none.

What belongs here: what follows from FROM, joins, set operations and grouping alone. What must not: anything that
looks at values; where it does not follow, the answer is no. Importing this module imports no parser.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlglot import exp

SCALAR_MACROS = frozenset({"IDIV"})
"""Functions of ours that sqlglot does not know and that are no aggregates."""

Condition = Any
"""True, False, a relation `layer.name` that must be empty, or `("all" | "any", condition, ...)`; as JSON, lists."""

IsEmpty = Callable[[str], bool]


def holds(condition: Condition, is_empty: IsEmpty) -> bool:
    """Whether a condition is met, `is_empty` telling which relations hold no rows."""
    if isinstance(condition, str):
        return is_empty(condition)
    if isinstance(condition, bool):
        return condition
    quantifier, *parts = condition
    return (all if quantifier == "all" else any)(holds(part, is_empty) for part in parts)


def find_condition(tree: exp.Expr) -> Condition:
    """The condition under which a parsed SELECT cannot give a row; False where none follows from its form."""
    return _condition(tree, {})


def _all(parts: Iterable[Condition]) -> Condition:
    return _combined("all", parts, False)


def _any(parts: Iterable[Condition]) -> Condition:
    return _combined("any", parts, True)


def _combined(quantifier: str, parts: Iterable[Condition], decisive: bool) -> Condition:
    """The parts as one condition, shortened: each once, nested ones of the same kind spread."""
    kept: dict[Condition, None] = {}
    for part in parts:
        if part is decisive:
            return decisive
        if isinstance(part, tuple) and part[0] == quantifier:
            kept.update(dict.fromkeys(part[1:]))
        elif not isinstance(part, bool):
            kept[part] = None
    if not kept:
        return not decisive
    return next(iter(kept)) if len(kept) == 1 else (quantifier, *kept)


def _condition(node: exp.Expr | None, known: Mapping[str, Condition]) -> Condition:
    from sqlglot import exp

    if node is None or node.args.get("pivots"):
        return False
    if isinstance(node, exp.Table):
        if not isinstance(node.this, exp.Identifier):
            return False
        return f"{node.db}.{node.name}" if node.db else known.get(node.name.lower(), False)
    if isinstance(node, exp.Subquery):
        return False if node.args.get("joins") else _condition(node.this, _read_with(node, known))
    if isinstance(node, exp.SetOperation):
        known = _read_with(node, known)
        left, right = (_condition(side, known) for side in (node.left, node.right))
        if isinstance(node, exp.Union):
            return _all((left, right))
        return _any((left, right)) if isinstance(node, exp.Intersect) else left
    if isinstance(node, exp.Select):
        known = _read_with(node, known)
        return _joined_condition(node, known) if _keeps_empty(node) else False
    return False


def _read_with(node: exp.Expr, known: Mapping[str, Condition]) -> Mapping[str, Condition]:
    """When each CTE is empty; one that reads itself starts from nothing."""
    clause = node.args.get("with_") or node.args.get("with")
    if clause is None:
        return known
    found = dict(known)
    for cte in clause.expressions:
        name = cte.alias.lower()
        if clause.recursive:
            found[name] = True
        found[name] = _condition(cte.this, found)
    return found


def _keeps_empty(select: exp.Select) -> bool:
    """False where a SELECT from nothing gives a row: aggregates without a key, totals of grouping sets."""
    from sqlglot import exp

    group = select.args.get("group")
    if group is not None:
        totals = group.find(exp.Rollup, exp.Cube, exp.GroupingSets)
        return bool(group.expressions) and not totals and not group.args.get("all")
    if select.args.get("having"):
        return False
    return not any(_may_aggregate(node) for item in select.expressions for node in item.walk())


def _may_aggregate(node: exp.Expr) -> bool:
    from sqlglot import exp

    if isinstance(node, exp.Anonymous):
        return node.name.upper() not in SCALAR_MACROS
    return isinstance(node, exp.AggFunc) and not isinstance(node.parent, exp.Window)


def _joined_condition(select: exp.Select, known: Mapping[str, Condition]) -> Condition:
    from sqlglot import exp

    source = select.args.get("from_") or select.args.get("from")
    if source is None:
        return False
    empty = _condition(source.this, known)
    nested = list(source.this.args.get("joins") or ()) if isinstance(source.this, exp.Table) else []
    for join in [*nested, *(select.args.get("joins") or ())]:
        right, side, kind = _condition(join.this, known), join.side.upper(), join.kind.upper()
        if kind == "ANTI" or side == "LEFT":
            continue
        if side == "FULL":
            empty = _all((empty, right))
        elif side == "RIGHT":
            empty = right
        else:
            empty = _any((empty, right))
    return empty
