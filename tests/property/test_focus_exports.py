"""What FOCUS gives back of a charge is the charge, whatever it is and whoever caused it: sums and shares are exact."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from itertools import cycle
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.focus_mapping import columns_of
from tests.property.companies import WINDOW, Company, build_inputs, companies
from tests.sql.chain import Chain, Inputs

VERSIONS = ("1.2", "1.3", "1.4")
DIGITS = Decimal("1e-12")
HOSTILE = 'a "quoted" \\ path\nof two lines, \x01 and Zürich'
SUMS = {
    "BilledCost": "billed_cost",
    "EffectiveCost": "effective_cost",
    "ListCost": "list_cost",
    "ContractedCost": "contracted_cost",
    "PricingQuantity": "pricing_quantity",
    "ConsumedQuantity": "consumed_quantity",
    "CommitmentDiscountQuantity": "commitment_discount_quantity",
    "PricingCurrencyEffectiveCost": "pricing_currency_effective_cost",
}
"""FOCUS column that adds up → column of the bill line."""

MOST_TOKENS = Decimal(10**15)
"""Of one line; what is counted otherwise than in tokens may be any quantity that the lake holds."""

Row = Mapping[str, Any]

_AMOUNTS = st.one_of(
    st.none(),
    st.sampled_from([Decimal(0), Decimal("1e-12"), Decimal(-5), Decimal(10**10), Decimal(10**16) + DIGITS]),
    st.decimals(-(10**6), 10**9, allow_nan=False, places=12),
    st.integers(10**10, 10**20).map(Decimal),
)
_PRICED = st.fixed_dictionaries(
    {
        "list_unit_price": st.one_of(st.none(), st.decimals(0, 1000, allow_nan=False, places=6)),
        "pricing_quantity": st.one_of(st.none(), st.decimals(-100, 10**6, allow_nan=False, places=6)),
        "consumed_quantity": _AMOUNTS,
        "commitment_discount_quantity": _AMOUNTS,
        "commitment_discount_id": st.sampled_from([None, "plan"]),
        "commitment_discount_status": st.sampled_from([None, "Used", "Unused"]),
        "contracted_cost": st.one_of(st.none(), st.decimals(-(10**8), 10**8, allow_nan=False, places=12)),
        "pricing_currency": st.sampled_from([None, "USD", "Tokens"]),
        "pricing_currency_effective_cost": _AMOUNTS,
        "consumed_unit": st.sampled_from(["Tokens", 'To"kens\\', None]),
        "tags": st.sampled_from([None, json.dumps({"note": HOSTILE})]),
        "x_tag_feature": st.sampled_from([None, "search", HOSTILE]),
    }
)


def _price(inputs: Inputs, priced: Sequence[Row]) -> Inputs:
    """The same bill with prices, quantities, commitments and hostile text; a priced line costs price × quantity."""
    charges = []
    for charge, extra in zip(inputs.lake["charges"], cycle(priced), strict=False):
        row = {**charge, **extra}
        if row["consumed_unit"] == "Tokens" and row["consumed_quantity"] is not None:
            row["consumed_quantity"] = min(row["consumed_quantity"], MOST_TOKENS)
        if row["list_unit_price"] is not None and row["pricing_quantity"] is not None:
            cost = row["list_unit_price"] * row["pricing_quantity"]
            row["list_cost"] = cost.quantize(DIGITS, ROUND_HALF_UP)
        charges.append(row)
    return Inputs({**inputs.lake, "charges": charges}, inputs.bill_deliveries, inputs.config)


@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(companies, st.lists(_PRICED, min_size=16, max_size=16))
def test_the_rows_of_a_charge_sum_to_it(company: Company, priced: list[Row]) -> None:
    inputs = _price(build_inputs(company), priced)
    lines = {charge["charge_id"]: charge for charge in inputs.lake["charges"]}
    targets = [f"exports.focus_{version.replace('.', '_')}" for version in VERSIONS]
    with Chain(inputs, WINDOW, targets) as chain:
        exports = [chain.rows(f"select * from {target}") for target in targets]  # noqa: S608
        parts = chain.rows("select * from core.charge_owners")
        failed = chain.failed_checks()
    assert not failed
    for version, rows in zip(VERSIONS, exports, strict=True):
        by_charge: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            by_charge[row["x_ChargeId"]].append(row)
        assert by_charge.keys() == lines.keys()
        for charge_id, charge_rows in by_charge.items():
            _check_sums(charge_rows, lines[charge_id])
            _check_prices(charge_rows, lines[charge_id])
            if version != "1.2":
                _check_allocation(charge_rows)
        assert _by_owner(rows) == _by_owner_of_parts(parts)


def _check_sums(rows: Sequence[Row], line: Row) -> None:
    for focus, ours in SUMS.items():
        values = [row[focus] for row in rows if row[focus] is not None]
        assert len(values) in (0, len(rows)), focus
        assert (sum(values) if values else None) == _expected(line, ours), (focus, line)
    assert sum(row["x_AllocatedRatio"] for row in rows) == 1


def _expected(line: Row, column: str) -> Decimal | None:
    """The line's own value, but where FOCUS wants null or says what stands for it."""
    value, category = line.get(column), line["charge_category"]
    if column == "pricing_quantity" and category == "Tax":
        return None
    if column == "consumed_quantity":
        return None if category != "Usage" or line["commitment_discount_status"] == "Unused" else value
    if column == "commitment_discount_quantity":
        return value if category in ("Usage", "Purchase") and line["commitment_discount_id"] else None
    if column == "pricing_currency_effective_cost" and value is None:
        is_same = (line["pricing_currency"] or line["billing_currency"]) == line["billing_currency"]
        return line["effective_cost"] if is_same else None
    return value


