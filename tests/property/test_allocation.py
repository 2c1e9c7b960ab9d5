"""Money is conserved, whatever the bill and the logs say: checked by summing in Decimal, outside of SQL.

Each example runs the project's own models, from bill lines and requests to the cost mart and the traces.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal, localcontext
from random import Random
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.property.companies import (
    RATE,
    SHARING,
    WINDOW,
    Company,
    build_inputs,
    companies,
    negate,
    scale_costs,
    scale_weights,
    shuffle,
)
from tests.sql.chain import Chain, Inputs

MEASURES = (
    "billed_cost",
    "effective_cost",
    "list_cost",
    "billed_cost_reporting",
    "effective_cost_reporting",
    "list_cost_reporting",
)
UNIT = Decimal("1e-12")
FACT_KEY = ("charge_date", "cell_id", "row_id")

fixed = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
few = settings(fixed, max_examples=10)

Row = Mapping[str, Any]
Sums = dict[tuple[Any, ...], dict[str, Decimal | None]]


def test_every_line_reaches_the_mart_to_the_last_digit_and_keeps_its_sign() -> None:
    """Line = its days = its cells = its fact rows = mart and traces, over companies in which every case occurs."""
    seen: set[str] = set()

    @fixed
    @given(companies)
    @example(SHARING)
    def check(company: Company) -> None:
        seen.update(_check_conservation(company))

    check()
    wanted = {
        *("tokens", "list_cost", "list_price", "bytes", "telemetry_bytes", "bill_tag", "workload_resource"),
        *("unlogged_usage", "unknown_workload", "no_owner", "tax", "credit", "unused_commitment", "unpriced"),
        *("billed", "allocated", "assumed", "priced", "estimated", "provisional"),
        *("followed_charges", "taxed_cost", "proportional", "even", "fixed"),
    }
    assert wanted <= seen, f"the examples are too poor to prove anything about {sorted(wanted - seen)}"


def _check_conservation(company: Company) -> set[str]:
    """Assert that nothing is lost or invented; return the methods, reasons, evidences and states that occurred."""
    inputs = build_inputs(company)
    with Chain(inputs, WINDOW) as chain:
        charges = chain.rows("select * from core.charges")
        charge_cells = chain.rows("select * from core.charge_cells")
        cells = chain.rows("select * from core.cells")
        facts = chain.rows("select * from core.attributed_costs")
        mart = chain.rows("select * from marts.cost_daily")
        traces = chain.rows("select * from core.trace_costs")
        charge_owners = chain.rows("select * from core.charge_owners")
        failed = chain.failed_checks()
    assert len(charges) == len(company.lines)
    _assert_delivered(inputs.lake["charges"], charges)
    assert _sum(charge_cells, "charge_id") == _sum(charges, "charge_id")
    billed_cells = [cell for cell in cells if cell["cost_state"] != "estimated"]
    assert _sum(billed_cells, "charge_date", "cell_id") == _sum(charge_cells, "charge_date", "cell_id")
    assert _sum(facts, "charge_date", "cell_id") == _sum(cells, "charge_date", "cell_id")
    keys = ("charge_date", "billing_currency", "cost_state")
    assert _sum(mart, *keys) == _sum(facts, *keys)
    whole = ("charge_date",)
    assert _sum(traces, *whole, measures=["effective_cost_reporting"]) == _sum(
        facts, *whole, measures=["effective_cost_reporting"]
    )
    by_day = ("charge_id", "charge_date")
    both = ["billed_cost", "effective_cost"]
    assert _sum(charge_owners, *by_day, measures=both) == _sum(charge_cells, *by_day, measures=both)
    assert not failed
    _assert_signs(charge_cells, charges, "charge_id")
    _assert_signs(facts, cells, "cell_id")
    names = ("method_id", "residual_reason", "evidence", "cost_state")
    return {str(row[name]) for row in facts for name in names}


@few
@given(companies)
def test_a_credit_mirrors_the_charge(company: Company) -> None:
    """What follows other cost follows nothing where that is below zero, so it mirrors in its own test."""
    inputs = build_inputs(company)
    charged = _facts(inputs)
    credited = _facts(negate(inputs))
    assert charged.keys() == credited.keys()
    for key, row in charged.items():
        if row["cost_state"] != "estimated":
            for measure in MEASURES:
                assert credited[key][measure] == (None if row[measure] is None else -row[measure]), (
                    measure,
                    row,
                )


@few
@given(companies)
def test_tax_mirrors_where_only_tax_is_turned_around(company: Company) -> None:
    inputs = build_inputs(company)
    lines = inputs.lake["charges"]
    turned = negate(inputs).lake["charges"]
    mixed = [b if b["charge_category"] == "Tax" else a for a, b in zip(lines, turned, strict=True)]
    charged = _facts(inputs, "'invoice'")
    credited = _facts(replace(inputs, lake={**inputs.lake, "charges": mixed}), "'invoice'")
    assert charged.keys() == credited.keys()
    for key, row in charged.items():
        for measure in MEASURES:
            assert credited[key][measure] == (None if row[measure] is None else -row[measure])


@few
@given(companies, st.integers(0, 2**32))
def test_the_order_of_the_input_changes_nothing(company: Company, seed: int) -> None:
    inputs = build_inputs(company)
    names = ("core.charges", "core.cells", "core.attributed_costs", "core.trace_costs", "marts.cost_daily")
    with Chain(inputs, WINDOW) as chain:
        first = [chain.table(name) for name in names]
    with Chain(shuffle(inputs, Random(seed)), WINDOW) as chain:  # noqa: S311 (no secret)
        assert [chain.table(name) for name in names] == first


@few
@given(companies, st.sampled_from([2, 7]))
def test_scaling_all_weights_changes_no_share(company: Company, factor: int) -> None:
    inputs = build_inputs(company)
    before, after = _facts(inputs), _facts(scale_weights(inputs, factor))
    billed = {key for key, row in before.items() if row["cost_state"] != "estimated"}
    assert billed == {key for key, row in after.items() if row["cost_state"] != "estimated"}
    for key in billed:
        if before[key]["method_id"] == "bytes" or before[key]["method_id"] == "telemetry_bytes":
            continue  # pools above 1e15 are scaled down, so their shares differ in the last digits
        for measure in MEASURES:
            assert before[key][measure] == after[key][measure], (measure, before[key], after[key])


@few
@given(companies, st.sampled_from([3, 10]))
def test_scaling_the_bill_scales_every_share_within_a_unit(company: Company, factor: int) -> None:
    inputs = build_inputs(company)
    before, after = _facts(inputs), _facts(scale_costs(inputs, factor))
    assert before.keys() == after.keys()
    for key, row in before.items():
        for measure in MEASURES[:3]:
            if row["cost_state"] != "estimated" and row[measure] is not None:
                difference = after[key][measure] - row[measure] * factor
                # the day's share and the owner's share are each off by less than a unit, times the factor
                assert abs(difference) <= UNIT * 4 * factor * len(company.lines), (measure, row, after[key])


def _facts(inputs: Inputs, follows: str = "null") -> dict[tuple[Any, ...], Row]:
    """The fact by its key: what follows nothing else, unless told what it follows."""
    with Chain(inputs, WINDOW, ("core.attributed_costs",)) as chain:
        rows = chain.rows(
            "select a.* from core.attributed_costs as a join core.cells as c using (charge_date, cell_id) "
            f"where c.follows is not distinct from {follows}"
        )
    return {tuple(row[name] for name in FACT_KEY): row for row in rows}


def _assert_signs(parts: Iterable[Row], wholes: Iterable[Row], key: str) -> None:
    """A part of a cost has its sign and is not larger: nobody pays for another one's credit. `key` is unique."""
    by_key = {row[key]: row for row in wholes}
    for part in parts:
        whole = by_key[part[key]]
        for measure in MEASURES:
            if whole[measure] is None:
                assert part[measure] is None
            else:
                assert part[measure] * whole[measure] >= 0, (measure, part, whole)
                assert abs(part[measure]) <= abs(whole[measure])


