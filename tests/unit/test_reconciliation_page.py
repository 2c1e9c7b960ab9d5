"""docs/reconciliation.md: its worked rows run through the models, and its causes are those that the models give.

What belongs here: reading the page's tables and comparing. What must not: numbers of its own.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest

from pipelines.warehouse.models import read_dictionary
from reports.weekly.explanations import RECONCILIATION_CAUSES
from tests.sql.bill_and_log import MTOK, Cell, Company, at, causes_of, explain, key_row
from tests.sql.harness import MODELS_ROOT

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reconciliation.md").read_text(encoding="utf-8")
SQL = (MODELS_ROOT / "core" / "reconciled_usage.sql").read_text(encoding="utf-8")
NO_CAUSES = {"rest", "price"}
"""What stands for several causes until a row is judged."""


def _table(heading: str) -> list[dict[str, str]]:
    found = re.search(rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/reconciliation.md has no heading {heading!r}"
    lines = [line for line in found[1].splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    rows = [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]
    assert rows, f"the table below {heading!r} is empty"
    return rows


def _cell(row: dict[str, str]) -> Cell:
    return Cell(
        billed=_count(row["billed"]),
        logged=_count(row["logged"]),
        price=Decimal(row["price"]),
        cost=Decimal(row["billed cost"]),
        list_cost=Decimal(row["list cost"]),
        day=int(row["day"]),
        token_class=f"{row['class']}_tokens",
        tier=row["tier"],
    )


def _count(text: str) -> int:
    return int(text.replace(",", ""))


CASES: dict[str, list[dict[str, str]]] = defaultdict(list)
for _row in _table("Worked rows"):
    CASES[_row["case"]].append(_row)


@cache
def _explained() -> dict[tuple[str, str, str, str], Decimal]:
    """Case, day, class and cause → difference: every case is a model of its own, so that one run explains all."""
    cells, keys = [], []
    for case, rows in CASES.items():
        for row in rows:
            cell, bypassing = replace(_cell(row), model=case), _count(row["bypassing"])
            cells.append(cell)
            keys.append(key_row(cell, "gateway", counted=MTOK - bypassing))
            keys.append(key_row(cell, "other", counted=bypassing))
    explained = explain(Company(cells, keys=keys, logging_keys=["gateway"]))
    found = causes_of(explained, "model", "charge_date", "token_class")
    return {(case, str(day), *rest): cost for (case, day, *rest), cost in found.items()}


@pytest.mark.parametrize("case", CASES)
def test_worked_rows(case: str) -> None:
    expected = {
        (case, at(int(row["day"])), f"{row['class']}_tokens", told.split()[0]): Decimal(told.split()[1])
        for row in CASES[case]
        for told in row["causes"].split(", ")
        if told
    }
    assert {key: cost for key, cost in _explained().items() if key[0] == case} == expected


def test_the_page_explains_every_cause_and_observable_that_the_models_give() -> None:
    table = _table("The causes")
    causes = {cause for row in table for cause in re.findall(r"`(\w+)`", row["cause"])}
    observables = {name for row in table for name in re.findall(r"`(\w+)`", row["observable"])}
    given = set(re.findall(r"(?:then|else|select) '(\w+)'", SQL)) | set(re.findall(r"'(\w+)' as cause", SQL))
    told = read_dictionary(MODELS_ROOT / "dictionary.yml")["observable"].meaning
    assert causes <= given
    words = set(re.findall(r"\w+", told))
    assert observables - {"coverage_epsilon"} <= words
    assert given - NO_CAUSES - {"estimated", "final", "provisional"} <= causes | words
    assert causes <= set(RECONCILIATION_CAUSES), "the weekly report says each in plain words"
