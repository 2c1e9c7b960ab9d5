"""core.bill_rates and core.bill_run_rates: what a bill's settled days teach, and what they do not."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.sql.harness import run_model

NOVEMBER = {"start": "2026-11-01", "end": "2026-12-01", "reporting_currency": "USD"}
COVERAGE = {
    "billing_period_start": "2026-11-01 00:00:00",
    "bill_of_record": "bill",
    "provider": "aws",
    "watermark_at": "2026-11-09 07:00:00",
}


def _use(day: int, cost: str, **more: Any) -> dict[str, Any]:
    """Logged input tokens of a model at list price."""
    return {
        "charge_date": f"2026-11-{day:02}",
        "use_kind": "tokens",
        "pool_key": "pool",
        "provider": "aws",
        "model": "sonnet",
        "token_class": "input",
        "service_tier": "standard",
        "list_cost_currency": "USD",
        "measured_units": f"{Decimal(cost) * 10**12:f}",
    } | more


def _cell(day: int, cost: str, **more: Any) -> dict[str, Any]:
    """A billed cell of the same tokens."""
    return {
        "charge_date": f"2026-11-{day:02}",
        "cell_id": f"{day} {cost} {sorted(more.items())}",
        "bill_of_record": "bill",
        "provider": "aws",
        "billing_currency": "USD",
        "charge_category": "Usage",
        "cost_driver": "inference",
        "model": "sonnet",
        "token_class": "input",
        "service_tier": "standard",
        "method_id": "tokens",
        "pool_key": "pool",
        "missing_quantity": "0",
        "effective_cost": cost,
    } | more


def _rates(
    cells: list[dict[str, Any]], measured: list[dict[str, Any]]
) -> dict[tuple[str, str], tuple[int, int]]:
    given = {"core.bill_coverage": [COVERAGE], "core.billed_cells": cells, "core.measured_use": measured}
    rows = run_model("core.bill_rates", given, NOVEMBER)
    found = {
        (row["rate_level"], row["rate_key"].replace("\x1f", " ")): (
            row["logged_rate_ppb"],
            row["unlogged_rate_ppb"],
        )
        for row in rows
    }
    assert len(found) == len(rows)
    return found


def _everywhere(*rate: int) -> dict[tuple[str, str], tuple[int, ...]]:
    keys = [
        ("tier", "sonnet input standard"),
        ("class", "sonnet input"),
        ("model", "sonnet"),
        ("provider", ""),
    ]
    return dict.fromkeys(keys, rate)


def test_only_settled_days_with_something_logged_teach_and_credits_do_not() -> None:
    cells = [
        _cell(1, "8"),
        _cell(8, "4"),
        _cell(9, "999"),  # the watermark is at seven in the morning of this day
        _cell(2, "50"),  # the log of this day is lost
        _cell(1, "-7", charge_category="Credit"),
        _cell(1, "100", bill_of_record="other"),
    ]
    measured = [_use(1, "10"), _use(8, "5"), _use(9, "10")]
    assert _rates(cells, measured) == _everywhere(800_000_000, 0)


def test_what_the_logs_miss_is_learned_apart() -> None:
    """A quarter of the tokens is unlogged: of twelve dollars nine are of logged calls, at ten of list price."""
    cells = [_cell(1, "12", missing_quantity="25", coverage_share="0.75")]
    assert _rates(cells, [_use(1, "10")]) == _everywhere(900_000_000, 300_000_000)
    assert _rates([_cell(1, "12", pool_key=None, method_id="residual")], [_use(1, "10")]) == _everywhere(
        0, 1_200_000_000
    )


def test_tiers_that_the_logs_name_otherwise_are_learned_together() -> None:
    cells = [_cell(1, "4"), _cell(1, "2", service_tier="batch")]
    rates = _rates(cells, [_use(1, "10")])
    assert rates == {key: (600_000_000, 0) for key in _everywhere() if key[0] != "tier"}
    both = _rates(cells, [_use(1, "5"), _use(1, "5", service_tier="batch")])
    assert both["tier", "sonnet input standard"] == (800_000_000, 0)
    assert both["tier", "sonnet input batch"] == (400_000_000, 0)


def test_a_model_billed_without_token_classes_is_learned_whole() -> None:
    cells = [_cell(1, "3"), _cell(1, "3", token_class=None, method_id="list_cost")]
    assert _rates(cells, [_use(1, "4"), _use(1, "8", token_class="output")]) == {
        ("mixed", "sonnet"): (500_000_000, 0),
        ("model", "sonnet"): (500_000_000, 0),
        ("provider", ""): (500_000_000, 0),
    }


@pytest.mark.parametrize(
    ("cost", "rate"), [("100", 10_000_000_000), ("100.000001", None), ("-1", None), ("0", 0)]
)
def test_rates_out_of_all_reason_are_not_learned(cost: str, rate: int | None) -> None:
    found = _rates([_cell(1, cost)], [_use(1, "10")])
    assert found == ({} if rate is None else _everywhere(rate, 0))


def test_what_is_logged_and_never_billed_costs_nothing_and_what_capacity_served_teaches_nothing() -> None:
    measured = [
        _use(1, "10"),
        _use(1, "30", model="free"),
        _use(1, "5", logged_provider="x", logged_model="x"),
    ]
    rates = _rates([_cell(1, "8")], measured)
    assert rates["model", "sonnet"] == (800_000_000, 0)
    assert rates["model", "free"] == (0, 0)
    assert rates["provider", ""] == (200_000_000, 0)


def test_traffic_and_capacity_teach_a_rate_a_unit() -> None:
    pool = {"model": None, "token_class": None, "service_tier": None}
    cells = [
        _cell(1, "2", cost_driver="egress", method_id="bytes", pool_key="zone", **pool),
        _cell(2, "4", cost_driver="egress", method_id="bytes", pool_key="zone", **pool),
        _cell(1, "6", cost_driver="compute", method_id="capacity_seconds", pool_key="gpu 1", **pool),
        _cell(1, "2", cost_driver="compute", method_id="capacity_seconds", pool_key="gpu 2", **pool),
        _cell(1, "7", cost_driver="egress", method_id="bytes", pool_key="unmeasured", **pool),
    ]
    unit = {"list_cost_currency": None, "provider": None, **pool}
    measured = [
        _use(1, "1", use_kind="volume", pool_key="zone", **unit),
        _use(2, "2", use_kind="volume", pool_key="zone", **unit),
        _use(1, "2", use_kind="capacity", pool_key="gpu 1", **unit),
        _use(1, "2", use_kind="capacity", pool_key="gpu 2", **unit),
    ]
    assert _rates(cells, measured) == {
        ("pool", "zone"): (2_000_000_000, 0),
        ("pool", "gpu 1"): (3_000_000_000, 0),
        ("pool", "gpu 2"): (1_000_000_000, 0),
        ("capacity", ""): (2_000_000_000, 0),
    }


def _flat(
    cells: list[dict[str, Any]], **given: list[dict[str, Any]]
) -> dict[tuple[str, str | None], Decimal]:
    given = {"core.bill_coverage": [COVERAGE], "core.billed_cells": cells, **given}
    rows = run_model("core.bill_run_rates", given, NOVEMBER)
    return {(row["cost_driver"], row["direct_owner_id"]): row["effective_cost"] for row in rows}


def _storage(day: int, cost: str, owner: str = "ann", **more: Any) -> dict[str, Any]:
    plain = {
        "cost_driver": "storage",
        "model": None,
        "token_class": None,
        "pool_key": None,
        "method_id": "bill_tag",
    }
    return _cell(day, cost, direct_owner_id=owner, **{**plain, **more})


def test_the_median_of_the_last_seven_settled_days_is_shared_as_they_were() -> None:
    """Days 2 to 8 cost 4, 4, 4, 4, 5, 100 and 4; of their 125 dollars bob has 25."""
    days = {1: "9999", 2: "4", 3: "4", 4: "4", 5: "4", 6: "5", 7: "75", 8: "4", 9: "8888"}
    cells = [*(_storage(day, cost) for day, cost in days.items()), _storage(7, "25", "bob")]
    assert _flat(cells) == {("storage", "ann"): Decimal("3.2"), ("storage", "bob"): Decimal("0.8")}


def test_days_without_such_a_cost_count_so_that_a_rare_cost_is_not_expected_daily() -> None:
    cells = [*(_cell(day, "1", direct_owner_id="x") for day in range(2, 9)), _storage(5, "70")]
    assert _flat(cells) == {("inference", "x"): 1}


def test_a_month_begins_with_the_days_of_the_one_before() -> None:
    coverage = {**COVERAGE, "watermark_at": "2026-11-02 00:00:00"}
    before = [_storage(1, cost, charge_date=day) for day, cost in (("2026-10-30", "2"), ("2026-10-31", "2"))]
    cells = [*before, _storage(1, "5"), _storage(1, "99", charge_date="2026-10-25")]
    assert _flat(cells, **{"core.bill_coverage": [coverage]}) == {("storage", "ann"): 2}


def test_what_a_rate_answers_for_is_not_expected_besides() -> None:
    base = {"bill_of_record": "bill", "provider": "aws", "cost_driver": "inference"}
    rates = [
        {**base, "billing_period_start": "2026-10-01 00:00:00", "rate_level": "class"}
        | {"model": "sonnet", "token_class": "input", "rate_key": "sonnet"},
        {**base, "billing_period_start": "2026-11-01 00:00:00", "rate_level": "pool", "rate_key": "zone"}
        | {"cost_driver": "egress"},
        {**base, "billing_period_start": "2026-11-01 00:00:00", "rate_level": "mixed", "rate_key": "opus"}
        | {"model": "opus"},
    ]
    cells = [
        _cell(8, "1", direct_owner_id="class"),
        _cell(8, "2", direct_owner_id="other class", token_class="output"),
        _cell(8, "3", direct_owner_id="mixed", model="opus"),
        _storage(8, "4", "pool", cost_driver="egress", method_id="bytes", pool_key="zone"),
        _storage(8, "5", "other pool", cost_driver="egress", method_id="bytes", pool_key="elsewhere"),
    ]
    assert _flat(cells, **{"core.bill_rates": rates}) == {
        ("inference", "other class"): 2,
        ("egress", "other pool"): 5,
    }
    assert len(_flat(cells)) == 5
