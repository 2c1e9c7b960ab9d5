"""The AWS bill: FOCUS 1.2 with AWS columns, one folder per billing period and delivery.

What belongs here: services, usage types, list prices, the discount and the habits of AWS Data Exports.
What must not: anything that an invoice does not show, such as users, features or log coverage.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from simulator.legacy.aws_catalogue import (
    BEDROCK,
    CLOUDWATCH,
    COVERED_HOURLY,
    EC2,
    EKS,
    INTERNET,
    LOGS_INGEST,
    MODEL_NAMES,
    NAT_BYTES,
    OPENSEARCH,
    RDS,
    REGIONAL_IN,
    REGIONAL_OUT,
    RESOURCES,
    S3,
    S3_REQUESTS,
    SAGEMAKER,
    SAVINGS_PLAN_HOURLY,
    SAVINGS_PLANS,
    SEARCH_NODE,
    SUPPORT,
    TOKEN_METERS,
    TOKEN_PRICES,
    TRAINING,
    Meter,
    Service,
    app_tags,
)
from simulator.legacy.behaviour import Call
from simulator.legacy.company import (
    AWS_REGION,
    BILLING_ACCOUNT,
    COMPANY,
    PRODUCTION,
    STAGING,
    Account,
    midnight,
    next_month,
)
from simulator.legacy.focus import (
    FOCUS_1_2_COLUMNS,
    Delivery,
    Line,
    Price,
    code,
    cost,
    flat_costs,
    period_columns,
    price_columns,
    tags_text,
    text,
    write_delivery,
)
from simulator.legacy.volumes import Emission, Flow, Usage

COLUMNS = (*FOCUS_1_2_COLUMNS, "x_Discounts", "x_Operation", "x_ServiceCode")
DISCOUNT = Decimal("0.95")
GIGABYTE = Decimal(1_073_741_824)
FLOW_OVERHEAD = Decimal("1.021")  # packet headers that hosts do not count
LAST_DAY_METERED = Decimal("0.75")  # of the open month's last day, usage until 18:00 has reached the bill
TAX_RATE = Decimal("0.06")
SAVINGS_PLAN = f"arn:aws:savingsplans::{BILLING_ACCOUNT}:savingsplan/5d0f3c1e-9a44-4b1f-8c51-2f6a7cbe0d18"


def _contracted(list_price: str) -> Price:
    return Price(Decimal(list_price), Decimal(list_price) * DISCOUNT)


def _arn(service: Service, account: Account, name: str) -> str:
    if not name:
        return ""
    if service is S3:
        return f"arn:aws:s3:::{name}"
    stem = {EC2: "ec2", EKS: "eks", OPENSEARCH: "es", RDS: "rds", CLOUDWATCH: "logs", SAGEMAKER: "sagemaker"}[
        service
    ]
    if service is EC2 and "/" not in name:
        name = f"{'volume' if name.startswith('vol-') else 'instance'}/{name}"
    return f"arn:aws:{stem}:{AWS_REGION}:{account.account_id}:{name}"


def _frame(service: Service, account: Account | None, month: date, day: date, days: int = 1) -> Line:
    """Columns that every line of the bill has."""
    return {
        **period_columns(month, day, days),
        "BillingAccountId": BILLING_ACCOUNT,
        "BillingAccountName": COMPANY,
        "BillingAccountType": "AWS Organization",
        "BillingCurrency": "USD",
        "PricingCurrency": "USD",
        "InvoiceIssuerName": "Amazon Web Services, Inc.",
        "ProviderName": "AWS",
        "PublisherName": "Amazon Web Services, Inc.",
        "RegionId": AWS_REGION,
        "RegionName": "US East (N. Virginia)",
        "ServiceName": service.name,
        "ServiceCategory": service.category,
        "ServiceSubcategory": service.subcategory,
        "SubAccountId": account.account_id if account else "",
        "SubAccountName": account.name if account else "",
        "SubAccountType": "AWS Account" if account else "",
        "x_ServiceCode": service.code,
        "x_Discounts": "{}",
    }


def _usage(
    meter: Meter, account: Account, day: date, quantity: Decimal, tags: tuple[tuple[str, str], ...] = ()
) -> Line:
    """One day of usage of a meter at the contracted price."""
    line = _frame(meter.service, account, day.replace(day=1), day)
    line |= price_columns(_contracted(meter.list_price), quantity, meter.unit)
    line |= {
        "ChargeCategory": "Usage",
        "ChargeFrequency": "Usage-Based",
        "ChargeDescription": meter.description,
        "ConsumedQuantity": text(quantity),
        "ConsumedUnit": meter.unit,
        "PricingCategory": "Standard",
        "PricingCurrencyEffectiveCost": line["EffectiveCost"],
        "PricingCurrencyListUnitPrice": line["ListUnitPrice"],
        "PricingCurrencyContractedUnitPrice": line["ContractedUnitPrice"],
        "SkuId": code(meter.service.code, meter.usage_type, meter.operation),
        "SkuPriceId": f"{code(meter.service.code, meter.usage_type, meter.operation)}.JRTCKXETXF.6YS6EN2CT7",
        "SkuMeter": meter.usage_type,
        "Tags": tags_text(dict(tags)),
        "x_Operation": meter.operation,
        "x_Discounts": '{"PRIVATE_RATE_DISCOUNT": 0.05}',
    }
    return line


def _at(line: Line, account: Account, service: Service, name: str, kind: str, zone: str = "") -> Line:
    """The same line, with the resource and zone that it is for."""
    return line | {
        "ResourceId": _arn(service, account, name),
        "ResourceName": name,
        "ResourceType": kind,
        "AvailabilityZone": zone,
    }


def build_token_lines(calls: list[Call]) -> Iterator[Line]:
    """One line per day, account, model and token meter; a meter without tokens has no line."""
    tokens: Counter[tuple[date, str, str, int]] = Counter()
    for call in calls:
        for index, (_, attribute) in enumerate(TOKEN_METERS):
            tokens[(call.started_at.date(), call.account.account_id, call.model.key, index)] += getattr(
                call, attribute
            )
    accounts = {account.account_id: account for account in (PRODUCTION, STAGING)}
    for (day, account_id, model, index), count in sorted(tokens.items()):
        if count == 0:
            continue
        account, suffix, price = (accounts[account_id], TOKEN_METERS[index][0], TOKEN_PRICES[model][index])
        usage_type = f"USE1-{MODEL_NAMES[model]}-{suffix}"
        words = suffix.replace("-", " ").removesuffix(" count")
        description = f"${price} per 1K {words} for {MODEL_NAMES[model]} in US East (N. Virginia)"
        meter = Meter(BEDROCK, usage_type, price, "1K tokens", description, "InvokeModelInference")
        line = _usage(
            meter,
            account,
            day,
            Decimal(count) / 1000,
            (("env", "prod" if account is PRODUCTION else "staging"),),
        )
        yield line | {
            "ConsumedQuantity": str(count),
            "ConsumedUnit": "Tokens",
            "ResourceType": "Foundation Model",
        }


def _covered(line: Line, hours: Decimal) -> Line:
    """A line that the Savings Plan pays for."""
    return line | {
        "BilledCost": "0",
        "EffectiveCost": text(cost(Decimal(COVERED_HOURLY) * hours)),
        "PricingCurrencyEffectiveCost": text(cost(Decimal(COVERED_HOURLY) * hours)),
        "PricingCategory": "Committed",
        **_savings_plan_columns("Used"),
    }


def _savings_plan_columns(status: str) -> Line:
    return {
        "CommitmentDiscountCategory": "Spend",
        "CommitmentDiscountId": SAVINGS_PLAN,
        "CommitmentDiscountName": "Compute Savings Plan",
        "CommitmentDiscountType": "Savings Plan",
        "CommitmentDiscountStatus": status,
        "CommitmentDiscountUnit": "USD",
    }


def _priced(hours: Decimal, effective: Decimal) -> Line:
    """What hours of the commitment cost: its price is agreed, there is no public one above it."""
    price = Price(Decimal(SAVINGS_PLAN_HOURLY), Decimal(SAVINGS_PLAN_HOURLY))
    return price_columns(price, hours, "Hours") | {
        "EffectiveCost": text(cost(effective)),
        "PricingCurrencyEffectiveCost": text(cost(effective)),
        "PricingCurrencyListUnitPrice": SAVINGS_PLAN_HOURLY,
        "PricingCurrencyContractedUnitPrice": SAVINGS_PLAN_HOURLY,
    }


def _savings_plan_lines(day: date, share: Decimal, used: Decimal) -> Iterator[Line]:
    """The day's commitment: what is paid (no effective cost) and what nothing used (no billed cost)."""
    committed = Decimal(SAVINGS_PLAN_HOURLY) * 24 * share
    frame = _frame(SAVINGS_PLANS, PRODUCTION, day.replace(day=1), day) | {
        "SkuMeter": "ComputeSP:1yrNoUpfront",
        "SkuId": code("ComputeSP:1yrNoUpfront"),
        "SkuPriceId": f"{code('ComputeSP:1yrNoUpfront')}.6YS6EN2CT7",
        "PricingCategory": "Committed",
        "ResourceId": SAVINGS_PLAN,
        "ResourceType": "Savings Plan",
    }
    yield (
        frame
        | _priced(24 * share, effective=Decimal(0))
        | _savings_plan_columns("")
        | {
            "ChargeCategory": "Purchase",
            "ChargeFrequency": "Recurring",
            "ChargeDescription": "1 year No Upfront Compute Savings Plan",
            "CommitmentDiscountQuantity": text(cost(committed)),
        }
    )
    yield (
        frame
        | _priced(Decimal(0), effective=committed - used)
        | _savings_plan_columns("Unused")
        | {
            "ChargeCategory": "Usage",
            "ChargeFrequency": "Recurring",
            "ChargeDescription": "Unused commitment of a 1 year No Upfront Compute Savings Plan",
            "CommitmentDiscountQuantity": text(cost(committed - used)),
        }
    )


