"""What a bill's meters had counted when it was delivered: use up to a time, late calls left out.

What belongs here: cutting the world's frames to what a vendor knew, and turning bytes and decimal texts into
quantities. What must not: meters or prices.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

from simulator.bills.exact import divide, scale
from simulator.bills.tokens import price_tokens, sum_tokens
from simulator.company import ACCOUNTS, midnight
from simulator.habits import Habits
from simulator.world import World

GIBIBYTE = 1_073_741_824
ACCOUNT_KEYS = {account.account_id: key for key, account in ACCOUNTS.items()}


@dataclass(frozen=True)
class Cut:
    """What a delivery knows: days from `first` to `last`, of the last day its first `hours`, calls that came in time.

    `hours` is 24 where the last day is whole; `known_until` is the day to which calls have come, None for all.
    """

    first: date
    last: date
    hours: int = 24
    known_until: date | None = None

    @property
    def ends_at(self) -> datetime:
        """Use from this time on is not counted."""
        return midnight(self.last) + timedelta(hours=self.hours)

    def share(self, day: date) -> tuple[int, int]:
        """The part of a day that is counted, as hours and 24."""
        return (self.hours if day == self.last else 24), 24


@dataclass(frozen=True)
class Metered:
    """The frames of one cloud, cut."""

    habits: Habits
    cut: Cut
    tokens: pl.DataFrame
    transfers: pl.DataFrame
    telemetry: pl.DataFrame
    capacity: pl.DataFrame
    other: pl.DataFrame


def meter(world: World, cloud: str, cut: Cut) -> Metered:
    """Return what one cloud had counted by `cut`; `tokens` are priced, and keep their lag where late calls count."""
    days = pl.col("day").is_between(pl.lit(cut.first), pl.lit(cut.last))
    calls = world.calls.filter((pl.col("cloud") == cloud) & days & (pl.col("started_at") < cut.ends_at))
    if cut.known_until is not None:
        lag = pl.duration(days=pl.col("bill_lag_days"))
        calls = calls.filter(pl.col("day") + lag <= pl.lit(cut.known_until))
    transfers = world.transfers.filter(
        (pl.col("cloud") == cloud) & (pl.col("window_start") < cut.ends_at)
    ).with_columns(pl.col("window_start").dt.date().alias("day"))
    hours = world.capacity_hours.filter(
        (pl.col("cloud") == cloud) & (pl.col("hour") < cut.ends_at)
    ).with_columns(pl.col("hour").dt.date().alias("day"))
    return Metered(
        world.habits,
        cut,
        price_tokens(sum_tokens(calls, "day", "bill_lag_days"), world.period, world.habits),
        _name_accounts(transfers.filter(days)),
        _name_accounts(world.telemetry.filter((pl.col("cloud") == cloud) & days)),
        _name_accounts(hours.filter(days)),
        _name_accounts(world.other_usage.filter((pl.col("cloud") == cloud) & days)),
    )


def _name_accounts(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col("account_id").replace_strict(ACCOUNT_KEYS).alias("account"))


def sum_bytes(frame: pl.DataFrame, *keys: str) -> pl.DataFrame:
    """Return `billed_bytes` by day and keys."""
    by = ["day", "account", *keys]
    return frame.group_by(by).agg(pl.col("billed_bytes").sum()).sort(by)


def as_gibibytes(frame: pl.DataFrame, volume: str, habits: Habits) -> pl.DataFrame:
    """Return a frame with bytes as `quantity` of gibibytes: twelve digits, six where vendors round quantities."""
    digits = 6 if habits.quantity_rounding else 12
    quantities = [divide(value * 10**digits, GIBIBYTE) for value in frame[volume]]
    return frame.with_columns(
        pl.Series("quantity", quantities, dtype=pl.Int64), pl.lit(digits, dtype=pl.Int64).alias("digits")
    )


def as_quantities(frame: pl.DataFrame, cut: Cut) -> pl.DataFrame:
    """Return a frame whose decimal texts `quantity` and `list_price` are integers; the last day counts in part."""
    quantities = []
    for text, day in frame.select("quantity", "day").iter_rows():
        hours, whole = cut.share(day)
        quantities.append(divide(scale(text, 6) * hours, whole))
    prices = [scale(text) for text in frame["list_price"]]
    return frame.with_columns(
        pl.Series("quantity", quantities, dtype=pl.Int64),
        pl.lit(6, dtype=pl.Int64).alias("digits"),
        pl.Series("list_price", prices, dtype=pl.Int64),
    )


def scale_volume(frame: pl.DataFrame, volume: str, cut: Cut) -> pl.DataFrame:
    """Return daily volumes of which the last day counts in part, in whole bytes."""
    parts = [cut.share(day) for day in frame["day"]]
    values = [value * hours // whole for value, (hours, whole) in zip(frame[volume], parts, strict=True)]
    return frame.with_columns(pl.Series(volume, values, dtype=pl.Int64))


def write_tags(prefix: str = "") -> pl.Expr:
    """Return feature, team and environment of a row as JSON tags `app`, `team`, `env`; null where it has none."""
    pairs = [
        pl.when(pl.col(column).fill_null("") != "").then(
            pl.format('"{}{}":"{}"', pl.lit(prefix), pl.lit(key), pl.col(column))
        )
        for key, column in (("app", "feature"), ("env", "environment"), ("team", "team"))
    ]
    joined = pl.concat_str(pairs, separator=",", ignore_nulls=True)
    return pl.when(joined != "").then(pl.concat_str(pl.lit("{"), joined, pl.lit("}"))).alias("tags")
