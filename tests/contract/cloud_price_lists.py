"""Price lists as AWS and Azure publish them, small: the same fields, a few meters of each spelling.

What belongs here: documents in the vendors' formats. What must not: what we make of them.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence

PUBLISHED = "2026-10-05T18:22:11Z"
EFFECTIVE = "2026-10-01T00:00:00Z"


def aws_offer(offer_code: str, meters: Sequence[Mapping[str, str]]) -> bytes:
    """An offer file: `meters` state usagetype, unit, price and any further attribute."""
    products, terms = {}, {}
    for number, meter in enumerate(meters):
        sku = f"SKU{number:013d}"
        attributes = {k: v for k, v in meter.items() if k not in ("unit", "price", "description")}
        products[sku] = {
            "sku": sku,
            "productFamily": "Amazon Bedrock",
            "attributes": {"servicecode": offer_code, "regionCode": "us-east-1", **attributes},
        }
        rate = f"{sku}.JRTCKXETXF.6YS6EN2CT7"
        dimension = {
            "rateCode": rate,
            "description": meter.get("description", ""),
            "beginRange": "0",
            "endRange": "Inf",
            "unit": meter["unit"],
            "pricePerUnit": {"USD": meter["price"]},
            "appliesTo": [],
        }
        terms[sku] = {
            f"{sku}.JRTCKXETXF": {
                "offerTermCode": "JRTCKXETXF",
                "sku": sku,
                "effectiveDate": EFFECTIVE,
                "priceDimensions": {rate: dimension},
                "termAttributes": {},
            }
        }
    offer = {
        "formatVersion": "v1.0",
        "disclaimer": "This pricing list is for informational purposes only.",
        "offerCode": offer_code,
        "version": "20261005182211",
        "publicationDate": PUBLISHED,
        "products": products,
        "terms": {"OnDemand": terms},
        "attributesList": {},
    }
    return json.dumps(offer).encode()


def aws_offer_csv(meters: Sequence[Mapping[str, str]]) -> bytes:
    """The same as the CSV offer file: five lines of its own before the column names."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(["FormatVersion", "v1.0"])
    writer.writerow(["Disclaimer", "This pricing list is for informational purposes only."])
    writer.writerow(["Publication Date", PUBLISHED])
    writer.writerow(["Version", "20261005182211"])
    writer.writerow(["OfferCode", "AmazonBedrock"])
    names = ["SKU", "OfferTermCode", "RateCode", "TermType", "PriceDescription", "EffectiveDate"]
    names += ["StartingRange", "EndingRange", "Unit", "PricePerUnit", "Currency"]
    writer.writerow([*names, "usageType", "Region Code", "Model", "serviceName"])
    for number, meter in enumerate(meters):
        sku = f"SKU{number:013d}"
        writer.writerow(
            [sku, "JRTCKXETXF", f"{sku}.X", "OnDemand", meter.get("description", ""), EFFECTIVE[:10]]
            + ["0", "Inf", meter["unit"], meter["price"], "USD", meter["usagetype"], "us-east-1"]
            + [meter.get("model", ""), "Amazon Bedrock"]
        )
    return text.getvalue().encode()


NOVA = (
    {
        "usagetype": "USE1-NovaLite-input-tokens",
        "model": "Nova Lite",
        "unit": "1K tokens",
        "price": "0.00006",
    },
    {
        "usagetype": "USE1-NovaLite-output-tokens",
        "model": "Nova Lite",
        "unit": "1K tokens",
        "price": "0.00024",
    },
    {
        "usagetype": "USE1-NovaLite-input-tokens-batch",
        "model": "Nova Lite",
        "unit": "1K tokens",
        "price": "0.00003",
    },
    {
        "usagetype": "USE1-NovaLite-cache-read-input-token-count",
        "model": "Nova Lite",
        "unit": "1K tokens",
        "price": "0.000015",
    },
    {
        "usagetype": "USE1-NovaCanvas-T2I-1024-Standard",
        "model": "Nova Canvas",
        "unit": "image",
        "price": "0.04",
    },
    {
        "usagetype": "USE1-NovaHyper-input-tokens",
        "model": "Nova Hyper",
        "unit": "1K tokens",
        "price": "0.001",
    },
    {"usagetype": "USE1-NovaPro-input-tokens", "model": "Nova Pro", "unit": "spoons", "price": "0.0008"},
    {"usagetype": "USE1-NovaMicro-input-tokens", "model": "Nova Micro", "unit": "1K tokens", "price": "NaN"},
)

