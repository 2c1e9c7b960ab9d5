"""1,577 recorded response bodies: each is read as its provider means it, and costs what its release says.

What belongs here: the proof on real bodies. What must not: how a body is read (connectors/common/usage_payloads.py).

`tests/golden/payloads/flavours.csv` says of each body who answered and in which API's shape, told by the body
and its path alone. The file's figures come from genai-prices 0.1.4; prices are those of our own books, as a
request of 2026-06-01 would be priced were the book of that release the oldest. `differences.csv` lists every
figure that is not ours, with the reason; the tests demand that list exactly.
"""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from connectors.common.token_usage import REPORTED_COUNTS, normalise_usage
from connectors.common.usage_payloads import read_usage
from connectors.price_book.build_patterns import ModelPattern, resolve_model
from connectors.price_book.client import read_price_book
from connectors.price_book.settings import Settings
from tests.price_rule import PricedUse, PriceRow, build_list_cost, find_price
from tests.sql.chain import Chain, Inputs, Window

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "models_sql" / "reference"
GOLDEN = ROOT / "tests" / "golden" / "payloads"
RELEASE_BOOKS = ("2026-08-19", "2026-11-10")
"""The release of the figures; and the next one, which prices models that were named differently then."""

PRICED_AT = datetime(2026, 6, 1, 12)
PARTS = {
    "uncached_input_tokens": ("uncached_audio_tokens", "uncached_image_tokens"),
    "cache_read_tokens": ("cache_read_audio_tokens", "cache_read_image_tokens"),
    "cache_write_5m_tokens": (),
    "cache_write_1h_tokens": (),
    "output_tokens": ("output_audio_tokens", "output_image_tokens"),
}
Figure = tuple[Decimal, Decimal]


