"""Text columns → exact numbers, times and flags, whole columns at a time.

What belongs here: parsing with a mask of what could not be parsed. What must not: what follows from it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.common.datasets import MONEY

NULL_TEXTS = ("", "NULL", "null")
"""What vendors write for an absent value (FOCUS: nulls must be null, and are not)."""

EXACT = Context(prec=100, rounding=ROUND_HALF_UP)
"""Decimal arithmetic that never rounds by itself: the default context would, at 28 digits."""

_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")
_QUANTUM = Decimal(1).scaleb(-12)
_LIMIT = Decimal(10) ** 26
_WIDE = pa.decimal256(76, 40)
_SHORT_NUMBER = r"^[+-]?\d{1,26}(\.\d{1,12})?$"
_LONG_NUMBER = r"^[+-]?\d{1,26}(\.\d{1,40})?$"


@dataclass(frozen=True)
class Parsed:
    """A parsed column; `bad` lists the rows (from 0) whose text is there but could not be parsed."""

    values: pa.Array
    bad: tuple[int, ...] = ()


@dataclass(frozen=True)
class ParsedDecimals(Parsed):
    """Decimals at 12 digits; `rounding_difference` = exact sum − sum of the rounded values."""

    rounding_difference: Decimal = Decimal(0)


def build_array(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Return a column as one array."""
    if isinstance(column, pa.Array):
        return column
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def normalise_nulls(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Return text with what vendors write for null as null; other text stays as delivered."""
    array = build_array(column)
    known = pc.is_in(array, value_set=pa.array(NULL_TEXTS, pa.string()), skip_nulls=True)
    is_null = pc.or_(known, pc.fill_null(pc.utf8_is_space(array), False))
    if not is_null.true_count:
        return array
    return pc.if_else(is_null, pa.scalar(None, pa.string()), array)


def parse_decimals(column: pa.Array) -> ParsedDecimals:
    """Parse text to DECIMAL(38,12), rounded half up (away from zero) at 12 digits; null stays null."""
    text = pc.utf8_trim_whitespace(column)
    present = pc.is_valid(text)
    if _all(pc.match_substring_regex(text, _SHORT_NUMBER), present):
        return ParsedDecimals(text.cast(MONEY))
    if _all(pc.match_substring_regex(text, _LONG_NUMBER), present):
        exact = text.cast(_WIDE)
        rounded = pc.round(exact, ndigits=12, round_mode="half_towards_infinity").cast(MONEY)
        difference = EXACT.subtract(_sum(exact), _sum(rounded))
        return ParsedDecimals(rounded, (), difference)
    return _parse_decimals_by_value(text)


def parse_instants(column: pa.Array) -> Parsed:
    """Parse ISO 8601 (also with a blank for `T`, with offsets or Z, or a bare day) to UTC timestamps."""
    return _parse_distinct(column, parse_instant, pa.timestamp("us"))


def parse_days(column: pa.Array) -> Parsed:
    """Parse days; a time of day is cut off."""
    return _parse_distinct(column, lambda text: parse_instant(text).date(), pa.date32())


def parse_counts(column: pa.Array) -> Parsed:
    """Parse whole numbers (`1024`, `1024.0`, `1e6`) to 64-bit counts; a fraction is bad."""
    return _parse_distinct(column, parse_count, pa.int64())


def parse_instant(text: str) -> datetime:
    """Return a UTC time without zone; text without an offset is UTC. Raises ValueError."""
    cleaned = text.strip().removesuffix(" UTC")
    moment = datetime.fromisoformat(cleaned)
    try:
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except OverflowError as error:
        raise ValueError("outside of the years 1 to 9999 in UTC") from error


def load_json(text: str | bytes) -> Any:
    """Return JSON with numbers as their text; halves of surrogate pairs, which no file can hold, become U+FFFD.

    Raises ValueError, also for what is nested too deeply.
    """
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text), "surrogatepass")
    try:
        content = json.loads(text, parse_int=str, parse_float=str)
        if _HALF_PAIR.search(text):
            content = json.loads(build_whole_text(json.dumps(content, ensure_ascii=False)))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return content


def build_whole_text(text: str) -> str:
    """Return text that a file can hold: halves of surrogate pairs become U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def parse_count(text: str) -> int:
    """Return a whole number; ValueError when the text is none, or does not fit 64 bits."""
    number = parse_decimal(text)
    if number != number.to_integral_value() or abs(number) >= 2**63:
        raise ValueError("not a whole number of 64 bits")
    return int(number)


def parse_decimal(text: str) -> Decimal:
    """Return an exact number; ValueError for anything else, NaN and infinity included."""
    cleaned = text.strip()
    if "_" in cleaned:
        raise ValueError("not a number")
    try:
        number = Decimal(cleaned)
    except InvalidOperation as error:
        raise ValueError("not a number") from error
    if not number.is_finite() or number.copy_abs() >= _LIMIT:  # abs() overflows at an exponent of a million
        raise ValueError("not a number below 1e26")
    return number


def round_decimal(number: Decimal) -> Decimal:
    """Round half up at 12 digits, the one rounding rule of landing."""
    return EXACT.quantize(number, _QUANTUM)


def _all(matches: pa.Array, present: pa.Array) -> bool:
    return pc.all(pc.or_kleene(pc.fill_null(matches, False), pc.invert(present))).as_py() is not False


def _sum(values: pa.Array) -> Decimal:
    return pc.sum(values).as_py() or Decimal(0)


def _parse_decimals_by_value(text: pa.Array) -> ParsedDecimals:
    encoded = text.dictionary_encode()
    exact: list[Decimal | None] = []
    for value in encoded.dictionary.to_pylist():
        try:
            exact.append(parse_decimal(value))
        except ValueError:
            exact.append(None)
    rounded = [None if number is None else round_decimal(number) for number in exact]
    values = pa.array(rounded, MONEY).take(encoded.indices)
    difference = Decimal(0)
    counts = np.bincount(encoded.indices.drop_null().to_numpy(), minlength=len(exact)).tolist()
    for number, short, count in zip(exact, rounded, counts, strict=True):
        if number is not None and short is not None:
            difference = EXACT.add(difference, EXACT.multiply(EXACT.subtract(number, short), Decimal(count)))
    return ParsedDecimals(values, _bad_rows(text, values), difference)


def _parse_distinct(column: pa.Array, parse: Callable[[str], Any], kind: pa.DataType) -> Parsed:
    encoded = column.dictionary_encode()
    parsed: list[datetime | date | int | None] = []
    for text in encoded.dictionary.to_pylist():
        try:
            parsed.append(parse(text))
        except (ValueError, OverflowError):
            parsed.append(None)
    values = pa.array(parsed, kind).take(encoded.indices)
    return Parsed(values, _bad_rows(column, values))


def _bad_rows(text: pa.Array, values: pa.Array) -> tuple[int, ...]:
    is_bad = pc.and_(pc.is_valid(text), pc.is_null(values))
    return tuple(np.flatnonzero(is_bad.to_numpy(zero_copy_only=False)).tolist())
