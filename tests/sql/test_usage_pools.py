"""core.usage_pools: how fine the day's logged usage is held against the bill, and when it may not be."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.sql.harness import run_model
from tests.sql.small_bill import call, run, tokens
from tests.unit.test_attribution_page import _ids, _table

DAY = "2026-11-05"
WINDOW = {"start": DAY, "end": "2026-11-06"}
TYPES = {"reference.settings": {"coverage_epsilon_ppm": "BIGINT"}}
COLUMNS = {"account": "sub_account_id", "region": "region_id", "tier": "service_tier"}
THRESHOLD = 200_001
USAGE = {"provider": "aws", "model": "opus", "token_class": "output_tokens", "service_tier": "standard"}
POOLS = _table("Pools")
A, B = "111111111111", "222222222222"


def _stated(dimension: str, value: str) -> dict[str, Any]:
    if value == "none":
        return {}
    if dimension == "context":
        return {"context_min_tokens": THRESHOLD if value == "long" else 0}
    return {COLUMNS[dimension]: value}


def _read(dimension: str, text: str) -> list[tuple[dict[str, Any], str | None]]:
    found = [part.split() for part in text.split(", ")]
    return [(_stated(dimension, value), None if count == "–" else count) for value, count in found]


def _pools(
    billed: Sequence[tuple[Mapping[str, Any], str | None]],
    logged: Sequence[tuple[Mapping[str, Any], str | None]],
) -> list[dict[str, Any]]:
    charges = [
        {"charge_id": str(n), "cost_driver": "inference", "charge_category": "Usage", **USAGE, **stated}
        for n, (stated, _) in enumerate(billed)
    ]
    cells = [
        {"charge_date": DAY, "charge_id": str(n), "cell_id": str(n), "billed_quantity": quantity}
        for n, (_, quantity) in enumerate(billed)
    ]
    usage = [
        {"charge_date": DAY, "usage_id": str(n), "segment_key": str(n), "quantity_tokens": quantity}
        | USAGE
        | {"context_min_tokens": 0}
        | stated
        for n, (stated, quantity) in enumerate(logged)
    ]
    given = {
        "core.charges": charges,
        "core.charge_cells": cells,
        "core.usage_costs": usage,
        "reference.settings": [{"coverage_epsilon_ppm": 500}],
    }
    return run_model("core.usage_pools", given, WINDOW, TYPES)


def _short(pool: str) -> str:
    """`A`, `batch`, `all`: what the pool's key says beyond provider, model and class."""
    parts = pool.replace("?", "").split(chr(31))[4:]
    finer = [part.rpartition(" ")[2] for part in parts if part != "standard"]
    return finer[0] if finer else "standard"


@pytest.mark.parametrize("row", POOLS, ids=_ids(POOLS))
def test_pools_are_as_fine_as_both_sides_say(row: dict[str, str]) -> None:
    found = _pools(_read(row["by"], row["billed tokens"]), _read(row["by"], row["logged tokens"]))
    sums: dict[str, dict[str, int | None]] = defaultdict(lambda: {"billed": 0, "logged": 0})
    for member in found:
        pool = sums[_short(member["pool_key"])]
        quantity = member["pool_quantity"]
        pool[member["pool_side"]] = (
            None if quantity is None else int(quantity) + (pool[member["pool_side"]] or 0)
        )
    expected = {}
    for part in row["pools, billed of logged"].split(", "):
        name, billed, logged = re.fullmatch(r"(\w+) (\S+) of (\d+)", part).groups()  # type: ignore[union-attr]
        name = "standard" if name == "all" else name.lower()
        expected[name] = {"billed": None if billed == "–" else int(billed), "logged": int(logged)}
    assert {name.lower(): pool for name, pool in sums.items()} == expected


def test_every_logged_token_is_in_one_leaf() -> None:
    """A line that states no account has a wider pool over the same usage, which no sum counts again."""
    accounts = [({"sub_account_id": A}, "100"), ({"sub_account_id": B}, "50"), ({}, None)]
    found = _pools(accounts, [({"sub_account_id": A}, "100"), ({"sub_account_id": B}, "40")])
    logged = [row for row in found if row["pool_side"] == "logged"]
    assert len(logged) == 4
    assert sum(row["pool_quantity"] for row in logged if row["pool_key"] == row["leaf_pool_key"]) == 140