def _resource_lines(day: date, share: Decimal) -> Iterator[Line]:
    used = Decimal(0)
    for resource in RESOURCES:
        if resource.is_office_hours and day.weekday() >= 5:
            continue
        quantity = cost(Decimal(resource.daily_quantity) * share)
        line = _usage(resource.meter, resource.account, day, quantity, resource.tags)
        line = _at(
            line, resource.account, resource.meter.service, resource.name, resource.kind, resource.zone
        )
        if resource.is_covered:
            line = _covered(line, quantity)
            used += Decimal(COVERED_HOURLY) * quantity
        yield line
    yield from _savings_plan_lines(day, share, used)
    for _ in range(2):  # two identical lines: AWS does not merge them
        line = _usage(S3_REQUESTS, PRODUCTION, day, Decimal(21_500))
        yield _at(line, PRODUCTION, S3, "quillworks-documents", "Bucket")
    if day.weekday() == 1:
        line = _usage(
            TRAINING, PRODUCTION, day, Decimal("6.25") * share, app_tags("support_chat", "customer-care")
        )
        yield _at(line, PRODUCTION, SAGEMAKER, f"training-job/router-finetune-{day:%Y%m%d}", "Training Job")


def _egress_lines(flows: list[Flow], share: Decimal) -> Iterator[Line]:
    """Inter-AZ bytes twice, once where they leave and once where they arrive; the rest once."""
    gigabytes: defaultdict[tuple[int, str, str], Decimal] = defaultdict(Decimal)
    meters = (REGIONAL_OUT, REGIONAL_IN, INTERNET, NAT_BYTES)
    accounts = {PRODUCTION.account_id: PRODUCTION, STAGING.account_id: STAGING}
    for flow in flows:
        route, billed = (flow.route, Decimal(flow.bytes) * FLOW_OVERHEAD * share / GIGABYTE)
        account_id = route.account.account_id
        if route.traffic_kind == "inter_az":
            gigabytes[(0, account_id, route.from_zone)] += billed
            gigabytes[(1, account_id, route.to_zone)] += billed
        elif route.traffic_kind == "internet":
            gigabytes[(2, account_id, route.from_zone)] += billed
        else:
            gigabytes[(3, account_id, "")] += billed
    for (index, account_id, zone), quantity in sorted(gigabytes.items()):
        account, meter = accounts[account_id], meters[index]
        line = _usage(meter, account, flows[0].day, cost(quantity)) | {"AvailabilityZone": zone}
        is_nat = meter is NAT_BYTES
        yield (_at(line, account, EC2, "natgateway/nat-05b7d1e93ac2f8604", "NAT Gateway") if is_nat else line)


