"""marts.reconciliation, budget_status, data_completeness: what people read of a bill, a budget, a source."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.sql.harness import assert_rows, run_model
from tests.sql.small_bill import call, price, run, tokens

MILLION = 1_000_000
BUDGET = {
    "budget_id": "b",
    "period_start": "2026-11-01",
    "period_end": "2026-12-01",
    "amount": "100",
    "currency": "USD",
    "measure": "effective_cost",
}
REFERENCE_TYPES = {
    "reference.calendar": {"calendar_date": "DATE"},
    "reference.classification_rules": {"priority": "BIGINT"},
    "reference.settings": {"coverage_epsilon_ppm": "BIGINT"},
}
COST = {
    "charge_date": "2026-11-03",
    "charge_category": "Usage",
    "cost_driver": "inference",
    "feature": "search",
    "billed_cost": "8",
    "effective_cost": "10",
    "list_cost": "12",
    "billing_currency": "USD",
    "billed_cost_reporting": "8",
    "effective_cost_reporting": "10",
    "list_cost_reporting": "12",
    "reporting_currency": "USD",
}


def test_a_difference_between_bill_and_logs_is_explained_cause_by_cause() -> None:
    """3 million tokens billed, 2 logged: a third of 5.40 is unlogged, the rest is 0.40 below the 4 of list price."""
    found = run(
        "core.reconciled_usage",
        "cause, billed_quantity, logged_quantity, priced_cost, difference_cost, difference_quantity",
        charges=[tokens("a", "5.4", 3 * MILLION, list_cost=Decimal(6))],
        requests=[call("ann", 2 * MILLION)],
        prices=[price(per_mtok="2")],
    )
    by_cause = {row[0]: row[1:] for row in found}
    quantities = ("3000000", "2000000", "4")
    assert by_cause["unlogged"] == (*quantities, "1.8", "1000000")
    assert by_cause["discount"] == (*quantities, "-0.4", None)
    assert by_cause["unexplained"] == (*quantities, "0", None)


def test_billing_accounts_share_what_the_logs_hold_and_nothing_twice() -> None:
    """One has a quarter of the billed tokens: it gets a quarter of the 4 million logged and of their 8 dollars."""
    found = run(
        "core.reconciled_usage",
        "billing_account_id, billed_quantity, logged_quantity, priced_cost, cause, difference_cost",
        charges=[
            tokens("a", "2", MILLION, billing_account_id="one"),
            tokens("b", "6.5", 3 * MILLION, billing_account_id="two"),
        ],
        requests=[call("ann", 3 * MILLION), call("bob", MILLION)],
        prices=[price(per_mtok="2")],
    )
    assert found == [
        ("one", "1000000", "1000000", "2", "unexplained", "0"),
        ("two", "3000000", "3000000", "6", "price_version", "0.5"),
        ("two", "3000000", "3000000", "6", "unexplained", "0"),
    ]


def test_logged_usage_that_a_complete_bill_lacks_lowers_the_bill_by_its_list_price() -> None:
    found = run(
        "core.reconciled_usage",
        "cause, logged_quantity, difference_quantity, priced_cost, difference_cost, billed_cost",
        charges=[tokens("a", "1", 10, charge_period_start=datetime(2026, 11, 2))],
        requests=[call("ann", MILLION)],
        prices=[price(per_mtok="2")],
        where="day(charge_date) = 1",
    )
    assert found == [("logged_without_bill", "1000000", "-1000000", "2", "-2", None)]


@pytest.mark.parametrize(
    ("today", "spent", "landing", "status"),
    [
        ("2026-10-31", None, None, "not_started"),
        ("2026-11-10", "101", ("50", "60", "70"), "over"),
        ("2026-11-10", "10", ("90", "101", "120"), "at_risk"),
        ("2026-11-10", "10", ("80", "99", "101"), "watch"),
        ("2026-11-10", "10", ("80", "90", "100"), "on_track"),
        ("2026-11-10", "10", None, "no_forecast"),
        ("2026-12-01", "100", None, "within"),
        ("2026-12-01", "100.000000000001", None, "over"),
    ],
)
def test_one_word_says_how_a_budget_stands(
    today: str, spent: str | None, landing: tuple[str, str, str] | None, status: str
) -> None:
    costs = [] if spent is None else [COST | {"effective_cost_reporting": spent}]
    rows = _budget(today, costs, landing)
    assert_rows("marts.budget_status", rows, [{"budget_id": "b", "status": status, "actual": spent or "0"}])


def test_a_budget_counts_its_own_scope_measure_and_days() -> None:
    """10 of search in its period; not chat, not October, not today, not tax, not another driver."""
    costs = [
        COST,
        COST | {"feature": "chat"},
        COST | {"charge_date": "2026-10-31"},
        COST | {"charge_date": "2026-11-10"},
        COST | {"charge_category": "Tax"},
        COST | {"cost_driver": "egress"},
    ]
    rows = _budget("2026-11-10", costs, None, feature="search", cost_driver="inference")
    expected = {"actual": "10", "variance": "90", "elapsed_share": "0.3", "top_driver": "inference"}
    assert_rows("marts.budget_status", rows, [expected])


def test_a_billed_budget_counts_the_bill_with_its_tax() -> None:
    costs = [COST, COST | {"charge_category": "Tax", "cost_driver": "other"}]
    rows = _budget("2026-11-10", costs, None, measure="billed_cost")
    assert_rows("marts.budget_status", rows, [{"actual": "16"}])


def test_a_budget_in_a_bills_own_currency_takes_that_bill_unconverted() -> None:
    """The euro line counts as it is billed; with a dollar line beside it the sum is unknown, not a part of it."""
    euro = COST | {"billing_currency": "EUR", "effective_cost": "7", "effective_cost_reporting": "8.4"}
    rows = _budget("2026-11-10", [euro], None, currency="EUR")
    assert_rows("marts.budget_status", rows, [{"actual": "7", "currency": "EUR"}])
    rows = _budget("2026-11-10", [euro, COST], None, currency="EUR")
    assert_rows("marts.budget_status", rows, [{"actual": None, "status": "unknown_currency"}])


def test_the_newest_forecast_of_a_budget_counts() -> None:
    older = _landing(("1", "2", "3")) | {"forecast_made_at": "2026-11-08 00:00:00"}
    rows = run_model(
        "marts.budget_status",
        {"core.budgets": [BUDGET], "core.ledger_budget_forecasts": [older, _landing(("80", "90", "95"))]},
        {"today": "2026-11-10"},
    )
    expected = {"forecast_p10": "80", "forecast_p50": "90", "forecast_p90": "95", "variance": "10"}
    assert_rows("marts.budget_status", rows, [expected])


def test_a_day_is_judged_by_the_same_weekday_before() -> None:
    days = {"2026-11-02": 100, "2026-11-09": 100, "2026-11-16": 40, "2026-11-18": 7}
    rows = _completeness([{"date": day, "rows": count} for day, count in days.items()])
    judged = {
        row["date"].isoformat(): (row["rows"], row["state"]) for row in rows if row["row_kind"] == "day"
    }
    assert judged["2026-11-09"] == (100, "ok")
    assert judged["2026-11-16"] == (40, "low")
    assert judged["2026-11-17"] == (0, "missing")
    assert judged["2026-11-18"] == (7, "ok")
    assert date(2026, 11, 19) not in {row["date"] for row in rows}


def test_a_million_times_more_rows_than_before_is_no_error() -> None:
    rows = _completeness([{"date": "2026-11-02", "rows": 1}, {"date": "2026-11-09", "rows": 5 * MILLION}])
    assert {str(row["expected_share"]) for row in rows if row["rows"] == 5 * MILLION} == {
        "999999.999999999999"
    }


def _completeness(days: list[dict[str, Any]]) -> list[dict[str, Any]]:
    source = {"source": "calls", "dataset": "requests"}
    calendar = [{"calendar_date": f"2026-11-{day:02}"} for day in range(1, 31)]
    given = {"core.source_days": [source | day for day in days], "reference.calendar": calendar}
    parameters = {"today": "2026-11-20", "reporting_currency": "USD", "as_of": "2026-11-20 00:00:00"}
    return run_model("marts.data_completeness", given, parameters, REFERENCE_TYPES)


def _budget(
    today: str, costs: list[dict[str, Any]], landing: tuple[str, str, str] | None, **changes: str
) -> list[dict[str, Any]]:
    given = {
        "core.budgets": [BUDGET | changes],
        "marts.cost_daily": costs,
        "core.ledger_budget_forecasts": [] if landing is None else [_landing(landing)],
    }
    return run_model("marts.budget_status", given, {"today": today})


def _landing(quantiles: tuple[str, str, str]) -> dict[str, Any]:
    names = ("forecast_p10", "forecast_p50", "forecast_p90")
    return {
        "budget_id": "b",
        "period_start": "2026-11-01",
        "currency": "USD",
        "forecast_made_at": "2026-11-09 00:00:00",
        **dict(zip(names, quantiles, strict=True)),
    }


def test_a_rule_of_the_config_that_decides_nothing_is_a_finding() -> None:
    """Not one that is shipped, and none as long as there is no bill at all."""
    rules = [{"priority": 1, "rule_id": "used"}, {"priority": 2, "rule_id": "idle"}]
    rules.append({"priority": 1000, "rule_id": "shipped"})
    charge = {
        "provider": "acme",
        "billing_period_start": "2026-11-01",
        "cost_driver": "compute",
        "rule_id": "used",
    }
    parameters = {"today": "2026-11-20", "reporting_currency": "USD"}
    for charges, expected in ([charge], ["warn"]), ([], []):
        given = {"core.charges": charges, "reference.classification_rules": rules}
        rows = run_model("marts.data_completeness", given, parameters, REFERENCE_TYPES)
        found = [row for row in rows if row["finding"] == "idle_rule"]
        assert [row["severity"] for row in found] == expected
        assert all("The rule idle of the config decides no charge" in row["message"] for row in found)


@pytest.mark.parametrize(
    ("known", "severity", "share"), [("94", "warn", "6.0"), ("-94", "warn", "6.0"), ("994", "info", "0.6")]
)
def test_cost_that_no_rule_knows_is_a_finding_with_its_largest_meters(
    known: str, severity: str, share: str
) -> None:
    """Per provider and month; a credit counts by its size, so that it hides nothing."""
    costs = {"small": "0.5", "large": "-3", "middle": "1.5", "tiny": "0.25", "least": "0.75"}
    month = {"provider": "acme", "billing_period_start": "2026-11-01", "billing_currency": "USD"}
    charges = [
        {**month, "cost_driver": "other", "sku_meter": meter, "billed_cost": cost}
        for meter, cost in costs.items()
    ]
    charges.append({**month, "cost_driver": "compute", "sku_meter": "known", "billed_cost": known})
    charges.append({**month, "provider": "zenith", "cost_driver": "compute", "billed_cost": "7"})
    parameters = {"today": "2026-11-20", "reporting_currency": "USD"}
    rows = run_model("marts.data_completeness", {"core.charges": charges}, parameters, REFERENCE_TYPES)
    (found,) = [row for row in rows if row["finding"] == "unclassified_charges"]
    assert (found["severity"], found["finding_count"], found["date"]) == (severity, 5, date(2026, 11, 1))
    assert found["message"].startswith(
        'Charges of acme that no rule knows, by cost: "large", "middle", "least". '
        f"They stand under the driver other: 6.00 USD, {share} % of the month;"
    )


def test_the_newest_day_of_a_bill_has_cost_and_is_known_whole() -> None:
    bill = {
        "bill_of_record": "aws",
        "provider": "AWS",
        "x_snapshot_id": "s",
        "billing_account_id": "a",
        "billing_period_start": "2026-11-01",
        "billed_cost": "0",
        "effective_cost": "0",
    }
    charges = [
        {**bill, "charge_period_start": "2026-11-03", "billed_cost": "1"},
        {**bill, "charge_period_start": "2026-11-04 13:00", "effective_cost": "-1"},
        {**bill, "charge_period_start": "2026-11-05"},
        {**bill, "charge_period_start": "2026-11-07", "billed_cost": "1"},
    ]
    delivery = {
        "source": "aws",
        "billing_account_id": "a",
        "billing_period_start": "2026-11-01",
        "snapshot_id": "s",
        "watermark_at": "2026-11-06 12:00",
    }
    given = {"core.charges": charges, "staging.bill_deliveries": [delivery]}
    parameters = {"start": datetime(2026, 11, 1), "end": datetime(2026, 12, 1)}
    rows = run_model("core.bill_coverage", given, parameters)
    assert [row["last_date"] for row in rows] == [date(2026, 11, 4)]


def test_sources_show_the_newest_day_of_their_bill() -> None:
    states = [
        {"source": "aws", "dataset": "aws_cur_lines"},
        {"source": "aws", "dataset": "accounts"},
        {"source": "logs", "dataset": "requests", "last_date": "2026-11-08"},
    ]
    coverage = [
        {"bill_of_record": "aws", "last_date": "2026-10-31"},
        {"bill_of_record": "aws", "last_date": "2026-11-04"},
    ]
    rows = run_model("core.source_status", {"staging.source_status": states, "core.bill_coverage": coverage})
    assert {(row["source"], row["dataset"]): row["last_date"] for row in rows} == {
        ("aws", "aws_cur_lines"): date(2026, 11, 4),
        ("aws", "accounts"): None,
        ("logs", "requests"): date(2026, 11, 8),
    }
