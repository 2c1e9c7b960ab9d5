"""Text columns whose distinct values are looked at once: dictionary arrays without doubles and without nulls.

What belongs here: bringing columns into that form, and mapping their distinct values. What must not: the meaning
of a column.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.common.parsing import NULL_TEXTS, build_array

DICTIONARY = pa.dictionary(pa.int32(), pa.string())
"""Type of a text column of which every distinct value stands once."""

_NULLS = pa.array(NULL_TEXTS, pa.string())


def encode_text(column: pa.Array | pa.ChunkedArray) -> pa.DictionaryArray:
    """Return text as dictionary array: no value twice, what vendors write for null (`NULL`, blanks) is null."""
    array = build_array(column)
    if not pa.types.is_dictionary(array.type):
        array = array.cast(pa.string()).dictionary_encode()
    elif array.dictionary.type != pa.string() or array.indices.type != pa.int32():
        array = pa.DictionaryArray.from_arrays(
            array.indices.cast(pa.int32()), array.dictionary.cast(pa.string())
        )
    if len(array.dictionary) > 2 * len(array):
        array = array.dictionary_decode().dictionary_encode()
    return _drop_null_texts(array)


def decode_text(column: pa.Array) -> pa.Array:
    """Return a text column as plain text."""
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def map_distinct(column: pa.Array, build: Callable[[str], str | None]) -> pa.DictionaryArray:
    """Return `build` of every text, called once a distinct value; null stays null."""
    encoded = column if pa.types.is_dictionary(column.type) else encode_text(column)
    mapped = pa.array([build(value) for value in encoded.dictionary.to_pylist()], pa.string())
    return spread_distinct(mapped, encoded.indices)


def spread_distinct(values: pa.Array, indices: pa.Array) -> pa.DictionaryArray:
    """Return the text column whose row i is `values[indices[i]]`; `values` may hold doubles and nulls."""
    encoded = values.dictionary_encode()
    return pa.DictionaryArray.from_arrays(encoded.indices.take(indices), encoded.dictionary)


def repeat_text(value: str | None, rows: int) -> pa.DictionaryArray:
    """Return a text column of one value."""
    if value is None:
        return pa.DictionaryArray.from_arrays(pa.nulls(rows, pa.int32()), pa.array([], pa.string()))
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([value], pa.string()))


def _drop_null_texts(array: pa.DictionaryArray) -> pa.DictionaryArray:
    """Make null of values that mean null, and one value of values that stand twice."""
    values = array.dictionary
    is_null = pc.or_(pc.is_in(values, value_set=_NULLS), pc.fill_null(pc.utf8_is_space(values), True))
    distinct = values.dictionary_encode()
    if not is_null.true_count and not values.null_count and len(distinct.dictionary) == len(values):
        return array
    kept = pc.if_else(is_null, pa.scalar(None, pa.string()), values)
    return spread_distinct(kept, array.indices)
