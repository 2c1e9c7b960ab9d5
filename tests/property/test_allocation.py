"""Money is conserved, whatever the bill and the logs say: checked by summing in Decimal, outside of SQL.

Each example runs the project's own models, from bill lines and requests to the cost mart and the traces. Running a
model costs the same on ten rows and on a hundred, so examples are few, and many of them large.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal, localcontext
from random import Random
from typing import Any

from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from tests.property.companies import (
    FIRST_DAY,
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
    max_examples=10, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
few = settings(fixed, max_examples=3)

Row = Mapping[str, Any]
Sums = dict[tuple[Any, ...], dict[str, Decimal | None]]
Tables = Mapping[str, list[dict[str, Any]]]
COMPARED = ("core.charges", "core.cells", "core.attributed_costs", "core.trace_costs", "marts.cost_daily")


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
        *("followed_charges", "taxed_cost", "proportional", "even", "fixed", "tool_uses"),
        *("pool by account", "pool by region", "pool by batch", "rule finders"),
        "followed in an earlier month",
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
    return {str(row[name]) for row in facts for name in names} | _name_cases(cells, facts)


def _name_cases(cells: Sequence[Row], facts: Sequence[Row]) -> set[str]:
    """How finely pools were told apart, and whom rules and refunds reached."""
    found = set()
    rules = {cell["cell_id"]: cell["shared_cost_rule_id"] for cell in cells}
    for cell in cells:
        words = (cell["pool_key"] or "").split(chr(31))[1:]
        found |= {f"pool by {word.partition(chr(32))[0]}" for word in words}
        found.add(f"rule {cell['shared_cost_rule_id']}")
    for fact in facts:
        if fact["method_id"] == "followed_charges" and fact["charge_date"] < FIRST_DAY.date():
            found.add("followed in an earlier month")
        if fact["method_id"] == "proportional" and rules[fact["cell_id"]] == "finders":
            found.add("split over teams")
    return found


@few
@given(companies, st.integers(0, 2**32), st.sampled_from([2, 7]), st.sampled_from([3, 10]))
def test_what_is_turned_around_scaled_or_shuffled_is_split_alike(
    company: Company, seed: int, weight_factor: int, cost_factor: int
) -> None:
    """One run of a company is held against four others of it, as a run costs more than what is held against it.

    Weights stay below the 1e15 of a pool from which they are scaled, where shares round up (a stated limit).
    """
    assume(sum(volume.bytes for volume in company.volumes) * weight_factor < 10**15)
    inputs = build_inputs(company)
    before = _run(inputs)
    _assert_same_rows(before, _run(shuffle(inputs, Random(seed))))  # noqa: S311 (no secret)
    _assert_mirrored(before, _run(negate(inputs)))
    _assert_same_shares(before, _run(scale_weights(inputs, weight_factor)))
    _assert_scaled(before, _run(scale_costs(inputs, cost_factor)), cost_factor, len(company.lines))


@few
@given(companies)
def test_tax_mirrors_where_only_tax_is_turned_around(company: Company) -> None:
    inputs = build_inputs(company)
    lines = inputs.lake["charges"]
    turned = negate(inputs).lake["charges"]
    mixed = [b if b["charge_category"] == "Tax" else a for a, b in zip(lines, turned, strict=True)]
    charged = _by_key(_run(inputs), "invoice")
    credited = _by_key(_run(replace(inputs, lake={**inputs.lake, "charges": mixed})), "invoice")
    assert charged.keys() == credited.keys()
    for key, row in charged.items():
        for measure in MEASURES:
            assert credited[key][measure] == (None if row[measure] is None else -row[measure])


def _assert_same_rows(before: Tables, after: Tables) -> None:
    """The order of the input changes nothing at all."""
    for name in COMPARED:
        assert before[name] == after[name], name


def _assert_mirrored(before: Tables, after: Tables) -> None:
    """What follows other cost follows nothing where that is below zero, so tax mirrors in its own test."""
    charged, credited = _billed(before), _billed(after)
    assert charged.keys() == credited.keys()
    for key, row in charged.items():
        for measure in MEASURES:
            assert credited[key][measure] == (None if row[measure] is None else -row[measure]), row


def _assert_same_shares(before: Tables, after: Tables) -> None:
    """Pools above 1e15 are scaled down, so their shares differ in the last digits."""
    first, second = _billed(before), _billed(after)
    assert first.keys() == second.keys()
    for key in first:
        if first[key]["method_id"] not in ("bytes", "telemetry_bytes"):
            for measure in MEASURES:
                assert first[key][measure] == second[key][measure], (measure, first[key], second[key])


def _assert_scaled(before: Tables, after: Tables, factor: int, lines: int) -> None:
    """The day's share and the owner's share are each off by less than a unit, times the factor."""
    first, second = _billed(before), _billed(after)
    assert first.keys() == second.keys()
    for key, row in first.items():
        for measure in MEASURES[:3]:
            if row[measure] is not None:
                difference = second[key][measure] - row[measure] * factor
                assert abs(difference) <= UNIT * 4 * factor * lines, (measure, row, second[key])


def _run(inputs: Inputs) -> Tables:
    """All rows of the compared tables, in one order."""
    with Chain(inputs, WINDOW, COMPARED) as chain:
        return {name: chain.rows(_select_sorted(chain, name)) for name in COMPARED}


def _select_sorted(chain: Chain, name: str) -> str:
    columns = ", ".join(str(n + 1) for n in range(len(chain.models[name].columns)))
    return f"select * from {name} order by {columns}"  # noqa: S608


def _by_key(tables: Tables, follows: str | None = None) -> dict[tuple[Any, ...], Row]:
    """The fact by its key: what follows nothing else, unless told what it follows."""
    wanted = {
        (cell["charge_date"], cell["cell_id"]) for cell in tables["core.cells"] if cell["follows"] == follows
    }
    return {
        tuple(row[name] for name in FACT_KEY): row
        for row in tables["core.attributed_costs"]
        if (row["charge_date"], row["cell_id"]) in wanted
    }


def _billed(tables: Tables) -> dict[tuple[Any, ...], Row]:
    """Without estimates, whose rates are learned from what is billed and not from costs below zero or far too high."""
    return {key: row for key, row in _by_key(tables).items() if row["cost_state"] != "estimated"}


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
