"""A day of a bill that comes in pieces shows, per cost driver, the estimate until the bill is larger, and never less
because more of the same bill came."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sql.harness import run_model
from tests.sql.test_estimated_cells import _billed, _coverage, _flat, _rate, _use, _volume

FIRST_DAY = date(2026, 11, 10)
CENTS = st.integers(1, 10**7).map(lambda cents: Decimal(cents) / 100)
MODELS = ("first", "second", "third")
PARTS = [*(("inference", model) for model in (*MODELS, "unlogged")), ("storage", None), ("egress", None)]
PIECES = st.lists(st.tuples(st.sampled_from(PARTS), CENTS), min_size=2, max_size=8)
fixed = settings(max_examples=12, deadline=None, derandomize=True)

Shown = Mapping[str, Decimal]


def _show_days(
    logged: Sequence[Decimal], flat: Decimal, deliveries: Sequence[Sequence[tuple[Any, Decimal]]]
) -> list[Shown]:
    """What is billed so far plus what is estimated, by cost driver, for days that are alike but for what is billed of
    them."""
    days = [FIRST_DAY + timedelta(days=n) for n in range(len(deliveries))]
    pool: dict[str, Any] = {"list_cost_currency": None, "cost_driver": "egress", "method_id": "bytes"}
    billed = [
        _billed(
            None,
            str(cost),
            charge_date=str(day),
            cell_id=str(n),
            cost_driver=driver,
            model=model,
            service_name="S3",
        )
        for day, pieces in zip(days, deliveries, strict=True)
        for n, ((driver, model), cost) in enumerate(pieces)
    ]
    used = [
        *(_use(m, "10", str(cost)) for m, cost in zip(MODELS, logged, strict=True)),
        _volume("zone", "123456789"),
    ]
    rows = run_model(
        "core.estimated_cells",
        {
            "core.measured_use": [{**row, "charge_date": str(day)} for row in used for day in days],
            "core.billed_cells": billed,
            "core.bill_rates": [
                _rate("provider", "", "912345678", "31234567"),
                _rate("pool", "zone", "90000000000", **pool),
            ],
            "core.bill_run_rates": [_flat(str(flat))],
            "reference.recent_days": [{"charge_date": str(day)} for day in days],
            "core.bill_coverage": [_coverage("2026-11-10 00:00:00", last_date="2026-11-09")],
        },
        {"start": str(FIRST_DAY), "end": "2026-12-01", "reporting_currency": "USD"},
    )
    assert all(row["effective_cost"] >= 0 for row in rows)
    shown: dict[date, dict[str, Decimal]] = {day: defaultdict(Decimal) for day in days}
    for row in rows:
        shown[row["charge_date"]][row["cost_driver"]] += row["effective_cost"]
    for line in billed:
        shown[date.fromisoformat(line["charge_date"])][line["cost_driver"]] += Decimal(line["effective_cost"])
    return list(shown.values())


@fixed
@given(st.tuples(CENTS, CENTS, CENTS), CENTS, PIECES)
def test_a_day_never_shows_less_because_more_of_its_bill_came(
    logged: tuple[Decimal, ...], flat: Decimal, pieces: list[tuple[Any, Decimal]]
) -> None:
    deliveries = [pieces[:count] for count in range(len(pieces) + 1)]
    estimate, *grown = _show_days(logged, flat, deliveries)
    assert set(estimate) == {"inference", "egress", "storage"}
    for delivered, shown in zip(deliveries[1:], grown, strict=True):
        billed: dict[str, Decimal] = defaultdict(Decimal)
        for (driver, _), cost in delivered:
            billed[driver] += cost
        assert shown == {driver: max(cost, billed[driver]) for driver, cost in estimate.items()}
