"""The answer key: what every call and every share of a pool truly cost, and what each habit took from whom.

What belongs here: exact cost in integers of 1e-12 of the billing currency, computed from `World` alone. What must
not: anything of a bill or a log as written. The pipeline never reads what this writes.

Written to `--truth DIR`: `calls.parquet` (a call, with its cost by token class), `sightings.parquet` (which logs hold a
call, and whether they say whose it was), `shares.parquet` (who used how much of which pool: cost = pool_cost × busy_us
÷ provisioned_us × used ÷ total, an exact rational), `other_costs.parquet` (metered things without weights),
`bills.parquet` (what each bill comes to),
`habits.parquet` (what each habit touched: calls, tokens and cost by day, account, model and token class),
`company.json` (period and doses).
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import polars as pl

from simulator import company, volumes
from simulator.bills import lines
from simulator.logs.sightings import delivered
from simulator.prices import (
    BILLING_CURRENCY,
    CHANGED_PRICE,
    TOKEN_CLASSES,
    as_units,
    contract_price,
    find_euro_per_dollar_e4,
    meter_price,
    round_half_up,
)
from simulator.world import World

GIB = 2**30
COST_COLUMNS = tuple(name.removesuffix("_tokens") + "_cost" for name in TOKEN_CLASSES)


def _prices(world: World) -> pl.DataFrame:
    """Token prices with one column a class: what is paid, what is listed, and what stood listed before the change."""
    rows = []
    for row in world.token_prices.iter_rows(named=True):
        is_changed = (row["provider"], row["model"]) == CHANGED_PRICE and row[
            "valid_from"
        ] >= world.period.price_change_day
        listed = row["list_price"]
        booked = round(listed / (1 + world.habits.price_change)) if is_changed else listed
        if row["billing_currency"] == "EUR":
            rate = find_euro_per_dollar_e4(row["valid_from"])
            listed, booked = (round_half_up(price * rate, 10**4) for price in (listed, booked))
        rows.append(row | {"paid": row["contract_price"], "listed": listed, "booked": booked})
    keys = ["provider", "model", "service_tier", "context_band", "valid_from", "valid_to"]
    frame = pl.DataFrame(rows)
    return frame.pivot(on="token_class", index=keys, values=["paid", "listed", "booked"])


def build_call_costs(world: World) -> pl.DataFrame:
    """Every call with `<class>_cost`, `web_search_cost` and `cost`, their sum; null costs: paid by the hour.

    `list_cost` is the same of all classes at list price, `book_cost` at the list price before it changed.
    """
    keys = ["provider", "model", "service_tier", "context_band"]
    priced = world.calls.join(_prices(world), on=keys, how="left").filter(
        pl.col("valid_from").is_null()
        | ((pl.col("day") >= pl.col("valid_from")) & (pl.col("day") < pl.col("valid_to")))
    )
    if len(priced) != len(world.calls):
        raise ValueError(
            f"{len(world.calls)} calls became {len(priced)} when priced: prices overlap or end too early"
        )
    search = {
        day: contract_price(
            meter_price("anthropic", "web_search", "requests"), "anthropic", day, world.habits
        )
        for day in world.period.days
    }
    has_price = pl.col("valid_from").is_not_null()

    def value(kind: str, name: str) -> pl.Expr:
        return pl.col(name) * pl.col(f"{kind}_{name}").fill_null(0)

    costs = [
        pl.when(has_price).then(value("paid", name)).alias(cost)
        for name, cost in zip(TOKEN_CLASSES, COST_COLUMNS, strict=True)
    ]
    sums = {
        column: pl.when(has_price).then(pl.sum_horizontal(value(kind, name) for name in TOKEN_CLASSES))
        for column, kind in (("list_cost", "listed"), ("book_cost", "booked"))
    }
    prices = [f"{kind}_{name}" for kind in ("paid", "listed", "booked") for name in TOKEN_CLASSES]
    return (
        priced.with_columns(
            *costs,
            **sums,
            web_search_cost=pl.col("web_search_requests") * pl.col("day").replace_strict(search),
            currency=pl.col("cloud").replace_strict(BILLING_CURRENCY),
            is_logged=pl.col("unlogged_reason").is_null(),
        )
        .with_columns(cost=pl.when(has_price).then(pl.sum_horizontal(*COST_COLUMNS, "web_search_cost")))
        .drop(*prices, "valid_from", "valid_to")
        .sort("call_index")
    )


_SHARE_KEYS = (
    "day cloud account_id currency pool_kind pool feature user_id pool_cost busy_us provisioned_us used total"
).split()


def _transfer_shares(world: World) -> pl.DataFrame:
    """Bytes of each link beside all bytes of the meter and zone that bills them."""
    moved = world.transfers.with_columns(day=pl.col("window_start").dt.date())
    keys = ["day", "cloud", "account_id", "traffic_kind", "from_zone", "to_zone", "feature"]
    moved = moved.group_by(keys).agg(pl.col("bytes").sum(), pl.col("billed_bytes").sum())
    is_twice = (pl.col("traffic_kind") == "inter_az") & (pl.col("cloud") == "aws")
    leaving = moved.with_columns(pool=pl.format("{}|out|{}", "traffic_kind", "from_zone"))
    arriving = moved.filter(is_twice).with_columns(pool=pl.format("{}|in|{}", "traffic_kind", "to_zone"))
    sides = pl.concat([leaving, arriving])
    pools = ["day", "cloud", "account_id", "traffic_kind", "pool"]
    totals = sides.group_by(pools).agg(pl.col("bytes").sum().alias("total"), pl.col("billed_bytes").sum())
    costs = [
        round_half_up(volume * contract_price(meter_price(cloud, kind, "GiB"), cloud, day, world.habits), GIB)
        for day, cloud, kind, volume in totals.select(
            "day", "cloud", "traffic_kind", "billed_bytes"
        ).iter_rows()
    ]
    totals = totals.with_columns(pool_cost=pl.Series(costs, dtype=pl.Int64)).drop("billed_bytes")
    shares = sides.group_by([*pools, "feature"]).agg(pl.col("bytes").sum().alias("used"))
    return _as_shares(pl.concat([shares.join(totals, on=pools), _gateway_hours(world, moved)]), "egress")


def _gateway_hours(world: World, moved: pl.DataFrame) -> pl.DataFrame:
    """Hours of the NAT gateway, which the bytes that it passed on share."""
    hours = build_other_costs(world).filter(pl.col("meter") == "NatGateway-Hours")
    hours = hours.group_by("day", "cloud", "account_id").agg(pl.col("cost").sum().alias("pool_cost"))
    passed = moved.filter(pl.col("traffic_kind") == "nat")
    passed = passed.group_by("day", "cloud", "account_id", "feature").agg(pl.col("bytes").sum().alias("used"))
    total = pl.col("used").sum().over("day", "account_id").alias("total")
    return (
        passed.with_columns(total)
        .join(hours, on=["day", "cloud", "account_id"])
        .select(
            "day",
            "cloud",
            "account_id",
            pl.lit("nat").alias("traffic_kind"),
            pl.lit("nat|hours").alias("pool"),
            "feature",
            "used",
            "total",
            "pool_cost",
        )
    )


def _telemetry_shares(world: World) -> pl.DataFrame:
    """Each emitter's volume: its line names it, so it is a pool of its own."""
    costs = [
        round_half_up(
            volume * contract_price(meter_price(cloud, signal, "GiB"), cloud, day, world.habits), GIB
        )
        for day, cloud, signal, volume in world.telemetry.select(
            "day", "cloud", "signal", "volume_bytes"
        ).iter_rows()
    ]
    shares = world.telemetry.with_columns(
        pool_cost=pl.Series(costs, dtype=pl.Int64),
        pool=pl.format("{}|{}", "signal", "workload_ref"),
        used=pl.col("volume_bytes"),
        total=pl.col("volume_bytes"),
    )
    return _as_shares(shares, "monitoring")