@pytest.mark.parametrize(
    ("provider", "billed", "logged"),
    [
        ("azure", "/subscriptions/0AB-1", "0ab-1"),
        ("azure", "/subscriptions/0ab-1", "/subscriptions/0AB-1/resourceGroups/x"),
        ("google", "projects/shop", "shop"),
        ("aws", "012345678901", "12345678901"),
        ("aws", "123456789012", "arn:aws:iam::123456789012:role/app"),
        ("anthropic", "default", " Default "),
    ],
)
def test_an_account_is_one_however_it_is_spelled(provider: str, billed: str, logged: str) -> None:
    found = _pools(
        [
            ({"sub_account_id": billed, "provider": provider}, "10"),
            ({"sub_account_id": "b", "provider": provider}, "10"),
        ],
        [({"sub_account_id": logged, "provider": provider}, "10")],
    )
    pools = {(row["pool_side"], row["member_key"]): row["pool_key"] for row in found}
    assert pools["logged", "0"] == pools["billed", "0"] != pools["billed", "1"]


def test_regions_of_a_bill_may_have_spaces() -> None:
    regions = [({"region_id": "East US"}, "10"), ({"region_id": "westeurope"}, "10")]
    found = _pools(regions, [({"region_id": "eastus"}, "10"), ({"region_id": "West Europe"}, "10")])
    pools = {(row["pool_side"], row["member_key"]): row["pool_key"] for row in found}
    assert [pools["logged", key] for key in ("0", "1")] == [pools["billed", key] for key in ("0", "1")]
    assert len(set(pools.values())) == 2


def test_provisioned_calls_are_never_taken_for_calls_by_the_token() -> None:
    """The bill's gap is as large as what ran on provisioned throughput: the two have nothing to do with each other."""
    found = _pools([({}, "200")], [({}, "100"), ({"service_tier": "provisioned"}, "100")])
    assert len(found) == 3
    pools = {(row["pool_side"], row["member_key"]): row["pool_key"] for row in found}
    assert pools["logged", "0"] == pools["billed", "0"] != pools["logged", "1"]


def test_account_and_region_split_together_and_tiers_by_themselves() -> None:
    places = [{"sub_account_id": a, "region_id": r} for a in (A, B) for r in ("us-east-1", "eu-west-1")]
    tiers = [{**place, "service_tier": tier} for place in places for tier in ("standard", "batch")]
    members = [(stated, "10") for stated in tiers]
    found = _pools(members, members)
    assert len({row["pool_key"] for row in found}) == 8
    by_member = defaultdict(set)
    for row in found:
        by_member[row["member_key"]].add(row["pool_key"])
    assert {len(pools) for pools in by_member.values()} == {1}


WHO = "user_id, residual_reason, a.effective_cost"
JOIN = "core.attributed_costs as a using (charge_date, owner_id)"


def test_of_two_accounts_nobody_pays_for_the_other() -> None:
    """Ann's account is logged whole, bob's by half: bob's gap is a residual of bob's account."""
    found = run(
        "core.owners_daily",
        "owners_daily.user_id, a.residual_reason, a.effective_cost, c.coverage_share",
        join=f"{JOIN} inner join core.cells as c using (charge_date, cell_id)",
        charges=[tokens("a", "12", 100, sub_account_id=A), tokens("b", "40", 100, sub_account_id=B)],
        requests=[call("ann", 100, sub_account_id=A), call("bob", 50, sub_account_id=B)],
    )
    assert found == [
        ("ann", None, "12", "1"),
        ("bob", None, "20", "0.5"),
        (None, "unlogged_usage", "20", "0.5"),
    ]


def test_an_account_whose_calls_are_all_unlogged_is_a_residual() -> None:
    found = run(
        "core.owners_daily",
        WHO,
        join=JOIN,
        charges=[tokens("a", "12", 100, sub_account_id=A), tokens("b", "40", 100, sub_account_id=B)],
        requests=[call("ann", 100, sub_account_id=A)],
    )
    assert found == [("ann", None, "12"), (None, "unlogged_usage", "40")]


def test_a_correction_without_an_account_is_split_over_all_and_counts_nothing_again() -> None:
    charges = [
        tokens("a", "12", 100, sub_account_id=A),
        tokens("b", "40", 100, sub_account_id=B),
        tokens("both", "-2", None, sub_account_id=None),
    ]
    found = run(
        "core.owners_daily",
        "user_id, a.effective_cost, a.evidence, a.input_tokens",
        join=JOIN,
        charges=charges,
        requests=[call("ann", 100, sub_account_id=A), call("bob", 100, sub_account_id=B)],
    )
    assert found == [
        ("ann", "-1", "assumed", 0),
        ("ann", "12", "allocated", 100),
        ("bob", "-1", "assumed", 0),
        ("bob", "40", "allocated", 100),
    ]


def test_long_context_is_paid_by_whoever_sent_long_prompts() -> None:
    long = {"sku_meter": "USE1-Claude4.5Sonnet-input-tokens-long-context"}
    found = run(
        "core.owners_daily",
        WHO,
        join=JOIN,
        charges=[tokens("short", "1", 300_000), tokens("long", "2", 300_000, **long)],
        requests=[call("ann", 100_000, n) for n in range(3)] + [call("bob", 300_000)],
    )
    assert found == [("ann", None, "1"), ("bob", None, "2")]
