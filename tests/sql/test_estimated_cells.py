"""core.estimated_cells: what stands for cost until its bill is complete, and when nothing does any more."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.sql.harness import run_model

DAY = "2026-11-20"
WINDOW = {"start": DAY, "end": "2026-11-21", "reporting_currency": "USD"}
CHEAP, DEAR = "usage-cheap", "usage-dear"
OPEN, SETTLED = "2026-11-20 23:59:59", "2026-11-21 00:00:00"
NAMES = {
    "measured": "core.measured_use",
    "billed": "core.billed_cells",
    "coverage": "core.bill_coverage",
    "rates": "core.bill_rates",
    "flat": "core.bill_run_rates",
    "capacity": "core.capacity_weights",
    "recent": "reference.recent_days",
    "fx": "staging.fx_rates",
}


def _use(pool: str, tokens: str, cost: str | None, currency: str = "USD", **more: Any) -> dict[str, Any]:
    """Logged output tokens of the model that the pool is named by, at list price."""
    return {
        "charge_date": DAY,
        "use_kind": "tokens",
        "pool_key": pool,
        "provider": "aws",
        "model": pool,
        "token_class": "output_tokens",
        "service_tier": "standard",
        "list_cost_currency": None if cost is None else currency,
        "logged_quantity": tokens,
        "measured_units": None if cost is None else f"{Decimal(cost) * 10**12:f}",
    } | more


def _volume(pool: str, units: str, kind: str = "volume") -> dict[str, Any]:
    return {"charge_date": DAY, "use_kind": kind, "pool_key": pool, "measured_units": units}


def _billed(pool: str | None, cost: str, **more: Any) -> dict[str, Any]:
    return {
        "charge_date": DAY,
        "cell_id": pool or "cell",
        "bill_of_record": "bill",
        "provider": "aws",
        "cost_driver": "inference",
        "charge_category": "Usage",
        "billing_currency": "USD",
        "pool_key": pool,
        "model": pool,
        "method_id": "tokens",
        "effective_cost": cost,
    } | more


def _coverage(watermark: str | None, bill: str = "bill", **more: Any) -> dict[str, Any]:
    return {
        "billing_period_start": "2026-11-01 00:00:00",
        "bill_of_record": bill,
        "provider": "aws",
        "watermark_at": watermark,
        "last_date": "2026-11-19",
    } | more


def _rate(level: str, key: str, rate: str, unlogged: str = "0", **more: Any) -> dict[str, Any]:
    return {
        "billing_period_start": "2026-11-01 00:00:00",
        "bill_of_record": "bill",
        "provider": "aws",
        "cost_driver": "inference",
        "billing_currency": "USD",
        "rate_level": level,
        "rate_key": key,
        "list_cost_currency": "USD",
        "method_id": "list_price",
        "logged_rate_ppb": rate,
        "unlogged_rate_ppb": unlogged,
    } | more


def _flat(cost: str, **more: Any) -> dict[str, Any]:
    return {
        "billing_period_start": "2026-11-01 00:00:00",
        "bill_of_record": "bill",
        "provider": "aws",
        "cost_driver": "storage",
        "billing_currency": "USD",
        "service_name": "Amazon S3",
        "residual_reason": "no_owner",
        "direct_owner_id": "nobody",
        "effective_cost": cost,
    } | more


def _run(**given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return run_model("core.estimated_cells", {NAMES[key]: value for key, value in given.items()}, WINDOW)


def _by_pool(**given: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["pool_key"] or row["cost_driver"]: row for row in _run(**given)}


def _costs(**given: list[dict[str, Any]]) -> dict[tuple[str | None, str], Decimal]:
    rows = _run(**given)
    found = {(row["bill_of_record"], row["pool_key"] or row["residual_reason"]): row for row in rows}
    assert len(found) == len(rows)
    return {key: row["effective_cost"] for key, row in found.items()}


def test_usage_that_no_bill_ever_covers_stands_at_list_price() -> None:
    cells = _by_pool(measured=[_use(CHEAP, "1000", "0.3"), _use(DEAR, "10", "0.7")])
    assert {key: row["effective_cost"] for key, row in cells.items()} == {
        CHEAP: Decimal("0.3"),
        DEAR: Decimal("0.7"),
    }
    assert {(row["billed_cost"], row["bill_of_record"]) for row in cells.values()} == {(None, None)}
    assert all(row["is_pool_first"] for row in cells.values())


def test_a_complete_day_leaves_nothing_to_estimate() -> None:
    measured = [_use(CHEAP, "1000", "0.3"), _volume("lake", "7")]
    rates = [_rate("pool", "lake", "9", list_cost_currency=None, cost_driver="egress", method_id="bytes")]
    given = {"measured": measured, "rates": rates, "flat": [_flat("3")], "recent": [{"charge_date": DAY}]}
    assert _run(**given, coverage=[_coverage(SETTLED)]) == []
    assert len(_run(**given, coverage=[_coverage(OPEN)])) == 2
    assert len(_run(**given, coverage=[_coverage(None)])) == 2


def test_each_bill_ends_its_own_estimates() -> None:
    """Two bills of one provider: each has its part of the list price, and its own watermark."""
    rates = [
        _rate("provider", "", "400000000"),
        _rate("provider", "", "500000000", bill_of_record="other"),
    ]
    given: dict[str, Any] = {"measured": [_use(CHEAP, "1000", "10")], "rates": rates}
    both = [_coverage(OPEN), _coverage(OPEN, "other")]
    assert _costs(**given, coverage=both) == {("bill", CHEAP): 4, ("other", CHEAP): 5}
    assert [row["logged_quantity"] for row in _run(**given, coverage=both)].count(1000) == 1
    one = [_coverage(SETTLED), _coverage(OPEN, "other")]
    assert _costs(**given, coverage=one) == {("other", CHEAP): 5}


def test_a_half_billed_day_is_filled_up_to_the_estimate_where_the_bill_lacks_it() -> None:
    cells = _by_pool(
        measured=[_use(CHEAP, "1000", "40"), _use(DEAR, "10", "60")],
        billed=[_billed(CHEAP, "25")],
        coverage=[_coverage(OPEN)],
    )
    assert cells[CHEAP]["effective_cost"] == Decimal(15)
    assert cells[DEAR]["effective_cost"] == Decimal(60)
    assert (cells[CHEAP]["list_cost"], cells[DEAR]["list_cost"]) == (15, 60)
    assert (cells[CHEAP]["is_pool_first"], cells[CHEAP]["logged_quantity"]) == (False, 0)
    assert (cells[DEAR]["is_pool_first"], cells[DEAR]["logged_quantity"]) == (True, 10)


def test_what_is_billed_of_something_else_takes_from_what_is_left() -> None:
    """A line of a model that no log names is part of the day's inference: 75 of 100 are left, not 100."""
    cells = _by_pool(
        measured=[_use(CHEAP, "1000", "40"), _use(DEAR, "10", "60")],
        billed=[_billed(None, "25", model="elsewhere")],
        coverage=[_coverage(OPEN)],
    )
    assert {key: row["effective_cost"] for key, row in cells.items()} == {CHEAP: 30, DEAR: 45}