_SONNET = {"servicename": "Claude Sonnet 4.5 (Amazon Bedrock Edition)", "unit": "Units"}
MARKETPLACE = tuple(
    {
        **_SONNET,
        "usagetype": f"USE1-MP:USE1_{name}-Units",
        "price": price,
        "description": f"AWS Marketplace software usage|us-east-1|Million {name}",
    }
    for name, price in (
        ("InputTokenCount", "3.3"),
        ("OutputTokenCount", "16.5"),
        ("InputTokenCount_Global", "3"),
        ("input_tokens_global_standard", "3"),
        ("CacheReadInputTokenCount", "0.33"),
        ("CacheWriteInputTokenCount", "4.125"),
        ("CacheWrite1hInputTokenCount", "6.6"),
        ("InputTokenCount_Batch", "1.65"),
        ("InputTokenCount_LCtx", "6.6"),
    )
)


def azure_item(meter: str, price: float, unit: str, **more: object) -> dict[str, object]:
    """A row of the Retail Prices API."""
    return {
        "currencyCode": "USD",
        "tierMinimumUnits": 0.0,
        "retailPrice": price,
        "unitPrice": price,
        "armRegionName": "eastus",
        "location": "US East",
        "effectiveStartDate": "2026-09-01T00:00:00Z",
        "meterId": "00000000-0000-0000-0000-000000000000",
        "meterName": meter,
        "productId": "DZH318Z09V9C",
        "skuId": "DZH318Z09V9C/0001",
        "productName": "Azure OpenAI",
        "skuName": meter.removesuffix(" Tokens"),
        "serviceName": "Foundry Models",
        "serviceId": "DZH31HFF8B7F",
        "serviceFamily": "AI + Machine Learning",
        "unitOfMeasure": unit,
        "type": "Consumption",
        "isPrimaryMeterRegion": True,
        "armSkuName": "",
    } | more


def azure_page(*items: Mapping[str, object]) -> dict[str, object]:
    """A page of the API."""
    return {
        "BillingCurrency": "USD",
        "CustomerEntityId": "Default",
        "CustomerEntityType": "Retail",
        "Items": list(items),
        "NextPageLink": None,
        "Count": len(items),
    }


AZURE_ITEMS = (
    azure_item("gpt-4o-mini-0718-Inp-glbl Tokens", 0.00015, "1K"),
    azure_item("gpt-4o-mini-0718-Outp-glbl Tokens", 0.0006, "1K"),
    azure_item("gpt 4.1 Inp glbl Tokens", 0.002, "1K"),
    azure_item("gpt 4.1 cached Inp glbl Tokens", 0.0005, "1K"),
    azure_item("gpt 4.1 Inp regnl Tokens", 0.0022, "1K"),
    azure_item("gpt 4.1 Batch Inp glbl Tokens", 0.001, "1K"),
    azure_item("5.4 mini cd Inp Gl 1M Tokens", 0.075, "1M"),
    azure_item("5.5 ShortCo inp Gl 1M Tokens", 5.0, "1M"),
    azure_item("5.5 LongCo inp Gl 1M Tokens", 10.0, "1M"),
    azure_item("5.4 pp opt Gl 1M Tokens", 30.0, "1M"),
    azure_item("gpt-4o-rt-aud-Inp-glbl Tokens", 0.04, "1K"),
    azure_item("quokka 9 Inp glbl Tokens", 0.001, "1K"),
    azure_item("gpt 4.1 Outp glbl Tokens", 0.008, "1 Hour"),
    azure_item("gpt 4.1 Inp glbl Tokens", 0.001, "1K", type="Reservation"),
    azure_item("D2s v3", 0.096, "1 Hour", serviceName="Virtual Machines"),
)
