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


def _find_delivery(month: date, today: date) -> tuple[datetime, bool]:
    """Return when the newest run of a month was delivered, and whether its invoice was there: on its fifth day."""
    closed = midnight(next_month(month)) + timedelta(days=4, hours=9, minutes=30)
    is_closed = closed.date() < today
    return (closed, True) if is_closed else (midnight(today) + timedelta(hours=5, minutes=45), False)


def _build_month(world: World, month: date, delivered_at: datetime) -> pl.DataFrame:
    yesterday = delivered_at.date() - timedelta(days=1)
    last = min(next_month(month) - timedelta(days=1), world.period.end, yesterday)
    return build_usage_lines(world, Cut(max(month, world.period.start), last, known_until=yesterday))


def _find_months(period: Period, today: date) -> list[date]:
    return [month for month in period.months if max(month, period.start) < today]


def build_lines_known(world: World, today: date) -> pl.DataFrame:
    """Return all lines as the newest deliveries up to the morning of `today` state them."""
    months = _find_months(world.period, today)
    return pl.concat([_build_month(world, month, _find_delivery(month, today)[0]) for month in months])


def write_bills(root: Path, world: World, today: date) -> None:
    """Write one delivery a month: on its fifth day after, or on the morning of `today`; Azure's days are whole."""
    for month in _find_months(world.period, today):
        delivered_at, has_invoice = _find_delivery(month, today)
        number = int(sha256(f"azure {month}".encode()).hexdigest()[:8], 16) % 10**9
        lines = _build_month(world, month, delivered_at)
        table = azure_focus.render(lines, month, f"G{number:09d}" if has_invoice else "")
        azure_focus.write_delivery(root, month, delivered_at, table)
