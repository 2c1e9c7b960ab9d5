"""docs/prices.md: each line of its table is what the shipped books and the reference rule say."""

from __future__ import annotations

import csv
import re
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from connectors.price_book.client import read_price_book
from connectors.price_book.settings import Settings
from tests.price_rule import PricedUse, PriceRow, build_list_cost, find_price

ROOT = Path(__file__).parents[2]
BOOKS = ROOT / "models_sql" / "reference" / "price_books"
PAGE = (ROOT / "docs" / "prices.md").read_text(encoding="utf-8")
LINE = re.compile(
    r"^\| (?P<model>[\w.-]+?)(?: (?P<tier>batch))?(?: in (?P<region>\w+))?, (?P<at>[\d-]+ [\d:]+) "
    r"\| (?P<token_class>\w+) \| (?P<tokens>\d+) \| (?P<price>[\d.]+) \| (?P<cost>[\d.]+) \|$",
    re.MULTILINE,
)
LINES = [match.groupdict() for match in LINE.finditer(PAGE)]
PROVIDERS = {"o3": "openai", "claude": "anthropic", "deepseek": "deepseek"}


@pytest.fixture(scope="module")
def rows() -> list[PriceRow]:
    return [PriceRow(**row) for row in read_price_book(Settings(path=BOOKS)).to_pylist()]


def test_the_table_is_read() -> None:
    assert len(LINES) == 11


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line['model']} {line['at']} {line['tokens']}")
def test_a_line_of_the_table_is_what_the_books_say(rows: list[PriceRow], line: dict[str, str]) -> None:
    provider = next(name for start, name in PROVIDERS.items() if line["model"].startswith(start))
    tokens = int(line["tokens"])
    use = PricedUse(
        datetime.fromisoformat(line["at"]),
        provider,
        line["model"],
        line["token_class"],
        line["tier"] or "standard",
        tokens if line["token_class"] == "uncached_input_tokens" else 0,  # noqa: S105 (a token class)
        line["region"],
    )
    found = find_price(rows, use)
    assert found is not None
    assert found.price_per_mtok == Decimal(line["price"])
    assert build_list_cost(tokens, found.price_per_mtok) == Decimal(line["cost"])


def test_the_releases_and_figures_of_the_page_are_those_of_the_files() -> None:
    for path in BOOKS.glob("*/snapshot.json"):
        release = re.search(r"genai-prices ([\d.]+)", path.read_text(encoding="utf-8"))
        assert release and release[1] in PAGE
    with (ROOT / "tests" / "golden" / "payloads" / "differences.csv").open(encoding="utf-8") as stream:
        reasons = [row["reason"] for row in csv.DictReader(stream)]
    assert f"{3474 - len(reasons):,} of 3,474" in PAGE and f"the other {len(reasons)} are" in PAGE
    assert f"({sum('embeddings' in reason for reason in reasons)}: the extractor" in PAGE.replace("\n", " ")
