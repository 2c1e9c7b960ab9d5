"""How Azure writes lines: FOCUS 1.0r2 with `x_` columns, as Cost Management exports it, in EUR.

What belongs here: columns of the export and its folders. What must not: what is billed (`azure`).
"""

from __future__ import annotations

import json
import uuid
from base64 import b32encode
from datetime import date, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import polars as pl

from simulator.bills.exact import write_decimal
from simulator.company import ACCOUNTS, AZURE_BILLING_ACCOUNT, COMPANY, midnight, next_month
from simulator.prices import find_euro_per_dollar_e4

REGION, REGION_NAME = "westeurope", "West Europe"
SERVICES = {
    "Azure AI Services": ("AI and Machine Learning", "Foundry Models", "AI + Machine Learning"),
    "Azure Cache for Redis": ("Databases", "Redis Cache", "Databases"),
    "Azure Monitor": ("Management and Governance", "Log Analytics", "Management and Governance"),
    "Bandwidth": ("Networking", "Bandwidth", "Networking"),
    "Storage": ("Storage", "Storage", "Storage"),
}
"""Service → category, meter category and service family."""


def code(*parts: str) -> str:
    """Return a stable identifier such as vendors give their SKUs."""
    return b32encode(sha256("|".join(parts).encode()).digest()).decode()[:16]


def _map(column: str, values: dict[str, str]) -> pl.Expr:
    return pl.col(column).replace_strict(values, default=None)


def render(lines: pl.DataFrame, month: date, invoice: str) -> pl.DataFrame:
    """Return the columns of a month's lines, text throughout."""
    meters = lines["meter"].unique().to_list()
    begin = pl.col("day").cast(pl.Datetime("us"))
    finish = (pl.col("day") + pl.duration(days=pl.col("days"))).cast(pl.Datetime("us"))
    is_block = pl.col("digits") > 0
    block = (
        pl.when(pl.col("use") == "tokens").then(pl.lit(10, dtype=pl.Int64) ** pl.col("digits")).otherwise(1)
    )
    parts = pl.col("resource").str.split("/")
    account = ACCOUNTS["azure_production"]
    rate = f"{find_euro_per_dollar_e4(month) / 10_000:.4f}"
    columns = {
        "AvailabilityZone": pl.col("zone"),
        "BilledCost": write_decimal("billed"),
        "BillingAccountId": pl.lit(AZURE_BILLING_ACCOUNT),
        "BillingAccountName": pl.lit(f"{COMPANY} EU"),
        "BillingCurrency": pl.col("currency"),
        "BillingPeriodStart": pl.lit(instant(midnight(month))),
        "BillingPeriodEnd": pl.lit(instant(midnight(next_month(month)))),
        "ChargeCategory": pl.lit("Usage"),
        "ChargeClass": pl.lit(None, dtype=pl.String),
        "ChargeDescription": pl.col("description"),
        "ChargeFrequency": pl.lit("Usage-Based"),
        "ChargePeriodStart": begin.dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "ChargePeriodEnd": finish.dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
        **{
            f"CommitmentDiscount{name}": pl.lit(None, dtype=pl.String)
            for name in ("Category", "Id", "Name", "Status", "Type")
        },
        "ConsumedQuantity": pl.when(is_block & (pl.col("use") == "tokens"))
        .then(pl.col("quantity").cast(pl.String))
        .otherwise(write_decimal("quantity", "digits")),
        "ConsumedUnit": pl.col("operation"),
        "ContractedCost": write_decimal("billed"),
        "ContractedUnitPrice": write_decimal("price"),
        "EffectiveCost": write_decimal("effective"),
        "InvoiceIssuerName": pl.lit("Microsoft"),
        "ListCost": write_decimal("list_cost"),
        "ListUnitPrice": write_decimal("list_price"),
        "PricingCategory": pl.lit("Standard"),
        "PricingQuantity": write_decimal("quantity", "digits"),
        "PricingUnit": pl.col("unit"),
        "ProviderName": pl.lit("Microsoft"),
        "PublisherName": pl.lit("Microsoft"),
        "RegionId": pl.lit(REGION),
        "RegionName": pl.lit(REGION_NAME),
        "ResourceId": pl.col("resource"),
        "ResourceName": parts.list.last(),
        "ResourceType": pl.concat_str(
            parts.list.get(6, null_on_oob=True), parts.list.get(7, null_on_oob=True), separator="/"
        ),
        "ServiceCategory": _map("service", {name: found[0] for name, found in SERVICES.items()}),
        "ServiceName": pl.col("service"),
        "SkuId": _map("meter", {meter: code("azure", meter)[:12] for meter in meters}),
        "SkuPriceId": _map("meter", {meter: f"{code('azure', meter)[:12]}_P1M" for meter in meters}),
        "SubAccountId": pl.lit(f"/subscriptions/{account.account_id}"),
        "SubAccountName": pl.lit(account.name),
        "Tags": pl.col("tags"),
        "x_BillingExchangeRate": pl.lit(rate),
        "x_BillingExchangeRateDate": pl.lit(f"{month:%Y-%m-%d}T00:00:00Z"),
        "x_BillingProfileId": pl.lit("qw-eu"),
        "x_InvoiceId": pl.lit(invoice),
        "x_PricingBlockSize": block.cast(pl.String),
        "x_PricingCurrency": pl.lit("USD"),
        "x_PricingUnitDescription": pl.col("unit"),
        "x_ResourceGroupName": parts.list.get(4, null_on_oob=True),
        "x_SkuMeterCategory": _map("service", {name: found[1] for name, found in SERVICES.items()}),
        "x_SkuMeterId": _map(
            "meter", {meter: str(uuid.uuid5(uuid.NAMESPACE_URL, meter)) for meter in meters}
        ),
        "x_SkuMeterName": pl.col("meter"),
        "x_SkuMeterSubcategory": pl.col("instance_type"),
        "x_SkuRegion": pl.lit("EU West"),
        "x_SkuServiceFamily": _map("service", {name: found[2] for name, found in SERVICES.items()}),
    }
    return lines.select(expression.alias(name) for name, expression in columns.items())


def instant(moment: datetime) -> str:
    """Return ISO 8601 in UTC, as FOCUS wants it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def write_delivery(root: Path, month: date, delivered_at: datetime, table: pl.DataFrame) -> None:
    """Write a run into a folder of its own and, after it, the manifest that says when it was delivered."""
    last = next_month(month) - timedelta(days=1)
    run = uuid.uuid5(uuid.NAMESPACE_URL, f"azure/{month}/{delivered_at}")
    folder = root / f"{month:%Y%m%d}-{last:%Y%m%d}" / str(run)
    folder.mkdir(parents=True, exist_ok=True)
    table.write_csv(folder / "part_0_0001.csv", null_value="")
    manifest = {"delivered_at": instant(delivered_at), "files": ["part_0_0001.csv"]}
    (folder / "part_0_0001.manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
