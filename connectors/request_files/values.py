"""Texts of a request file → times, counts and names, whole columns at a time, as polars expressions.

What belongs here: reading one value, whatever type its column has. What must not: files, token classes.
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from connectors.common.dataset_types import MONEY
from connectors.common.parsing import parse_decimals
from connectors.common.token_usage import MAX_TOKENS_PER_REQUEST
from connectors.request_files.schema import EPOCH_DIGITS, NANOSECOND_DIGITS, STATUS_WORDS

NULL_TEXTS = ("", "NULL", "null", "None", "NaN")
_LARGEST_EXACT = 2.0**53
_OFFSET = r"([+-])(\d{2}):?(\d{2})$"


def build_text(column: str, dtype: pl.DataType) -> pl.Expr:
    """Return the trimmed text of a column, null where the file means none."""
    text = (pl.col(column) if dtype == pl.String else pl.col(column).cast(pl.String)).str.strip_chars()
    return pl.when(~text.is_in(NULL_TEXTS)).then(text)


def build_instants(column: pl.Series, timestamp_format: str) -> pl.Series:
    """Return a column as naive UTC times in microseconds; null where a value is no time."""
    frame = column.alias("value").to_frame()
    if isinstance(column.dtype, pl.Datetime):
        value = pl.col("value").cast(pl.Datetime("us", column.dtype.time_zone))
        if column.dtype.time_zone:
            value = value.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return frame.select(value).to_series()
    text = frame.select(build_text("value", column.dtype)).to_series()
    if timestamp_format != "auto":
        zone = "UTC" if "%z" in timestamp_format or "%:z" in timestamp_format else None
        parsed = text.str.to_datetime(timestamp_format, time_unit="us", time_zone=zone, strict=False)
        return parsed.dt.replace_time_zone(None) if zone else parsed
    return _read_auto(text)


def _read_auto(text: pl.Series) -> pl.Series:
    """Read a column in the spelling of its first value, then what is left in every other known spelling."""
    first = text.drop_nulls().head(1).to_list()
    separator = "T" if first and first[0][10:11] == "T" else " "
    suffix = "Z" if first and first[0].endswith("Z") else ""
    parsed = text.str.to_datetime(f"%Y-%m-%d{separator}%H:%M:%S%.f{suffix}", time_unit="us", strict=False)
    left = (text.is_not_null() & parsed.is_null()).arg_true()
    if not len(left):
        return parsed
    value = pl.col("value")
    rest = (
        text.gather(left)
        .alias("value")
        .to_frame()
        .select(pl.coalesce(_iso_instant(value), _epoch_instant(value)))
    )
    return parsed.scatter(left, rest.to_series())


def _iso_instant(text: pl.Expr) -> pl.Expr:
    plain = text.str.replace(r"^(\d{4}-\d{2}-\d{2})[Tt]", "${1} ").str.replace(r"\s*(?:[Zz]|UTC)$", "")
    has_time = plain.str.len_bytes() > len("2026-11-22")
    offset = pl.when(has_time).then(plain.str.extract_groups(_OFFSET))
    minutes = offset.struct.field("2").cast(pl.Int64) * 60 + offset.struct.field("3").cast(pl.Int64)
    signed = pl.when(offset.struct.field("1") == "-").then(-minutes).otherwise(minutes)
    local = pl.when(minutes.is_not_null()).then(plain.str.replace(r"\s*" + _OFFSET, "")).otherwise(plain)
    parsed = pl.coalesce(
        local.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False),
        local.str.to_datetime("%Y-%m-%d %H:%M", time_unit="us", strict=False),
        local.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us")),
    )
    return parsed - pl.duration(minutes=signed.fill_null(0))


def _epoch_instant(text: pl.Expr) -> pl.Expr:
    whole = text.str.extract(r"^(\d+)(?:\.\d*)?$")
    number = whole.cast(pl.Int64, strict=False)
    digits = whole.str.len_bytes()
    fraction = text.str.extract(r"^\d+\.(\d{1,6})").fill_null("").str.pad_end(6, "0").cast(pl.Int64)
    micros = pl.when(digits == NANOSECOND_DIGITS).then(number // 1000)
    for count, factor in EPOCH_DIGITS.items():
        micros = micros.when(digits == count).then(number * factor + fraction * factor // 1_000_000)
    return micros.cast(pl.Datetime("us"))


def build_counts(column: str, dtype: pl.DataType) -> tuple[pl.Expr, pl.Expr]:
    """Return a column's whole numbers, and its problem where a value is none (see token_usage.PROBLEMS)."""
    if dtype.is_integer():
        return pl.col(column).cast(pl.Int64, strict=False), pl.lit(None, pl.String)
    text = build_text(column, dtype)
    exact = text.cast(pl.Int64, strict=False)
    floating = text.cast(pl.Float64, strict=False)
    is_whole = (floating == floating.round()) & (floating.abs() < _LARGEST_EXACT)
    number = pl.coalesce(exact, pl.when(is_whole).then(floating.cast(pl.Int64, strict=False)))
    problem = (
        pl.when(text.is_null() | number.is_not_null())
        .then(None)
        .when(floating > MAX_TOKENS_PER_REQUEST)
        .then(pl.lit("absurd_tokens"))
        .when(floating <= -_LARGEST_EXACT)
        .then(pl.lit("negative_tokens"))
        .otherwise(pl.lit("not_a_count"))
    )
    return number, problem


def build_duration(column: str, dtype: pl.DataType) -> pl.Expr:
    """Return a duration in seconds as whole microseconds."""
    seconds = build_text(column, dtype).cast(pl.Float64, strict=False)
    micros = (seconds * 1_000_000).round()
    return pl.duration(microseconds=pl.when(micros.is_finite()).then(micros).cast(pl.Int64, strict=False))


def build_decimals(column: pl.Series, digits: int) -> pl.Series:
    """Return a column as exact decimals, rounded half up; null where a value is no finite number, or negative."""
    text = column.alias("value").to_frame().select(build_text("value", column.dtype)).to_series()
    exact = parse_decimals(text.to_arrow().cast(pa.string())).values
    rounded = pc.round(exact, ndigits=digits, round_mode="half_towards_infinity")
    sound = pc.if_else(pc.greater_equal(rounded, pa.scalar(0, MONEY)), rounded, pa.scalar(None, MONEY))
    return pl.Series(column.name, sound)


def build_status(column: str) -> pl.Expr:
    """Return ok, aborted or error; null where nothing is stated."""
    known = pl.col(column).str.to_lowercase().replace_strict(STATUS_WORDS, default=pl.lit("error"))
    return pl.when(pl.col(column).is_not_null()).then(known)
