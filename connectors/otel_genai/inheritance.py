"""What spans of one file know from each other: identity from parents, and which of nested calls is the call.

What belongs here: pure functions over the index of a file's spans (one row a span, in file order). What must
not: reading spans, tokens, or spans of other files (SQL heals those later).

Ancestors are found by pointer doubling: after k steps every row points 2^k ancestors up, so a chain of a
million spans takes twenty steps, and a row that still points somewhere after that hangs in a loop.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from connectors.otel_genai.schema import INHERITED_KEYS

INDEX_COLUMNS = (
    "trace_id",
    "span_id",
    "parent_span_id",
    "provider_request_id",
    "start_us",
    "is_call",
    "has_usage",
    *INHERITED_KEYS,
)


@dataclass(frozen=True)
class ResolvedSpans:
    """One row a span, in file order: inherited keys, what the span is to be; and what was odd."""

    frame: pl.DataFrame
    orphans: int
    loops: int
    repeated: int
    nested_calls: int


def resolve_spans(index: pl.DataFrame) -> ResolvedSpans:
    """Return what each span of a file inherits, and whether it is the one record of a model call.

    A key without a value comes from the nearest ancestor that has one, else from the root of the trace. A
    model call inside another one is one call seen at two depths: the deepest that reports usage is kept. Of
    two records of one attempt (provider's id, or trace and span id) the first that reports usage is kept.
    Columns: INHERITED_KEYS, `is_call`, `is_wrapper` (a call seen elsewhere), `is_repeated` (to be dropped).
    """
    is_repeated = _find_repeated(index)
    parent = _find_parents(index, is_repeated)
    is_orphan = index["parent_span_id"].is_not_null() & parent.is_null() & ~is_repeated
    ancestors, is_loop = _ancestor_steps(parent)
    nested = _find_nested(index, is_repeated, parent, ancestors, is_loop)
    inherited = _inherit(index, ancestors, _find_roots(index))
    frame = inherited.with_columns(
        (index["is_call"] & ~nested).alias("is_call"),
        nested.alias("is_wrapper"),
        is_repeated.alias("is_repeated"),
    )
    return ResolvedSpans(
        frame,
        int(is_orphan.sum()),
        int(is_loop.sum()),
        int(is_repeated.sum()),
        int((nested & ~is_repeated).sum()),
    )


def _find_repeated(index: pl.DataFrame) -> pl.Series:
    """Tell which rows record an attempt again: by trace and span, then among calls by the provider's id."""
    ordered = index.select(
        "trace_id", "span_id", "provider_request_id", "is_call", "has_usage"
    ).with_row_index("row")
    best_first = ordered.sort("has_usage", "row", descending=[True, False])
    has_ids = pl.col("trace_id").is_not_null() & pl.col("span_id").is_not_null()
    by_span = best_first.filter(has_ids).filter(~pl.struct("trace_id", "span_id").is_first_distinct())
    left = best_first.join(by_span.select("row"), on="row", how="anti", maintain_order="left")
    calls = left.filter(pl.col("is_call") & pl.col("provider_request_id").is_not_null())
    by_provider = calls.filter(~pl.col("provider_request_id").is_first_distinct())
    return ordered["row"].is_in(pl.concat([by_span["row"], by_provider["row"]]).implode())


def _find_parents(index: pl.DataFrame, is_repeated: pl.Series) -> pl.Series:
    """Return each row's parent as a row number, null for roots and for parents that are not in the file."""
    rows = index.select("trace_id", "span_id", "parent_span_id").with_row_index("row")
    candidates = rows.filter(~is_repeated | ~pl.struct("trace_id", "span_id").is_duplicated())
    targets = candidates.filter(pl.col("span_id").is_not_null()).unique(
        ["trace_id", "span_id"], keep="first", maintain_order=True
    )
    joined = rows.join(
        targets.select("trace_id", pl.col("span_id").alias("parent_span_id"), pl.col("row").alias("parent")),
        on=["trace_id", "parent_span_id"],
        how="left",
        maintain_order="left",
    )
    return joined["parent"]


def _ancestor_steps(parent: pl.Series) -> tuple[list[pl.Series], pl.Series]:
    """Return the pointers 1, 2, 4, … ancestors up, and which rows hang in or below a loop."""
    steps = [parent]
    limit = len(parent).bit_length()
    while steps[-1].null_count() < len(parent) and len(steps) <= limit:
        steps.append(steps[-1].gather(steps[-1]))
    return steps, steps[-1].is_not_null()


def _nearest(values: pl.Series, ancestors: list[pl.Series]) -> pl.Series:
    """Return for each row its own value, else the one of its nearest ancestor that has one."""
    for pointer in ancestors:
        values = pl.select(pl.coalesce(values, values.gather(pointer))).to_series()
    return values


def _find_roots(index: pl.DataFrame) -> pl.Series:
    """Return the row number of each row's trace root: the earliest span of its trace without a parent."""
    rows = index.select("trace_id", "parent_span_id", "start_us").with_row_index("row")
    roots = rows.filter(pl.col("parent_span_id").is_null() & pl.col("trace_id").is_not_null())
    first = roots.sort("start_us", "row").unique("trace_id", keep="first", maintain_order=True)
    joined = rows.join(
        first.select("trace_id", pl.col("row").alias("root")),
        on="trace_id",
        how="left",
        maintain_order="left",
    )
    return joined["root"]


def _inherit(index: pl.DataFrame, ancestors: list[pl.Series], root: pl.Series) -> pl.DataFrame:
    columns = []
    for key in INHERITED_KEYS:
        values = _nearest(index[key], ancestors)
        columns.append(pl.select(pl.coalesce(values, values.gather(root)).alias(key)).to_series())
    return pl.DataFrame(columns)


def _find_nested(
    index: pl.DataFrame,
    is_repeated: pl.Series,
    parent: pl.Series,
    ancestors: list[pl.Series],
    is_loop: pl.Series,
) -> pl.Series:
    """Tell which calls only repeat another: around one that reports usage, or inside one that alone does."""
    row = pl.int_range(len(index), eager=True, dtype=pl.UInt32)
    nothing = pl.repeat(None, len(index), dtype=pl.UInt32, eager=True)
    is_call = index["is_call"] & ~is_repeated & ~is_loop
    has_usage = is_call & index["has_usage"]
    call_above = _nearest(row.zip_with(is_call, nothing), ancestors).gather(parent)
    usage_above = _nearest(row.zip_with(has_usage, nothing), ancestors).gather(parent)
    wraps_usage = pl.repeat(False, len(index), dtype=pl.Boolean, eager=True)
    reached = call_above.filter(has_usage).drop_nulls().unique()
    while len(reached):
        wraps_usage = wraps_usage | row.is_in(reached.implode())
        above = call_above.gather(reached).drop_nulls().unique()
        reached = above.filter(~wraps_usage.gather(above))
    is_echo = ~has_usage & usage_above.is_not_null() & ~wraps_usage.gather(usage_above).fill_null(False)
    return is_call & (wraps_usage | is_echo)
