"""Numbers as bills write them: integers of a power of ten, products rounded half up, decimals without exponents.

What belongs here: arithmetic and text of numbers. What must not: prices, or a vendor's columns.

Money is counted in 1e-12 of a currency (`UNITS`), prices in 1e-12 of a currency a pricing unit, and quantities in
10^-digits of a pricing unit. Python's integers carry the products, so nothing overflows and nothing is a float.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal

import polars as pl

DIGITS = 12
UNITS = 10**DIGITS


def divide(numerator: int, denominator: int) -> int:
    """Return numerator / denominator as a whole number, half away from zero; the denominator is positive."""
    sign = -1 if numerator < 0 else 1
    return sign * ((2 * abs(numerator) + denominator) // (2 * denominator))


def scale(value: str | Decimal, digits: int = DIGITS) -> int:
    """Return a decimal as a whole number of 10^-digits, half up."""
    return int(Decimal(value).scaleb(digits).quantize(Decimal(1), ROUND_HALF_UP))


def round_units(value: int, digits: int) -> int:
    """Return an amount of 1e-12 rounded half up to `digits` digits behind the point."""
    step = 10 ** (DIGITS - digits)
    return divide(value, step) * step


def multiply(
    quantities: Iterable[int], digits: Iterable[int], prices: Iterable[int], cost_digits: int = DIGITS
) -> pl.Series:
    """Return quantity × price of each line in 1e-12, rounded half up to `cost_digits`."""
    step = 10 ** (DIGITS - cost_digits)
    return pl.Series(
        [
            divide(quantity * price, 10**digit * step) * step
            for quantity, digit, price in zip(quantities, digits, prices, strict=True)
        ],
        dtype=pl.Int64,
    )


def write_decimal(column: str, digits: str | int = DIGITS) -> pl.Expr:
    """Return the text of an integer column of 10^-digits: no exponent, no zeros at its end; null stays null.

    `digits` is a number, or the column that holds it (0 to 12).
    """
    power = pl.lit(10, dtype=pl.Int64) ** (
        pl.col(digits).cast(pl.Int64) if isinstance(digits, str) else digits
    )
    padding = pl.col(digits) if isinstance(digits, str) else pl.lit(digits)
    value = pl.col(column)
    whole = value.abs() // power
    part = (value.abs() % power).cast(pl.String)
    fraction = pl.concat_str(pl.lit("000000000000"), part).str.tail(padding.cast(pl.Int64))
    text = pl.concat_str(
        pl.when(value < 0).then(pl.lit("-")).otherwise(pl.lit("")),
        whole.cast(pl.String),
        pl.lit("."),
        fraction,
    )
    return text.str.strip_chars_end("0").str.strip_chars_end(".")


def split_evenly(amount: int, parts: int) -> list[int]:
    """Return `parts` whole numbers that sum to `amount` and differ by at most one."""
    marks = [amount * index // parts for index in range(parts + 1)]
    return [after - before for before, after in zip(marks, marks[1:], strict=False)]


def split_by(amount: int, weights: Sequence[int]) -> list[int]:
    """Return whole numbers in proportion to weights that sum to `amount` (cumulative rounding)."""
    total, cumulated, before, parts = sum(weights), 0, 0, []
    for weight in weights:
        cumulated += weight
        after = amount * cumulated // total
        parts.append(after - before)
        before = after
    return parts
