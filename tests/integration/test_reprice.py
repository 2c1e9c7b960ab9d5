"""`everycent reprice`: what calls were booked at beside what another price book says, from a real release.

The story is a real one: the list of 2026-08-19 said that Claude Sonnet 5 would cost $3 and $15 a million tokens
from September on; that of 2026-11-10 says $2 and $10 since its launch.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipelines.cli import app, run
from tests.integration.mini_company import Company, write_company

CALLS = (
    {"time": "2026-11-01T10:00:00Z", "user": "ann", "model": "claude-sonnet-5"},
    {"time": "2026-11-12T10:00:00Z", "user": "bob", "model": "claude-sonnet-5"},
    {"time": "2026-11-12T11:00:00Z", "user": "bob", "model": "quokka-9"},
)


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    company = write_company(tmp_path_factory.mktemp("company"))
    company.write_calls(
        {**call, "provider": "anthropic", "input": "1000000", "output": "100000"} for call in CALLS
    )
    company.night()
    return company


def _run(company: Company, *arguments: str) -> Any:
    return CliRunner().invoke(app, ["reprice", "--home", str(company.folder / "home"), *arguments])


def _reprice(company: Company, *arguments: str) -> dict[tuple[str, str], dict[str, Any]]:
    result = _run(company, *arguments, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    return {
        (line["model"], line["token_class"]): line
        for line in told["lines"]
        if line["model"] in ("claude-sonnet-5", "quokka-9")
    }


def _files(folder: Path) -> dict[Path, tuple[int, int]]:
    return {
        path: (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()
    }


def test_both_sides_stand_beside_each_other_and_nothing_changes(company: Company) -> None:
    before = _files(company.folder)
    lines = _reprice(company, "--price-book", "2026-11-22")
    known = lines["claude-sonnet-5", "uncached_input_tokens"]
    assert known["quantity_tokens"] == 2_000_000
    assert Decimal(known["booked_list_cost"]) == 3 + 2, "each call at the list of its own time"
    assert Decimal(known["repriced_list_cost"]) == 2 + 2
    assert Decimal(known["difference"]) == -1
    output = lines["claude-sonnet-5", "output_tokens"]
    assert (Decimal(output["booked_list_cost"]), Decimal(output["difference"])) == (
        Decimal("2.5"),
        Decimal("-0.5"),
    )
    assert _files(company.folder) == before


def test_an_older_book_prices_as_it_would_have(company: Company) -> None:
    lines = _reprice(company, "--price-book", "2026-11-09")
    known = lines["claude-sonnet-5", "uncached_input_tokens"]
    assert (Decimal(known["booked_list_cost"]), Decimal(known["repriced_list_cost"])) == (5, 6)


def test_what_a_book_does_not_know_has_no_price_and_is_counted(company: Company) -> None:
    lines = _reprice(company, "--price-book", "2025-12-01")
    known = lines["claude-sonnet-5", "uncached_input_tokens"]
    assert known["repriced_list_cost"] is None and known["difference"] is None
    assert (known["booked_unpriced_tokens"], known["repriced_unpriced_tokens"]) == (0, 2_000_000)
    unknown = lines["quokka-9", "output_tokens"]
    assert (unknown["booked_list_cost"], unknown["booked_unpriced_tokens"]) == (None, 100_000)


def test_a_window_prices_its_days_only(company: Company) -> None:
    lines = _reprice(company, "--price-book", "2026-11-22", "--since", "2026-11-02", "--until", "2026-11-12")
    known = lines["claude-sonnet-5", "uncached_input_tokens"]
    assert (known["quantity_tokens"], Decimal(known["difference"])) == (1_000_000, 0)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--price-book", "2025-09-09"], "no price book had been published by then.*2025-09-10, 2026-01-28"),
        (["--price-book", "2026-11-22", "--since", "2027-01-01"], "No usage of models between"),
        (["--price-book", "soon"], "soon"),
    ],
)
def test_what_cannot_be_asked_is_told(
    company: Company, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["reprice", "--home", str(company.folder / "home"), *arguments])
    told = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert code == 3
    assert re.search(says, told), told


def test_people_read_it_at_a_hundred_columns(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    result = _run(company, "--price-book", "2026-11-22")
    assert result.exit_code == 0
    assert max(len(line) for line in result.stdout.splitlines()) <= 100
    for words in (
        "genai-prices 0.2.3, published 2026-11-10",
        "claude-sonnet-5",
        "-1.00",
        "Nothing was changed",
    ):
        assert words in result.stdout
