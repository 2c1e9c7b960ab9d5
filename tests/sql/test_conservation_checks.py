"""Each link between bill and mart is held by a check that sees one unit of 1e-12 go missing, in every measure.

What belongs here: the checks by themselves. What must not: that the models keep the sums (`tests/property`).
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.sql.harness import run_checks

UNIT = Decimal("1e-12")
DAY = "2026-11-01"
OWN = ("billed_cost", "effective_cost", "list_cost")
REPORTING = tuple(f"{measure}_reporting" for measure in OWN)
WINDOW = {
    "start": DAY,
    "end": "2026-11-02",
    "as_of": "2026-11-20T03:00:00",
    "today": "2026-11-20",
    "reporting_currency": "USD",
}
LINKS = {
    ("staging.charges", "core.charges"): ("charges_keep_the_delivered_total", OWN),
    ("core.charge_cells", "core.cells"): ("cells_keep_the_billed_total", (*OWN, *REPORTING)),
    ("core.attributed_costs", "marts.cost_daily"): ("mart_keeps_the_fact", (*OWN, *REPORTING)),
    ("marts.cost_daily", "marts.cost_daily_fully_loaded"): (
        "fully_loaded_keeps_the_mart",
        (*OWN, *REPORTING),
    ),
}
CASES = [(*pair, check, measure) for pair, (check, measures) in LINKS.items() for measure in measures]


def count_violations(source: str, target: str, check: str, *, measure: str, change: Decimal) -> int:
    """Rows of a step that breaks the check where one measure of its euro is off by `change`, its dollars are not."""
    own = OWN if target == "core.charges" else (*OWN, *REPORTING)
    key = {} if target == "core.charges" else {"charge_date": DAY}
    state = {} if target == "core.charges" else {"cost_state": "final"}
    kept = {"billing_currency": "EUR", **dict.fromkeys(own, Decimal(5)), **key}
    parts = [{**kept, measure: Decimal(5) + change, **state}, {**kept, "billing_currency": "USD", **state}]
    sources = [kept, {**kept, "billing_currency": "USD"}]
    return run_checks(target, {source: sources, target: parts}, WINDOW)[check]


@pytest.mark.parametrize(("source", "target", "check", "measure"), CASES)
def test_a_check_sees_a_unit_that_is_lost_or_invented(
    source: str, target: str, check: str, measure: str
) -> None:
    found = [
        count_violations(source, target, check, measure=measure, change=change)
        for change in (Decimal(0), UNIT, -UNIT)
    ]
    assert found == [0, 1, 1]
