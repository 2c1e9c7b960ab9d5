"""The given/expected harness itself: it must fail when a model is wrong.

What belongs here: one right and several wrong cases. What must not: cases of real models.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sql.harness import assert_rows, check_case, find_cases, run_checks, run_model
from tests.sql.home import DAILY, write_models

GIVEN = {
    "lake.sales": [
        {"sold_at": "2026-01-01 10:00:00", "feature": "chat", "billed_cost": "0.1"},
        {"sold_at": "2026-01-01 11:00:00", "feature": "chat", "billed_cost": "0.2"},
        {"sold_at": "2026-01-02 00:00:00", "feature": "chat", "billed_cost": "9"},
    ]
}
DAY = {"start": "2026-01-01", "end": "2026-01-02"}
CASE = """
model: core.daily
parameters: {start: 2026-01-01, end: 2026-01-02}
given:
    lake.sales:
        - {sold_at: 2026-01-01 10:00:00, feature: chat, billed_cost: 0.10}
        - {sold_at: 2026-01-01 11:00:00, feature: null, billed_cost: 0.000000000001}
expect:
    - {charge_date: 2026-01-01, feature: chat, billed_cost: 0.1}
    - {charge_date: 2026-01-01, feature: null, billed_cost: 0.000000000001}
"""
CHECK = """[charge_date, feature, requests, billed_cost]
checks:
    - {name: some, severity: fail, description: d, sql: select * from core.daily where requests > 1}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A models folder with one checked model."""
    text = DAILY.replace("[charge_date, feature, requests, billed_cost]\n", CHECK)
    write_models(tmp_path / "models", {"core.daily": text})
    return tmp_path / "models"


def test_rows_of_the_window_come_out_typed(root: Path) -> None:
    rows = run_model("core.daily", GIVEN, DAY, root=root)
    assert_rows("core.daily", rows, [{"feature": "chat", "requests": 2, "billed_cost": "0.3"}], root)
    assert str(rows[0]["billed_cost"]) == "0.300000000000"


@pytest.mark.parametrize(
    "expected",
    [
        [],
        [{"feature": "chat", "billed_cost": "0.300000000001"}],
        [{"feature": "chat"}, {"feature": "chat"}],
        [{"feature": None}],
        [{"no_such": "chat"}],
    ],
)
def test_wrong_expectations_fail(root: Path, expected: list[dict[str, str]]) -> None:
    with pytest.raises(AssertionError, match=r"core\.daily"):
        assert_rows("core.daily", run_model("core.daily", GIVEN, DAY, root=root), expected, root)


def test_strange_relations_and_columns_fail(root: Path) -> None:
    with pytest.raises(AssertionError, match="does not read"):
        run_model("core.daily", {"lake.other": []}, DAY, root=root)
    with pytest.raises(AssertionError, match="no columns"):
        run_model("core.daily", {"lake.sales": [{"colour": "red"}]}, DAY, root=root)


def test_checks_run_on_the_result_or_on_given_rows(root: Path) -> None:
    assert run_checks("core.daily", GIVEN, DAY, root=root) == {"some": 1}
    assert run_checks("core.daily", {"core.daily": [{"requests": 1}]}, DAY, root=root) == {"some": 0}


def test_yaml_cases(root: Path, tmp_path: Path) -> None:
    cases = tmp_path / "cases"
    cases.mkdir()
    with pytest.raises(AssertionError, match="no cases"):
        find_cases(cases)
    (cases / "a.yml").write_text(CASE)
    for case in find_cases(cases):
        check_case(case, root)
    (cases / "a.yml").write_text(CASE.replace("billed_cost: 0.1}", "billed_cost: 0.100000000001}"))
    with pytest.raises(AssertionError, match="surplus"):
        check_case(cases / "a.yml", root)
