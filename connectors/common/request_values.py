"""What the record of a call says, value by value, on its way into the frame that `build_requests` reads.

What belongs here: what is no name and no count, and the frame's columns. What must not: where a record keeps a value,
or token classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import polars as pl
import pyarrow as pa

from connectors.common.contract import Severity
from connectors.common.datasets import REQUESTS
from connectors.common.parsing import build_whole_text
from connectors.common.request_rows import MAX_TEXT_CHARACTERS, RowSink
from connectors.common.token_usage import MAX_TOKENS_PER_REQUEST, REPORTED_COUNTS, USAGE_COLUMNS

USAGE_FLAGS = ("input_includes_cached", "output_includes_reasoning")

Row = dict[str, Any]


class TextLimits:
    """Drops texts that are too long to be a name, for they may be content, and tells how many of which column."""

    def __init__(self) -> None:
        self._oversized: Counter[str] = Counter()

    def take(self, name: str, value: Any) -> Any:
        """Return a value as the lake may hold it; None for a text that is too long."""
        if not isinstance(value, str):
            return value
        if len(value) > MAX_TEXT_CHARACTERS:
            self._oversized[name] += 1
            return None
        return value if value.isascii() else build_whole_text(value)

    def take_row(self, row: Mapping[str, Any]) -> Row:
        """Return what a record states of a call, without what it does not state."""
        return {name: self.take(name, value) for name, value in row.items() if value is not None}

    def report(self, sink: RowSink, advice: str = "") -> None:
        """Add one finding a column."""
        for name, count in sorted(self._oversized.items()):
            message = f"{count} values for {name} are too long to be a name and are dropped{advice}"
            sink.add("oversized_value", message, Severity.WARN, count=count)


def take_usage(usage: Mapping[str, Any], also: tuple[str, ...]) -> Row:
    """Return the counts and flags of what `read_usage` found, and what it has of the columns `also`.

    A count that cannot be is left out; `usage_problem` says why.
    """
    taken = {name: usage[name] for name in (*USAGE_FLAGS, *also) if usage.get(name) is not None}
    for name in REPORTED_COUNTS:
        count = usage.get(name)
        if count is None:
            continue
        if 0 <= count <= MAX_TOKENS_PER_REQUEST:
            taken[name] = count
        else:
            taken["usage_problem"] = "negative_tokens" if count < 0 else "absurd_tokens"
    return taken


def build_frame_schema(stated: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the columns of a frame of calls: what a record may state; `stated` names usage columns that it states."""
    computed = {"duration_seconds", "request_id", "x_source", "x_snapshot_id", *USAGE_COLUMNS} - {*stated}
    schema: dict[str, Any] = {"line": pl.Int64}
    schema |= {field.name: polars_type(field.type) for field in REQUESTS.schema if field.name not in computed}
    schema |= dict.fromkeys(REPORTED_COUNTS, pl.Int64)
    schema |= dict.fromkeys(USAGE_FLAGS, pl.Boolean)
    return schema | {"usage_problem": pl.String}


def polars_type(kind: pa.DataType) -> Any:
    """Return the type of a frame's column that becomes a column of the lake."""
    if pa.types.is_decimal(kind):
        return pl.Decimal(kind.precision, kind.scale)
    if pa.types.is_timestamp(kind):
        return pl.Datetime("us")
    if pa.types.is_integer(kind):
        return pl.Int64
    return pl.Boolean if pa.types.is_boolean(kind) else pl.String