def _read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def payloads(shared_data: Path) -> list[dict[str, Any]]:
    return json.loads((shared_data / "genai_prices_usages.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def flavours() -> list[dict[str, str]]:
    return _read_csv(GOLDEN / "flavours.csv")


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("books") / "price_books"
    for name in RELEASE_BOOKS:
        shutil.copytree(REFERENCE / "price_books" / name, folder / name)
    return read_price_book(Settings(path=folder)).to_pylist()


@pytest.fixture(scope="module")
def normalised(payloads: list[dict[str, Any]], flavours: list[dict[str, str]]) -> list[dict[str, Any]]:
    read = [
        read_usage(_usage(payload["body"]), row["flavour"])  # type: ignore[arg-type]
        for payload, row in zip(payloads, flavours, strict=True)
    ]
    assert [usage["unknown_counts"] for usage in read] == [[]] * len(read)
    flags = ("input_includes_cached", "output_includes_reasoning")
    schema: dict[str, Any] = dict.fromkeys(REPORTED_COUNTS, pl.Int64) | dict.fromkeys(flags, pl.Boolean)
    schema["usage_problem"] = pl.String
    rows = [{name: usage.get(name) for name in schema} for usage in read]
    return normalise_usage(pl.DataFrame(rows, schema=schema)).to_dicts()


def _usage(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return next(body[name] for name in ("usage", "usageMetadata", "meta") if isinstance(body.get(name), dict))


def _stated_total(body: Mapping[str, Any]) -> int | None:
    """The provider's own total as the body writes it, whatever the name."""
    usage = _usage(body)
    return next((usage[n] for n in ("total_tokens", "totalTokenCount", "totalTokens") if n in usage), None)


def test_the_table_names_every_body(payloads: list[dict[str, Any]], flavours: list[dict[str, str]]) -> None:
    assert len(payloads) == len(flavours) == 1577
    for payload, row in zip(payloads, flavours, strict=True):
        digest = hashlib.sha256(json.dumps(payload["body"], sort_keys=True).encode()).hexdigest()
        assert digest[:16] == row["body_digest"], row
    counted = Counter(row["flavour"] for row in flavours)
    assert counted["gemini"] == 451 and counted["bedrock_converse"] == 220 and counted["anthropic"] == 226


def test_every_body_adds_up_to_its_providers_own_total(
    payloads: list[dict[str, Any]], normalised: list[dict[str, Any]]
) -> None:
    stated = 0
    for payload, row in zip(payloads, normalised, strict=True):
        assert row["usage_problem"] is None, payload
        total = _stated_total(payload["body"])
        if total is not None:
            stated += 1
            assert sum(row[name] or 0 for name in PARTS) == total, payload
        for token_class, parts in PARTS.items():
            assert sum(row[part] or 0 for part in parts) <= (row[token_class] or 0), payload
    assert stated == 1323


def _cost(rows: list[PriceRow], provider: str, model: str, usage: Mapping[str, Any]) -> Figure | None:
    """(input, output) at list price, None where a class has no price."""
    total = sum(usage[name] or 0 for name in PARTS if name != "output_tokens")
    costs = {"output_tokens": Decimal(0)}
    for token_class, parts in PARTS.items():
        tokens = usage[token_class] or 0
        if not tokens:
            continue
        found = {
            name: find_price(rows, PricedUse(PRICED_AT, provider, model, name, "standard", total))
            for name in (token_class, *parts)
        }
        price = found[token_class]
        if price is None:
            return None
        apart = [(usage[p] or 0, (found[p] or price).price_per_mtok) for p in parts]
        costs[token_class] = build_list_cost(tokens, price.price_per_mtok, *apart)
    output = costs.pop("output_tokens")
    return sum(costs.values(), Decimal(0)), output


def _figures(payload: Mapping[str, Any]) -> Iterator[tuple[str, str, Figure]]:
    for extracted in payload["extracted"]:
        for extractor in extracted["extractors"]:
            if "input_price" in extractor:
                figure = Decimal(extractor["input_price"]), Decimal(extractor["output_price"])
                yield extractor["provider_id"], extractor["api_flavor"], figure


def _patterns() -> dict[str, list[ModelPattern]]:
    found: dict[str, list[ModelPattern]] = defaultdict(list)
    for row in _read_csv(REFERENCE / "model_patterns.csv"):
        parts = tuple(row[f"pattern_{n}"] for n in (1, 2, 3) if row[f"pattern_{n}"])
        found[row["provider"]].append(
            ModelPattern(row["provider"], row["model"], int(row["priority"]), parts)
        )
    return found


def test_every_figure_is_ours_but_the_listed(
    payloads: list[dict[str, Any]], normalised: list[dict[str, Any]], prices: list[dict[str, Any]]
) -> None:
    """All 3,474 figures of the file, also those of other sellers of the model that answered."""
    by_model: dict[tuple[str, str], list[PriceRow]] = defaultdict(list)
    for row in prices:
        by_model[row["provider"], row["model"]].append(PriceRow(**row))
    patterns, equal, different = _patterns(), 0, set()
    for index, (payload, usage) in enumerate(zip(payloads, normalised, strict=True)):
        for provider, extractor, figure in _figures(payload):
            model = resolve_model(provider, payload["model"], patterns)
            assert model is not None, payload
            if _cost(by_model[provider, model], provider, model, usage) == figure:
                equal += 1
            else:
                different.add((str(index), provider, extractor))
    listed = _read_csv(GOLDEN / "differences.csv")
    assert all(row["reason"] for row in listed)
    assert different == {(row["index"], row["price_provider"], row["extractor"]) for row in listed}
    assert equal + len(different) == 3474


def test_the_models_price_every_body_as_its_own_seller_does(
    payloads: list[dict[str, Any]],
    flavours: list[dict[str, str]],
    normalised: list[dict[str, Any]],
    prices: list[dict[str, Any]],
) -> None:
    """The same through `core.usage_costs`, from landed requests to list cost."""
    requests = [
        _request(payload, row, usage)
        for payload, row, usage in zip(payloads, flavours, normalised, strict=True)
    ]
    window = Window(date(2026, 6, 1), date(2026, 6, 2), datetime(2026, 6, 3))
    with Chain(Inputs({"requests": requests, "prices": prices}), window, ("core.usage_costs",)) as chain:
        assert not chain.failed_checks()
        found = chain.rows(
            "select feature, token_class, list_cost, unpriced_reason from core.usage_costs "
            "inner join core.request_usage using (charge_date, usage_id)"
        )
    costs: dict[str, list[Decimal | None]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for row in found:
        side = int(row["token_class"] == "output_tokens")
        so_far, cost = costs[row["feature"]][side], row["list_cost"]
        costs[row["feature"]][side] = None if so_far is None or cost is None else so_far + cost
    listed = {
        (row["index"], row["price_provider"], row["extractor"])
        for row in _read_csv(GOLDEN / "differences.csv")
    }
    compared = 0
    for payload, row in zip(payloads, flavours, strict=True):
        own = (row["price_provider"], row["extractor"])
        for provider, extractor, figure in _figures(payload):
            if (provider, extractor) == own and (row["index"], *own) not in listed:
                assert tuple(costs[row["index"]]) == figure, row
                compared += 1
    assert compared == 1242


def _request(payload: Mapping[str, Any], row: Mapping[str, str], usage: Mapping[str, Any]) -> dict[str, Any]:
    tokens = {name: usage[name] for parts in PARTS.items() for name in (parts[0], *parts[1])}
    return {
        "request_id": row["index"],
        "x_source": "log",
        "x_snapshot_id": "1",
        "trace_id": row["index"],
        "feature": row["index"],
        "started_at": PRICED_AT,
        "provider": row["provider"],
        "model": payload.get("model"),
        "status": "ok",
        **tokens,
    }
