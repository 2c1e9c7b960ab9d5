"""What the usage and cost reports of both vendors share: parameters, buckets of time, pages with cursors, exact JSON.

What belongs here: the form of such a report. What must not: a vendor's names, fields, limits or words.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import polars as pl

WIDTHS = {"1m": timedelta(minutes=1), "1h": timedelta(hours=1), "1d": timedelta(days=1)}
Json = dict[str, Any]


class Refused(Exception):
    """The vendor refuses a request: status, its words and its code."""

    def __init__(self, status: int, message: str, code: str = "invalid_request_error") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True)
class Question:
    """What is asked of a report, checked."""

    start: datetime
    end: datetime
    width: str
    limit: int
    groups: tuple[str, ...]
    filters: dict[str, tuple[str, ...]]
    cursor: str | None
    digest: str

    @property
    def at(self) -> datetime:
        """Where this page begins. Raises Refused for a cursor that is none, or of another question."""
        if self.cursor is None:
            return self.start
        try:
            at, known = json.loads(base64.urlsafe_b64decode(self.cursor))
            begin = datetime.fromisoformat(at)
        except (ValueError, TypeError) as error:
            raise Refused(400, "Invalid page token.") from error
        if known != self.digest:
            raise Refused(400, "The page token was made for other parameters.")
        return begin


def read_pairs(target: str) -> list[tuple[str, str]]:
    """Return the parameters of a request in order, a repeated one as often as it stands; `name[]` is `name`."""
    pairs = parse_qsl(urlsplit(target).query, keep_blank_values=True)
    return [(name.removesuffix("[]"), value) for name, value in pairs]


def build_digest(pairs: Sequence[tuple[str, str]]) -> str:
    """Return what stands for a question in its cursors: all parameters but the page."""
    asked = sorted(pair for pair in pairs if pair[0] != "page")
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16]


def build_page(
    question: Question, build_results: Callable[[datetime, datetime], dict[datetime, list[Json]]]
) -> tuple[list[tuple[datetime, datetime, list[Json]]], str | None]:
    """Return the buckets of a page, empty ones included, oldest first, and the cursor of the next page."""
    step = WIDTHS[question.width]
    begin = question.at
    finish = min(question.end, begin + step * question.limit)
    results = build_results(begin, finish) if begin < finish else {}
    buckets = []
    at = begin
    while at < finish:
        buckets.append((at, at + step, results.get(at, [])))
        at += step
    following = None
    if at < question.end:
        following = base64.urlsafe_b64encode(json.dumps([at.isoformat(), question.digest]).encode()).decode()
    return buckets, following


def sum_by_bucket(
    frame: pl.DataFrame, width: str, groups: Sequence[str], counted: Sequence[str]
) -> dict[datetime, list[Json]]:
    """Return the rows of each bucket: counts added up by the dimensions asked for that the files know, in order."""
    keys = ["bucket", *(name for name in groups if name in frame.columns)]
    summed = (
        frame.with_columns(pl.col("at").dt.truncate(width).alias("bucket"))
        .group_by(keys)
        .agg(pl.col(list(counted)).sum())
        .sort(keys, nulls_last=False)
    )
    found: defaultdict[datetime, list[Json]] = defaultdict(list)
    for row in summed.iter_rows(named=True):
        found[row.pop("bucket")].append(row)
    return found


def apply_filters(frame: pl.DataFrame, filters: dict[str, tuple[str, ...]]) -> pl.DataFrame:
    """Return the rows whose columns have one of the values asked for."""
    for column, values in filters.items():
        frame = frame.filter(pl.col(column).cast(pl.String).is_in(values))
    return frame


def build_amount(units: int, digits: int = 12) -> Decimal:
    """Return an integer of 10^-digits as the shortest decimal that says it."""
    whole = Decimal(units).scaleb(-digits)
    text = f"{whole:f}"
    return Decimal(text.rstrip("0").rstrip(".") if "." in text else text)


def round_amount(units: int, digits: int) -> int:
    """Return an amount of 1e-12 rounded half up to `digits` digits behind the point."""
    step = 10 ** (12 - digits)
    sign = -1 if units < 0 else 1
    return sign * ((2 * abs(units) + step) // (2 * step)) * step


def write_json(value: Any) -> str:
    """Return JSON whose decimals are written digit by digit."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{write_json(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(write_json(item) for item in value) + "]"
    return f"{value:f}" if isinstance(value, Decimal) else json.dumps(value)
