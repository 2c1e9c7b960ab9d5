"""The Azure bill: FOCUS 1.0r2 as Cost Management exports it, in EUR, month-to-date runs in own folders.

What belongs here: meters, USD list prices, the monthly exchange rate and the habits of Azure exports.
What must not: anything that an invoice does not show, such as users, features or log coverage.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from simulator.legacy.behaviour import Call
from simulator.legacy.company import (
    AZURE_BILLING_ACCOUNT,
    AZURE_REGION,
    AZURE_SUBSCRIPTION,
    COMPANY,
    midnight,
    next_month,
)
from simulator.legacy.focus import (
    FOCUS_1_0_COLUMNS,
    Delivery,
    Line,
    Price,
    code,
    cost,
    period_columns,
    price_columns,
    tags_text,
    text,
    write_delivery,
)
from simulator.legacy.volumes import Emission, Flow, Usage

OWN_COLUMNS = tuple(
    """
    x_BillingExchangeRate x_BillingExchangeRateDate x_BillingProfileId x_InvoiceId x_PricingBlockSize
    x_PricingCurrency x_PricingUnitDescription x_ResourceGroupName x_SkuMeterCategory x_SkuMeterId
    x_SkuMeterName x_SkuMeterSubcategory x_SkuRegion x_SkuServiceFamily
    """.split()
)
COLUMNS = (*FOCUS_1_0_COLUMNS, *OWN_COLUMNS)
DISCOUNT = Decimal("0.95")
GIGABYTE = Decimal(1_073_741_824)
FLOW_OVERHEAD = Decimal("1.017")
EURO_PER_DOLLAR = {"2026-09": Decimal("0.8613"), "2026-10": Decimal("0.8631"), "2026-11": Decimal("0.8596")}
EURO_PER_DOLLAR_ELSE = Decimal("0.86")
UNIT_PRICE_DIGITS = Decimal("0.000000000001")


@dataclass(frozen=True)
class Meter:
    """An Azure meter: where it stands in the price sheet, its USD price and its unit block."""

    service: str
    service_category: str
    category: str
    subcategory: str
    name: str
    list_price_usd: str
    pricing_unit: str
    consumed_unit: str
    block_size: int
    family: str


def _openai(name: str, price: str) -> Meter:
    return Meter(
        "Azure AI Services",
        "AI and Machine Learning",
        "Foundry Models",
        "Azure OpenAI",
        name,
        price,
        "1K",
        "Units",
        1000,
        "AI + Machine Learning",
    )


def _bandwidth(name: str, price: str) -> Meter:
    return Meter(
        "Bandwidth",
        "Networking",
        "Bandwidth",
        "Rtn Preference: MGN",
        name,
        price,
        "1 GB",
        "GB",
        1,
        "Networking",
    )


TOKEN_METERS = (
    (_openai("gpt 4.1 mini Inp glbl Tokens", "0.0004"), "uncached_tokens"),
    (_openai("gpt 4.1 mini cached Inp glbl Tokens", "0.0001"), "cache_read_tokens"),
    (_openai("gpt 4.1 mini Outp glbl Tokens", "0.0016"), "output_tokens"),
)
INTER_ZONE = _bandwidth("Standard Inter-Availability Zone Data Transfer Out", "0.01")
INTERNET = _bandwidth("Standard Data Transfer Out", "0.08")
LOGS = Meter(
    "Azure Monitor",
    "Management and Governance",
    "Log Analytics",
    "Log Analytics",
    "Analytics Logs Data Ingestion",
    "2.76",
    "1 GB",
    "GB",
    1,
    "Management and Governance",
)
MACHINE = Meter(
    "Virtual Machines",
    "Compute",
    "Virtual Machines",
    "Virtual Machines Dsv5 Series",
    "D4s v5",
    "0.23",
    "1 Hour",
    "Hours",
    1,
    "Compute",
)
DISK = Meter(
    "Storage Accounts",
    "Storage",
    "Storage",
    "Premium SSD Managed Disks",
    "P10 LRS Disk",
    "20.53",
    "1/Month",
    "Units",
    1,
    "Storage",
)


def _resource(provider_path: str, group: str = "rg-triage") -> str:
    return f"/subscriptions/{AZURE_SUBSCRIPTION.account_id}/resourcegroups/{group}/providers/{provider_path}"


OPENAI_ACCOUNT = _resource("microsoft.cognitiveservices/accounts/qw-openai-weu", "rg-ai")
WORKSPACE = _resource("microsoft.operationalinsights/workspaces/triage-app-logs")
INSIGHTS = _resource("microsoft.insights/components/triage-app-traces")
MACHINES = tuple(_resource(f"microsoft.compute/virtualmachines/vm-triage-{index}") for index in (1, 2))
DISKS = tuple(_resource(f"microsoft.compute/disks/disk-triage-{index}") for index in (1, 2))
TRIAGE_TAGS = {"app": "support_chat", "env": "prod", "team": "customer-care"}


def _exchange_rate(month: date) -> Decimal:
    return EURO_PER_DOLLAR.get(f"{month:%Y-%m}", EURO_PER_DOLLAR_ELSE)


def _price(meter: Meter, month: date) -> Price:
    """Prices in EUR; Azure keeps the dollar list price and converts it at the month's rate."""
    listed = (Decimal(meter.list_price_usd) * _exchange_rate(month)).quantize(
        UNIT_PRICE_DIGITS, ROUND_HALF_UP
    )
    return Price(listed, (listed * DISCOUNT).quantize(UNIT_PRICE_DIGITS, ROUND_HALF_UP))


