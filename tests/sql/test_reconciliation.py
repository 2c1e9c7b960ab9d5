"""core.reconciled_usage: each cause of a difference between bill and logs is found, exactly, and nothing else.

What belongs here: a case a cause on a few cells. What must not: the worked rows of docs/reconciliation.md, which
`tests/unit/test_reconciliation_page.py` runs, and random companies (`tests/property/test_reconciled_causes.py`).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from tests.conftest import ROOT
from tests.sql.bill_and_log import (
    DAY,
    MTOK,
    TYPES,
    WINDOW,
    Cell,
    Company,
    at,
    causes_of,
    check,
    explain,
    key_row,
    segment,
)
from tests.sql.harness import run_model

D = Decimal
CELL = Cell()


def found(cells: list[Cell], *keys: str, **more: Any) -> dict[tuple[Any, ...], Decimal]:
    return causes_of(explain(Company(cells, **more)), *keys)


def on(day: int) -> date:
    return DAY + timedelta(days=day)


def test_a_bill_that_the_logs_explain_has_one_row_without_any_difference() -> None:
    (row,) = explain(Company([CELL]))
    assert (row["cause"], row["difference_cost"], row["observable"]) == ("unexplained", 0, "none")
    assert (row["billed_cost"], row["priced_cost"], row["cost_state"]) == (10, 10, "final")


def test_tokens_under_a_key_that_never_logs_bypass_and_the_rest_that_is_missing_is_unlogged() -> None:
    """Of 1,000,000 tokens 800,000 are logged; 150,000 are counted under a notebook's key: 50,000 are lost."""
    cell = Cell(logged=800_000, cost=D(9))
    keys = [key_row(cell, "gateway", counted=850_000), key_row(cell, "notebook", counted=150_000)]
    causes = found([cell], keys=keys, logging_keys=["gateway"])
    assert causes == {("bypass",): D("1.35"), ("unlogged",): D("0.45"), ("price_version",): D("-0.8")}


def test_a_key_that_the_log_itself_names_needs_no_declaration() -> None:
    """And what is logged without a key may be the unknown key's: only what it cannot hold is bypass."""
    cell = Cell(logged=900_000)
    keys = [key_row(cell, "gateway", counted=700_000), key_row(cell, "other", counted=300_000)]
    keys += [key_row(cell, "gateway", logged=700_000), key_row(cell, None, logged=200_000)]
    assert found([cell], keys=keys) == {("bypass",): D(1)}


def test_no_key_is_said_to_bypass_where_none_is_known_to_log() -> None:
    cell = Cell(logged=900_000)
    keys = [key_row(cell, "a", counted=900_000), key_row(cell, "b", counted=100_000)]
    keys += [key_row(cell, "virtual key of a gateway", logged=900_000)]
    assert found([cell], keys=keys) == {("unlogged",): D(1)}


def test_a_bypass_is_found_beside_calls_that_are_logged_twice() -> None:
    cell = Cell(logged=950_000)
    keys = [key_row(cell, "gateway", counted=850_000), key_row(cell, "notebook", counted=150_000)]
    causes = found([cell], keys=keys, logging_keys=["gateway"])
    assert causes == {("bypass",): D("1.5"), ("over_logged",): D(-1)}


@pytest.mark.parametrize("declared", [["role/app"], []])
def test_a_principal_on_the_bill_that_never_logs_bypasses(declared: list[str]) -> None:
    """The log names the principals of its calls, or the config does."""
    app = Cell(logged=MTOK, provider="aws", principal="role/app")
    job = replace(app, billed=200_000, logged=0, principal="role/job")
    logged = {**key_row(app, "role/app", logged=MTOK), "key_kind": "principal"}
    causes = found([app, job], keys=[logged], logging_keys=declared)
    assert causes == {("bypass",): D(2)}


def test_an_account_of_which_none_is_declared_to_log_bypasses() -> None:
    app = Cell(provider="azure", sub_account="/subscriptions/app")
    job = replace(app, billed=300_000, logged=0, sub_account="/subscriptions/job")
    rows = explain(Company([app, job], logging_keys=["app"]))
    assert causes_of(rows) == {("bypass",): D(3)}
    assert {row["observable"] for row in rows if row["cause"] == "bypass"} == {"account"}


