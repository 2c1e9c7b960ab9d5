"""Plain files: a table with named columns goes to one dataset, row by row checked.

What belongs here: the one lander for transfers, telemetry, workloads, zones and budgets.
What must not: a column of any of them; a connector's `schema.py` lists its columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.common.contract import LandingContext, Severity, SourceReport
from connectors.common.datasets import Dataset
from connectors.common.landing import FileDelivery, land_files
from connectors.common.parsing import (
    Parsed,
    build_array,
    normalise_nulls,
    parse_counts,
    parse_days,
    parse_decimals,
    parse_instants,
)
from connectors.common.schema_contract import check_required_columns, describe_columns
from connectors.common.settings import FileSourceSettings
from connectors.common.source_files import KNOWN_SUFFIXES, FileFault, SourceFile
from connectors.common.tabular import read_text_table


class Kind(StrEnum):
    """What the text of a column means."""

    TEXT = "text"
    USER = "a user"  # pseudonymised
    INSTANT = "a time (ISO 8601)"
    DAY = "a day (ISO 8601)"
    HOUR = "the beginning of an hour (ISO 8601)"
    COUNT = "a whole number"
    WEIGHT = "a whole number, not negative"
    MONEY = "a number"
    MONTH = "a month (2026-11) or a time"
    FLAG = "true or false"


@dataclass(frozen=True)
class PlainColumn:
    """One column of a plain file; `choices`: the only values allowed, `default`: for an empty one, `aliases`: other
    names it is delivered under, of which the first one found counts, `at_most`: of a count."""

    name: str
    kind: Kind = Kind.TEXT
    is_required: bool = False
    choices: tuple[str, ...] = ()
    default: str | None = None
    aliases: tuple[str, ...] = ()
    at_most: int | None = None


@dataclass(frozen=True)
class PlainFormat:
    """What a plain file of one dataset looks like; `interval` is (start, end), the end exclusive; `part` is (count,
    count that it is a part of)."""

    dataset: Dataset
    columns: tuple[PlainColumn, ...]
    version: int = 1  # raise it when the same file would be typed differently
    interval: tuple[str, str] | None = None
    part: tuple[str, str] | None = None
    suffixes: tuple[str, ...] = KNOWN_SUFFIXES


def _parse_months(values: pa.Array) -> Parsed:
    is_month = pc.match_substring_regex(values, r"^\d{4}-\d{2}$")
    days = pc.binary_join_element_wise(values, "01", "-")
    return parse_instants(build_array(pc.if_else(is_month, days, values)))


def _parse_hours(values: pa.Array) -> Parsed:
    parsed = parse_instants(values)
    is_hour = pc.equal(pc.floor_temporal(parsed.values, unit="hour"), parsed.values)
    hours = pc.if_else(is_hour, parsed.values, pa.scalar(None, parsed.values.type))
    is_bad = pc.and_(pc.is_valid(values), pc.is_null(hours))
    return Parsed(hours, tuple(_rows(is_bad).tolist()))


def _parse_flags(values: pa.Array) -> Parsed:
    text = pc.utf8_lower(values)
    is_bad = pc.and_(pc.is_valid(text), pc.invert(pc.is_in(text, value_set=pa.array(["true", "false"]))))
    return Parsed(pc.equal(text, "true"), tuple(_rows(is_bad).tolist()))


_PARSERS: dict[Kind, Callable[[pa.Array], Parsed]] = {
    Kind.MONTH: _parse_months,
    Kind.FLAG: _parse_flags,
    Kind.INSTANT: parse_instants,
    Kind.DAY: parse_days,
    Kind.HOUR: _parse_hours,
    Kind.COUNT: parse_counts,
    Kind.WEIGHT: parse_counts,
    Kind.MONEY: parse_decimals,
}


def land_plain_files(
    settings: FileSourceSettings, context: LandingContext, plain: PlainFormat
) -> SourceReport:
    """Land a folder of plain files; a bad row is refused alone, a missing column stops the file."""

    def read(file: SourceFile, delivery: FileDelivery) -> None:
        _read_file(file, delivery, plain, context)

    typing = {"version": plain.version, "identity": context.identity.key_id}
    return land_files(settings, context, (plain.dataset,), read, typing=typing, suffixes=plain.suffixes)


@dataclass(frozen=True)
class PlainTable:
    """The accepted rows of a plain file, typed, and the line of each in the file."""

    table: pa.Table
    lines: list[int]


def _read_file(file: SourceFile, delivery: FileDelivery, plain: PlainFormat, context: LandingContext) -> None:
    delivery.write(plain.dataset.name, read_plain_table(file, delivery, plain, context).table)


def read_plain_table(
    file: SourceFile, delivery: FileDelivery, plain: PlainFormat, context: LandingContext
) -> PlainTable:
    """Return the rows of a plain file that are right; the others are refused one by one. Raises FileFault."""
    text = read_text_table(file, on_bad_line=delivery.quarantine)
    delivered = _find_delivered_names(text.column_names, plain)
    text = _rename(text, delivered)
    known = {column.name for column in plain.columns}
    has_header = file.suffix.startswith(
        (".csv", ".parquet")
    )  # elsewhere a key may hold anything, prompts too
    delivery.note_schema(name for name in text.column_names if has_header or name in known)
    if text.num_columns or has_header:
        required = [
            (*reversed(column.aliases), column.name) for column in plain.columns if column.is_required
        ]
        check_required_columns(text.column_names, required)
    if text.num_rows == 0:
        delivery.add("header_only", "holds no rows: what it delivered before counts no more", Severity.INFO)
    extra = set(text.column_names) - known
    if extra:
        names = f": {describe_columns(extra)}" if has_header else ""
        message = f"unknown columns are ignored{names}"
        delivery.add("new_column", message, Severity.INFO, count=len(extra))
    first_line = 2 if file.suffix.startswith(".csv") else 1
    refused = np.zeros(text.num_rows, dtype=bool)
    columns: dict[str, pa.Array] = {}
    for column in plain.columns:
        values = _read_column(text, column)
        if values is None:
            continue
        told_as = delivered.get(column.name, column.name)
        parsed = _parse_column(column, told_as, values, context)
        problems = _find_problems(column, values, parsed)
        _refuse(delivery, told_as, problems, refused, first_line)
        columns[column.name] = parsed.values
    if plain.interval is not None:
        _refuse(delivery, plain.interval[1], _find_reversed(columns, plain.interval), refused, first_line)
    if plain.part is not None:
        _refuse(delivery, plain.part[0], _find_larger(columns, plain.part), refused, first_line)
    table = pa.table(columns)
    lines = (np.flatnonzero(~refused) + first_line).tolist()
    return PlainTable(table.filter(pa.array(~refused)) if refused.any() else table, lines)


def _find_delivered_names(names: Sequence[str], plain: PlainFormat) -> dict[str, str]:
    """Our own name of each column that comes under another → the name that it comes under."""
    delivered: dict[str, str] = {}
    for column in plain.columns:
        found = next((alias for alias in column.aliases if alias in names), None)
        if found is not None and column.name not in names:
            delivered[column.name] = found
    return delivered


def _rename(text: pa.Table, delivered: Mapping[str, str]) -> pa.Table:
    """Give columns that come under another name their own."""
    own = {alias: name for name, alias in delivered.items()}
    return text.rename_columns([own.get(name, name) for name in text.column_names])


def _read_column(text: pa.Table, column: PlainColumn) -> pa.Array | None:
    """Return the delivered text of a column, None when there is neither column nor default."""
    if column.name not in text.column_names:
        return None if column.default is None else pa.repeat(column.default, text.num_rows)
    values = normalise_nulls(text.column(column.name))
    return values if column.default is None else pc.fill_null(values, column.default)


def _parse_column(column: PlainColumn, told_as: str, values: pa.Array, context: LandingContext) -> Parsed:
    if column.kind is Kind.TEXT:
        return Parsed(values)
    if column.kind is Kind.USER:
        return Parsed(context.identity.pseudonymise_array(values))
    parsed = _PARSERS[column.kind](values)
    present = len(values) - values.null_count
    if present > 1 and len(parsed.bad) == present:
        message = f"column {told_as} changed its type: no value is {column.kind.value}; deliver it again"
        raise FileFault("type_flip", message, column=told_as)
    return parsed


def _find_problems(column: PlainColumn, values: pa.Array, parsed: Parsed) -> list[tuple[str, np.ndarray]]:
    """Return (reason, rows) of what is wrong in a column."""
    problems = [(f"not {column.kind.value}", np.array(parsed.bad, dtype=np.int64))]
    if column.is_required:
        problems.append(("empty", _rows(pc.is_null(values))))
    if column.kind is Kind.WEIGHT:
        problems.append(("negative", _rows(pc.less(parsed.values, 0))))
    if column.at_most is not None:
        problems.append((f"more than {column.at_most}", _rows(pc.greater(parsed.values, column.at_most))))
    if column.choices:
        is_known = pc.is_in(values, value_set=pa.array(column.choices))
        is_wrong = pc.and_(pc.is_valid(values), pc.invert(is_known))
        problems.append((f"not one of {', '.join(column.choices)}", _rows(is_wrong)))
    return problems


def _find_reversed(columns: dict[str, pa.Array], interval: tuple[str, str]) -> list[tuple[str, np.ndarray]]:
    start, end = (columns.get(name) for name in interval)
    if start is None or end is None:
        return []
    return [(f"not after {interval[0]}", _rows(pc.less_equal(end, start)))]


def _find_larger(columns: dict[str, pa.Array], part: tuple[str, str]) -> list[tuple[str, np.ndarray]]:
    smaller, larger = (columns.get(name) for name in part)
    if smaller is None or larger is None:
        return []
    return [(f"more than {part[1]}", _rows(pc.greater(smaller, larger)))]


def _rows(mask: pa.Array) -> np.ndarray:
    return np.flatnonzero(pc.fill_null(build_array(mask), False).to_numpy(zero_copy_only=False))


def _refuse(
    delivery: FileDelivery,
    column: str,
    problems: list[tuple[str, np.ndarray]],
    refused: np.ndarray,
    first_line: int,
) -> None:
    for reason, rows in problems:
        for row in rows.tolist():
            if not refused[row]:
                delivery.quarantine(row + first_line, reason, column)
                refused[row] = True