def test_nothing_is_added_once_the_bill_exceeds_the_estimate() -> None:
    given = {"measured": [_use(CHEAP, "1000", "40")], "coverage": [_coverage(OPEN)]}
    assert _run(**given, billed=[_billed(CHEAP, "41")]) == []
    assert _costs(**given, billed=[_billed(CHEAP, "41", cost_driver="storage")]) == {("bill", CHEAP): 40}
    assert _costs(**given, billed=[_billed(CHEAP, "-1")]) == {("bill", CHEAP): 40}


def test_the_finest_rate_that_was_learned_counts_and_of_it_the_newest() -> None:
    tier = f"{CHEAP}\x1foutput_tokens\x1fstandard"
    known = [
        _rate("provider", "", "100000000"),
        _rate("model", CHEAP, "200000000"),
        _rate("class", f"{CHEAP}\x1foutput_tokens", "300000000"),
        _rate("tier", tier, "400000000", billing_period_start="2026-09-01 00:00:00"),
        _rate("tier", tier, "500000000", billing_period_start="2026-10-01 00:00:00"),
        _rate("mixed", CHEAP, "600000000"),
        _rate("mixed", CHEAP, "700000000", billing_period_start="2026-08-01 00:00:00"),
    ]
    wanted = [1, 2, 3, 4, 5, 6, 6]
    for count, cost in enumerate(wanted, start=1):
        given = {"measured": [_use(CHEAP, "1000", "10")], "rates": known[:count]}
        assert _costs(**given, coverage=[_coverage(OPEN)]) == {("bill", CHEAP): cost}
    unknown = [_use(DEAR, "1000", "10")]
    assert _costs(measured=unknown, rates=known, coverage=[_coverage(OPEN)]) == {("bill", DEAR): 1}


def test_what_logs_usually_miss_is_added_and_nobody_pays_for_it() -> None:
    rates = [_rate("provider", "", "900000000", "45000000")]
    given = {"measured": [_use(CHEAP, "1000", "10")], "rates": rates, "coverage": [_coverage(OPEN)]}
    assert _costs(**given) == {("bill", CHEAP): 9, ("bill", "unlogged_usage"): Decimal("0.45")}
    assert {row["evidence"] for row in _run(**given)} == {"priced", "assumed"}