def test_what_is_declared_goes_before_what_a_log_with_gaps_happens_to_name() -> None:
    """The staging account's calls are lost: its principal stands in no log, but its account is one that logs."""
    app = Cell(provider="aws", sub_account="app", principal="role/app")
    lost = replace(app, billed=200_000, logged=0, sub_account="staging", principal="role/staging")
    job = replace(app, billed=100_000, logged=0, sub_account="job", principal="role/job")
    logged = {**key_row(app, "role/app", logged=MTOK), "key_kind": "principal"}
    cells = [app, lost, job]
    assert found(cells, keys=[logged], logging_keys=["app", "staging"]) == {
        ("bypass",): D(1),
        ("unlogged",): D(2),
    }
    assert found(cells, keys=[logged]) == {("bypass",): D(3)}


def test_classes_of_input_that_offset_each_other_are_one_cause() -> None:
    """50,000 tokens that the gateway took for new were read from the cache; output is no part of it."""
    cells = [
        Cell(400_000, 450_000, D(3), token_class="uncached_input_tokens"),
        Cell(600_000, 550_000, D("0.3"), token_class="cache_read_tokens"),
        Cell(100_000, 90_000, D(15)),
    ]
    assert found(cells, "token_class") == {
        ("uncached_input_tokens", "cache_class"): D("-0.15"),
        ("cache_read_tokens", "cache_class"): D("0.015"),
        ("output_tokens", "unlogged"): D("0.15"),
    }


def test_a_class_that_the_bill_does_not_name_is_taken_from_the_one_that_it_names() -> None:
    cells = [
        Cell(1_000_000, 700_000, D(3), token_class="uncached_input_tokens"),
        Cell(0, 400_000, D("0.3"), token_class="cache_read_tokens"),
    ]
    assert found(cells, "token_class") == {
        ("uncached_input_tokens", "cache_class"): D("0.9"),
        ("cache_read_tokens", "cache_class"): D("-0.09"),
        ("cache_read_tokens", "logged_without_bill"): D("-0.03"),
    }


def test_tiers_of_a_class_that_offset_each_other_are_one_row() -> None:
    """200,000 tokens billed as batch were logged as standard."""
    cells = [Cell(800_000, 1_000_000), Cell(400_000, 200_000, D(5), tier="batch")]
    rows = explain(Company(cells))
    assert causes_of(rows) == {("tier",): D(-1)}
    (tier,) = [row for row in rows if row["cause"] == "tier"]
    assert (tier["difference_quantity"], tier["difference_cost_absolute"]) == (0, 3)


def test_what_one_day_lacks_and_the_next_has_too_much_of_is_timing() -> None:
    """The middle day gives half of its surplus to each side; what a side does not need stays over-logged."""
    cells = [Cell(logged=960_000), Cell(logged=1_100_000, day=1), Cell(logged=900_000, day=2)]
    assert found(cells, "charge_date") == {
        (on(0), "timing"): D("0.4"),
        (on(1), "timing"): D("-0.9"),
        (on(1), "over_logged"): D("-0.1"),
        (on(2), "timing"): D("0.5"),
        (on(2), "unlogged"): D("0.5"),
    }


def test_days_that_do_not_touch_are_no_timing() -> None:
    cells = [Cell(logged=900_000), Cell(logged=1_100_000, day=2)]
    assert found(cells) == {("unlogged",): D(1), ("over_logged",): D(-1)}


def test_a_bill_that_is_not_complete_is_late_and_the_logs_are_not_too_many() -> None:
    rows = explain(Company([Cell(400_000, MTOK)], open_days=[0]))
    assert causes_of(rows) == {("timing",): D(-6)}
    assert {row["cost_state"] for row in rows} == {"estimated"}


def test_a_price_that_the_book_does_not_have_is_a_price_version() -> None:
    assert found([Cell(cost=D(11))]) == {("price_version",): D(1)}


