"""A small whole month of Azure as an EA file writes it, with what each line must become, worked out by hand.

What belongs here: lines and expectations. What must not: code of the connector.

The month: VMs on demand, a reservation (bought, used, partly unused, partly given back), a savings plan, Marketplace,
tax, a rounding adjustment, a refund for September, model tokens, traffic between zones, logs.
Cost = quantity / block × unit price: 24 hours in blocks of 10 at 0.96 are 2.4 × 0.96 = 2.304.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

VM = "/subscriptions/S-1/resourceGroups/Prod/providers/Microsoft.Compute/virtualMachines/Web-1"
LOGS = "/subscriptions/S-1/resourcegroups/prod/providers/microsoft.operationalinsights/workspaces/logs"
MCA_ACCOUNT = "aaaaaaaa-0000-0000-0000-000000000001:bbbbbbbb-0000-0000-0000-000000000002_2019-05-31"
RESERVATION = "/providers/Microsoft.Capacity/reservationOrders/RO-1/reservations/R-1"
PLAN = "/providers/Microsoft.BillingBenefits/savingsPlanOrders/SPO-1/savingsPlans/SP-1"

EA_LINE = {
    "BillingAccountId": "8611537",
    "BillingAccountName": "Contoso",
    "BillingPeriodStartDate": "10/01/2026",
    "BillingPeriodEndDate": "10/31/2026",
    "BillingProfileId": "8611537",
    "BillingProfileName": "Contoso",
    "AccountOwnerId": "owner@example.com",
    "SubscriptionId": "S-1",
    "SubscriptionName": "Production",
    "Date": "10/05/2026",
    "ProductName": "",
    "PartNumber": "AAA-1",
    "MeterId": "m-1",
    "ServiceFamily": "",
    "MeterCategory": "",
    "MeterSubCategory": "",
    "MeterRegion": "EU West",
    "MeterName": "",
    "Quantity": "1",
    "EffectivePrice": "0",
    "CostInBillingCurrency": "0",
    "CostCenter": "42",
    "ConsumedService": "Microsoft.Compute",
    "ResourceId": VM,
    "ResourceName": "Web-1",
    "Tags": '"feature": "search","secret": "s3cret"',
    "OfferId": "MS-AZR-0017P",
    "AdditionalInfo": '{"ServiceType":"Standard_D2s_v3","VMName":"private-name","VCPUs":2}',
    "ResourceLocation": "West Europe",
    "ReservationId": "",
    "ReservationName": "",
    "UnitPrice": "0",
    "PublisherType": "Azure",
    "PublisherName": "Microsoft",
    "ChargeType": "Usage",
    "Frequency": "UsageBased",
    "PricingModel": "OnDemand",
    "BillingCurrencyCode": "USD",
    "PayGPrice": "0",
    "UnitOfMeasure": "1 Hour",
    "ResourceGroup": "Prod",
    "benefitId": "",
    "benefitName": "",
}
"""Columns of an EA file, dataset version 2023-12-01-preview (some of them)."""


@dataclass(frozen=True)
class MonthLine:
    """A line, its cost in both files (None: the file has no such line), and the charge it must become."""

    name: str
    actual: str | None
    amortized: str | None
    billed: str
    effective: str
    listed: str
    columns: Mapping[str, str] = field(default_factory=dict)
    charge: Mapping[str, object] = field(default_factory=dict)


_COVERED = {
    "PricingModel": "Reservation",
    "benefitId": RESERVATION,
    "benefitName": "vm-1y",
    "ReservationId": "R-1",
}
_PLANNED = {"PricingModel": "SavingsPlan", "benefitId": PLAN, "benefitName": "plan-1y"}
_NO_RESOURCE = {"ResourceId": "", "ResourceName": "", "AdditionalInfo": "", "Tags": "", "ConsumedService": ""}
_VM_METER = {"MeterCategory": "Virtual Machines", "MeterSubCategory": "Dsv3 Series", "MeterName": "D2s v3"}
_RESERVED = {
    "commitment_discount_id": RESERVATION.lower(),
    "commitment_discount_type": "Reservation",
    "commitment_discount_category": "Usage",
}
_SAVED = {
    "commitment_discount_id": PLAN.lower(),
    "commitment_discount_type": "Savings Plan",
    "commitment_discount_category": "Spend",
}

MONTH = (
    MonthLine(
        "vm on demand",
        "2.304",
        "2.304",
        "2.304",
        "2.304",
        "2.88",
        _VM_METER | {"Quantity": "24", "UnitOfMeasure": "10 Hours", "UnitPrice": "0.96", "PayGPrice": "1.2"},
        {
            "charge_category": "Usage",
            "pricing_category": "Standard",
            "service_name": "Virtual Machines",
            "service_category": "Compute",
            "consumed_quantity": "24",
            "consumed_unit": "Hours",
            "pricing_quantity": "2.4",
            "pricing_unit": "10 Hours",
            "x_instance_type": "Standard_D2s_v3",
            "sku_price_details": '{"CoreCount": 2, "InstanceType": "Standard_D2s_v3"}',
            "resource_id": VM.lower(),
            "region_id": "westeurope",
            "x_tag_feature": "search",
        },
    ),
    MonthLine(
        "reservation bought",
        "876",
        None,
        "876",
        "0",
        "876",
        _COVERED
        | _NO_RESOURCE
        | {"ChargeType": "Purchase", "Frequency": "OneTime", "MeterCategory": "Virtual Machines"},
        {
            "charge_category": "Purchase",
            "charge_frequency": "One-Time",
            "commitment_discount_status": None,
            "pricing_category": "Standard",
            "consumed_quantity": None,
            "resource_id": RESERVATION.lower(),
        }
        | _RESERVED,
    ),
    MonthLine(
        "reservation used",
        "0",
        "1.2",
        "0",
        "1.2",
        "1.2",
        _COVERED | _VM_METER | {"Quantity": "24"},
        {
            "charge_category": "Usage",
            "pricing_category": "Committed",
            "commitment_discount_status": "Used",
            "consumed_quantity": "24",
            "resource_id": VM.lower(),
        }
        | _RESERVED,
    ),
    MonthLine(
        "reservation unused",
        None,
        "0.3",
        "0",
        "0.3",
        "0.3",
        _COVERED | _NO_RESOURCE | _VM_METER | {"ChargeType": "UnusedReservation", "Quantity": "6"},
        {
            "charge_category": "Usage",
            "pricing_category": "Committed",
            "commitment_discount_status": "Unused",
            "consumed_quantity": None,
            "consumed_unit": None,
            "resource_id": RESERVATION.lower(),
        }
        | _RESERVED,
    ),
    MonthLine(
        "reservation given back",
        "-100",
        None,
        "-100",
        "0",
        "-100",
        _COVERED | _NO_RESOURCE | {"ChargeType": "Refund", "Frequency": "OneTime", "Quantity": "-1"},
        {"charge_category": "Purchase", "charge_class": None, "x_correction_cause": "refund"} | _RESERVED,
    ),
    MonthLine(
        "savings plan bought",
        "720",
        None,
        "720",
        "0",
        "720",
        _PLANNED | _NO_RESOURCE | {"ChargeType": "Purchase", "Frequency": "Recurring"},
        {"charge_category": "Purchase", "charge_frequency": "Recurring"} | _SAVED,
    ),
    MonthLine(
        "savings plan used",
        "0",
        "1.5",
        "0",
        "1.5",
        "1.5",
        _PLANNED | _VM_METER | {"Quantity": "12"},
        {"charge_category": "Usage", "commitment_discount_status": "Used", "pricing_category": "Committed"}
        | _SAVED,
    ),
    MonthLine(
        "savings plan unused",
        None,
        "0.5",
        "0",
        "0.5",
        "0.5",
        _PLANNED | _NO_RESOURCE | {"ChargeType": "UnusedSavingsPlan"},
        {"charge_category": "Usage", "commitment_discount_status": "Unused", "resource_id": PLAN.lower()}
        | _SAVED,
    ),
    MonthLine(
        "marketplace",
        "49.99",
        "49.99",
        "49.99",
        "49.99",
        "49.99",
        _NO_RESOURCE
        | {
            "ChargeType": "Purchase",
            "Frequency": "Recurring",
            "PublisherType": "Marketplace",
            "PublisherName": "Fabrikam",
            "ProductName": "Fabrikam Monitor",
            "ConsumedService": "Microsoft.SaaS",
        },
        {
            "charge_category": "Purchase",
            "x_publisher_name": "Fabrikam",
            "invoice_issuer_name": "Microsoft",
            "commitment_discount_id": None,
            "charge_description": "Fabrikam Monitor",
        },
    ),
    MonthLine(
        "rounding",
        "-0.01",
        "-0.01",
        "-0.01",
        "-0.01",
        "-0.01",
        _NO_RESOURCE | {"ChargeType": "RoundingAdjustment", "Frequency": "OneTime", "PricingModel": ""},
        {"charge_category": "Adjustment", "charge_class": None, "pricing_category": None},
    ),
    MonthLine(
        "tax",
        "12.34",
        "12.34",
        "12.34",
        "12.34",
        "12.34",
        _NO_RESOURCE | {"ChargeType": "Tax", "Frequency": "OneTime", "PricingModel": "", "UnitOfMeasure": ""},
        {"charge_category": "Tax", "pricing_quantity": None, "pricing_unit": None},
    ),
    MonthLine(
        "refund for September",
        "-3",
        "-3",
        "-3",
        "-3",
        "-3",
        _VM_METER | {"ChargeType": "Refund", "Date": "09/28/2026", "Quantity": "-3"},
        {"charge_category": "Usage", "charge_class": "Correction", "x_correction_cause": "refund"},
    ),
    MonthLine(
        "tokens",
        "1",
        "1",
        "1",
        "1",
        "1",
        {
            "MeterCategory": "Foundry Models",
            "MeterSubCategory": "Azure OpenAI",
            "MeterName": "gpt 4.1 Inp glbl Tokens",
            "ProductName": "Azure OpenAI - gpt 4.1 Inp glbl Tokens",
            "UnitOfMeasure": "1K",
            "Quantity": "500000",
            "UnitPrice": "0.002",
            "PayGPrice": "0.002",
            "ConsumedService": "Microsoft.CognitiveServices",
            "ResourceId": "/subscriptions/S-1/resourceGroups/Prod/providers/Microsoft.CognitiveServices/accounts/Chat",
            "AdditionalInfo": "",
        },
        {
            "service_name": "Azure AI Services",
            "service_category": "AI and Machine Learning",
            "service_subcategory": "AI Platforms",
            "sku_meter": "gpt 4.1 Inp glbl Tokens",
            "x_service_code": "Foundry Models",
            "consumed_quantity": "500000",
            "consumed_unit": "Tokens",
            "pricing_quantity": "500",
            "pricing_unit": "1K",
            "list_unit_price": "0.002",
        },
    ),
    MonthLine(
        "traffic between zones",
        "1",
        "1",
        "1",
        "1",
        "1",
        {
            "MeterCategory": "Bandwidth",
            "MeterSubCategory": "Rtn Preference: MGN",
            "MeterName": "Standard Inter-Availability Zone Data Transfer Out",
            "UnitOfMeasure": "1 GB",
            "Quantity": "100",
            "UnitPrice": "0.01",
            "PayGPrice": "0.01",
        },
        {
            "service_name": "Virtual Machines",
            "x_service_code": "Bandwidth",
            "consumed_unit": "GB",
            "consumed_quantity": "100",
        },
    ),
    MonthLine(
        "logs",
        "23",
        "23",
        "23",
        "23",
        "27.6",
        {
            "MeterCategory": "Log Analytics",
            "MeterName": "Analytics Logs Data Ingestion",
            "UnitOfMeasure": "1 GB",
            "Quantity": "10",
            "UnitPrice": "2.3",
            "PayGPrice": "2.76",
            "ConsumedService": "microsoft.operationalinsights",
            "ResourceId": LOGS,
        },
        {
            "service_name": "Azure Monitor",
            "service_category": "Management and Governance",
            "service_subcategory": "Observability",
        },
    ),
)
"""What the invoice adds up: 2.304 + 876 - 100 + 720 + 49.99 - 0.01 + 12.34 - 3 + 1 + 1 + 23."""

INVOICE_TOTAL = "1582.624"
EFFECTIVE_TOTAL = "90.124"


def ea_lines(view: str) -> list[dict[str, str]]:
    """Return the lines of the EA file of a view (`actual` or `amortized`), told apart by their product names."""
    rows = []
    for line in MONTH:
        cost = line.actual if view == "actual" else line.amortized
        if cost is not None:
            rows.append(EA_LINE | dict(line.columns) | {"CostInBillingCurrency": cost, "OfferId": line.name})
    return rows


_MCA_NAMES = {
    "BillingCurrencyCode": "billingCurrency",
    "PayGPrice": "PayGPrice",
    "ProductName": "ProductName",
    "ResourceGroup": "resourceGroupName",
    "ResourceId": "ResourceId",
    "SubscriptionId": "SubscriptionId",
}
_EA_ONLY = {"PartNumber", "OfferId", "AccountOwnerId"}
MCA_RATE = "0.9"


def mca_lines(view: str) -> list[dict[str, str]]:
    """Return the same month as an MCA file: camelCase, billed in euros at 0.9 for a dollar, with invoice numbers."""
    from decimal import Decimal

    rows = []
    for row in ea_lines(view):
        renamed = {_MCA_NAMES.get(n, n[0].lower() + n[1:]): v for n, v in row.items() if n not in _EA_ONLY}
        if renamed["tags"]:
            renamed["tags"] = "{" + renamed["tags"] + "}"
        cost = Decimal(row["CostInBillingCurrency"])
        is_old = row["Date"].startswith("09/")
        rows.append(
            renamed
            | {
                "invoiceId": "G001",
                "previousInvoiceId": "G000" if is_old else "",
                "date": "10/05/2026" if is_old else row["Date"],
                "billingAccountId": MCA_ACCOUNT,
                "billingProfileId": "ABCD-EFGH-BG7-TGB",
                "billingProfileName": "Contoso EUR",
                "billingCurrency": "EUR",
                "pricingCurrency": "USD",
                "exchangeRatePricingToBilling": MCA_RATE,
                "costInBillingCurrency": f"{cost * Decimal(MCA_RATE):f}",
                "costInPricingCurrency": f"{cost:f}",
                "ProductId": "DZH-1",
                "term": row["OfferId"],
            }
        )
    return rows
