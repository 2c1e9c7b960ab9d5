"""core.cells and core.attributed_costs: who pays for a day of a bill, and what stands under a reason instead."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from pipelines.config.model import Config
from pipelines.config.rows import ClassificationRule
from tests.sql.small_bill import SONNET_OUTPUT, call, flow, line, price, run, tokens

WHO = "user_id, residual_reason, a.effective_cost, a.evidence"
WORKLOADS = [{"workload_ref": "i-1", "ref_kind": "instance", "feature": "search", "team": "find"}]


def _shares(columns: str = WHO, **lake: Any) -> list[tuple[Any, ...]]:
    join = "core.attributed_costs as a using (charge_date, owner_id)"
    return run("core.owners_daily", columns, join=join, **lake)


def _coverage(billed: str | None, *logged: int, **more: Any) -> list[tuple[Any, ...]]:
    calls = [call(user, count) for user, count in zip(("ann", "bob"), logged, strict=False)]
    columns = "coverage_share, is_over_logged, missing_quantity, evidence"
    return run("core.cells", columns, charges=[tokens("a", "12", billed)], requests=calls, **more)


def test_a_fully_logged_cell_is_shared_by_tokens() -> None:
    calls = [call("ann", 300), call("bob", 100), call("eve", 999, model="another")]
    assert _shares(charges=[tokens("a", "12", 400)], requests=calls, where="billed_cost is not null") == [
        ("ann", None, "9", "allocated"),
        ("bob", None, "3", "allocated"),
    ]


def test_what_the_logs_lack_is_unlogged_and_nobody_pays_for_it() -> None:
    """400 billed, 100 logged: a quarter of the money has an owner, three quarters a reason."""
    assert _shares(charges=[tokens("a", "12", 400)], requests=[call("ann", 100)]) == [
        ("ann", None, "3", "allocated"),
        (None, "unlogged_usage", "9", "billed"),
    ]


def test_a_bill_without_any_log_is_unlogged_whole() -> None:
    assert _shares(charges=[tokens("a", "12", 400)]) == [(None, "unlogged_usage", "12", "billed")]


def test_more_logged_than_billed_is_shared_over_all_and_flagged() -> None:
    calls = [call("ann", 600), call("bob", 200)]
    lake: dict[str, Any] = {"charges": [tokens("a", "12", 400)], "requests": calls}
    assert _shares(**lake) == [("ann", None, "9", "allocated"), ("bob", None, "3", "allocated")]
    assert run("core.cells", "coverage_share, is_over_logged", **lake) == [("2", True)]


@pytest.mark.parametrize(
    ("logged", "share", "is_over", "missing"),
    [
        (9_995, "0.9995", False, "0"),
        (9_994, "0.9994", False, "6"),
        (10_005, "1.0005", False, "0"),
        (10_006, "1.0006", True, "0"),
    ],
    ids=["within below", "below", "within above", "above"],
)
def test_vendors_rounding_is_no_missing_usage(logged: int, share: str, is_over: bool, missing: str) -> None:
    """Half a tenth of a percent either way is the vendor's unit rounding."""
    assert _coverage("10000", logged) == [(share, is_over, missing, "allocated")]


def test_without_a_billed_quantity_the_whole_is_shared_and_says_assumed() -> None:
    assert _coverage(None, 300, 100) == [(None, False, "0", "assumed")]
    calls = [call("ann", 300), call("bob", 100)]
    assert _shares(charges=[tokens("a", "12", None)], requests=calls) == [
        ("ann", None, "9", "assumed"),
        ("bob", None, "3", "assumed"),
    ]


def test_accounts_of_one_pool_share_it_and_its_logs_count_once() -> None:
    """The logs cannot tell the accounts apart, so both are shared alike; 400 logged tokens stay 400."""
    charges = [tokens("a", "12", 300), tokens("b", "4", 100, sub_account_id="222")]
    calls = [call("ann", 300), call("bob", 100)]
    found = run(
        "core.cells", "sub_account_id, coverage_share, logged_quantity", charges=charges, requests=calls
    )
    assert {share for _, share, _ in found} == {"1"}
    assert sorted(logged for _, _, logged in found) == ["0", "400"]
    by_user = (
        "user_id, sum(a.effective_cost) as cost, sum(a.requests) as requests, sum(a.input_tokens) as tokens"
    )
    assert _shares(by_user, charges=charges, requests=calls, group="user_id") == [
        ("ann", "12", "1", "300"),
        ("bob", "4", "1", "100"),
    ]