def _log_lines(emissions: list[Emission], share: Decimal) -> Iterator[Line]:
    for emission in emissions:
        emitter = emission.emitter
        quantity = cost(Decimal(emission.bytes) * share / GIGABYTE)
        line = _usage(LOGS_INGEST, emitter.account, emission.day, quantity)
        yield _at(line, emitter.account, CLOUDWATCH, f"log-group:{emitter.workload_ref}", "Log Group")


def _monthly_lines(month: date) -> Iterator[Line]:
    """Support fee for the whole month, and promotional credits: one names a service, one does not."""
    days = (next_month(month) - month).days
    yield (
        _frame(SUPPORT, PRODUCTION, month, month, days)
        | flat_costs(Decimal(185))
        | {
            "ChargeCategory": "Purchase",
            "ChargeFrequency": "Recurring",
            "ChargeDescription": "AWS Support (Business) monthly fee",
            "SkuMeter": "Dollar",
            "RegionId": "",
            "RegionName": "",
        }
    )
    credit = {"ChargeCategory": "Credit", "ChargeFrequency": "One-Time", "RegionId": "", "RegionName": ""}
    yield (
        _frame(BEDROCK, PRODUCTION, month, month, days)
        | flat_costs(Decimal(-60))
        | credit
        | {"ChargeDescription": "AWS Promotional Credits: Bedrock Builder Programme QW-2026-14"}
    )
    yield (
        _frame(EC2, None, month, month, days)
        | flat_costs(Decimal("-37.5"))
        | credit
        | {"ChargeDescription": "AWS Promotional Credits: Activate Portfolio"}
    )


