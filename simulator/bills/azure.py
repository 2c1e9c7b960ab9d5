"""What Azure bills, in EUR: tokens, provisioned throughput, bytes, logs and resources; and when it delivers.

What belongs here: meters, resources and units. What must not: columns of an export (`azure_focus`).
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl

from simulator.bills import azure_focus
from simulator.bills.exact import DIGITS
from simulator.bills.lines import build_lines, contract_lines, price_lines
from simulator.bills.metered import Cut, Metered, as_gibibytes, as_quantities, meter, sum_bytes, write_tags
from simulator.bills.tokens import build_token_lines
from simulator.company import ACCOUNTS, Period, midnight, next_month
from simulator.prices import meter_price
from simulator.world import World

COST_DIGITS = 10
_SUBSCRIPTION = f"/subscriptions/{ACCOUNTS['azure_production'].account_id}"
_GROUP = f"{_SUBSCRIPTION}/resourcegroups/rg-triage/providers/"
OPENAI_ACCOUNT = (
    f"{_SUBSCRIPTION}/resourcegroups/rg-ai/providers/microsoft.cognitiveservices/accounts/qw-openai-weu"
)
_MACHINES = f"{_GROUP}microsoft.compute/virtualmachinescalesets/vmss-triage"
_TYPES = {
    "Azure Cache for Redis": "microsoft.cache/redis",
    "Storage": "microsoft.storage/storageaccounts",
    "log": "microsoft.operationalinsights/workspaces",
    "trace": "microsoft.insights/components",
}
_UNITS = {"1 Hour": "Hours", "1 GB/Month": "GB/Month", "1 GB": "GB", "1K": "Units", "Tokens": "Units"}
"""Pricing unit → consumed unit."""
_TRIAGE_TAGS = '{"app":"ticket_triage","env":"production","team":"customer-care"}'


def build_usage_lines(world: World, cut: Cut) -> pl.DataFrame:
    """Return Azure's priced lines of the days of `cut`."""
    use = meter(world, "azure", cut)
    lines = pl.concat(
        [
            _token_lines(use),
            _provisioned_lines(use),
            *_transfer_lines(use),
            _log_lines(use),
            _resource_lines(use),
        ]
    )
    digits = COST_DIGITS if world.habits.quantity_rounding else DIGITS
    priced = price_lines(contract_lines(lines, "azure", world.habits), digits)
    described = pl.format("{} - {} - EU West", pl.col("instance_type"), pl.col("meter"))
    return priced.with_columns(
        pl.col("unit").replace_strict(_UNITS).alias("operation"), described.alias("description")
    )


def _build(frame: pl.DataFrame, **values: Any) -> pl.DataFrame:
    """Lines of Azure; `instance_type` is the subcategory of the meter."""
    return build_lines(
        frame, bill="azure", days=1, kind="usage", currency="EUR", region=azure_focus.REGION, **values
    )


def _token_lines(use: Metered) -> pl.DataFrame:
    keys = [name for name in use.tokens.columns if name not in ("tokens", "bill_lag_days")]
    merged = use.tokens.group_by(keys).agg(pl.col("tokens").sum()).sort(keys)
    return build_token_lines(merged, "azure", use.habits).with_columns(
        pl.lit("Azure AI Services").alias("service"),
        pl.lit("Azure OpenAI").alias("instance_type"),
        pl.lit(OPENAI_ACCOUNT).alias("resource"),
    )


def _provisioned_lines(use: Metered) -> pl.DataFrame:
    """Units deployed × hours they stood, used or not."""
    hours = (
        use.capacity.group_by("day", "account", pl.col("resource_id").alias("resource"))
        .agg(pl.col("units").cast(pl.Int64).sum().alias("quantity"))
        .sort("day")
    )
    return _build(
        hours, use="hours", service="Azure AI Services", instance_type="Azure OpenAI", unit="1 Hour", digits=0,
        meter="Provisioned Managed Regional Unit", list_price=meter_price("azure", "ptu", "PTU hours"),
        tags=_TRIAGE_TAGS,
    )  # fmt: skip


def _transfer_lines(use: Metered) -> list[pl.DataFrame]:
    names = {
        "inter_az": "Standard Inter-Availability Zone Data Transfer Out",
        "internet": "Standard Data Transfer Out",
    }
    lines = []
    for kind, name in names.items():
        moved = sum_bytes(use.transfers.filter(pl.col("traffic_kind") == kind))
        lines.append(
            _build(
                as_gibibytes(moved, "billed_bytes", use.habits), use="bytes", service="Bandwidth", meter=name,
                instance_type="Rtn Preference: MGN", unit="1 GB", list_price=meter_price("azure", kind, "GiB"),
                resource=_MACHINES, tags=_TRIAGE_TAGS,
            )
        )  # fmt: skip
    return lines


def _log_lines(use: Metered) -> pl.DataFrame:
    volumes = as_gibibytes(use.telemetry.sort("day", "workload_ref"), "volume_bytes", use.habits)
    named = volumes.with_columns(
        pl.concat_str(
            pl.lit(_GROUP), pl.col("signal").replace_strict(_TYPES), pl.lit("/"), pl.col("workload_ref")
        ).alias("resource")
    ).drop("service")
    return _build(
        named, use="volume", service="Azure Monitor", meter="Analytics Logs Data Ingestion", unit="1 GB",
        instance_type="Log Analytics", list_price=meter_price("azure", "log", "GiB"),
    )  # fmt: skip


def _resource_lines(use: Metered) -> pl.DataFrame:
    kinds = {name: kind for name, kind in _TYPES.items() if name not in ("log", "trace")}
    named = as_quantities(use.other, use.cut).with_columns(
        pl.concat_str(
            pl.lit(_GROUP), pl.col("service").replace_strict(kinds), pl.lit("/"), pl.col("resource_id")
        ).alias("resource"),
        pl.col("service").alias("instance_type"),
        pl.lit(None, dtype=pl.String).alias("zone"),
        write_tags(),
    )
    return _build(named.drop("region"), use="other_usage")


def is_closed(period: Period, month: date) -> bool:
    """Tell whether the run saw the last export of a month, four days after it."""
    return _close(month) <= _now(period)


def _close(month: date) -> datetime:
    return midnight(next_month(month)) + timedelta(days=3, hours=9, minutes=30)


def _now(period: Period) -> datetime:
    return midnight(period.end + timedelta(days=1)) + timedelta(hours=5, minutes=45)


def find_cut(world: World, month: date) -> Cut:
    """Return what the newest delivery of a month knows: whole days, and no late calls while the month is open."""
    period = world.period
    last = min(next_month(month) - timedelta(days=1), period.end)
    return Cut(max(month, period.start), last, has_late_calls=is_closed(period, month))


def build_final_lines(world: World) -> pl.DataFrame:
    """Return all lines as the newest deliveries state them."""
    return pl.concat([build_usage_lines(world, find_cut(world, month)) for month in world.period.months])


def write_bills(root: Path, world: World) -> None:
    """Write one delivery a month: four days after it closed, or on the morning after the run."""
    for month in world.period.months:
        closed = is_closed(world.period, month)
        number = int(sha256(f"azure {month}".encode()).hexdigest()[:8], 16) % 10**9
        lines = build_usage_lines(world, find_cut(world, month))
        table = azure_focus.render(lines, month, f"G{number:09d}" if closed else "")
        azure_focus.write_delivery(root, month, _close(month) if closed else _now(world.period), table)