def test_another_day_another_tier_and_another_class_are_other_pools() -> None:
    calls = [
        call("ann", 100),
        call("bob", 100, service_tier="batch"),
        call("cyd", 100, started_at=datetime(2026, 11, 2)),
        call("dan", 0, output_tokens=100),
    ]
    batch = {"sku_meter": "USE1-Claude4.5Sonnet-input-tokens-batch"}
    charges = [
        tokens("input", "1", 100),
        tokens("batch", "2", 100, **batch),
        tokens("second", "4", 100, charge_period_start=datetime(2026, 11, 2)),
        tokens("output", "8", 100, **SONNET_OUTPUT),
    ]
    found = _shares("user_id, a.effective_cost", charges=charges, requests=calls)
    assert found == [("ann", "1"), ("bob", "2"), ("cyd", "4"), ("dan", "8")]


def test_a_line_that_mixes_token_classes_is_shared_by_list_price() -> None:
    """Ann's 100 input tokens cost as much as bob's 20 output tokens: equal shares, by tokens they would not be."""
    rule = ClassificationRule(
        rule_id="blend",
        service_pattern="blend",
        cost_driver="inference",
        model_pattern="(claude[0-9.]+[a-z]+)",
    )
    calls = [call("ann", 100), call("bob", 0, output_tokens=20)]
    found = _shares(
        charges=[line(cost="12", service_name="blend", sku_meter="claude4.5sonnet")],
        requests=calls,
        prices=[price(per_mtok="3"), price("output_tokens", "15")],
        config=Config(classification=(rule,)),
        where="a.method_id = 'list_cost'",
    )
    assert found == [("ann", None, "6", "assumed"), ("bob", None, "6", "assumed")]


def test_a_credit_is_shared_as_the_usage_that_it_reverses() -> None:
    calls = [call("ann", 300), call("bob", 100)]
    assert _shares(charges=[tokens("a", "-12", 400)], requests=calls) == [
        ("ann", None, "-9", "allocated"),
        ("bob", None, "-3", "allocated"),
    ]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, "no_owner"),
        ({"charge_category": "Tax"}, "tax"),
        ({"charge_category": "Credit"}, "credit"),
        ({"commitment_discount_status": "Unused"}, "unused_commitment"),
        ({"service_name": "Amazon Bedrock", "sku_meter": "USE1-Guardrail"}, "unlogged_usage"),
        ({"sku_meter": "DataTransfer-Regional-Bytes"}, "unknown_workload"),
        ({"service_name": "AmazonCloudWatch", "sku_meter": "DataProcessing-Bytes"}, "unknown_workload"),
    ],
    ids=["nobody", "tax", "credit", "unused commitment", "inference", "traffic", "monitoring"],
)
def test_what_nobody_owns_says_why(changes: dict[str, Any], reason: str) -> None:
    assert _shares(charges=[line(**changes)]) == [(None, reason, "10", "billed")]


TEAM = {"x_tag_team": "search", "x_tag_environment": "production"}
MISSED = ("search", "production", "residual", "unlogged_usage", "10")


@pytest.mark.parametrize(
    ("tags", "logged", "expected"),
    [
        (TEAM, call("ann", 0, output_tokens=5), MISSED),
        (TEAM, None, ("search", "production", "bill_tag", None, "10")),
        (
            TEAM,
            call("ann", 5, provider="openai", model="gpt"),
            ("search", "production", "bill_tag", None, "10"),
        ),
        (
            TEAM | {"x_tag_feature": "chat"},
            call("ann", 0, output_tokens=5),
            ("search", "production", "bill_tag", None, "10"),
        ),
    ],
    ids=["team only", "no logs at all", "logs of another provider", "the tag says who"],
)
def test_tokens_that_no_log_names_are_unlogged_and_the_tags_name_their_team(
    tags: dict[str, Any], logged: dict[str, Any] | None, expected: tuple[Any, ...]
) -> None:
    columns = "team, environment, a.method_id, a.residual_reason, a.effective_cost"
    requests = [] if logged is None else [logged]
    where = "a.effective_cost is not null"
    assert _shares(columns, charges=[tokens("a", "10", 400, **tags)], requests=requests, where=where) == [
        expected
    ]


HOST = {"resource_id": "I-1", "service_name": "AmazonEC2", "sku_meter": "BoxUsage:g6.xlarge"}
PTU = {
    "resource_id": "I-1",
    "service_provider_name": "Microsoft",
    "service_name": "Azure OpenAI",
    "sku_meter": "Provisioned Managed Regional Unit",
}


