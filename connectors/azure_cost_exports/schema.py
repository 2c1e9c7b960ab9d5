"""Columns of Azure's actual and amortized cost files, in the spellings of EA and MCA, and where they go.

What belongs here: names and kinds. What must not: code that reads files, or what a value means.

EA files write PascalCase (`CostInBillingCurrency`, `BillingCurrencyCode`), MCA files camelCase with exceptions
(`costInBillingCurrency`, `billingCurrency`, `PayGPrice`), older ones other words (`InstanceId`, `PreTaxCost`).
Source: Microsoft Learn, "Understand usage details fields" and the cost details dataset schemas 2019 to 2024.
"""

from __future__ import annotations

import re

from connectors.common.datasets import CHARGES
from connectors.common.vendor_lines.azure_cost import AZURE_COST_LINES

SCHEMA_VERSION = 1
"""Raise it when the same file would be typed differently; every file is then typed again."""

COLUMNS: dict[str, str] = {
    "BillingCurrency": "billing_currency",
    "ChargeType": "charge_type",
    "CostAllocationRuleName": "cost_allocation_rule_name",
    "CostCenter": "cost_center",
    "CostInBillingCurrency": "cost",
    "CostInPricingCurrency": "cost_in_pricing_currency",
    "EffectivePrice": "effective_price",
    "ExchangeRatePricingToBilling": "exchange_rate",
    "Frequency": "frequency",
    "InvoiceSectionId": "invoice_section_id",
    "InvoiceSectionName": "invoice_section_name",
    "MeterCategory": "meter_category",
    "MeterId": "meter_id",
    "MeterName": "meter_name",
    "MeterRegion": "meter_region",
    "MeterSubCategory": "meter_subcategory",
    "OfferId": "offer_id",
    "PayGPrice": "payg_price",
    "PaygCostInBillingCurrency": "payg_cost",
    "PreviousInvoiceId": "previous_invoice_id",
    "PricingCurrency": "pricing_currency",
    "PricingModel": "pricing_model",
    "ProductName": "product_name",
    "PublisherType": "publisher_type",
    "Quantity": "quantity",
    "ServiceFamily": "service_family",
    "SubscriptionName": "subscription_name",
    "Term": "term",
    "UnitOfMeasure": "unit_of_measure",
    "UnitPrice": "unit_price",
}
"""Columns that are taken over one to one, by the spelling used here."""

DERIVED_FROM = (
    "AdditionalInfo",
    "AvailabilityZone",
    "BenefitId",
    "BenefitName",
    "BillingAccountId",
    "BillingAccountName",
    "BillingPeriodEndDate",
    "BillingPeriodStartDate",
    "BillingProfileId",
    "BillingProfileName",
    "ConsumedService",
    "Date",
    "InvoiceId",
    "PartNumber",
    "ProductId",
    "PublisherName",
    "ReservationId",
    "ReservationName",
    "ResourceGroup",
    "ResourceId",
    "ResourceLocation",
    "ResourceName",
    "SubscriptionId",
    "Tags",
)
"""Columns that become others (`cost_columns.py`)."""

KNOWN_NOT_KEPT = frozenset(
    {
        "AccountId",
        "AccountName",
        "AccountOwnerId",
        "CostInUsd",
        "CustomerName",
        "CustomerTenantId",
        "ExchangeRateDate",
        "IsAzureCreditEligible",
        "Location",
        "PartnerEarnedCreditApplied",
        "PartnerEarnedCreditRate",
        "PartnerName",
        "PartnerTenantId",
        "PaygCostInUsd",
        "PlanName",
        "ProductOrderId",
        "ProductOrderName",
        "Provider",
        "PublisherId",
        "ResellerMpnId",
        "ResellerName",
        "ServiceInfo1",
        "ServiceInfo2",
        "ServicePeriodEndDate",
        "ServicePeriodStartDate",
    }
)
"""Columns that are left out on purpose; they stay in the artifact and in the line's digest."""

REQUIRED = (
    "Date",
    "CostInBillingCurrency",
    "BillingCurrency",
    "ChargeType",
    ("BillingAccountId", "BillingProfileId"),
)
"""Without these a file cannot be billed; a tuple is met by any of its names."""

NOT_NULL = ("Date", "BillingCurrency")
"""A line without one of these has no place in any period or currency: the file is refused."""

COSTS = ("CostInBillingCurrency",)

_SYNONYMS = {
    "BillingCurrencyCode": "BillingCurrency",
    "Currency": "BillingCurrency",
    "CurrencyCode": "BillingCurrency",
    "Cost": "CostInBillingCurrency",
    "PreTaxCost": "CostInBillingCurrency",
    "CostInUSD": "CostInUsd",
    "InstanceId": "ResourceId",
    "InstanceName": "ResourceId",
    "InvoiceSection": "InvoiceSectionName",
    "MarketPrice": "PayGPrice",
    "PaygPrice": "PayGPrice",
    "MeterSubcategory": "MeterSubCategory",
    "OfferID": "OfferId",
    "Product": "ProductName",
    "ResourceGroupName": "ResourceGroup",
    "SubscriptionGuid": "SubscriptionId",
    "UsageDate": "Date",
    "UsageDateTime": "Date",
    "UsageQuantity": "Quantity",
    "ResourceRate": "EffectivePrice",
}


def _spell_variants(name: str) -> set[str]:
    """Return how Azure's versions spell a name: camelCase and lower case."""
    return {name[0].lower() + name[1:], name.lower()}


def _build_renames() -> dict[str, str]:
    known = {*COLUMNS, *DERIVED_FROM, *KNOWN_NOT_KEPT}
    renames: dict[str, str] = {}
    for name in sorted(known):
        renames |= {variant: name for variant in _spell_variants(name) if variant != name}
    for name, meant in _SYNONYMS.items():
        renames |= {
            variant: meant for variant in ({name} | _spell_variants(name)) - known if variant != meant
        }
    return renames


RENAMES: dict[str, str] = _build_renames()
"""Spelling of another agreement or version → the spelling used here."""

_MEASURE = re.compile(r"(Cost\w*|Price|Quantity|ExchangeRate\w*)$")
_NO_MEASURE = frozenset({"CostCenter", "CostAllocationRuleName", "ExchangeRateDate"})


def is_measure(column: str) -> bool:
    """Tell whether a column holds costs, quantities or prices: what a restatement may change."""
    return column not in _NO_MEASURE and (column.startswith("Cost") or _MEASURE.search(column) is not None)


DATASETS = (AZURE_COST_LINES, CHARGES)
"""What the connector's bills land in: files in Azure's own terms, and FOCUS files."""
