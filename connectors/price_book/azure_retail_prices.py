"""Pages of the Azure Retail Prices API, saved to a file → listed prices of Foundry and Azure OpenAI models.

What belongs here: the API's fields and Azure's words in meter names. What must not: which file, our model
names.

A file is one page (`{"Items": […]}`), a list of pages, or JSON lines of pages. Format:
https://learn.microsoft.com/rest/api/cost-management/retail-prices/azure-retail-prices
Units `1K` and `1M` both occur, even within one product.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
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

SERVICES = frozenset({"foundry models", "azure openai", "azure openai service", "cognitive services"})
DEPLOYMENT_WORDS = {
    "global": frozenset({"glbl", "gl", "global"}),
    "data_zone": frozenset({"dz", "dzone", "dzn", "datazone", "dtzn"}),
    "regional": frozenset({"regnl", "rg", "rgnl", "regional", "reg"}),
}
"""Type of deployment → the words by which meters name it."""

INPUT_WORDS = frozenset({"inp", "inpt", "input", "in", "prompt"})
OUTPUT_WORDS = frozenset({"outp", "outpt", "out", "opt", "output", "completion"})
CACHE_WORDS = frozenset({"cached", "cchd", "ccchd", "cd", "cache"})
WRITE_WORDS = frozenset({"wr", "write", "wrt"})
TIER_WORDS = {"batch": "batch", "btch": "batch", "pp": "priority", "priority": "priority", "flex": "flex"}
CONTEXT_WORDS = {"shortco": 0, "longco": 272_001}
"""Context band → lowest total input tokens; long context begins above 272K tokens, as OpenAI states it."""

PLAIN_WORDS = frozenset({"tokens", "token", "std", "standard", "1m", "1k", "unit"})
OTHER_WORDS = re.compile(
    r"\b(?:aud|audio|img|image|images|vid|video|rt|realtime|ft|fine|tuned|hosting|training|train|ptu|"
    r"provisioned|managed|grader|embedding|embeddings|transcribe|tts|search)\b"
)


def read_azure_retail_prices(content: bytes, file: PriceListFile) -> PriceListContent:
    """The consumption prices of tokens on the file's pages. Raises TerminalError for anything else."""
    try:
        items = list(_items(content.decode("utf-8-sig")))
        moments = [moment for item in items if (moment := read_moment(item.get("effectiveStartDate")))]
        if not items or not moments:
            raise ValueError("no Items with an effectiveStartDate")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TerminalError(
            f"prices.files: {file.path} holds no pages of the Azure Retail Prices API ({error}); save the "
            "answers of https://prices.azure.com/api/retail/prices as they are"
        ) from error
    listed = PriceListContent(_published(file, moments))
    for item in items:
        _read_item(item, file.deployment, listed)
    return listed


def _items(text: str) -> Iterator[Mapping[str, Any]]:
    try:
        loaded = json.loads(text, parse_float=Decimal)
        pages = loaded if isinstance(loaded, list) else [loaded]
    except ValueError:
        pages = [json.loads(line, parse_float=Decimal) for line in text.splitlines() if line.strip()]
    for page in pages:
        yield from page["Items"]


def _published(file: PriceListFile, moments: list[datetime]) -> datetime:
    """The API states no date of publication: the newest start of a price, unless the config says."""
    return file.published_at or max(moments)


def _read_item(item: Mapping[str, Any], deployment: str, listed: PriceListContent) -> None:
    if str(item.get("serviceName", "")).lower() not in SERVICES or item.get("type") != "Consumption":
        return
    meter = str(item.get("meterName", ""))
    words = re.sub(r"[-_ ]+", " ", meter.lower()).split()
    told = {kind for kind, names in DEPLOYMENT_WORDS.items() if names & set(words)}
    token_class = _token_class(set(words))
    per_unit, price = read_unit(str(item.get("unitOfMeasure", ""))), read_price(item.get("retailPrice"))
    if token_class is None or OTHER_WORDS.search(" ".join(words)):
        listed.unread["not plain text tokens", meter] += 1
    elif told and deployment not in told:
        return
    elif per_unit is None:
        listed.unread[f"unknown unit {item.get('unitOfMeasure')!r}", meter] += 1
    elif price is None:
        listed.unread[f"no price {item.get('retailPrice')!r}", meter] += 1
    else:
        listed.prices.append(
            ListedPrice(
                meter=meter,
                model_name=_model_name(meter),
                token_class=token_class,
                service_tier=next((tier for word, tier in TIER_WORDS.items() if word in words), "standard"),
                region_id=str(item.get("armRegionName") or "") or None,
                context_min_tokens=next((CONTEXT_WORDS[word] for word in words if word in CONTEXT_WORDS), 0),
                price_per_mtok=price * 1_000_000 / per_unit,
                currency=str(item.get("currencyCode", "USD")),
                valid_from=read_moment(item.get("effectiveStartDate")),
            )
        )


def _token_class(words: set[str]) -> str | None:
    if words & CACHE_WORDS:
        return "cache_write_5m_tokens" if words & WRITE_WORDS else "cache_read_tokens"
    if words & INPUT_WORDS:
        return "uncached_input_tokens"
    return "output_tokens" if words & OUTPUT_WORDS else None


def _model_name(meter: str) -> str:
    """What is left of the meter's name without the words of class, tier, deployment and unit."""
    known = INPUT_WORDS | OUTPUT_WORDS | CACHE_WORDS | WRITE_WORDS | PLAIN_WORDS
    known |= TIER_WORDS.keys() | CONTEXT_WORDS.keys() | frozenset().union(*DEPLOYMENT_WORDS.values())
    parts = re.split(r"([-_ ]+)", meter)
    words = [
        (separator, word)
        for separator, word in zip(["", *parts[1::2]], parts[::2], strict=True)
        if word.lower() not in known
    ]
    return "".join(separator + word for separator, word in words).strip("-_ ")