@pytest.mark.parametrize(
    ("line_of", "unit", "quantity", "units", "unmeasured"),
    [
        (HOST, "Hours", "24", 1, "7.5"),
        (HOST, "Hours", "6", None, None),
        (HOST, "Hours", "48", 8, None),
        (HOST, "Months", "3", 1, "7.5"),
        (HOST, "Hours", "240", 1, "7.5"),
        (PTU, "Hours", "90", 15, None),
        (PTU, "Hours", "90", None, "7.5"),
        (PTU, "Hours", "360", 15, "7.5"),
        (PTU, "Hours", "120", 15, "2.5"),
    ],
)
def test_capacity_is_billed_for_the_hours_that_its_line_states(
    line_of: dict[str, Any], unit: str, quantity: str, units: int | None, unmeasured: str | None
) -> None:
    """Six hours were measured, all idle, of a line of a day that costs ten dollars."""
    hours = [
        {
            "x_source": "metrics",
            "x_snapshot_id": "s1",
            "hour_start": datetime(2026, 11, 1, hour),
            "resource_id": "i-1",
            "capacity_kind": "ptu",
            "provisioned_seconds": 3600,
            "provisioned_units": units,
            "busy_seconds": 0,
            "busy_basis": "stated",
        }
        for hour in range(6)
    ]
    charge = line("a", "10", consumed_quantity=Decimal(quantity), consumed_unit=unit, **line_of)
    found = _shares("a.residual_reason, a.effective_cost", charges=[charge], capacity=hours)
    idle = Decimal(10) - Decimal(unmeasured or 0)
    expected = [("idle_capacity", f"{idle.normalize():f}")]
    assert found == expected + ([("unmeasured_capacity", unmeasured)] if unmeasured else [])


def test_a_resource_of_a_known_workload_goes_to_its_feature_before_the_tag() -> None:
    charges = [line("a", resource_id="i-1", x_tag_feature="tagged"), line("b", x_tag_feature="tagged")]
    found = _shares("feature, team, a.method_id, a.effective_cost", charges=charges, workloads=WORKLOADS)
    assert found == [("search", "find", "workload_resource", "10"), ("tagged", None, "bill_tag", "10")]


def test_traffic_of_a_line_with_a_zone_goes_to_who_touched_that_zone() -> None:
    """The line of zone a takes the bytes of zone a, the line without zone takes all bytes."""
    transfers = [flow(100, "i-1", ("a", "b")), flow(300, "i-9", ("c", "b"))]
    regional = {"sku_meter": "DataTransfer-Regional-Bytes"}
    found = _shares(
        "feature, residual_reason, a.from_zone, a.effective_cost",
        charges=[line("zoned", "4", availability_zone="a", **regional), line("all", "8", **regional)],
        transfers=transfers,
        workloads=WORKLOADS,
    )
    assert found == [
        ("search", None, "a", "2"),
        ("search", None, "a", "4"),
        (None, "unknown_workload", "c", "6"),
    ]


def test_days_after_the_watermark_are_estimated_at_list_price() -> None:
    """The first is billed. The second is logged and not billed yet: it stands at list price, with no billed cost."""
    calls = [call("ann", 100), call("bob", 1_000_000, started_at=datetime(2026, 11, 2, 12))]
    found = _shares(
        "user_id, a.cost_state, a.billed_cost, a.effective_cost, a.evidence",
        charges=[tokens("a", "12", 100)],
        requests=calls,
        prices=[price(per_mtok="3")],
        watermark=datetime(2026, 11, 2),
    )
    assert found == [
        ("ann", "provisional", "12", "12", "allocated"),
        ("bob", "estimated", None, "3", "priced"),
    ]


def test_covered_days_have_no_estimate_even_for_usage_without_a_line() -> None:
    """The bill is complete and does not mention the call: that is a quantity in reconciliation, no cost."""
    calls = [call("ann", 100), call("bob", 1_000_000, started_at=datetime(2026, 11, 2, 12))]
    found = _shares(
        "user_id, a.cost_state",
        charges=[tokens("a", "12", 100)],
        requests=calls,
        prices=[price(per_mtok="3")],
        watermark=datetime(2026, 11, 3),
    )
    assert found == [("ann", "provisional")]


def test_usage_without_price_and_bill_is_a_row_with_unknown_cost() -> None:
    calls = [call("ann", 100, model="nobody-knows")]
    found = _shares("user_id, residual_reason, a.effective_cost, a.input_tokens", requests=calls)
    assert found == [("ann", "unpriced", None, 100)]


def test_three_owners_of_a_cent_lose_nothing() -> None:
    calls = [call(user, 1) for user in ("ann", "bob", "cyd")]
    found = _shares("a.effective_cost", charges=[tokens("a", "0.00000000001", 3)], requests=calls)
    costs = [Decimal(cost) for (cost,) in found]
    assert sum(costs) == Decimal("0.00000000001")
    assert sorted(costs) == [Decimal("3e-12"), Decimal("3e-12"), Decimal("4e-12")]
