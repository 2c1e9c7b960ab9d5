"""Delivered values of any file format → exact numbers, times, flags and text of the lake.

What belongs here: one column in, one typed column out, with the rows that could not be read. What must not: what
follows from a bad value.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from connectors.common.bills.columns import encode_text
from connectors.common.datasets import COUNT, DAY, FLAG, INSTANT, MONEY
from connectors.common.parsing import (
    Parsed,
    ParsedDecimals,
    build_array,
    normalise_nulls,
    parse_counts,
    parse_days,
    parse_decimals,
    parse_instants,
)

_DOUBLE_SCALES = (12, 6, 2)
_EXACT_INTEGERS = 1e15
_FLAGS = {
    "true": True,
    "t": True,
    "1": True,
    "yes": True,
    "false": False,
    "f": False,
    "0": False,
    "no": False,
}


def read_values(column: pa.Array, kind: pa.DataType) -> Parsed:
    """Return a column in a type of the lake: text, MONEY, INSTANT, DAY, COUNT or FLAG.

    Numbers are rounded half up at 12 digits, doubles from their shortest decimal; times become UTC.
    """
    if pa.types.is_string(kind):
        return Parsed(read_text(column))
    if kind == MONEY:
        return read_decimals(column)
    if kind == INSTANT:
        return _read_instants(column)
    if kind == FLAG:
        return _read_flags(column)
    if kind == COUNT and pa.types.is_integer(column.type):
        return Parsed(column.cast(COUNT))
    parse = {COUNT: parse_counts, DAY: parse_days}[kind]
    return _spread(parse, read_text(column))


def read_text(column: pa.Array) -> pa.DictionaryArray:
    """Return any column as text: doubles as their shortest decimal, times in ISO 8601 (UTC)."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        moments = _to_utc(column).cast(pa.timestamp("us"), safe=False)
        return encode_text(pc.strftime(moments, format="%Y-%m-%dT%H:%M:%S"))
    if pa.types.is_dictionary(kind) or pa.types.is_string(kind):
        return encode_text(column)
    return encode_text(column.cast(pa.string()))


def read_decimals(column: pa.Array) -> ParsedDecimals:
    """Return DECIMAL(38,12); see `read_values`."""
    kind = column.type
    if pa.types.is_string(kind):
        return parse_decimals(normalise_nulls(column))
    if pa.types.is_dictionary(kind):
        return _spread_decimals(column)
    if pa.types.is_decimal(kind) and kind.scale <= 12 and kind.precision - kind.scale <= 26:
        return ParsedDecimals(column if kind == MONEY else column.cast(MONEY))
    if pa.types.is_floating(kind):
        return _read_doubles(column.cast(pa.float64()))
    if pa.types.is_integer(kind):
        return ParsedDecimals(column.cast(pa.decimal128(20, 0)).cast(MONEY))
    return _spread_decimals(read_text(column))


def _read_doubles(column: pa.Array) -> ParsedDecimals:
    """Take the shortest decimal of each double; only those with more digits than 15 go through text.

    A double that equals the nearest one of n / 10^k, n < 10^15, has n / 10^k as its shortest decimal: no two
    decimals of 15 digits share a double.
    """
    doubles = column.fill_null(0.0).to_numpy(zero_copy_only=False)
    units = np.zeros(len(doubles), np.int64)
    is_open = np.ones(len(doubles), bool)
    with np.errstate(over="ignore", invalid="ignore"):
        for scale in _DOUBLE_SCALES:
            counts = np.rint(doubles * 10.0**scale)
            is_exact = is_open & (np.abs(counts) < _EXACT_INTEGERS) & (counts / 10.0**scale == doubles)
            fits = is_exact & (np.abs(counts) * 10.0 ** (12 - scale) < 2**62)
            units[fits] = counts[fits].astype(np.int64) * 10 ** (12 - scale)
            is_open &= ~fits
            if not is_open.any():
                break
    values = build_decimals(units, column)
    if not is_open.any():
        return ParsedDecimals(values)
    places = np.flatnonzero(is_open)
    rest = _spread_decimals(encode_text(column.take(pa.array(places)).cast(pa.string())))
    merged = pc.replace_with_mask(values, pa.array(is_open), rest.values)
    bad = tuple(places[list(rest.bad)].tolist())
    return ParsedDecimals(merged, bad, rest.rounding_difference)


def build_decimals(units: npt.NDArray[np.int64], nulls_of: pa.Array | None = None) -> pa.Array:
    """Return DECIMAL(38,12) of integer counts of 1e-12, null where another column is null."""
    words = np.empty((len(units), 2), np.int64)
    words[:, 0] = units
    words[:, 1] = units >> np.int64(63)
    values = pa.Array.from_buffers(MONEY, len(units), [None, pa.py_buffer(words)])
    if nulls_of is None or not nulls_of.null_count:
        return values
    return pc.if_else(nulls_of.is_valid(), values, pa.scalar(None, MONEY))


def _spread_decimals(column: pa.DictionaryArray) -> ParsedDecimals:
    """Parse distinct texts; the rounding difference counts every row."""
    parsed = parse_decimals(column.dictionary)
    values = build_array(parsed.values).take(column.indices)
    difference = parsed.rounding_difference
    if difference or parsed.bad:
        return parse_decimals(column.dictionary_decode())
    return ParsedDecimals(values, _bad_rows(column, parsed.bad), Decimal(0))


def _read_instants(column: pa.Array) -> Parsed:
    kind = column.type
    if pa.types.is_timestamp(kind):
        return Parsed(_to_utc(column).cast(INSTANT, safe=False))
    if pa.types.is_date(kind):
        return Parsed(column.cast(pa.date32()).cast(pa.timestamp("s")).cast(INSTANT))
    return _spread(parse_instants, read_text(column))


def _to_utc(column: pa.Array) -> pa.Array:
    kind = column.type
    return (
        column
        if kind.tz is None
        else column.cast(pa.timestamp(kind.unit, "UTC")).cast(pa.timestamp(kind.unit))
    )


def _read_flags(column: pa.Array) -> Parsed:
    if pa.types.is_boolean(column.type):
        return Parsed(column)
    text = read_text(column)
    flags = [_FLAGS.get(value.strip().lower()) for value in text.dictionary.to_pylist()]
    bad = tuple(number for number, flag in enumerate(flags) if flag is None)
    return Parsed(pa.array(flags, FLAG).take(text.indices), _bad_rows(text, bad))


def _spread(parse: object, text: pa.DictionaryArray) -> Parsed:
    parsed: Parsed = parse(text.dictionary)  # type: ignore[operator]
    return Parsed(build_array(parsed.values).take(text.indices), _bad_rows(text, parsed.bad))


def _bad_rows(text: pa.DictionaryArray, bad_values: tuple[int, ...]) -> tuple[int, ...]:
    if not bad_values:
        return ()
    is_bad = pc.is_in(text.indices, value_set=pa.array(bad_values, text.indices.type), skip_nulls=True)
    return tuple(np.flatnonzero(is_bad.to_numpy(zero_copy_only=False)).tolist())
