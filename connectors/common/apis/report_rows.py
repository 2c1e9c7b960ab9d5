"""Values of usage and cost reports, read with care: counts that are counts, text that is text, fields nobody knows.

What belongs here: reading one field of a result. What must not: a vendor's field names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pyarrow as pa

from connectors.common.contract import Finding, Severity
from connectors.common.datasets import Dataset
from connectors.common.parsing import build_whole_text, parse_decimal, round_decimal
from connectors.common.source_files import FileFault

_LONGEST_TEXT = 1000
_LARGEST_COUNT = 10**15


def read_count(
    result: Mapping[str, Any], name: str, where: str, *, is_required: bool = False
) -> Decimal | None:
    """Return a count, None when absent or null. Raises FileFault that names the field.

    A count is a whole number from 0 to 1e15: no bucket holds more (`bad_count`). One that every result has is refused
    when it is absent (`missing_field`): to go on would count it as nothing.
    """
    if is_required and name not in result:
        raise FileFault(
            "missing_field",
            f"{where}: results have no field {name} any more: what is known of the day stays; see whether the API "
            "changed, and update everycent",
            column=name,
        )
    number = read_number(result, name, where)
    if number is not None and not (0 <= number <= _LARGEST_COUNT and number == number.to_integral_value()):
        raise FileFault(
            "bad_count", f"{where}: the field {name} is no whole number from 0 to 1e15", column=name
        )
    return number


def read_object(result: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    """Return an object within a result, an empty one when absent or null. Raises FileFault for anything else."""
    value = result.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise FileFault("bad_count", f"{where}: the field {name} is no object", column=name)
    return value


def read_number(result: Mapping[str, Any], name: str, where: str) -> Decimal | None:
    """Return a number exactly, written as number or as text; None when absent or null. Raises FileFault."""
    value = result.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise FileFault("bad_count", f"{where}: the field {name} is no number", column=name)
    try:
        return parse_decimal(str(value))
    except ValueError as error:
        raise FileFault("bad_count", f"{where}: the field {name} is {error}", column=name) from error


def read_text(result: Mapping[str, Any], name: str) -> str | None:
    """Return a field's text; None when absent, null or blank. What is not text is no name of anything: None."""
    value = result.get(name)
    if not isinstance(value, str) or not value.strip():
        return None
    return build_whole_text(value.strip())[:_LONGEST_TEXT]


def build_detail(result: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """Return what a result is told apart by besides the columns, as `name=value,name=value`; None for nothing."""
    found = [(name, read_text(result, name)) for name in names]
    return ",".join(f"{name}={value}" for name, value in found if value is not None) or None


@dataclass
class UnknownFields:
    """Fields that no schema of ours knows: kept with the answers, counted nowhere."""

    numeric: set[str] = field(default_factory=set)
    other: set[str] = field(default_factory=set)

    def note(self, result: Mapping[str, Any], known: frozenset[str], prefix: str = "") -> None:
        """Look at a result, or at an object in it (`prefix`); a field that is null or zero says nothing yet."""
        for name in result.keys() - known:
            value = result[name]
            if value is None or value == 0 or value == "0" or value == [] or value == {}:
                continue
            (self.numeric if _is_numeric(value) else self.other).add(f"{prefix}{name}")

    def build_findings(self, source: str, dataset: Dataset, where: str) -> Iterator[Finding]:
        """Yield what a reader should know: a number that is not counted may be billed."""
        for names, severity, meaning in (
            (self.numeric, Severity.WARN, "holds numbers that are counted nowhere and may be billed"),
            (self.other, Severity.INFO, "is not used"),
        ):
            for name in sorted(names):
                shown = build_whole_text(name)[:64]
                message = (
                    f"{source}: {where}: the field {shown!r} is new here: it {meaning}; the answers are kept, so a "
                    "version of everycent that knows it will count them"
                )
                yield Finding(source, dataset.name, "unknown_field", message, severity)


def _is_numeric(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_is_numeric(inner) for inner in value.values())
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def set_aside_unknown(result: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """Return a cost's fields, those that nobody knows together in `other`: kept, and one column of every bill."""
    named = {name: value for name, value in result.items() if name in known}
    return {**named, "other": {name: value for name, value in result.items() if name not in known} or None}


def build_table(rows: list[dict[str, Any]], dataset: Dataset) -> pa.Table:
    """Return rows as a table of the dataset, without the columns that landing fills in; quantities half up."""
    rows = [row | {"quantity": round_decimal(row["quantity"])} if "quantity" in row else row for row in rows]
    names = [name for name in dataset.schema.names if not name.startswith("x_")]
    schema = pa.schema([dataset.schema.field(name) for name in names])
    return pa.Table.from_pylist([{name: row.get(name) for name in names} for row in rows], schema=schema)