def _usage(
    meter: Meter, day: date, consumed: Decimal, resource_id: str, tags: dict[str, str] | None = None
) -> Line:
    """One day of usage of a meter by one resource."""
    month = day.replace(day=1)
    provider, kind = resource_id.split("/")[6:8] if resource_id else ("", "")
    line = period_columns(month, day) | price_columns(
        _price(meter, month), consumed / meter.block_size, meter.pricing_unit
    )
    return line | {
        "BillingAccountId": AZURE_BILLING_ACCOUNT,
        "BillingAccountName": f"{COMPANY} EU",
        "BillingCurrency": "EUR",
        "ChargeCategory": "Usage",
        "ChargeFrequency": "Usage-Based",
        "ChargeDescription": f"{meter.subcategory} - {meter.name} - EU West",
        "ConsumedQuantity": text(consumed),
        "ConsumedUnit": meter.consumed_unit,
        "InvoiceIssuerName": "Microsoft",
        "PricingCategory": "Standard",
        "ProviderName": "Microsoft",
        "PublisherName": "Microsoft",
        "RegionId": AZURE_REGION,
        "RegionName": "West Europe",
        "ResourceId": resource_id,
        "ResourceName": resource_id.rsplit("/", 1)[-1],
        "ResourceType": f"{provider}/{kind}" if resource_id else "",
        "ServiceCategory": meter.service_category,
        "ServiceName": meter.service,
        "SkuId": code("azure", meter.name)[:12],
        "SkuPriceId": f"{code('azure', meter.name)[:12]}_P1M",
        "SubAccountId": f"/subscriptions/{AZURE_SUBSCRIPTION.account_id}",
        "SubAccountName": AZURE_SUBSCRIPTION.name,
        "Tags": tags_text(tags),
        "x_BillingExchangeRate": text(_exchange_rate(month)),
        "x_BillingExchangeRateDate": f"{month:%Y-%m-%d}T00:00:00Z",
        "x_BillingProfileId": "qw-eu",
        "x_PricingBlockSize": str(meter.block_size),
        "x_PricingCurrency": "USD",
        "x_PricingUnitDescription": meter.pricing_unit,
        "x_ResourceGroupName": resource_id.split("/")[4] if resource_id else "",
        "x_SkuMeterCategory": meter.category,
        "x_SkuMeterId": str(uuid.uuid5(uuid.NAMESPACE_URL, meter.name)),
        "x_SkuMeterName": meter.name,
        "x_SkuMeterSubcategory": meter.subcategory,
        "x_SkuRegion": "EU West",
        "x_SkuServiceFamily": meter.family,
    }


def _token_lines(day: date, calls: list[Call]) -> Iterator[Line]:
    tokens: Counter[str] = Counter()
    for call in calls:
        for meter, attribute in TOKEN_METERS:
            tokens[meter.name] += getattr(call, attribute)
    for meter, _ in TOKEN_METERS:
        if tokens[meter.name]:
            yield _usage(meter, day, Decimal(tokens[meter.name]), OPENAI_ACCOUNT)


def _fixed_lines(day: date) -> Iterator[Line]:
    for resource_id in MACHINES:
        yield _usage(MACHINE, day, Decimal(24), resource_id, TRIAGE_TAGS)
    month_days = (next_month(day) - day.replace(day=1)).days
    for resource_id in DISKS:
        yield _usage(DISK, day, cost(Decimal(1) / month_days), resource_id)


def _volume_lines(flows: list[Flow], emissions: list[Emission]) -> Iterator[Line]:
    for flow in flows:
        meter = INTER_ZONE if flow.route.traffic_kind == "inter_az" else INTERNET
        gigabytes = cost(Decimal(flow.bytes) * FLOW_OVERHEAD / GIGABYTE)
        yield _usage(meter, flow.day, gigabytes, MACHINES[0], TRIAGE_TAGS)
    for emission in emissions:
        resource_id = WORKSPACE if emission.emitter.signal == "log" else INSIGHTS
        yield _usage(LOGS, emission.day, cost(Decimal(emission.bytes) / GIGABYTE), resource_id)


def build_month(usage: Usage, month: date) -> list[Line]:
    """The bill of one month, with an invoice id only when the month was closed in the run."""
    lines: list[Line] = []
    for day in (day for day in usage.period.days if day.replace(day=1) == month):
        lines.extend(_token_lines(day, [call for call in usage.calls if call.started_at.date() == day]))
        lines.extend(_fixed_lines(day))
        flows = [flow for flow in usage.flows if flow.day == day]
        lines.extend(_volume_lines(flows, [emission for emission in usage.emissions if emission.day == day]))
    return lines


def build_deliveries(usage: Usage) -> list[Delivery]:
    """One run per month: four days after a month closes, and the open month on the morning after the end."""
    now = midnight(usage.period.end + timedelta(days=1)) + timedelta(hours=5, minutes=45)
    deliveries = []
    for month in usage.period.months:
        closed = next_month(month)
        last = midnight(closed) + timedelta(days=3, hours=9, minutes=30)
        is_closed = last <= now
        invoice = f"G{int(code('azure', str(month)), 36) % 10**9:09d}" if is_closed else ""
        lines = [line | {"x_InvoiceId": invoice} for line in build_month(usage, month)]
        run = uuid.uuid5(uuid.NAMESPACE_URL, f"{month}:{usage.period.end}")
        folder = f"{month:%Y%m%d}-{closed - timedelta(days=1):%Y%m%d}/{run}"
        deliveries.append(Delivery(folder, "part_0_0001", last if is_closed else now, lines))
    return deliveries


def write_bills(root: Path, usage: Usage) -> None:
    """Write every delivery below `root`."""
    for delivery in build_deliveries(usage):
        write_delivery(root, delivery, COLUMNS, ".csv")
