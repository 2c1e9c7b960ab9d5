"""What a provider counts, beside what is billed and logged: names, coverage without billed quantities, sampling."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.sql.harness import assert_rows, run_model

DAY = "2026-11-10"
WINDOW = {"start": DAY, "end": "2026-11-11"}
SETTINGS = {"reference.settings": {"coverage_epsilon_ppm": "BIGINT"}}
EPSILON = [{"coverage_epsilon_ppm": 10_000}]
POOL = "usage\x1fanthropic\x1fclaude\x1funcached_input_tokens\x1f"


def usage(quantity: int, **fields: Any) -> dict[str, Any]:
    """What a provider counts of a day."""
    base = {
        "bucket_start": f"{DAY} 00:00:00",
        "bucket_end": "2026-11-11 00:00:00",
        "provider": "anthropic",
        "billing_account_id": "org",
        "model": "Claude-X-20260101",
        "usage_kind": "tokens",
        "token_class": "output_tokens",
        "service_tier": "standard",
        "quantity": quantity,
        "unit": "tokens",
        "is_final": True,
    }
    return {**base, **fields}


def count(quantity: int, **fields: Any) -> dict[str, Any]:
    """A row of core.provider_counts."""
    base = {
        "charge_date": DAY,
        "provider": "anthropic",
        "model": "claude",
        "usage_kind": "tokens",
        "token_class": "uncached_input_tokens",
        "service_tier": "standard",
        "quantity": quantity,
        "is_final": True,
    }
    return {**base, **fields}


def test_a_name_that_only_the_provider_says_finds_its_model() -> None:
    given = {
        "staging.provider_usage": [usage(1), usage(1, model=None), usage(1, model="nobody-knows")],
        "core.request_usage": [{"charge_date": DAY, "provider": "anthropic", "model": "claude-x"}],
        "staging.model_aliases": [
            {"alias": "claude-x", "model": "claude"},
            {"alias": "claude-x-20260101", "model": "claude"},
        ],
    }
    types = {
        "reference.provider_names": {"otel_name": "VARCHAR", "price_provider": "VARCHAR"},
        "reference.model_patterns": {
            **dict.fromkeys(("provider", "model", "pattern_1", "pattern_2", "pattern_3"), "VARCHAR"),
            "priority": "BIGINT",
        },
    }
    rows = run_model("core.model_names", given, WINDOW, types)
    assert_rows(
        "core.model_names",
        rows,
        [
            {"logged_model": "claude-x", "model": "claude", "matched_by": "alias"},
            {"logged_model": "Claude-X-20260101", "model": "claude", "matched_by": "alias"},
            {"logged_model": "nobody-knows", "model": None, "matched_by": "unmatched"},
        ],
    )


def test_counts_add_up_under_the_models_name_and_are_final_when_all_of_it_is() -> None:
    name = {"charge_date": DAY, "provider": "anthropic", "logged_provider": "anthropic"}
    given = {
        "staging.provider_usage": [
            usage(3, user_id="ann"),
            usage(4, user_id="bob", is_final=False),
            usage(5, service_tier="batch"),
            usage(6, usage_kind="requests", token_class=None),
            usage(9, usage_kind="web_searches", token_class=None),
            usage(2, usage_kind="audio_tokens"),
            usage(7, model="New-Model"),
        ],
        "core.model_names": [{**name, "logged_model": "Claude-X-20260101", "model": "claude"}],
    }
    rows = run_model("core.provider_counts", given, WINDOW)
    assert_rows(
        "core.provider_counts",
        rows,
        [
            _counted("claude", "tokens", "output_tokens", "standard", 7, is_final=False),
            _counted("claude", "tokens", "output_tokens", "batch", 5, is_final=True),
            _counted("claude", "requests", None, "standard", 6, is_final=True),
            _counted("claude", "web_searches", None, "standard", 9, is_final=True),
            _counted("new-model", "tokens", "output_tokens", "standard", 7, is_final=True),
        ],
    )


def _counted(
    model: str, kind: str, token_class: str | None, tier: str, quantity: int, *, is_final: bool
) -> dict[str, Any]:
    return {
        "model": model,
        "usage_kind": kind,
        "token_class": token_class,
        "service_tier": tier,
        "quantity": quantity,
        "is_final": is_final,
    }


def logged(requests: int, model: str = "gpt", provider: str = "openai") -> dict[str, Any]:
    return {"charge_date": DAY, "provider": provider, "model": model, "requests": requests}


def asked(requests: int, model: str = "gpt", **fields: Any) -> dict[str, Any]:
    counted = {"provider": "openai", "model": model, "usage_kind": "requests", "token_class": None}
    return count(requests, **{**counted, **fields})


def test_the_share_of_requests_that_the_logs_hold() -> None:
    given = {
        "core.provider_counts": [
            asked(6),
            asked(4, service_tier="batch", is_final=False),
            asked(1000, model="nearly"),
            asked(5, model="never-logged"),
            asked(3, model="over"),
            asked(1000, model="just-over"),
            asked(3, model="still-counting", is_final=False),
            asked(0, model="not-counted"),
            asked(8, model="elsewhere", provider="aws"),
        ],
        "core.usage_costs": [logged(3), logged(1), logged(991, "nearly"), logged(4, "over")]
        + [logged(1010, "just-over"), logged(9, "still-counting"), logged(2, "not-counted")],
        "reference.settings": EPSILON,
    }
    rows = run_model("core.request_coverage", given, WINDOW, SETTINGS)
    found = {
        row["model"]: (
            row["provider_requests"],
            row["logged_requests"],
            row["logged_share"],
            row["is_under_logged"],
            row["has_more_logged"],
            row["is_final"],
        )
        for row in rows
    }
    assert found == {
        "gpt": (10, 4, Decimal("0.4"), True, False, False),
        "nearly": (1000, 991, Decimal("0.991"), False, False, True),
        "never-logged": (5, 0, Decimal(0), True, False, True),
        "over": (3, 4, Decimal("1.333333333333"), False, True, True),
        "just-over": (1000, 1010, Decimal("1.01"), False, False, True),
        "still-counting": (3, 9, Decimal(3), False, False, False),
        "not-counted": (0, 2, None, False, True, True),
    }, "of a provider that no log names nothing is said"


def test_fewer_requests_than_the_provider_counts_are_a_finding() -> None:
    days = [
        {"charge_date": "2026-11-10", "provider_requests": 10, "logged_requests": 4, "logged_share": "0.4"},
        {"charge_date": "2026-11-11", "provider_requests": 30, "logged_requests": 27, "logged_share": "0.9"},
        {
            "charge_date": "2026-11-20",
            "provider_requests": 99,
            "logged_requests": 1,
            "logged_share": "0.010101",
        },
        {
            "charge_date": "2026-09-01",
            "provider_requests": 99,
            "logged_requests": 1,
            "logged_share": "0.010101",
        },
    ]
    told = [{"provider": "openai", "model": "gpt", "is_under_logged": True, **day} for day in days]
    whole = {"provider": "openai", "model": "whole", "is_under_logged": False, **days[0]}
    types = {
        "reference.calendar": {"calendar_date": "DATE"},
        "reference.classification_rules": {"priority": "BIGINT"},
    }
    parameters = {"today": "2026-11-20", "reporting_currency": "USD", "as_of": "2026-11-20 00:00:00"}
    rows = run_model("marts.data_completeness", {"core.request_coverage": [*told, whole]}, parameters, types)
    (row,) = [row for row in rows if row["finding"] == "requests_below_provider_count"]
    assert (row["finding_count"], row["severity"], row["expected_share"]) == (9, "warn", Decimal("0.4"))
    assert row["message"].startswith(
        "The logs hold 31 of 40 requests that openai counts of gpt, on 2 days (77.5 %, on the worst day 40.0 %)"
    )


def test_more_requests_than_the_provider_counts_are_a_finding() -> None:
    """Counted together over the days that have more, and without a share where the provider counts none."""
    days = [("2026-11-10", 10, 20, "2"), ("2026-11-11", 7, 18, "2.571428571428"), ("2026-11-20", 1, 99, "99")]
    names = ("charge_date", "provider_requests", "logged_requests", "logged_share")
    over = {"provider": "openai", "has_more_logged": True}
    told = [{**over, "model": "gpt", **dict(zip(names, day, strict=True))} for day in days]
    none = {**over, "model": "new", "charge_date": "2026-11-12", "provider_requests": 0, "logged_requests": 3}
    same = told[0] | {"model": "same", "has_more_logged": False}
    types = {
        "reference.calendar": {"calendar_date": "DATE"},
        "reference.classification_rules": {"priority": "BIGINT"},
    }
    parameters = {"today": "2026-11-20", "reporting_currency": "USD", "as_of": "2026-11-20 00:00:00"}
    given = {"core.request_coverage": [*told, none, same]}
    rows = run_model("marts.data_completeness", given, parameters, types)
    found = [row for row in rows if row["finding"] == "requests_above_provider_count"]
    assert [(row["finding_count"], row["severity"], row["expected_share"]) for row in found] == [
        (21, "warn", Decimal("2.571428571428")),
        (3, "warn", None),
    ]
    assert found[0]["message"].startswith(
        "The logs hold 38 requests where openai counts 17 of gpt, on 2 days (223.5 %): calls that two sources"
    )
    assert found[1]["message"].startswith(
        "The logs hold 3 requests where openai counts 0 of new, on 1 days: "
    )


def cell(quantity: str | None, tier: str = "standard", **fields: Any) -> dict[str, list[dict[str, Any]]]:
    """A bill line of three dollars in one cell, and a log of 250 tokens of the same tier."""
    charge = {
        "charge_id": "line",
        "provider": "anthropic",
        "cost_driver": "inference",
        "charge_category": "Usage",
        "model": "claude",
        "token_class": "uncached_input_tokens",
        "service_tier": tier,
        "cost_state": "actual",
        **fields,
    }
    part = {"charge_date": DAY, "cell_id": "cell", "charge_id": "line", "billed_quantity": quantity}
    return {
        "core.charges": [charge],
        "core.charge_cells": [{**part, "effective_cost": "3", "billed_cost": "3", "list_cost": "3"}],
        "core.usage_costs": [
            {
                "charge_date": DAY,
                "segment_key": tier,
                "provider": "anthropic",
                "model": "claude",
                "token_class": "uncached_input_tokens",
                "service_tier": tier,
                "quantity_tokens": 250,
            }
        ],
        "reference.settings": EPSILON,
    }


@pytest.mark.parametrize(
    ("billed", "counts", "expected"),
    [
        (None, [count(1000)], (Decimal("0.25"), 750, False)),
        (None, [], (None, 0, False)),
        ("500", [count(1000)], (Decimal("0.5"), 250, False)),  # the bill's own quantity comes first
        ("0", [count(1000)], (Decimal("0.25"), 750, False)),
        (None, [count(1000, service_tier="batch")], (None, 0, False)),
        (None, [count(1000, service_tier=None)], (None, 0, False)),
        (None, [count(1000, token_class="output_tokens")], (None, 0, False)),
        (None, [count(100)], (Decimal("2.5"), 0, True)),
        (None, [count(100, is_final=False)], (Decimal("2.5"), 0, False)),  # more may still be counted
        (None, [count(600), count(400, billing_account_id="other")], (Decimal("0.25"), 750, False)),
    ],
)
def test_a_bill_without_quantities_is_covered_by_what_the_provider_counts(
    billed: str | None, counts: list[dict[str, Any]], expected: tuple[Any, ...]
) -> None:
    given = {**cell(billed), "core.provider_counts": counts}
    usage = {name: given.pop(name) for name in ("core.usage_costs", "core.provider_counts")}
    given["core.usage_pools"] = run_model("core.usage_pools", {**given, **usage}, WINDOW, SETTINGS)
    (row,) = run_model("core.billed_cells", given, WINDOW, SETTINGS)
    assert (row["coverage_share"], row["missing_quantity"], row["is_over_logged"]) == expected
    assert row["billed_quantity"] == (None if billed is None else Decimal(billed)), "a count is never billed"


def test_what_a_provider_counts_stands_beside_bill_and_log_and_alone() -> None:
    cells = {
        "charge_date": DAY,
        "cell_id": "cell",
        "provider": "anthropic",
        "billing_account_id": "org",
        "cost_driver": "inference",
        "charge_category": "Usage",
        "model": "claude",
        "token_class": "uncached_input_tokens",
        "service_tier": "standard",
        "billing_currency": "USD",
        "cost_state": "provisional",
        **dict.fromkeys(("billed_cost", "effective_cost", "list_cost"), "3"),
        "coverage_share": "0.25",
    }
    tokens = {"charge_date": DAY, "provider": "anthropic", "model": "claude", "service_tier": "standard"}
    usage = [
        {**tokens, "token_class": "uncached_input_tokens", "quantity_tokens": 150},
        {**tokens, "token_class": "output_tokens", "quantity_tokens": 10},
    ]
    counts = [
        count(600),
        count(400, service_tier="batch"),
        count(40, token_class="output_tokens"),
        count(77, token_class="cache_read_tokens"),
        count(5, usage_kind="requests", token_class=None),
    ]
    parameters = {**WINDOW, "reporting_currency": "USD"}
    given = {
        "core.cells": [cells],
        "core.usage_costs": usage,
        "core.provider_counts": counts,
        "reference.settings": EPSILON,
    }
    types = {**SETTINGS, "reference.logging_keys": {"key_id": "VARCHAR"}}
    met = run_model("core.reconciled_cells", given, parameters, types)
    given = {
        "core.reconciled_cells": met,
        "core.cells": [cells],
        "core.provider_counts": counts,
        "reference.settings": EPSILON,
        "reference.currency_subunits": [{"currency": "*", "subunit_units": 10_000_000_000}],
    }
    types = {**SETTINGS, "reference.currency_subunits": {"currency": "VARCHAR", "subunit_units": "BIGINT"}}
    rows = run_model("core.reconciled_usage", given, parameters, types)
    found = {
        (row["cause"], row["token_class"]): (
            row["provider_quantity"],
            row["logged_quantity"],
            row["difference_quantity"],
            row["difference_cost"],
        )
        for row in rows
        if row["cause"] != "unexplained"
    }
    assert found == {
        ("unlogged", "uncached_input_tokens"): (1000, 150, 450, Decimal("2.25")),
        ("not_priced", "uncached_input_tokens"): (1000, 150, None, Decimal("0.75")),
        ("logged_without_bill", "output_tokens"): (40, 10, -10, 0),
        ("counted_without_bill", "cache_read_tokens"): (77, None, -77, None),
    }
