"""What spans of one file know from each other: identity from parents, the call around a span, where a chain leaves.

What belongs here: pure functions over the index of a file's spans (one row a span, in file order). What must
not: reading spans, tokens, spans of other files, or deciding which of nested calls counts: SQL does both
(`staging.span_links`), so that it does not matter how spans are split into files.

Ancestors are found by pointer doubling: after k steps every row points 2^k ancestors up, so a chain of a
million spans takes twenty steps, and a row that still points somewhere after that hangs in a loop.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from connectors.otel_genai.schema import INHERITED_KEYS
from connectors.otel_genai.spans import GIVEN

GIVEN_KEYS = tuple(GIVEN + key for key in INHERITED_KEYS)
INDEX_COLUMNS = (
    "trace_id",
    "span_id",
    "parent_span_id",
    "end_us",
    "is_call",
    "has_usage",
    *INHERITED_KEYS,
    *GIVEN_KEYS,
)


@dataclass(frozen=True)
class ResolvedSpans:
    """One row a span, in file order: what it inherits and what is around it; and what was odd."""

    frame: pl.DataFrame
    orphans: int
    loops: int
    repeated: int
    nested_calls: int


def resolve_spans(index: pl.DataFrame) -> ResolvedSpans:
    """Return what each span of a file inherits and where it stands.

    A key without a value comes from the nearest ancestor whose own attributes have one; where none has, from the
    resource of the span, then of its nearest ancestor. Of several records of one span (trace and span id) the one
    with usage that ends last is kept. Columns: INHERITED_KEYS, `resource_keys` (the keys that resources gave, as
    `,environment,`, else null), `enclosing_call_span_id`, `unresolved_parent_span_id` (the first ancestor that is
    not in the file), `is_repeated` (to be dropped).
    """
    is_repeated = _find_repeated(index)
    parent = _find_parents(index, is_repeated)
    ancestors, is_loop = _ancestor_steps(parent)
    top = _find_top(parent, ancestors)
    outside = index["parent_span_id"].gather(top)
    unresolved = outside.zip_with(parent.gather(top).is_null(), pl.Series([None], dtype=pl.String))
    is_call = index["is_call"] & ~is_repeated
    row = pl.int_range(len(index), eager=True, dtype=pl.UInt32)
    nothing = pl.repeat(None, len(index), dtype=pl.UInt32, eager=True)
    call_above = _nearest(row.zip_with(is_call, nothing), ancestors).gather(parent)
    frame = _inherit(index, ancestors).with_columns(
        index["span_id"].gather(call_above).alias("enclosing_call_span_id"),
        unresolved.alias("unresolved_parent_span_id"),
        is_repeated.alias("is_repeated"),
    )
    is_orphan = index["parent_span_id"].is_not_null() & parent.is_null() & ~is_repeated
    return ResolvedSpans(
        frame,
        int(is_orphan.sum()),
        int(is_loop.sum()),
        int(is_repeated.sum()),
        int((is_call & call_above.is_not_null()).sum()),
    )


def _find_repeated(index: pl.DataFrame) -> pl.Series:
    """Tell which rows record a span again; of its records the one with usage, then the last to end, counts."""
    ids = index.select("trace_id", "span_id", "has_usage", "end_us").with_row_index("row")
    named = ids.filter(pl.col("trace_id").is_not_null() & pl.col("span_id").is_not_null())
    several = named.filter(pl.struct("trace_id", "span_id").is_duplicated())
    best_first = several.sort("has_usage", "end_us", "row", descending=[True, True, False], nulls_last=True)
    again = best_first.filter(~pl.struct("trace_id", "span_id").is_first_distinct())
    return ids["row"].is_in(again["row"].implode())


def _find_parents(index: pl.DataFrame, is_repeated: pl.Series) -> pl.Series:
    """Return each row's parent as a row number, null for roots and for parents that are not in the file."""
    rows = index.select("trace_id", "span_id", "parent_span_id").with_row_index("row")
    targets = rows.filter(~is_repeated & pl.col("span_id").is_not_null() & pl.col("trace_id").is_not_null())
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


def _find_top(parent: pl.Series, ancestors: list[pl.Series]) -> pl.Series:
    """Return for each row the last row of its chain of parents; a row of a loop gets some row of it."""
    top = pl.int_range(len(parent), eager=True, dtype=pl.UInt32)
    for pointer in reversed(ancestors):
        top = pl.select(pl.coalesce(pointer.gather(top), top)).to_series()
    return top


def _nearest(values: pl.Series, ancestors: list[pl.Series]) -> pl.Series:
    """Return for each row its own value, else the one of its nearest ancestor that has one."""
    for pointer in ancestors:
        if not values.null_count() or values.null_count() == len(values):
            break
        values = pl.select(pl.coalesce(values, values.gather(pointer))).to_series()
    return values


def _inherit(index: pl.DataFrame, ancestors: list[pl.Series]) -> pl.DataFrame:
    columns: list[pl.Series] = []
    listed: list[pl.Expr] = []
    for key in INHERITED_KEYS:
        own = _nearest(index[key], ancestors)
        given = _nearest(index[GIVEN + key], ancestors)
        if given.null_count() == len(given):
            columns.append(own.rename(key))
            continue
        is_given = own.is_null() & given.is_not_null()
        columns.append(pl.select(pl.coalesce(own, given).alias(key)).to_series())
        listed.append(pl.when(pl.lit(is_given)).then(pl.lit(f"{key},")).otherwise(pl.lit("")))
    frame = pl.DataFrame(columns)
    if not listed:
        return frame.with_columns(pl.lit(None, pl.String).alias("resource_keys"))
    joined = pl.concat_str(listed)
    return frame.with_columns(
        pl.when(joined != "").then(pl.concat_str(pl.lit(","), joined)).alias("resource_keys")
    )
