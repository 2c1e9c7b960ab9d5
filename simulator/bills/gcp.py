"""What Google bills: Gemini's tokens, bytes, logs and resources, a promotion's credits and tax; and when it exports.

What belongs here: SKUs, units and the times of export. What must not: fields of the export (`gcp_export`).
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from simulator.bills import gcp_export
from simulator.bills.exact import DIGITS, divide, round_units
from simulator.bills.lines import build_lines, contract_lines, price_lines
from simulator.bills.metered import Cut, Metered, as_gibibytes, as_quantities, meter, sum_bytes
from simulator.bills.tokens import build_token_lines
from simulator.company import midnight, next_month
from simulator.prices import as_units, meter_price
from simulator.world import World

COST_DIGITS = 6
TAX_PERCENT = 6
PROMOTION = "0.35"  # USD a day off the machines of the enrichment jobs
_PROMOTED = "E2 Instance Core running in Americas"
_EXPORT_DELAY = timedelta(hours=29)  # after a day begins: five in the morning of the next


def build_lines_known(world: World, today: date) -> pl.DataFrame:
    """Return all lines that were exported by the morning of `today`."""
    period = world.period
    use = meter(world, "gcp", Cut(period.start, period.end))
    digits = COST_DIGITS if world.habits.quantity_rounding else DIGITS
    lines = pl.concat([_token_lines(use), *_transfer_lines(use), _log_lines(use), _resource_lines(use)])
    priced = price_lines(contract_lines(lines, "gcp", world.habits), digits)
    exported = pl.col("day").cast(pl.Datetime("us")) + _EXPORT_DELAY
    priced = priced.with_columns(pl.coalesce("known_at", exported))
    with_credits = pl.concat([priced, _credit_lines(priced, world)])
    everything = pl.concat([with_credits, *_tax_lines(with_credits, world)])
    return everything.filter(pl.col("known_at") <= midnight(today) + timedelta(hours=6))


def _build(frame: pl.DataFrame, **values: Any) -> pl.DataFrame:
    given = {"region": "us-central1", "account": "gcp_production"} | values
    return build_lines(
        frame, bill="gcp", days=1, kind="usage", currency="USD", operation="",
        **{name: value for name, value in given.items() if name not in frame.columns},
    )  # fmt: skip


def _token_lines(use: Metered) -> pl.DataFrame:
    """Tokens that come late are rows of their own, exported on a later day."""
    exported = pl.col("day").cast(pl.Datetime("us")) + pl.duration(days="bill_lag_days") + _EXPORT_DELAY
    return build_token_lines(
        use.tokens.with_columns(exported.alias("known_at")), "gcp", use.habits
    ).with_columns(pl.lit("Vertex AI").alias("service"), pl.lit("").alias("operation"))


def _transfer_lines(use: Metered) -> list[pl.DataFrame]:
    names = {
        "inter_az": "Network Inter Zone Data Transfer Out",
        "internet": "Network Internet Data Transfer Out from Americas to EMEA",
    }
    lines = []
    for kind, name in names.items():
        moved = sum_bytes(use.transfers.filter(pl.col("traffic_kind") == kind), "from_zone")
        measured = as_gibibytes(moved, "billed_bytes", use.habits).rename({"from_zone": "zone"})
        lines.append(
            _build(
                measured, use="bytes", service="Compute Engine", meter=name, unit="gibibyte",
                list_price=meter_price("gcp", kind, "GiB"),
            )
        )  # fmt: skip
    return lines


def _log_lines(use: Metered) -> pl.DataFrame:
    volumes = as_gibibytes(use.telemetry.sort("day", "workload_ref"), "volume_bytes", use.habits)
    return _build(
        volumes.drop("service"), use="volume", service="Cloud Logging", meter="Log Storage cost", unit="gibibyte",
        list_price=meter_price("gcp", "log", "GiB"),
    )  # fmt: skip


def _resource_lines(use: Metered) -> pl.DataFrame:
    pairs = [
        pl.when(pl.col(column) != "").then(
            pl.concat_str(pl.lit(f'{{"key":"{key}","value":"'), pl.col(column), pl.lit('"}'))
        )
        for key, column in (("app", "feature"), ("env", "environment"), ("team", "team"))
    ]
    labels = pl.concat_str(
        pl.lit("["), pl.concat_str(pairs, separator=",", ignore_nulls=True), pl.lit("]")
    ).alias("tags")
    named = as_quantities(use.other, use.cut).with_columns(
        pl.col("resource_id").alias("resource"), pl.lit(None, dtype=pl.String).alias("zone"), labels
    )
    return _build(named, use="other_usage")


def _credit_lines(lines: pl.DataFrame, world: World) -> pl.DataFrame:
    """The part of a promotion that each row of the machines got; the export writes it into that row."""
    promoted = lines.filter(pl.col("meter") == _PROMOTED) if world.habits.credits else lines.clear()
    amount = -as_units(PROMOTION)
    costs = [pl.lit(amount, dtype=pl.Int64).alias(name) for name in ("list_cost", "billed", "effective")]
    return promoted.with_columns(
        pl.lit("credit").alias("use"), pl.lit("credit").alias("kind"), pl.lit(None).cast(pl.Int64).alias("quantity"),
        *costs,
    )  # fmt: skip


def _tax_lines(lines: pl.DataFrame, world: World) -> list[pl.DataFrame]:
    """Tax of closed months, on all that Google billed in them."""
    if not world.habits.tax:
        return []
    digits = 2 if world.habits.cent_rounding else DIGITS
    taxes = []
    for month in world.period.months:
        first, last = max(month, world.period.start), next_month(month) - timedelta(days=1)
        if last >= world.period.end:
            continue
        taxed = int(lines.filter(pl.col("day").is_between(pl.lit(first), pl.lit(last)))["billed"].sum())
        amount = round_units(divide(taxed * TAX_PERCENT, 100), digits)
        taxes.append(_tax_line(last, amount))
    return taxes


def _tax_line(day: date, amount: int) -> pl.DataFrame:
    costs = {name: [amount] for name in ("list_cost", "billed", "effective")}
    frame = pl.DataFrame({"day": [day], "known_at": [midnight(day) + timedelta(days=3)], **costs})
    return build_lines(
        frame, bill="gcp", use="tax", days=1, kind="tax", service="Invoice", meter="Tax", currency="USD",
    )  # fmt: skip


def write_bills(root: Path, world: World, today: date) -> None:
    """Write the exports up to the morning of `today`; a credit stands in the row of the usage that got it."""
    lines = build_lines_known(world, today)
    credited = (
        '[{"id":"QW-GROW-26","full_name":"Startup programme","type":"PROMOTION","name":"Startup programme","amount":-'
        + PROMOTION
        + "}]"
    )
    is_promoted = (pl.col("meter") == _PROMOTED) & pl.lit(bool(world.habits.credits))
    rows = lines.filter(pl.col("kind") != "credit").with_columns(
        pl.when(is_promoted).then(pl.lit(credited)).alias("principal")
    )
    gcp_export.write_exports(root, rows)