def test_an_estimate_is_in_the_currency_of_its_bill() -> None:
    """The rate turns dollars of list price into euros of the bill; the reporting copy has the day's rate."""
    rates = [_rate("provider", "", "800000000", billing_currency="EUR")]
    given: dict[str, Any] = {"measured": [_use(CHEAP, "1000", "40")], "rates": rates}
    euro = {"from_currency": "EUR", "to_currency": "USD", "rate_date": "2026-11-01", "rate": "1.1"}
    older = {**euro, "rate_date": "2026-10-01", "rate": "9"}
    names = (
        "billing_currency",
        "list_cost_currency",
        "effective_cost",
        "effective_cost_reporting",
        "list_cost",
    )
    cell = _by_pool(**given, coverage=[_coverage(OPEN)], fx=[euro, older])[CHEAP]
    assert [cell[name] for name in names] == ["EUR", "USD", 32, Decimal("35.2"), None]
    cell = _by_pool(**given, coverage=[_coverage(OPEN)])[CHEAP]
    assert [cell[name] for name in names] == ["EUR", "USD", 32, None, None]


def test_usage_without_a_price_has_no_cost_but_is_there() -> None:
    cell = _by_pool(measured=[_use(CHEAP, "1000", None)])[CHEAP]
    assert (cell["effective_cost"], cell["residual_reason"], cell["logged_quantity"]) == (
        None,
        "unpriced",
        1000,
    )


def test_traffic_and_capacity_stand_at_what_a_unit_of_their_pool_costs() -> None:
    pool: dict[str, Any] = {"list_cost_currency": None}
    rates = [
        _rate("pool", "zone", "2000000000", cost_driver="egress", method_id="bytes", **pool),
        _rate("pool", "gpu", "3000000000", cost_driver="compute", method_id="capacity_seconds", **pool),
        _rate("capacity", "", "4000000000", cost_driver="compute", method_id="capacity_seconds", **pool),
    ]
    given: dict[str, Any] = {
        "measured": [
            _volume("zone", "1000000000000"),
            _volume("gpu", "1000000000000", "capacity"),
            _volume("new gpu", "1000000000000", "capacity"),
            _volume("new zone", "1000000000000"),
            _use(CHEAP, "9", "5", logged_provider="self", logged_model="llama"),
            _use(DEAR, "9", "5", logged_provider="self", logged_model="other"),
        ],
        "rates": rates,
        "coverage": [_coverage(OPEN)],
        "capacity": [
            {
                "charge_date": DAY,
                "pool_key": "new gpu",
                "owner_id": "ann",
                "logged_provider": "self",
                "logged_model": "llama",
            }
        ],
    }
    cells = _by_pool(**given)
    assert cells["gpu"]["direct_owner_id"] is not None, "idle time is somebody's, if nobody's"
    costs = {pool: row["effective_cost"] for pool, row in cells.items()}
    assert costs == {"zone": 2, "gpu": 3, "new gpu": 4, DEAR: 5}
    more = _rate("capacity", "", "1", bill_of_record="other", cost_driver="compute", **pool)
    two_bills = {**given, "rates": [*rates, more], "coverage": [_coverage(OPEN), _coverage(OPEN, "other")]}
    assert "new gpu" not in _by_pool(**two_bills)


def test_what_nothing_measures_goes_on_while_its_bill_lives() -> None:
    recent = [{"charge_date": DAY}]
    flat = [_flat("3"), _flat("9", billing_period_start="2026-10-01 00:00:00")]
    rows = _run(flat=flat, recent=recent, coverage=[_coverage(OPEN)])
    assert [(r["effective_cost"], r["method_id"], r["evidence"]) for r in rows] == [
        (3, "run_rate", "assumed")
    ]
    half = [_billed(None, "1", cost_driver="storage", service_name="Amazon S3", model=None)]
    rows = _run(flat=flat, recent=recent, coverage=[_coverage(OPEN)], billed=half)
    assert [r["effective_cost"] for r in rows] == [2]
    assert _run(flat=flat, coverage=[_coverage(OPEN)]) == []
    assert _run(flat=flat, recent=recent, coverage=[_coverage(OPEN, last_date="2026-11-05")]) == []
    assert len(_run(flat=flat, recent=recent, coverage=[_coverage(OPEN, last_date="2026-11-06")])) == 1
    assert _run(flat=flat, recent=recent) == []