def _assert_delivered(delivered: Sequence[Row], charges: Sequence[Row]) -> None:
    """Lines keep their costs; copies in the reporting currency are converted once, half up; no rate is no copy."""
    by_id = {row["charge_id"]: row for row in charges}
    for line in delivered:
        charge = by_id[line["charge_id"]]
        for measure in MEASURES[:3]:
            assert charge[measure] == line[measure]
            assert charge[f"{measure}_reporting"] == _convert(line[measure], line["billing_currency"])


def _convert(cost: Decimal | None, currency: str) -> Decimal | None:
    if cost is None or currency == "JPY":
        return None
    rate = {"USD": Decimal(1), "EUR": RATE}[currency]
    with localcontext(prec=60):
        return (cost * rate).quantize(UNIT, ROUND_HALF_UP)


def _sum(rows: Iterable[Row], *keys: str, measures: Sequence[str] = MEASURES) -> Sums:
    """Exact sums by key; None where every value is None, as in SQL."""
    sums: Sums = defaultdict(lambda: dict.fromkeys(measures))
    with localcontext(prec=60):
        for row in rows:
            total = sums[tuple(row[key] for key in keys)]
            for measure in measures:
                value = row[measure]
                if value is not None:
                    total[measure] = value + (total[measure] or 0)
    return dict(sums)