def test_a_discount_that_the_bill_states_is_told_from_its_list_price() -> None:
    rows = explain(Company([Cell(cost=D(9), list_cost=D(12))]))
    assert causes_of(rows) == {("discount",): D(-3), ("price_version",): D(2)}


def test_a_discount_that_the_bill_does_not_state_is_what_all_its_models_pay_alike() -> None:
    """Four percent off both models; the third, with a new price, has the discount too."""
    cells = [Cell(cost=D("9.6")), Cell(price=D(20), cost=D("19.2"), model="n")]
    assert found(cells, "model") == {("m", "discount"): D("-0.4"), ("n", "discount"): D("-0.8")}
    cells.append(Cell(price=D(5), cost=D("5.28"), model="o"))
    assert found(cells, "model")["o", "discount"] == D("-0.22")
    assert found(cells, "model")["o", "price_version"] == D("0.5")
    assert found(cells[:1]) == {("price_version",): D("-0.4")}, (
        "one model alone may as well have another price"
    )


def test_what_a_commitment_paid_is_not_on_the_bill() -> None:
    causes = found([Cell(cost=D(8), list_cost=D(10), billed_cost=D(0))])
    assert causes == {("commitment",): D(-8), ("discount",): D(-2)}


def test_a_bill_in_another_currency_differs_by_its_own_rate() -> None:
    """Nine euros are 9.90 dollars at our rate; the bill converted 9.80. List price is ten."""
    cell = Cell(
        cost=D(9), list_cost=D(9), currency="EUR", rate=D("1.1"), pricing_cost=D("9.8"), provider="azure"
    )
    rows = explain(Company([cell]))
    assert {row["currency"] for row in rows} == {"USD"}
    assert causes_of(rows) == {("fx",): D("0.1"), ("price_version",): D("-0.2")}


def test_a_bill_that_cannot_be_converted_is_not_compared() -> None:
    rows = explain(Company([Cell(currency="JPY", rate=None, cost=D(1500))]))
    assert causes_of(rows) == {("not_priced",): D(1500)}
    assert {row["currency"] for row in rows} == {"JPY"}


def test_tokens_without_a_price_are_not_priced() -> None:
    cells = [Cell(logged=600_000), Cell(0, 400_000, None)]
    assert found(cells) == {("not_priced",): D(4)}


@pytest.mark.parametrize("logged", [MTOK - 500, MTOK + 500])
def test_a_difference_within_the_tolerance_is_rounding(logged: int) -> None:
    assert set(found([Cell(logged=logged)])) == {("rounding",)}
    assert set(found([Cell(logged=logged + (1 if logged > MTOK else -1))])) <= {
        ("unlogged",),
        ("over_logged",),
    }


def test_half_a_cent_is_rounding_where_the_bill_has_whole_cents() -> None:
    price = D("0.123")
    assert found([Cell(price=price, cost=D("0.12"))]) == {("rounding",): D("-0.003")}
    assert found([Cell(price=price, cost=D("0.1201"))]) == {("price_version",): D("-0.0029")}
    assert found([Cell(price=price, cost=D("0.11"))]) == {("price_version",): D("-0.013")}


def test_credits_and_tax_are_rows_of_their_account() -> None:
    bill = {
        "charge_date": at(0),
        "provider": "openai",
        "billing_account_id": "org",
        "billing_currency": "USD",
    }
    bill |= {"cost_state": "final", "cost_driver": "other"}
    others = [
        {**bill, "cell_id": "c", "charge_category": "Credit", "billed_cost": "-5", "model": "m"},
        {**bill, "cell_id": "t", "charge_category": "Tax", "billed_cost": "2"},
        {
            **bill,
            "cell_id": "s",
            "charge_category": "Usage",
            "cost_driver": "inference",
            "billed_cost": "0.5",
        },
        {**bill, "cell_id": "e", "charge_category": "Usage", "cost_driver": "egress", "billed_cost": "99"},
    ]
    rows = explain(Company([CELL], other_cells=others))
    assert causes_of(rows, "model") == {
        (None, "credits"): D(-5),
        (None, "tax"): D(2),
        (None, "other_units"): D("0.5"),
    }
    assert {row["billed_cost"] for row in rows if row["model"] is None} == {D("-2.5")}


