"""core.unpriced_usage: what tokens without a price would likely cost, and how that reads in data_completeness."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.sql.harness import run_model
from tests.sql.small_bill import call, price, run

MILLION = 1_000_000
LIKELY = "model, unpriced_reason, quantity_tokens, likely_price_per_mtok, likely_price_basis, likely_cost"


def _likely(calls: list[dict[str, Any]], prices: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return run("core.unpriced_usage", LIKELY, requests=calls, prices=prices)


def _models(*per_mtok: str, **more: Any) -> list[dict[str, Any]]:
    return [price(per_mtok=text, model=f"model-{n}", **more) for n, text in enumerate(per_mtok)]


def test_an_unknown_model_is_likely_to_cost_what_the_median_model_of_its_provider_does() -> None:
    calls = [call("ann", 2 * MILLION, model="quokka-9")]
    dearer = _models("100", "200", provider="openai")
    assert _likely(calls, _models("1", "9", "4") + dearer) == [
        ("quokka-9", "unknown_model", 2 * MILLION, "4", "median_of_provider", "8")
    ]


def test_of_an_even_number_the_lower_middle_counts_and_free_models_do_not() -> None:
    calls = [call("ann", MILLION, model="quokka-9")]
    assert _likely(calls, _models("0", "0", "3", "5"))[0][3:] == ("3", "median_of_provider", "3")


def test_a_provider_without_prices_is_compared_with_all() -> None:
    calls = [call("ann", MILLION, provider="elsewhere", model="quokka-9")]
    assert _likely(calls, _models("1", "9", "4"))[0][3:] == ("4", "median_of_all", "4")


def test_only_prices_that_hold_that_day_count() -> None:
    calls = [call("ann", MILLION, model="quokka-9")]
    prices = _models("7") + [
        price(per_mtok="1", model="over", valid_to=datetime(2026, 10, 1)),
        price(per_mtok="1", model="batch only", service_tier="batch"),
        price(per_mtok="1", model="long", context_min_tokens=200_000),
        price(per_mtok="1", model="own", is_override=True, price_rank=1),
    ]
    assert _likely(calls, prices)[0][3:] == ("7", "median_of_provider", "7")


def test_a_class_that_nothing_prices_has_no_likely_cost_and_priced_usage_is_not_here() -> None:
    calls = [call("ann", MILLION, output_tokens=5)]
    assert _likely(calls, [price()]) == [("claude-sonnet-4-5", "no_price", 5, None, None, None)]


def test_completeness_names_the_tokens_and_the_likely_dollars() -> None:
    usage = {"charge_date": "2026-11-01", "provider": "aws", "model": "quokka-9", "requests": "1"}
    given = [
        usage | {"usage_id": "1", "quantity_tokens": "3000000", "likely_cost": "12"},
        usage | {"usage_id": "2", "quantity_tokens": "1000000", "likely_cost": "4.004"},
    ]
    types = {
        "reference.calendar": {"calendar_date": "DATE"},
        "reference.classification_rules": {"priority": "BIGINT"},
        "reference.settings": {"coverage_epsilon_ppm": "BIGINT"},
    }
    parameters = {"today": "2026-11-20", "as_of": "2026-11-20 06:00:00", "reporting_currency": "USD"}
    rows = run_model("marts.data_completeness", {"core.unpriced_usage": given}, parameters, types)
    assert [
        (row["finding_count"], row["message"]) for row in rows if row["finding"] == "unpriced_requests"
    ] == [
        (
            2,
            "Requests of aws without a model or list price (quokka-9, 4000000 tokens, about 16.00 USD at the "
            "median list price of such tokens, an estimate): add a model alias (a model of another provider as "
            "provider/model) or a price override to the config.",
        )
    ]


def test_usage_that_an_arrived_bill_does_not_name_is_a_finding_with_its_list_cost() -> None:
    """Only days that the bill covers; a model that the bill names, or may mean without a name, is not told."""
    row = {
        "provider": "openai",
        "model": "mini",
        "cause": "logged_without_bill",
        "currency": "USD",
        "charge_date": "2026-11-01",
        "token_class": "output_tokens",
        "logged_quantity": "2000000",
        "priced_cost": "1.25",
    }
    usage = [
        row,
        row | {"charge_date": "2026-11-02", "logged_quantity": "500", "priced_cost": "0.5"},
        row | {"charge_date": "2026-11-05"},  # after the watermark
        row | {"charge_date": "2026-10-31"},  # of a month without a bill
        row | {"model": "billed"},
        row | {"model": "served"},
        row | {"charge_date": "2026-11-03"},  # the bill has a line without a model
        row | {"provider": "anthropic"},
        row | {"model": None},  # of no known model: told as unpriced
        row | {"cause": "unlogged", "model": "other"},
        row | {"model": "odd", "currency": None, "priced_cost": None},
    ]
    cell = {"provider": "openai", "cost_driver": "inference", "charge_category": "Usage"}
    billed = cell | {"charge_date": "2026-11-01", "cost_state": "actual"}
    served = {"charge_date": "2026-11-01", "usage_id": "1"}
    given = {
        "core.reconciled_usage": usage,
        "core.bill_coverage": [
            {
                "provider": "openai",
                "billing_period_start": "2026-11-01 00:00:00",
                "watermark_at": "2026-11-05 06:00:00",
            }
        ],
        "core.cells": [
            billed | {"model": "billed"},
            billed | {"model": "mini", "cost_state": "estimated"},
            billed | {"model": None, "charge_date": "2026-11-03"},
        ],
        "core.usage_costs": [served | {"provider": "openai", "model": "served"}],
        "core.served_usage": [served],
    }
    types = {
        "reference.calendar": {"calendar_date": "DATE"},
        "reference.classification_rules": {"priority": "BIGINT"},
    }
    parameters = {"today": "2026-11-20", "as_of": "2026-11-20 06:00:00", "reporting_currency": "USD"}
    rows = run_model("marts.data_completeness", given, parameters, types)
    found = sorted(
        (row for row in rows if row["finding"] == "logged_without_bill"), key=lambda told: told["message"]
    )
    assert [(row["finding_count"], row["severity"]) for row in found] == [(2, "warn"), (1, "warn")]
    assert found[0]["message"].startswith(
        "The bill of openai has arrived and does not name mini, of which the logs hold 2000500 tokens on 2 days "
        "from 2026-11-01 to 2026-11-02. Their list cost would be 1.75 USD, and no cost stands for them. Look for"
    )
    assert "does not name odd" in found[1]["message"]
    assert "They have no list price. Look" in found[1]["message"]
