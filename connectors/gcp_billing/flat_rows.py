"""Rows of the export → flat rows of text: the same text for the same row, whatever it was read from.

What belongs here: Arrow records of BigQuery or Parquet, and JSON lines, as flat rows. What must not: what a
field means, or where rows come from.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.common.parsing import build_array, load_json, parse_instant
from connectors.common.source_files import FileFault
from connectors.gcp_billing.schema import KINDS, LIST_FIELDS, Kind

FLAT_SCHEMA = pa.schema([(name, pa.string()) for name in KINDS])
"""The flat rows: one text column a field; null where the row has no value."""

_FIELD, _ELEMENT, _NULL = "\x1f", "\x1e", "\x00"


def flatten_rows(rows: pa.Table | pa.RecordBatch) -> pa.Table:
    """Return nested rows as flat ones; fields that are absent are null.

    Raises FileFault (`unparsable_value`) for a number or time that cannot be read.
    """
    columns = [_flatten(rows, name, kind) for name, kind in KINDS.items()]
    return pa.table(columns, schema=FLAT_SCHEMA)


def flatten_json_lines(lines: Iterable[tuple[int, bytes]]) -> pa.Table:
    """Return (line number, JSON line) pairs as flat rows. Raises FileFault for a line that is no JSON object."""
    texts: dict[str, list[str | None]] = {name: [] for name in KINDS}
    for number, line in lines:
        try:
            record = load_json(line)
        except ValueError:
            record = None
        if not isinstance(record, dict):
            message = f"line {number} is not a JSON object; extract the table again"
            raise FileFault("malformed_row", message, line=number)
        for name, kind in KINDS.items():
            texts[name].append(_json_value(record, name, kind, number))
    return pa.table([pa.array(texts[name], pa.string()) for name in KINDS], schema=FLAT_SCHEMA)


def _flatten(rows: pa.Table | pa.RecordBatch, name: str, kind: Kind) -> pa.Array:
    column = _find_field(rows, name)
    if column is None or pa.types.is_null(column.type):
        return pa.nulls(rows.num_rows, pa.string())
    if kind is Kind.LIST:
        return _list_texts(column, name)
    if kind is Kind.TEXT:
        return column.cast(pa.string())
    if kind is Kind.NUMBER and (pa.types.is_floating(column.type) or pa.types.is_decimal(column.type)):
        return _number_texts(column, name)
    return _by_distinct(column, name, number_text if kind is Kind.NUMBER else instant_text)


def _find_field(rows: pa.Table | pa.RecordBatch, name: str) -> pa.Array | None:
    top, *path = name.split(".")
    if top not in rows.schema.names:
        return None
    column = build_array(rows.column(top))
    for part in path:
        if not pa.types.is_struct(column.type) or column.type.get_field_index(part) < 0:
            return None
        column = pc.struct_field(column, part)
    return column


def _number_texts(column: pa.Array, name: str) -> pa.Array:
    """Write numbers as `number_text` does; only exponents and the like go through it one by one."""
    texts = column.cast(pa.string())
    if pa.types.is_decimal(column.type):
        has_point = pc.match_substring(texts, ".")
        texts = pc.if_else(has_point, pc.replace_substring_regex(texts, r"\.?0+$", ""), texts)
    is_odd = pc.fill_null(pc.match_substring_regex(texts, r"[A-Za-z]|^-0$"), False)
    if not is_odd.true_count:
        return texts
    rest = _by_distinct(column.filter(is_odd), name, number_text)
    return pc.replace_with_mask(texts, is_odd, rest)


def _by_distinct(column: pa.Array, name: str, write: Callable[[Any], str]) -> pa.Array:
    encoded = column.dictionary_encode()
    texts = []
    for value in encoded.dictionary.to_pylist():
        try:
            texts.append(write(value))
        except (ValueError, ArithmeticError) as error:
            message = f"column {name} holds a value that is no {_wanted(name)}; export it again"
            raise FileFault("unparsable_value", message, column=name) from error
    return pa.array(texts, pa.string()).take(encoded.indices)


def _wanted(name: str) -> str:
    return "time" if KINDS.get(name) is Kind.INSTANT else "number"


def number_text(value: object) -> str:
    """Return a number in its one written form: shortest decimal, no exponent, no needless zeros."""
    text = repr(value) if isinstance(value, float) else str(value)
    number = Decimal(text.strip())
    if not number.is_finite():
        raise ValueError("not a finite number")
    plain = f"{number:f}"
    shortened = plain.rstrip("0").rstrip(".") if "." in plain else plain
    return "0" if shortened in ("-0", "") else shortened


def instant_text(value: object) -> str:
    """Return a time in its one written form: ISO 8601 in UTC, microseconds where there are any."""
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)  # type: ignore[union-attr]
    return f"{parse_instant(text).isoformat()}Z"


def _list_texts(column: pa.Array, name: str) -> pa.Array:
    """Return a repeated record as JSON; equal lists are written once."""
    fields = LIST_FIELDS[name]
    elements = column.flatten()
    pieces = []
    for field in fields:
        known = pa.types.is_struct(elements.type) and elements.type.get_field_index(field) >= 0
        value = pc.struct_field(elements, field) if known else pa.nulls(len(elements), pa.string())
        pieces.append(pc.fill_null(value.cast(pa.string()), _NULL))
    joined = pc.binary_join_element_wise(*pieces, _FIELD)
    lengths = pc.fill_null(pc.list_value_length(column), 0).cast(pa.int32())
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths).cast(pa.int32())])
    signatures = pc.binary_join(pa.ListArray.from_arrays(offsets, joined), _ELEMENT)
    signatures = pc.if_else(pc.equal(lengths, 0), pa.scalar(None, pa.string()), signatures)
    encoded = signatures.dictionary_encode()
    texts = [_write_list(_split_signature(text, fields), name) for text in encoded.dictionary.to_pylist()]
    return pa.array(texts, pa.string()).take(encoded.indices)


def _split_signature(text: str, fields: tuple[str, ...]) -> list[dict[str, str | None]]:
    return [
        {field: None if value == _NULL else value for field, value in zip(fields, parts, strict=True)}
        for parts in (element.split(_FIELD) for element in text.split(_ELEMENT))
    ]


def _write_list(elements: list[dict[str, Any]], name: str) -> str | None:
    written = []
    for element in elements:
        kept = {k: _scalar_text(v) for k, v in element.items() if v is not None and k in LIST_FIELDS[name]}
        if "amount" in kept:
            kept["amount"] = _credit_amount(kept["amount"])
        written.append(json.dumps(kept, sort_keys=True, ensure_ascii=False))
    return f"[{', '.join(sorted(written))}]" if written else None


def _credit_amount(text: str) -> str:
    try:
        return number_text(text)
    except (ValueError, ArithmeticError) as error:
        message = "column credits holds an amount that is no number; export it again"
        raise FileFault("unparsable_value", message, column="credits") from error


def _scalar_text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _json_value(record: dict[str, Any], name: str, kind: Kind, line: int) -> str | None:
    value: Any = record
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if value is None:
        return None
    try:
        if kind is Kind.LIST:
            return _write_list(value, name)
        if kind is Kind.NUMBER:
            return number_text(value)
        if kind is Kind.INSTANT:
            return instant_text(value)
    except (ValueError, ArithmeticError, AttributeError, TypeError) as error:
        message = f"line {line}, column {name}: holds a value that is no {_wanted(name)}; extract it again"
        raise FileFault("unparsable_value", message, line=line, column=name) from error
    return _scalar_text(value)