def _check_prices(rows: Sequence[Row], line: Row) -> None:
    """Every row costs price × quantity, as near as the official validator wants it."""
    for row in rows:
        if row["ListUnitPrice"] is not None and row["PricingQuantity"] is not None:
            difference = abs(row["ListUnitPrice"] * row["PricingQuantity"] - row["ListCost"])
            assert difference <= Decimal("1e-9") * max(abs(row["ListCost"]), 1), (row["ListCost"], line)


def _check_allocation(rows: Sequence[Row]) -> None:
    split = [row for row in rows if row["AllocatedMethodId"] is not None]
    assert split == (list(rows) if len(rows) > 1 else split)
    for row in rows:
        for column in ("AllocatedMethodDetails", "AllocatedTags", "Tags"):
            assert row[column] is None or json.loads(row[column])
        assert (row["AllocatedResourceId"] is None) == (row["AllocatedResourceName"] is None)
        assert row["x_ResidualReason"] is None or row["AllocatedResourceId"] is None
    if split:
        details = [json.loads(row["AllocatedMethodDetails"], parse_float=Decimal) for row in split]
        assert sum(element["AllocatedRatio"] for detail in details for element in detail["Elements"]) == 1


def _by_owner(rows: Sequence[Row]) -> dict[tuple[Any, ...], Any]:
    return _summed((row["x_ChargeId"], row["x_OwnerId"], row["BilledCost"]) for row in rows)


def _by_owner_of_parts(rows: Sequence[Row]) -> dict[tuple[Any, ...], Any]:
    return _summed((row["charge_id"], row["owner_id"], row["billed_cost"]) for row in rows)


def _summed(rows: Any) -> dict[tuple[Any, ...], Any]:
    found: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for charge_id, owner_id, cost in rows:
        found[charge_id, owner_id] += cost or 0
    return {key: cost for key, cost in found.items() if cost}


@pytest.mark.parametrize("version", VERSIONS)
def test_an_export_has_the_columns_of_its_version(version: str) -> None:
    from tests.sql.chain import load_models

    columns = list(load_models()[f"exports.focus_{version.replace('.', '_')}"].columns)
    own = [column for column in columns if column.startswith("x_")]
    focus = columns[: len(columns) - len(own)]
    assert focus == sorted(columns_of(version))
    assert own == sorted(own, key=str.lower)
    assert all(len(column) <= 50 for column in columns)