def _capacity_shares(world: World) -> pl.DataFrame:
    """Prefill and decode time of each user's calls beside that of all calls of the resource, on each day."""
    seconds = (pl.col("busy_us") + 500_000) // 1_000_000 * 1_000_000  # as the meters of hosts tell it
    hours = world.capacity_hours.with_columns(day=pl.col("hour").dt.date(), busy_us=seconds)
    pools = ["day", "cloud", "account_id", "replica_id", "instance_type", "kind"]
    capacity = hours.group_by(pools).agg(
        pl.col("units").sum(),
        pl.len().alias("hours"),
        pl.col("busy_us").sum(),
        pl.col("provisioned_us").sum(),
    )
    costs = []
    for day, cloud, kind, name, units, count in capacity.select(
        "day", "cloud", "kind", "instance_type", "units", "hours"
    ).iter_rows():
        meter, unit, quantity = ("ptu", "PTU hours", units) if kind == "ptu" else (name, "hours", count)
        list_price = meter_price(cloud, meter, unit)
        costs.append(quantity * contract_price(list_price, cloud, day, world.habits))
    capacity = capacity.with_columns(pool_cost=pl.Series(costs, dtype=pl.Int64))
    used = (
        world.calls.filter(pl.col("replica_id").is_not_null())
        .group_by("day", "replica_id", "feature", "user_id")
        .agg((pl.col("prefill_us") + pl.col("decode_us")).sum().alias("used"))
    )
    used = used.with_columns(total=pl.col("used").sum().over("day", "replica_id"))
    shares = used.join(capacity, on=["day", "replica_id"])
    return _as_shares(shares.with_columns(pool=pl.col("replica_id")), "capacity")


