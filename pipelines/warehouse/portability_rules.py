"""The portable subset of SQL: one small function a rule, each looking at a parsed SELECT.

What belongs here: what may not stand in a model because engines differ on it, loudly or silently, and why.
What must not: exceptions (models_sql/portability_exceptions.yml), rendering, running SQL.

A rule is a generator of messages for one SELECT tree in DuckDB's dialect; `RULES` names them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sqlglot import exp

HOUSE_MACROS = frozenset({"idiv"})

PORTABLE_FUNCTIONS: tuple[type[exp.Expr], ...] = (
    exp.Abs,
    exp.And,
    exp.Avg,
    exp.Case,
    exp.Cast,
    exp.Ceil,
    exp.Chr,
    exp.Coalesce,
    exp.Concat,
    exp.Count,
    exp.DateDiff,
    exp.DateTrunc,
    exp.DenseRank,
    exp.Exists,
    exp.Extract,
    exp.FirstValue,
    exp.Floor,
    exp.Greatest,
    exp.If,
    exp.Lag,
    exp.LastDay,
    exp.LastValue,
    exp.Lead,
    exp.Least,
    exp.Length,
    exp.LogicalAnd,
    exp.LogicalOr,
    exp.Lower,
    exp.MD5,
    exp.Max,
    exp.Min,
    exp.Nullif,
    exp.Or,
    exp.Pad,
    exp.Rank,
    exp.RegexpExtract,
    exp.RegexpLike,
    exp.RegexpReplace,
    exp.Replace,
    exp.Round,
    exp.RowNumber,
    exp.SHA2,
    exp.Sign,
    exp.SplitPart,
    exp.StartsWith,
    exp.Substring,
    exp.Sum,
    exp.TimeToStr,
    exp.TimestampTrunc,
    exp.Trim,
    exp.TryCast,
    exp.Upper,
)
"""What Spark and DuckDB answer alike, as far as the rules below hold."""

RANKING = (
    exp.RowNumber,
    exp.Rank,
    exp.DenseRank,
    exp.Ntile,
    exp.PercentRank,
    exp.CumeDist,
    exp.Lag,
    exp.Lead,
    exp.FirstValue,
    exp.LastValue,
    exp.NthValue,
)
FRAMELESS = (
    exp.RowNumber,
    exp.Rank,
    exp.DenseRank,
    exp.Ntile,
    exp.PercentRank,
    exp.CumeDist,
    exp.Lag,
    exp.Lead,
)
FLOAT_TYPES = frozenset({exp.DType.FLOAT, exp.DType.DOUBLE})
PORTABLE_EXTRACTS = frozenset({"year", "quarter", "month", "day", "hour", "minute", "second"})


def check_syntax(tree: exp.Expr) -> Iterator[str]:
    """Clauses that only DuckDB has, or that Spark reads differently."""
    for node in tree.walk():
        if isinstance(node, exp.Join):
            yield from _check_join(node)
        elif isinstance(node, exp.Star) and any(
            node.args.get(key) for key in ("except_", "replace", "rename")
        ):
            yield f"`{_text(node)}`; list the columns"
        elif isinstance(node, exp.Ordered) and isinstance(node.this, exp.Var) and node.name.upper() == "ALL":
            yield "ORDER BY ALL; list the keys"
        for kind, argument, message in FORBIDDEN_CLAUSES:
            if isinstance(node, kind) and (argument is None or node.args.get(argument)):
                yield message


FORBIDDEN_CLAUSES: tuple[tuple[type[exp.Expr], str | None, str], ...] = (
    (exp.Qualify, None, "QUALIFY; rank in one CTE and filter in the next"),
    (exp.Group, "all", "GROUP BY ALL; list the keys"),
    (exp.Pivot, None, "PIVOT; write sums of case expressions"),
    (exp.Columns, None, "COLUMNS(); list the columns"),
    (exp.TableSample, None, "USING SAMPLE; a result must not be random"),
    (exp.Distinct, "on", "DISTINCT ON; rank in one CTE and filter in the next"),
    (exp.SetOperation, "by_name", "UNION BY NAME; list the columns in one order"),
)


def _check_join(join: exp.Join) -> Iterator[str]:
    method = (join.method or "").upper()
    if method in ("ASOF", "POSITIONAL"):
        yield f"{method} JOIN; join on a key and a half-open range"
    if join.args.get("using"):
        yield "JOIN USING; name both columns in ON"


def check_functions(tree: exp.Expr) -> Iterator[str]:
    """Functions outside the allow-list: lists, structs, clocks, any_value, percentiles, …"""
    for node in tree.walk():
        if isinstance(node, exp.Anonymous):
            if node.name.lower() not in HOUSE_MACROS:
                yield f"function {node.name.lower()}(); not on the allow-list"
        elif isinstance(node, (exp.Lambda, exp.Bracket, exp.WithinGroup, exp.Unnest)):
            yield f"{type(node).__name__.lower()} `{_text(node)}`; no lists or structs"
        elif isinstance(node, exp.Func) and not isinstance(node, PORTABLE_FUNCTIONS):
            yield f"function {type(node).__name__} `{_text(node)}`; not on the allow-list"
        elif isinstance(node, exp.Extract) and node.name.lower() not in PORTABLE_EXTRACTS:
            yield f"extract({node.name.lower()}); engines differ, use date_diff from a known Monday"
        elif isinstance(node, exp.DateDiff) and node.text("unit").lower() not in ("", "day"):
            yield f"date_diff('{node.text('unit').lower()}'); engines differ, only 'day' on dates"
        elif isinstance(node, (exp.DateTrunc, exp.TimestampTrunc)) and not isinstance(node.parent, exp.Cast):
            yield f"`{_text(node)}` without a cast; its type differs, write cast(date_trunc(…) as date)"
        elif isinstance(node, exp.RegexpReplace) and "g" not in node.text("modifiers"):
            yield "regexp_replace without 'g'; Spark replaces every match, DuckDB the first"


def check_division(tree: exp.Expr) -> Iterator[str]:
    """`/` and `//`: DECIMAL / DECIMAL is DOUBLE in DuckDB and rounded DECIMAL in Spark."""
    for node in tree.find_all(exp.Div, exp.IntDiv):
        yield f"division `{_text(node)}`; use idiv on scaled integers"


def check_floats(tree: exp.Expr) -> Iterator[str]:
    """Casts to binary floating point, and avg, which returns it."""
    for node in tree.find_all(exp.Cast, exp.TryCast):
        if node.to.this in FLOAT_TYPES:
            yield f"float `{_text(node)}`; cast to DECIMAL"
    for average in tree.find_all(exp.Avg):
        yield f"`{_text(average)}` is a float in DuckDB; divide sums with idiv"


def check_windows(tree: exp.Expr) -> Iterator[str]:
    """Windows that rank need an order; windows that accumulate need an explicit frame, never of intervals."""
    for window in tree.find_all(exp.Window):
        spec, order = window.args.get("spec"), window.args.get("order")
        function = window.this.this if isinstance(window.this, (exp.IgnoreNulls, exp.Filter)) else window.this
        if spec is not None and spec.find(exp.Interval):
            yield f"interval frame `{_text(window)}`; use ROWS, or RANGE over an integer day number"
        if isinstance(function, RANKING) and order is None:
            yield f"`{_text(window)}` ranks without ORDER BY; order by a unique key"
        if spec is not None and order is None:
            yield f"`{_text(window)}` has a frame without ORDER BY; order by a unique key"
        if order is not None and spec is None and not isinstance(function, FRAMELESS):
            yield f"`{_text(window)}` accumulates without a frame; say ROWS BETWEEN …"


def check_stars(tree: exp.Expr) -> Iterator[str]:
    """A bare star belongs to a CTE that imports or filters one relation; the final select has none."""
    final = set(map(id, _branches(tree)))
    columns = {cte.alias: tuple(cte.this.named_selects) for cte in tree.find_all(exp.CTE)}
    for select in tree.find_all(exp.Select):
        is_final = id(select) in final
        for projection in select.expressions:
            is_bare = isinstance(projection, exp.Star)
            is_qualified = isinstance(projection, exp.Column) and isinstance(projection.this, exp.Star)
            if is_final and (is_bare or is_qualified):
                yield f"`{_text(projection)}` in the final select; list the columns"
            elif is_bare and not (_is_import(select) or _is_stacked(select, columns)):
                yield f"`select *` of `{_text(select)}`; only a CTE that takes one relation whole may"


def check_aliases(tree: exp.Expr) -> Iterator[str]:
    """Every output column has a name, and no name is used in the select that makes it."""
    for query in (tree, *(cte.this for cte in tree.find_all(exp.CTE))):
        for projection in next(iter(_branches(query)), exp.Select()).expressions:
            if not isinstance(projection, (exp.Alias, exp.Column, exp.Star)):
                yield f"`{_text(projection)}` has no alias"
    for select in tree.find_all(exp.Select):
        yield from _find_alias_reuse(select)


def _find_alias_reuse(select: exp.Select) -> Iterator[str]:
    made: set[str] = set()
    for projection in select.expressions:
        yield from (
            f"alias `{name}` is used where it is made" for name in sorted(_bare_names(projection) & made)
        )
        if isinstance(projection, exp.Alias) and not _is_same_column(projection):
            made.add(projection.alias.lower())
    for clause in ("where", "group", "having"):
        part = select.args.get(clause)
        if part is not None:
            yield from (f"alias `{name}` is used in {clause}" for name in sorted(_bare_names(part) & made))


def _is_same_column(alias: exp.Alias) -> bool:
    return isinstance(alias.this, exp.Column) and alias.this.name.lower() == alias.alias.lower()


def _bare_names(node: exp.Expr) -> set[str]:
    """Columns without a table, but for those of subqueries, which have sources of their own."""
    found = node.walk(prune=lambda part: isinstance(part, exp.Query))
    return {part.name.lower() for part in found if isinstance(part, exp.Column) and not part.table}


def _branches(query: exp.Expr) -> Iterator[exp.Select]:
    """The selects that a query unites, left to right."""
    if isinstance(query, exp.SetOperation):
        yield from _branches(query.left)
        yield from _branches(query.right)
    elif isinstance(query, exp.Subquery):
        yield from _branches(query.this)
    elif isinstance(query, exp.Select):
        yield query


def _is_import(select: exp.Select) -> bool:
    source = select.args.get("from_")
    is_whole = source is not None and isinstance(source.this, exp.Table) and not select.args.get("joins")
    return is_whole and len(select.expressions) == 1 and isinstance(select.parent, exp.CTE)


def _is_stacked(select: exp.Select, columns: Mapping[str, tuple[str, ...]]) -> bool:
    """True in a CTE that unites whole CTEs which list the same columns in the same order."""
    union = select.parent
    while isinstance(union, exp.SetOperation) and isinstance(union.parent, exp.SetOperation):
        union = union.parent
    if not isinstance(union, exp.SetOperation) or not isinstance(union.parent, exp.CTE):
        return False
    branches = list(_branches(union))
    if not all(len(b.expressions) == 1 and b.args.get("from_") and not b.args.get("joins") for b in branches):
        return False
    listed = {columns.get(b.args["from_"].this.name, ("*",)) for b in branches}
    return len(listed) == 1 and "*" not in next(iter(listed))


def _text(node: exp.Expr) -> str:
    text = node.sql("duckdb")
    return text if len(text) <= 80 else f"{text[:79]}…"


RULES: Mapping[str, Callable[[exp.Expr], Iterator[str]]] = {
    "syntax": check_syntax,
    "function": check_functions,
    "division": check_division,
    "float": check_floats,
    "window": check_windows,
    "star": check_stars,
    "alias": check_aliases,
}