def test_the_line_of_a_provider_for_the_finance_team_adds_up_with_tax_and_credits_apart() -> None:
    bill = {
        "charge_date": at(0),
        "provider": "openai",
        "billing_account_id": "org",
        "billing_currency": "USD",
        "cost_state": "final",
        "cost_driver": "inference",
        "charge_category": "Usage",
    }
    others = [
        {**bill, "cell_id": "c", "charge_category": "Credit", "billed_cost": "-5"},
        {**bill, "cell_id": "t", "charge_category": "Tax", "billed_cost": "2"},
        {**bill, "cell_id": "s", "billed_cost": "0.5", "sku_meter": "web search tool calls"},
    ]
    cells = [Cell(logged=900_000), Cell(price=None, cost=D(7), model="n"), Cell(cost=D(9), model="o")]
    causes = explain(Company(cells, other_cells=others))
    capacity = {**causes[0], "model": None, "token_class": None, "cause": "capacity", "priced_cost": None}
    causes.append({**capacity, "provider": "aws", "billed_cost": D(4), "difference_cost": D(4)})
    with duckdb.connect() as connection:
        connection.execute("create schema marts")
        connection.execute(f"create table marts.reconciliation ({', '.join(_ASKED)})")
        names = [column.split()[0] for column in _ASKED]
        marks = ", ".join("?" for _ in names)
        connection.executemany(
            f"insert into marts.reconciliation values ({marks})",
            [[row[name] for name in names] for row in causes],
        )
        lines = connection.execute(_question("The same as one line a provider")).fetchall()
        columns = [column[0] for column in connection.description or []]
    told = {row[0]: dict(zip(columns, row, strict=True)) for row in lines}
    split = ("not_logged", "price", "capacity", "not_priced", "other", "unexplained")
    for line in told.values():
        assert line["billed"] - line["priced"] == line["difference"] == sum(line[name] for name in split)
    sums = {
        name: told["openai"][name]
        for name in ("billed", "tax", "credits", "not_logged", "not_priced", "other")
    }
    assert sums == {
        "billed": D("26.5"),
        "tax": 2,
        "credits": -5,
        "not_logged": 1,
        "not_priced": 7,
        "other": D("0.5"),
    }
    assert told["aws"]["capacity"] == told["aws"]["difference"] == 4


_ASKED = (
    *(f"{name} varchar" for name in ("provider", "billing_account_id", "model", "token_class", "cause")),
    *(f"{name} decimal(38, 12)" for name in ("billed_cost", "priced_cost", "difference_cost")),
    *("charge_date date", "currency varchar", "cost_state varchar"),
)


def _question(words: str) -> str:
    """The query of docs/questions.md that follows some words."""
    page = (ROOT / "docs" / "questions.md").read_text(encoding="utf-8")
    return page.split(words)[1].split("```sql")[1].split("```")[0]


def test_a_line_that_names_no_class_is_compared_with_the_model_as_a_whole() -> None:
    line = {
        "charge_date": at(0),
        "provider": "openai",
        "billing_account_id": "org",
        "billing_currency": "USD",
    }
    line |= {"cost_state": "final", "cost_driver": "inference", "charge_category": "Usage", "model": "m"}
    line |= {"cell_id": "x", "method_id": "list_cost", "billed_cost": "25"}
    cells = [Cell(0, MTOK, D(20)), Cell(0, MTOK, D(3), token_class="uncached_input_tokens")]
    assert found(cells, other_cells=[line]) == {("mixed_classes",): D(2)}


def test_retries_and_failures_are_told_and_are_no_difference() -> None:
    failures = [segment(CELL, failed_quantity=100_000, retried_quantity=50_000)]
    rows = explain(Company([Cell(cost=D(9))], failures=failures))
    told = {row["cause"]: row["included_cost"] for row in rows if row["included_cost"] is not None}
    assert told == {"failed_attempts": D("0.9"), "retries": D("0.45")}
    assert causes_of(rows) == {("price_version",): D(-1)}


