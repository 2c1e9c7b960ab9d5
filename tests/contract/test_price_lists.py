"""Price lists of AWS and Azure become prices with their region; what is not understood is told, never guessed."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.common.contract import TerminalError
from connectors.price_book.client import read_price_book
from connectors.price_book.price_lists import PriceLists, read_price_lists
from connectors.price_book.settings import PriceListFile, Settings
from pipelines.config.model import Config
from pipelines.night.reference import build_price_table, find_unread_meters
from tests.contract.cloud_price_lists import (
    AZURE_ITEMS,
    MARKETPLACE,
    NOVA,
    aws_offer,
    aws_offer_csv,
    azure_page,
)
from tests.price_rule import PricedUse, PriceRow, find_price

REFERENCE = Path(__file__).parents[2] / "models_sql" / "reference"
SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"


def _read(path: Path, content: bytes, **more: Any) -> PriceLists:
    path.write_bytes(content)
    return read_price_lists([PriceListFile.model_validate({"path": path, **more})], REFERENCE, {})


def _prices(lists: PriceLists) -> dict[tuple[str, str, str], str]:
    found = {
        (row["model"], row["token_class"], row["service_tier"]): f"{row['price_per_mtok'].normalize():f}"
        for row in lists.rows
    }
    assert len(found) == len(lists.rows)
    return found


def _reasons(lists: PriceLists) -> Counter[str]:
    (counted,) = lists.unread.values()
    return Counter({reason: count for reason, count in Counter(r for r, _ in counted.elements()).items()})


NOVA_PRICES = {
    ("amazon.nova-lite-v1:0", "uncached_input_tokens", "standard"): "0.06",
    ("amazon.nova-lite-v1:0", "output_tokens", "standard"): "0.24",
    ("amazon.nova-lite-v1:0", "uncached_input_tokens", "batch"): "0.03",
    ("amazon.nova-lite-v1:0", "cache_read_tokens", "standard"): "0.015",
}
NOVA_UNREAD = {
    "not plain text tokens": 1,
    "no known model": 1,
    "unknown unit 'spoons'": 1,
    "no price 'NaN'": 1,
}


def test_the_offer_of_bedrock_states_prices_per_thousand_tokens(tmp_path: Path) -> None:
    lists = _read(tmp_path / "offer.json", aws_offer("AmazonBedrock", NOVA), format="aws_price_list")
    assert _prices(lists) == NOVA_PRICES
    assert _reasons(lists) == NOVA_UNREAD
    assert {row["region_id"] for row in lists.rows} == {"us-east-1"}
    assert {row["published_at"] for row in lists.rows} == {datetime(2026, 10, 5)}
    assert {row["valid_from"] for row in lists.rows} == {datetime(2026, 10, 1)}


def test_the_csv_offer_says_the_same(tmp_path: Path) -> None:
    lists = _read(tmp_path / "offer.csv", aws_offer_csv(NOVA), format="aws_price_list")
    assert (_prices(lists), dict(_reasons(lists))) == (NOVA_PRICES, NOVA_UNREAD)


def test_marketplace_models_are_priced_per_million_and_global_is_a_model_of_its_own(tmp_path: Path) -> None:
    content = aws_offer("AmazonBedrockFoundationModels", MARKETPLACE)
    lists = _read(tmp_path / "offer.json", content, format="aws_price_list")
    regional, worldwide = f"regional.{SONNET}", f"global.{SONNET}"
    assert _prices(lists) == {
        (regional, "uncached_input_tokens", "standard"): "3.3",
        (regional, "output_tokens", "standard"): "16.5",
        (worldwide, "uncached_input_tokens", "standard"): "3",
        (regional, "cache_read_tokens", "standard"): "0.33",
        (regional, "cache_write_5m_tokens", "standard"): "4.125",
        (regional, "cache_write_1h_tokens", "standard"): "6.6",
        (regional, "uncached_input_tokens", "batch"): "1.65",
    }
    assert _reasons(lists) == {"not plain text tokens": 1}, "a long-context meter says no length"


@pytest.mark.parametrize("shape", ["page", "list of pages", "json lines"])
def test_azure_pages_state_units_of_a_thousand_and_of_a_million(tmp_path: Path, shape: str) -> None:
    pages = [azure_page(*AZURE_ITEMS[:4]), azure_page(*AZURE_ITEMS[4:])]
    text = {
        "page": json.dumps(azure_page(*AZURE_ITEMS)),
        "list of pages": json.dumps(pages),
        "json lines": "\n".join(json.dumps(page) for page in pages),
    }[shape]
    lists = _read(tmp_path / "azure.json", text.encode(), format="azure_retail_prices")
    found = {
        (row["model"], row["token_class"], row["service_tier"], row["context_min_tokens"]): str(
            row["price_per_mtok"].normalize()
        )
        for row in lists.rows
    }
    assert found == {
        ("gpt-4o-mini", "uncached_input_tokens", "standard", 0): "0.15",
        ("gpt-4o-mini", "output_tokens", "standard", 0): "0.6",
        ("gpt-4.1", "uncached_input_tokens", "standard", 0): "2",
        ("gpt-4.1", "cache_read_tokens", "standard", 0): "0.5",
        ("gpt-4.1", "uncached_input_tokens", "batch", 0): "1",
        ("gpt-5.4-mini", "cache_read_tokens", "standard", 0): "0.075",
        ("gpt-5.5", "uncached_input_tokens", "standard", 0): "5",
        ("gpt-5.5", "uncached_input_tokens", "standard", 272_001): "1E+1",
        ("gpt-5.4", "output_tokens", "priority", 0): "3E+1",
    }
    assert _reasons(lists) == {
        "not plain text tokens": 1,
        "no known model": 1,
        "unknown unit '1 Hour'": 1,
    }


def test_the_type_of_deployment_decides_which_meter_holds(tmp_path: Path) -> None:
    content = json.dumps(azure_page(*AZURE_ITEMS)).encode()
    lists = _read(tmp_path / "a.json", content, format="azure_retail_prices", deployment="regional")
    assert _prices(lists) == {("gpt-4.1", "uncached_input_tokens", "standard"): "2.2"}


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"not json", b'{"products": 1, "terms": []}', b"\xff\x00", b"[]"]
)
@pytest.mark.parametrize("form", ["aws_price_list", "azure_retail_prices"])
def test_what_is_no_price_list_is_refused_with_what_to_do(tmp_path: Path, form: str, content: bytes) -> None:
    with pytest.raises(TerminalError, match=r"prices\.files: .*list\.bin.*(download|save)"):
        _read(tmp_path / "list.bin", content, format=form)


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    file = PriceListFile(path=tmp_path / "none.json", format="aws_price_list")
    with pytest.raises(TerminalError, match=r"none\.json cannot be read"):
        read_price_lists([file], REFERENCE, {})


def test_a_price_list_stands_above_the_book_in_its_region_only(tmp_path: Path) -> None:
    path = tmp_path / "offer.json"
    dearer = [{**meter, "price": "0.00007"} for meter in NOVA[:1]]
    path.write_bytes(aws_offer("AmazonBedrock", dearer))
    files = (PriceListFile(path=path, format="aws_price_list"),)
    table = read_price_book(Settings(path=REFERENCE / "price_books", files=files))
    rows = [PriceRow(**row) for row in table.to_pylist() if row["model"] == "amazon.nova-lite-v1:0"]

    def price(region: str | None, moment: datetime) -> Decimal | None:
        use = PricedUse(
            moment, "aws", "amazon.nova-lite-v1:0", "uncached_input_tokens", "standard", 10, region
        )
        found = find_price(rows, use)
        return found.price_per_mtok if found else None

    assert price("us-east-1", datetime(2026, 10, 6)) == Decimal("0.07")
    assert price("us-east-1", datetime(2026, 9, 30)) == Decimal("0.06"), "not effective yet"
    assert price("eu-west-1", datetime(2026, 10, 6)) == price(None, datetime(2026, 10, 6)) == Decimal("0.06")


def test_the_config_names_price_lists_and_learns_what_was_not_read(tmp_path: Path) -> None:
    path = tmp_path / "offer.json"
    path.write_bytes(aws_offer("AmazonBedrock", NOVA))
    stated: dict[str, Any] = {"prices": {"files": [{"path": str(path), "format": "aws_price_list"}]}}
    config = Config.model_validate(stated)
    table = build_price_table(config, REFERENCE)
    assert table.filter(table["price_rank"].to_numpy() == 3).num_rows == len(NOVA_PRICES)
    findings = find_unread_meters(config, REFERENCE)
    assert sum(finding.count for finding in findings) == sum(NOVA_UNREAD.values())
    assert any("USE1-NovaHyper-input-tokens" in finding.message for finding in findings)
    alias = {"alias": "Nova Hyper", "provider": "aws", "model": "amazon.nova-premier-v1:0"}
    known = Config.model_validate(stated | {"model_aliases": [alias]})
    assert build_price_table(known, REFERENCE).num_rows == table.num_rows + 1