def _as_shares(frame: pl.DataFrame, kind: str) -> pl.DataFrame:
    """The columns of `shares.parquet`; those that a kind of pool has no use for say nothing."""
    missing = {
        "user_id": pl.lit(None, dtype=pl.String),
        "busy_us": pl.lit(1, dtype=pl.Int64),
        "provisioned_us": pl.lit(1, dtype=pl.Int64),
    }
    frame = frame.with_columns(
        pool_kind=pl.lit(kind),
        currency=pl.col("cloud").replace_strict(BILLING_CURRENCY),
        **{name: value for name, value in missing.items() if name not in frame.columns},
    )
    return frame.select(_SHARE_KEYS).sort(_SHARE_KEYS)


def build_other_costs(world: World) -> pl.DataFrame:
    """What each metered thing without weights costs before commitments: `cost` in 1e-12 of the billing currency."""
    costs = []
    for day, cloud, price, quantity, is_covered in world.other_usage.select(
        "day", "cloud", "list_price", "quantity", "is_covered"
    ).iter_rows():
        unit_price = contract_price(as_units(price), cloud, day, world.habits)
        if is_covered and world.habits.commitments > 0:
            unit_price = as_units(volumes.SAVINGS_PLAN_RATE)
        costs.append(round_half_up(as_units(quantity) * unit_price, 10**12))
    return world.other_usage.with_columns(
        cost=pl.Series(costs, dtype=pl.Int64), currency=pl.col("cloud").replace_strict(BILLING_CURRENCY)
    )


def build_habit_costs(costs: pl.DataFrame, world: World) -> pl.DataFrame:
    """What each habit touched, by day, account, model and token class; a call may stand under several habits."""
    habits = {
        **{
            f"unlogged:{reason}": pl.col("unlogged_reason") == reason
            for reason in ("aborted", "bypass", "lost_day", "sampled")
        },
        "duplicated": (pl.col("in_span") & (pl.col("span_copies") > 1))
        | (pl.col("in_gateway") & (pl.col("gateway_copies") > 1))
        | (pl.col("in_provider_log") & (pl.col("provider_log_copies") > 1)),
        "several_emitters": pl.sum_horizontal("in_span", "in_gateway", "in_provider_log") > 1,
        "late_on_bill": pl.col("bill_lag_days") > 0,
        "retried": pl.col("is_retry") | pl.col("is_fallback"),
        "wasted": pl.col("error_type") == "invalid_output",
        "lost_cache": pl.col("cache_state").str.starts_with("lost_"),
        "price_change": (pl.col("model") == "gpt-4.1-mini")
        & (pl.col("day") >= world.period.price_change_day)
        & (world.habits.price_change > 0),
    }
    keys = ["day", "provider", "account_id", "model", "service_tier", "currency"]
    frames = []
    for habit, touched in habits.items():
        rows = costs.filter(touched)
        for tokens, cost in zip(TOKEN_CLASSES, COST_COLUMNS, strict=True):
            counted = rows.group_by(keys).agg(
                pl.len().cast(pl.Int64).alias("calls"),
                pl.col(tokens).sum().alias("tokens"),
                pl.col(cost).sum().alias("cost"),
            )
            frames.append(counted.with_columns(habit=pl.lit(habit), token_class=pl.lit(tokens)))
    return pl.concat(frames).filter(pl.col("tokens") > 0).sort("habit", *keys, "token_class")


def _bill_totals(world: World) -> pl.DataFrame:
    """What each bill comes to by kind of line (usage, credit, tax …), as its newest delivery states it."""
    frames = [
        frame.group_by("bill", "currency", "kind").agg(pl.col("billed", "effective").sum())
        for frame in lines(world).values()
    ]
    return pl.concat(frames).sort("bill", "currency", "kind")


def write_truth(world: World, folder: Path) -> None:
    """Write the answer key of `world` to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    costs = build_call_costs(world)
    costs.write_parquet(folder / "calls.parquet")
    delivered(world).write_parquet(folder / "sightings.parquet")
    shares = pl.concat([_transfer_shares(world), _telemetry_shares(world), _capacity_shares(world)])
    shares.write_parquet(folder / "shares.parquet")
    _bill_totals(world).write_parquet(folder / "bills.parquet")
    build_other_costs(world).write_parquet(folder / "other_costs.parquet")
    build_habit_costs(costs, world).write_parquet(folder / "habits.parquet")
    facts = {
        "start": str(world.period.start),
        "end": str(world.period.end),
        "seed": world.seed,
        "company": company.COMPANY,
        "habits": asdict(world.habits),
    }
    (folder / "company.json").write_text(json.dumps(facts, indent=1) + "\n")
