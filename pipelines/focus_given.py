"""How each FOCUS column is given back, in words: what the models of models_sql/exports do, for the page of the mapping.

What belongs here: one short sentence a column that is not passed through as it is. What must not: SQL, or what
versions have which column (`focus_mapping`).
"""

from __future__ import annotations

from collections.abc import Mapping

PASSED_THROUGH = "as the bill states it"

_SPLIT = "the row's part; the rows of a charge sum to it"
_NOT_TAX = "null on tax"
_UNIT = "in FOCUS's words (models_sql/reference/focus_units.csv)"
_COMMITTED = "null without a commitment"
_OWNER = "where the charge is split; null for what nobody owns; else as the bill states it"

NOTES: Mapping[str, str] = {
    "AllocatedMethodDetails": "the row's share, in 15 digits, with the tokens that make it where tokens do",
    "AllocatedMethodId": "how the charge was split, as `method_id`; else as the bill states it",
    "AllocatedResourceId": f"the owner's id {_OWNER}",
    "AllocatedResourceName": f"what is known of the owner {_OWNER}",
    "AllocatedTags": f"what is known of the owner, keys with the prefix `everycent/`, {_OWNER}",
    "BilledCost": _SPLIT,
    "BillingAccountName": "as an inventory of accounts has it where the bill does not say",
    "ChargeClass": "`Correction` or null",
    "ChargeFrequency": "in FOCUS's spelling",
    "CommitmentDiscountCategory": _COMMITTED,
    "CommitmentDiscountName": _COMMITTED,
    "CommitmentDiscountQuantity": f"{_SPLIT}; only of usage and purchases with a commitment",
    "CommitmentDiscountStatus": _COMMITTED,
    "CommitmentDiscountType": _COMMITTED,
    "CommitmentDiscountUnit": f"{_UNIT}; null without a quantity",
    "ConsumedQuantity": f"{_SPLIT}; null but on usage, and on unused commitment",
    "ConsumedUnit": f"{_UNIT}; null without a quantity",
    "ContractedCost": _SPLIT,
    "ContractedUnitPrice": _NOT_TAX,
    "EffectiveCost": _SPLIT,
    "HostProviderName": "the service provider where the bill does not say",
    "InvoiceIssuerName": "the service provider where the bill does not say",
    "ListCost": _SPLIT,
    "ListUnitPrice": _NOT_TAX,
    "PricingCategory": _NOT_TAX,
    "PricingCurrency": "the billing currency where the bill does not say",
    "PricingCurrencyContractedUnitPrice": f"the price where both currencies are one; {_NOT_TAX}",
    "PricingCurrencyEffectiveCost": f"the cost where both currencies are one; {_SPLIT}",
    "PricingCurrencyListUnitPrice": f"the price where both currencies are one; {_NOT_TAX}",
    "PricingQuantity": f"{_SPLIT}; {_NOT_TAX}",
    "PricingUnit": f"{_UNIT}; null without a quantity",
    "ProviderName": "the service provider",
    "PublisherName": "the service provider where the bill does not say",
    "RegionId": "its name where the bill gives no id",
    "RegionName": "its id where the bill gives no name",
    "ResourceType": "null without a resource",
    "ServiceCategory": "`Other` where the bill does not say",
    "ServiceSubcategory": "`Other (…)` of its category where the bill does not say",
    "SkuId": _NOT_TAX,
    "SkuMeter": "the description where the bill gives no meter; null without a SKU",
    "SkuPriceDetails": "null without a SKU price",
    "SkuPriceId": _NOT_TAX,
    "SubAccountName": "as an inventory of accounts has it where the bill does not say; null without a sub account",
    "SubAccountType": "null without a sub account",
    "Tags": "of the configured keys only; user ids among them as their pseudonyms",
}
"""Column → how it is made; a column that is not here is passed through."""