def test_a_bill_without_any_quantity_is_split_by_what_the_provider_counts() -> None:
    count = segment(CELL, quantity=2 * MTOK, billing_account_id="org")
    cell = Cell(None, MTOK, cost=D(20))
    assert found([cell], counts=[count]) == {("unlogged",): D(10)}
    assert found([cell]) == {("unexplained",): D(10)}, "nothing says how much was billed"


def test_what_served_capacity_answered_needs_no_bill_by_the_token() -> None:
    assert explain(Company([Cell(0, MTOK)], served=[0])) == []


@pytest.mark.parametrize(
    ("changes", "failing"),
    [
        ({}, set()),
        ({"difference_cost": "0.000000000001"}, {"causes_add_up_to_the_difference"}),
        ({"billed_cost": "11", "difference_cost": "1"}, {"causes_keep_the_billed_total"}),
    ],
)
def test_a_difference_that_does_not_add_up_stops_the_night(
    changes: dict[str, str], failing: set[str]
) -> None:
    violations = check(Company([CELL]), changes)
    assert {name for name, count in violations.items() if count} == failing


def _findings(*cells: Cell, today: str = "2026-11-20", **more: Any) -> list[tuple[Any, ...]]:
    """What marts.data_completeness says of coverage: finding, days, share, and the message."""
    usage = {"core.reconciled_usage": explain(Company(list(cells), **more))}
    usage["reference.settings"] = [{"coverage_epsilon_ppm": 500, "coverage_band_ppm": 50_000}]
    days = run_model("core.coverage_findings", usage, WINDOW, TYPES)
    parameters = {"today": today, "reporting_currency": "USD", "as_of": f"{today} 00:00:00"}
    types = {
        "reference.calendar": {"calendar_date": "DATE"},
        "reference.classification_rules": {"priority": "BIGINT"},
    }
    rows = run_model("marts.data_completeness", {"core.coverage_findings": days}, parameters, types)
    names = ("finding", "finding_count", "expected_share", "message")
    return [tuple(row[name] for name in names) for row in rows if "band" in (row["finding"] or "")]


def test_coverage_below_its_band_is_a_finding_with_its_dollars_and_its_cause() -> None:
    cell = Cell(logged=900_000)
    worse = Cell(logged=800_000, day=1)
    keys = [key_row(worse, "gateway", counted=800_000), key_row(worse, "notebook", counted=200_000)]
    (found,) = _findings(cell, worse, keys=keys, logging_keys=["gateway"])
    assert found == (
        "coverage_below_band",
        2,
        D("0.8"),
        "The logs hold 80.0 % of the tokens of openai m that were billed on the worst of 2 days: 3.00 USD without an "
        "owner. Most of it was called under a key, principal or account that does not log; see bypass in "
        "marts.reconciliation.",
    )


def test_coverage_above_its_band_is_a_finding() -> None:
    (found,) = _findings(Cell(logged=1_100_000))
    assert found[:3] == ("coverage_above_band", 1, D("1.1"))
    assert found[3].startswith(
        "The logs hold 110.0 % of the tokens of openai m that were billed on 2026-11-10: 1.00 USD too much."
    )


@pytest.mark.parametrize(
    "cell",
    [
        Cell(logged=950_000),
        Cell(logged=1_050_000),
        Cell(billed=90_000, logged=1),
        Cell(logged=500_000, day=-9),
        Cell(0, MTOK),
    ],
    ids=["lower edge", "upper edge", "cents", "long ago", "not billed"],
)
def test_what_is_within_the_band_or_too_small_or_too_old_is_no_finding(cell: Cell) -> None:
    assert _findings(cell, today="2026-12-07") == []


def test_a_day_that_its_bill_does_not_cover_yet_is_no_finding() -> None:
    assert _findings(Cell(logged=2 * MTOK), open_days=[0]) == []
