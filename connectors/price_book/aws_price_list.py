"""AWS Price List offer files of Bedrock (JSON or CSV) → listed prices.

What belongs here: the offer file's format and AWS's words in usage types. What must not: which file, our
model names.

Offers: `AmazonBedrock` (first-party and open models, priced per 1K tokens, usage types such as
`USE1-NovaLite-input-tokens-batch`) and `AmazonBedrockFoundationModels` (marketplace models named by
`servicename`, per million tokens, `USE1-MP:USE1_CacheReadInputTokenCount_Global-Units` and, newer,
`USE1-MP:USE1_input_tokens_global_standard-Units`).
Format: https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/reading-service-price-list-file-for-services.html
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from connectors.common.contract import TerminalError
from connectors.price_book.listed_price import (
    ListedPrice,
    PriceListContent,
    read_moment,
    read_price,
    read_unit,
)
from connectors.price_book.settings import PriceListFile

TOKEN_CLASS_WORDS = (
    ("cache_write_1h_tokens", re.compile(r"cache[-_]?write[-_]?1h|cache[-_]?write.*[-_]1h")),
    ("cache_write_5m_tokens", re.compile(r"cache[-_]?write")),
    ("cache_read_tokens", re.compile(r"cache[-_]?read")),
    ("uncached_input_tokens", re.compile(r"input[-_]?token")),
    ("output_tokens", re.compile(r"(?:output|response)[-_]?token")),
)
"""Token class → what its usage types say, tried in this order: a cache write also says `input`."""

TIER_WORDS = ("batch", "flex", "priority")
OTHER_THINGS = re.compile(
    r"image|video|speech|audio|provisioned|reserved|custom|latency|guardrail|evaluation|embed|lctx|"
    r"long[-_]?context|fine[-_]?tun|rft|storage|search"
)
"""Not tokens of a plain text request, or priced by something that a request does not say."""

REGION_PREFIX = re.compile(r"^[A-Z]{2,4}\d?-(?:MP:)?(?:[A-Z]{2,4}\d?_)?")
MODEL_IN_USAGE_TYPE = re.compile(r"^(?P<model>.+?)[-_](?:text[-_])?(?:input|output|cache)", re.IGNORECASE)
EDITION = re.compile(r"\s*\((?:Amazon )?Bedrock Edition\)\s*$", re.IGNORECASE)
CSV_TITLE = "SKU"


def read_aws_price_list(content: bytes, file: PriceListFile) -> PriceListContent:
    """The on-demand token prices of one offer file. Raises TerminalError for anything else."""
    text = content.decode("utf-8-sig", errors="replace")
    try:
        published, rows = _read_json(text) if text.lstrip().startswith("{") else _read_csv(text)
        listed = PriceListContent(published)
        for row in rows:
            _read_row(row, listed)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TerminalError(
            f"prices.files: {file.path} is no AWS offer file (JSON or CSV) that we can read ({error!r}); "
            "download it again from https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/"
        ) from error
    return listed


def _read_json(text: str) -> tuple[datetime, Iterator[dict[str, str]]]:
    offer = json.loads(text)
    published = read_moment(offer["publicationDate"])
    if published is None:
        raise ValueError("publicationDate is no time")
    return published, _json_rows(offer["products"], offer["terms"].get("OnDemand", {}))


def _json_rows(
    products: Mapping[str, Any], terms: Mapping[str, Mapping[str, Any]]
) -> Iterator[dict[str, str]]:
    for sku, product in products.items():
        attributes = product.get("attributes", {})
        for term in terms.get(sku, {}).values():
            for dimension in term.get("priceDimensions", {}).values():
                for currency, price in dimension.get("pricePerUnit", {}).items():
                    yield {
                        "usage_type": attributes.get("usagetype", ""),
                        "model": attributes.get("model") or attributes.get("titanModel") or "",
                        "service": attributes.get("servicename", ""),
                        "region": attributes.get("regionCode", ""),
                        "unit": dimension.get("unit", ""),
                        "description": dimension.get("description", ""),
                        "price": price,
                        "currency": currency,
                        "effective": term.get("effectiveDate", ""),
                    }


def _read_csv(text: str) -> tuple[datetime, Iterator[dict[str, str]]]:
    lines = list(csv.reader(io.StringIO(text)))
    start = next((n for n, line in enumerate(lines) if line and line[0] == CSV_TITLE), None)
    if start is None:
        raise ValueError(f"no line begins with {CSV_TITLE}")
    stated = {line[0].lower(): line[1] for line in lines[:start] if len(line) > 1}
    published = read_moment(stated.get("publication date", ""))
    if published is None:
        raise ValueError("Publication Date is no time")
    names = [name.strip().lower().replace(" ", "") for name in lines[start]]
    return published, (_csv_row(dict(zip(names, line, strict=False))) for line in lines[start + 1 :] if line)


def _csv_row(row: Mapping[str, str]) -> dict[str, str]:
    is_on_demand = row.get("termtype", "OnDemand") == "OnDemand"
    return {
        "usage_type": row.get("usagetype", "") if is_on_demand else "",
        "model": row.get("model") or row.get("titanmodel") or "",
        "service": row.get("servicename", ""),
        "region": row.get("regioncode", ""),
        "unit": row.get("unit", ""),
        "description": row.get("pricedescription", ""),
        "price": row.get("priceperunit", ""),
        "currency": row.get("currency", ""),
        "effective": row.get("effectivedate", ""),
    }


def _read_row(row: Mapping[str, str], listed: PriceListContent) -> None:
    meter, lowered = row["usage_type"], row["usage_type"].lower()
    if not meter:
        return
    token_class = next((name for name, words in TOKEN_CLASS_WORDS if words.search(lowered)), None)
    per_unit = _read_unit(row)
    price = read_price(row["price"])
    if token_class is None or OTHER_THINGS.search(lowered):
        listed.unread["not plain text tokens", meter] += 1
    elif per_unit is None:
        listed.unread[f"unknown unit {row['unit']!r}", meter] += 1
    elif price is None:
        listed.unread[f"no price {row['price']!r}", meter] += 1
    else:
        listed.prices.append(
            ListedPrice(
                meter=meter,
                model_name=_model_name(row),
                token_class=token_class,
                service_tier=next((word for word in TIER_WORDS if word in lowered), "standard"),
                region_id=row["region"] or None,
                context_min_tokens=0,
                price_per_mtok=price * 1_000_000 / per_unit,
                currency=row["currency"],
                valid_from=read_moment(row["effective"]),
            )
        )


def _read_unit(row: Mapping[str, str]) -> int | None:
    """Tokens a unit: as the unit says, or (marketplace: `Units`) as the description does."""
    stated = read_unit(row["unit"])
    if stated is not None:
        return stated
    match = re.search(r"(?:per|\|)\s*(?:1\s*)?(million|thousand|1K|1M)\b", row["description"], re.IGNORECASE)
    return read_unit(match[1]) if match else None


def _model_name(row: Mapping[str, str]) -> str:
    """The model as the list names it; global inference is a model of its own, `… global`."""
    name = EDITION.sub("", row["model"] or row["service"])
    if not name or name.lower().startswith("amazon bedrock"):
        match = MODEL_IN_USAGE_TYPE.match(REGION_PREFIX.sub("", row["usage_type"]))
        name = match["model"] if match else ""
    return f"{name}-global" if "global" in row["usage_type"].lower() else name