def _refund_line(month: date) -> Line:
    """A refund in `month` for a service failure in the month before, which is closed."""
    last_month = (month - timedelta(days=1)).replace(day=1)
    incident = last_month + timedelta(days=13)
    return (
        _frame(OPENSEARCH, PRODUCTION, month, incident)
        | flat_costs(Decimal("-41.2"))
        | {
            "ChargeCategory": "Usage",
            "ChargeClass": "Correction",
            "ChargeFrequency": "One-Time",
            "ChargeDescription": "Refund: Amazon OpenSearch Service SLA credit",
            "SkuMeter": SEARCH_NODE.usage_type,
            "SkuId": code(OPENSEARCH.code, SEARCH_NODE.usage_type, SEARCH_NODE.operation),
        }
    )


def _tax_lines(month: date, lines: list[Line]) -> Iterator[Line]:
    """Tax per account and service on what it is billed; taxed lines and tax carry the same invoice."""
    taxed: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    frames: dict[tuple[str, str], Line] = {}
    for line in lines:
        if line["ChargeCategory"] in ("Usage", "Purchase") and line["SubAccountId"]:
            key = (line["SubAccountId"], line["ServiceName"])
            taxed[key] += Decimal(line["BilledCost"])
            frames.setdefault(key, line)
    kept = (
        "BillingAccount",
        "BillingPeriod",
        "BillingCurrency",
        "Pricing",
        "Invoice",
        "Provider",
        "Publisher",
        "Service",
    )
    for key, amount in sorted(taxed.items()):
        tax = (amount * TAX_RATE).quantize(Decimal("0.01"))
        if tax == 0:
            continue
        source = {
            name: value
            for name, value in frames[key].items()
            if name.startswith((*kept, "SubAccount", "x_Service"))
        }
        source |= dict.fromkeys([name for name in source if name.startswith("Pricing")], "")
        yield (
            source
            | period_columns(month, month, (next_month(month) - month).days)
            | flat_costs(tax)
            | {
                "ChargeCategory": "Tax",
                "ChargeFrequency": "One-Time",
                "ChargeDescription": "Tax for product code " + frames[key]["x_ServiceCode"],
                "PricingCurrency": "USD",
                "x_Discounts": "{}",
            }
        )


