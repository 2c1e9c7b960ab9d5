"""How a FOCUS file is written: column sets, decimals, deliveries with their sidecar manifest.

What belongs here: the form of a FOCUS delivery, shared by both clouds. What must not: what a cloud
charges for, or any judgement about a line.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from base64 import b32encode
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from simulator.legacy.company import midnight, next_month

Line = dict[str, str]
COST_DIGITS = Decimal("0.0000000001")

FOCUS_1_0_COLUMNS = tuple(
    """
    AvailabilityZone BilledCost BillingAccountId BillingAccountName BillingCurrency BillingPeriodEnd
    BillingPeriodStart ChargeCategory ChargeClass ChargeDescription ChargeFrequency ChargePeriodEnd
    ChargePeriodStart CommitmentDiscountCategory CommitmentDiscountId CommitmentDiscountName
    CommitmentDiscountStatus CommitmentDiscountType ConsumedQuantity ConsumedUnit ContractedCost
    ContractedUnitPrice EffectiveCost InvoiceIssuerName ListCost ListUnitPrice PricingCategory
    PricingQuantity PricingUnit ProviderName PublisherName RegionId RegionName ResourceId ResourceName
    ResourceType ServiceCategory ServiceName SkuId SkuPriceId SubAccountId SubAccountName Tags
    """.split()
)
FOCUS_1_2_COLUMNS = tuple(
    sorted(
        (
            *FOCUS_1_0_COLUMNS,
            "BillingAccountType",
            "CapacityReservationId",
            "CapacityReservationStatus",
            "CommitmentDiscountQuantity",
            "CommitmentDiscountUnit",
            "InvoiceId",
            "PricingCurrency",
            "PricingCurrencyContractedUnitPrice",
            "PricingCurrencyEffectiveCost",
            "PricingCurrencyListUnitPrice",
            "ServiceSubcategory",
            "SkuMeter",
            "SkuPriceDetails",
            "SubAccountType",
        )
    )
)


@dataclass(frozen=True)
class Price:
    """A list price and the price agreed with the vendor, per pricing unit."""

    list_unit: Decimal
    contracted_unit: Decimal


@dataclass(frozen=True)
class Delivery:
    """A set of lines that a cloud hands over at one time into one folder."""

    folder: str
    stem: str
    delivered_at: datetime
    lines: list[Line]


def text(value: Decimal) -> str:
    """A decimal without exponent and without trailing zeros."""
    plain = f"{value:f}"
    return (plain.rstrip("0").rstrip(".") if "." in plain else plain) or "0"


def cost(value: Decimal) -> Decimal:
    """A cost at the ten decimals that the exports carry."""
    return value.quantize(COST_DIGITS, ROUND_HALF_UP)


def instant(value: datetime) -> str:
    """ISO 8601 in UTC, as FOCUS wants it."""
    return value.strftime("%Y-%m-%dT%H:%M:%SZ")


def code(*parts: str) -> str:
    """A stable identifier such as vendors give their SKUs."""
    return b32encode(hashlib.sha256("|".join(parts).encode()).digest()).decode()[:16]


def tags_text(tags: dict[str, str] | None) -> str:
    """Tags as a JSON object; no tags is null, hence empty."""
    return json.dumps(tags, sort_keys=True) if tags else ""


def period_columns(month: date, day: date, days: int = 1) -> Line:
    """Billing and charge period of a line that begins on `day` and lasts `days`."""
    return {
        "BillingPeriodStart": instant(midnight(month)),
        "BillingPeriodEnd": instant(midnight(next_month(month))),
        "ChargePeriodStart": instant(midnight(day)),
        "ChargePeriodEnd": instant(midnight(day) + timedelta(days=days)),
    }


def price_columns(price: Price, quantity: Decimal, unit: str) -> Line:
    """Prices, pricing quantity and the four costs of ordinary usage."""
    contracted = text(cost(price.contracted_unit * quantity))
    return {
        "ListUnitPrice": text(price.list_unit),
        "ContractedUnitPrice": text(price.contracted_unit),
        "PricingQuantity": text(quantity),
        "PricingUnit": unit,
        "ListCost": text(cost(price.list_unit * quantity)),
        "ContractedCost": contracted,
        "BilledCost": contracted,
        "EffectiveCost": contracted,
    }


def flat_costs(amount: Decimal) -> Line:
    """The four costs of a line that has no price: they are all `amount`."""
    return dict.fromkeys(("BilledCost", "EffectiveCost", "ContractedCost", "ListCost"), text(cost(amount)))


def write_delivery(root: Path, delivery: Delivery, columns: tuple[str, ...], suffix: str) -> None:
    """Write the lines and, after them, the manifest that says they are complete."""
    folder = root / delivery.folder
    folder.mkdir(parents=True, exist_ok=True)
    body = io.StringIO()
    writer = csv.DictWriter(body, columns, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(delivery.lines)
    content = body.getvalue().encode()
    name = f"{delivery.stem}{suffix}"
    (folder / name).write_bytes(gzip.compress(content, mtime=0) if suffix.endswith(".gz") else content)
    manifest = {"delivered_at": instant(delivery.delivered_at), "files": [name]}
    (folder / f"{delivery.stem}.manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
