"""Searches of the web, requests and cache storage: split by what the logs count of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.sql.small_bill import DAY, call, line, price, run
from tests.unit.test_attribution_page import _ids, _number, _table

SHARES = _table("Uses and who pays")
JOIN = "core.attributed_costs as a using (charge_date, owner_id)"
OPENAI: dict[str, Any] = {
    "service_provider_name": "OpenAI",
    "service_name": "API",
    "service_category": "AI and Machine Learning",
}
CALL: dict[str, Any] = {"provider": "openai", "model": "gpt-4o"}
KINDS = {"searches": "web_search_count", "written": "cache_write_5m_tokens", "read": "cache_read_tokens"}


def _calls(user: str, use: str) -> list[dict[str, Any]]:
    count, kind = use.split()
    if kind == "requests":
        return [call(user, 1, n, **CALL) for n in range(int(count))]
    return [call(user, 10, **CALL, **{KINDS[kind]: int(count)})]


def _paid(charges: list[dict[str, Any]], calls: list[dict[str, Any]], **lake: Any) -> dict[Any, Decimal]:
    found = run(
        "core.owners_daily",
        "coalesce(a.residual_reason, user_id) as who, sum(a.effective_cost) as cost",
        join=JOIN,
        group="all",
        charges=charges,
        requests=calls,
        **lake,
    )
    return {who: Decimal(cost) for who, cost in found}


@pytest.mark.parametrize("row", SHARES, ids=_ids(SHARES))
def test_uses_are_split_by_what_was_counted(row: dict[str, str]) -> None:
    quantity = None if row["billed"] == "–" else Decimal(row["billed"])
    charge = line(cost=row["cost"], sku_meter=row["meter"], **OPENAI)
    charge |= {"consumed_quantity": quantity, "consumed_unit": "Requests"}
    paid = _paid([charge], _calls("ann", row["ann"]) + _calls("bob", row["bob"]))
    expected = {
        "ann": _number(row["ann pays"]),
        "bob": _number(row["bob pays"]),
        "unlogged_usage": _number(row["unlogged_usage"]),
    }
    assert paid == {who: cost for who, cost in expected.items() if cost}


def test_what_the_provider_counts_tells_searches_that_no_log_has() -> None:
    """The bill states no quantity, the provider counted 100 searches, the logs hold 25."""
    counted = {
        "bucket_start": DAY,
        "provider": "openai",
        "model": "gpt-4o",
        "usage_kind": "web_searches",
        "quantity": Decimal(100),
        "is_final": True,
    }
    charge = line(cost="4", sku_meter="web search tool calls", **OPENAI)
    paid = _paid([charge], _calls("ann", "25 searches"), provider_usage=[counted])
    assert paid == {"ann": 1, "unlogged_usage": 3}


def test_who_searched_in_one_project_pays_nothing_of_another() -> None:
    search: dict[str, Any] = {"sku_meter": "web search tool calls", **OPENAI}
    charges = [
        line("a", "4", sub_account_id="proj_a", **search),
        line("b", "40", sub_account_id="proj_b", **search),
    ]
    ann = call("ann", 1, web_search_count=3, sub_account_id="proj_a", **CALL)
    bob = call("bob", 1, web_search_count=1, sub_account_id="proj_b", **CALL)
    assert _paid(charges, [ann, bob]) == {"ann": 4, "bob": 40}


def test_who_did_not_search_pays_no_search_and_nothing_is_counted_twice() -> None:
    """Tokens and requests stand with the token line alone."""
    charges = [
        line("search", "4", sku_meter="web search tool calls", **OPENAI),
        line("tokens", "6", sku_meter="gpt-4o, input", **OPENAI)
        | {"consumed_quantity": Decimal(20), "consumed_unit": "Tokens"},
    ]
    calls = [call("ann", 10, web_search_count=3, **CALL), call("bob", 10, **CALL)]
    found = run(
        "core.owners_daily",
        "user_id, a.method_id, a.evidence, a.effective_cost, a.requests, a.input_tokens",
        join=JOIN,
        charges=charges,
        requests=calls,
        prices=[price(provider="openai", model="gpt-4o")],
    )
    assert found == [
        ("ann", "tokens", "allocated", "3", 1, 10),
        ("ann", "tool_uses", "assumed", "4", 0, 0),
        ("bob", "tokens", "allocated", "3", 1, 10),
    ]