def _scaled(call: Call, share: Decimal) -> Call:
    """The part of a call's tokens that had reached the bill."""
    return replace(
        call,
        uncached_tokens=int(call.uncached_tokens * share),
        cache_read_tokens=int(call.cache_read_tokens * share),
        cache_write_tokens=int(call.cache_write_tokens * share),
        output_tokens=int(call.output_tokens * share),
    )


def build_month(usage: Usage, month: date, day_shares: dict[date, Decimal], invoice: str) -> list[Line]:
    """The bill of one month; `day_shares` says how much of a day's usage had reached the bill."""
    lines: list[Line] = []
    for day in (day for day in usage.period.days if day.replace(day=1) == month):
        share = day_shares.get(day, Decimal(1))
        calls = [call for call in usage.calls if call.started_at.date() == day]
        lines.extend(build_token_lines(calls if share == 1 else [_scaled(call, share) for call in calls]))
        lines.extend(_resource_lines(day, share))
        lines.extend(_egress_lines([flow for flow in usage.flows if flow.day == day], share))
        lines.extend(_log_lines([emission for emission in usage.emissions if emission.day == day], share))
    lines.extend(_monthly_lines(month))
    if month == usage.period.months[-1] and month != usage.period.months[0]:
        lines.append(_refund_line(month))
    lines.extend(_tax_lines(month, lines))
    return [line | {"InvoiceId": invoice} for line in lines]


def _delivery(month: date, delivered_at: datetime, lines: list[Line]) -> Delivery:
    folder = f"billing_period={month:%Y-%m}/{delivered_at:%Y%m%dT%H%M%SZ}"
    return Delivery(folder, "quillworks-focus-00001", delivered_at, lines)


def build_deliveries(usage: Usage) -> list[Delivery]:
    """Closed months about the 5th, the newest closed month again a week later, the open month at the end.

    The first delivery of a closed month lacks a part of its last two days, which came late.
    """
    now = midnight(usage.period.end + timedelta(days=1)) + timedelta(hours=6, minutes=20)
    deliveries = []
    for month in usage.period.months:
        closed, last_day = next_month(month), next_month(month) - timedelta(days=1)
        first = midnight(closed) + timedelta(days=4, hours=6, minutes=10)
        restated = midnight(closed) + timedelta(days=11, hours=6, minutes=35)
        invoice = f"{month:%y%m}{int(code(str(month)), 36) % 10**7:07d}"
        if first > now:
            deliveries.append(
                _delivery(month, now, build_month(usage, month, {usage.period.end: LAST_DAY_METERED}, ""))
            )
            continue
        is_restated = next_month(closed) > usage.period.end and restated <= now
        late = (
            {last_day: Decimal("0.82"), last_day - timedelta(days=1): Decimal("0.97")} if is_restated else {}
        )
        deliveries.append(_delivery(month, first, build_month(usage, month, late, invoice)))
        if is_restated:
            deliveries.append(_delivery(month, restated, build_month(usage, month, {}, invoice)))
    return deliveries


def write_bills(root: Path, usage: Usage) -> None:
    """Write every delivery below `root`."""
    for delivery in build_deliveries(usage):
        write_delivery(root, delivery, COLUMNS, ".csv.gz")
